"""Whether a text belongs to a pack at all, and how sure its likeliest intent is.

What is learned, is learned when the pack is loaded: from the scores that the pack's phrases get
when each is left out, and from those of strangers (`strangers.yaml`), utterances that belong to no
intent. A stranger that a pack knows is none there: what one trade's callers never say is another's
daily question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from nlu import written_data
from nlu.encoder import SentenceEncoder
from nlu.likeness import IntentScores, Matrix, blended
from nlu.probabilities import logistic, softmax
from nlu.spelling import SpellingLikeness

_ACCEPTED_AT_LEAST = 0.92
_THRESHOLDS = (0.4, 0.75)
_STRANGERS = 0.2
_AS_KNOWN_AS = 0.4
"""A stranger that scores as high as this share of the pack's own phrases reach is none there."""
_FEWEST = 20
_GRID = np.geomspace(3, 60, 40)


class Rejection:
    """Chances from the scores of a pack's intents.

    `threshold` is the chance of being known from which a text is taken for one of the pack's.
    """

    def __init__(self, scores: IntentScores, encoder: SentenceEncoder) -> None:
        texts = _written()
        vectors = encoder.encode(texts)
        inside = scores.left_out()
        rows = np.arange(len(inside))
        usable = np.isfinite(inside.max(1)) & np.isfinite(inside[rows, scores.intents])
        if usable.sum() < 8 or len(scores.members) < 2:
            self._strangers = _Strangers(texts, vectors)
            self._calibration = _Calibration(12.0, (20.0, 0.0, 0.0), -10.0)
            self.threshold = 0.5
            return
        foreign = np.stack([scores.of(*pair) for pair in zip(texts, vectors, strict=True)])
        strange = foreign.max(1) < np.quantile(inside[usable].max(1), _AS_KNOWN_AS)
        if strange.sum() < _FEWEST:
            strange[:] = True
        kept = [text for text, keep in zip(texts, strange, strict=True) if keep]
        self._strangers = _Strangers(kept, vectors[strange])
        likest = np.asarray(
            [
                self._strangers.likest(*pair)
                for pair in zip(scores.phrases, scores.vectors, strict=True)
            ]
        )
        self._calibration, self.threshold = _calibrated(
            (inside[usable], likest[usable]),
            scores.intents[usable],
            (foreign[strange], self._strangers.left_out()),
        )

    def chances(self, scores: Matrix, text: str, vector: npt.NDArray[np.float32]) -> Matrix:
        """The chance of each intent, [intents], from the scores of a text; what is missing to 1 is
        the chance that no intent fits."""
        likest = np.asarray([self._strangers.likest(text, vector)])
        sharpness = self._calibration.sharpness
        known = self._calibration.known(_traits(scores[None], likest, sharpness))
        return np.asarray(softmax(scores * sharpness) * known[0])


class _Strangers:
    """Utterances that belong to no intent, and their sentence vectors."""

    def __init__(self, texts: Sequence[str], vectors: npt.NDArray[np.float32]) -> None:
        self._vectors = vectors
        self._spelling = SpellingLikeness(texts)

    def likest(self, text: str, vector: npt.NDArray[np.float32]) -> float:
        """How like the text is to the stranger it is most like."""
        return float(blended(self._vectors @ vector, self._spelling.to_phrases(text)).max())

    def left_out(self) -> Matrix:
        """How like each stranger is to the likest of the others: [strangers]."""
        among = blended(self._vectors @ self._vectors.T, self._spelling.between_phrases())
        return np.asarray((among - 2.0 * np.eye(len(among))).max(1))


@lru_cache(maxsize=1)
def _written() -> tuple[str, ...]:
    return tuple(str(text) for text in written_data.read("strangers.yaml"))


@dataclass(frozen=True, slots=True)
class _Calibration:
    """`sharpness` makes scores to shares; weights and offset make traits to the logit of the
    chance of being known."""

    sharpness: float
    weights: tuple[float, float, float]
    offset: float

    def known(self, traits: Matrix) -> Matrix:
        """The chance that texts with these traits, [texts, 3], belong to any intent: [texts]."""
        logits = traits @ np.asarray(self.weights) + self.offset
        return logistic(np.clip(logits, -30, 30))


def _traits(scores: Matrix, likest: Matrix, sharpness: float) -> Matrix:
    """What tells a known text, [texts, 3], from its scores [texts, intents] and its likeness to a
    stranger [texts]: all scores taken together (their soft maximum), how clearly one intent leads,
    and the likeness."""
    best = scores.max(1)
    spread = np.exp(np.clip((scores - best[:, None]) * sharpness, -60, 0)).sum(1)
    together = best + np.log(spread) / sharpness
    lead = np.clip(1 / spread, 1e-6, 1 - 1e-6)
    return np.stack((together, np.log(lead / (1 - lead)), likest), axis=1)


def _calibrated(
    inside: tuple[Matrix, Matrix], intents: npt.NDArray[np.intp], outside: tuple[Matrix, Matrix]
) -> tuple[_Calibration, float]:
    """The calibration, and the chance that most of the pack's phrases reach.

    `inside` are the scores of the phrases and their likeness to a stranger, `outside` those of the
    strangers.
    """
    own = np.arange(len(intents)), intents
    losses = [-np.log(softmax(inside[0] * sharp)[own] + 1e-9).mean() for sharp in _GRID]
    sharpness = float(_GRID[int(np.argmin(losses))])
    known = _traits(*inside, sharpness)
    calibration = _Calibration(sharpness, *_logistic(known, _traits(*outside, sharpness)))
    lowest = float(np.quantile(calibration.known(known), 1 - _ACCEPTED_AT_LEAST))
    return calibration, float(np.clip(lowest, *_THRESHOLDS))


def _logistic(known: Matrix, strange: Matrix) -> tuple[tuple[float, float, float], float]:
    """Weights and offset of P(known | traits), as if a fifth were strangers (Newton steps)."""
    inputs = np.concatenate((known, strange))
    middle, spread = inputs.mean(0), inputs.std(0) + 1e-9
    inputs = np.column_stack(((inputs - middle) / spread, np.ones(len(inputs))))
    wanted = np.concatenate((np.ones(len(known)), np.zeros(len(strange))))
    weight = np.where(wanted == 1, (1 - _STRANGERS) / len(known), _STRANGERS / len(strange)) * 100
    held_back = np.asarray([0.02, 0.02, 0.02, 1e-6])
    found = np.zeros(4)
    for _ in range(50):
        chance = logistic(np.clip(inputs @ found, -30, 30))
        gradient = inputs.T @ (weight * (chance - wanted)) + held_back * found
        curvature = (inputs * (weight * chance * (1 - chance))[:, None]).T @ inputs
        curvature += np.diag(held_back)
        found = found - np.clip(np.linalg.solve(curvature, gradient), -2, 2)
    # Neither a lower score nor likeness to a stranger may make a text better known.
    together, lead, likest = max(found[0], 0.5), found[1], min(found[2], 0.0)
    weights = np.asarray((together, lead, likest)) / spread
    return (
        (float(weights[0]), float(weights[1]), float(weights[2])),
        float(found[3] - weights @ middle),
    )
