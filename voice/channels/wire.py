"""What every wire of a live channel has in common."""

from __future__ import annotations


class WireError(Exception):
    """What came over the wire is not what the protocol allows; says which part and why."""


class TransferError(Exception):
    """The caller could not be put through; says why, without naming anybody."""
