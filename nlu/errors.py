"""The one exception that a user may see: a sentence that names what is wrong and what to do."""

from __future__ import annotations


class AttuneError(Exception):
    """One sentence: the file or field, what is wrong with it, and what to do about it."""
