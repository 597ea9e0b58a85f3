"""What a client that reports its playback has really heard."""

from __future__ import annotations

OVERDUE_S = 2.0
"""Without a report for so long after the end of what was sent, it is taken as heard: better a
guess than a call that waits for ever."""


class ReportedPlayout:
    """A `Playout` by reports ("so much of this item was heard"), and by the clock until one comes.

    Between two reports the sound is taken to go on playing.
    """

    def __init__(self) -> None:
        self.reports = False
        self._sent_ms = 0.0
        self._item_ms = 0.0
        self._heard_ms = 0.0
        self._heard_at_s = 0.0
        self._end_s = 0.0

    def sent(self, piece_ms: int, now_s: float) -> None:
        """So much went out."""
        if self.unplayed_ms(now_s) <= 0:
            self._heard_ms, self._heard_at_s = self._sent_ms, now_s
        self._sent_ms += piece_ms
        self._end_s = max(self._end_s, now_s) + piece_ms / 1000.0

    def item_begins(self, sent_ms: float) -> None:
        """What is sent from here on, `sent_ms` of it already, belongs to a new item."""
        self._item_ms = self._sent_ms - sent_ms

    def played(self, heard_ms: float, now_s: float) -> None:
        """The client says how much of the present item it has played."""
        self.reports = True
        self._heard_ms = min(max(self._item_ms + heard_ms, self._item_ms), self._sent_ms)
        self._heard_at_s = now_s

    def unplayed_ms(self, now_s: float) -> float:
        """How much of what was sent has not been heard yet."""
        if not self.reports:
            return max(0.0, self._end_s - now_s) * 1000.0
        if now_s > self._end_s + OVERDUE_S:
            return 0.0
        heard_ms = self._heard_ms + (now_s - self._heard_at_s) * 1000.0
        return max(0.0, self._sent_ms - heard_ms)

    def cleared(self, now_s: float) -> float:
        """The client drops what it has not played; returns how much that is, in ms."""
        lost_ms = self.unplayed_ms(now_s)
        self._heard_at(self._sent_ms - lost_ms, now_s)
        return lost_ms

    def corrected(self, heard_ms: float, now_s: float) -> None:
        """After `cleared`: the client says how much of the present item it had played."""
        self._heard_at(self._item_ms + heard_ms, now_s)

    def _heard_at(self, heard_ms: float, now_s: float) -> None:
        self._sent_ms = self._heard_ms = heard_ms
        self._heard_at_s = self._end_s = now_s
