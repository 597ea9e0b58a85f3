"""A recorded caller as a channel: the recording waits while the assistant speaks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import numpy as np

from dialogue.types import HandoffBrief
from voice.audio import CallerChannel, RecordingInfo, StereoWriter, stream_channel, to_pcm
from voice.types import FRAME_MS, FRAME_SAMPLES, RATE_HZ, AudioFrame, Pcm

PAUSE_AFTER_ANSWER_MS = 200
TRAILING_SILENCE_MS = 2_500


class RecordingChannel:
    """Plays a caller's side frame by frame in audio time and writes both sides in sync.

    The answer is placed where it would have been heard; until it is over the caller's side
    is silence and the recording does not advance. Memory stays flat.
    """

    live = False

    def __init__(
        self,
        info: RecordingInfo,
        caller: CallerChannel,
        writer: StereoWriter | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        self.name = f"recording {info.path.name}"
        self._info = info
        self._caller = caller
        self._writer = writer
        self._progress = progress
        self._now = 0
        self._read = 0
        self._queue_start = 0
        self._queue_end = 0
        self._queued = 0
        self._closed = False

    @property
    def now_ms(self) -> int:
        """Audio time since the call began."""
        return self._now * 1000 // RATE_HZ

    async def frames(self) -> AsyncIterator[AudioFrame]:
        """The recording's frames, with silence wherever the assistant speaks."""
        try:
            async for frame in self._frames():
                yield frame
        finally:
            if self._writer is not None:
                self._writer.close(max(self._now, self._queue_end))

    async def _frames(self) -> AsyncIterator[AudioFrame]:
        for samples in self._recorded():
            while not self._closed and self._speaking():
                yield self._silence()
            if self._closed:
                break
            yield self._frame(samples)
            self._read += len(samples)
            if self._progress is not None:
                self._progress(min(1.0, self._read / self._expected()))
        waited_ms = 0
        while not self._closed and (waited_ms < TRAILING_SILENCE_MS or self._speaking()):
            waited_ms = 0 if self._speaking() else waited_ms + FRAME_MS
            yield self._silence()

    def _recorded(self) -> Iterator[Pcm]:
        rest: Pcm = np.zeros(0, dtype=np.int16)
        for block in stream_channel(self._info, self._caller):
            joined = np.concatenate([rest, to_pcm(block)])
            whole = len(joined) // FRAME_SAMPLES * FRAME_SAMPLES
            for start in range(0, whole, FRAME_SAMPLES):
                yield joined[start : start + FRAME_SAMPLES]
            rest = joined[whole:]
        if len(rest):
            yield np.pad(rest, (0, FRAME_SAMPLES - len(rest)))

    def _expected(self) -> int:
        return max(1, self._info.duration_ms * RATE_HZ // 1000)

    def _speaking(self) -> bool:
        return self._now < self._queue_end + self._queue_pause()

    def _queue_pause(self) -> int:
        return PAUSE_AFTER_ANSWER_MS * RATE_HZ // 1000 if self._queued else 0

    def _silence(self) -> AudioFrame:
        return self._frame(np.zeros(FRAME_SAMPLES, dtype=np.int16))

    def _frame(self, samples: Pcm) -> AudioFrame:
        frame = AudioFrame(samples, self.now_ms)
        if self._writer is not None:
            self._writer.put("caller", self._now, samples)
            self._writer.settle(self._now)
        self._now += len(samples)
        return frame

    async def play(self, samples: Pcm) -> None:
        """Place the answer from now on, or after what is queued."""
        if self._now >= self._queue_end:
            self._queue_start = self._queue_end = self._now
        if self._writer is not None:
            self._writer.put("assistant", self._queue_end, samples)
        self._queue_end += len(samples)
        self._queued += len(samples)

    async def clear(self) -> None:
        """Silence what has not been heard yet."""
        lost = max(0, self._queue_end - self._now)
        if self._writer is not None and lost:
            self._writer.silence("assistant", self._now)
        self._queue_end -= lost
        self._queued -= lost

    def heard_ms(self) -> int:
        """How much of all that was queued has been heard."""
        waiting = max(0, self._queue_end - self._now)
        return (self._queued - waiting) * 1000 // RATE_HZ

    async def transfer(self, brief: HandoffBrief) -> None:
        """A recording ends where a human takes over; the brief stands in the turn's record."""
        del brief
        await self.close()

    async def close(self) -> None:
        """The assistant hangs up: nothing more is read."""
        self._closed = True
