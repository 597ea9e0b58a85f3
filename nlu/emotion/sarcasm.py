"""What words feel like when their praise is meant as blame."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from nlu.types import Emotion, EmotionEstimate, Intensity, Source

_FRUSTRATED = 0.55
_MOST_SURE = 0.5
_NEGATIVE = frozenset({Emotion.ANGRY, Emotion.SAD, Emotion.ANXIOUS})


def unpraised(words: EmotionEstimate) -> EmotionEstimate:
    """Low-intensity anger (frustration) in place of what praise was read as, in some doubt.

    An abstention stays as it is. An estimate that is negative already keeps its strength; only its
    chance of joy goes to anger.
    """
    if words.abstained is not None:
        return words
    if words.top in _NEGATIVE:
        moved = dict(words.probabilities)
        moved[Emotion.ANGRY] = moved.get(Emotion.ANGRY, 0.0) + moved.get(Emotion.HAPPY, 0.0)
        moved[Emotion.HAPPY] = 0.0
        return replace(words, probabilities=MappingProxyType(moved))
    others = [emotion for emotion in Emotion if emotion not in (Emotion.HAPPY, Emotion.ANGRY)]
    total = sum(words.probabilities.get(emotion, 0.0) for emotion in others) or 1.0
    spread = dict.fromkeys(Emotion, 0.0)
    for emotion in others:
        spread[emotion] = (1.0 - _FRUSTRATED) * words.probabilities.get(emotion, 0.0) / total
    spread[Emotion.ANGRY] = 1.0 - sum(spread.values())
    return EmotionEstimate(
        MappingProxyType(spread),
        valence=-0.4,
        arousal=0.3,
        intensity=Intensity.LOW,
        confidence=_MOST_SURE,
        source=Source.WORDS,
    )
