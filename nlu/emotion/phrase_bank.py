"""Feelings shown without being named: likeness to a bank of phrases, by sentence vectors."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import numpy.typing as npt

from nlu import written_data
from nlu.encoder import SentenceEncoder
from nlu.errors import AttuneError
from nlu.types import Emotion

Matrix = npt.NDArray[np.float64]

_RIDGE = 0.7
_NEAREST = 3
# A phrase said almost as it stands in the bank is its author's word against the network's.
_CLOSE = 0.75
_CLOSE_WEIGHT = 12.0
EMOTIONS: tuple[Emotion, ...] = tuple(Emotion)


@cache
def default_phrases() -> dict[Emotion, tuple[str, ...]]:
    """The bank that comes with Attune; a pack's phrases are added to it."""
    written: dict[str, list[str]] = written_data.read("phrase_bank.yaml")
    return {Emotion(name): tuple(said) for name, said in written.items()}


def closeness(nearest: Matrix) -> Matrix:
    """What phrases said almost as they stand add to logits, from their cosines [..., 7]."""
    return np.asarray(_CLOSE_WEIGHT * np.maximum(0.0, nearest - _CLOSE))


class PhraseBank:
    """Scores a sentence for each emotion by its nearest phrases and by kernel ridge regression.

    `phrases` maps names of `Emotion` to phrases, added to the bank that comes with Attune; an
    unknown name raises `AttuneError`. A phrase under two names keeps the pack's.
    """

    def __init__(self, phrases: Mapping[str, tuple[str, ...]], encoder: SentenceEncoder) -> None:
        labelled = {said: emotion for emotion, known in default_phrases().items() for said in known}
        for name, said in phrases.items():
            if name not in EMOTIONS:
                raise AttuneError(
                    f"phrase_bank: {name!r} is no emotion; use one of {', '.join(EMOTIONS)}."
                )
            labelled.update(dict.fromkeys(said, Emotion(name)))
        self.phrases = tuple(labelled)
        self.labels = np.asarray([EMOTIONS.index(emotion) for emotion in labelled.values()])
        self._vectors = encoder.encode(self.phrases)
        # Solved in the space of the vectors, which does not grow with the bank.
        inner = self._vectors.T.astype(float) @ self._vectors + _RIDGE * np.eye(encoder.dimensions)
        self._solved = np.linalg.solve(inner, self._vectors.T.astype(float))
        targets = (self.labels[:, None] == np.arange(len(EMOTIONS))).astype(float)
        self._ridge = self._solved @ (targets - 1 / len(EMOTIONS))

    def score(self, vector: npt.NDArray[np.float32]) -> tuple[Matrix, Matrix]:
        """A score for each emotion, and the cosine of its nearest phrase: [7], [7]."""
        likeness = (self._vectors @ vector).astype(float)
        nearest = np.full(len(EMOTIONS), -1.0)
        np.maximum.at(nearest, self.labels, likeness)
        return self._from(likeness, vector.astype(float) @ self._ridge), nearest

    def left_out(self) -> Matrix:
        """The scores of each phrase as if it were not in the bank: [phrases, 7]."""
        targets = (self.labels[:, None] == np.arange(len(EMOTIONS))) - 1 / len(EMOTIONS)
        vectors = self._vectors.astype(float)
        own = np.einsum("ij,ji->i", vectors, self._solved)[:, None]
        ridge = targets - (targets - vectors @ self._ridge) / (1 - own)
        likeness = vectors @ vectors.T
        np.fill_diagonal(likeness, -1.0)
        scores = [self._from(row, made) for row, made in zip(likeness, ridge, strict=True)]
        return np.stack(scores)

    def _from(self, likeness: Matrix, ridge: Matrix) -> Matrix:
        near = np.full(len(EMOTIONS), -0.2)
        for emotion in range(len(EMOTIONS)):
            own = np.sort(likeness[self.labels == emotion])[-_NEAREST:]
            if len(own):
                near[emotion] = (own[-1] + own.mean()) / 2
        return near + ridge
