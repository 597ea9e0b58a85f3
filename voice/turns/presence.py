"""Is anybody still there? Asked once, then the call ends; in audio time."""

from __future__ import annotations

from enum import Enum

ASK_AFTER_MS = 30_000
END_AFTER_MS = 30_000
"""After the question: a minute of silence in all."""


class Absence(Enum):
    """What a long silence calls for."""

    ASK = "ask"
    END = "end"


class SilenceWatch:
    """Counts the silence in which neither side speaks."""

    def __init__(self) -> None:
        self._since_ms: int | None = None
        self._asked = False

    def active(self) -> None:
        """The assistant speaks, or somebody may be speaking: the silence starts again."""
        self._since_ms = None

    def answered(self) -> None:
        """The caller said or keyed something: they are there."""
        self._since_ms = None
        self._asked = False

    def quiet(self, end_ms: int) -> Absence | None:
        """A silent frame ended at `end_ms`; what is due, once."""
        if self._since_ms is None:
            self._since_ms = end_ms
        silence_ms = end_ms - self._since_ms
        if not self._asked and silence_ms >= ASK_AFTER_MS:
            self._asked = True
            return Absence.ASK
        if self._asked and silence_ms >= END_AFTER_MS:
            return Absence.END
        return None
