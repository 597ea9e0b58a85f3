"""A channel's blocks become the turns spoken on it, one after the other, in flat memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from nlu.types import Samples
from voice.audio import to_pcm
from voice.turns.tracker import PREROLL_MS, TurnEnded, TurnEvent, TurnStarted, TurnTracker
from voice.types import FRAME_MS, FRAME_SAMPLES, AudioFrame, Pcm
from voice.vad import SpeechDetector

STOP_MS = 900
"""Silence that ends a turn. A recording shows what came afterwards, but the same turns must come
out of a stream; at 1,000 ms read speech is cut 1.9 times a minute, at 700 ms 4.3 times."""
_KEPT_TAIL_MS = 200


@dataclass(frozen=True, slots=True, eq=False)
class SpokenTurn:
    """A stretch of speech on one channel: int16 frames from shortly before to shortly after it.

    `talk_ms` is how much of it is speech; the rest are pauses.
    """

    start_ms: int
    end_ms: int
    talk_ms: int
    frames: tuple[AudioFrame, ...]

    @property
    def pcm(self) -> Pcm:
        """The samples, int16 at 16 kHz."""
        return np.concatenate([frame.samples for frame in self.frames])


def frames(blocks: Iterable[Samples]) -> Iterator[AudioFrame]:
    """Blocks of float32 at 16 kHz cut into 20 ms frames; the last is filled with silence."""
    rest: Pcm = np.zeros(0, dtype=np.int16)
    number = 0
    for block in blocks:
        joined = np.concatenate([rest, to_pcm(block)])
        whole = len(joined) // FRAME_SAMPLES * FRAME_SAMPLES
        for start in range(0, whole, FRAME_SAMPLES):
            yield AudioFrame(joined[start : start + FRAME_SAMPLES], number * FRAME_MS)
            number += 1
        rest = joined[whole:]
    if len(rest):
        yield AudioFrame(np.pad(rest, (0, FRAME_SAMPLES - len(rest))), number * FRAME_MS)


def turns(heard: Iterable[AudioFrame], stop_ms: int = STOP_MS) -> Iterator[SpokenTurn]:
    """The turns in a stream of frames, each as soon as `stop_ms` of silence has ended it."""
    detector, tracker = SpeechDetector(), TurnTracker(stop_ms)
    before: deque[AudioFrame] = deque(maxlen=PREROLL_MS // FRAME_MS)
    current: list[AudioFrame] = []
    voiced: deque[tuple[int, bool]] = deque(maxlen=PREROLL_MS // FRAME_MS)
    spoken: list[int] = []
    now_ms = 0

    def closed(events: list[TurnEvent]) -> Iterator[SpokenTurn]:
        for event in events:
            if isinstance(event, TurnStarted):
                current[:] = before
                spoken[:] = [start for start, speech in voiced if speech]
            elif isinstance(event, TurnEnded):
                yield _turn(event, current, spoken)
                current.clear()

    for frame in heard:
        now_ms = frame.end_ms
        activity = detector.push(frame)
        before.append(frame)
        voiced.append((frame.start_ms, activity.speech))
        if tracker.speaking:
            current.append(frame)
            if activity.speech:
                spoken.append(frame.start_ms)
        yield from closed(tracker.push(now_ms, activity.speech))
    yield from closed(tracker.finish(now_ms))


def _turn(ended: TurnEnded, heard: list[AudioFrame], spoken: list[int]) -> SpokenTurn:
    last_ms = ended.speech_end_ms + _KEPT_TAIL_MS
    kept = tuple(frame for frame in heard if frame.start_ms < last_ms)
    talk = sum(1 for start in spoken if ended.start_ms <= start < ended.speech_end_ms)
    return SpokenTurn(ended.start_ms, ended.speech_end_ms, talk * FRAME_MS, kept)
