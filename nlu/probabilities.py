"""From logits to probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def softmax(logits: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Probabilities [..., k] of logits [..., k], summing to 1 along the last axis."""
    raised = np.exp(logits - logits.max(axis=-1, keepdims=True), dtype=np.float64)
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))


def logistic(odds: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Probabilities of log-odds, each by itself."""
    return np.asarray(1.0 / (1.0 + np.exp(-odds)))
