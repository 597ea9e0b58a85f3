"""How the text model was made: `attune train text`.

First MiniLM is fine-tuned as a teacher (`text_teacher.py`). Two small networks, whose piece
vectors start as MiniLM's own reduced by PCA, learn the labels of GoEmotions and what the teacher
says of the same texts, from different seeds; their logits are averaged, and those of a regression
on words and pairs of words, which knows the labels alone, join them. All see each text as written,
without punctuation, and with recogniser-like errors; sentences of a service desk teach the networks
what the seven service emotions sound like there. Thresholds, temperature and the blend with the
phrase bank are fitted on the development split, noisy versions included; the test split only
measures.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlu.emotion.labels import GOEMOTIONS, heads
from nlu.emotion.phrase_bank import EMOTIONS
from nlu.training import service, text_measures
from nlu.training import texts as corpora
from nlu.training.encoder import Teacher
from nlu.training.text_card import text_card
from nlu.training.text_pairs import PairSettings
from nlu.training.text_pairs import train as train_pairs
from nlu.training.text_rework import reworked
from nlu.training.text_student import Examples, Student, StudentSettings, fit
from nlu.training.text_teacher import TeacherSettings, answers
from nlu.wordpiece import WordPiece

_log = logging.getLogger(__name__)

Matrix = npt.NDArray[np.float32]

HEADS = heads()
CHANCES = (0.45, 0.2, 0.12, 0.12, 0.11)
"""How often a text is shown as written, speech-like, and with each of three sets of errors."""


@dataclass(frozen=True, slots=True)
class TextSettings:
    """What the shipped text model was trained with."""

    student: StudentSettings = field(default_factory=StudentSettings)
    pairs: PairSettings = field(default_factory=PairSettings)
    teacher: TeacherSettings = field(default_factory=TeacherSettings)
    taught_share: float = 0.8
    reworked_versions: int = 4
    reworked_share: float = 0.45
    members: int = 2
    most_pieces: int = 11_000
    service_each: int = 800
    phrase_copies: int = 5
    filled_each: int = 600
    plain_requests: int = 3_000
    word_errors: float = 0.15


def train(
    data: Path, out: Path, seed: int = 0, settings: TextSettings = TextSettings()
) -> dict[str, Any]:
    """Train the text model from GoEmotions, Banking77 and CLINC150 under `data` into `out`.

    Writes `text.npz`, `text.json` (settings, seed, data, licence, metrics) and the model card
    `text.md`; gives back what `text.json` holds. Needs the training extra.
    """
    prepared = taught(prepare(data, seed, settings), out, seed, settings)
    members = [train_member(prepared, seed + at, settings) for at in range(settings.members)]
    shown = [version[: prepared.reddit] for version in prepared.versions[:3]]
    labels = prepared.examples.targets[: prepared.reddit]
    pairs = train_pairs(shown, [labels] * len(shown), settings.pairs)
    return write(prepared, members, pairs, data, out, seed, settings)


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Everything that the members and the word pairs are trained from."""

    reddit: int
    """How many of the examples, the first ones, are texts of GoEmotions."""
    versions: list[list[str]]
    """Each text as written, speech-like, then with errors."""
    pieces: list[str]
    start: Matrix
    prior: Matrix
    examples: Examples


def prepare(data: Path, seed: int, settings: TextSettings) -> Prepared:
    """Read the corpora, choose the pieces, make the noisy versions."""
    rows = corpora.goemotions(data, "train")
    desk = desk_rows(data, seed, settings)
    reddit = [row.text for row in rows]
    written = reddit + [text for text, _ in desk]
    base = Teacher()
    pieces = _pieces(base.vocabulary, written, settings.most_pieces)
    words = WordPiece(pieces)
    shown = versions(written, seed, settings, len(CHANCES))
    longest = settings.student.longest
    targets = label_targets(rows)
    examples = Examples(
        [[words(text, longest) for text in version] for version in shown],
        np.vstack((targets, np.full((len(desk), len(HEADS)), np.nan, np.float32))),
        np.asarray([*single_emotion(rows), *(number for _, number in desk)], np.int64),
        np.asarray([0.3] * len(rows) + [1.0] * len(desk), np.float32),
    )
    rate = np.clip(targets.mean(0), 1e-3, 0.5)
    prior = np.concatenate((np.log(rate / (1 - rate)), np.zeros(7))).astype(np.float32)
    start = _start_vectors(base, pieces, settings.student.dimensions)
    return Prepared(len(rows), shown, pieces, start, prior, examples)


def taught(prepared: Prepared, out: Path, seed: int, settings: TextSettings) -> Prepared:
    """The same with what a teacher, fine-tuned for it, says of the texts of GoEmotions, and with
    reworked versions of all texts, of which it alone says what they are.

    Its answers are kept as `text_teacher.npz` in `out`: a run that changes only the small networks
    need not fine-tune it again.
    """
    if not settings.taught_share:
        return prepared
    made = [
        reworked(prepared.versions[0], seed + 10 + at) for at in range(settings.reworked_versions)
    ]
    written, *others = answers(
        prepared.versions, prepared.examples, prepared.prior, CHANCES, seed, settings.teacher,
        out / "text_teacher.npz", made,
    )  # fmt: skip
    words, longest = WordPiece(prepared.pieces), settings.student.longest
    pieces = [[words(text, longest) or [words.unknown] for text in version] for version in made]
    examples = replace(
        prepared.examples, versions=[*prepared.examples.versions, *pieces],
        taught=written, taught_share=settings.taught_share, reworked=others,
    )  # fmt: skip
    return replace(prepared, examples=examples)


