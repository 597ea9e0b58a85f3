"""Words and pairs of neighbours, weighed by rarity, in a logistic regression for each label.

The classical baseline of text classification (Wang and Manning 2012), in plain numpy.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]

LONGEST = 2_000
"""Characters of a text that count."""
_TERM = re.compile(r"[\w']+|[!?.]+|[^\w\s]")


def terms_of(text: str) -> list[str]:
    """The text's words and marks, and each pair of neighbours with a space between."""
    words = _TERM.findall(text[:LONGEST].lower())
    return [*words, *map(" ".join, pairwise(words))]


class WordPairs:
    """Logits of labels for a text; `share` is their part in the mean with the networks'."""

    def __init__(
        self, terms: Sequence[str], rarity: Matrix, weights: Matrix, bias: Matrix, share: float
    ) -> None:
        self._numbers = {term: number for number, term in enumerate(terms)}
        self._rarity = rarity
        self._weights = weights
        self._bias = bias
        self.share = share

    @classmethod
    def of(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> WordPairs | None:
        """The regression in a model file's arrays, None where it holds none."""
        if "pairs_terms" not in arrays:
            return None
        scale = arrays["pairs_scale"].astype(np.float32)
        return cls(
            bytes(arrays["pairs_terms"]).decode("utf-8").split("\n"),
            arrays["pairs_rarity"].astype(np.float32),
            arrays["pairs_weights"].astype(np.float32) * scale,
            arrays["pairs_bias"].astype(np.float32),
            float(arrays["pairs_share"].astype(np.float32)[0]),
        )

    def __len__(self) -> int:
        return len(self._numbers)

    def __call__(self, text: str) -> Matrix:
        """Logits of the labels: float32 [labels]."""
        numbers, values = self.features(text)
        return np.asarray(values @ self._weights[numbers] + self._bias, np.float32)

    def features(self, text: str) -> tuple[npt.NDArray[np.intp], Matrix]:
        """The known terms of a text and their weights, of length 1 together."""
        counts = Counter(terms_of(text))
        found = {self._numbers[term]: n for term, n in counts.items() if term in self._numbers}
        numbers = np.asarray(list(found), np.intp)
        often = np.asarray(list(found.values()), np.float32)
        values = (1 + np.log(often)) * self._rarity[numbers]
        return numbers, np.asarray(values / max(1e-9, float(np.linalg.norm(values))), np.float32)
