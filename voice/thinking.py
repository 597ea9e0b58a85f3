"""Thinks while the silence runs: words, how long to wait, and the answer, for one generation.

A generation is a stretch of the call in which nothing new was said. Results of an older one are
stale.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

from dialogue.types import Purpose
from voice.answering import Answer, CallerTurn
from voice.background import Background
from voice.speculation import (
    Prepared,
    Speculator,
    StageFailure,
    Talk,
    takes_voice_back,
    without_voice,
)
from voice.turns.backchannel import takes_the_turn
from voice.turns.endpointing import EndpointPolicy, Pause, StopSilence, stop_silence
from voice.turns.tracker import TurnTracker

LISTENING_MS = 300
"""After a cough or an "okay" that has stopped the assistant it goes on soon."""
COUGH_MS = 1_000
"""Speech without words that was longer is not taken for a cough; with what is kept before it."""


class Thinker:
    """Speculates for the current generation and tells the tracker how long to wait."""

    def __init__(
        self,
        *,
        speculator: Speculator,
        talk: Talk,
        work: Background,
        tracker: TurnTracker,
        policies: Sequence[EndpointPolicy],
        started_at: datetime,
        recognition_deadline_s: float,
    ) -> None:
        self._speculator = speculator
        self._talk = talk
        self._work = work
        self._tracker = tracker
        self._policies = policies
        self._started_at = started_at
        self._recognition_deadline_s = recognition_deadline_s
        self.generation = 0

    def move_on(self) -> int:
        """Something new was said: whatever was thought is stale. Returns the new generation."""
        self.generation += 1
        return self.generation

    async def think(self, turn: CallerTurn, generation: int, speech_end_ms: int) -> Prepared:
        """The answer to the turn as it stands. Raises `StageFailure`."""
        began_s = time.perf_counter()
        await self._recognise(turn)
        if generation == self.generation:
            self._set_stop(turn, speech_end_ms)
        now = self._started_at + timedelta(milliseconds=speech_end_ms)
        prepared = await self._speculator.prepare(
            generation, turn.transcript, turn.ear.feeling, now, turn.clock
        )
        turn.speculated_in_s = time.perf_counter() - began_s
        return prepared

    async def speculate(self, turn: CallerTurn, now_ms: int, speech_end_ms: int) -> None:
        """Begin to think of an answer to the turn as it stands at `now_ms`."""
        turn.paused_ms = now_ms
        task = await self._work.start(self.think(turn, self.generation, speech_end_ms))
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        turn.work = task  # type: ignore[assignment]

    async def prepared(self, turn: CallerTurn, answer: Answer, now_ms: int) -> Prepared:
        """The current generation's answer to a turn that is over; made now if it ended without a
        pause. `answer` is told what was understood. Raises `StageFailure`."""
        if turn.work is None or turn.paused_ms < answer.end_ms:
            await self.speculate(turn, now_ms, answer.end_ms)
        if turn.work is None:
            raise StageFailure("recognition", "the turn was never heard")
        prepared = await turn.work
        answer.transcript = prepared.transcript
        answer.understanding = prepared.understanding
        answer.verdict = turn.verdict
        withdrawn = takes_voice_back(prepared.understanding)
        if Purpose.EMOTION_VOICE not in self._talk.grants:
            answer.understanding = without_voice(prepared.understanding)
            withdrawn = True
        answer.course = () if withdrawn else tuple(turn.ear.course)
        return prepared

    async def _recognise(self, turn: CallerTurn) -> None:
        try:
            turn.transcript = await asyncio.wait_for(
                turn.ear.transcript(), self._recognition_deadline_s
            )
        except TimeoutError:
            raise StageFailure("recognition", "no result in time") from None
        except Exception as error:
            raise StageFailure("recognition", f"{type(error).__name__}: {error}") from error

    def _set_stop(self, turn: CallerTurn, speech_end_ms: int) -> None:
        pause = Pause(
            turn.transcript.text,
            self._talk.expects,
            turn.ear.ending(speech_end_ms),
            tuple(self._tracker.pauses_ms),
            speech_end_ms - turn.start_ms,
        )
        turn.verdict = stop_silence(self._policies, pause)
        if turn.interrupts and only_listens(pause, asked=turn.asked):
            turn.verdict = StopSilence(LISTENING_MS, "only listening")
        self._tracker.stop_ms = turn.verdict.stop_ms


def only_listens(pause: Pause, *, asked: bool = False) -> bool:
    """Whether what has stopped the assistant was no more than an "okay" or a cough; `asked` says
    that "okay" is an answer."""
    text = pause.text or ""
    return not takes_the_turn(text, asked=asked) and (bool(text) or pause.speech_ms <= COUGH_MS)
