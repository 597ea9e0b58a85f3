"""How sure a voice estimate may be: signals of doubt, and a probability made from them.

A model's own probability says little on speech unlike its training data. Four more signals do:
whether the members of the blend agree, how far the utterance lies from the training speakers,
whether the label fits the arousal (which transfers between corpora), and the noise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float64]

SIGNALS = ("odds", "margin", "agreement", "arousal_fit", "strangeness", "noise")


@dataclass(frozen=True, slots=True)
class Trust:
    """Weights of the signals: confidence = logistic(bias + sum of weight * signal)."""

    weights: Mapping[str, float]
    bias: float

    def confidence(self, signals: Rows) -> Rows:
        """Probability that the top label is right, one for each row of `signals`."""
        weights = np.asarray([self.weights.get(name, 0.0) for name in SIGNALS])
        return np.asarray(1.0 / (1.0 + np.exp(-(signals @ weights + self.bias))))


def doubt_signals(
    blended: Rows,
    members: Rows,
    arousal: Rows,
    expected_arousal: Rows,
    strangeness: Rows,
    snr_db: Rows,
) -> Rows:
    """The signals in the order of `SIGNALS`: [n, 6].

    `blended` [n, labels]: probabilities; `members` [n, members, labels]: each member's own;
    `expected_arousal` [labels]: what each label's arousal should be; the rest [n].
    """
    rows = np.arange(len(blended))
    top = blended.argmax(1)
    best = np.clip(blended[rows, top], 1e-4, 1 - 1e-4)
    second = np.sort(blended, axis=1)[:, -2]
    agreement = members[rows, :, top].min(1)
    fit = -np.abs(arousal - expected_arousal[top])
    return np.column_stack(
        [
            np.log(best / (1 - best)),
            best - second,
            agreement,
            fit,
            np.log1p(np.maximum(strangeness, 0.0)),
            np.clip((30.0 - snr_db) / 30.0, 0.0, 1.0),
        ]
    )
