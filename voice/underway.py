"""The answer under way: held and gone on with, set aside and taken up again, ended and recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from dialogue.types import Decision
from voice.answering import Answer, Answerer
from voice.mouth import Mouth
from voice.records import record_turn
from voice.turns.interruption import InterruptionDetector
from voice.types import (
    AnswerEnded,
    AssistantHeld,
    AssistantInterrupted,
    AssistantResumed,
    CallEvent,
    TurnFinished,
)


class AnswerUnderWay:
    """What is being said, whoever says it; each answer is recorded once.

    An answer that was interrupted is recorded when it is known that it was: a cough that was taken
    for a turn is none.
    """

    def __init__(
        self,
        *,
        call: str,
        engines: Mapping[str, str],
        names: Sequence[str],
        answerer: Answerer,
        mouth: Mouth,
        interruption: InterruptionDetector,
        tell: Callable[[CallEvent], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._call = call
        self._engines = engines
        self._names = names
        self._answerer = answerer
        self._mouth = mouth
        self._interruption = interruption
        self._tell = tell
        self._now_ms = now_ms
        self._held_at_ms: int | None = None
        self._opening: Answer | None = None
        self._latest: Decision | None = None
        self._plain: set[str] = set()
        self.answer: Answer | None = None
        self.cut_off: Answer | None = None
        """What could still be gone on with."""

    @property
    def over(self) -> bool:
        """Whether the answer under way has been heard to its end."""
        task = self.answer.task if self.answer is not None else None
        return (task is None or task.done()) and self._mouth.finished

    @property
    def asked(self) -> bool:
        """Whether the answer under way has just asked the caller something."""
        return self.answer is not None and self._mouth.asked(self.answer.utterance)

    def listen_afresh(self) -> None:
        """Whatever was suspected, another stretch of speech begins."""
        self._interruption.reset()
        self._mouth.let_go()
        self._held_at_ms = None

    # --- a doubt -------------------------------------------------------------------------------

    async def hold(self) -> None:
        """Fall silent: somebody may be interrupting."""
        answer = self.answer
        if answer is None or self._held_at_ms is not None:
            return
        self._held_at_ms = held_at_ms = self._now_ms()
        sounding = not self._mouth.finished
        await self._mouth.hold()
        if sounding:
            self._tell(AssistantHeld(answer.number, held_at_ms))

    async def go_on(self) -> None:
        """Nobody was interrupting: go on at the sample."""
        held_at_ms, self._held_at_ms = self._held_at_ms, None
        if held_at_ms is not None and self.answer is not None:
            later_ms = await self._mouth.go_on()
            now_ms = self._now_ms()
            self._tell(AssistantResumed(self.answer.number, now_ms, held_at_ms, later_ms))

    # --- an interruption -----------------------------------------------------------------------

    async def stop(self, answer: Answer) -> None:
        """Silence an answer."""
        at_ms = self._now_ms() if self._held_at_ms is None else self._held_at_ms
        heard_ms = await self._mouth.stop(answer.utterance)
        self._tell(AssistantInterrupted(answer.number, at_ms, heard_ms))

    async def set_aside(self, answer: Answer) -> None:
        """Silence an answer that may yet be gone on with."""
        self.settle()
        await self.stop(answer)
        self.cut_off = answer
        self._end(answer, interrupted=True)

    async def take_up(self, answer: Answer) -> bool:
        """Go on with an answer that was set aside, where it was; what of it was never rendered is
        left to be said. False, and it is over, where that cannot be."""
        self.cut_off = None
        if answer.task is not None:
            with suppress(asyncio.CancelledError):
                await answer.task
        told = len(answer.utterance.clauses)
        if not answer.speaking or not await self._mouth.take_up(answer.utterance):
            self._close(answer, interrupted=True)
            return False
        self.answer = answer
        track = self._mouth.track
        for clause in answer.utterance.clauses[:told]:
            if (end_ms := clause.end_ms(track)) > self._now_ms():
                self._answerer.tell_clause(answer, clause.text, clause.start_ms(track), end_ms)
        return True

    def settle(self) -> None:
        """An answer that was set aside is not gone on with."""
        answer, self.cut_off = self.cut_off, None
        if answer is not None:
            self._close(answer, interrupted=True)

    # --- the end -------------------------------------------------------------------------------

    def finish(self, *, interrupted: bool = False) -> None:
        """The answer under way has ended."""
        answer = self.answer
        if answer is not None:
            self.settle()
            self._end(answer, interrupted=interrupted)
            self._close(answer, interrupted=interrupted)

    def _end(self, answer: Answer, *, interrupted: bool) -> None:
        self.answer = None
        self.listen_afresh()
        self._tell(AnswerEnded(answer.number, self._now_ms(), interrupted))

    def _close(self, answer: Answer, *, interrupted: bool) -> None:
        """Nothing more will be heard of an answer."""
        self._latest = answer.decision or self._latest
        if answer.number:
            self.record(answer, interrupted=interrupted)

    def record(self, answer: Answer, *, interrupted: bool = False) -> None:
        """Make the record of its turn."""
        record = record_turn(
            self._call,
            answer,
            answer.clauses(self._now_ms() if interrupted else None),
            self._engines,
            interrupted=interrupted,
            names=self._names,
            opening=self._opening,
            plain=self._plain,
        )
        self._opening = None
        self._tell(TurnFinished(record))