def desk_rows(data: Path, seed: int, settings: TextSettings) -> service.Rows:
    """Sentences of a service desk with the number of their emotion, and plain requests."""
    desk = service.sentences(seed, held_out=False, each=settings.service_each)
    desk += settings.phrase_copies * service.phrases()
    desk += service.filled(seed, settings.filled_each)
    return desk + service.plain_requests(data, "train", seed, settings.plain_requests)


def train_member(
    prepared: Prepared, seed: int, settings: TextSettings
) -> dict[str, npt.NDArray[np.generic]]:
    """One network's weights as they ship, trained from `seed`."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    student = Student(prepared.start, len(prepared.prior), prepared.prior, settings.student)
    fit(student, prepared.examples, chances_of_versions(prepared.examples, settings), seed)
    return shipped(student)


def chances_of_versions(examples: Examples, settings: TextSettings) -> list[float]:
    """How often each version is shown, the reworked ones `reworked_share` of the time together."""
    count = len(examples.reworked)
    if not count:
        return list(CHANCES)
    share = settings.reworked_share
    return [(1 - share) * chance for chance in CHANCES] + [share / count] * count


def write(
    prepared: Prepared,
    members: Sequence[dict[str, npt.NDArray[np.generic]]],
    pairs: dict[str, npt.NDArray[np.generic]],
    data: Path,
    out: Path,
    seed: int,
    settings: TextSettings,
) -> dict[str, Any]:
    """Join the members, fit thresholds, temperature and blend, measure, and write."""
    weights: dict[str, npt.NDArray[np.generic]] = {
        "vocabulary": np.frombuffer("\n".join(prepared.pieces).encode("utf-8"), np.uint8),
        "widths": np.asarray(settings.student.widths, np.int8),
        **pairs,
    }
    for at, member in enumerate(members):
        weights.update({f"{name}_{at}": array for name, array in member.items()})
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
            "all-MiniLM-L6-v2": "Apache-2.0 (first piece vectors; teacher, fine-tuned)",
            "service_texts.yaml, phrase_bank.yaml": "Apache-2.0 (written for Attune)",
        },
        "seed": seed,
        "settings": asdict(settings),
        "texts": len(prepared.examples.desk),
        "bytes": (out / "text.npz").stat().st_size,
        "metrics": metrics,
    }
    (out / "text.json").write_text(json.dumps(card, indent=2) + "\n", "utf-8")
    (out / "text.md").write_text(text_card(card), "utf-8")
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


def _pieces(vocabulary: Sequence[str], written: Sequence[str], most: int) -> list[str]:
    words = WordPiece(vocabulary)
    used = Counter(number for text in written for number in words(text, 64))
    single = {piece for piece in vocabulary if len(piece.removeprefix("##")) == 1}
    short = [piece for piece in vocabulary if piece in single and piece.isascii()]
    frequent = [vocabulary[number] for number, count in used.most_common() if count > 1]
    kept = dict.fromkeys(["[UNK]", *short, *frequent])
    return list(kept)[:most]


def versions(
    written: Sequence[str], seed: int, settings: TextSettings, count: int
) -> list[list[str]]:
    """Each text in `count` versions: as written, speech-like, then with errors."""
    errors = corpora.WordErrors(written, seed)
    made = [list(written), [corpora.speech_like(text) for text in written]]
    return made + [errors.all(written, settings.word_errors) for _ in range(count - 2)]


def _start_vectors(base: Teacher, pieces: Sequence[str], dimensions: int) -> Matrix:
    table = base.model.embeddings.word_embeddings.weight.detach().numpy()
    number = {piece: at for at, piece in enumerate(base.vocabulary)}
    chosen = table[[number[piece] for piece in pieces]]
    centred = chosen - chosen.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    reduced = centred @ axes[:dimensions].T
    return np.asarray(reduced / reduced.std() * 0.5, np.float32)


def shipped(student: Student) -> dict[str, npt.NDArray[np.generic]]:
    """The weights as they ship: whole numbers of 8 bits, each row or column with its scale."""
    vectors = student.vectors.weight.detach().numpy()[:-1]
    scales = (np.abs(vectors).max(1) / 127.0 + 1e-7).astype(np.float16)
    rounded = np.round(vectors / scales[:, None].astype(np.float32)).clip(-127, 127)
    weights: dict[str, npt.NDArray[np.generic]] = {
        "vectors": rounded.astype(np.int8),
        "scales": scales,
        "linear_bias": student.linear.bias.detach().numpy().astype(np.float32),
    }
    matrices = {"linear": student.linear.weight.detach().numpy().T}
    for number, layer in enumerate(student.layers):
        turned = layer.weight.detach().numpy().transpose(2, 1, 0)
        matrices[f"turning{number}"] = turned.reshape(-1, turned.shape[2])
        weights[f"layer{number}"] = layer.bias.detach().numpy().astype(np.float32)
    for width, one in zip(student.settings.widths, student.filters, strict=True):
        turned = one.weight.detach().numpy().transpose(2, 1, 0)
        matrices[f"filters{width}"] = turned.reshape(-1, turned.shape[2])
        weights[f"bias{width}"] = one.bias.detach().numpy().astype(np.float32)
    for name, matrix in matrices.items():
        scale = (np.abs(matrix).max(0) / 127.0 + 1e-9).astype(np.float32)
        weights[name] = np.round(matrix / scale).astype(np.int8)
        weights[f"{name}_scale"] = scale
    return weights
