"""How sure an estimate from words may be: signals of doubt, and a probability made from them.

The chance that the model itself gives its first choice is too high for doubtful sentences of
service desks and too low for plain ones, and says other things of Reddit's. What tells more:
whether the networks agree, whether the phrase bank says the same, which feeling it is, and whether
the sentence sounds like a service desk at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlu.emotion.phrase_bank import EMOTIONS
from nlu.probabilities import logistic
from nlu.types import Emotion

Row = npt.NDArray[np.float64]

SIGNALS = (
    "odds", "margin", "agreement", "bank", "neutral", "rare", "desk", "desk_odds", "desk_rare",
)  # fmt: skip
_NEUTRAL = EMOTIONS.index(Emotion.NEUTRAL)
_RARE = frozenset(map(EMOTIONS.index, (Emotion.ANXIOUS, Emotion.SURPRISED, Emotion.CONFUSED)))


@dataclass(frozen=True, slots=True, eq=False)
class WordsTrust:
    """confidence = logistic(bias + sum of weight * signal); `desk_direction` [dimensions + 1] gives
    the odds that a sentence vector is of a service desk rather than of Reddit, its bias last."""

    weights: Row
    bias: float
    desk_direction: Row

    @classmethod
    def of(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> WordsTrust:
        """From a model file's arrays `trust` [signals + 1], bias last, and `desk_direction`."""
        trust = arrays["trust"].astype(float)
        if len(trust) != len(SIGNALS) + 1:
            raise ValueError(f"trust holds {len(trust)} numbers instead of {len(SIGNALS) + 1}")
        return cls(trust[:-1], float(trust[-1]), arrays["desk_direction"].astype(float))

    def desk(self, vector: npt.NDArray[np.floating]) -> float:
        """How like a sentence of a service desk the one with this vector is, in [0, 1]."""
        odds = vector.astype(float) @ self.desk_direction[:-1] + self.desk_direction[-1]
        return float(logistic(odds))

    def confidence(self, signals: Row) -> Row:
        """Probability that the first choice is right, for rows of `signals` [..., 9]."""
        return logistic(signals @ self.weights + self.bias)


def doubt_signals(chances: Row, members: Row, bank: Row, desk: float) -> Row:
    """The signals in the order of `SIGNALS`: [9].

    `chances` [7] are the model's, `members` [networks, 7] each network's own, `bank` [7] the phrase
    bank's scores, `desk` in [0, 1] is how like a service desk the sentence is.
    """
    top = int(chances.argmax())
    best = float(np.clip(chances[top], 1e-4, 1 - 1e-4))
    odds = np.log(best / (1 - best))
    rare = float(top in _RARE)
    others = np.arange(len(chances)) != top
    return np.asarray(
        [
            odds,
            best - float(chances[others].max()),
            float(members[:, top].min()),
            float(bank[top] - bank[others].max()),
            float(top == _NEUTRAL),
            rare,
            desk,
            desk * odds,
            desk * rare,
        ]
    )
