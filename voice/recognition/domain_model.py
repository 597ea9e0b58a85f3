"""The language model and dictionary of a pack, built once and kept in the user's cache."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import platformdirs

from nlu.errors import AttuneError
from nlu.types import Language
from voice.recognition import general_model, language_model
from voice.recognition.domain_text import DIGITS, LETTERS, sentences
from voice.recognition.pronounce import pronounce

_RECIPE = 3
GENERAL_WORDS = 5_000
DOMAIN_WEIGHT = 0.3
PRUNE_BELOW = 1e-7


@dataclass(frozen=True, slots=True)
class DomainModel:
    """Where the files that a decoder needs lie: an ARPA language model and a dictionary."""

    language_model: Path
    dictionary: Path


def prepare(language: Language, cache_dir: Path | None = None) -> DomainModel:
    """The model for a pack's language: from the cache, or built now (some seconds).

    The cache key is the content of what the model is built from, so a changed pack is a new model.
    A cache folder that cannot be written is replaced by a temporary one.
    """
    spoken = sentences(language)
    key = _key(spoken)
    own = cache_dir or Path(platformdirs.user_cache_dir("attune", appauthor=False))
    for base in (own, Path(tempfile.gettempdir()) / "attune"):
        folder = base / "recognition" / key
        model = DomainModel(folder / "words.arpa", folder / "words.dict")
        if model.language_model.exists() and model.dictionary.exists():
            return model
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _build(spoken, model)
        except OSError:
            continue
        return model
    raise AttuneError(
        f"{own} cannot be written, nor can a temporary folder: give one with ATTUNE_CACHE_DIR."
    )


def _build(spoken: Mapping[tuple[str, ...], float], model: DomainModel) -> None:
    known = _dictionary()
    general = general_model.read()
    wanted = {word for sentence in spoken for word in sentence}
    words = [language_model.START, language_model.END]
    words += sorted(wanted | set(_frequent(general, known)) | {*DIGITS, *LETTERS})
    entries: list[str] = []
    for word in words[2:]:
        pronunciations = known.get(word) or [pronounce(word)]
        entries += [
            f"{word}{f'({number})' if number > 1 else ''} {phones}\n"
            for number, phones in enumerate(pronunciations, start=1)
            if phones
        ]
    everyday = language_model.general_model(general, words)
    mixed = language_model.mix(
        language_model.count_model(spoken, words),
        language_model.prune(everyday, PRUNE_BELOW),
        DOMAIN_WEIGHT,
    )
    _replace(model.dictionary, lambda path: path.write_text("".join(entries), encoding="utf-8"))
    _replace(model.language_model, lambda path: language_model.write_arpa(mixed, path))


def _frequent(general: general_model.GeneralModel, known: Mapping[str, Sequence[str]]) -> list[str]:
    """The commonest words of the general model that are plain words of the dictionary."""
    found: list[str] = []
    for i in np.argsort(-general.log_probability):
        word = general.words[int(i)]
        if word in known and word.replace("'", "").isalpha():
            found.append(word)
        if len(found) == GENERAL_WORDS:
            break
    return found


@cache
def _dictionary() -> Mapping[str, list[str]]:
    """CMUdict as pocketsphinx ships it: each word's pronunciations."""
    import pocketsphinx

    path = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"))
    found: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        word, _, phones = line.partition(" ")
        found.setdefault(word.split("(")[0], []).append(phones.strip())
    return found


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file so that another process sees either nothing or all of it."""
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    os.close(handle)
    try:
        write(Path(name))
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


def _key(spoken: Mapping[tuple[str, ...], float]) -> str:
    content = json.dumps(
        [
            _RECIPE, GENERAL_WORDS, DOMAIN_WEIGHT, PRUNE_BELOW, version("pocketsphinx"),
            sorted((" ".join(sentence), weight) for sentence, weight in spoken.items()),
        ]
    )  # fmt: skip
    return hashlib.sha256(content.encode()).hexdigest()[:20]
