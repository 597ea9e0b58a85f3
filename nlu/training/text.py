"""How the text model was made: `attune train text`.

A teacher (all-MiniLM-L6-v2, fine-tuned whole) and the labels of GoEmotions train a small network
whose piece vectors start as MiniLM's own, reduced by PCA. It sees each text as written, without
punctuation, and with recogniser-like errors; sentences of a service desk teach it what the seven
service emotions sound like there. Thresholds, temperature and the blend with the phrase bank are
fitted on the development split, noisy versions included; the test split only measures.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlu.emotion.labels import GOEMOTIONS, heads
from nlu.emotion.phrase_bank import EMOTIONS
from nlu.training import service, text_measures
from nlu.training import texts as corpora
from nlu.training.encoder import Teacher
from nlu.training.text_student import Examples, Student, StudentSettings, fit
from nlu.training.text_teacher import TeacherSettings, TextTeacher
from nlu.wordpiece import WordPiece

_log = logging.getLogger(__name__)

Matrix = npt.NDArray[np.float32]

HEADS = heads()
CHANCES = (0.45, 0.2, 0.12, 0.12, 0.11)
"""How often a text is shown as written, speech-like, and with each of three sets of errors."""


@dataclass(frozen=True, slots=True)
class TextSettings:
    """What the shipped text model was trained with."""

    teacher: TeacherSettings | None = field(default_factory=TeacherSettings)
    student: StudentSettings = field(default_factory=StudentSettings)
    most_pieces: int = 11_000
    service_each: int = 600
    plain_requests: int = 3_000
    word_errors: float = 0.15


def train(
    data: Path, out: Path, seed: int = 0, settings: TextSettings = TextSettings()
) -> dict[str, Any]:
    """Train the text model from GoEmotions, Banking77 and CLINC150 under `data` into `out`.

    Writes `text.npz` and `text.json` (settings, seed, data, licence, metrics); gives back what
    `text.json` holds. Needs the training extra.
    """
    rows = corpora.goemotions(data, "train")
    taught = None
    if settings.teacher is not None:
        teacher = TextTeacher(len(HEADS), seed)
        written = [row.text for row in rows]
        teacher.fit(written, label_targets(rows), seed, settings.teacher)
        taught = teacher.logits(written)
    return train_student(data, out, taught, seed, settings)


def train_student(
    data: Path, out: Path, taught: Matrix | None, seed: int, settings: TextSettings
) -> dict[str, Any]:
    """Train the network that ships, with the teacher's logits for the train split if any."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rows = corpora.goemotions(data, "train")
    desk = service.sentences(seed, held_out=False, each=settings.service_each)
    desk += 8 * service.phrases()
    desk += service.plain_requests(data, "train", seed, settings.plain_requests)
    written = [row.text for row in rows] + [text for text, _ in desk]
    base = Teacher()
    pieces = _pieces(base.vocabulary, written, settings.most_pieces)
    words = WordPiece(pieces)
    targets = label_targets(rows)
    examples = Examples(
        _versions(words, written, seed, settings),
        np.vstack((targets, np.full((len(desk), len(HEADS)), np.nan, np.float32))),
        np.asarray([*single_emotion(rows), *(number for _, number in desk)], np.int64),
        np.asarray([0.3] * len(rows) + [1.0] * len(desk), np.float32),
        _taught(taught, len(rows), len(written)),
    )
    rate = np.clip(targets.mean(0), 1e-3, 0.5)
    prior = np.concatenate((np.log(rate / (1 - rate)), np.zeros(7))).astype(np.float32)
    start = _start_vectors(base, pieces, settings.student.dimensions)
    student = Student(start, len(prior), prior, settings.student)
    fit(student, examples, CHANCES, seed)
    weights = _weights(student, pieces)
    fitted, metrics = text_measures.finish(weights, data, seed)
    out.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {**weights, **fitted}
    np.savez_compressed(out / "text.npz", **arrays)
    card = {
        "name": "text",
        "licence": "Apache-2.0; data: CC BY 4.0 and CC BY 3.0 (name the sources)",
        "data": {
            "GoEmotions": "CC BY 4.0 (train; thresholds and temperature on dev; measured on test)",
            "Banking77": "CC BY 4.0 (train: requests without a feeling)",
            "CLINC150": "CC BY 3.0 (train: requests without a feeling)",
            "all-MiniLM-L6-v2": "Apache-2.0 (teacher and first piece vectors)",
            "service_texts.yaml, phrase_bank.yaml": "Apache-2.0 (written for Attune)",
        },
        "seed": seed,
        "settings": asdict(settings),
        "texts": len(written),
        "bytes": (out / "text.npz").stat().st_size,
        "metrics": metrics,
    }
    (out / "text.json").write_text(json.dumps(card, indent=2) + "\n", "utf-8")
    return card


