"""Words to sound: one door, several engines, each in a worker process."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from nlu.errors import AttuneError
from voice.speech.synthesizer import PooledSynthesizer

_ENGINES = {
    "espeak": ("espeak-ng", "voice.speech.espeak_engine:EspeakEngine"),
    "piper": ("piper", "voice.speech.piper_engine:PiperEngine"),
    "system": ("pyttsx3", "voice.speech.system_engine:SystemEngine"),
}
_ESPEAK_VOICE = "en-us+f2"


def open_synthesizer(
    engine: str = "espeak",
    voice: str | None = None,
    *,
    workers: int = 1,
    remembered_mib: int = 0,
    **options: Any,
) -> PooledSynthesizer:
    """Start `workers` processes with `engine` and its `voice`; they load while you go on.

    `espeak` takes an espeak-ng voice and variant, `piper` the path of an ONNX voice, `system` an
    identifier of the operating system's (None is its default). On macOS and Windows, where our
    driver is untried, `espeak` without a voice means `system`. Up to `remembered_mib` of sound
    that was asked for more than once is kept. `options` go to the engine.

    Raises `AttuneError` for an engine that is not known; what else may be wrong (no such voice)
    is said by the first use of `speak`, or by `ready()`.
    """
    from voice.speech.memory import PieceMemory
    from voice.speech.workers import EngineChoice

    if engine not in _ENGINES:
        known = ", ".join(_ENGINES)
        raise AttuneError(f"speech engine {engine!r} is not known: use one of {known}.")
    if workers < 1:
        raise AttuneError(f"workers is {workers}: give 1 or more.")
    if engine == "espeak" and voice is None and sys.platform in ("darwin", "win32"):
        engine = "system"
    label, target = _ENGINES[engine]
    if engine == "espeak":
        voice = voice or _ESPEAK_VOICE
    shown = Path(voice).stem if engine == "piper" and voice else voice or "system voice"
    choice = EngineChoice(target, {"voice": voice, **options})
    memory = PieceMemory(remembered_mib * 2**20) if remembered_mib else None
    return PooledSynthesizer(f"{label} {shown}", choice, workers, memory)
