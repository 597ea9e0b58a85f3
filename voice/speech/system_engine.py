"""The operating system's own voice through plain pyttsx3 to a file: macOS and Windows, and Linux
where a system espeak-ng is installed."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from nlu.errors import AttuneError
from nlu.types import Samples
from voice.audio import read_audio
from voice.speech.whole_piece import WholePieceEngine
from voice.types import RATE_HZ

NEUTRAL_RATE = 165
"""pyttsx3's nominal words a minute; with the systems' own voices about 160 real ones."""

_FILE_TIMEOUT_S = 15.0


class SystemEngine(WholePieceEngine):
    """pyttsx3's default driver, one file for each piece."""

    def __init__(self, voice: str | None = None, driver: str | None = None) -> None:
        super().__init__(_SystemSource(voice, driver))


class _SystemSource:
    def __init__(self, voice: str | None, driver: str | None) -> None:
        import pyttsx3

        try:
            self._pyttsx3: Any = pyttsx3.init(driver)
        except (ImportError, OSError, RuntimeError, KeyError, AttributeError) as error:
            raise AttuneError(
                f"the system has no voice for pyttsx3 ({error}); use --engine espeak."
            ) from None
        if voice is not None:
            self._pyttsx3.setProperty("voice", voice)
        self.name = f"pyttsx3 {driver or 'system voice'}"

    def render(self, text: str, pace: float) -> tuple[Samples, int]:
        """float32 samples and their rate."""
        engine = self._pyttsx3
        engine.setProperty("rate", round(NEUTRAL_RATE * pace))
        with tempfile.TemporaryDirectory(prefix="attune-speech-") as folder:
            path = Path(folder) / "piece.wav"
            engine.save_to_file(text, str(path))
            engine.runAndWait()
            # The stock drivers may return before the file is there.
            deadline = time.monotonic() + _FILE_TIMEOUT_S
            size = -1
            while time.monotonic() < deadline:
                now = path.stat().st_size if path.is_file() else -1
                if now > 44 and now == size:
                    return read_audio(path, "mono"), RATE_HZ
                size = now
                time.sleep(0.02)
        raise AttuneError("the system's voice gave no sound; use --engine espeak.")
