"""The protocol of connectors, and the problems that every one of them may report."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

from dialogue.frames import ReadResult
from dialogue.packs.format import Action
from dialogue.types import Effect, EffectResult

UNAVAILABLE = "unavailable"
"""Nothing was told and nothing was changed: the system is slow, down or answers nonsense."""
UNKNOWN_RESULT = "unknown_result"
"""The effect may or may not have happened; it must not be tried under another key."""


class Connector(Protocol):
    """A system of the business. Methods may be called from any thread, and raise nothing:
    what goes wrong is a problem in the result."""

    def read(self, action: Action, values: Mapping[str, Any]) -> ReadResult:
        """Facts for a read action; `values` are its arguments and the standing facts."""

    def carry_out(self, action: Action, effect: Effect, values: Mapping[str, Any]) -> EffectResult:
        """Change the world once: the same `effect.key` again gives the first result again."""

    def close(self) -> None:
        """Let go of files and sockets."""


def reference_of(key: str, attempt: int = 0) -> str:
    """A short number for an effect that a caller can write down, always the same for its key.

    Another `attempt` gives another number, for the case that one is taken.
    """
    digest = hashlib.sha256(f"{key}#{attempt}".encode()).digest()
    return str(10_000 + int.from_bytes(digest[:6], "big") % 90_000)
