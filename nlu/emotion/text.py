"""How a caller feels, from the words alone: the shipped network and a bank of phrases."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from nlu.emotion.intensity import intensity_of
from nlu.emotion.phrase_bank import EMOTIONS, PhraseBank, closeness
from nlu.emotion.words_model import WordsModel
from nlu.emotion.words_trust import doubt_signals
from nlu.encoder import SentenceEncoder
from nlu.probabilities import softmax
from nlu.types import Emotion, EmotionEstimate, Grant, Intensity, Source
from nlu.wordpiece import plain

PURPOSE = "emotion_words"

_MOST_CHARACTERS = 3_000
_UNSURE_RECOGNITION = 0.25
_KNOWN_AT_LEAST = 0.4
_COMMON = 5_000
_WORD = re.compile(r"[^\W\d_]+")
_SENTENCE_END = re.compile(r"[.?!;]+\s")
_PART_WORDS = 8
_PART_STEP = 4
_MOST_PARTS = 16
_SHARE_OF_PART = 0.5
AFFECT: Mapping[Emotion, tuple[float, float]] = MappingProxyType(
    {
        Emotion.NEUTRAL: (0.0, 0.0),
        Emotion.HAPPY: (0.8, 0.3),
        Emotion.SAD: (-0.7, -0.3),
        Emotion.ANGRY: (-0.7, 0.6),
        Emotion.ANXIOUS: (-0.6, 0.5),
        Emotion.SURPRISED: (0.1, 0.6),
        Emotion.CONFUSED: (-0.2, 0.2),
    }
)
"""Valence and arousal of each emotion, set by hand after the circumplex (Russell 1980)."""

_STRENGTH = {
    Intensity.NONE: 1.0,
    Intensity.LOW: 0.6,
    Intensity.MEDIUM: 0.9,
    Intensity.HIGH: 1.2,
}


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What a text seems to say: chances of the emotions [7] and the signals of doubt in the first
    choice, in the order of `words_trust.SIGNALS`."""

    chances: npt.NDArray[np.float64]
    signals: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Evidence:
    """Of one text or part: logits of the blend, each network's chances, the bank's scores, and how
    like a service desk it is."""

    logits: npt.NDArray[np.float64]
    members: npt.NDArray[np.float64]
    bank: npt.NDArray[np.float64]
    desk: float


class TextModel:
    """Estimates a feeling from words; see `load`."""

    def __init__(self, model: WordsModel, bank: PhraseBank, encoder: SentenceEncoder) -> None:
        self._model = model
        self._bank = bank
        self._encoder = encoder
        self._common = frozenset(model.words.vocabulary[:_COMMON])
        blend = model.blend.astype(float)
        self._of_model, self._of_bank, self._bias = blend[0], blend[1], blend[2:]

    @classmethod
    def load(
        cls, phrase_bank: Mapping[str, tuple[str, ...]], encoder: SentenceEncoder
    ) -> TextModel:
        """The shipped model with a pack's phrase bank (emotion name -> phrases) added.

        Raises `AttuneError` for a name that is no emotion or a missing weights file.
        """
        return cls(WordsModel.load(), PhraseBank(phrase_bank, encoder), encoder)

    def estimate(self, text: str, grant: Grant, asr_confidence: float = 1.0) -> EmotionEstimate:
        """The feeling in `text`, or an abstention with its reason.

        `asr_confidence` in [0, 1] is the recogniser's; doubt in the words is doubt in the
        feeling. Raises `ValueError` unless `grant` is for `emotion_words`.
        """
        if grant.purpose != PURPOSE:
            raise ValueError(f"a grant for {PURPOSE} is needed, this one is for {grant.purpose}")
        said = text[:_MOST_CHARACTERS]
        reason = self._unreadable(said)
        if reason is None and asr_confidence < _UNSURE_RECOGNITION:
            reason = "the words are too unsure"
        if reason is not None:
            return EmotionEstimate.abstain(Source.WORDS, reason)
        reading = self.read(said, asr_confidence)
        return estimate_from(
            said, reading.chances, float(self._model.trust.confidence(reading.signals))
        )

    def read(self, text: str, asr_confidence: float = 1.0) -> Reading:
        """What any text seems to say, readable or not."""
        whole, *parts = self._evidence([text, *parts_of(text)])
        logits = whole.logits
        strongest = max((part.logits for part in parts), key=_felt, default=logits)
        if _felt(strongest) > _felt(logits):
            logits = (1 - _SHARE_OF_PART) * logits + _SHARE_OF_PART * strongest
        chances = softmax(logits * (0.5 + 0.5 * min(1.0, asr_confidence)))
        return Reading(chances, doubt_signals(chances, whole.members, whole.bank, whole.desk))

    def _evidence(self, texts: Sequence[str]) -> list[_Evidence]:
        found = []
        for text, vector in zip(texts, self._encoder.encode(list(texts)), strict=True):
            scores, nearest = self._bank.score(vector)
            said = self._model(text)
            logits = self._of_model * said.desk.astype(float) + self._of_bank * scores + self._bias
            found.append(
                _Evidence(
                    logits + closeness(nearest),
                    softmax(said.members),
                    scores,
                    self._model.trust.desk(vector),
                )
            )
        return found

    def _unreadable(self, text: str) -> str | None:
        if not text.strip():
            return "no words"
        words = _WORD.findall(plain(text))
        if not words:
            return "no words, only digits or signs"
        letters = sum(len(word) for word in words)
        latin = sum(len(word) for word in words if word.isascii())
        if latin < 0.5 * letters:
            return "another script than the model's"
        known = sum(self._is_known(word) for word in words)
        return "too few known words" if known < _KNOWN_AT_LEAST * len(words) else None

    def _is_known(self, word: str) -> bool:
        return word in self._common or (len(word) > 3 and len(self._model.words(word)) == 1)


def parts_of(text: str) -> list[str]:
    """The sentences of a turn, long ones as overlapping stretches; none where it has but one.

    A request and a complaint in one breath are a complaint: the strongest part counts as much as
    the whole, where the request would drown it.
    """
    parts: list[str] = []
    for sentence in _SENTENCE_END.split(text):
        words = sentence.split()
        if len(words) <= _PART_WORDS + 2:
            parts += [sentence] if words else []
            continue
        for at in range(0, len(words) - _PART_STEP, _PART_STEP):
            parts.append(" ".join(words[at : at + _PART_WORDS]))
    return parts[:_MOST_PARTS] if len(parts) > 1 else []


def _felt(logits: npt.NDArray[np.float64]) -> float:
    """The chance of any feeling but neutral."""
    return float(1 - softmax(logits)[0])


def estimate_from(
    text: str, chances: npt.NDArray[np.float64], confidence: float | None = None
) -> EmotionEstimate:
    """The estimate made of chances [7] for `text`, which tells how strong the feeling is.

    Without a `confidence` the highest chance is taken for it.
    """
    affect = np.asarray([AFFECT[emotion] for emotion in EMOTIONS])
    top = int(chances.argmax())
    step = intensity_of(text, EMOTIONS[top], float(chances[top]))
    valence, arousal = np.clip(chances @ affect * _STRENGTH[step], -1.0, 1.0)
    named = {emotion: float(chance) for emotion, chance in zip(EMOTIONS, chances, strict=True)}
    return EmotionEstimate(
        MappingProxyType(named),
        float(valence),
        float(arousal),
        step,
        float(chances[top]) if confidence is None else confidence,
        Source.WORDS,
    )
