"""How the completeness model was made: `python -m voice.turns.training --data DIR` (extra `train`).

Data: the training parts of CLINC150 (CC BY 3.0), Banking77 (CC BY 4.0) and GoEmotions (CC BY 4.0),
and the example phrases of the shipped packs.
After the last word of a sentence the caller has finished it, after every other they have not. Where
a text has several sentences, each but the last is one after which the caller goes on. Most texts
get the errors of a recogniser: words that sound nearly alike (by pocketsphinx's dictionary), words
lost, words put in. Texts are split by hash: one in ten is held out for the figures that are
printed. About three minutes.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dialogue.packs.loader import load_pack, shipped_packs
from nlu.encoder import Encoder
from voice.turns.completeness import PIECES, Completeness, pieces_of, words_of

SEED = 0
EPOCHS = 7
BATCH = 128
RATE = 3e-3
PROJECTED, OWN, STATE = 64, 24, 96
FREQUENT = 2_000
ERROR_RATES = (0.0, 0.1, 0.25, 0.35)
_PACK_WEIGHT = 20
_GOES_ON = 0.25
_CONFUSED = 6_000
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_WEIGHTS = Path(__file__).with_name("completeness.npz")

Sentences = list[list[str]]


def texts(data: Path) -> Iterator[str]:
    """Every training text of the three corpora."""
    clinc = json.loads((data / "clinc150" / "data_full.json").read_text(encoding="utf-8"))
    yield from (row[0] for part in ("train", "oos_train") for row in clinc[part])
    with (data / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        yield from (row["text"] for row in csv.DictReader(file))
    lines = (data / "goemotions" / "train.tsv").read_text(encoding="utf-8").splitlines()
    for line in lines[::2]:
        text = line.split("\t")[0]
        if "[" not in text and "/" not in text:
            yield text
    for pack in shipped_packs():
        for phrases in load_pack(pack).language().intents.values():
            yield from (phrase for phrase in phrases for _ in range(_PACK_WEIGHT))


def held_out(text: str) -> bool:
    """Whether a text is kept from training."""
    return zlib.crc32(text.encode()) % 10 == 0


class Misheard:
    """Errors as a recogniser makes them: of ten, six words that sound nearly alike, one and a half
    lost, one and a half put in."""

    def __init__(self, words: Sequence[str], rng: random.Random) -> None:
        self._rng = rng
        self._words = words
        self._alike = sounding_alike(words)

    def apply(self, words: Sequence[str], rate: float) -> list[str]:
        """The words with errors at this rate."""
        heard: list[str] = []
        for word in words:
            draw = self._rng.random() / rate if rate else 1.0
            if draw < 0.6 and word in self._alike:
                heard.append(self._rng.choice(self._alike[word]))
            elif not 0.6 <= draw < 0.75:
                heard.append(word)
                if 0.75 <= draw < 0.9:
                    heard.append(self._rng.choice(self._words[:300]))
        return heard


def sounding_alike(words: Sequence[str]) -> Mapping[str, list[str]]:
    """For each word those whose sounds differ from its own by one at most."""
    from pocketsphinx import get_model_path

    sounds: dict[str, tuple[str, ...]] = {}
    dictionary = Path(get_model_path()) / "en-us" / "cmudict-en-us.dict"
    for line in dictionary.read_text(encoding="utf-8").splitlines():
        word, *phones = line.split()
        sounds[word] = tuple(phones)
    known = [word for word in words if word in sounds]
    by_shape: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for word in known:
        for shape in _shapes(sounds[word]):
            by_shape[shape].append(word)
    alike = {
        word: sorted({each for shape in _shapes(sounds[word]) for each in by_shape[shape]} - {word})
        for word in known
    }
    return {word: others for word, others in alike.items() if others}


def _shapes(phones: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [phones, *(phones[:at] + phones[at + 1 :] for at in range(len(phones)))]


def split(data: Path) -> dict[bool, list[Sentences]]:
    """Texts as sentences of words: those to learn from, and those held out."""
    parts: dict[bool, list[Sentences]] = {True: [], False: []}
    for text in texts(data):
        sentences = [words for part in _SENTENCE.split(text) if (words := words_of(part))]
        if sentences:
            parts[held_out(text)].append(sentences)
    return parts


def example(text: Sentences, encoder: Encoder) -> tuple[list[int], list[list[float]]]:
    """The pieces of a text, and for each: whether a sentence ends after it, how much that counts,
    whether it is an end after which the text goes on, whether that is asked.

    Ends count as much as all the places of their sentence that are none; within a word nothing is
    asked.
    """
    pieces: list[int] = []
    asked: list[list[float]] = []
    for number, words in enumerate(text):
        for at, word in enumerate(words):
            numbers = pieces_of([word], encoder) or [encoder.words.unknown]
            last = at == len(words) - 1
            pieces += numbers
            asked += [[0.0] * 4] * (len(numbers) - 1)
            share = 1.0 if last else 1.0 / (len(words) - 1)
            asked.append([float(last), share, float(last and number < len(text) - 1), float(last)])
    return pieces, asked


def batches(
    items: Sequence[Sentences],
    encoder: Encoder,
    misheard: Misheard,
    rates: Sequence[float],
    rng: random.Random,
) -> Iterator[tuple[Any, Any]]:
    """Arrays of pieces [turns, pieces] and of what is asked of each [turns, pieces, 4] (see
    `example`), of turns of about one length; a quarter of the turns go on with another text."""
    order = rng.sample(range(len(items)), len(items))
    turns = []
    while order:
        pieces: list[int] = []
        asked: list[list[float]] = []
        rate = rng.choice(rates)
        while order and (not pieces or rng.random() < _GOES_ON):
            heard = [misheard.apply(part, rate) for part in items[order.pop()]]
            more_pieces, more_asked = example([words for words in heard if words], encoder)
            pieces, asked = pieces + more_pieces, asked + more_asked
        turns.append((pieces[:PIECES], asked[:PIECES]))
    turns.sort(key=lambda turn: len(turn[0]) + rng.random())
    starts = list(range(0, len(turns), BATCH))
    for start in rng.sample(starts, len(starts)):
        chosen = turns[start : start + BATCH]
        longest = max(len(pieces) for pieces, _ in chosen)
        filled = np.zeros((len(chosen), longest), np.int64)
        wanted = np.zeros((len(chosen), longest, 4), np.float32)
        for row, (pieces, asked) in enumerate(chosen):
            filled[row, : len(pieces)], wanted[row, : len(pieces)] = pieces, asked
        yield filled, wanted


def network(vectors: Any, own_row: Any) -> Any:
    """The network of `Completeness` in torch."""
    import torch
    from torch import nn

    class Network(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.project = nn.Linear(vectors.shape[1], PROJECTED)
            self.own = nn.Embedding(FREQUENT + 1, OWN)
            nn.init.zeros_(self.own.weight)
            self.recurrent = nn.GRU(PROJECTED + OWN, STATE, batch_first=True)
            self.output = nn.Linear(STATE, 2)
            self.drop = nn.Dropout(0.2)

        def forward(self, pieces: Any) -> Any:
            known = torch.tanh(self.project(vectors[pieces]))
            steps = torch.cat([known, self.own(own_row[pieces])], dim=-1)
            states, _ = self.recurrent(self.drop(steps))
            return self.output(self.drop(states))

    return Network()


def train(data: Path, out: Path) -> None:
    """Learn, write the weights, print figures on what was held out."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    rng = random.Random(SEED)
    encoder = Encoder.load()
    parts = split(data)
    frequency = Counter(word for said in parts[False] for part in said for word in part)
    misheard = Misheard([word for word, _ in frequency.most_common(_CONFUSED)], rng)
    frequent = _frequent(frequency, encoder)
    own_row = np.full(len(encoder.words.vocabulary), FREQUENT)
    own_row[frequent] = np.arange(FREQUENT)
    table = encoder.piece_vectors(np.arange(len(encoder.words.vocabulary)))
    spread = float(table.std())
    model = network(torch.from_numpy(table / spread), torch.from_numpy(own_row))
    optimiser = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=1e-3)
    for epoch in range(EPOCHS):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (1.0 - epoch / EPOCHS)
        for arrays in batches(parts[False], encoder, misheard, ERROR_RATES, rng):
            pieces, asked = map(torch.from_numpy, arrays)
            wanted, counts = asked[..., ::2], asked[..., 1::2]
            losses = binary_cross_entropy_with_logits(model(pieces), wanted, reduction="none")
            optimiser.zero_grad()
            ((losses * counts).sum() / counts.sum()).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
    write(model, spread, frequent, out)
    learned = Completeness.load(out)
    for rate in (0.0, 0.25):
        ends, more = held_out_auc(learned, parts[True], misheard, rate)
        print(f"held out, {rate:.0%} errors: AUC of ends {ends:.3f}, of going on {more:.3f}")  # noqa: T201


