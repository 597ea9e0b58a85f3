"""How sure a voice estimate may be: signals of doubt, and a probability made from them.

A model's own probability says little on speech unlike its training data: natural feeling is
milder than acted feeling, and a model of acted speech calls it neutral. What still helps there:
whether the members of the blend agree, and the arousal, which transfers between corpora. An
agitated label on an agitated voice can be trusted; a calm label on a mild voice hardly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlu.probabilities import logistic

Rows = npt.NDArray[np.float64]

SIGNALS = ("odds", "margin", "agreement", "arousal", "extremity", "label_arousal", "noise")

_MIDDLE_AROUSAL = 0.2
_QUIET_DB = 30.0


@dataclass(frozen=True, slots=True)
class Trust:
    """Weights of the signals: confidence = logistic(bias + sum of weight * signal)."""

    weights: Mapping[str, float]
    bias: float

    def confidence(self, signals: Rows) -> Rows:
        """Probability that the top label is right, one for each row of `signals`."""
        weights = np.asarray([self.weights.get(name, 0.0) for name in SIGNALS])
        return logistic(signals @ weights + self.bias)


def doubt_signals(
    blended: Rows, members: Rows, arousal: Rows, label_arousal: Rows, snr_db: Rows
) -> Rows:
    """The signals in the order of `SIGNALS`: [n, 7].

    `blended` [n, labels]: probabilities; `members` [n, members, labels]: each member's own;
    `arousal` [n]: expected of all labels; `label_arousal` [labels]: of each one; `snr_db` [n].
    """
    rows = np.arange(len(blended))
    top = blended.argmax(1)
    best = np.clip(blended[rows, top], 1e-4, 1 - 1e-4)
    second = np.sort(blended, axis=1)[:, -2]
    return np.column_stack(
        [
            np.log(best / (1 - best)),
            best - second,
            members[rows, :, top].min(1),
            arousal,
            np.abs(arousal - _MIDDLE_AROUSAL),
            label_arousal[top],
            np.clip((_QUIET_DB - snr_db) / _QUIET_DB, 0.0, 1.0),
        ]
    )
