"""The vocabulary of `nlu`: what the caller said, meant and felt, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]


class Emotion(StrEnum):
    """What a caller may feel; `angry` covers frustration (intensity tells them apart)."""

    NEUTRAL = "neutral"
    HAPPY = "happy"
    SAD = "sad"
    ANGRY = "angry"
    ANXIOUS = "anxious"
    SURPRISED = "surprised"
    CONFUSED = "confused"


class Intensity(StrEnum):
    """How strong a feeling is, in four steps."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Source(StrEnum):
    """What an estimate was made from."""

    VOICE = "voice"
    WORDS = "words"
    FUSED = "fused"


class ConflictKind(StrEnum):
    """How voice and words disagree when both are sure."""

    POSITIVE_WORDS_AGITATED_VOICE = "positive_words_agitated_voice"
    NEGATIVE_WORDS_FLAT_VOICE = "negative_words_flat_voice"
    NEUTRAL_WORDS_AGITATED_VOICE = "neutral_words_agitated_voice"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Grant:
    """Permission for one purpose, issued by `dialogue.customers.consent` and by nothing else.

    `purpose` is one of `emotion_voice`, `emotion_words`, `offers`, `store_text`, `store_audio`;
    `basis` says why it was granted (a ledger entry, an operator's material, ...).
    """

    purpose: str
    subject: str
    jurisdiction: str
    basis: str


@dataclass(frozen=True, slots=True, eq=False)
class CallerAudio:
    """The caller's own voice: mono float32 samples in [-1, 1], at `rate_hz`."""

    samples: Samples
    rate_hz: int


@dataclass(frozen=True, slots=True, eq=False)
class AgentAudio:
    """A human agent's voice. No function that estimates a feeling accepts it."""

    samples: Samples
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word with its place in audio time and its confidence in [0, 1]."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was recognised: text, words with times, overall confidence, engine name."""

    text: str
    words: tuple[Word, ...] = ()
    confidence: float = 1.0
    engine: str = "given"


@dataclass(frozen=True, slots=True)
class EmotionEstimate:
    """A feeling with its uncertainty.

    `probabilities` sum to 1 over every `Emotion`; `valence` and `arousal` lie in [-1, 1];
    `confidence` is the calibrated probability that the top label is right. When `abstained`
    holds a reason, nothing downstream may treat the labels as evidence.
    """

    probabilities: Mapping[Emotion, float]
    valence: float
    arousal: float
    intensity: Intensity
    confidence: float
    source: Source
    abstained: str | None = None

    @property
    def top(self) -> Emotion:
        """The most probable emotion (ties go to the first in the order of `Emotion`)."""
        return max(Emotion, key=lambda emotion: self.probabilities.get(emotion, 0.0))

    @classmethod
    def abstain(cls, source: Source, reason: str) -> EmotionEstimate:
        """An estimate that says nothing, and why."""
        flat = MappingProxyType({emotion: 1.0 / len(Emotion) for emotion in Emotion})
        return cls(flat, 0.0, 0.0, Intensity.NONE, 0.0, source, reason)


@dataclass(frozen=True, slots=True)
class VoiceEvidence:
    """What a stream heard while the caller spoke: the estimate, the sound's quality (`snr_db`,
    `voiced_s`) and the features that show change within a call."""

    estimate: EmotionEstimate
    quality: Mapping[str, float] = field(default_factory=dict)
    features: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conflict:
    """Voice and words disagree, both being sure: what kind, and what each said."""

    kind: ConflictKind
    voice: Emotion
    words: Emotion


@dataclass(frozen=True, slots=True)
class IntentScore:
    """A candidate intent with its calibrated score in [0, 1]."""

    name: str
    score: float


@dataclass(frozen=True, slots=True)
class Intent:
    """What the caller wants. `name` is `OTHER_INTENT` when nothing in the pack fits.

    `also` lists further intents found in the same utterance, in order of appearance.
    """

    name: str
    score: float
    alternatives: tuple[IntentScore, ...] = ()
    also: tuple[IntentScore, ...] = ()


OTHER_INTENT = "something_else"

EntityType = Literal[
    "order_number",
    "account_number",
    "card_number",
    "digits",
    "date",
    "time",
    "money",
    "email",
    "phone",
    "address",
    "name",
    "yes_no",
]


@dataclass(frozen=True, slots=True)
class Entity:
    """A value found in the words.

    `value` is normalised: digits and letters for numbers, ISO 8601 for dates and times,
    `"49.90 USD"` for money. `start` and `end` are character offsets into the transcript's text.
    """

    type: EntityType
    value: str
    text: str
    start: int
    end: int
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Trajectory:
    """The caller's course over the call: `smoothed` is today's state, `trend` of anger and
    valence per turn. `change` is the acoustic change since the start of the call: it is shown
    and never fed to a decision."""

    smoothed: EmotionEstimate
    trend: Literal["rising", "falling", "steady"] = "steady"
    turns: int = 0
    change: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Understanding:
    """Everything `nlu` can say about one turn of the caller."""

    transcript: Transcript
    intent: Intent
    entities: tuple[Entity, ...]
    voice: EmotionEstimate
    words: EmotionEstimate
    fused: EmotionEstimate
    conflict: Conflict | None
    trajectory: Trajectory
    signals: frozenset[str] = frozenset()
    """What the words say beyond an intent: `asks_human`, `self_harm`, `threat`, `medical_danger`,
    `abuse`, `withdraw_voice`, `forget_call`, `refuses_offer`, `thanks`, `goodbye`."""


@dataclass(frozen=True, slots=True)
class Language:
    """A pack's language as plain values: intents with example phrases, the phrase bank of
    implicit feelings (emotion name -> phrases), domain words worth recognising, and the things
    that the trade is about (any one is as good as another for what a caller wants)."""

    intents: Mapping[str, tuple[str, ...]]
    phrase_bank: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    vocabulary: tuple[str, ...] = ()
    locale: str = "en-US"
    things: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConversationSoFar:
    """What understanding a turn may know of the turns before it."""

    turns: int = 0
    smoothed: EmotionEstimate | None = None
    expects: frozenset[str] = frozenset()
    """What the assistant has just asked for: `yes_no` or entity types."""
    known_names: tuple[str, ...] = ()
    now: datetime | None = None
    baseline: Mapping[str, float] = field(default_factory=dict)
    currency: str = "USD"


JsonValue = Any
