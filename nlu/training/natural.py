"""Ordinary speech, nobody acting: what a model of acted feeling must not call angry or sad.

The readers of LibriSpeech (Panayotov et al. 2015) stand for it: read aloud, calm, each
utterance cut into pieces as long as a caller's sentence. Speakers of its
`test` and `dev` parts, in a table the utterances with a transcript, are never trained on: they are
what the model is checked with.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from nlu.errors import AttuneError
from nlu.training.clips import Clip

FOLDER = "librispeech"
MOST_PIECES = 3

_LEAST_S, _MOST_S = 2.0, 4.0
_CHECKED_S = 3.5


@dataclass(frozen=True, slots=True)
class _Utterance:
    path: Path
    speaker: str
    seconds: float
    checked: bool


def training_pieces(folder: Path) -> list[Clip]:
    """Up to `MOST_PIECES` pieces of 2 to 4 s of each utterance by a speaker who is not among the
    checked ones, labelled neutral. Raises `AttuneError` for a malformed table."""
    utterances = list(_utterances(folder))
    checked = {one.speaker for one in utterances if one.checked}
    pieces: list[Clip] = []
    for at, one in enumerate(utterances):
        if one.speaker in checked:
            continue
        chance = np.random.default_rng(at)
        start = 0.0
        for _ in range(MOST_PIECES):
            length = float(chance.uniform(_LEAST_S, _MOST_S))
            if start + length > one.seconds:
                break
            pieces.append(_piece(one, start, length))
            start += length
    return pieces


def checking_pieces(data: Path) -> list[Clip]:
    """Two pieces of 3.5 s at most of each utterance of the checked speakers; none where
    `data` has no LibriSpeech."""
    folder = next((one for one in data.glob("*") if one.name.lower() == FOLDER), None)
    if folder is None or not folder.is_dir():
        return []
    return [
        _piece(one, start, _CHECKED_S)
        for one in _utterances(folder)
        if one.checked
        for start in (0.0, _CHECKED_S)
        if start + _CHECKED_S <= one.seconds
    ]


def _piece(one: _Utterance, start_s: float, seconds: float) -> Clip:
    speaker = f"{FOLDER}-{one.speaker}"
    return Clip(one.path, FOLDER, speaker, "neutral", part_s=(start_s, start_s + seconds))


def _utterances(folder: Path) -> Iterator[_Utterance]:
    table = folder / "clips.csv"
    if not table.exists():
        for path in sorted((*folder.rglob("*.flac"), *folder.rglob("*.ogg"))):
            parts = {part.split("-")[0] for part in path.relative_to(folder).parts[:-1]}
            seconds = soundfile.info(path).duration
            yield _Utterance(path, path.stem.split("-")[0], seconds, bool(parts & {"test", "dev"}))
        return
    with table.open(encoding="utf-8-sig", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            try:
                path, seconds = folder / row["file"], float(row["seconds"])
                yield _Utterance(path, row["speaker"], seconds, bool(row.get("transcript")))
            except (KeyError, TypeError, ValueError):
                raise AttuneError(
                    f"{table}, line {line}: it needs file, speaker and seconds (a number)."
                ) from None
