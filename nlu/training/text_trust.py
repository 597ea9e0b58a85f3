"""How the confidence of the text model was fitted, for `attune train text`.

On sentences of a service desk that were written for nothing else (`service_calibration.tsv`) and on
the half of GoEmotions' dev split that the blend was not fitted on, clean and with word errors each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from nlu.emotion.words_trust import SIGNALS
from nlu.encoder import SentenceEncoder
from nlu.training import service
from nlu.training import texts as corpora

Matrix = npt.NDArray[np.float64]
Parts = Sequence[tuple[Matrix, npt.NDArray[np.bool_], float]]

_REDDIT = 8_000
_DIRECTION_PENALTY = 1e-4
_TRUST_PENALTY = 1e-3


def desk_direction(data: Path, encoder: SentenceEncoder, seed: int) -> Matrix:
    """What tells sentences of a service desk from GoEmotions' by their vectors, as written,
    speech-like and with word errors: [dimensions + 1], the bias last."""
    reddit = [row.text for row in corpora.goemotions(data, "train")[:_REDDIT]]
    desk = service.sentences(seed, held_out=False, each=300) + service.phrases()
    desk += service.filled(seed, 300) + service.plain_requests(data, "train", seed, 2_000)
    errors = corpora.WordErrors(reddit, seed + 300)
    sides = []
    for texts in (reddit, [text for text, _ in desk]):
        spoken = [corpora.speech_like(text) for text in texts]
        sides.append(encoder.encode([*texts, *spoken, *errors.all(texts)]).astype(float))
    return logistic(
        [
            (sides[0], np.zeros(len(sides[0]), bool), 0.5),
            (sides[1], np.ones(len(sides[1]), bool), 0.5),
        ],
        np.zeros(sides[0].shape[1]),
        _DIRECTION_PENALTY,
    )


def trust(parts: Parts) -> Matrix:
    """Weights of the signals and the bias: [signals + 1]. Each part has the signals of estimates
    [n, signals], whether these were right [n], and its share of the fit. Without evidence the
    confidence is the model's own chance."""
    own = np.asarray([float(name == "odds") for name in SIGNALS])
    return logistic(parts, own, _TRUST_PENALTY)


def logistic(parts: Parts, start: Matrix, penalty: float) -> Matrix:
    """Weights and bias of a logistic regression drawn towards the weights in `start`."""
    signals = np.vstack([np.column_stack((rows, np.ones(len(rows)))) for rows, _, _ in parts])
    right = np.concatenate([hit for _, hit, _ in parts]).astype(float)
    weight = np.concatenate([np.full(len(hit), share / len(hit)) for _, hit, share in parts])
    prior = np.append(start, 0.0)

    def loss(found: Matrix) -> tuple[float, Matrix]:
        odds = signals @ found
        value = (weight * (np.logaddexp(0, odds) - right * odds)).sum()
        away = found - prior
        slope = signals.T @ (weight * (1 / (1 + np.exp(-odds)) - right))
        return float(value + penalty * (away**2).sum()), slope + 2 * penalty * away

    return np.asarray(minimize(loss, prior, jac=True, method="L-BFGS-B").x)