def label_targets(rows: Sequence[corpora.LabelledText]) -> Matrix:
    """1 where a head's labels hold one of the text's, 0 elsewhere: float32 [texts, heads]."""
    targets = np.zeros((len(rows), len(HEADS)), np.float32)
    for target, row in zip(targets, rows, strict=True):
        named = {GOEMOTIONS[label] for label in row.labels}
        target[:] = [bool(named.intersection(head)) for head in HEADS]
    return targets


def single_emotion(rows: Sequence[corpora.LabelledText]) -> list[int]:
    """The one service emotion of each text, -1 where its labels name several."""
    service_part = label_targets(rows)[:, -len(EMOTIONS) :]
    return [int(one.argmax()) if one.sum() == 1 else -1 for one in service_part]


def _taught(logits: Matrix | None, known: int, count: int) -> Matrix:
    chances = np.full((count, len(HEADS)), np.nan, np.float32)
    if logits is not None:
        chances[:known] = 1 / (1 + np.exp(-logits))
    return chances


def _pieces(vocabulary: Sequence[str], written: Sequence[str], most: int) -> list[str]:
    words = WordPiece(vocabulary)
    used = Counter(number for text in written for number in words(text, 64))
    single = {piece for piece in vocabulary if len(piece.removeprefix("##")) == 1}
    short = [piece for piece in vocabulary if piece in single and piece.isascii()]
    frequent = [vocabulary[number] for number, count in used.most_common() if count > 1]
    kept = dict.fromkeys(["[UNK]", *short, *frequent])
    return list(kept)[:most]


def _versions(
    words: WordPiece, written: Sequence[str], seed: int, settings: TextSettings
) -> list[list[list[int]]]:
    longest = settings.student.longest
    errors = corpora.WordErrors(written, seed)
    versions = [
        [words(text, longest) for text in written],
        [words(corpora.speech_like(text), longest) for text in written],
    ]
    for _ in range(len(CHANCES) - 2):
        versions.append([words(errors(text, settings.word_errors), longest) for text in written])
    return versions


def _start_vectors(base: Teacher, pieces: Sequence[str], dimensions: int) -> Matrix:
    table = base.model.embeddings.word_embeddings.weight.detach().numpy()
    number = {piece: at for at, piece in enumerate(base.vocabulary)}
    chosen = table[[number[piece] for piece in pieces]]
    centred = chosen - chosen.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    reduced = centred @ axes[:dimensions].T
    return np.asarray(reduced / reduced.std() * 0.5, np.float32)


def _weights(student: Student, pieces: Sequence[str]) -> dict[str, npt.NDArray[np.generic]]:
    vectors = student.vectors.weight.detach().numpy()[:-1]
    scales = (np.abs(vectors).max(1) / 127.0 + 1e-9).astype(np.float16)
    weights: dict[str, npt.NDArray[np.generic]] = {
        "vocabulary": np.frombuffer("\n".join(pieces).encode("utf-8"), np.uint8),
        "vectors": np.round(vectors / scales[:, None].astype(np.float32))
        .clip(-127, 127)
        .astype(np.int8),
        "scales": scales,
        "widths": np.asarray(student.settings.widths, np.int8),
        "linear_bias": student.linear.bias.detach().numpy().astype(np.float32),
    }
    matrices = {"linear": student.linear.weight.detach().numpy().T}
    for at, one in enumerate(student.filters):
        turned = one.weight.detach().numpy().transpose(2, 1, 0)
        matrices[f"filters{at}"] = turned.reshape(-1, turned.shape[2])
        weights[f"bias{at}"] = one.bias.detach().numpy().astype(np.float32)
    for name, matrix in matrices.items():
        scale = (np.abs(matrix).max(0) / 127.0 + 1e-9).astype(np.float32)
        weights[name] = np.round(matrix / scale).astype(np.int8)
        weights[f"{name}_scale"] = scale
    return weights
