"""Text made ready to be spoken."""

from __future__ import annotations

import re

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(]?[A-Z0-9])")


def spoken(text: str) -> str:
    """The text as it is to be said."""
    return " ".join(text.split())


def sentences(text: str) -> list[str]:
    """Sentences of a spoken text."""
    return [part for part in _SENTENCE_END.split(text) if any(map(str.isalnum, part))]
