"""Sentences to vectors: a small encoder of our own in numpy, or MiniLM, behind one protocol."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nlu.errors import AttuneError
from nlu.wordpiece import WordPiece

Vectors = npt.NDArray[np.float32]

_SHIPPED = Path(__file__).parent / "weights" / "encoder.npz"
_MOST_PIECES = 128
_BATCH = 256


class SentenceEncoder(Protocol):
    """Anything that turns sentences into vectors whose dot product is their likeness."""

    dimensions: int

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row of length 1 for each text: float32 [len(texts), dimensions].

        A text without a single known piece gives a row of zeros.
        """


class Encoder:
    """Distilled from all-MiniLM-L6-v2: piece vectors, one convolution, attentive mean.

    Vector = P p + Q relu(R p), where p is the mean of h(t) = e(t) + relu(conv3(e))(t) over the
    pieces t, weighted by exp(a(t) + v.h(t)). The first 128 pieces of a text count.
    """

    def __init__(self, weights: dict[str, npt.NDArray[np.generic]]) -> None:
        self.words = WordPiece(bytes(weights["vocabulary"]).decode("utf-8").split("\n"))
        self._vectors = weights["vectors"]
        self._scales = weights["scales"].astype(np.float32)
        self._attention = weights["attention"].astype(np.float32)
        self._query = weights["query"].astype(np.float32)
        self._convolution = weights["convolution"].astype(np.float32)
        self._bias = weights["convolution_bias"].astype(np.float32)
        self._linear = weights["linear"].astype(np.float32)
        self._inner = weights["inner"].astype(np.float32)
        self._inner_bias = weights["inner_bias"].astype(np.float32)
        self._outer = weights["outer"].astype(np.float32)
        self.dimensions: int = self._linear.shape[1]

    @classmethod
    def load(cls, path: Path | None = None) -> Encoder:
        """The shipped encoder, or the one at `path` (an `.npz` of `attune train encoder`).

        Raises `AttuneError` if the file is missing or is no encoder.
        """
        return _load(path or _SHIPPED)

    def encode(self, texts: Sequence[str]) -> Vectors:
        """One row of length 1 for each text: float32 [len(texts), dimensions]."""
        rows = np.zeros((len(texts), self.dimensions), np.float32)
        pieces = [self.words(text, _MOST_PIECES) for text in texts]
        filled = [at for at, numbers in enumerate(pieces) if numbers]
        for start in range(0, len(filled), _BATCH):
            chosen = filled[start : start + _BATCH]
            rows[chosen] = self._vectors_of([pieces[at] for at in chosen])
        return rows

    def piece_vectors(self, numbers: npt.NDArray[np.int64]) -> Vectors:
        """The vectors of pieces, given by their numbers: float32 [len(numbers), 208] as shipped."""
        return self._vectors[numbers].astype(np.float32) * self._scales[numbers, None]

    def known_share(self, text: str) -> float:
        """The share of pieces of `text` that are in the vocabulary, 0 when there are none."""
        pieces = self.words(text, _MOST_PIECES)
        return 1.0 - pieces.count(self.words.unknown) / len(pieces) if pieces else 0.0

    def _vectors_of(self, texts: Sequence[Sequence[int]]) -> Vectors:
        """Vectors of texts given as pieces, all in one go: a row of zeros parts the texts."""
        numbers = np.asarray([0, *(n for text in texts for n in (*text, 0))])
        lengths = np.asarray([len(text) for text in texts])
        starts = np.concatenate(([0], np.cumsum(lengths)[:-1]))
        places = np.arange(lengths.sum()) + np.repeat(np.arange(1, len(texts) + 1), lengths)
        table = np.zeros((len(numbers), self._vectors.shape[1]), np.float32)
        table[places] = self.piece_vectors(numbers[places])
        windows = np.concatenate((table[places - 1], table[places], table[places + 1]), axis=1)
        hidden = table[places] + np.maximum(windows @ self._convolution + self._bias, 0.0)
        logits = self._attention[numbers[places]] + hidden @ self._query
        highest = np.repeat(np.maximum.reduceat(logits, starts), lengths)
        weights = np.exp(logits - highest)[:, None]
        mean = np.add.reduceat(weights * hidden, starts) / np.add.reduceat(weights, starts)
        inner = np.maximum(mean @ self._inner + self._inner_bias, 0.0)
        vectors = mean @ self._linear + inner @ self._outer
        size = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(size, 1e-12), np.float32)


@lru_cache(maxsize=4)
def _load(path: Path) -> Encoder:
    try:
        with np.load(path) as file:
            return Encoder({name: file[name] for name in file.files})
    except FileNotFoundError:
        raise AttuneError(
            f"{path}: the sentence encoder is not there; train one with `attune train encoder`."
        ) from None
    except (ValueError, KeyError, OSError) as error:
        raise AttuneError(
            f"{path}: not a sentence encoder ({error}); train one with `attune train encoder`."
        ) from None
