"""Speaks a reply clause by clause and knows how much of it was heard."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

import numpy as np

from dialogue.delivery import limited_rate
from dialogue.types import Clause, Delivery, Reply
from voice.types import (
    FRAME_MS,
    RATE_HZ,
    AchievedDelivery,
    Channel,
    ClauseRecord,
    Pcm,
    SpeechChunk,
    Synthesizer,
)

log = logging.getLogger(__name__)


class SpeechFailure(Exception):
    """A reply could not be spoken at all."""


@dataclass(slots=True)
class ListenerPace:
    """How fast the listener wants to be spoken to: a factor on whatever pace is decided."""

    factor: float = 1.0

    def applied(self, clause: Clause) -> Clause:
        """The clause at the listener's pace, as far as delivery's limits let it go."""
        if self.factor == 1.0:
            return clause
        rate = limited_rate(clause.delivery.rate * self.factor)
        return replace(clause, delivery=replace(clause.delivery, rate=rate))


@dataclass(frozen=True, slots=True, eq=False)
class RenderedClause:
    """A clause as sound, without its pauses."""

    clause: Clause
    chunks: tuple[SpeechChunk, ...]

    @property
    def achieved(self) -> AchievedDelivery | None:
        """What was measured on the sound, where the engine measured it."""
        return self.chunks[-1].achieved if self.chunks else None


@dataclass(slots=True)
class Utterance:
    """A reply on its way out: when it began, what is queued.

    `first_sound_at_s` is the wall clock (`time.perf_counter`) when the first sound was queued.
    """

    first_ms: int | None = None
    end_ms: int = 0
    offset_ms: int = 0
    clauses: list[ClauseRecord] = field(default_factory=list)
    first_sound_at_s: float | None = None


def render(synthesizer: Synthesizer, clause: Clause) -> RenderedClause:
    """The whole clause as sound; blocking."""
    return RenderedClause(clause, tuple(synthesizer.speak(clause.text, clause.delivery)))


class Mouth:
    """Turns clauses into queued sound on a channel.

    `now_ms` gives the channel's audio time. Rendering runs in `executor`, and every wait for a
    chunk has a deadline: a synthesiser that stalls costs the rest of the clause, not the call.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        channel: Channel,
        now_ms: Callable[[], int],
        executor: Executor,
        deadline_s: float,
        pace: ListenerPace | None = None,
    ) -> None:
        self._synthesizer = synthesizer
        self._pace = pace or ListenerPace()
        self._channel = channel
        self._now_ms = now_ms
        self._executor = executor
        self._deadline_s = deadline_s
        self._queued_ms = 0

    async def say(
        self,
        reply: Reply,
        *,
        waited_ms: int = 0,
        prepared: RenderedClause | None = None,
        alive: Callable[[], bool] = lambda: True,
        on_clause: Callable[[str, int, int], None] = lambda _text, _start, _end: None,
    ) -> Utterance:
        """Queue a reply; returns when all of it is queued or `alive` says no.

        `waited_ms` is the silence that the caller has already heard: the pause before the first
        clause is shortened by it. `prepared` is used for a clause that equals its own.
        Raises `SpeechFailure` when the synthesiser stalls or breaks before the first sound.
        """
        waiting_ms = max(0, self._queued_ms - self._channel.heard_ms())
        utterance = Utterance(offset_ms=self._queued_ms, end_ms=self._now_ms() + waiting_ms)
        for each in reply.clauses:
            if not each.text.strip():
                continue
            clause = self._pace.applied(each)
            before_ms = clause.delivery.pause_before_ms
            if utterance.first_ms is None:
                before_ms = max(0, before_ms - waited_ms)
            ready = prepared if prepared and prepared.clause == clause else None
            if not await self._say_clause(clause, ready, before_ms, utterance, alive):
                break
            last = utterance.clauses[-1]
            on_clause(last.text, last.start_ms, last.end_ms)
        return utterance

    async def _say_clause(
        self,
        clause: Clause,
        ready: RenderedClause | None,
        before_ms: int,
        utterance: Utterance,
        alive: Callable[[], bool],
    ) -> bool:
        if before_ms and not await self._queue(_silence(before_ms), utterance, alive):
            return False
        start_ms: int | None = None
        achieved: AchievedDelivery | None = None
        try:
            chunks = (
                iter(ready.chunks)
                if ready
                else self._synthesizer.speak(clause.text, clause.delivery)
            )
            while (chunk := await self._next(chunks, ready is not None)) is not None:
                at_ms = max(self._now_ms(), utterance.end_ms)
                if not await self._queue(chunk.samples, utterance, alive):
                    return False
                achieved = chunk.achieved or achieved
                if start_ms is None:
                    start_ms = at_ms
                if utterance.first_ms is None:
                    utterance.first_ms = at_ms
                    utterance.first_sound_at_s = time.perf_counter()
        except Exception as error:
            if utterance.first_ms is None:
                raise SpeechFailure(str(error) or "no sound in time") from error
            log.warning("the rest of a clause could not be spoken: %s", error)
        if start_ms is None:
            return True
        utterance.clauses.append(
            ClauseRecord(clause.text, clause.delivery, achieved, start_ms, utterance.end_ms, 0)
        )
        after_ms = clause.delivery.pause_after_ms
        return not after_ms or await self._queue(_silence(after_ms), utterance, alive)

    async def _next(self, chunks: Iterator[SpeechChunk], ready: bool) -> SpeechChunk | None:
        if ready:
            return next(chunks, None)
        loop = asyncio.get_running_loop()
        pull = loop.run_in_executor(self._executor, next, chunks, None)
        return await asyncio.wait_for(pull, self._deadline_s)

    async def _queue(self, samples: Pcm, utterance: Utterance, alive: Callable[[], bool]) -> bool:
        if not alive():
            return False
        utterance.end_ms = max(self._now_ms(), utterance.end_ms) + len(samples) * 1000 // RATE_HZ
        await self._channel.play(samples)
        self._queued_ms += len(samples) * 1000 // RATE_HZ
        return True

    @property
    def finished(self) -> bool:
        """Whether everything queued has been heard."""
        return self._channel.heard_ms() + FRAME_MS > self._queued_ms

    async def stop(self, utterance: Utterance) -> int:
        """Silence what is queued; returns how many ms of the utterance had been heard."""
        await self._channel.clear()
        # Something older may have been waiting before the utterance: it is gone as well.
        self._queued_ms = self._channel.heard_ms()
        return max(0, self._queued_ms - utterance.offset_ms)


def heard_clauses(utterance: Utterance, until_ms: int) -> tuple[ClauseRecord, ...]:
    """The clauses with how much of each had been heard by `until_ms` of audio time."""
    return tuple(
        replace(clause, heard_ms=max(0, min(clause.end_ms, until_ms) - clause.start_ms))
        for clause in utterance.clauses
    )


def unheard(reply: Reply, utterance: Utterance, until_ms: int) -> Reply:
    """What is left to say after an interruption: clauses not heard to their end."""
    done = sum(clause.end_ms <= until_ms for clause in utterance.clauses)
    spoken = [clause for clause in reply.clauses if clause.text.strip()]
    return Reply(tuple(spoken[done:]))


def plain(text: str) -> Reply:
    """One clause at the neutral delivery."""
    return Reply((Clause(text, Delivery()),))


def _silence(duration_ms: int) -> Pcm:
    return np.zeros(RATE_HZ * duration_ms // 1000, dtype=np.int16)
