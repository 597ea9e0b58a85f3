"""What the assistant says in a call as one stream of sound, and when each part of it is heard.

Places in the stream are ms of sound since the call began; nothing is ever put in their way, so that
a place means one sound for good. Times are audio time. While the assistant speaks without a break
the two run on together; a pause, or a moment in which it is held, puts them apart.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from voice.fades import quiet_point_ms
from voice.types import RATE_HZ, Pcm

SAMPLES_PER_MS = RATE_HZ // 1000
_KEPT_MS = 200
_STRETCHES = 64


@dataclass(slots=True)
class Stretch:
    """Sound that is heard in one piece: the place `place_ms` is heard at `at_ms`, and so on up to
    the place `until_ms`, where one is known."""

    place_ms: int
    at_ms: int
    until_ms: int | None = None


class Track:
    """The stream and its timetable. What has been heard is forgotten, but for 200 ms."""

    def __init__(self) -> None:
        self._pieces: deque[tuple[int, Pcm]] = deque()
        self._stretches: deque[Stretch] = deque(maxlen=_STRETCHES)
        self.cut_ms: int | None = None
        """Where it waits to be heard on from, while it does."""
        self._next_at_ms: int | None = None
        self.end_ms = 0
        """The place of the next sound."""

    @property
    def held(self) -> bool:
        """Whether what lies after the cut waits to be heard."""
        return self.cut_ms is not None

    def next_at(self, at_ms: int) -> None:
        """What is put next is heard from `at_ms` on."""
        self._next_at_ms = at_ms

    def put(self, samples: Pcm, now_ms: int) -> None:
        """Sound of whole milliseconds, heard after what is there, or from `now_ms` on."""
        if self._next_at_ms is not None:
            self._begin(self.end_ms, max(now_ms, self._next_at_ms))
        elif not self._stretches or now_ms > self.time_of(self.end_ms, ending=True):
            self._begin(self.end_ms, now_ms)
        self._next_at_ms = None
        self._pieces.append((self.end_ms, samples))
        self.end_ms += len(samples) // SAMPLES_PER_MS

    def forget(self, heard_ms: int) -> None:
        """Nothing long before this place will be wanted again."""
        while self._pieces and self._end_of(self._pieces[0]) < heard_ms - _KEPT_MS:
            self._pieces.popleft()

    def cut(self, place_ms: int) -> None:
        """From this place on nothing has been heard yet, and nothing is until `go_on`."""
        self.cut_ms = place_ms
        for each in self._until(place_ms):
            each.until_ms = place_ms if each.until_ms is None else min(each.until_ms, place_ms)

    def drop(self) -> None:
        """What lies after the cut will not be heard, unless `go_on` comes before more is put."""
        self.cut_ms = None

    def take_up_place(self, place_ms: int) -> int:
        """The place from which to go on after a cut: the last quiet point up to 80 ms before."""
        begun_ms = max((each.place_ms for each in self._until(place_ms)), default=place_ms)
        back_ms = quiet_point_ms(self.sound(max(begun_ms, place_ms - _KEPT_MS), place_ms))
        return place_ms - back_ms

    def go_on(self, place_ms: int, now_ms: int) -> Pcm:
        """Everything from this place on is heard from `now_ms` on; returns it."""
        heard = self._until(place_ms)
        self._stretches.clear()
        self._stretches.extend(heard)
        self.cut_ms = self._next_at_ms = None
        self._begin(place_ms, now_ms)
        return self.sound(place_ms, self.end_ms)

    def shorten(self, end_ms: int) -> None:
        """Drop what comes after a place that was not heard yet."""
        if self._pieces and end_ms < self.end_ms:
            first_ms = self._pieces[0][0]
            kept = self.sound(first_ms, end_ms)
            self._pieces.clear()
            self._pieces.append((first_ms, kept))
            self.end_ms = end_ms

    def sound(self, from_ms: int, to_ms: int) -> Pcm:
        """What lies between two places, as far as it is kept."""
        parts = [np.zeros(0, dtype=np.int16)]
        for begins_ms, samples in self._pieces:
            first = max(0, from_ms - begins_ms) * SAMPLES_PER_MS
            last = max(0, to_ms - begins_ms) * SAMPLES_PER_MS
            parts.append(samples[first:last])
        return np.concatenate(parts)

    def time_of(self, place_ms: int, *, ending: bool = False) -> int:
        """When a place is heard for the first time; with `ending`, when what lies before it has
        been heard. Where it is not known yet, as if nothing were to come in between; 0 before
        anything was put."""
        stretch = None
        for stretch in self._stretches:
            until_ms = stretch.until_ms
            if until_ms is None or place_ms < until_ms or (ending and place_ms == until_ms):
                break
        if stretch is None:
            return 0
        return stretch.at_ms + max(0, place_ms - stretch.place_ms)

    def place_at(self, now_ms: int) -> int:
        """How far the stream has been heard by now."""
        if self.cut_ms is not None or not self._stretches:
            return self.end_ms if self.cut_ms is None else self.cut_ms
        last = self._stretches[-1]
        until_ms = self.end_ms if last.until_ms is None else last.until_ms
        return min(until_ms, last.place_ms + max(0, now_ms - last.at_ms))

    def _until(self, place_ms: int) -> list[Stretch]:
        """The stretches that begin before a place."""
        return [each for each in self._stretches if each.place_ms < place_ms]

    def _begin(self, place_ms: int, at_ms: int) -> None:
        if self._stretches and self._stretches[-1].until_ms is None:
            self._stretches[-1].until_ms = place_ms
        self._stretches.append(Stretch(place_ms, at_ms))

    @staticmethod
    def _end_of(piece: tuple[int, Pcm]) -> int:
        return piece[0] + len(piece[1]) // SAMPLES_PER_MS
