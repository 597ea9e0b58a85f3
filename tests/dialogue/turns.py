"""Understandings of a turn, as the tests of the conversation need them."""

from collections.abc import Iterable
from datetime import UTC, datetime

from nlu.types import (
    Conflict,
    Emotion,
    EmotionEstimate,
    Entity,
    Intensity,
    Intent,
    Source,
    Trajectory,
    Transcript,
    Understanding,
)

WEDNESDAY = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)
SUNDAY_NIGHT = datetime(2026, 6, 7, 3, 0, tzinfo=UTC)


def feeling(
    emotion: Emotion | str | None,
    intensity: Intensity | str = Intensity.NONE,
    confidence: float = 0.8,
    source: Source = Source.FUSED,
) -> EmotionEstimate:
    """An estimate of one feeling; None abstains."""
    if emotion is None:
        return EmotionEstimate.abstain(source, "too little was heard")
    top = Emotion(emotion)
    rest = 0.2 / (len(Emotion) - 1)
    probabilities = {each: 0.8 if each is top else rest for each in Emotion}
    valence = {"happy": 0.7, "neutral": 0.0, "surprised": 0.1}.get(top.value, -0.6)
    return EmotionEstimate(probabilities, valence, 0.3, Intensity(intensity), confidence, source)


def turn(
    text: str,
    intent: str = "something_else",
    estimate: EmotionEstimate | None = None,
    *,
    signals: Iterable[str] = (),
    entities: Iterable[tuple[str, str]] = (),
    conflict: Conflict | None = None,
    voice: EmotionEstimate | None = None,
    words: EmotionEstimate | None = None,
    score: float = 0.9,
) -> Understanding:
    """What `nlu` would say of a turn; the feeling is neutral unless told."""
    fused = estimate or feeling("neutral")
    return Understanding(
        Transcript(text),
        Intent(intent, score),
        tuple(Entity(kind, value, value, 0, len(value)) for kind, value in entities),
        voice or EmotionEstimate.abstain(Source.VOICE, "no grant"),
        words or fused,
        fused,
        conflict,
        Trajectory(fused),
        frozenset(signals),
    )
