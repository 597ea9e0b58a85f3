"""Likeness in spelling: character n-grams inside words, which survive a recogniser's errors."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nlu.wordpiece import plain

_SHORTEST = 3
_LONGEST = 5
_MOST_CHARACTERS = 2_000
_LETTERS = str.maketrans(dict.fromkeys('.,;:!?"()[]{}<>/\\|*_-+=~^#@&%$£€', " "))


class SpellingLikeness:
    """Cosine of tf-idf weighted character n-grams (3 to 5) and words, known from `phrases`."""

    def __init__(self, phrases: Sequence[str]) -> None:
        found = [_grams(phrase) for phrase in phrases]
        seen = Counter(gram for grams in found for gram in grams)
        self._column = {gram: number for number, gram in enumerate(seen)}
        self._rarity = np.asarray(
            [math.log((1 + len(phrases)) / (1 + count)) + 1 for count in seen.values()], np.float32
        )
        self._phrases = np.zeros((len(phrases), len(seen)), np.float32)
        for row, grams in zip(self._phrases, found, strict=True):
            columns, values = self._weighted(grams)
            row[columns] = values

    def to_phrases(self, text: str) -> npt.NDArray[np.float32]:
        """The cosine of `text` to each phrase: float32 [len(phrases)]."""
        columns, values = self._weighted(_grams(text))
        return np.asarray(self._phrases[:, columns] @ values, np.float32)

    def between_phrases(self) -> npt.NDArray[np.float32]:
        """The cosine of each phrase to each: float32 [len(phrases), len(phrases)]."""
        return self._phrases @ self._phrases.T

    def _weighted(
        self, grams: Counter[str]
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float32]]:
        known = [
            (self._column[gram], count) for gram, count in grams.items() if gram in self._column
        ]
        columns = np.asarray([column for column, _ in known], np.intp)
        counts = np.asarray([count for _, count in known], np.float32)
        values = (1 + np.log(counts)) * self._rarity[columns] if known else counts
        length = float(np.linalg.norm(values))
        return columns, values / length if length > 0 else values


def _grams(text: str) -> Counter[str]:
    grams: Counter[str] = Counter()
    for word in plain(text[:_MOST_CHARACTERS]).translate(_LETTERS).split():
        padded = f" {word[:40]} "
        grams["=" + padded] += 1
        for size in range(_SHORTEST, _LONGEST + 1):
            for at in range(len(padded) - size + 1):
                grams[padded[at : at + size]] += 1
    return grams
