"""Speech to words: `choose` gives a Recognizer, which engine it is stands in its `name`, and why
in its `reason`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal, Protocol

from nlu.errors import AttuneError
from nlu.types import Language
from voice.recognition.telephone import is_telephone_band
from voice.types import Recognizer

Kind = Literal["auto", "whisper", "sphinx"]
DEFAULT_WHISPER = "base.en"
_log = logging.getLogger(__name__)


class ChosenRecognizer(Recognizer, Protocol):
    """A recogniser that can say why it was chosen."""

    reason: str


def choose(
    kind: Kind = "auto",
    language: Language | None = None,
    model: str | None = None,
    cache_dir: Path | None = None,
    *,
    telephone: bool | None = None,
) -> ChosenRecognizer:
    """A recogniser of this kind for a pack's language.

    `model` is a Whisper model: a folder, or a name known to the hub (`base.en` when None).
    `telephone` says whether the line is narrow-band; None lets each turn's sound decide.
    `auto` takes Whisper when its weights are on disk or can be fetched, and pocketsphinx
    otherwise; it waits for a network once in a process and for 3 s at most. The choice and its
    reason are logged and stand in `recognizer.reason`.
    Raises AttuneError for an unknown kind, for a locale other than English with pocketsphinx,
    and for Whisper by name when its weights cannot be had.
    """
    language = language or Language(intents={})
    if kind == "sphinx":
        recognizer = _sphinx(language, cache_dir, telephone, "asked for by name")
    elif kind in ("auto", "whisper"):
        recognizer = _whisper_or_sphinx(kind, language, model, cache_dir, telephone)
    else:
        raise AttuneError(f"recognizer: there is no {kind!r}; use auto, whisper or sphinx.")
    _log.info("recogniser: %s, because %s", recognizer.name, recognizer.reason)
    return recognizer


def _whisper_or_sphinx(
    kind: Kind,
    language: Language,
    model: str | None,
    cache_dir: Path | None,
    telephone: bool | None,
) -> ChosenRecognizer:
    from voice.recognition.whisper import WhisperRecognizer, find_weights

    name = model or DEFAULT_WHISPER
    try:
        weights = find_weights(name)
    except AttuneError as error:
        if kind == "whisper" or model is not None:
            raise
        return _sphinx(language, cache_dir, telephone, str(error))
    if weights is not None:
        return WhisperRecognizer(weights, locale=language.locale)
    if kind == "whisper":
        raise AttuneError(
            f"whisper model {name}: its weights are not on this machine and the model hub does not "
            "answer; give a folder with them, or use sphinx."
        )
    return _sphinx(
        language,
        cache_dir,
        telephone,
        f"Whisper's weights ({name}) are not on this machine and the model hub does not answer",
    )


def _sphinx(
    language: Language, cache_dir: Path | None, telephone: bool | None, reason: str
) -> ChosenRecognizer:
    if not language.locale.lower().startswith("en"):
        raise AttuneError(
            f"recognizer: pocketsphinx's model is English, the pack's locale is {language.locale}; "
            "use whisper with a multilingual model."
        )
    from voice.recognition.domain_model import prepare
    from voice.recognition.sphinx import SphinxRecognizer

    return SphinxRecognizer(prepare(language, cache_dir), telephone=telephone, reason=reason)


__all__ = ["DEFAULT_WHISPER", "ChosenRecognizer", "Kind", "choose", "is_telephone_band"]
