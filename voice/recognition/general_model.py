"""The general English language model that comes with pocketsphinx, as arrays.

pocketsphinx can look its model up and use it, but not hand it out: writing it as ARPA loses the
3-grams and may end the process. So the file is read here. Its layout is that of pocketsphinx 5's
`lm_trie.c`: a header, a quantisation table of 65,536 values for each kind of number, the 1-grams,
and bit-packed tables of 2-grams and 3-grams sorted by their *last* word first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlu.errors import AttuneError

_MAGIC = b"Trie Language Model"
_BINS = 65_536
_LOG_BASE = math.log(1.0001)
_UNIGRAM = np.dtype([("probability", "<f4"), ("backoff", "<f4"), ("next", "<u4")])

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class GeneralModel:
    """A 3-gram model in natural logarithms. `pairs` holds word ids in spoken order [n, 2] and
    `triples` [m, 3]; rows are in no promised order."""

    words: tuple[str, ...]
    log_probability: Floats
    log_backoff: Floats
    pairs: Ids
    pair_log_probability: Floats
    pair_log_backoff: Floats
    triples: Ids
    triple_log_probability: Floats


def default_path() -> Path:
    """Where pocketsphinx keeps its English language model."""
    import pocketsphinx

    return Path(pocketsphinx.get_model_path("en-us/en-us.lm.bin"))


def read(path: Path | None = None) -> GeneralModel:
    """The whole model. Takes about a second and 200 MB while it works."""
    path = path or default_path()
    data = np.fromfile(path, np.uint8)
    head = data[:64].tobytes()
    if not head.startswith(_MAGIC) or head[len(_MAGIC)] != 3:
        raise AttuneError(
            f"{path} is not a 3-gram model in pocketsphinx's binary format: install pocketsphinx 5."
        )
    at = len(_MAGIC) + 1
    n_words, n_pairs, n_triples = (int(n) for n in np.frombuffer(head, "<u4", 3, at))
    at += 12 + 4
    tables = _take(data, at, "<f4", 3 * _BINS).astype(np.float64) * _LOG_BASE
    at += 3 * _BINS * 4
    unigrams = _take(data, at, _UNIGRAM, n_words + 1)
    at += _UNIGRAM.itemsize * (n_words + 1)

    word_bits, next_bits = n_words.bit_length(), n_triples.bit_length()
    pair_bits, triple_bits = word_bits + 32 + next_bits, word_bits + 16
    pair_bytes = ((1 + n_pairs) * pair_bits + 7) // 8 + 8
    triple_bytes = ((1 + n_triples) * triple_bits + 7) // 8 + 8
    packed = data[at : at + pair_bytes]
    before = _bits(packed, n_pairs, pair_bits, 0, word_bits)
    backoff = _bits(packed, n_pairs, pair_bits, word_bits, 16)
    probability = _bits(packed, n_pairs, pair_bits, word_bits + 16, 16)
    first_triple = _bits(packed, n_pairs + 1, pair_bits, word_bits + 32, next_bits)
    at += pair_bytes
    packed = data[at : at + triple_bytes]
    earliest = _bits(packed, n_triples, triple_bits, 0, word_bits)
    triple_probability = _bits(packed, n_triples, triple_bits, word_bits, 16)
    at += triple_bytes
    text_bytes = int(_take(data, at, "<u4", 1)[0])
    words = data[at + 4 : at + 4 + text_bytes].tobytes().decode().split("\0")[:n_words]

    # The tables have a few more places than n-grams: the counts of the header are upper bounds.
    followers = np.diff(unigrams["next"].astype(np.int64)).astype(np.int64)
    n_pairs = int(followers.sum())
    pairs = np.column_stack([before[:n_pairs], np.repeat(np.arange(n_words), followers)])
    before_pair = np.diff(first_triple[: n_pairs + 1])
    n_triples = int(before_pair.sum())
    owner = np.repeat(np.arange(n_pairs), before_pair)
    return GeneralModel(
        words=tuple(words),
        log_probability=unigrams["probability"][:-1].astype(np.float64) * _LOG_BASE,
        log_backoff=unigrams["backoff"][:-1].astype(np.float64) * _LOG_BASE,
        pairs=pairs,
        pair_log_probability=tables[:_BINS][probability[:n_pairs]],
        pair_log_backoff=tables[_BINS : 2 * _BINS][backoff[:n_pairs]],
        triples=np.column_stack([earliest[:n_triples], pairs[owner]]),
        triple_log_probability=tables[2 * _BINS :][triple_probability[:n_triples]],
    )


def _take(
    data: npt.NDArray[np.uint8], at: int, dtype: npt.DTypeLike, count: int
) -> npt.NDArray[Any]:
    kind = np.dtype(dtype)
    return np.frombuffer(data[at : at + kind.itemsize * count].tobytes(), kind, count)


def _bits(packed: npt.NDArray[np.uint8], count: int, stride: int, offset: int, width: int) -> Ids:
    """`count` little-endian bit fields of `width`, one every `stride` bits from `offset`."""
    position = np.arange(count, dtype=np.int64) * stride + offset
    byte = position >> 3
    value = np.zeros(count, np.uint64)
    for k in range(8):
        value |= packed[byte + k].astype(np.uint64) << np.uint64(8 * k)
    value >>= (position & 7).astype(np.uint64)
    return (value & np.uint64((1 << width) - 1)).astype(np.int64)
