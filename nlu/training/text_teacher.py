"""The teacher of the text model: all-MiniLM-L6-v2, fine-tuned on the same examples.

It is far too large to ship; what it says of the training texts is what the small networks and the
word pairs learn beside the labels (Hinton et al. 2015; to small text models, Tang et al. 2019).
"""

from __future__ import annotations

import hashlib
import logging
import math
import random
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlu.training.encoder import Teacher
from nlu.training.text_student import Examples, goals, loss_of

_log = logging.getLogger(__name__)

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TeacherSettings:
    """What the teacher of the shipped text model was fine-tuned with."""

    epochs: int = 3
    batch: int = 64
    learning_rate: float = 1.2e-4
    learning_rate_of_outputs: float = 1e-3
    warm_up: float = 0.06
    frozen_layers: int = 2
    dropout: float = 0.2
    longest: int = 48
    desk_share: float = 0.5
    """The part of the service sentences, which are easy, that one epoch shows."""


def answers(
    versions: Sequence[Sequence[str]],
    examples: Examples,
    prior: Matrix,
    chances: Sequence[float],
    seed: int,
    settings: TeacherSettings,
    kept: Path,
    reworked: Sequence[Sequence[str]] = (),
) -> list[Matrix]:
    """What a teacher trained on `examples` says of those that have labels, read as written, then
    of the texts in each of `reworked`.

    Chances [texts, labels + 7]: of each label, then of the seven service emotions, one of which
    holds. They are kept in the file `kept`; the same texts, labels, seed and settings take them
    from there.
    """
    import torch

    asked = repr((settings, seed, tuple(chances), versions, reworked)).encode("utf-8")
    digest = hashlib.sha256(asked + examples.targets.tobytes() + examples.desk.tobytes())
    known = _kept(kept, digest.hexdigest())
    if known is not None:
        _log.info("text: the teacher's answers are those in %s", kept)
        return known
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    teacher = TextTeacher(Teacher(), prior, settings)
    teacher.fit(versions, examples, chances, seed)
    labels = examples.targets.shape[1]
    with_labels = int((~np.isnan(examples.targets[:, 0])).sum())
    texts = [versions[0][:with_labels], *reworked]
    said = [_chances(teacher.logits(part), labels) for part in texts]
    keep(kept, digest.hexdigest(), said)
    return [part.astype(np.float32) for part in said]


def keep(path: Path, digest: str, said: Sequence[npt.NDArray[np.float16]]) -> None:
    """Write what a teacher said, part by part, with the digest of what it was asked."""
    path.parent.mkdir(parents=True, exist_ok=True)
    parts: dict[str, Any] = {f"said_{at}": part for at, part in enumerate(said)}
    np.savez(path, digest=np.asarray(digest), **parts)


def _kept(path: Path, digest: str) -> list[Matrix] | None:
    try:
        with np.load(path) as file:
            if str(file["digest"]) != digest:
                return None
            return [file[f"said_{at}"].astype(np.float32) for at in range(len(file.files) - 1)]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def _chances(logits: Matrix, labels: int) -> npt.NDArray[np.float16]:
    raised = np.exp(logits[:, labels:] - logits[:, labels:].max(1, keepdims=True))
    one = raised / raised.sum(1, keepdims=True)
    return np.hstack((1 / (1 + np.exp(-logits[:, :labels])), one)).astype(np.float16)


