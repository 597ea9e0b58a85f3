"""How the regression on words and pairs of words was made, for `attune train text`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nlu.emotion.word_pairs import WordPairs, terms_of

Matrix = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class PairSettings:
    """What the shipped regression was trained with."""

    terms: int = 8_000
    least_texts: int = 3
    inverse_penalty: float = 3.0
    share: float = 0.2
    steps: int = 60


def train(
    versions: Sequence[Sequence[str]],
    goals: Sequence[Matrix],
    settings: PairSettings = PairSettings(),
) -> Arrays:
    """Arrays for `WordPairs.of`, from texts in several versions and the chances of their labels.

    `versions[0]` are the texts as written; `goals[k]` [texts, labels] in [0, 1] is what version k
    shall give. A first fit on every term chooses those that ship: the largest weight times the root
    of the term's count.
    """
    written = versions[0]
    shown = [text for version in versions for text in version]
    goal = np.vstack(goals)
    count = Counter(term for text in written for term in set(terms_of(text)))
    terms = sorted(term for term, texts in count.items() if texts >= settings.least_texts)
    weights, _ = _fit(_model(terms, count, len(written)), shown, goal, settings)
    frequent = np.sqrt([count[term] for term in terms])
    chosen = np.argsort(-np.abs(weights).max(1) * frequent, kind="stable")[: settings.terms]
    kept = sorted(terms[at] for at in chosen)
    weights, bias = _fit(_model(kept, count, len(written)), shown, goal, settings)
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
    model: WordPairs, shown: Sequence[str], goal: Matrix, settings: PairSettings
) -> tuple[Matrix, Matrix]:
    """Weights [terms, labels] and biases [labels] of logistic regressions fitted together.

    Goals may be chances, which is why this is no ready-made classifier.
    """
    from scipy.optimize import minimize
    from scipy.sparse import csr_matrix

    found = [model.features(text) for text in shown]
    ends = np.cumsum([0, *(len(numbers) for numbers, _ in found)])
    numbers = np.concatenate([one for one, _ in found])
    values = np.concatenate([one for _, one in found])
    inputs = csr_matrix((values, numbers, ends), shape=(len(shown), len(model)))
    turned = inputs.T.tocsr()
    shape = len(model), goal.shape[1]
    size, penalty = shape[0] * shape[1], 1 / settings.inverse_penalty

    def loss(flat: Any) -> tuple[float, Any]:
        weights, bias = flat[:size].reshape(shape), flat[size:].astype(np.float32)
        logits = inputs @ weights.astype(np.float32) + bias
        value = (np.logaddexp(0, logits) - goal * logits).sum(dtype=float)
        error = 1 / (1 + np.exp(-logits)) - goal
        slope = np.concatenate(
            ((turned @ error + penalty * weights).ravel(), error.sum(0, dtype=float))
        )
        return value + penalty / 2 * float((weights**2).sum()), slope

    rate = np.clip(goal.mean(0), 1e-4, 1 - 1e-4)
    start = np.concatenate((np.zeros(size), np.log(rate / (1 - rate))))
    best = minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": settings.steps}
    ).x.astype(np.float32)
    return best[:size].reshape(shape), best[size:]
