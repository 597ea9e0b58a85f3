"""How like a text is to a pack's phrases, and what that scores for each intent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nlu.encoder import SentenceEncoder
from nlu.spelling import SpellingLikeness

Matrix = npt.NDArray[np.float64]

_MEANING = 0.8
_RIDGE = 1.0
_RIDGE_WEIGHT = 0.5


def blended(meaning: npt.NDArray[np.float32], spelling: npt.NDArray[np.float32]) -> Matrix:
    """Likeness from that in meaning (of sentence vectors) and, with less weight, in spelling."""
    return _MEANING * meaning.astype(float) + (1 - _MEANING) * spelling.astype(float)


class IntentScores:
    """Scores of intents for a text, and their leave-one-out scores for each phrase."""

    def __init__(
        self, phrases: Sequence[str], intents: Sequence[int], encoder: SentenceEncoder
    ) -> None:
        self.intents = np.asarray(intents)
        self.members = [np.flatnonzero(self.intents == at) for at in range(max(intents) + 1)]
        self.phrases = phrases
        self.vectors = encoder.encode(phrases)
        self._spelling = SpellingLikeness(phrases)
        self._likeness = blended(self.vectors @ self.vectors.T, self._spelling.between_phrases())
        spread = self._likeness + _RIDGE * np.eye(len(phrases))
        self._inverse = np.linalg.inv(spread)
        self._targets = (self.intents[:, None] == np.arange(len(self.members))).astype(float)
        self._ridge = self._inverse @ self._targets
        self._size = np.asarray(
            [np.sqrt(self._likeness[np.ix_(own, own)].mean()) for own in self.members]
        )

    def of(self, text: str, vector: npt.NDArray[np.float32]) -> Matrix:
        """The score of each intent, given the text's sentence vector."""
        likeness = blended(self.vectors @ vector, self._spelling.to_phrases(text))
        centre = np.asarray([likeness[own].mean() for own in self.members]) / self._size
        nearest = np.asarray([likeness[own].max() for own in self.members])
        return np.asarray((centre + nearest) / 2 + _RIDGE_WEIGHT * (likeness @ self._ridge))

    def left_out(self) -> Matrix:
        """The scores each phrase would get if it were not in the pack: [phrases, intents].

        Minus infinity where an intent has no other phrase.
        """
        rows, own = np.arange(len(self.intents)), self.intents
        counts = self._targets.sum(0)
        sums = self._likeness @ self._targets
        inside = np.asarray([(sums[members, at]).sum() for at, members in enumerate(self.members)])
        itself = np.diag(self._likeness)
        others = np.maximum(counts[own] - 1, 1)
        size = np.sqrt(np.maximum(inside[own] - 2 * sums[rows, own] + itself, 1e-9)) / others
        centre = sums / counts / self._size
        centre[rows, own] = (sums[rows, own] - itself) / others / size
        without = self._likeness - np.diag(np.full(len(rows), np.inf))
        nearest = np.stack([without[:, members].max(1) for members in self.members], axis=1)
        residual = self._ridge / np.diag(self._inverse)[:, None]
        return np.asarray((centre + nearest) / 2 + _RIDGE_WEIGHT * (self._targets - residual))
