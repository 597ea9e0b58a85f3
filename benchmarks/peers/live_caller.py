"""A caller in real time whom any assistant can be put on the line with, and what it measures.

The caller speaks the turns of a shipped recording one after the other. Each begins when the
assistant has been silent for a while, so that every assistant hears the same audio. What the caller
hears decides: the gap runs from the true end of the words (by the recording's YAML) to the first
audible sound of the answer. An answer that sounds before the words have ended is a cut-in, and so
is one within 200 ms after: nobody can have noticed the end by then, it answers an earlier pause.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml

from voice.audio import read_audio, to_pcm
from voice.channels.simulated import CallerLine, SimulatedCallerChannel
from voice.types import RATE_HZ, AudioFrame, Pcm

AUDIBLE = 200
"""Of 32,768; an answer's pause before the first word is silence to the caller."""
WAIT_MS = 1_500
LEAD_MS = 200
SOONEST_MS = 200


@dataclass(slots=True)
class Heard:
    """One line, in ms of the call: where its words end, and the first sound after it began."""

    words_end_ms: int
    answer_ms: int | None = None

    @property
    def gap_ms(self) -> int | None:
        return None if self.answer_ms is None else self.answer_ms - self.words_end_ms


@dataclass(slots=True)
class Call:
    """What a caller lived through."""

    lines: list[Heard] = field(default_factory=list)

    @property
    def gaps_ms(self) -> list[int]:
        found = [line.gap_ms for line in self.lines]
        return [gap for gap in found if gap is not None and gap >= SOONEST_MS]

    @property
    def cut_ins(self) -> int:
        return sum(1 for line in self.lines if line.gap_ms is not None and line.gap_ms < SOONEST_MS)

    @property
    def unanswered(self) -> int:
        return sum(1 for line in self.lines if line.gap_ms is None)


class LiveCaller(SimulatedCallerChannel):
    """The simulated caller of the rehearsals at the pace of the wall clock."""

    live = True
    name = "benchmark"

    def __init__(self, recording: Path) -> None:
        turns = yaml.safe_load(recording.with_suffix(".yaml").read_text(encoding="utf-8"))["turns"]
        sound = to_pcm(read_audio(recording))
        lines, self._words_end_ms = [], []
        for turn in turns:
            start = max(0, turn["start_ms"] - LEAD_MS)
            lines.append(CallerLine(sound[start * 16 : turn["end_ms"] * 16], wait_ms=WAIT_MS))
            self._words_end_ms.append(turn["end_ms"] - start)
        super().__init__(lines)
        self._pieces = 0
        self.call = Call()

    async def frames(self) -> AsyncIterator[AudioFrame]:
        began: float | None = None
        async for frame in super().frames():
            began = began or time.perf_counter()
            await asyncio.sleep(max(0.0, began + frame.end_ms / 1000 - time.perf_counter()))
            while len(self.call.lines) < len(self.spans):
                span = self.spans[len(self.call.lines)]
                ends = span.start_ms + self._words_end_ms[len(self.call.lines)]
                self.call.lines.append(Heard(ends))
            yield frame

    async def play(self, samples: Pcm) -> None:
        await super().play(samples)
        loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > AUDIBLE)
        # Only one answer is open at a time: a sound belongs to the line that was begun last.
        if len(loud) and self.call.lines and self.call.lines[-1].answer_ms is None:
            at = self._answer_end - len(samples) + int(loud[0])
            self.call.lines[-1].answer_ms = at * 1000 // RATE_HZ

    async def clear(self) -> None:
        await super().clear()
        line = self.call.lines[-1] if self.call.lines else None
        # What was cleared before it could be heard was no answer.
        if line is not None and line.answer_ms is not None and line.answer_ms >= self.now_ms:
            line.answer_ms = None
