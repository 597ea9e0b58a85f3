"""From an engine's raw sound to what is played: equaliser, level, limiter, 16 kHz, clean edges.

Everything works on a stream: what is handed over first does not wait for what comes later.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nlu.types import Samples
from voice.audio import Resampler, to_pcm
from voice.types import RATE_HZ, Pcm

TARGET_LUFS = -22.0
"""Loudness of neutral speech: peaks stay below -3 dBFS, and +3 dB seldom meets the limiter."""

CEILING = 10 ** (-1 / 20)
_KNEE = 10 ** (-3 / 20)

_HIGH_PASS_HZ = 75.0
_PRESENCE_HZ, _PRESENCE_DB, _PRESENCE_Q = 2_800.0, 2.0, 0.8

_SILENCE = 10 ** (-50 / 20)
_LEAD = RATE_HZ * 5 // 1000
_FADE_IN = RATE_HZ * 3 // 1000
_FADE_OUT = RATE_HZ * 8 // 1000


class Master:
    """One piece of speech on its way out. `gain_db` brings the voice to the target and moves it
    by what the delivery asks."""

    def __init__(self, rate_hz: int, gain_db: float) -> None:
        self._sections = _equaliser(rate_hz)
        self._state = np.zeros((len(self._sections), 2))
        self._gain = 10 ** (gain_db / 20)
        self._resampler = Resampler(rate_hz, RATE_HZ)
        self._edges = _Edges()

    @property
    def lead_samples(self) -> int:
        """How many samples of silence were dropped before the first sound."""
        return self._edges.dropped

    def push(self, samples: Samples, *, last: bool = False) -> Samples:
        """The next float32 samples at the engine's rate; returns float32 at 16 kHz."""
        from scipy.signal import sosfilt

        filtered = samples
        if len(samples):
            filtered, self._state = sosfilt(self._sections, samples, zi=self._state)
        block = self._resampler.push((filtered * self._gain).astype(np.float32), last=last)
        return self._edges.push(limited(block), last=last)


class _Edges:
    """Drops the silence around a piece and fades what is left in and out.

    The caller decides how long to pause, so no silence may come from the engine. Silence within
    the piece is held back until sound follows it.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._held = np.zeros(0, dtype=np.float32)
        self._begun = False

    def push(self, block: Samples, *, last: bool) -> Samples:
        held = np.concatenate([self._held, block])
        loud = np.flatnonzero(np.abs(held) > _SILENCE)
        if not self._begun:
            if len(loud) == 0:
                keep = 0 if last else min(len(held), _LEAD)
                self.dropped += len(held) - keep
                self._held = held[len(held) - keep :]
                return np.zeros(0, dtype=np.float32)
            cut = max(0, int(loud[0]) - _LEAD)
            self.dropped += cut
            held = held[cut:]
            loud -= cut
            self._begun = True
            faded = min(_FADE_IN, len(held))
            held[:faded] *= np.linspace(0.0, 1.0, faded, dtype=np.float32)
        end = int(loud[-1]) + 1 if len(loud) else 0
        if last:
            end = min(len(held), end + _FADE_OUT) if end else len(self._held[:_FADE_OUT])
            out = held[:end].copy()
            faded = min(_FADE_OUT, len(out))
            out[len(out) - faded :] *= np.linspace(1.0, 0.0, faded, dtype=np.float32)
            self._held = held[:0]
            return out
        ready = max(0, end - _FADE_OUT)
        self._held = held[ready:]
        return held[:ready]


def limited(samples: Samples) -> Samples:
    """Samples above -3 dBFS bent so that none passes -1 dBFS; the rest is untouched."""
    size = np.abs(samples)
    if size.max(initial=0.0) <= _KNEE:
        return samples
    room = CEILING - _KNEE
    bent = _KNEE + room * np.tanh((size - _KNEE) / room)
    return np.where(size > _KNEE, np.sign(samples) * bent, samples).astype(np.float32)


def mastered(samples: Samples, rate_hz: int, gain_db: float) -> Samples:
    """A whole piece through the same chain: float32 at `rate_hz` in, float32 at 16 kHz out."""
    return Master(rate_hz, gain_db).push(samples, last=True)


def pcm_of(samples: Samples) -> Pcm:
    """float32 as int16."""
    return to_pcm(samples)


_equalisers: dict[int, npt.NDArray[np.float64]] = {}


def _equaliser(rate_hz: int) -> npt.NDArray[np.float64]:
    if rate_hz not in _equalisers:
        from scipy.signal import butter

        high_pass: Any = butter(2, _HIGH_PASS_HZ, "highpass", fs=rate_hz, output="sos")
        _equalisers[rate_hz] = np.vstack([high_pass, [_presence(rate_hz)]])
    return _equalisers[rate_hz]


def _presence(rate_hz: int) -> list[float]:
    """A peaking filter after Bristow-Johnson's Audio EQ Cookbook."""
    amplitude = 10 ** (_PRESENCE_DB / 40)
    omega = 2 * np.pi * _PRESENCE_HZ / rate_hz
    alpha = np.sin(omega) / (2 * _PRESENCE_Q)
    a0 = 1 + alpha / amplitude
    return [
        (1 + alpha * amplitude) / a0,
        -2 * np.cos(omega) / a0,
        (1 - alpha * amplitude) / a0,
        1.0,
        -2 * np.cos(omega) / a0,
        (1 - alpha / amplitude) / a0,
    ]
