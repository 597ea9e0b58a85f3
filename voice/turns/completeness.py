"""Does a text sound finished? A linear model over the last words, for endpointing.

Trained by `voice.turns.training` on customer questions cut at random words: a whole sentence is
finished, a proper prefix is not. Text is lower-cased and without punctuation, as recognisers give.
"""

from __future__ import annotations

import functools
import math
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

BUCKETS = 1 << 16
_TAIL = 5
_JOINERS = set(
    "and but because cause since although though that which who whom whose when where while if "
    "unless until whether or so than as before after with without to for from of about".split()
)
_VERBS = set(
    "am is are was were be been have has had do does did can could will would shall should may "
    "might must want need get got give know think see say said tell told like help make made take "
    "took find found go goes went come came keep kept send sent pay paid work works worked cost "
    "costs arrived ordered charged received bought returned broke broken i'm it's that's there's "
    "he's she's what's don't didn't doesn't can't won't isn't wasn't haven't hasn't i've i'd i'll "
    "you're they're we're".split()
)
_WORD = re.compile(r"[a-z']+|\d+")
_WEIGHTS = Path(__file__).with_name("completeness.npz")


def words_of(text: str) -> list[str]:
    """The words of a text in lower case, digits as `0`, at most the last 40 looked at."""
    return ["0" if word.isdigit() else word for word in _WORD.findall(text.lower()[-400:])][-40:]


def feature_indexes(words: list[str]) -> list[int]:
    """Hashed features of the end of an utterance: its last n-grams, its opening and its length."""
    tail = ["<s>", *words][-_TAIL:]
    names = ["bias", f"n={min(len(words), 12)}"]
    names.extend(f"{size}|" + " ".join(tail[-size:]) for size in range(1, len(tail) + 1))
    if len(tail) >= 2:
        names.append(f"skip|{tail[-2]}")
        names.append(f"open|{' '.join(words[:2])}|{tail[-1]}")
    if len(tail) >= 3:
        names.append(f"gap|{tail[-3]} _ {tail[-1]}")
    names.extend(_clause_features(words))
    return [zlib.crc32(name.encode()) % BUCKETS for name in names]


def _clause_features(words: list[str]) -> list[str]:
    """The clause under way: the word that joined it on, its length, whether it has a verb."""
    at = next((i for i in range(len(words) - 1, -1, -1) if words[i] in _JOINERS), -1)
    clause = words[at + 1 :]
    joiner = words[at] if at >= 0 else "<s>"
    verbs = [i for i, word in enumerate(clause) if word in _VERBS]
    after_verb = min(len(clause) - 1 - verbs[-1], 4) if verbs else "none"
    size = min(len(clause), 6)
    return [
        f"clause|{joiner}|{size}|{after_verb}",
        f"clause|{size}|{after_verb}",
        f"joiner|{joiner}|{after_verb}",
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Completeness:
    """The trained model: one weight for each hashed feature."""

    weights: npt.NDArray[np.float32]

    @classmethod
    @functools.cache
    def load(cls) -> Completeness:
        """The shipped weights (int8 with one scale)."""
        with np.load(_WEIGHTS) as stored:
            return cls(stored["weights"].astype(np.float32) * float(stored["scale"]))

    def log_odds(self, text: str) -> float:
        """The log-odds that the caller has finished, from the words alone; 0 without words."""
        words = words_of(text)
        if not words:
            return 0.0
        return float(self.weights[feature_indexes(words)].sum())

    def probability(self, text: str) -> float:
        """The probability that the caller has finished, from the words alone."""
        return 1.0 / (1.0 + math.exp(-self.log_odds(text)))
