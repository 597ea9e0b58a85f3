"""What a foreign classifier's labels mean among the seven emotions, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from nlu.emotion.phrase_bank import EMOTIONS
from nlu.errors import AttuneError
from nlu.probabilities import logistic
from nlu.types import Emotion

Matrix = npt.NDArray[np.float64]

_KNOWN = Path(__file__).parent.parent / "label_map.yaml"


def label_matrix(labels: Sequence[str], path: Path | None = None) -> Matrix:
    """Which emotion each label counts for: 0 or 1, [labels, 7]; a row of zeros is left out.

    `path` is a YAML or JSON file with a label's name and the emotion it means (`null`: none);
    names there come before those that Attune knows. Raises `AttuneError` for a label that
    nothing maps, or a file that maps to something that is no emotion.
    """
    meaning = {**_read(_KNOWN), **(_read(path) if path else {})}
    matrix = np.zeros((len(labels), len(EMOTIONS)))
    for row, label in zip(matrix, labels, strict=True):
        if label.lower() not in meaning:
            raise AttuneError(
                f"{path or 'labels'}: nothing says what the label {label!r} means; give a YAML "
                f"file that maps it to one of {', '.join(EMOTIONS)}, or to null."
            )
        emotion = meaning[label.lower()]
        if emotion is not None:
            row[EMOTIONS.index(emotion)] = 1.0
    if not matrix.any():
        raise AttuneError(f"{path or 'labels'}: no label means an emotion; map at least one.")
    return matrix


def chances_of(logits: npt.NDArray[np.floating], matrix: Matrix, *, several: bool) -> Matrix:
    """Chances of the seven emotions from a classifier's logits [labels].

    `several` says that labels are independent (sigmoid) rather than exclusive (softmax).
    """
    values = np.nan_to_num(np.asarray(logits, float))
    if several:
        each = logistic(np.clip(values, -30, 30))
    else:
        raised = np.exp(values - values.max())
        each = raised / raised.sum()
    summed = each @ matrix
    total = float(summed.sum())
    return np.asarray(summed / total if total > 0 else np.full(len(EMOTIONS), 1 / len(EMOTIONS)))


def _read(path: Path) -> Mapping[str, Emotion | None]:
    try:
        found = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise AttuneError(f"{path}: cannot be read as a label map ({reason}).") from None
    if not isinstance(found, dict):
        raise AttuneError(f"{path}: not a label map; write lines such as `anger: angry`.")
    for label, emotion in found.items():
        if emotion is not None and emotion not in EMOTIONS:
            raise AttuneError(
                f"{path}: {label} is mapped to {emotion!r}; use one of {', '.join(EMOTIONS)}."
            )
    return {
        str(label).lower(): None if emotion is None else Emotion(emotion)
        for label, emotion in found.items()
    }
