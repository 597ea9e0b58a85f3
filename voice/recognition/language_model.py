"""N-gram language models: counted from a few sentences, mixed with a general one, written as ARPA.

A model here is a back-off model over a fixed vocabulary, in plain probabilities. The domain part
is Witten-Bell smoothed (Witten and Bell 1991); two models are mixed n-gram by n-gram with one
weight and their back-offs computed anew, as in static interpolation (Stolcke, SRILM 2002).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voice.recognition.general_model import GeneralModel

START, END = "<s>", "</s>"

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class BackoffModel:
    """A 3-gram back-off model over `words`.

    `pairs` and `triples` are sorted keys: with V words, the pair (u, v) is u*V + v and the triple
    (u, v, w) is (u*V + v)*V + w. Every history of a triple is among the pairs.
    """

    words: tuple[str, ...]
    one: Floats
    one_backoff: Floats
    pairs: Ids
    two: Floats
    two_backoff: Floats
    triples: Ids
    three: Floats

    def given_one(self, pairs: Ids) -> Floats:
        """P(v | u) for pair keys."""
        size = len(self.words)
        place, seen = _find(self.pairs, pairs)
        unseen = self.one_backoff[pairs // size] * self.one[pairs % size]
        return np.where(seen, _at(self.two, place), unseen)

    def given_two(self, triples: Ids) -> Floats:
        """P(w | u, v) for triple keys."""
        size = len(self.words)
        place, seen = _find(self.triples, triples)
        history, history_seen = _find(self.pairs, triples // size)
        backoff = np.where(history_seen, _at(self.two_backoff, history), 1.0)
        unseen = backoff * self.given_one(triples % (size * size))
        return np.where(seen, _at(self.three, place), unseen)


def count_model(sentences: Mapping[tuple[str, ...], float], words: Sequence[str]) -> BackoffModel:
    """A Witten-Bell model of weighted sentences, over `words` (unknown words end a context)."""
    size = len(words)
    index = {word: i for i, word in enumerate(words)}
    ones: defaultdict[int, float] = defaultdict(float)
    twos: defaultdict[int, float] = defaultdict(float)
    threes: defaultdict[int, float] = defaultdict(float)
    for sentence, weight in sentences.items():
        ids = [index.get(word, -1) for word in (START, *sentence, END)]
        for position, word in enumerate(ids):
            if word < 0 or position == 0:
                continue
            ones[word] += weight
            before = ids[position - 1]
            if before < 0:
                continue
            twos[before * size + word] += weight
            earlier = ids[position - 2] if position > 1 else -1
            if earlier >= 0:
                threes[(earlier * size + before) * size + word] += weight

    count_one = np.zeros(size)
    for word, count in ones.items():
        count_one[word] = count
    kinds = np.count_nonzero(count_one)
    total = count_one.sum()
    one = (count_one + kinds / size) / (total + kinds) if total else np.full(size, 1 / size)

    pairs, count_two = _sorted(twos)
    two, escape_one = _witten_bell(pairs // size, count_two, one[pairs % size], size)
    triples, count_three = _sorted(threes)
    place, _ = _find(pairs, triples % (size * size))
    history, _ = _find(pairs, triples // size)
    three, escape_two = _witten_bell(history, count_three, _at(two, place), len(pairs))
    return BackoffModel(tuple(words), one, escape_one, pairs, two, escape_two, triples, three)


def general_model(general: GeneralModel, words: Sequence[str]) -> BackoffModel:
    """The general model cut down to `words`: n-grams with other words are dropped, 1-grams scaled
    to sum to one, and words that it does not know share the probability of a rare word."""
    size = len(words)
    index = {word: i for i, word in enumerate(words)}
    new = np.array([index.get(word, -1) for word in general.words])
    known = new >= 0
    one = np.full(size, 1e-7)
    one[new[known]] = np.exp(general.log_probability[known])
    start = index[START]
    one[start] = 0.0
    one /= one.sum()

    pairs = new[general.pairs]
    keep = (pairs >= 0).all(axis=1) & (pairs[:, 1] != start)
    pair_keys = pairs[keep, 0] * size + pairs[keep, 1]
    order = np.argsort(pair_keys)
    triples = new[general.triples]
    keep3 = (triples >= 0).all(axis=1) & (triples[:, 2] != start)
    triple_keys = (triples[keep3, 0] * size + triples[keep3, 1]) * size + triples[keep3, 2]
    order3 = np.argsort(triple_keys)
    return _normalised(
        tuple(words),
        one,
        pair_keys[order],
        np.exp(general.pair_log_probability[keep][order]),
        triple_keys[order3],
        np.exp(general.triple_log_probability[keep3][order3]),
    )


def mix(domain: BackoffModel, general: BackoffModel, domain_weight: float) -> BackoffModel:
    """`domain_weight` x domain + the rest x general, over the n-grams of both."""
    if domain.words != general.words:
        raise ValueError("models are mixed over one vocabulary")
    other = 1.0 - domain_weight
    pairs = _union(domain.pairs, general.pairs)
    triples = _union(domain.triples, general.triples)
    return _normalised(
        domain.words,
        domain_weight * domain.one + other * general.one,
        pairs,
        domain_weight * domain.given_one(pairs) + other * general.given_one(pairs),
        triples,
        domain_weight * domain.given_two(triples) + other * general.given_two(triples),
    )


def prune(model: BackoffModel, threshold: float) -> BackoffModel:
    """Drop n-grams whose loss costs little: P(history, word) x log(P / backed-off P) under
    `threshold` (weighted difference pruning, Seymore and Rosenfeld 1996)."""
    size = len(model.words)
    history_one = model.one.copy()
    history_one[model.words.index(START)] = model.one[model.words.index(END)]
    first, second, third = _split(model.triples, size)
    history = first * size + second
    joint = history_one[first] * model.given_one(history)
    place, _ = _find(model.pairs, history)
    backed = model.two_backoff[place] * model.given_one(second * size + third)
    gain = joint * model.three * np.log(np.maximum(model.three, 1e-12) / np.maximum(backed, 1e-12))
    triples = model.triples[np.abs(gain) >= threshold]

    before, last = model.pairs // size, model.pairs % size
    backed = model.one_backoff[before] * model.one[last]
    gain = history_one[before] * model.two
    gain = gain * np.log(np.maximum(model.two, 1e-12) / np.maximum(backed, 1e-12))
    needed = np.isin(model.pairs, triples // size)
    pairs = model.pairs[(np.abs(gain) >= threshold) | needed]
    return _normalised(
        model.words, model.one, pairs, model.given_one(pairs), triples, model.given_two(triples)
    )


def write_arpa(model: BackoffModel, path: Path) -> None:
    """Write the model in ARPA format (log10 probabilities)."""
    size = len(model.words)
    words = model.words
    with path.open("w", encoding="utf-8") as file:
        file.write(
            f"\\data\\\nngram 1={size}\nngram 2={len(model.pairs)}\n"
            f"ngram 3={len(model.triples)}\n\n\\1-grams:\n"
        )
        one, backoff = _log10(model.one), _log10(model.one_backoff)
        file.writelines(
            f"{p:.4f} {w} {b:.4f}\n" for p, w, b in zip(one, words, backoff, strict=True)
        )
        file.write("\n\\2-grams:\n")
        first, second = model.pairs // size, model.pairs % size
        rows = zip(
            _log10(model.two),
            first.tolist(),
            second.tolist(),
            _log10(model.two_backoff),
            strict=True,
        )
        file.writelines(f"{p:.4f} {words[u]} {words[v]} {b:.4f}\n" for p, u, v, b in rows)
        file.write("\n\\3-grams:\n")
        a, b, c = _split(model.triples, size)
        triples = zip(_log10(model.three), a.tolist(), b.tolist(), c.tolist(), strict=True)
        file.writelines(f"{p:.4f} {words[u]} {words[v]} {words[w]}\n" for p, u, v, w in triples)
        file.write("\n\\end\\\n")


def perplexity(model: BackoffModel, sentences: Iterable[Sequence[str]]) -> float:
    """Per-word perplexity of sentences (with their ends), words outside the vocabulary skipped."""
    size = len(model.words)
    index = {word: i for i, word in enumerate(model.words)}
    logs: list[float] = []
    for sentence in sentences:
        ids = [index[w] for w in (START, *sentence, END) if w in index]
        for position in range(1, len(ids)):
            if position == 1:
                key = np.array([ids[0] * size + ids[1]])
                p = model.given_one(key)
            else:
                u, v, w = ids[position - 2 : position + 1]
                p = model.given_two(np.array([(u * size + v) * size + w]))
            logs.append(float(np.log(p[0])))
    return float(np.exp(-np.mean(logs)))


def _normalised(
    words: tuple[str, ...], one: Floats, pairs: Ids, two: Floats, triples: Ids, three: Floats
) -> BackoffModel:
    """The model of these n-grams with the back-off weights that make every history sum to one."""
    size = len(words)
    before, last = pairs // size, pairs % size
    one_backoff, two = _backoffs(before, two, one[last], size)
    place, seen = _find(pairs, triples % (size * size))
    _, middle, third = _split(triples, size)
    lower = np.where(seen, _at(two, place), one_backoff[middle] * one[third])
    history, history_seen = _find(pairs, triples // size)
    two_backoff, three = _backoffs(
        history[history_seen], three[history_seen], lower[history_seen], len(pairs)
    )
    triples = triples[history_seen]
    return BackoffModel(words, one, one_backoff, pairs, two, two_backoff, triples, three)


def _backoffs(history: Ids, seen: Floats, lower: Floats, size: int) -> tuple[Floats, Floats]:
    """Back-off weight for each history, and the seen probabilities held under 0.999 in sum."""
    mass = np.bincount(history, seen, size)
    scale = np.minimum(1.0, 0.999 / np.maximum(mass, 1e-12))
    seen = seen * scale[history]
    left = 1.0 - mass * scale
    lower_left = 1.0 - np.bincount(history, lower, size)
    return np.where(lower_left > 1e-9, left / np.maximum(lower_left, 1e-9), 1.0), seen


def _witten_bell(history: Ids, counts: Floats, lower: Floats, size: int) -> tuple[Floats, Floats]:
    """Smoothed probabilities of seen n-grams and the escape weight of each history."""
    total = np.bincount(history, counts, size)
    kinds = np.bincount(history, minlength=size).astype(np.float64)
    escape = np.where(total > 0, kinds / np.maximum(total + kinds, 1e-12), 1.0)
    seen = counts / np.maximum(total + kinds, 1e-12)[history] + escape[history] * lower
    return seen, escape


def _sorted(counts: Mapping[int, float]) -> tuple[Ids, Floats]:
    keys = np.array(sorted(counts), dtype=np.int64)
    return keys, np.array([counts[int(key)] for key in keys], dtype=np.float64)


def _union(first: Ids, second: Ids) -> Ids:
    """Two sorted sets as one. A stable sort merges runs: ten times as fast as numpy's union."""
    both = np.sort(np.concatenate([first, second]), kind="stable")
    return both[np.concatenate([[True], both[1:] != both[:-1]])] if len(both) else both


def _split(triples: Ids, size: int) -> tuple[Ids, Ids, Ids]:
    return triples // (size * size), triples // size % size, triples % size


def _find(keys: Ids, wanted: Ids) -> tuple[Ids, npt.NDArray[np.bool_]]:
    """Place of each wanted key among sorted `keys`, and whether it is there."""
    if not len(keys):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return place, keys[place] == wanted


def _at(values: Floats, place: Ids) -> Floats:
    return values[place] if len(values) else np.zeros(len(place))


def _log10(values: Floats) -> list[float]:
    logs: list[float] = np.log10(np.maximum(values, 1e-10)).tolist()
    return logs