def _frequent(frequency: Counter[str], encoder: Encoder) -> Any:
    """The numbers of the most frequent pieces."""
    pieces: Counter[int] = Counter()
    for word, count in frequency.items():
        for piece in pieces_of([word], encoder):
            pieces[piece] += count
    return np.array([piece for piece, _ in pieces.most_common(FREQUENT)])


def write(model: Any, spread: float, frequent: Any, out: Path) -> None:
    """The weights as `Completeness` takes them: int8, each matrix with one scale."""
    taken = {name: value.detach().numpy() for name, value in model.named_parameters()}
    matrices = {
        "project": taken["project.weight"].T / spread,
        "project_bias": taken["project.bias"],
        "own": taken["own.weight"],
        "input": taken["recurrent.weight_ih_l0"].T,
        "input_bias": taken["recurrent.bias_ih_l0"],
        "recurrent": taken["recurrent.weight_hh_l0"].T,
        "recurrent_bias": taken["recurrent.bias_hh_l0"],
        "output": taken["output.weight"].T,
        "output_bias": taken["output.bias"],
    }
    stored: dict[str, Any] = {"frequent": frequent.astype(np.int32)}
    for name, matrix in matrices.items():
        scale = float(np.abs(matrix).max()) / 127.0
        stored[name] = np.round(matrix / scale).astype(np.int8)
        stored[f"{name}.scale"] = np.float32(scale)
    np.savez_compressed(out, **stored)


def held_out_auc(
    model: Completeness, items: Sequence[Sentences], misheard: Misheard, rate: float
) -> tuple[float, float]:
    """Ends against one other place of each sentence; ends of sentences
    after which the text goes on against ends of texts."""
    from sklearn.metrics import roc_auc_score

    rng = random.Random(SEED)
    ends: list[tuple[float, bool]] = []
    more: list[tuple[float, bool]] = []
    for said in items:
        before: list[str] = []
        for number, words in enumerate(misheard.apply(part, rate) for part in said):
            if len(words) > 1:
                place = rng.randrange(1, len(words))
                ends.append((model.judge(" ".join(before + words[:place])).finished, False))
            before = before + words
            judged = model.judge(" ".join(before))
            ends.append((judged.finished, True))
            more.append((judged.goes_on, number < len(said) - 1))
    aucs = [
        roc_auc_score([is_so for _, is_so in each], [x for x, _ in each]) for each in (ends, more)
    ]
    return float(aucs[0]), float(aucs[1])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=_WEIGHTS)
    options = parser.parse_args()
    train(options.data, options.out)


if __name__ == "__main__":
    main()
