"""How much each training row counts, what that makes of the share of neutral, and how sure the
training may be that ordinary speech is neutral."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from nlu.training.acoustic_examples import Examples, Numbers, is_natural
from nlu.training.acoustic_measures import SERVICE
from nlu.training.corpora import LABELS


def balanced(examples: Examples, natural_weight: float) -> Numbers:
    """Every corpus of acted feeling weighs 1, and within it every label the same; one of ordinary
    speech `natural_weight` for each of those beside it."""
    weights = np.ones(len(examples))
    acted = 0
    for corpus in np.unique(examples.corpus):
        inside = examples.corpus == corpus
        labels = np.unique(examples.label[inside])
        for label in labels:
            rows = inside & (examples.label == label)
            weights[rows] /= len(labels) * weights[rows].sum()
        acted += len(labels) > 1
    natural = natural_rows(examples)
    weights[natural] *= natural_weight * max(1, acted)
    return weights


def natural_rows(examples: Examples) -> npt.NDArray[np.bool_]:
    """Which rows are of a corpus of ordinary speech: [n]."""
    marks = np.zeros(len(examples), np.bool_)
    for corpus in np.unique(examples.corpus):
        inside = examples.corpus == corpus
        marks |= inside & is_natural(examples.where(inside))
    return marks


def neutral_lift(examples: Examples, weights: Numbers, neutral_share: float) -> float:
    """From the share of neutral in the training to that among callers, in log odds: the prior of a
    classifier is exchanged without fitting it again (Saerens et al. 2002)."""
    neutral = np.isin(examples.label, [LABELS.index(label) for label in SERVICE["neutral"]])
    known = weights[neutral].sum() / weights.sum()
    if not 0.0 < known < 1.0:
        return 0.0
    return float(np.log(neutral_share / (1 - neutral_share)) - np.log(known / (1 - known)))


def unsure_of_natural(
    examples: Examples, neutral_certainty: float, chance: np.random.Generator
) -> Examples:
    """The same with only `neutral_certainty` of the rows of ordinary speech called neutral, the
    others dealt out to the other labels.

    Nobody said what those people felt. Called neutral one and all, everything that differs from a
    studio passes for surely neutral; with labels that cannot be told from the sound, the model
    learns to be unsure on it (outlier exposure, Hendrycks et al. 2019), and what evidence of a
    feeling there is still decides.
    """
    neutral = LABELS.index("neutral")
    others = np.delete(np.arange(len(LABELS)), neutral)
    dealt = np.where(
        chance.random(len(examples)) < neutral_certainty,
        examples.label,
        chance.choice(others, len(examples)),
    )
    return replace(examples, label=np.where(natural_rows(examples), dealt, examples.label))
