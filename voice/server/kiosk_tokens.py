"""Tokens for kiosk sockets: for one address, one socket, and one minute."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass

from voice.channels.browser import Wishes
from voice.channels.live import Clock

VALID_S = 60.0
MOST_WAITING = 1_000
"""Tokens that were given out and not used; the oldest goes first."""
PER_MINUTE = 30
"""Tokens for one address."""


@dataclass(frozen=True, slots=True)
class _Issued:
    address: str
    until_s: float
    wishes: Wishes


class KioskTokens:
    """Gives tokens out and takes each back once. They live in this process only."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._issued: OrderedDict[str, _Issued] = OrderedDict()
        self._left: dict[str, tuple[float, float]] = {}

    def issue(self, address: str, wishes: Wishes) -> str | None:
        """A token, with what its session is to begin with; None for an address that asks too
        often."""
        now_s = self._clock()
        if not self._may(address, now_s):
            return None
        while self._issued and (
            len(self._issued) >= MOST_WAITING or next(iter(self._issued.values())).until_s < now_s
        ):
            self._issued.popitem(last=False)
        token = secrets.token_urlsafe(24)
        self._issued[token] = _Issued(address, now_s + VALID_S, wishes)
        return token

    def redeem(self, token: str, address: str) -> Wishes | None:
        """What the session begins with; None for a token that is not, or no longer, good here."""
        issued = self._issued.pop(token, None)
        if issued is None or issued.address != address or issued.until_s < self._clock():
            return None
        return issued.wishes

    def _may(self, address: str, now_s: float) -> bool:
        left, at_s = self._left.get(address, (float(PER_MINUTE), now_s))
        left = min(float(PER_MINUTE), left + (now_s - at_s) * PER_MINUTE / 60.0)
        if len(self._left) >= MOST_WAITING and address not in self._left:
            full = [each for each, (_, at_s) in self._left.items() if now_s - at_s > 60.0]
            for each in full or [next(iter(self._left))]:
                del self._left[each]
        self._left[address] = (left - 1.0 if left >= 1.0 else left, now_s)
        return left >= 1.0
