"""How many messages a live socket may send."""

from __future__ import annotations

import time

from voice.channels.live import Clock

MESSAGES_PER_S = 200.0
"""Four times what a telephone sends."""
BURST = 600.0
"""What a line may have held back while it, or we, stood still."""


class MessagePace:
    """A bucket of messages that fills at a steady rate.

    Whoever sends more is read more slowly, not cut off: a burst may as well be our own stall.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._left = BURST
        self._at_s = clock()

    def count(self, messages: int = 1) -> float:
        """Count messages; the seconds to wait before the next are read, mostly 0."""
        now_s = self._clock()
        self._left = min(BURST, self._left + (now_s - self._at_s) * MESSAGES_PER_S) - messages
        self._at_s = now_s
        return max(0.0, -self._left / MESSAGES_PER_S)
