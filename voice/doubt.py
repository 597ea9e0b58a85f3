"""A short sound that may have been a word: the recogniser is asked, while the assistant is silent.

"No", said over the assistant, is over before it can be told from a cough by its sound. What was
heard since shortly before the doubt is recognised apart from any turn, and only for this answer.
"""

from __future__ import annotations

import logging

from voice.background import Background
from voice.ears import TurnEar
from voice.hearing import Hearing
from voice.turns.backchannel import takes_the_turn, were_words
from voice.turns.interruption import InterruptionDetector
from voice.turns.tracker import PREROLL_MS

log = logging.getLogger(__name__)


class Doubt:
    """Has the recogniser say whether what `interruption` asks about takes the turn."""

    def __init__(
        self, hearing: Hearing, interruption: InterruptionDetector, work: Background
    ) -> None:
        self._hearing = hearing
        self._interruption = interruption
        self._work = work

    async def ask(self) -> None:
        """Begin to recognise; on a line that is not live, the answer is there on return."""
        ear = self._hearing.words_since(self._interruption.spoken_from_ms - PREROLL_MS)
        asked = self._interruption.question, self._interruption.wary
        await self._work.start(self._answer(ear, *asked))

    async def _answer(self, ear: TurnEar, question: int, wary: bool) -> None:
        words = False
        try:
            heard = await ear.transcript()
            words = were_words(heard, wary=wary) and takes_the_turn(heard.text)
        except Exception:
            log.exception("what was said over the assistant could not be recognised")
        finally:
            await ear.close()
        self._interruption.told(question, words)
