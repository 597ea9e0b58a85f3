"""How a reply is spoken: the strategy's profile as pace, pitch, range, level and pauses.

The profiles and their limits are those of the project's evidence, section 5. They are a hypothesis
to be tested on callers: no source gives semitones for customer service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dialogue.rendering import Piece
from dialogue.types import Clause, Delivery
from nlu.types import Intensity

NEUTRAL_WORDS_PER_MINUTE = 160

RATE_LIMIT = 0.15
PITCH_LIMIT_ST = 2.0
LEVEL_LIMIT_DB = 3.0

SLOW_BELOW = 0.97
"""A rate under this is slow: sentences are kept to 14 words."""

_VULNERABLE_RATE = 0.95
_VULNERABLE_PAUSE_MS = 100

CODE_RATE = 1 - RATE_LIMIT
GROUP_PAUSE_MS = 300
_LIST_PAUSE_MS = 500

_BY_INTENSITY: Mapping[Intensity, float] = {
    Intensity.NONE: 0.0,
    Intensity.LOW: 0.4,
    Intensity.MEDIUM: 0.7,
    Intensity.HIGH: 1.0,
}


@dataclass(frozen=True, slots=True)
class Profile:
    """A way of speaking, relative to a neutral of 160 words a minute. Pauses in ms."""

    rate: float
    pitch_st: float
    range: float
    level_db: float
    before_ms: int
    between_ms: int


NEUTRAL = Profile(1.0, 0.0, 1.0, 0.0, 250, 300)

PROFILES: Mapping[str, Profile] = {
    "neutral": NEUTRAL,
    "angry": Profile(0.92, -1.5, 0.85, -2.5, 400, 400),
    "sad": Profile(0.88, -1.5, 0.85, -2.0, 500, 520),
    "anxious": Profile(0.92, -0.75, 0.90, -0.5, 300, 450),
    "happy": Profile(1.045, 1.25, 1.20, 0.5, 200, 250),
    "slow": Profile(0.94, 0.0, 1.0, 0.0, 250, 350),
}
"""Profile name (the caller's feeling, or `slow`) -> the middle of its range in the evidence."""


def scale(
    profile: str, rule_scale: float, feeling: str, intensity: Intensity, confidence: float
) -> float:
    """How much of a profile to use, in [0, 1].

    A profile that answers the caller's feeling is scaled by intensity and confidence. One that the
    situation asks for (danger, abuse, a misunderstanding) does not depend on an estimate.
    """
    if profile != feeling:
        return rule_scale
    return rule_scale * _BY_INTENSITY[intensity] * min(max(confidence, 0.0), 1.0)


def target(
    profile: str, amount: float, previous: Delivery | None = None, *, vulnerable: bool = False
) -> Delivery:
    """The delivery of a turn: `amount` of `profile`, at most half a profile away from `previous`.

    `previous` is None when nothing has been said before. `pause_before_ms` is the pause before
    the first clause, `pause_after_ms` the one between sentences.
    """
    wanted = PROFILES[profile]
    slower = _VULNERABLE_RATE if vulnerable else 1.0
    aim = Delivery(
        rate=_mix(1.0, wanted.rate, amount) * slower,
        pitch_st=_mix(0.0, wanted.pitch_st, amount),
        range=_mix(1.0, wanted.range, amount),
        level_db=_mix(0.0, wanted.level_db, amount),
        pause_before_ms=round(_mix(NEUTRAL.before_ms, wanted.before_ms, amount)),
        pause_after_ms=round(_mix(NEUTRAL.between_ms, wanted.between_ms, amount))
        + (_VULNERABLE_PAUSE_MS if vulnerable else 0),
    )
    if previous is not None:
        full = replace(aim, rate=wanted.rate * slower, pitch_st=wanted.pitch_st)
        full = replace(full, range=wanted.range, level_db=wanted.level_db)
        aim = _half_way(aim, previous, full)
    return _limited(aim)


def speak(pieces: Sequence[Piece], delivery: Delivery) -> tuple[Clause, ...]:
    """Clauses with their deliveries: codes, sums and dates slowed, codes a group at a time.

    A group of a code gets 300 ms after it, so that with the rate at its limit a code runs at
    115-125 words a minute, pauses included.
    """
    clauses = []
    for place, piece in enumerate(pieces):
        last = place == len(pieces) - 1
        spoken = replace(
            delivery,
            pause_before_ms=delivery.pause_before_ms if place == 0 else 0,
            pause_after_ms=0 if last else delivery.pause_after_ms,
        )
        if piece.kind == "option" and not last:
            spoken = replace(spoken, pause_after_ms=max(spoken.pause_after_ms, _LIST_PAUSE_MS))
        if piece.slow:
            spoken = replace(
                spoken, rate=min(spoken.rate, CODE_RATE), pitch_st=0.0, range=1.0, level_db=0.0
            )
        if piece.group and not last:
            spoken = replace(spoken, pause_after_ms=GROUP_PAUSE_MS)
        kind = "code" if piece.slow else piece.kind
        clauses.append(Clause(piece.text, spoken, kind, piece.written))
    return tuple(clauses)


def _mix(neutral: float, full: float, amount: float) -> float:
    return neutral + (full - neutral) * amount


def _half_way(aim: Delivery, previous: Delivery, full: Delivery) -> Delivery:
    """`aim`, but no further from `previous` than half the larger of the two profiles."""

    def step(wanted: float, before: float, whole: float, neutral: float) -> float:
        most = max(abs(whole - neutral), abs(before - neutral)) / 2
        return before + min(max(wanted - before, -most), most)

    return replace(
        aim,
        rate=step(aim.rate, previous.rate, full.rate, 1.0),
        pitch_st=step(aim.pitch_st, previous.pitch_st, full.pitch_st, 0.0),
        range=step(aim.range, previous.range, full.range, 1.0),
        level_db=step(aim.level_db, previous.level_db, full.level_db, 0.0),
    )


def limited_rate(rate: float) -> float:
    """The nearest rate that is still within the limits."""
    return round(min(max(rate, 1 - RATE_LIMIT), 1 + RATE_LIMIT), 4)


def _limited(delivery: Delivery) -> Delivery:
    return replace(
        delivery,
        rate=limited_rate(delivery.rate),
        pitch_st=round(min(max(delivery.pitch_st, -PITCH_LIMIT_ST), PITCH_LIMIT_ST), 4),
        range=round(delivery.range, 4),
        level_db=round(min(max(delivery.level_db, -LEVEL_LIMIT_DB), LEVEL_LIMIT_DB), 4),
    )
