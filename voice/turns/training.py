"""How the completeness model was made: `python -m voice.turns.training --data DIR` (extra `train`).

Data: the training parts of CLINC150 (CC BY 3.0), Banking77 (CC BY 4.0) and GoEmotions (CC BY 4.0),
and the example phrases of the shipped packs.
Every sentence end is a positive; two random proper prefixes of each sentence are negatives. Texts
are split by hash: one in ten is held out for the figures that are printed.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from dialogue.packs.loader import load_pack, shipped_packs
from voice.turns.completeness import BUCKETS, feature_indexes, words_of

SEED = 0
_PACK_WEIGHT = 6
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_WEIGHTS = Path(__file__).with_name("completeness.npz")


def texts(data: Path) -> Iterator[str]:
    """Every training text of the three corpora."""
    clinc = json.loads((data / "clinc150" / "data_full.json").read_text(encoding="utf-8"))
    yield from (row[0] for part in ("train", "oos_train") for row in clinc[part])
    with (data / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        yield from (row["text"] for row in csv.DictReader(file))
    for line in (data / "goemotions" / "train.tsv").read_text(encoding="utf-8").splitlines():
        text = line.split("\t")[0]
        if "[" not in text and "/" not in text:
            yield text
    for pack in shipped_packs():
        for phrases in load_pack(pack).language().intents.values():
            yield from (phrase for phrase in phrases for _ in range(_PACK_WEIGHT))


def examples(text: str, rng: random.Random) -> Iterator[tuple[list[str], int]]:
    """(words so far, finished?) for every sentence end and random prefixes of one text."""
    before: list[str] = []
    for sentence in _SENTENCE.split(text):
        words = words_of(sentence)
        if not words:
            continue
        yield before + words, 1
        for _ in range(2):
            if len(words) > 1:
                yield before + words[: rng.randrange(1, len(words))], 0
        before = before + words


def matrix(rows: list[list[int]]) -> Any:
    """Hashed features as a sparse matrix (scipy CSR)."""
    from scipy import sparse

    indptr = np.cumsum([0] + [len(row) for row in rows])
    indexes = np.concatenate([np.asarray(row) for row in rows])
    values = np.ones(len(indexes), dtype=np.float32)
    return sparse.csr_matrix((values, indexes, indptr), shape=(len(rows), BUCKETS))


def main() -> None:
    """Train, print held-out figures, write the weights."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=_WEIGHTS)
    options = parser.parse_args()
    rng = random.Random(SEED)
    parts: dict[bool, tuple[list[list[int]], list[int]]] = {True: ([], []), False: ([], [])}
    for text in texts(options.data):
        rows, labels = parts[zlib.crc32(text.encode()) % 10 == 0]
        for words, label in examples(text, rng):
            rows.append(feature_indexes(words))
            labels.append(label)
    model = LogisticRegression(C=0.5, max_iter=200, fit_intercept=False, class_weight="balanced")
    model.fit(matrix(parts[False][0]), parts[False][1])
    scale = float(np.abs(model.coef_).max()) / 127.0
    weights = np.round(model.coef_[0] / scale).astype(np.int8)
    np.savez_compressed(options.out, weights=weights, scale=np.float32(scale))
    scores = matrix(parts[True][0]) @ (weights.astype(np.float32) * scale)
    print(f"held-out AUC {roc_auc_score(parts[True][1], scores):.3f} (n={len(scores)})")  # noqa: T201


if __name__ == "__main__":
    main()
