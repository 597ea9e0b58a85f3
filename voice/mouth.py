"""Speaks a reply clause by clause and knows how much of it was heard."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace

import numpy as np

from dialogue.delivery import limited_rate
from dialogue.types import Clause, Delivery, Reply
from voice.fades import faded_in
from voice.track import SAMPLES_PER_MS, Track
from voice.types import (
    FRAME_MS,
    RATE_HZ,
    AchievedDelivery,
    Channel,
    Pcm,
    SpeechChunk,
    Synthesizer,
)
from voice.utterance import SaidClause, Utterance

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


def render(synthesizer: Synthesizer, clause: Clause) -> RenderedClause:
    """The whole clause as sound; blocking."""
    return RenderedClause(clause, tuple(synthesizer.speak(clause.text, clause.delivery)))


class Mouth:
    """Turns clauses into queued sound on a channel.

    `now_ms` gives the channel's audio time. Rendering runs in `executor`, and every wait for a
    chunk has a deadline: a synthesiser that stalls costs the rest of the clause, not the call.
    What is queued is kept until it was heard, so that the mouth can fall silent and go on.
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
        self.track = Track()
        self._ahead_ms = 0
        """How much further a place on the track is than what the channel has counted there."""
        self._clearing = False
        self._left_ms: int | None = None
        """The place from which an answer that was stopped could still go on."""

    async def say(
        self,
        reply: Reply,
        *,
        waited_ms: int = 0,
        prepared: RenderedClause | None = None,
        alive: Callable[[], bool] = lambda: True,
        on_clause: Callable[[str, int, int], None] = lambda _text, _start, _end: None,
        utterance: Utterance | None = None,
    ) -> Utterance:
        """Queue a reply; returns when all of it is queued or `alive` says no.

        `waited_ms` is the silence that the caller has already heard: the pause before the first
        clause is shortened by it. `prepared` is used for a clause that equals its own. `utterance`
        is filled as it goes; one that has clauses already is gone on with.
        Raises `SpeechFailure` when the synthesiser stalls or breaks before the first sound.
        """
        utterance = utterance or Utterance()
        if utterance.track is not self.track:
            utterance.track, utterance.offset_ms = self.track, self.track.end_ms
        self._left_ms = None
        waiting_ms = max(0, self.track.end_ms - self._heard_place_ms())
        self.track.next_at(self._now_ms() + waiting_ms)
        for each in [clause for clause in reply.clauses if clause.text.strip()][utterance.said :]:
            clause = self._pace.applied(each)
            before_ms = clause.delivery.pause_before_ms
            if utterance.first_place_ms is None:
                before_ms = max(0, before_ms - waited_ms)
            ready = prepared if prepared and prepared.clause == clause else None
            told = len(utterance.clauses)
            if not await self._say_clause(clause, ready, before_ms, utterance, alive):
                return utterance
            utterance.said += 1
            if len(utterance.clauses) > told:
                last = utterance.clauses[-1]
                on_clause(last.text, last.start_ms(self.track), last.end_ms(self.track))
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
        said: SaidClause | None = None
        rest = _silence(0)
        try:
            chunks = (
                iter(ready.chunks)
                if ready
                else self._synthesizer.speak(clause.text, clause.delivery)
            )
            while (chunk := await self._next(chunks, ready is not None)) is not None:
                # Places on the track are whole milliseconds; what is over goes with the next chunk.
                sound = np.concatenate([rest, chunk.samples])
                whole = len(sound) // SAMPLES_PER_MS * SAMPLES_PER_MS
                rest = sound[whole:]
                place_ms = self.track.end_ms
                if not await self._queue(sound[:whole], utterance, alive):
                    return False
                said = said or utterance.begin(clause, place_ms)
                said.to_ms = self.track.end_ms
                said.achieved = chunk.achieved or said.achieved
        except Exception as error:
            if utterance.first_place_ms is None:
                raise SpeechFailure(str(error) or "no sound in time") from error
            log.warning("the rest of a clause could not be spoken: %s", error)
        if said is None:
            return True
        said.whole = True
        after_ms = clause.delivery.pause_after_ms
        pause = np.pad(rest, (0, -len(rest) % SAMPLES_PER_MS + after_ms * SAMPLES_PER_MS))
        return not len(pause) or await self._queue(pause, utterance, alive)

    async def _next(self, chunks: Iterator[SpeechChunk], ready: bool) -> SpeechChunk | None:
        if ready:
            return next(chunks, None)
        loop = asyncio.get_running_loop()
        pull = loop.run_in_executor(self._executor, next, chunks, None)
        return await asyncio.wait_for(pull, self._deadline_s)

    async def _queue(self, samples: Pcm, utterance: Utterance, alive: Callable[[], bool]) -> bool:
        if not alive() or utterance.stopped_ms is not None:
            return False
        self.track.forget(self._heard_place_ms())
        self.track.put(samples, self._now_ms())
        if not (self.track.held or self._clearing):
            await self._channel.play(samples)
        return True

    def _heard_place_ms(self) -> int:
        held_ms = self.track.cut_ms
        return self._channel.heard_ms() + self._ahead_ms if held_ms is None else held_ms

    @property
    def finished(self) -> bool:
        """Whether everything queued has been heard."""
        return not self.track.held and self._heard_place_ms() + FRAME_MS > self.track.end_ms

    # --- silence -------------------------------------------------------------------------------

    async def hold(self) -> None:
        """Fall silent; what is queued from here on waits until `go_on`, or is lost with `stop`."""
        if self.track.held:
            return
        if self.finished:
            self.track.cut(self.track.end_ms)
            return
        self._clearing = True
        try:
            await self._channel.clear()
        finally:
            self._clearing = False
        # What comes too late to be taken back counts as heard.
        self.track.cut(min(self.track.end_ms, self._heard_place_ms()))

    async def go_on(self) -> int:
        """Go on where it was; returns by how many ms of audio time everything left is later."""
        place_ms = self.track.cut_ms
        return 0 if place_ms is None else await self._go_on_from(place_ms)

    async def _go_on_from(self, cut_ms: int) -> int:
        now_ms = self._now_ms()
        self._left_ms = None
        if cut_ms >= self.track.end_ms:
            self.track.drop()
            self._ahead_ms = self.track.end_ms - self._channel.heard_ms()
            return 0
        place_ms = self.track.take_up_place(cut_ms)
        expected_ms = self.track.time_of(place_ms)
        rest = self.track.go_on(place_ms, now_ms)
        self._ahead_ms = place_ms - self._channel.heard_ms()
        await self._channel.play(faded_in(rest))
        return max(0, now_ms - expected_ms)

    async def stop(self, utterance: Utterance) -> int:
        """Silence what is queued; returns how many ms of the utterance had been heard."""
        await self.hold()
        heard_ms = self._heard_place_ms()
        self._left_ms = heard_ms
        self.let_go()
        utterance.stopped_ms = heard_ms
        return 0 if utterance.track is None else max(0, heard_ms - utterance.offset_ms)

    def asked(self, utterance: Utterance) -> bool:
        """Whether the listener has just been asked something in this utterance."""
        stopped_ms = utterance.stopped_ms
        return utterance.asked(self._heard_place_ms() if stopped_ms is None else stopped_ms)

    def let_go(self) -> None:
        """Nothing is held any longer: what comes next is heard, what was held is lost."""
        if self.track.held:
            self.track.drop()
            self._ahead_ms = self.track.end_ms - self._channel.heard_ms()

    async def take_up(self, utterance: Utterance) -> bool:
        """Go on with an utterance that was stopped, as if it had been held all the time; False
        where something else has been said since. Its clauses that were not rendered to their end
        are left to `say`."""
        if self._left_ms is None or utterance.stopped_ms is None:
            return False
        heard_ms = self._left_ms
        if utterance.clauses and not utterance.clauses[-1].whole:
            half = utterance.clauses.pop()
            self.track.shorten(half.from_ms)
            heard_ms = min(heard_ms, half.from_ms)
        utterance.stopped_ms = None
        await self._go_on_from(heard_ms)
        return True


def plain(text: str) -> Reply:
    """One clause at the neutral delivery."""
    return Reply((Clause(text, Delivery()),))


def _silence(duration_ms: int) -> Pcm:
    return np.zeros(RATE_HZ * duration_ms // 1000, dtype=np.int16)
