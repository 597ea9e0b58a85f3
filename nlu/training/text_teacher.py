"""The teacher of the text model: all-MiniLM-L6-v2, fine-tuned whole on GoEmotions."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nlu.training.encoder import Teacher
from nlu.training.texts import WordErrors, speech_like

_log = logging.getLogger(__name__)

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TeacherSettings:
    """What the teacher was trained with."""

    epochs: int = 3
    batch: int = 48
    learning_rate: float = 1e-4
    longest: int = 48
    word_errors: float = 0.12
    smoothing: float = 0.0


class TextTeacher:
    """Fine-tuned MiniLM with one logit for each head."""

    def __init__(self, heads: int, seed: int) -> None:
        import torch

        torch.manual_seed(seed)
        base = Teacher()
        self._tokenizer = base.tokenizer
        self._body = base.model
        self._head = torch.nn.Linear(2 * 384, heads)
        torch.nn.init.normal_(self._head.weight, std=0.02)
        torch.nn.init.constant_(self._head.bias, -2.0)
        self._body.embeddings.word_embeddings.weight.requires_grad_(False)

    def fit(
        self, texts: Sequence[str], targets: Matrix, seed: int, settings: TeacherSettings
    ) -> None:
        """Train on texts as written (half), speech-like, and with word errors."""
        import torch

        chance = random.Random(seed)
        errors = WordErrors(texts, seed)
        goal = torch.from_numpy(targets)
        trained = [p for p in self._body.parameters() if p.requires_grad]
        groups = [
            {"params": trained, "lr": settings.learning_rate, "weight_decay": 0.01},
            {"params": list(self._head.parameters()), "lr": 20 * settings.learning_rate},
        ]
        optimiser = torch.optim.AdamW(groups)
        steps = settings.epochs * math.ceil(len(texts) / settings.batch)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: min(step / (0.1 * steps), (steps - step) / (0.9 * steps))
        )
        self._body.train()
        for epoch in range(settings.epochs):
            seen = [_version(text, errors, chance, settings.word_errors) for text in texts]
            total = 0.0
            batches = _batches([len(text) for text in seen], settings.batch, chance)
            for batch in batches:
                logits = self._logits([seen[at] for at in batch], settings.longest)
                loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, goal[batch])
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(trained, 1.0)
                optimiser.step()
                schedule.step()
                total += float(loss.detach())
            _log.info("teacher: epoch %d, loss %.4f", epoch + 1, total / len(batches))
        self._body.eval()

    def logits(self, texts: Sequence[str], longest: int = 64) -> Matrix:
        """Logits of each head: float32 [len(texts), heads]."""
        import torch

        order = np.argsort([len(text) for text in texts], kind="stable")
        parts: dict[int, Any] = {}
        with torch.inference_mode():
            for start in range(0, len(order), 128):
                chosen = order[start : start + 128]
                made = self._logits([texts[at] for at in chosen], longest).numpy()
                parts.update(zip(chosen.tolist(), made, strict=True))
        return np.stack([parts[at] for at in range(len(texts))]).astype(np.float32)

    def _logits(self, texts: list[str], longest: int) -> Any:
        import torch

        batch = self._tokenizer(
            texts, padding=True, truncation=True, max_length=longest, return_tensors="pt"
        )
        with torch.autocast("cpu", dtype=torch.bfloat16):
            hidden = self._body(**batch).last_hidden_state
        hidden = hidden.float()
        mask = batch["attention_mask"][..., None]
        mean = (hidden * mask).sum(1) / mask.sum(1)
        highest = hidden.masked_fill(mask == 0, -1e4).amax(1)
        features = torch.cat((mean, highest), 1)
        features = torch.nn.functional.dropout(features, 0.1, self._body.training)
        return self._head(features)


def _version(text: str, errors: WordErrors, chance: random.Random, rate: float) -> str:
    kind = chance.random()
    if kind < 0.5:
        return text
    if kind < 0.7:
        return speech_like(text)
    return errors(text, rate) or text


def _batches(lengths: Sequence[int], size: int, chance: random.Random) -> list[list[int]]:
    """Batches of texts of like length, in random order."""
    order = sorted(range(len(lengths)), key=lambda at: lengths[at] + chance.gauss(0, 6))
    batches = [order[at : at + size] for at in range(0, len(order), size)]
    chance.shuffle(batches)
    return batches
