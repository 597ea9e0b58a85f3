"""Is this frame speech? webrtcvad as a cheap gate, Silero as the judge.

webrtcvad alone takes pink noise for speech in 28 % of frames at 5 dB and often never ends a turn
in a coffee shop; Silero (the ONNX model in faster-whisper's wheel) gets 1 % there. The gate keeps
Silero idle while nothing happens. Most of what a window costs Silero is waiting for its weights, so
where the level says that nothing can change, a few windows are judged at once. Thresholds:
hysteresis 0.5 / 0.35 as recommended by its authors.
"""

from __future__ import annotations

import functools
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlu.errors import AttuneError
from voice.audio import DIGITAL_SILENCE_DB, level_dbfs, to_float
from voice.types import FRAME_MS, RATE_HZ, AudioFrame, Pcm

SPEECH_ON = 0.5
SPEECH_OFF = 0.35
GATE_HOLD_MS = 500
GATE_MODE = 2
_WINDOW = 512
_CONTEXT = 64
_PREROLL_WINDOWS = 6
_TALKING_WINDOWS = 4
"""How many may be judged together while the caller talks on, 128 ms."""
_QUIET_WINDOWS = GATE_HOLD_MS * RATE_HZ // 1000 // _WINDOW + 1
"""As many as come until the gate closes."""
_QUIET_DB = 6.0
"""Over the background: no speech begins below it."""
_SPEECH_DB = 15.0
"""Over the background, and"""
_FALLEN_DB = 12.0
"""not so much below the caller's level: speech does not end above it."""
_LEARNING = 0.05


@dataclass(frozen=True, slots=True)
class VoiceActivity:
    """One frame judged: Silero's probability, the decision after hysteresis, levels in dBFS."""

    probability: float
    speech: bool
    level_db: float
    noise_floor_db: float


@functools.cache
def _silero_session() -> Any:
    import onnxruntime
    from faster_whisper.utils import get_assets_path

    candidates = sorted(Path(get_assets_path()).glob("silero*vad*.onnx"))
    if not candidates:
        raise AttuneError(
            "faster-whisper's wheel holds no Silero model; "
            "reinstall it with: pip install --force-reinstall faster-whisper."
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        str(candidates[-1]), options, providers=["CPUExecutionProvider"]
    )


class Silero:
    """Silero VAD v6 as a stream: 32 ms windows at 16 kHz, the recurrent state kept between them."""

    def __init__(self) -> None:
        self._session = _silero_session()
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._h: npt.NDArray[np.float32] = np.zeros((1, 1, 128), dtype=np.float32)
        self._c: npt.NDArray[np.float32] = np.zeros((1, 1, 128), dtype=np.float32)
        self._context: npt.NDArray[np.float32] = np.zeros(_CONTEXT, dtype=np.float32)

    def probability(self, samples: npt.NDArray[np.float32]) -> float:
        """The probability of speech in the last 512 of the next samples (float32 in [-1, 1]), a
        multiple of 512; the windows before are heard too, for less than one run each."""
        heard = np.concatenate([self._context, samples])
        windows = np.lib.stride_tricks.as_strided(
            heard, (len(samples) // _WINDOW, _CONTEXT + _WINDOW), (4 * _WINDOW, 4), writeable=False
        )
        output, self._h, self._c = self._session.run(
            None, {"input": windows, "h": self._h, "c": self._c}
        )
        self._context = heard[-_CONTEXT:]
        return float(output[-1])


class NoiseFloor:
    """The level of the background: falls at once, rises 2 dB a second (minimum statistics)."""

    RISE_DB_PER_FRAME = 2.0 * FRAME_MS / 1000.0

    def __init__(self) -> None:
        self.db = -60.0

    def push(self, level_db: float) -> float:
        """The floor after a frame of `level_db`. Where every sample is 0 there is no background to
        be heard: an echo guard, or a line that sends nothing while nobody talks."""
        if level_db <= DIGITAL_SILENCE_DB:
            return self.db
        self.db = max(-90.0, min(level_db, self.db + self.RISE_DB_PER_FRAME))
        return self.db


class SpeechDetector:
    """Judges 20 ms frames one after the other."""

    def __init__(self) -> None:
        import webrtcvad

        self._gate = webrtcvad.Vad(GATE_MODE)
        self._silero = Silero()
        self._floor = NoiseFloor()
        self._caller_db: float | None = None
        self._rest: Pcm = np.zeros(0, dtype=np.int16)
        self._recent: deque[Pcm] = deque(maxlen=_PREROLL_WINDOWS)
        self._unjudged: list[Pcm] = []
        self._gate_open_until_ms = -1
        self._listening = False
        self._probability = 0.0
        self._speech = False

    def push(self, frame: AudioFrame, *, turn: bool = False) -> VoiceActivity:
        """Judge the next frame (320 samples; a shorter last one is padded with silence).

        `turn` says that the caller has the turn: that they talk on is then worth knowing within
        128 ms only, that they have stopped at once.
        """
        samples = _full(frame.samples)
        level_db = level_dbfs(samples)
        self._floor.push(level_db)
        if self._gate.is_speech(samples.tobytes(), RATE_HZ):
            self._gate_open_until_ms = frame.start_ms + GATE_HOLD_MS
        self._rest = np.concatenate((self._rest, samples))
        if len(self._rest) >= _WINDOW:
            window, self._rest = self._rest[:_WINDOW], self._rest[_WINDOW:]
            if frame.start_ms <= self._gate_open_until_ms:
                self._hear(window, self._may_hold(level_db, turn))
            else:
                self._close(window)
        threshold = SPEECH_OFF if self._speech else SPEECH_ON
        self._speech = self._probability >= threshold
        if self._speech:
            known_db = level_db if self._caller_db is None else self._caller_db
            self._caller_db = known_db + _LEARNING * (level_db - known_db)
        return VoiceActivity(self._probability, self._speech, level_db, self._floor.db)

    @property
    def quiet_db(self) -> float:
        """Nobody begins to talk below this level, in dBFS."""
        return self._floor.db + _QUIET_DB

    @property
    def loud_db(self) -> float:
        """Nobody who talks has stopped above this level, in dBFS."""
        return max(self._floor.db + _SPEECH_DB, (self._caller_db or 0.0) - _FALLEN_DB)

    def _may_hold(self, level_db: float, turn: bool) -> int:
        """How many windows may go unjudged: by its level this frame changes nothing."""
        if self._speech:
            return _TALKING_WINDOWS - 1 if turn and level_db > self.loud_db else 0
        return _QUIET_WINDOWS if level_db < self.quiet_db else 0

    def _hear(self, window: Pcm, may_hold: int) -> None:
        if not self._listening:
            self._silero.reset()
            self._unjudged.extend(self._recent)
            self._recent.clear()
            self._listening = True
        self._unjudged.append(window)
        if len(self._unjudged) > may_hold:
            self._probability = self._silero.probability(to_float(np.concatenate(self._unjudged)))
            self._unjudged.clear()

    def _close(self, window: Pcm) -> None:
        """Nothing happens: what is not judged yet need not be."""
        self._recent.extend((*self._unjudged, window))
        self._unjudged.clear()
        self._listening = False
        self._probability = 0.0


def _full(samples: Pcm) -> Pcm:
    length = RATE_HZ * FRAME_MS // 1000
    if len(samples) == length:
        return samples
    return np.pad(samples[:length], (0, max(0, length - len(samples))))
