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
from voice.recognition.domain_text import email_sentences, number_sentences, sentences
from voice.recognition.pronounce import pronounce

_RECIPE = 7
_FILES = ("words.bin", "numbers.bin", "email.bin", "words.dict")
GENERAL_WORDS = 20_000
DOMAIN_WEIGHT = 0.3
PRUNE_BELOW = 3e-8
SPELLING_WEIGHT = 0.9
SPELLING_GENERAL_WORDS = 1_000
SPELLING_PRUNE_BELOW = 5e-7


@dataclass(frozen=True, slots=True)
class DomainModel:
    """Where the files that a decoder needs lie: a dictionary, and language models in
    pocketsphinx's binary format for what callers say at large and when asked for a number or an
    e-mail address."""

    language_model: Path
    number_model: Path
    email_model: Path
    dictionary: Path

    def complete(self) -> bool:
        """Whether every file is there."""
        files = (self.language_model, self.number_model, self.email_model, self.dictionary)
        return all(path.exists() for path in files)


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
        model = DomainModel(*(folder / name for name in _FILES))
        if model.complete():
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
    frequent = _frequent(general, known)
    words += sorted(wanted | set(frequent))
    entries: list[str] = []
    for word in words[2:]:
        pronunciations = known.get(word) or [pronounce(word)]
        entries += [
            f"{word}{f'({number})' if number > 1 else ''} {phones}\n"
            for number, phones in enumerate(pronunciations, start=1)
            if phones
        ]
    everyday = language_model.prune(language_model.general_model(general, words), PRUNE_BELOW)
    said = language_model.count_model(spoken, words)
    _replace(model.dictionary, lambda path: path.write_text("".join(entries), encoding="utf-8"))
    _write(language_model.mix(said, everyday, DOMAIN_WEIGHT), model.language_model)
    fewer = words[:2] + sorted(wanted | set(frequent[:SPELLING_GENERAL_WORDS]))
    rough = language_model.prune(language_model.general_model(general, fewer), SPELLING_PRUNE_BELOW)
    otherwise = language_model.mix(language_model.count_model(spoken, fewer), rough, DOMAIN_WEIGHT)
    for asked, path in (
        (number_sentences(), model.number_model),
        (email_sentences(), model.email_model),
    ):
        spelled = language_model.count_model(dict.fromkeys(asked, 1.0), fewer)
        _write(language_model.mix(spelled, otherwise, SPELLING_WEIGHT), path)


def _write(model: language_model.BackoffModel, path: Path) -> None:
    """Write a model in pocketsphinx's binary format, which loads fifty times faster than ARPA."""
    import pocketsphinx

    kind = pocketsphinx.NGramModel.str_to_type("bin")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        arpa = Path(folder) / "model.arpa"
        language_model.write_arpa(model, arpa)
        read = pocketsphinx.NGramModel(pocketsphinx.Config(), pocketsphinx.LogMath(), str(arpa))
        _replace(path, lambda part: read.write(str(part), kind))


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
            _RECIPE, GENERAL_WORDS, DOMAIN_WEIGHT, PRUNE_BELOW, SPELLING_WEIGHT,
            SPELLING_GENERAL_WORDS, SPELLING_PRUNE_BELOW, version("pocketsphinx"),
            sorted((" ".join(sentence), weight) for sentence, weight in spoken.items()),
        ]
    )  # fmt: skip
    return hashlib.sha256(content.encode()).hexdigest()[:20]
