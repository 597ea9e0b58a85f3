"""The label sets of text emotion: the 28 of GoEmotions, and the groups made of them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nlu.types import Emotion

GOEMOTIONS: tuple[str, ...] = (
    "admiration", "amusement", "anger", "annoyance", "approval", "caring", "confusion",
    "curiosity", "desire", "disappointment", "disapproval", "disgust", "embarrassment",
    "excitement", "fear", "gratitude", "grief", "joy", "love", "nervousness", "optimism",
    "pride", "realization", "relief", "remorse", "sadness", "surprise", "neutral",
)  # fmt: skip

_JOY = (
    "joy", "amusement", "approval", "excitement", "gratitude", "love", "optimism", "relief",
    "pride", "admiration", "desire", "caring",
)  # fmt: skip
_SADNESS = ("sadness", "disappointment", "embarrassment", "grief", "remorse")
_SURPRISE = ("surprise", "realization", "confusion", "curiosity")

EKMAN: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "anger": ("anger", "annoyance", "disapproval"),
        "disgust": ("disgust",),
        "fear": ("fear", "nervousness"),
        "joy": _JOY,
        "sadness": _SADNESS,
        "surprise": _SURPRISE,
        "neutral": ("neutral",),
    }
)
"""Demszky et al. 2020, figure 2."""

SENTIMENT: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "positive": _JOY,
        "negative": (
            "anger",
            "annoyance",
            "disapproval",
            "disgust",
            "fear",
            "nervousness",
            *_SADNESS,
        ),
        "ambiguous": _SURPRISE,
        "neutral": ("neutral",),
    }
)
"""The four groups of Demszky et al. 2020."""

SERVICE: Mapping[Emotion, tuple[str, ...]] = MappingProxyType(
    {
        Emotion.NEUTRAL: ("neutral", "curiosity", "approval", "desire", "realization"),
        Emotion.HAPPY: (
            "admiration", "amusement", "caring", "excitement", "gratitude", "joy", "love",
            "optimism", "pride", "relief",
        ),
        Emotion.SAD: ("disappointment", "embarrassment", "grief", "remorse", "sadness"),
        Emotion.ANGRY: ("anger", "annoyance", "disapproval", "disgust"),
        Emotion.ANXIOUS: ("fear", "nervousness"),
        Emotion.SURPRISED: ("surprise",),
        Emotion.CONFUSED: ("confusion",),
    }
)  # fmt: skip
"""What the labels mean at a service desk: a curious question or a wish is an ordinary request."""

AFFECT: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "admiration": (0.7, 0.2), "amusement": (0.7, 0.3), "anger": (-0.8, 0.8),
        "annoyance": (-0.6, 0.5), "approval": (0.4, 0.0), "caring": (0.4, 0.0),
        "confusion": (-0.2, 0.2), "curiosity": (0.0, 0.1), "desire": (0.2, 0.2),
        "disappointment": (-0.6, -0.2), "disapproval": (-0.5, 0.3), "disgust": (-0.7, 0.4),
        "embarrassment": (-0.5, 0.2), "excitement": (0.8, 0.8), "fear": (-0.7, 0.7),
        "gratitude": (0.8, 0.2), "grief": (-0.9, -0.2), "joy": (0.9, 0.4), "love": (0.8, 0.3),
        "nervousness": (-0.5, 0.6), "optimism": (0.5, 0.2), "pride": (0.6, 0.3),
        "realization": (0.0, 0.1), "relief": (0.5, -0.2), "remorse": (-0.6, -0.1),
        "sadness": (-0.8, -0.4), "surprise": (0.1, 0.7), "neutral": (0.0, 0.0),
    }
)  # fmt: skip
"""Valence and arousal of each label, set by hand after the circumplex (Russell 1980)."""


def heads() -> tuple[tuple[str, ...], ...]:
    """The labels behind each output of the model: the 28, then Ekman's, sentiments, service's."""
    return (
        *((label,) for label in GOEMOTIONS),
        *EKMAN.values(),
        *SENTIMENT.values(),
        *SERVICE.values(),
    )
