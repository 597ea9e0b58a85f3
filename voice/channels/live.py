"""A live line: the caller's packets made even.

The wall clock drives a live line, and only here: what leaves `Arrivals` is audio time, and it keeps
going when packets are late or lost.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from voice.audio import level_dbfs
from voice.calm import Calm
from voice.channels.telephone_rate import Doubler
from voice.types import FRAME_MS, FRAME_SAMPLES, AudioFrame, CallerAct, Pcm

TELEPHONE_RATE_HZ = 8_000
HOLE_MS = 100
"""How late a packet may be before silence takes its place."""
AHEAD_MS = 2_000
"""How far a caller's packets may run ahead of the clock (a burst after a stall) before they are
dropped."""
GATHER_MS = 100
"""How much may wait while the line is calm."""
_LOOKS = 5
"""Turns of the event loop in which a packet that has come in gets from the socket to `push`."""

Clock = Callable[[], float]


class Converter(Protocol):
    """Brings int16 samples from one rate to another as they come."""

    def push(self, samples: Pcm) -> Pcm:
        """The next samples."""


@dataclass(frozen=True, slots=True)
class LineLimits:
    """When a line is given up."""

    dead_after_s: float = 15.0
    """Without any packet: a half-open socket."""
    longest_s: float = 1_800.0


class Arrivals:
    """The caller's packets, int16, as an even stream of 20 ms frames at 16 kHz.

    `converter` brings them to 16 kHz: from 8 kHz where none is given. A hole becomes silence once
    the clock is 100 ms past it; a burst is taken as it comes, up to 2 s ahead of the clock. Packets
    that `calm` covers are gathered for up to 100 ms.
    """

    def __init__(
        self,
        limits: LineLimits,
        clock: Clock = time.monotonic,
        converter: Converter | None = None,
        rate_hz: int = TELEPHONE_RATE_HZ,
        calm: Calm | None = None,
    ) -> None:
        self._limits = limits
        self._calm = calm or Calm()
        self._per_ms = rate_hz / 1000.0
        self._gathered: list[Pcm] = []
        self._gathered_ms = 0.0
        self._clock = clock
        self._began_s = self._packet_s = clock()
        self._rate = converter or Doubler()
        self._rest: Pcm = np.zeros(0, dtype=np.int16)
        self._ready: deque[Pcm] = deque()
        self._keys = ""
        self._acts: deque[tuple[int, CallerAct]] = deque()
        self._pushed = self._popped = 0
        self._given_ms = 0
        self._over = False
        self._waiter: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self.dropped = 0

    def push(self, samples: Pcm) -> None:
        """Take a packet."""
        self.alive()
        self._gathered.append(samples)
        self._gathered_ms += len(samples) / self._per_ms
        if self._gathered_ms >= GATHER_MS or not self._calm.covers(level_dbfs(samples)):
            self._hand_over()

    def _hand_over(self) -> None:
        """Make frames of what was gathered."""
        if self._gathered:
            alone = len(self._gathered) == 1
            samples = self._gathered[0] if alone else np.concatenate(self._gathered)
            self._gathered.clear()
            self._gathered_ms = 0.0
            self._make_ready(self._rate.push(samples))
        self._rouse()

    def _make_ready(self, joined: Pcm) -> None:
        if len(self._rest):
            joined = np.concatenate((self._rest, joined))
        whole = len(joined) // FRAME_SAMPLES * FRAME_SAMPLES
        for start in range(0, whole, FRAME_SAMPLES):
            if self._given_ms + len(self._ready) * FRAME_MS > self._clock_ms() + AHEAD_MS:
                self.dropped += 1
                continue
            self._pushed += 1
            self._ready.append(joined[start : start + FRAME_SAMPLES])
        self._rest = joined[whole:]

    def press(self, key: str) -> None:
        """Take a key; it belongs to the next frame."""
        self.alive()
        self._hand_over()
        self._keys += key

    def act(self, act: CallerAct) -> None:
        """Take something that the caller did; it follows what the caller said before."""
        self.alive()
        self._hand_over()
        self._acts.append((self._pushed, act))

    def forget(self) -> None:
        """Drop what came in and was not yet given."""
        self._hand_over()
        self._ready.clear()
        self._popped = self._pushed
        self._rest = self._rest[:0]

    @property
    def now_ms(self) -> int:
        """Audio time: how much has come in."""
        return self._given_ms + len(self._ready) * FRAME_MS + int(self._gathered_ms)

    def alive(self) -> None:
        """Something came in: the far end is still there."""
        self._packet_s = self._clock()

    def end(self) -> None:
        """Nothing more will come."""
        self._over = True
        self._hand_over()

    async def frames(self) -> AsyncIterator[AudioFrame]:
        """20 ms at a time until the line ends, is silent for too long, or has lasted too long."""
        looked = False
        while not self._given_up():
            if self._ready:
                looked = False
                self._popped += 1
                yield self._frame(self._ready.popleft())
                if len(self._ready) >= GATHER_MS // FRAME_MS:
                    await asyncio.sleep(0)
                continue
            if self._over:
                return
            late_ms = self._clock_ms() - self._given_ms - self._gathered_ms
            if late_ms <= HOLE_MS:
                await self._more_within((HOLE_MS - late_ms + FRAME_MS) / 1000.0)
            elif self._gathered:
                self._hand_over()
            elif looked:
                yield self._frame(np.zeros(FRAME_SAMPLES, dtype=np.int16))
            else:
                # Perhaps it is we who stood still, and the packets are there to be read.
                looked = True
                for _ in range(_LOOKS):
                    await asyncio.sleep(0)

    async def _more_within(self, wait_s: float) -> None:
        """Return when something has come in, or when it may be time to look.

        One alarm serves many packets: setting one for each would cost more than the packet.
        """
        loop = asyncio.get_running_loop()
        if self._alarm is None:
            self._alarm = loop.call_later(wait_s, self._ring)
        self._waiter = loop.create_future()
        await self._waiter

    def _ring(self) -> None:
        self._alarm = None
        self._rouse()

    def _rouse(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _frame(self, samples: Pcm) -> AudioFrame:
        keys, self._keys = self._keys, ""
        acts = []
        while self._acts and self._acts[0][0] <= self._popped:
            acts.append(self._acts.popleft()[1])
        frame = AudioFrame(samples, self._given_ms, keys, tuple(acts))
        self._given_ms += FRAME_MS
        return frame

    def _clock_ms(self) -> float:
        return (self._clock() - self._began_s) * 1000.0

    def _given_up(self) -> bool:
        now_s = self._clock()
        return (
            now_s - self._packet_s > self._limits.dead_after_s
            or now_s - self._began_s > self._limits.longest_s
        )
