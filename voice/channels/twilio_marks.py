"""What a caller behind Twilio has really heard, from the marks that Twilio sends back.

Twilio holds what it is sent and plays it in its own time; a mark comes back when everything sent
before it has been played.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

MARK_EVERY_MS = 100
OVERDUE_S = 2.0
"""A mark that is so much later than the clock would have it is taken as played: better a guess
than a call that waits for ever."""


@dataclass(frozen=True, slots=True)
class _Mark:
    name: str
    position_ms: float
    due_s: float


class MarkedPlayout:
    """A `Playout` by marks: one with the first frame of a stretch, then one every 100 ms.

    Between two marks the sound is taken to go on playing, never past the next mark.
    """

    def __init__(self) -> None:
        self._sent_ms = 0.0
        self._heard_ms = 0.0
        self._heard_at_s: float | None = None
        self._marked_ms = 0.0
        self._line_end_s = 0.0
        self._waiting: deque[_Mark] = deque()
        self._count = 0

    def sent(self, piece_ms: int, now_s: float) -> None:
        """So much went out."""
        if self.unplayed_ms(now_s) <= 0:
            self._heard_ms = self._sent_ms
            self._heard_at_s = None
            self._marked_ms = self._sent_ms - MARK_EVERY_MS
        self._sent_ms += piece_ms
        self._line_end_s = max(self._line_end_s, now_s) + piece_ms / 1000.0

    def mark_due(self) -> str | None:
        """The name of a mark to be sent now, if one is."""
        if self._sent_ms - self._marked_ms < MARK_EVERY_MS:
            return None
        self._marked_ms = self._sent_ms
        self._count += 1
        name = f"heard-{self._count}"
        self._waiting.append(_Mark(name, self._sent_ms, self._line_end_s))
        return name

    def played(self, name: str, now_s: float) -> None:
        """A mark came back; one that is not waited for (cleared, unknown) says nothing."""
        if any(mark.name == name for mark in self._waiting):
            while self._waiting:
                mark = self._waiting.popleft()
                self._heard_ms, self._heard_at_s = mark.position_ms, now_s
                if mark.name == name:
                    break

    def unplayed_ms(self, now_s: float) -> float:
        """How much of what was sent has not been heard yet."""
        while self._waiting and now_s > self._waiting[0].due_s + OVERDUE_S:
            mark = self._waiting.popleft()
            self._heard_ms, self._heard_at_s = mark.position_ms, now_s
        heard_ms = self._heard_ms
        if self._heard_at_s is not None:
            limit_ms = self._waiting[0].position_ms if self._waiting else self._sent_ms
            heard_ms = min(limit_ms, heard_ms + (now_s - self._heard_at_s) * 1000.0)
        return self._sent_ms - heard_ms

    def cleared(self, now_s: float) -> float:
        """Twilio drops what it has not played; returns how much that is, in ms. The marks of it
        come back and say nothing."""
        lost_ms = self.unplayed_ms(now_s)
        self._sent_ms -= lost_ms
        self._heard_ms = self._sent_ms
        self._heard_at_s = None
        self._waiting.clear()
        self._line_end_s = now_s
        return lost_ms
