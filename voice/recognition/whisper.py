"""Whisper through faster-whisper behind the Recognizer protocol.

Whisper reads whole windows, not streams, so a turn is decoded at its pauses: `final()` decodes what
has been heard, and a second `final()` after nothing but silence gives the same text at once.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlu.errors import AttuneError
from nlu.types import Transcript, Word
from voice.recognition.silence import (
    MIN_VOICED_MS,
    VoicedCounter,
    has_speech,
    is_hallucination,
)
from voice.recognition.telephone import is_telephone_band
from voice.types import RATE_HZ, AudioFrame, Expectation

FILES = ("config.json", "model.bin", "vocabulary.json", "tokenizer.json")
NETWORK_WAIT_S = 3.0
_FREEZE_AFTER_S = 24.0
_NO_SPEECH = 0.6
_POOR_LOG_PROBABILITY = -1.0
_REPETITIVE = 2.4
_SURE_LOG_PROBABILITY = -0.5
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Weights:
    """A folder with Whisper weights, and in words where it came from."""

    folder: Path
    origin: str


def find_weights(model: str, *, may_download: bool = True) -> Weights | None:
    """Weights for a folder or a hub name: on disk, else in the hub's cache, else fetched.

    None when they cannot be had. A network is asked once in a process, for 3 s at most, before
    anything is fetched. Raises AttuneError for a folder that lacks a file.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        if missing := [name for name in FILES if not (folder / name).exists()]:
            raise AttuneError(
                f"{folder} is not a faster-whisper model: {', '.join(missing)} missing; convert it "
                "with ct2-transformers-converter --copy_files tokenizer.json."
            )
        return Weights(folder, "a local folder")
    if os.sep in model and (folder.is_absolute() or model.startswith((".", "~"))):
        raise AttuneError(
            f"whisper model {model}: no such folder; name one, or a model of the hub."
        )
    from faster_whisper.utils import download_model

    try:
        return Weights(Path(download_model(model, local_files_only=True)), "the hub's cache")
    except ValueError as error:
        raise AttuneError(
            f"whisper model {model!r} is not known; use a folder, tiny.en, base.en or small.en."
        ) from error
    except Exception as error:  # the hub client has no common base class for "not in the cache"
        _log.debug("%s is not in the hub's cache: %s", model, error)
    if not may_download or not hub_answers():
        return None
    try:
        _log.info("fetching whisper model %s", model)
        return Weights(Path(download_model(model)), "fetched from the hub")
    except Exception as error:
        _log.warning("whisper model %s could not be fetched: %s", model, error)
        return None


@cache
def hub_answers() -> bool:
    """Whether the model hub can be reached; waits 3 s at most, once in a process."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return False
    import threading

    import httpx
    from huggingface_hub import constants

    answered: list[bool] = []

    def ask() -> None:
        try:
            httpx.head(constants.ENDPOINT, timeout=NETWORK_WAIT_S)
            answered.append(True)
        except (httpx.HTTPError, OSError) as error:
            _log.debug("the model hub does not answer: %s", error)

    # A thread, because name resolution does not keep to httpx's timeout.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(NETWORK_WAIT_S)
    return bool(answered)


class WhisperRecognizer:
    """Recognition with Whisper weights from a folder, int8 on the CPU, one thread a call."""

    def __init__(
        self, weights: Weights, *, locale: str = "en-US", threads: int = 1, reason: str = ""
    ) -> None:
        from faster_whisper import WhisperModel

        self.name = f"whisper {weights.folder.name}"
        self.reason = reason or f"its weights come from {weights.origin}"
        try:
            self._model = WhisperModel(
                str(weights.folder), device="cpu", compute_type="int8", cpu_threads=threads
            )
        except (RuntimeError, ValueError) as error:
            raise AttuneError(
                f"{weights.folder} does not load as a Whisper model ({error}): fetch or convert it "
                "again."
            ) from error
        self._language = locale.split("-", maxsplit=1)[0].lower()

    def stream(self, expectation: Expectation = Expectation()) -> WhisperStream:  # noqa: B008
        """Begin a turn."""
        del expectation
        return WhisperStream(self)

    def decode(self, samples: npt.NDArray[np.float32], start_ms: int) -> list[Word]:
        """Words of float32 samples in [-1, 1] at 16 kHz; none where nothing was said."""
        segments, _ = self._model.transcribe(
            samples,
            language=self._language,
            beam_size=1,
            temperature=0.0,
            condition_on_previous_text=False,
            word_timestamps=True,
            vad_filter=True,
            vad_parameters={"min_silence_duration_ms": 2_000, "speech_pad_ms": 200},
            no_speech_threshold=_NO_SPEECH,
            log_prob_threshold=_POOR_LOG_PROBABILITY,
        )
        return [
            Word(
                word.word.strip(),
                start_ms + round(word.start * 1000),
                start_ms + round(word.end * 1000),
                min(1.0, max(0.0, float(word.probability))),
            )
            for segment in segments
            if believed(segment)
            for word in segment.words or ()
            if word.word.strip()
        ]


def believed(segment: Any) -> bool:
    """Whether a decoded segment is speech and not what Whisper makes of silence or music.

    A phrase known from silence ("thank you") is believed only when the decoder was sure of it.
    """
    if segment.no_speech_prob > _NO_SPEECH and segment.avg_logprob < _SURE_LOG_PROBABILITY:
        return False
    if segment.avg_logprob < _POOR_LOG_PROBABILITY or segment.compression_ratio > _REPETITIVE:
        return False
    if is_hallucination(segment.text):
        sure = segment.avg_logprob > _SURE_LOG_PROBABILITY
        return bool(sure and segment.no_speech_prob < _NO_SPEECH / 2)
    return True


class WhisperStream:
    """One turn being recognised."""

    def __init__(self, recognizer: WhisperRecognizer) -> None:
        self._recognizer = recognizer
        self._frames: list[npt.NDArray[np.int16]] = []
        self._start_ms = 0
        self._frozen: list[Word] = []
        self._words: list[Word] = []
        self._voiced = VoicedCounter()
        self._decoded_voiced_ms = 0

    def accept(self, frame: AudioFrame) -> None:
        """Take the next frame."""
        if not self._frames:
            self._start_ms = frame.start_ms
        self._frames.append(frame.samples)
        self._voiced.accept(frame.samples)

    def partial(self) -> str:
        """The words as of the last pause."""
        return " ".join(word.text for word in (*self._frozen, *self._words))

    def final(self) -> Transcript:
        """The words of everything accepted so far; decodes only if voice came since last time."""
        new_ms = self._voiced.voiced_ms - self._decoded_voiced_ms
        if new_ms > 0 and self._voiced.voiced_ms >= MIN_VOICED_MS:
            samples = np.concatenate(self._frames)
            scaled = (samples / 32_768).astype(np.float32)
            spoken = has_speech(samples, telephone=is_telephone_band(samples))
            self._words = self._recognizer.decode(scaled, self._start_ms) if spoken else []
            self._decoded_voiced_ms = self._voiced.voiced_ms
            if len(samples) > _FREEZE_AFTER_S * RATE_HZ:
                # The rest of a long turn is decoded apart, so that a pause never costs more than
                # one window.
                self._frozen += self._words
                self._words, self._frames = [], []
        words = (*self._frozen, *self._words)
        confidence = float(np.mean([word.confidence for word in words])) if words else 0.0
        text = " ".join(word.text for word in words)
        return Transcript(text, words, confidence, self._recognizer.name)

    def close(self) -> None:
        """Drop the audio."""
        self._frames.clear()
