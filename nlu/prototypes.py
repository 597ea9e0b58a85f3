"""Is a text like one list of examples rather than another? Solved at load, nothing is trained.

A ridge regression on sentence vectors in which both lists weigh the same: plus one stands for the
examples, minus one for what only looks like them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nlu.encoder import SentenceEncoder

Vectors = npt.NDArray[np.float32]

_RIDGE = 0.6


class Prototypes:
    """Scores vectors against several lists of examples at once.

    `examples` holds, for each name, the texts that are meant; `lookalikes` those that are not.
    `others` are texts that belong to no list. The examples of one name count against the others.
    """

    def __init__(
        self,
        examples: dict[str, Sequence[str]],
        lookalikes: dict[str, Sequence[str]],
        others: Sequence[str],
        encoder: SentenceEncoder,
    ) -> None:
        self.names = tuple(examples)
        meant = {name: encoder.encode(examples[name]) for name in self.names}
        unlike = {name: encoder.encode(lookalikes.get(name, ())) for name in self.names}
        rest = encoder.encode(others)
        self._weights = np.stack(
            [
                _separate(
                    meant[name],
                    np.concatenate(
                        [unlike[name], rest, *(meant[one] for one in self.names if one != name)]
                    ),
                )
                for name in self.names
            ],
            axis=1,
        )

    def score(self, vectors: Vectors) -> npt.NDArray[np.float64]:
        """About +1 for what is meant and -1 for what is not: [texts, names] of [texts, d]."""
        return np.asarray(_with_bias(vectors) @ self._weights)


def _separate(meant: Vectors, unlike: Vectors) -> npt.NDArray[np.float64]:
    inputs = _with_bias(np.concatenate([meant, unlike]))
    goals = np.concatenate([np.ones(len(meant)), -np.ones(len(unlike))])
    share = np.where(goals > 0, 0.5 / max(1, len(meant)), 0.5 / max(1, len(unlike))) * len(goals)
    weighted = inputs * share[:, None]
    penalty = np.diag([*np.full(inputs.shape[1] - 1, _RIDGE), 1e-3])
    return np.asarray(np.linalg.solve(weighted.T @ inputs + penalty, weighted.T @ goals))


def _with_bias(vectors: Vectors) -> npt.NDArray[np.float64]:
    return np.concatenate([vectors.astype(float), np.ones((len(vectors), 1))], axis=1)
