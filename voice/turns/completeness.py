"""Does a text sound finished? A small recurrent network over the words, for endpointing.

Trained by `voice.turns.training` on texts of customers: after the last word of a sentence the
caller has finished it, after any other they have not; and after some sentences ("the lamp is
broken") another one comes more often than after others ("where is my order"). Text is lower-cased
and without punctuation, as recognisers give. The words go in as the shipped encoder's vectors of
their pieces; the 2,000 most frequent pieces have vectors of their own beside it, as what follows
"to" and "the" hangs on them.
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nlu.encoder import Encoder

Floats = npt.NDArray[np.float32]

PIECES = 40
"""Of a text, its last ones are looked at."""
_LOOKED_BACK = 400
_OPENING = 3
"""Words in which no sentence has ended yet that says what is wanted."""
_WORD = re.compile(r"[a-z']+|\d")
_DIGITS = "zero one two three four five six seven eight nine".split()
_WEIGHTS = Path(__file__).with_name("completeness.npz")


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, every digit as a word; of a long text its end."""
    found = _WORD.findall(text.lower()[-_LOOKED_BACK:])
    return [_DIGITS[int(word)] if word in "0123456789" else word for word in found]


def pieces_of(words: list[str], encoder: Encoder) -> list[int]:
    """The numbers of the last pieces of these words in the encoder's vocabulary."""
    return encoder.words(" ".join(words))[-PIECES:]


@dataclass(frozen=True, slots=True)
class Judged:
    """Log-odds, from the words alone: that a sentence has ended; that, where one has, the caller
    goes on with another; that one ended at the place before the last two words where that was
    likeliest."""

    finished: float = 0.0
    goes_on: float = 0.0
    ended_before: float = -math.inf


@dataclass(frozen=True, slots=True, eq=False)
class Completeness:
    """The trained network: a gated recurrent unit (Cho et al. 2014) and a linear output."""

    encoder: Encoder
    weights: dict[str, Floats]
    own_row: npt.NDArray[np.int64]
    """For each piece of the vocabulary its row among the own vectors."""

    @classmethod
    @functools.cache
    def load(cls, path: Path = _WEIGHTS) -> Completeness:
        """The shipped weights, or others: int8, each matrix with its scale."""
        with np.load(path) as stored:
            weights = {
                name: stored[name].astype(np.float32) * np.float32(stored[f"{name}.scale"])
                for name in stored.files
                if f"{name}.scale" in stored.files
            }
            frequent = stored["frequent"]
        encoder = Encoder.load()
        own_row = np.full(len(encoder.words.vocabulary), len(frequent), dtype=np.int64)
        own_row[frequent] = np.arange(len(frequent))
        return cls(encoder, weights, own_row)

    def judge(self, text: str) -> Judged:
        """How finished a text sounds; undecided without words."""
        words = words_of(text)
        return _judged(self, tuple(pieces_of(words, self.encoder))) if words else Judged()


@functools.lru_cache(maxsize=64)
def _judged(model: Completeness, pieces: tuple[int, ...]) -> Judged:
    weights, numbers = model.weights, np.asarray(pieces)
    vectors = model.encoder.piece_vectors(numbers)
    known = np.tanh(vectors @ weights["project"] + weights["project_bias"])
    steps = np.concatenate((known, weights["own"][model.own_row[numbers]]), axis=1)
    inputs = steps @ weights["input"] + weights["input_bias"]
    size = len(weights["output"])
    recurrent, recurrent_bias = weights["recurrent"], weights["recurrent_bias"]
    states = np.zeros((len(inputs) + 1, size), dtype=np.float32)
    for at, step in enumerate(inputs):
        before = states[at] @ recurrent + recurrent_bias
        gates = 1.0 / (1.0 + np.exp(-(step[: 2 * size] + before[: 2 * size])))
        fresh = np.tanh(step[2 * size :] + gates[:size] * before[2 * size :])
        states[at + 1] = fresh + gates[size:] * (states[at] - fresh)
    odds = states[1:] @ weights["output"] + weights["output_bias"]
    vocabulary = model.encoder.words.vocabulary
    ends = [at for at in range(len(pieces) - 1) if vocabulary[pieces[at + 1]][:2] != "##"]
    ended_before = max((float(odds[at, 0]) for at in ends[_OPENING:-1]), default=-math.inf)
    return Judged(float(odds[-1, 0]), float(odds[-1, 1]), ended_before)
