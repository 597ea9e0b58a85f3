"""Words to sound: one door, several engines, each in a worker process."""

from __future__ import annotations

from typing import Any

from nlu.errors import AttuneError
from voice.types import Synthesizer

_ENGINES = {
    "espeak": ("espeak-ng", "voice.speech.espeak_engine:EspeakEngine", "en-us+f2"),
}


def open_synthesizer(
    engine: str = "espeak", voice: str | None = None, *, workers: int = 1, **options: Any
) -> Synthesizer:
    """Start `workers` processes with `engine` and its `voice`; they load while you go on.

    Raises `AttuneError` for an engine that is not known; what else may be wrong (no such voice)
    is said by the first use of `speak`.
    """
    from voice.speech.synthesizer import PooledSynthesizer
    from voice.speech.workers import EngineChoice

    if engine not in _ENGINES:
        known = ", ".join(_ENGINES)
        raise AttuneError(f"speech engine {engine!r} is not known: use one of {known}.")
    if workers < 1:
        raise AttuneError(f"workers is {workers}: give 1 or more.")
    label, target, default_voice = _ENGINES[engine]
    chosen = voice or default_voice
    choice = EngineChoice(target, {"voice": chosen, **options})
    return PooledSynthesizer(f"{label} {chosen}", choice, workers)
