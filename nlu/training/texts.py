"""The text corpora, and text as a recogniser would hand it over: no punctuation, wrong words."""

from __future__ import annotations

import csv
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nlu.errors import AttuneError

_NOT_SPOKEN = re.compile(r"[^\w\s']|_")
_SPACES = re.compile(r"\s+")
_SOUND = str.maketrans(
    {
        **dict.fromkeys("aeiouyhw'", ""),
        **dict.fromkeys("bpfv", "b"),
        **dict.fromkeys("cgjkqsxz", "s"),
        **dict.fromkeys("dt", "t"),
        **dict.fromkeys("mn", "m"),
    }
)


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text with the numbers of its labels."""

    text: str
    labels: tuple[int, ...]


def goemotions(data: Path, split: str) -> list[LabelledText]:
    """GoEmotions (`train`, `dev` or `test`), official split."""
    path = _present(data / "goemotions" / f"{split}.tsv", "goemotions")
    rows = (line.split("\t") for line in path.read_text("utf-8").splitlines() if line)
    return [LabelledText(row[0], tuple(int(n) for n in row[1].split(","))) for row in rows]


def goemotions_labels(data: Path) -> tuple[str, ...]:
    """The 28 labels of GoEmotions in their official order."""
    path = _present(data / "goemotions" / "labels.txt", "goemotions")
    return tuple(path.read_text("utf-8").split())


def banking77(data: Path, split: str) -> list[tuple[str, str]]:
    """Banking77 (`train` or `test`) as pairs of text and intent."""
    path = _present(data / "banking77" / f"{split}.csv", "banking77")
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["text"], row["category"]) for row in csv.DictReader(file)]


def clinc150(data: Path, split: str) -> list[tuple[str, str]]:
    """CLINC150 (`train`, `val`, `test`, `oos_test`, ...) as pairs of text and intent."""
    path = _present(data / "clinc150" / "data_full.json", "clinc150")
    return [(text, intent) for text, intent in json.loads(path.read_text("utf-8"))[split]]


def meld(data: Path, split: str) -> list[tuple[str, str]]:
    """MELD (`train`, `dev` or `test`) as pairs of line and emotion; for evaluation only."""
    path = _present(data / "meld" / f"{split}_sent_emo.csv", "meld")
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["Utterance"], row["Emotion"]) for row in csv.DictReader(file)]


def _present(path: Path, corpus: str) -> Path:
    if not path.is_file():
        raise AttuneError(
            f"{path}: the corpus {corpus} is not there; "
            "give the folder that holds it with --data (docs/training.md says what it looks like)."
        )
    return path


def speech_like(text: str) -> str:
    """Lower case, no punctuation, no symbols: what a recogniser writes."""
    spoken = _NOT_SPOKEN.sub(" ", text.lower().replace("’", "'"))
    return _SPACES.sub(" ", spoken).strip()


class WordErrors:
    """Puts recogniser-like errors into text.

    Of the words hit, 60 % become another word (one that sounds alike where the corpus has one,
    any frequent word otherwise), 20 % are lost, and 20 % gain a frequent word beside them.
    """

    def __init__(self, texts: Iterable[str], seed: int = 0) -> None:
        counts = Counter(word for text in texts for word in speech_like(text).split())
        self._frequent = [word for word, _ in counts.most_common(5000)]
        self._weights = [counts[word] for word in self._frequent]
        self._alike: dict[str, list[str]] = defaultdict(list)
        for word in self._frequent:
            self._alike[_sound(word)].append(word)
        self._random = random.Random(seed)
        self._queue: list[str] = []

    def __call__(self, text: str, rate: float = 0.15) -> str:
        """`text` made speech-like, with about `rate` of its words wrong."""
        words: list[str] = []
        for word in speech_like(text).split():
            if self._random.random() >= rate:
                words.append(word)
                continue
            kind = self._random.random()
            if kind < 0.6:
                words.append(self._instead_of(word))
            elif kind >= 0.8:
                words.extend((word, self._any()))
        return " ".join(words)

    def all(self, texts: Sequence[str], rate: float = 0.15) -> list[str]:
        """Every text with errors."""
        return [self(text, rate) for text in texts]

    def _instead_of(self, word: str) -> str:
        alike = [other for other in self._alike.get(_sound(word), ()) if other != word]
        return self._random.choice(alike) if alike else self._any()

    def _any(self) -> str:
        if not self._queue:
            self._queue = self._random.choices(self._frequent, self._weights, k=10_000)
        return self._queue.pop()


def _sound(word: str) -> str:
    """A rough key of how a word sounds: its first letter's class and its consonants' classes."""
    key = word[1:].translate(_SOUND)
    return (
        word[0].translate(_SOUND)
        + "-"
        + "".join(letter for at, letter in enumerate(key) if at == 0 or key[at - 1] != letter)
    )