class TextTeacher:
    """MiniLM, the mean over its last layer, and one linear layer to every output."""

    def __init__(self, base: Teacher, prior: Matrix, settings: TeacherSettings) -> None:
        import torch

        self.settings = settings
        self._tokenizer = base.tokenizer
        self._body = base.model.float()
        # Torch's fused attention costs more than half a step's time backwards in bfloat16.
        self._body.set_attn_implementation("eager")
        frozen = [self._body.embeddings, *self._body.encoder.layer[: settings.frozen_layers]]
        for module in frozen:
            module.requires_grad_(False)
        for module in self._body.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        self._outputs = torch.nn.Linear(self._body.config.hidden_size, len(prior))
        torch.nn.init.normal_(self._outputs.weight, std=0.02)
        self._outputs.bias.data = torch.from_numpy(prior.copy())

    def fit(
        self,
        versions: Sequence[Sequence[str]],
        examples: Examples,
        chances: Sequence[float],
        seed: int,
    ) -> None:
        """Train in place on `versions[k][i]`, text i in its k-th version, shown by `chances`."""
        import torch

        settings = self.settings
        chance = random.Random(seed)
        shown = [self._pieces(texts) for texts in versions]
        lengths = [len(pieces) for pieces in shown[0]]
        trained = [one for one in self._body.encoder.parameters() if one.requires_grad]
        optimiser = torch.optim.AdamW(
            [
                {"params": trained, "lr": settings.learning_rate},
                {"params": self._outputs.parameters(), "lr": settings.learning_rate_of_outputs},
            ],
            weight_decay=0.01,
            fused=True,
        )
        epochs = [list(self._epoch(lengths, examples, chance)) for _ in range(settings.epochs)]
        steps = sum(len(epoch) for epoch in epochs)
        warm = settings.warm_up * steps
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda at: min((at + 1) / warm, max(0.0, (steps - at) / (steps - warm)))
        )
        for number, epoch in enumerate(epochs):
            total = 0.0
            for batch in epoch:
                kinds = chance.choices(range(len(shown)), chances, k=len(batch))
                pieces = [shown[kind][at] for kind, at in zip(kinds, batch, strict=True)]
                loss = loss_of(self._logits(pieces, settings.dropout), goals(examples, batch))
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(trained, 1.0)
                optimiser.step()
                schedule.step()
                total += float(loss.detach())
            _log.info("text: teacher, epoch %d, loss %.4f", number + 1, total / len(epoch))

    def logits(self, texts: Sequence[str]) -> Matrix:
        """Logits of every output: float32 [texts, outputs]."""
        import torch

        pieces = self._pieces(texts)
        order = np.argsort([len(one) for one in pieces], kind="stable")
        made = np.zeros((len(texts), self._outputs.out_features), np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), 128):
                chosen = order[start : start + 128]
                made[chosen] = self._logits([pieces[at] for at in chosen]).numpy()
        return made

    def _epoch(
        self, lengths: Sequence[int], examples: Examples, chance: random.Random
    ) -> Iterator[list[int]]:
        easy = np.flatnonzero(np.isnan(examples.targets[:, 0])).tolist()
        rest = np.flatnonzero(~np.isnan(examples.targets[:, 0])).tolist()
        chosen = rest + chance.sample(easy, int(len(easy) * self.settings.desk_share))
        chosen.sort(key=lambda at: lengths[at] + chance.gauss(0, 3))
        batch = self.settings.batch
        starts = [number * batch for number in range(math.ceil(len(chosen) / batch))]
        chance.shuffle(starts)
        for start in starts:
            yield chosen[start : start + batch]

    def _pieces(self, texts: Sequence[str]) -> list[list[int]]:
        longest = self.settings.longest
        found = self._tokenizer(list(texts), truncation=True, max_length=longest)["input_ids"]
        return [list(pieces) for pieces in found]

    def _logits(self, pieces: Sequence[Sequence[int]], dropout: float = 0.0) -> Any:
        import torch

        width = max(len(one) for one in pieces)
        block = np.zeros((len(pieces), width), np.int64)
        there = np.zeros((len(pieces), width), np.int64)
        for row, mask, one in zip(block, there, pieces, strict=True):
            row[: len(one)], mask[: len(one)] = one, 1
        mask = torch.from_numpy(there)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = self._body(input_ids=torch.from_numpy(block), attention_mask=mask)
        shares = mask[..., None].float() / mask.sum(1)[:, None, None]
        mean = (hidden.last_hidden_state.float() * shares).sum(1)
        return self._outputs(torch.nn.functional.dropout(mean, dropout, training=dropout > 0))
