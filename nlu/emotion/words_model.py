"""The shipped text model: small convolutional networks over pieces of words, in plain numpy.

Method: Kim 2014. Filters of several widths over piece vectors, the highest response of each filter
over the text, one linear layer; before them layers that add to each piece what its neighbours make
of it (He et al. 2016). The labels and their groups are asked of a regression on words and
pairs of words as well, which errs elsewhere. The model card is `nlu/weights/text.md`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nlu.emotion.labels import GOEMOTIONS
from nlu.emotion.word_pairs import WordPairs
from nlu.emotion.words_trust import WordsTrust
from nlu.errors import AttuneError
from nlu.wordpiece import WordPiece

Matrix = npt.NDArray[np.float32]

SHIPPED = Path(__file__).parent.parent / "weights" / "text.npz"
LONGEST = 192
LABELS = len(GOEMOTIONS)


@dataclass(frozen=True, slots=True, eq=False)
class WordsOutput:
    """Logits for one text, and the share of its pieces that the model knows."""

    labels: Matrix
    """Independent logits: the 28 labels, then Ekman's 7, the 4 sentiments, the 7 of service."""
    desk: Matrix
    """Logits of the seven service emotions, one of which holds, for speech at a service desk."""
    members: Matrix
    """The same of each network alone: [networks, 7]."""
    known: float


class WordsModel:
    """Pieces of words to logits, the mean of the networks in the file, and of their word pairs.

    The first 192 pieces of a text count.
    """

    def __init__(self, weights: dict[str, npt.NDArray[np.generic]]) -> None:
        self.words = WordPiece(bytes(weights["vocabulary"]).decode("utf-8").split("\n"))
        widths = [int(width) for width in weights["widths"].tolist()]
        count = sum(name.startswith("vectors_") for name in weights)
        self._members = [_Member(weights, str(at), widths) for at in range(count)]
        self._pairs = WordPairs.of(weights)
        self.thresholds = weights["thresholds"].astype(np.float32)
        self.temperatures = weights["temperatures"].astype(np.float32)
        self.blend = weights["blend"].astype(np.float32)
        self.trust = WordsTrust.of(weights)
        self._outputs = len(weights["linear_bias_0"]) - 7

    @classmethod
    def load(cls, path: Path | None = None) -> WordsModel:
        """The shipped model, or the one at `path` (an `.npz` of `attune train text`).

        Raises `AttuneError` if the file is missing or holds no such model.
        """
        return _load(path or SHIPPED)

    def __call__(self, text: str) -> WordsOutput:
        """The logits of `text`; zeros when it has no piece at all."""
        pieces = self.words(text, LONGEST)
        if not pieces:
            none = np.zeros((len(self._members), 7), np.float32)
            return WordsOutput(np.zeros(self._outputs, np.float32), none[0], none, 0.0)
        known = 1.0 - pieces.count(self.words.unknown) / len(pieces)
        numbers = np.asarray(pieces)
        each = np.stack([member.logits(numbers) for member in self._members])
        labels, members = each[:, : self._outputs].mean(axis=0), each[:, self._outputs :]
        if self._pairs is not None:
            share, asked = self._pairs.share, self._pairs(text)
            labels[: len(asked)] = (1 - share) * labels[: len(asked)] + share * asked
        return WordsOutput(labels, members.mean(axis=0), members, known)


class _Member:
    """One network of the file; `at` ends the names of its arrays."""

    def __init__(
        self, weights: dict[str, npt.NDArray[np.generic]], at: str, widths: Sequence[int]
    ) -> None:
        self._vectors = weights[f"vectors_{at}"]
        self._scales = weights[f"scales_{at}"].astype(np.float32)
        layers = sum(name.startswith("layer") and name.endswith(f"_{at}") for name in weights)
        self._layers = [
            (
                _dequantised(weights, f"turning{number}", at),
                weights[f"layer{number}_{at}"].astype(np.float32),
            )
            for number in range(layers)
        ]
        self._filters = {
            width: (
                _dequantised(weights, f"filters{width}", at),
                weights[f"bias{width}_{at}"].astype(np.float32),
            )
            for width in widths
        }
        self._linear = _dequantised(weights, "linear", at)
        self._linear_bias = weights[f"linear_bias_{at}"].astype(np.float32)

    def logits(self, pieces: npt.NDArray[np.intp]) -> Matrix:
        """Logits of every output for the pieces of one text."""
        embedded = self._vectors[pieces].astype(np.float32) * self._scales[pieces, None]
        for turning, bias in self._layers:
            embedded = embedded + np.maximum(_windows(embedded, 3, 1) @ turning + bias, 0.0)
        features = []
        for width, (filters, bias) in self._filters.items():
            windows = _windows(embedded, width, width - 1)
            features.append(np.maximum((windows @ filters).max(0) + bias, 0.0))
        return np.asarray(np.concatenate(features) @ self._linear + self._linear_bias, np.float32)


def _windows(vectors: Matrix, width: int, beyond: int) -> Matrix:
    """Every `width` neighbours in one row, with `beyond` rows of zeros before and after them."""
    padded = np.pad(vectors, ((beyond, beyond), (0, 0)))
    count = len(padded) - width + 1
    return np.concatenate([padded[at : at + count] for at in range(width)], axis=1)


def _dequantised(weights: dict[str, npt.NDArray[np.generic]], name: str, at: str) -> Matrix:
    rounded = weights[f"{name}_{at}"].astype(np.float32)
    return rounded * weights[f"{name}_scale_{at}"].astype(np.float32)


@lru_cache(maxsize=4)
def _load(path: Path) -> WordsModel:
    try:
        with np.load(path) as file:
            return WordsModel({name: file[name] for name in file.files})
    except FileNotFoundError:
        raise AttuneError(
            f"{path}: the text model is not there; train one with `attune train text`."
        ) from None
    except (ValueError, KeyError, OSError) as error:
        raise AttuneError(
            f"{path}: not a text model ({error}); train one with `attune train text`."
        ) from None
