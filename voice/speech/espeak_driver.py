"""A synchronous espeak-ng driver for pyttsx3.

The stock driver returns before it has spoken, loses settings and drops queued texts (measured on
2.99). Here every command is finished when it returns, the samples are handed over while they are
made (topic `samples`), and pitch range and word gap can be set. `register()` makes it known to
pyttsx3, which loads any module of its `drivers` package by name.
"""

from __future__ import annotations

import sys
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import espeakng_loader
from pyttsx3.voice import Voice

from nlu.errors import AttuneError
from voice.speech import espeak_library
from voice.speech.espeak_library import EspeakLibrary, Mark

NAME = "attune_espeak"

_PARAMETERS = {
    "rate": espeak_library.RATE,
    "volume": espeak_library.VOLUME,
    "pitch": espeak_library.PITCH,
    "range": espeak_library.RANGE,
    "gap": espeak_library.WORD_GAP,
}
_LIMITS = {
    "rate": (80, 450),
    "volume": (0, 200),
    "pitch": (0, 99),
    "range": (0, 99),
    "gap": (0, 50),
}
_SEED = 1
_library: EspeakLibrary | None = None


def register() -> str:
    """Make the driver loadable by `pyttsx3.init`; returns the name to give it."""
    sys.modules[f"pyttsx3.drivers.{NAME}"] = sys.modules[__name__]
    return NAME


def steady_voice_file(name: str, folder: Path) -> Path:
    """A voice file in `folder` that is `name` without flutter and roughness.

    Both are counters that run on from one utterance to the next, so that the same request would
    sound (slightly) different each time. Raises `AttuneError` when there is no such voice.
    """
    data = Path(espeakng_loader.get_data_path())
    language, _, variant = name.partition("+")
    base = _language_file(data / "lang", language)
    variant_file = data / "voices" / "!v" / variant
    if base is None or (variant and not variant_file.is_file()) or "/" in variant:
        raise AttuneError(
            f"voice {name!r} is not an espeak-ng voice: "
            "give a language and a variant, for example en-us+f2 or en-gb+f3."
        )
    lines = base.read_text(encoding="utf-8").splitlines()
    if variant:
        extra = variant_file.read_text(encoding="utf-8", errors="replace").splitlines()
        lines += [line for line in extra if not line.startswith(("language", "name"))]
    path = folder / name.replace("+", "-")
    path.write_text("\n".join([*lines, "flutter 0", "roughness 0", ""]), encoding="utf-8")
    return path


def _language_file(folder: Path, language: str) -> Path | None:
    found: list[tuple[int, Path]] = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            match line.split("//")[0].split():
                case ["language", name, *priority] if name.lower() == language.lower():
                    found.append((int(priority[0]) if priority else 5, path))
    return min(found, default=(0, None))[1]


class EspeakDriver:
    """The methods that pyttsx3 asks of a driver; all of them finish before they return."""

    def __init__(self, proxy: Any) -> None:
        global _library  # noqa: PLW0603 - espeak-ng itself is global to the process
        if _library is None:
            _library = EspeakLibrary()
        self._library = _library
        self._proxy = proxy
        self._folder = tempfile.TemporaryDirectory(prefix="attune-voice-")
        self._voice = ""
        self._voice_file: Path | None = None
        self._parameters: dict[str, int] = {}
        self._stopping = False
        self._looping = False

    def destroy(self) -> None:
        """Free the temporary voice file."""
        self._folder.cleanup()

    def say(self, text: str) -> None:
        """Speak: `samples` is notified with `pcm`, `marks` and `rate_hz` as they are made."""
        self._proxy.setBusy(True)
        self._proxy.notify("started-utterance")
        self._stopping = False
        self._start_afresh()

        def hand_over(pcm: bytes, marks: list[Mark]) -> bool:
            self._proxy.notify("samples", pcm=pcm, marks=marks, rate_hz=self._library.rate_hz)
            return not self._stopping

        self._library.synthesize(text, hand_over)
        self._proxy.notify("finished-utterance", completed=not self._stopping)
        self._proxy.setBusy(False)

    def save_to_file(self, text: str, filename: str) -> None:
        """Speak into a WAV file."""
        self._start_afresh()
        with wave.open(filename, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(self._library.rate_hz)

            def keep(pcm: bytes, _marks: list[Mark]) -> bool:
                file.writeframes(pcm)
                return True

            self._library.synthesize(text, keep)

    def _start_afresh(self) -> None:
        if self._voice_file is not None:
            self._library.set_voice_file(self._voice_file)
        for name, value in self._parameters.items():
            self._library.set_parameter(_PARAMETERS[name], value)
        self._library.seed(_SEED)

    def stop(self) -> None:
        """End the utterance at the next block of samples."""
        self._stopping = True

    def getProperty(self, name: str) -> Any:  # noqa: N802 - pyttsx3's name
        """The value of a property."""
        if name == "voice":
            return self._voice
        if name == "voices":
            return [Voice(id="en-us+f2", name="English (America), female", languages=["en-us"])]
        if name in _PARAMETERS:
            value = self._library.parameter(_PARAMETERS[name])
            return value / 100 if name == "volume" else value
        raise KeyError(name)

    def setProperty(self, name: str, value: Any) -> None:  # noqa: N802 - pyttsx3's name
        """Set `voice`, `rate`, `volume` (0 to 2), `pitch`, `range` (0 to 99) or `gap` (10 ms)."""
        if name == "voice":
            self._voice_file = steady_voice_file(str(value), Path(self._folder.name))
            self._voice = str(value)
            return
        if name not in _PARAMETERS:
            raise KeyError(name)
        low, high = _LIMITS[name]
        number = round(value * 100) if name == "volume" else round(value)
        self._parameters[name] = min(high, max(low, number))

    def startLoop(self) -> None:  # noqa: N802 - pyttsx3's name
        """Carry out what is queued."""
        self._looping = True
        self._proxy.setBusy(False)

    def endLoop(self) -> None:  # noqa: N802 - pyttsx3's name
        """Nothing is left running."""
        self._looping = False

    def iterate(self) -> Iterator[None]:
        """For an external loop: each step carries out what is queued."""
        while True:
            self._proxy.setBusy(False)
            yield


def buildDriver(proxy: Any) -> EspeakDriver:  # noqa: N802 - pyttsx3's name
    """What pyttsx3 calls to make the driver."""
    return EspeakDriver(proxy)
