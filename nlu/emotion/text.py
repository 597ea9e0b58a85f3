"""How a caller feels, from the words alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from nlu.emotion.phrase_bank import EMOTIONS, PhraseBank
from nlu.encoder import SentenceEncoder
from nlu.types import Emotion, EmotionEstimate, Grant, Intensity, Source

PURPOSE = "emotion_words"

_AFFECT = {
    Emotion.NEUTRAL: (0.0, 0.0), Emotion.HAPPY: (0.8, 0.3), Emotion.SAD: (-0.7, -0.3),
    Emotion.ANGRY: (-0.7, 0.6), Emotion.ANXIOUS: (-0.6, 0.6), Emotion.SURPRISED: (0.1, 0.6),
    Emotion.CONFUSED: (-0.2, 0.2),
}  # fmt: skip


class TextModel:
    """Estimates a feeling from words; see `load`."""

    def __init__(self, bank: PhraseBank, encoder: SentenceEncoder) -> None:
        self._bank = bank
        self._encoder = encoder

    @classmethod
    def load(
        cls, phrase_bank: Mapping[str, tuple[str, ...]], encoder: SentenceEncoder
    ) -> TextModel:
        """The shipped model with a pack's phrase bank (emotion name -> phrases) added."""
        return cls(PhraseBank(phrase_bank, encoder), encoder)

    def estimate(self, text: str, grant: Grant, asr_confidence: float = 1.0) -> EmotionEstimate:
        """The feeling in `text`, or an abstention with its reason.

        Raises `ValueError` unless `grant` is for `emotion_words`.
        """
        if grant.purpose != PURPOSE:
            raise ValueError(f"a grant for {PURPOSE} is needed, this one is for {grant.purpose}")
        reason = unreadable(text)
        if reason is not None:
            return EmotionEstimate.abstain(Source.WORDS, reason)
        scores, _ = self._bank.score(self._encoder.encode([text[:4000]])[0])
        raised = np.exp((scores - scores.max()) * 6.0)
        return _estimate(raised / raised.sum(), asr_confidence)


def unreadable(text: str) -> str | None:
    """Why nothing can be said about `text`, if so."""
    letters = sum(letter.isalpha() for letter in text[:4000])
    if not text.strip():
        return "no words"
    if letters == 0:
        return "no words, only digits or signs"
    latin = sum(letter.isascii() and letter.isalpha() for letter in text[:4000])
    return "another script" if latin < 0.5 * letters else None


def _estimate(chances: npt.NDArray[np.float64], asr_confidence: float) -> EmotionEstimate:
    calm = 0.3 * (1.0 - min(1.0, max(0.0, asr_confidence)))
    flat = np.zeros(len(EMOTIONS))
    flat[0] = 1.0
    chances = (1 - calm) * chances + calm * flat
    affect = np.asarray([_AFFECT[emotion] for emotion in EMOTIONS])
    valence, arousal = (float(value) for value in chances @ affect)
    felt = 1.0 - float(chances[0])
    steps = [(0.75, Intensity.HIGH), (0.6, Intensity.MEDIUM), (0.5, Intensity.LOW)]
    intensity = next((step for least, step in steps if felt >= least), Intensity.NONE)
    if chances.argmax() == 0:
        intensity = Intensity.NONE
    named = {emotion: float(chance) for emotion, chance in zip(EMOTIONS, chances, strict=True)}
    return EmotionEstimate(
        MappingProxyType(named), valence, arousal, intensity, float(chances.max()), Source.WORDS
    )
