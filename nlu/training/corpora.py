"""Recordings with a feeling for a label, from the layouts that their publishers chose.

A folder of corpora holds one folder for each, named as in `READERS` (`ravdess`, `cremad`, `emodb`,
`nemo`, `tess`, `savee`), or any name with a `clips.csv` inside (columns `file`, `speaker`,
`emotion`, and `intensity` if there is one). Files the reader cannot place are left out and
counted in the log. `librispeech` is ordinary speech (`natural.py`): all of it is neutral.
"""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from nlu.errors import AttuneError
from nlu.training import natural
from nlu.training.clips import Clip, read_sound

_log = logging.getLogger(__name__)

LABELS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
"""What an acted corpus may call a clip; every reader maps its own names to these."""

_SYNONYMS = {
    "anger": "angry",
    "frustrated": "angry",
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "fear": "fearful",
    "anxious": "fearful",
    "disgusted": "disgust",
    "surprise": "surprised",
    "ps": "surprised",
    "boredom": "calm",
}
_SOUNDS = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3"})
_RAVDESS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")
_CREMAD = {"NEU": "neutral", "HAP": "happy", "SAD": "sad", "ANG": "angry", "FEA": "fearful"}
_EMODB = {"N": "neutral", "F": "happy", "T": "sad", "W": "angry", "A": "fearful", "L": "calm"}
_SAVEE = {
    "n": "neutral",
    "h": "happy",
    "sa": "sad",
    "a": "angry",
    "f": "fearful",
    "su": "surprised",
}


def read_corpora(data: Path) -> dict[str, list[Clip]]:
    """Every corpus found under `data`, by name. `data` may also be one CSV of one's own
    recordings, with paths relative to it.

    Raises `AttuneError` when nothing is found or a table is malformed.
    """
    if data.is_file():
        return {data.stem: list(_table(data, data.stem))}
    found: dict[str, list[Clip]] = {}
    for folder in sorted(path for path in data.glob("*") if path.is_dir()):
        clips = list(_read(folder))
        if clips:
            found[folder.name.lower()] = clips
            _log.info("%s: %d clips", folder.name, len(clips))
    if not found:
        raise AttuneError(
            f"{data}: no corpus of recordings found; lay out folders as docs/training.md says."
        )
    return found


def _read(folder: Path) -> Iterator[Clip]:
    name = re.sub(r"[^a-z]", "", folder.name.lower())
    if name == natural.FOLDER:
        yield from natural.training_pieces(folder)
        return
    table = folder / "clips.csv"
    if table.exists():
        if "emotion" in _header(table):
            yield from _table(table, folder.name.lower())
        return
    place = READERS.get(name)
    if place is None:
        return
    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SOUNDS):
        placed = place(path)
        if placed is None:
            _log.debug("%s: left out, its name says no emotion that is known", path)
            continue
        speaker, label, strong = placed
        yield Clip(path, name, f"{name}-{speaker}", label, strong)


def _header(table: Path) -> list[str]:
    with table.open(encoding="utf-8-sig", newline="") as file:
        return next(csv.reader(file), [])


def _table(table: Path, corpus: str) -> Iterator[Clip]:
    missing = {"file", "speaker", "emotion"} - set(_header(table))
    if missing:
        raise AttuneError(
            f"{table}: column '{min(missing)}' is missing; it needs file, speaker and emotion."
        )
    left_out: set[str] = set()
    with table.open(encoding="utf-8-sig", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            label = _label(row["emotion"] or "")
            if label is None:
                left_out.add(row["emotion"])
                continue
            path = table.parent / row["file"]
            if not path.is_file():
                raise AttuneError(
                    f"{table}, line {line}: {row['file']} is not there; correct the path."
                )
            strong = row.get("intensity") == "strong"
            yield Clip(path, corpus, f"{corpus}-{row['speaker']}", label, strong)
    if left_out:
        _log.warning("%s: left out the emotions %s", table, ", ".join(sorted(left_out)))


def _label(name: str) -> str | None:
    wanted = _SYNONYMS.get(name.strip().lower(), name.strip().lower())
    return wanted if wanted in LABELS else None


_Placed = tuple[str, str, bool] | None


def _ravdess(path: Path) -> _Placed:
    """`03-01-EMOTION-INTENSITY-STATEMENT-REPETITION-ACTOR`; speech (second field 01) only."""
    fields = path.stem.split("-")
    if len(fields) != 7 or fields[1] != "01" or not "01" <= fields[2] <= "08":
        return None
    return str(int(fields[6])), _RAVDESS[int(fields[2]) - 1], fields[3] == "02"


def _cremad(path: Path) -> _Placed:
    """`ACTOR_SENTENCE_EMOTION_LEVEL`."""
    fields = path.stem.split("_")
    if len(fields) != 4:
        return None
    label = "disgust" if fields[2] == "DIS" else _CREMAD.get(fields[2])
    return (fields[0], label, fields[3] == "HI") if label else None


def _emodb(path: Path) -> _Placed:
    """`03a01Fa`: speaker, text, emotion's initial in German, version."""
    match = re.fullmatch(r"(\d\d)[ab]\d\d([NFTWAEL])[a-f]?", path.stem)
    if not match:
        return None
    return match[1], "disgust" if match[2] == "E" else _EMODB[match[2]], False


def _nemo(path: Path) -> _Placed:
    """`SPEAKER_EMOTION_NUMBER`."""
    fields = path.stem.split("_")
    label = _label(fields[1]) if len(fields) == 3 else None
    return (fields[0], label, False) if label else None


def _tess(path: Path) -> _Placed:
    """`SPEAKER_WORD_EMOTION`."""
    fields = path.stem.split("_")
    label = _label(fields[-1]) if len(fields) >= 3 else None
    return (fields[0], label, False) if label else None


def _savee(path: Path) -> _Placed:
    """`SPEAKER_EMOTIONNUMBER`, or `SPEAKER/EMOTIONNUMBER`."""
    speaker, _, rest = path.stem.rpartition("_")
    match = re.fullmatch(r"(sa|su|a|d|f|h|n)\d\d", rest)
    if not match:
        return None
    label = "disgust" if match[1] == "d" else _SAVEE[match[1]]
    return speaker or path.parent.name, label, False


READERS: dict[str, Callable[[Path], _Placed]] = {
    "ravdess": _ravdess,
    "cremad": _cremad,
    "emodb": _emodb,
    "nemo": _nemo,
    "tess": _tess,
    "savee": _savee,
}

__all__ = ["LABELS", "READERS", "Clip", "read_corpora", "read_sound"]
