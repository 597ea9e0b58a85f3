"""A simulated caller as a channel: speaks when a caller would, in audio time.

A line begins when the assistant has finished (after the caller's own pause), or so many
milliseconds into what the assistant is saying. Nothing waits for the wall clock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from dialogue.types import HandoffBrief
from voice.audio import StereoWriter
from voice.types import FRAME_SAMPLES, RATE_HZ, AudioFrame, Pcm

PATIENCE_MS = 6_000
"""How long a caller waits for an answer in vain before going on."""
LISTENS_ON_MS = 300


@dataclass(frozen=True, slots=True, eq=False)
class CallerLine:
    """One thing the caller does, as sound at 16 kHz.

    `wait_ms` runs from the end of the assistant's speech; `into_answer_ms`, where given, from its
    beginning, so that the line begins while the assistant speaks. A line that is silence
    (`asks_nothing`) is not waited for to be answered; after one that `hangs_up` the line is dead.
    """

    samples: Pcm
    wait_ms: int = 400
    into_answer_ms: int | None = None
    asks_nothing: bool = False
    hangs_up: bool = False


@dataclass(slots=True)
class SpokenSpan:
    """Where in audio time a line was spoken."""

    start_ms: int
    end_ms: int


class SimulatedCallerChannel:
    """Plays the lines of a caller against the assistant and writes both sides in sync.

    `background` is what is heard on the line all the time; it is looped. `spans` says which lines
    have been spoken, and when.
    """

    live = False
    name = "simulated"

    def __init__(
        self,
        lines: Sequence[CallerLine],
        *,
        background: Pcm | None = None,
        writer: StereoWriter | None = None,
        patience_ms: int = PATIENCE_MS,
    ) -> None:
        self._lines = tuple(lines)
        self._background = background if background is not None and len(background) else None
        self._writer = writer
        self._patience = patience_ms * RATE_HZ // 1000
        self._now = 0
        self._line_end = 0
        self._answer_start = 0
        self._answer_end = 0
        self._queued = 0
        self._answered = False
        self._closed = False
        self.spans: list[SpokenSpan] = []
        self.cleared_at_ms: list[int] = []

    @property
    def now_ms(self) -> int:
        """Audio time since the call began."""
        return _ms(self._now)

    async def frames(self) -> AsyncIterator[AudioFrame]:
        """The caller's side, 20 ms at a time, until the caller or the assistant hangs up."""
        try:
            for line in self._lines:
                while not self._closed and not self._may_begin(line):
                    yield self._frame(None)
                for samples in self._speech(line):
                    yield self._frame(samples)
                if self._closed or line.hangs_up:
                    return
            while not self._closed and not self._waited(LISTENS_ON_MS):
                yield self._frame(None)
        finally:
            if self._writer is not None:
                self._writer.close(max(self._now, self._answer_end))

    def _speech(self, line: CallerLine) -> Iterator[Pcm]:
        if self._closed:
            return
        span = SpokenSpan(self.now_ms, self.now_ms)
        self.spans.append(span)
        for start in range(0, len(line.samples), FRAME_SAMPLES):
            if self._closed:
                break
            piece = line.samples[start : start + FRAME_SAMPLES]
            yield np.pad(piece, (0, FRAME_SAMPLES - len(piece)))
            span.end_ms = self.now_ms
        self._line_end = self._now
        self._answered = self._speaking or line.asks_nothing

    # --- when the caller speaks ----------------------------------------------------------------

    @property
    def _speaking(self) -> bool:
        return self._now < self._answer_end

    def _may_begin(self, line: CallerLine) -> bool:
        if line.into_answer_ms is not None and self._speaking:
            return _ms(self._now - self._answer_start) >= line.into_answer_ms
        return self._waited(line.wait_ms)

    def _waited(self, wait_ms: int) -> bool:
        """Whether the assistant has been silent for so long, or was waited for in vain."""
        if self._speaking:
            return False
        if self._answered:
            silent_since = max(self._answer_end, self._line_end)
            return self._now - silent_since >= wait_ms * RATE_HZ // 1000
        return self._now - max(self._answer_end, self._line_end) >= self._patience

    def _frame(self, samples: Pcm | None) -> AudioFrame:
        heard = np.zeros(FRAME_SAMPLES, dtype=np.int16) if samples is None else samples
        if self._background is not None:
            places = np.arange(self._now, self._now + FRAME_SAMPLES) % len(self._background)
            mixed = heard.astype(np.int32) + self._background[places]
            heard = np.clip(mixed, -32_768, 32_767).astype(np.int16)
        frame = AudioFrame(heard, self.now_ms)
        if self._writer is not None:
            self._writer.put("caller", self._now, heard)
            self._writer.settle(self._now)
        self._now += FRAME_SAMPLES
        return frame

    # --- what the caller hears -----------------------------------------------------------------

    async def play(self, samples: Pcm) -> None:
        """Place the answer from now on, or after what is queued."""
        if not self._speaking:
            self._answer_start = self._answer_end = self._now
        if self._writer is not None:
            self._writer.put("assistant", self._answer_end, samples)
        self._answer_end += len(samples)
        self._queued += len(samples)
        self._answered = True

    async def clear(self) -> None:
        """Silence what has not been heard yet: the caller has interrupted."""
        lost = max(0, self._answer_end - self._now)
        if self._writer is not None and lost:
            self._writer.silence("assistant", self._now)
        self._answer_end -= lost
        self._queued -= lost
        self._answered = False
        self.cleared_at_ms.append(self.now_ms)

    def heard_ms(self) -> int:
        """How much of all that was queued has been heard."""
        return _ms(self._queued - max(0, self._answer_end - self._now))

    async def transfer(self, brief: HandoffBrief) -> None:
        """A rehearsal ends where a human takes over; the brief stands in the turn's record."""
        del brief
        await self.close()

    async def close(self) -> None:
        """The assistant hangs up: nothing more is said."""
        self._closed = True


def _ms(samples: int) -> int:
    return samples * 1000 // RATE_HZ
