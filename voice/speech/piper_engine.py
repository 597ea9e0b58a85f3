"""Piper voices (extra `piper`): a neural voice from a local ONNX file, in a worker process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from nlu.errors import AttuneError
from nlu.types import Samples
from voice.speech.whole_piece import WholePieceEngine


class PiperEngine(WholePieceEngine):
    """Piper with pace by `length_scale` and pitch by TD-PSOLA.

    `noise_scale` and `noise_w_scale` default to 0, so that the same request sounds the same each
    time and the pace can be corrected; the voice's own values (about 0.67 and 0.8) are livelier.
    Raises `AttuneError` when Piper is not installed or the model cannot be read.
    """

    def __init__(
        self, voice: str | None, noise_scale: float = 0.0, noise_w_scale: float = 0.0
    ) -> None:
        super().__init__(_PiperSource(voice, noise_scale, noise_w_scale))


class _PiperSource:
    def __init__(self, voice: str | None, noise_scale: float, noise_w_scale: float) -> None:
        try:
            import onnxruntime
            from piper import PiperVoice
        except ImportError:
            raise AttuneError(
                "Piper is not installed: run `pip install attune[piper]` or use --engine espeak."
            ) from None
        if voice is None:
            raise AttuneError("Piper needs a voice: give the path of its .onnx file as the voice.")
        path = Path(voice)
        config = Path(f"{voice}.json")
        for file in (path, config):
            if not file.is_file():
                raise AttuneError(
                    f"Piper voice {file} is not there: a voice is NAME.onnx with NAME.onnx.json."
                )
        onnxruntime.set_default_logger_severity(3)
        try:
            self._voice: Any = PiperVoice.load(path, config_path=config)
        except (json.JSONDecodeError, KeyError, ValueError, RuntimeError) as error:
            raise AttuneError(
                f"Piper voice {path} cannot be read ({str(error)[:200]}); download it again."
            ) from None
        except Exception as error:
            # onnxruntime's own errors share no public base class.
            raise AttuneError(
                f"Piper voice {path} cannot be loaded ({str(error)[:200]}); download it again."
            ) from None
        self._noise = {"noise_scale": noise_scale, "noise_w_scale": noise_w_scale}
        self.name = f"piper {path.stem}"

    def render(self, text: str, pace: float) -> tuple[Samples, int]:
        """float32 samples and their rate; the voice's own length scale is its neutral."""
        from piper import SynthesisConfig

        settings = SynthesisConfig(
            length_scale=self._voice.config.length_scale / pace,
            normalize_audio=False,
            **self._noise,
        )
        blocks = [chunk.audio_float_array for chunk in self._voice.synthesize(text, settings)]
        rate_hz = int(self._voice.config.sample_rate)
        if not blocks:
            return np.zeros(rate_hz // 10, dtype=np.float32), rate_hz
        return np.concatenate(blocks).astype(np.float32), rate_hz
