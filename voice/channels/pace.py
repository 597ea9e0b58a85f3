"""How many messages a live socket may send."""

from __future__ import annotations

import time

from voice.channels.live import Clock
from voice.channels.wire import WireError

MESSAGES_PER_S = 200.0
"""Four times what a telephone sends."""
BURST = 600.0


class MessagePace:
    """A bucket of messages that fills at a steady rate."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._left = BURST
        self._at_s = clock()

    def count(self) -> None:
        """Count a message. Raises `WireError` when there have been too many."""
        now_s = self._clock()
        self._left = min(BURST, self._left + (now_s - self._at_s) * MESSAGES_PER_S)
        self._at_s = now_s
        self._left -= 1.0
        if self._left < 0:
            raise WireError(f"more than {MESSAGES_PER_S:g} messages a second")
