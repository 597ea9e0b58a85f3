"""How far a delivery may go. Pace, pitch and level are those of the policy; range is
as far as espeak-ng's melody can be scaled around its neutral without losing its shape."""

from __future__ import annotations

import math
from dataclasses import replace

from dialogue.types import Delivery
from nlu.errors import AttuneError

RATE = (0.85, 1.15)
PITCH_ST = (-2.0, 2.0)
RANGE = (0.7, 1.3)
LEVEL_DB = (-3.0, 3.0)


def within_limits(delivery: Delivery) -> Delivery:
    """The delivery held to the limits. Raises `AttuneError` for NaN or infinity."""
    for name in ("rate", "pitch_st", "range", "level_db"):
        if not math.isfinite(getattr(delivery, name)):
            raise AttuneError(f"delivery: {name} is not a number; give a finite one.")
    return replace(
        delivery,
        rate=_held(delivery.rate, RATE),
        pitch_st=_held(delivery.pitch_st, PITCH_ST),
        range=_held(delivery.range, RANGE),
        level_db=_held(delivery.level_db, LEVEL_DB),
    )


def _held(value: float, limits: tuple[float, float]) -> float:
    return min(limits[1], max(limits[0], value))
