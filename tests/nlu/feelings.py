"""Estimates for tests, given by the probabilities that matter."""

from __future__ import annotations

from nlu.types import Emotion, EmotionEstimate, Intensity, Source


def feeling(
    source: Source = Source.FUSED,
    *,
    confidence: float | None = None,
    intensity: Intensity = Intensity.MEDIUM,
    valence: float = 0.0,
    arousal: float = 0.0,
    **chances: float,
) -> EmotionEstimate:
    """An estimate with `chances` by emotion name; the rest shares what is left."""
    rest = (1.0 - sum(chances.values())) / max(1, len(Emotion) - len(chances))
    named = {emotion: chances.get(emotion.value, rest) for emotion in Emotion}
    sure = max(named.values()) if confidence is None else confidence
    return EmotionEstimate(named, valence, arousal, intensity, sure, source)
