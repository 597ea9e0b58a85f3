"""The answer on a live line: paced in real time, dropped when it is interrupted, and what of it was
heard."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

import numpy as np

from voice.channels.live import TELEPHONE_RATE_HZ, Clock, Converter
from voice.channels.telephone_rate import Halver
from voice.fades import faded_out
from voice.types import FRAME_MS, FRAME_SAMPLES, RATE_HZ, Pcm

SEND_TIMEOUT_S = 5.0
_TICK_S = 0.001


class Playout(Protocol):
    """What the far end has played of what was sent, in ms."""

    def sent(self, piece_ms: int, now_s: float) -> None:
        """So much went out."""

    def unplayed_ms(self, now_s: float) -> float:
        """How much of what was sent has not been heard yet."""

    def cleared(self, now_s: float) -> float:
        """Take back what was not heard yet; returns how much of it, in ms, will never be heard."""


class PlayoutByClock:
    """For a far end that plays what comes as it comes, tells nothing and gives nothing back."""

    def __init__(self) -> None:
        self._end_s = 0.0

    def sent(self, piece_ms: int, now_s: float) -> None:
        """So much went out."""
        self._end_s = max(self._end_s, now_s) + piece_ms / 1000.0

    def unplayed_ms(self, now_s: float) -> float:
        """How much of what was sent has not been heard yet."""
        return max(0.0, self._end_s - now_s) * 1000.0

    def cleared(self, now_s: float) -> float:
        """Nothing can be taken back."""
        del now_s
        return 0.0


class PacedSpeech:
    """The answer on its way out: int16 at 16 kHz in, frames of 20 ms out, in real time.

    `converter` brings it to the rate of the wire, 8 kHz where none is given. Never more than
    `lead_ms` is sent ahead of the far end's playing. Where what was sent can be taken back, up to
    `piece_ms` may go out at a time, once something has: a message costs the same for 20 ms and 100.
    """

    def __init__(
        self,
        lead_ms: int,
        playout: Playout,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        converter: Converter | None = None,
        rate_hz: int = TELEPHONE_RATE_HZ,
        piece_ms: int = FRAME_MS,
    ) -> None:
        self._sleep = sleep
        self._piece_ms = piece_ms
        self._frame_samples = rate_hz * FRAME_MS // 1000
        self._lead_s = lead_ms / 1000.0
        self._playout = playout
        self._clock = clock
        self._rate = converter or Halver()
        self._rest: Pcm = np.zeros(0, dtype=np.int16)
        self._frames: deque[Pcm] = deque()
        self._queued_ms = 0.0
        self._taken_ms = 0.0
        self._certain_ms = 0.0
        self._line_end_s = 0.0
        self._wake = asyncio.Event()

    def put(self, samples: Pcm) -> None:
        """Queue samples after what is queued already."""
        self._queued_ms += len(samples) * 1000.0 / RATE_HZ
        joined = np.concatenate([self._rest, self._rate.push(samples)])
        whole = len(joined) // self._frame_samples * self._frame_samples
        for start in range(0, whole, self._frame_samples):
            self._frames.append(joined[start : start + self._frame_samples])
        self._rest = joined[whole:]
        self._wake.set()

    def clear(self) -> None:
        """Drop what is not sent, and count what is taken back as not heard.

        Where nothing is taken back, what comes next fades out.
        """
        now_s = self._clock()
        lost_ms = min(self._taken_ms, self._playout.cleared(now_s))
        self._taken_ms -= lost_ms
        self._queued_ms = self._certain_ms = self._taken_ms
        upcoming = self._frames[0] if self._frames else None
        self._frames.clear()
        if upcoming is not None and lost_ms == 0 and self._playout.unplayed_ms(now_s) > 0:
            self._frames.append(faded_out(upcoming, 50 * self._frame_samples))
            self._wake.set()
        self._rest = self._rest[:0]
        # What the filter still remembers would be heard before what comes next.
        self._rate.push(np.zeros(FRAME_SAMPLES, dtype=np.int16))
        self._line_end_s = max(now_s, self._line_end_s - lost_ms / 1000.0)

    def heard_ms(self) -> int:
        """How much of all that was queued has been heard, or can no longer be taken back."""
        unplayed_ms = self._playout.unplayed_ms(self._clock())
        return round(max(self._certain_ms, self._taken_ms - unplayed_ms))

    def correct(self, heard_ms: float) -> None:
        """After `clear`: the far end says how much of all that was queued it has played."""
        self._taken_ms = self._queued_ms = self._certain_ms = heard_ms

    @property
    def sent_ms(self) -> float:
        """How much was sent, what was cleared not counted."""
        return self._taken_ms

    @property
    def waiting_ms(self) -> float:
        """How much is queued and not sent yet."""
        return self._queued_ms - self._taken_ms

    async def run(self, send: Callable[[Pcm], Awaitable[None]]) -> None:
        """Send for as long as the line lasts. Raises what `send` raises, `TimeoutError` when the
        far end takes nothing for 5 to 10 s."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as patience:
            while True:
                ahead_s = self._line_end_s - self._clock()
                most_ms = self._piece_ms if ahead_s > 0 else FRAME_MS
                wait_s = ahead_s - self._lead_s + (most_ms - FRAME_MS) / 1000.0
                if wait_s > _TICK_S:
                    await self._sleep(wait_s)
                    continue
                piece = self._next(most_ms)
                if piece is None:
                    patience.reschedule(None)
                    self._wake.clear()
                    await self._wake.wait()
                    continue
                piece_ms = len(piece) // self._frame_samples * FRAME_MS
                now_s = self._clock()
                self._line_end_s = max(self._line_end_s, now_s) + piece_ms / 1000.0
                self._playout.sent(piece_ms, now_s)
                # A deadline for each piece would cost as much as the piece.
                if (patience.when() or 0.0) < loop.time() + SEND_TIMEOUT_S:
                    patience.reschedule(loop.time() + 2 * SEND_TIMEOUT_S)
                await send(piece)

    def _next(self, most_ms: int) -> Pcm | None:
        """Whole frames: one, or as many as there are."""
        if self._frames:
            count = min(len(self._frames), most_ms // FRAME_MS)
            self._taken_ms = min(self._queued_ms, self._taken_ms + count * FRAME_MS)
            if count == 1:
                return self._frames.popleft()
            return np.concatenate([self._frames.popleft() for _ in range(count)])
        if not len(self._rest):
            self._taken_ms = self._queued_ms
            return None
        last = np.pad(self._rest, (0, self._frame_samples - len(self._rest)))
        self._rest = self._rest[:0]
        self._taken_ms = self._queued_ms
        return last
