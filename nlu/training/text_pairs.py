"""How the regression on words and pairs of words was made, for `attune train text`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlu.emotion.word_pairs import WordPairs, terms_of
from nlu.training import texts as corpora

Matrix = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class PairSettings:
    """What the shipped regression was trained with."""

    terms: int = 8_000
    least_texts: int = 3
    inverse_penalty: float = 3.0
    share: float = 0.2
    word_errors: float = 0.15


def train(
    written: Sequence[str], targets: Matrix, seed: int, settings: PairSettings = PairSettings()
) -> Arrays:
    """Arrays for `WordPairs.of`, from texts and their labels [texts, labels] in {0, 1}.

    Each text is shown as written, speech-like and with word errors. A first fit on every term
    chooses those that ship: the largest weight times the root of the term's count.
    """
    errors = corpora.WordErrors(written, seed + 300)
    shown = [*written, *map(corpora.speech_like, written)]
    shown += errors.all(written, settings.word_errors)
    goal = np.vstack([targets] * 3) > 0
    count = Counter(term for text in written for term in set(terms_of(text)))
    terms = sorted(term for term, texts in count.items() if texts >= settings.least_texts)
    weights, _ = _fit(_model(terms, count, len(written)), shown, goal, settings)
    frequent = np.sqrt([count[term] for term in terms])
    chosen = np.argsort(-np.abs(weights).max(1) * frequent, kind="stable")[: settings.terms]
    kept = sorted(terms[at] for at in chosen)
    model = _model(kept, count, len(written))
    weights, bias = _fit(model, shown, goal, settings)
    scale = (np.abs(weights).max(0) / 127.0 + 1e-9).astype(np.float32)
    return {
        "pairs_terms": np.frombuffer("\n".join(kept).encode("utf-8"), np.uint8),
        "pairs_rarity": _rarity(kept, count, len(written)),
        "pairs_weights": np.round(weights / scale).astype(np.int8),
        "pairs_scale": scale,
        "pairs_bias": bias,
        "pairs_share": np.asarray([settings.share], np.float32),
    }


def _rarity(terms: Sequence[str], count: Counter[str], texts: int) -> npt.NDArray[np.float16]:
    """Smoothed inverse document frequency (Sparck Jones 1972)."""
    return np.asarray([np.log((1 + texts) / (1 + count[term])) + 1 for term in terms], np.float16)


def _model(terms: Sequence[str], count: Counter[str], texts: int) -> WordPairs:
    none = np.zeros((len(terms), 0), np.float32)
    rarity = _rarity(terms, count, texts).astype(np.float32)
    return WordPairs(terms, rarity, none, np.zeros(0, np.float32), 0.0)


def _fit(
    model: WordPairs,
    shown: Sequence[str],
    goal: npt.NDArray[np.bool_],
    settings: PairSettings,
) -> tuple[Matrix, Matrix]:
    """Weights [terms, labels] and biases [labels]."""
    from scipy.sparse import csr_matrix
    from sklearn.linear_model import LogisticRegression

    found = [model.features(text) for text in shown]
    ends = np.cumsum([0, *(len(numbers) for numbers, _ in found)])
    numbers = np.concatenate([one for one, _ in found])
    values = np.concatenate([one for _, one in found])
    terms = len(model)
    inputs = csr_matrix((values, numbers, ends), shape=(len(shown), terms))
    weights, biases = [], []
    for wanted in goal.T:
        regression = LogisticRegression(
            C=settings.inverse_penalty, solver="liblinear", max_iter=60, random_state=0
        )
        regression.fit(inputs, wanted)
        weights.append(regression.coef_[0])
        biases.append(regression.intercept_[0])
    return np.asarray(weights, np.float32).T, np.asarray(biases, np.float32)
