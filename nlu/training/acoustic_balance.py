"""How much each training row counts, and what that makes of the share of neutral."""

from __future__ import annotations

import numpy as np

from nlu.training.acoustic_examples import Examples, Numbers
from nlu.training.acoustic_measures import SERVICE
from nlu.training.corpora import LABELS


def balanced(examples: Examples, natural_weight: float) -> Numbers:
    """Every corpus of acted feeling weighs the same, and within it every label."""
    weights = np.ones(len(examples))
    for corpus in np.unique(examples.corpus):
        inside = examples.corpus == corpus
        labels = np.unique(examples.label[inside])
        for label in labels:
            rows = inside & (examples.label == label)
            weights[rows] /= len(labels) * weights[rows].sum()
        if len(labels) == 1:
            weights[inside] *= natural_weight
    return weights


def neutral_lift(examples: Examples, weights: Numbers, neutral_share: float) -> float:
    """From the share of neutral in the training to that among callers, in log odds: the prior of a
    classifier is exchanged without fitting it again (Saerens et al. 2002)."""
    neutral = np.isin(examples.label, [LABELS.index(label) for label in SERVICE["neutral"]])
    known = weights[neutral].sum() / weights.sum()
    if not 0.0 < known < 1.0:
        return 0.0
    return float(np.log(neutral_share / (1 - neutral_share)) - np.log(known / (1 - known)))
