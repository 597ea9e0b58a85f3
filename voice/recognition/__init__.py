"""Speech to words: `choose` gives a Recognizer, which engine it is stands in its `name`, and why
in its `reason`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

from nlu.errors import AttuneError
from nlu.types import Language
from voice.types import Recognizer

Kind = Literal["auto", "whisper", "sphinx"]
_log = logging.getLogger(__name__)


def choose(
    kind: Kind = "auto",
    language: Language | None = None,
    *,
    model: str | None = None,
    cache_dir: Path | None = None,
) -> Recognizer:
    """A recogniser of this kind for a pack's language.

    `model` is a Whisper model: a folder, or a name known to the hub. `auto` takes Whisper when its
    weights are on disk or can be fetched, and pocketsphinx otherwise; it waits for a network once
    and for 3 s at most. The choice and its reason are logged and stand in `recognizer.reason`.
    Raises AttuneError for an unknown kind, a locale other than English with pocketsphinx, or
    Whisper by name when its weights cannot be had.
    """
    if kind not in ("auto", "whisper", "sphinx"):
        raise AttuneError(f"recognizer: there is no {kind!r}; use auto, whisper or sphinx.")
    language = language or Language(intents={})
    from voice.recognition.domain_model import prepare
    from voice.recognition.sphinx import SphinxRecognizer

    recognizer = SphinxRecognizer(prepare(language, cache_dir))
    _log.info("recogniser: %s (%s)", recognizer.name, recognizer.reason)
    return recognizer


__all__ = ["Kind", "choose"]
