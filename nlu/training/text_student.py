"""The small networks that ship as the text model, in torch, and how one is trained."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

_log = logging.getLogger(__name__)

Matrix = npt.NDArray[np.float32]

REWORKED_WEIGHT = 0.3
"""How much the service emotion of a reworked text weighs, as much as that of GoEmotions' own."""


@dataclass(frozen=True, slots=True)
class StudentSettings:
    """What the shipped text model was trained with."""

    dimensions: int = 96
    layers: int = 2
    layer_dropout: float = 0.1
    widths: tuple[int, ...] = (1, 2, 3, 4)
    filters: int = 224
    dropout: float = 0.45
    epochs: int = 10
    batch: int = 128
    learning_rate: float = 2e-3
    longest: int = 48
    averaging: float = 0.998


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Texts as pieces, each in several versions, with targets.

    `versions[k][i]` holds the pieces of text i in its k-th version; `targets` [n, labels] in
    [0, 1] with NaN where a label is unknown; `desk` [n] the service emotion or -1, with
    `desk_weight` [n] in the loss. `taught` [m, labels + 7] are the chances that a teacher gives the
    first m texts, read as written; they have `taught_share` of a text's goal, its labels the rest.
    The last `len(reworked)` versions are texts of their own, and `reworked[r]` [n, labels + 7] is
    what the teacher says of them.
    """

    versions: Sequence[Sequence[Sequence[int]]]
    targets: Matrix
    desk: npt.NDArray[np.int64]
    desk_weight: Matrix
    taught: Matrix | None = None
    taught_share: float = 0.0
    reworked: Sequence[Matrix] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Goals:
    """What a batch is trained towards: chances of the labels (NaN: unknown), chances of the
    service emotions, and how much the latter weigh."""

    labels: Matrix
    desk: Matrix
    desk_weight: Matrix


def goals(examples: Examples, batch: Sequence[int], kinds: Sequence[int] = ()) -> Goals:
    """The goals of the texts numbered in `batch`, shown in the versions `kinds` (none: as written).

    They are the same in every version but the reworked ones, where the teacher alone is asked.
    """
    labels = examples.targets[batch]
    count = labels.shape[1]
    number = examples.desk[batch]
    desk = (number[:, None] == np.arange(7)).astype(np.float32)
    weight = np.where(number >= 0, examples.desk_weight[batch], 0).astype(np.float32)
    if examples.taught is not None:
        share = np.float32(examples.taught_share)
        here = np.flatnonzero(np.asarray(batch) < len(examples.taught))
        said = examples.taught[np.asarray(batch)[here]]
        labels[here] = (1 - share) * labels[here] + share * said[:, :count]
        own = np.where(number[here] >= 0, 1 - share, 0)[:, None]
        desk[here] = own * desk[here] + (1 - own) * said[:, count:]
        unknown = here[number[here] < 0]
        weight[unknown] = share * examples.desk_weight[batch][unknown]
    for row, kind in enumerate(kinds):
        version = kind - len(examples.versions) + len(examples.reworked)
        if version >= 0:
            alone = examples.reworked[version][batch[row]]
            labels[row], desk[row], weight[row] = alone[:count], alone[count:], REWORKED_WEIGHT
    return Goals(labels, desk, weight)


class Student:
    """Piece vectors, residual layers, filters of several widths, highest response, linear layer."""

    def __init__(
        self, start: Matrix, outputs: int, prior: Matrix, settings: StudentSettings
    ) -> None:
        import torch

        self.settings = settings
        self.vectors = torch.nn.Embedding.from_pretrained(
            torch.from_numpy(np.vstack((start, np.zeros((1, start.shape[1]), np.float32)))),
            freeze=False,
            padding_idx=len(start),
        )
        width = start.shape[1]
        self.layers = torch.nn.ModuleList(
            torch.nn.Conv1d(width, width, 3, padding=1) for _ in range(settings.layers)
        )
        for layer in self.layers:
            torch.nn.init.normal_(layer.weight, std=0.02)
            torch.nn.init.zeros_(layer.bias)
        self.filters = torch.nn.ModuleList(
            torch.nn.Conv1d(width, settings.filters, span, padding=span - 1)
            for span in settings.widths
        )
        self.linear = torch.nn.Linear(settings.filters * len(settings.widths), outputs)
        torch.nn.init.normal_(self.linear.weight, std=0.02)
        self.linear.bias.data = torch.from_numpy(prior.copy())
        self.all = torch.nn.ModuleList([self.vectors, self.layers, self.filters, self.linear])

    def __call__(self, pieces: Any, *, training: bool = False) -> Any:
        """Padded piece numbers [batch, length] to logits [batch, outputs]."""
        import torch

        embedded = self.vectors(pieces)
        there = (pieces != self.vectors.padding_idx)[:, None]
        if training:
            embedded = torch.nn.functional.dropout1d(embedded, 0.08)
            embedded = torch.nn.functional.dropout(embedded, 0.2)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=training):
            turned = embedded.transpose(1, 2)
            for layer in self.layers:
                added = torch.relu(layer(turned))
                if training:
                    added = torch.nn.functional.dropout(added, self.settings.layer_dropout)
                turned = (turned + added) * there
            highest = [one(turned).amax(2) for one in self.filters]
        features = torch.nn.functional.relu(torch.cat(highest, 1).float())
        if training:
            features = torch.nn.functional.dropout(features, self.settings.dropout)
        return self.linear(features)

    def padded(self, chosen: Sequence[Sequence[int]]) -> Any:
        """Piece numbers as one block, filled up with the number of no piece."""
        import torch

        width = max(4, *(len(pieces) for pieces in chosen))
        block = np.full((len(chosen), width), self.vectors.padding_idx, np.int64)
        for row, pieces in zip(block, chosen, strict=True):
            row[: len(pieces)] = pieces
        return torch.from_numpy(block)


def fit(student: Student, examples: Examples, chances: Sequence[float], seed: int) -> None:
    """Train in place; the weights left behind are the running average of the last epochs.

    `chances` says how often each version of a text is shown.
    """
    import torch

    settings = student.settings
    chance = random.Random(seed)
    parameters = list(student.all.parameters())
    average = [parameter.detach().clone() for parameter in parameters]
    optimiser = torch.optim.Adam(parameters, lr=settings.learning_rate, fused=True)
    count = len(examples.desk)
    steps = settings.epochs * math.ceil(count / settings.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=steps, pct_start=0.15
    )
    lengths = [len(pieces) for pieces in examples.versions[0]]
    step = 0
    for epoch in range(settings.epochs):
        order = sorted(range(count), key=lambda at: lengths[at] + chance.gauss(0, 3))
        batches = [order[at : at + settings.batch] for at in range(0, count, settings.batch)]
        chance.shuffle(batches)
        total = 0.0
        for batch in batches:
            kinds = chance.choices(range(len(examples.versions)), chances, k=len(batch))
            pieces = [examples.versions[kind][at] for kind, at in zip(kinds, batch, strict=True)]
            logits = student(student.padded(pieces), training=True)
            loss = loss_of(logits, goals(examples, batch, kinds))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            step += 1
            keep = min(settings.averaging, step / (step + 10))
            with torch.no_grad():
                torch._foreach_lerp_(average, parameters, 1 - keep)
            total += float(loss.detach())
        _log.info("text: epoch %d, loss %.4f", epoch + 1, total / len(batches))
    with torch.no_grad():
        for parameter, mean in zip(parameters, average, strict=True):
            parameter.copy_(mean)


def loss_of(logits: Any, wanted: Goals) -> Any:
    """Cross entropy of logits [batch, labels + 7], independent labels and one service emotion."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax

    labels = torch.from_numpy(wanted.labels)
    known = ~labels.isnan()
    each = binary_cross_entropy_with_logits(
        logits[:, : labels.shape[1]], labels.nan_to_num(), reduction="none"
    )
    said = log_softmax(logits[:, labels.shape[1] :], 1) * torch.from_numpy(wanted.desk)
    # The sum over labels keeps rare labels from drowning; its scale is that of one label's loss.
    desk = -(said.sum(1) * torch.from_numpy(wanted.desk_weight)).mean()
    return (each * known).sum() / len(labels) / 4 + desk
