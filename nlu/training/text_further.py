"""Trains the networks of a text model further when sentences of a service desk have been added.

`python -m nlu.training.text_further --data DIR --start FOLDER --out FOLDER` starts from the
`text.npz` in a folder, keeps its pieces, and shows the new sentences among a share of GoEmotions
at a small learning rate: minutes of one core where `attune train text` needs ten.
"""

from __future__ import annotations

import argparse
import logging
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlu.errors import AttuneError
from nlu.training import text as training
from nlu.training import texts as corpora
from nlu.training.text_student import Examples, Student, StudentSettings, fit
from nlu.wordpiece import WordPiece

_log = logging.getLogger(__name__)

REDDIT = 14_000
"""How many texts of GoEmotions are shown again."""
EPOCHS = 2
LEARNING_RATE = 6e-4
AVERAGING = 0.99
CHANCES = (0.4, 0.25, 0.35)
SETTINGS = training.TextSettings(
    service_each=500, phrase_copies=3, filled_each=600, plain_requests=2_500
)


def further(
    data: Path, start: Path, out: Path, seed: int = 0, learning_rate: float = LEARNING_RATE
) -> dict[str, Any]:
    """Train the members of `start`/text.npz further into `out`; gives what `text.json` holds.

    Raises `AttuneError` when there is no model to start from. Needs the training extra.
    """
    try:
        with np.load(start / "text.npz") as file:
            held = {name: file[name] for name in file.files}
    except FileNotFoundError:
        raise AttuneError(f"{start}: no text.npz to start from; name its folder.") from None
    pieces = bytes(held["vocabulary"]).decode("utf-8").split("\n")
    examples = _examples(data, pieces, seed)
    student = replace(
        SETTINGS.student, epochs=EPOCHS, learning_rate=learning_rate, averaging=AVERAGING
    )
    members = []
    for at in range(sum(name.startswith("vectors_") for name in held)):
        members.append(_member(held, str(at), examples, seed + at, student))
        _log.info("text: network %d trained further", at + 1)
    begun = np.zeros(0, np.float32)
    prepared = training.Prepared(pieces, begun, begun, examples)
    settings = replace(SETTINGS, student=student)
    return training.write(prepared, members, data, out, seed, settings)


def _examples(data: Path, pieces: list[str], seed: int) -> Examples:
    rows = corpora.goemotions(data, "train")
    random.Random(seed + 50).shuffle(rows)
    rows = rows[:REDDIT]
    desk = training.desk_rows(data, seed, SETTINGS)
    written = [row.text for row in rows] + [text for text, _ in desk]
    words = WordPiece(pieces)
    unknown = np.full((len(desk), len(training.HEADS)), np.nan, np.float32)
    return Examples(
        training.versions(words, written, seed + 50, SETTINGS, len(CHANCES)),
        np.vstack((training.label_targets(rows), unknown)),
        np.asarray([*training.single_emotion(rows), *(number for _, number in desk)], np.int64),
        np.asarray([0.3] * len(rows) + [1.0] * len(desk), np.float32),
    )


def _member(
    held: dict[str, npt.NDArray[np.generic]],
    at: str,
    examples: Examples,
    seed: int,
    settings: StudentSettings,
) -> dict[str, npt.NDArray[np.generic]]:
    import torch

    def matrix(name: str) -> npt.NDArray[np.float32]:
        scale = held[f"{name}_scale_{at}"].astype(np.float32)
        return np.asarray(held[f"{name}_{at}"].astype(np.float32) * scale, np.float32)

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    scales = held[f"scales_{at}"].astype(np.float32)
    start = np.asarray(held[f"vectors_{at}"].astype(np.float32) * scales[:, None], np.float32)
    bias = held[f"linear_bias_{at}"].astype(np.float32)
    student = Student(start, len(bias), bias, settings)
    with torch.no_grad():
        for width, one in zip(settings.widths, student.filters, strict=True):
            turned = matrix(f"filters{width}").reshape(width, start.shape[1], -1)
            one.weight.copy_(torch.from_numpy(turned.transpose(2, 1, 0).copy()))
            one.bias.copy_(torch.from_numpy(held[f"bias{width}_{at}"].astype(np.float32)))
        student.linear.weight.copy_(torch.from_numpy(matrix("linear").T.copy()))
    fit(student, examples, CHANCES, seed)
    return training.shipped(student)


def main() -> None:
    """Read the arguments and train."""
    asked = argparse.ArgumentParser(description=__doc__)
    for name in ("data", "start", "out"):
        asked.add_argument(f"--{name}", type=Path, required=True)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--learning-rate", type=float, default=LEARNING_RATE)
    options = asked.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    further(options.data, options.start, options.out, options.seed, options.learning_rate)


if __name__ == "__main__":
    main()
