"""Whether a pack holds together: every name used exists, and something is always sayable."""

from __future__ import annotations

from dialogue.packs.format import Pack
from dialogue.packs.source import Source


def cross_check(pack: Pack, source: Source) -> None:
    """Note in `source` every mistake that one entry alone does not show."""
