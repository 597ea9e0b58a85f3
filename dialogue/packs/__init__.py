"""Packs: what a business knows, can do and says. `load_pack` is the door."""

from dialogue.packs.format import Pack, holds
from dialogue.packs.loader import find_pack, load_pack, shipped_packs

__all__ = ["Pack", "find_pack", "holds", "load_pack", "shipped_packs"]
