"""The caller's course over a call: smoothed state, trend, and change since the start.

The average is light (a label persists on 44 % of consecutive turns, chance being 29 %): anger
rises faster than it falls, since missing it costs more than holding it a turn too long.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from nlu.types import Emotion, EmotionEstimate, Intensity, Source, Trajectory

WEIGHT = 0.6
ANGER_RISING = 0.8
ANGER_FALLING = 0.4
_NOTICEABLE = 0.1
_STEPS = (Intensity.NONE, Intensity.LOW, Intensity.MEDIUM, Intensity.HIGH)


def follow(
    before: EmotionEstimate | None,
    today: EmotionEstimate,
    turns: int,
    *,
    resolved: bool = False,
    features: Mapping[str, float] | None = None,
    baseline: Mapping[str, float] | None = None,
) -> Trajectory:
    """The course after a turn that was felt as `today`.

    `before` is the smoothed state until now, None at the start. `resolved` forgets it: what was
    felt about a settled matter says nothing of the next. A turn that abstains leaves the state as
    it was. `features` of this turn are compared with `baseline`; the result is shown, and never
    changes `smoothed`.
    """
    change = _change(features or {}, baseline or {})
    if resolved or before is None or before.abstained:
        return Trajectory(today, "steady", turns + 1, change)
    if today.abstained:
        return Trajectory(before, "steady", turns + 1, change)
    smoothed = _smooth(before, today)
    return Trajectory(smoothed, _trend(before, smoothed), turns + 1, change)


def _smooth(before: EmotionEstimate, today: EmotionEstimate) -> EmotionEstimate:
    mixed = {
        emotion: _mix(
            before.probabilities.get(emotion, 0.0), today.probabilities.get(emotion, 0.0), WEIGHT
        )
        for emotion in Emotion
        if emotion is not Emotion.ANGRY
    }
    was = before.probabilities.get(Emotion.ANGRY, 0.0)
    now = today.probabilities.get(Emotion.ANGRY, 0.0)
    anger = _mix(was, now, ANGER_RISING if now > was else ANGER_FALLING)
    rest = sum(mixed.values())
    share = (1.0 - anger) / rest if rest > 0 else 0.0
    probabilities = {
        emotion: anger if emotion is Emotion.ANGRY else mixed[emotion] * share
        for emotion in Emotion
    }
    if rest <= 0:
        probabilities[Emotion.ANGRY] = 1.0
    top = max(Emotion, key=lambda emotion: probabilities[emotion])
    weight = (ANGER_RISING if now > was else ANGER_FALLING) if top is Emotion.ANGRY else WEIGHT
    return EmotionEstimate(
        MappingProxyType(probabilities),
        _mix(before.valence, today.valence, weight),
        _mix(before.arousal, today.arousal, weight),
        _intensity(before, today, top, weight),
        _mix(before.confidence, today.confidence, weight),
        Source.FUSED,
    )


def _mix(before: float, today: float, weight: float) -> float:
    return weight * today + (1.0 - weight) * before


def _intensity(
    before: EmotionEstimate, today: EmotionEstimate, top: Emotion, weight: float
) -> Intensity:
    """The strength of the smoothed label: of the turns that held it, the mean of the steps."""
    if top is Emotion.NEUTRAL:
        return Intensity.NONE
    then, now = _STEPS.index(before.intensity), _STEPS.index(today.intensity)
    if before.top is not top:
        return _STEPS[max(1, now)]
    if today.top is not top:
        return _STEPS[max(1, then - 1)]
    return _STEPS[max(1, round(_mix(then, now, weight)))]


def _trend(
    before: EmotionEstimate, smoothed: EmotionEstimate
) -> Literal["rising", "falling", "steady"]:
    """Rising when anger grows or valence sinks noticeably, falling when the reverse holds."""
    anger = smoothed.probabilities[Emotion.ANGRY] - before.probabilities.get(Emotion.ANGRY, 0.0)
    if abs(anger) >= _NOTICEABLE:
        return "rising" if anger > 0 else "falling"
    valence = smoothed.valence - before.valence
    if abs(valence) >= 2 * _NOTICEABLE:
        return "rising" if valence < 0 else "falling"
    return "steady"


def _change(features: Mapping[str, float], baseline: Mapping[str, float]) -> Mapping[str, float]:
    return MappingProxyType(
        {name: value - baseline[name] for name, value in features.items() if name in baseline}
    )
