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
        self._weights = [self._weighted(grams) for grams in found]
        columns = np.concatenate([columns for columns, _ in self._weights])
        order = np.argsort(columns, kind="stable")
        self._starts = np.searchsorted(columns[order], np.arange(len(seen) + 1))
        sizes = [len(columns) for columns, _ in self._weights]
        self._holders = np.repeat(np.arange(len(sizes)), sizes)[order]
        self._held = np.concatenate([values for _, values in self._weights])[order]

    def to_phrases(self, text: str) -> npt.NDArray[np.float32]:
        """The cosine of `text` to each phrase: float32 [len(phrases)]."""
        return self._to_phrases(*self._weighted(_grams(text)))

    def between_phrases(self) -> npt.NDArray[np.float32]:
        """The cosine of each phrase to each: float32 [len(phrases), len(phrases)]."""
        return np.stack([self._to_phrases(*weights) for weights in self._weights])

    def _to_phrases(
        self, columns: npt.NDArray[np.intp], values: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """The cosine to each phrase: of every gram, what each phrase that holds it adds."""
        starts = self._starts[columns]
        counts = self._starts[columns + 1] - starts
        places = np.arange(counts.sum()) + np.repeat(starts - np.cumsum(counts) + counts, counts)
        added = self._held[places] * np.repeat(values, counts)
        whole = np.bincount(self._holders[places], added, minlength=len(self._weights))
        return np.asarray(whole, np.float32)

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
