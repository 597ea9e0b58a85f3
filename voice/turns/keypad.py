"""Keys pressed on a telephone become words, in audio time.

Digits are gathered until `#`, or until 1.5 s pass without another; `*` starts afresh. 0 alone asks
for a person.
"""

from __future__ import annotations

GATHER_MS = 1_500
MOST_KEYS = 32
PERSON = "A person, please."


class Keypad:
    """Gathers keys; says when they are complete, and what they mean."""

    def __init__(self) -> None:
        self._digits = ""
        self._since_ms = 0

    @property
    def waiting(self) -> bool:
        """Whether digits are being gathered."""
        return bool(self._digits)

    def push(self, end_ms: int, keys: str) -> str | None:
        """Take the keys of a frame that ends at `end_ms`; the words once they are complete.

        Keys after `#` in the same frame begin the next entry.
        """
        for index, key in enumerate(keys):
            if key == "*":
                self._digits = ""
            elif key == "#":
                if self._digits:
                    rest = keys[index + 1 :]
                    return self._complete(end_ms, rest)
            elif key.isdigit() and key.isascii():
                self._digits = (self._digits + key)[:MOST_KEYS]
                self._since_ms = end_ms
        if self._digits and end_ms - self._since_ms >= GATHER_MS:
            return self._complete(end_ms, "")
        return None

    def _complete(self, end_ms: int, rest: str) -> str:
        digits, self._digits = self._digits, ""
        if rest:
            self.push(end_ms, rest.replace("#", ""))
        return PERSON if digits == "0" else " ".join(digits)
