"""A short sound that may have been a word: the recogniser is asked, while the assistant is silent.

"No", said over the assistant, is over before it can be told from a cough by its sound, and "okay"
sounds like the beginning of a sentence. What was heard since shortly before the doubt is recognised
apart from any turn, and only for this answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from voice.background import Background
from voice.ears import TurnEar
from voice.hearing import Hearing
from voice.turns.backchannel import what_was_said
from voice.turns.interruption import InterruptionDetector
from voice.turns.suspicion import Heard
from voice.turns.tracker import PREROLL_MS

log = logging.getLogger(__name__)


class Doubt:
    """Has the recogniser say what `interruption` asks about. `asked` says whether the assistant has
    just asked something, so that "okay" is an answer."""

    def __init__(
        self,
        hearing: Hearing,
        interruption: InterruptionDetector,
        work: Background,
        asked: Callable[[], bool],
    ) -> None:
        self._hearing = hearing
        self._interruption = interruption
        self._work = work
        self._asked = asked

    async def ask(self) -> None:
        """Begin to recognise; on a line that is not live, the answer is there on return."""
        ear = self._hearing.words_since(self._interruption.spoken_from_ms - PREROLL_MS)
        about = self._interruption.question, self._interruption.wary, self._asked()
        await self._work.start(self._answer(ear, *about))

    async def _answer(self, ear: TurnEar, question: int, wary: bool, asked: bool) -> None:
        heard = Heard.NOTHING
        try:
            heard = what_was_said(await ear.transcript(), wary=wary, asked=asked)
        except Exception:
            log.exception("what was said over the assistant could not be recognised")
        finally:
            await ear.close()
        self._interruption.told(question, heard)
