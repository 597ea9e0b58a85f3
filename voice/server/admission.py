"""Who may still call: so many calls at once, so many from one address, none while draining."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum


class Refusal(StrEnum):
    """Why a call is not taken."""

    FULL = "full"
    ADDRESS = "address"
    DRAINING = "draining"


class Refused(Exception):
    """A call is not taken; `reason` says why."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.value)
        self.reason = reason


class Admission:
    """Counts places. A call holds its place from the first byte to the hang-up."""

    def __init__(self, most_calls: int, most_per_address: int) -> None:
        self._most_calls = most_calls
        self._most_per_address = most_per_address
        self._by_address: Counter[str] = Counter()
        self.draining = False

    @property
    def taken(self) -> int:
        """How many places are held."""
        return self._by_address.total()

    def refusal(self, address: str | None = None) -> Refusal | None:
        """Why a call would not be taken now; None when it would."""
        if self.draining:
            return Refusal.DRAINING
        if self.taken >= self._most_calls:
            return Refusal.FULL
        if address is not None and self._by_address[address] >= self._most_per_address:
            return Refusal.ADDRESS
        return None

    @contextmanager
    def place(self, address: str) -> Iterator[None]:
        """Hold a place. Raises `Refused` when there is none."""
        reason = self.refusal(address)
        if reason is not None:
            raise Refused(reason)
        self._by_address[address] += 1
        try:
            yield
        finally:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]
