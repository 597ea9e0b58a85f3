"""Voice and words as one: a log-linear pool with a say for each source and class.

    log p(c) = b[c] + g_voice * a[c] * log p_voice(c) + g_words * d[c] * log p_words(c) - log Z

The gates g in [0, 1] are logistic functions of what tells how far a source can be trusted (SNR and
voiced seconds; the recogniser's confidence and the number of words). Gates, per-class weights, bias
and temperature are fitted by `python benchmarks/fusion.py --fit` and kept in
`weights/fusion.json`. Disagreement between two sure sources is a result of its own: the pool is
still given, but the label follows what the kind of conflict calls for.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from nlu.errors import AttuneError
from nlu.probabilities import logistic, softmax
from nlu.types import Conflict, ConflictKind, Emotion, EmotionEstimate, Intensity, Source

Row = npt.NDArray[np.float64]

_SHIPPED = Path(__file__).parents[1] / "weights" / "fusion.json"
_FLOOR = 0.01
_VOICE_FLOOR = 0.05
_MOST_IN_DOUBT = 0.5
_GLAD = 0.8
EMOTIONS = tuple(Emotion)
_POSITIVE = frozenset({Emotion.HAPPY})
_NEGATIVE = frozenset({Emotion.SAD, Emotion.ANGRY, Emotion.ANXIOUS})
_AGITATED = frozenset({Emotion.ANGRY, Emotion.ANXIOUS})
_FLAT = frozenset({Emotion.NEUTRAL})
_STEPS = (Intensity.NONE, Intensity.LOW, Intensity.MEDIUM, Intensity.HIGH)


@dataclass(frozen=True, slots=True)
class Reliability:
    """What tells how far each source can be trusted; None where it is not known.

    `snr_db` and `voiced_s` are of the turn's sound, `asr_confidence` in [0, 1] and `words` of its
    transcript.
    """

    snr_db: float | None = None
    voiced_s: float | None = None
    asr_confidence: float = 1.0
    words: int | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """How far a source counts: a logistic function of its reliability signals."""

    bias: float
    weights: tuple[float, ...]

    def of(self, signals: Row) -> Row:
        """The gate in [0, 1] for rows of signals [n, k]."""
        return logistic(signals @ np.asarray(self.weights) + self.bias)


@dataclass(frozen=True, slots=True)
class Pool:
    """The fitted numbers of the pool."""

    voice: Row
    words: Row
    bias: Row
    voice_gate: Gate
    words_gate: Gate
    temperature: float
    sure_voice: float
    sure_words: float

    def combine(self, voice: Row, words: Row, reliability: Row) -> Row:
        """Pooled probabilities [n, 7] of `voice` [n, 7] and `words` [n, 7].

        `reliability` [n, 4] holds the signals of `signals_of`.
        """
        by_voice = self.voice_gate.of(reliability[:, :2])[:, None] * self.voice
        by_words = self.words_gate.of(reliability[:, 2:])[:, None] * self.words
        heard, said = _log(voice, _VOICE_FLOOR), _log(words, _FLOOR)
        logits = self.bias + by_voice * heard + by_words * said
        return softmax(logits / self.temperature)


def signals_of(reliability: Reliability) -> Row:
    """The four signals of the gates, each about 0 to 1: SNR, voiced time, recognition, length."""
    snr = 20.0 if reliability.snr_db is None else reliability.snr_db
    voiced = 2.0 if reliability.voiced_s is None else reliability.voiced_s
    words = 8 if reliability.words is None else reliability.words
    return np.asarray(
        [
            min(1.0, max(0.0, snr / 30.0)),
            min(1.0, max(0.0, voiced / 3.0)),
            min(1.0, max(0.0, reliability.asr_confidence)),
            min(1.0, math.log1p(max(0, words)) / math.log(21.0)),
        ]
    )


def fuse(
    voice: EmotionEstimate,
    words: EmotionEstimate,
    reliability: Reliability = Reliability(),
    pool: Pool | None = None,
) -> tuple[EmotionEstimate, Conflict | None]:
    """What voice and words say together, and their conflict if both are sure of different things.

    A source that abstains leaves the other alone; two abstentions give one.
    """
    if voice.abstained and words.abstained:
        reason = f"voice: {voice.abstained}; words: {words.abstained}"
        return EmotionEstimate.abstain(Source.FUSED, reason), None
    if voice.abstained:
        return replace(words, source=Source.FUSED), None
    if words.abstained:
        return replace(voice, source=Source.FUSED), None
    pool = pool or shipped_pool()
    pooled = pool.combine(_row(voice), _row(words), signals_of(reliability)[None])[0]
    conflict = _conflict(voice, words, pool)
    if conflict is not None:
        pooled = _settled(pooled, _row(words)[0], conflict)
    elif voice.top in _FLAT and words.top in _POSITIVE and words.confidence >= _GLAD:
        # Thanks are seldom sung: a level voice leaves them what they are.
        pooled = _on_top(pooled, words.top)
    return _estimate(pooled, voice, words, conflict), conflict


def _conflict(voice: EmotionEstimate, words: EmotionEstimate, pool: Pool) -> Conflict | None:
    if voice.top is words.top or words.confidence < pool.sure_words:
        return None
    if voice.top in _FLAT and words.top in _POSITIVE:
        return None
    # People say in a level voice that they are angry or sad: a flat voice, sure or not, is weak
    # evidence against it. Acted corpora, whose neutral voices mean neutral, cannot show this.
    flat_under_feeling = voice.top in _FLAT and words.top in _NEGATIVE
    if not flat_under_feeling and (voice.top in _FLAT or voice.confidence < pool.sure_voice):
        # Nor does a level voice contradict thanks: the pool decides there.
        return None
    return Conflict(_kind(voice.top, words.top), voice.top, words.top)


def _kind(voice: Emotion, words: Emotion) -> ConflictKind:
    if words in _POSITIVE and voice in _NEGATIVE:
        return ConflictKind.POSITIVE_WORDS_AGITATED_VOICE
    if words in _NEGATIVE and voice in _FLAT:
        return ConflictKind.NEGATIVE_WORDS_FLAT_VOICE
    if words is Emotion.NEUTRAL and voice in _AGITATED:
        return ConflictKind.NEUTRAL_WORDS_AGITATED_VOICE
    return ConflictKind.OTHER


def _in_doubt(conflict: Conflict) -> bool:
    """Whether the conflict leaves the feeling itself open. A flat voice under feeling words does
    not, nor do two negative feelings: those are told apart less surely than felt."""
    if conflict.kind is ConflictKind.NEGATIVE_WORDS_FLAT_VOICE:
        return False
    return not (conflict.voice in _NEGATIVE and conflict.words in _NEGATIVE)


def _settled(pooled: Row, words: Row, conflict: Conflict) -> Row:
    """The pool with the label that the conflict calls for on top, by exchange with the present one.

    Possible sarcasm counts as frustration; feeling in the words under a flat voice counts, and the
    words count as much as the pool there; an agitated voice over neutral words counts.
    """
    if conflict.kind is ConflictKind.NEGATIVE_WORDS_FLAT_VOICE:
        pooled = (pooled + words) / 2
    chosen = {
        ConflictKind.POSITIVE_WORDS_AGITATED_VOICE: Emotion.ANGRY,
        ConflictKind.NEGATIVE_WORDS_FLAT_VOICE: conflict.words,
        ConflictKind.NEUTRAL_WORDS_AGITATED_VOICE: conflict.voice,
    }.get(conflict.kind)
    if chosen is None:
        return pooled
    return _on_top(pooled, chosen)


def _on_top(pooled: Row, chosen: Emotion) -> Row:
    """The same probabilities with `chosen` in the place of the most probable."""
    settled = pooled.copy()
    top, at = int(settled.argmax()), EMOTIONS.index(chosen)
    settled[top], settled[at] = pooled[at], pooled[top]
    return settled


def _estimate(
    pooled: Row, voice: EmotionEstimate, words: EmotionEstimate, conflict: Conflict | None
) -> EmotionEstimate:
    """Voice carries arousal, words carry valence (Busso et al. 2004): each leads in its own."""
    top = EMOTIONS[int(pooled.argmax())]
    confidence = float(pooled.max())
    if conflict is not None and _in_doubt(conflict):
        confidence = min(confidence, _MOST_IN_DOUBT)
    named = {emotion: float(chance) for emotion, chance in zip(EMOTIONS, pooled, strict=True)}
    return EmotionEstimate(
        MappingProxyType(named),
        valence=0.3 * voice.valence + 0.7 * words.valence,
        arousal=0.7 * voice.arousal + 0.3 * words.arousal,
        intensity=_intensity(top, voice, words, conflict),
        confidence=confidence,
        source=Source.FUSED,
    )


def _intensity(
    top: Emotion, voice: EmotionEstimate, words: EmotionEstimate, conflict: Conflict | None
) -> Intensity:
    if top is Emotion.NEUTRAL:
        return Intensity.NONE
    if conflict is not None and _in_doubt(conflict):
        return Intensity.LOW
    agreeing = [one.intensity for one in (voice, words) if one.top is top]
    steps = [_STEPS.index(step) for step in agreeing or (voice.intensity, words.intensity)]
    return _STEPS[max(1, *steps)]


def _row(estimate: EmotionEstimate) -> Row:
    return np.asarray([[estimate.probabilities.get(emotion, 0.0) for emotion in EMOTIONS]])


def _log(probabilities: Row, floor: float) -> Row:
    """Floored, so that a class a source cannot name is doubted and not forbidden; the voice's floor
    is higher, since a voice unlike its training may be surely neutral and wrong."""
    return np.asarray(np.log(np.maximum(probabilities, floor)))


def pool_of(written: Mapping[str, Any]) -> Pool:
    """The pool of the numbers in `fusion.json`."""

    def row(name: str) -> Row:
        return np.asarray([float(written[name][emotion]) for emotion in EMOTIONS])

    def gate(name: str) -> Gate:
        return Gate(float(written[name]["bias"]), tuple(map(float, written[name]["weights"])))

    return Pool(
        row("voice"),
        row("words"),
        row("bias"),
        gate("voice_gate"),
        gate("words_gate"),
        float(written["temperature"]),
        float(written["sure_voice"]),
        float(written["sure_words"]),
    )


@functools.cache
def shipped_pool() -> Pool:
    """The pool of `weights/fusion.json`.

    Raises `AttuneError` if the file is missing or damaged.
    """
    try:
        return pool_of(json.loads(_SHIPPED.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        raise AttuneError(
            f"{_SHIPPED}: missing or not the weights of a pool; install attune again."
        ) from None
