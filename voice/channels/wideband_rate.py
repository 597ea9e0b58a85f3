"""24 kHz to 16 kHz and back, sample by sample with about 1 ms of delay.

A Kaiser-windowed low-pass at 48 kHz (97 taps, pass band to 7 kHz, more than 50 dB of attenuation
from 9 kHz on), every second or third sample of which is kept.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import firwin, lfilter

from voice.types import Pcm

_BOTH_HZ = 48_000
_TAPS = np.asarray(firwin(97, 8_000, fs=_BOTH_HZ, window=("kaiser", 5.0)), dtype=np.float64)


class WidebandConverter:
    """int16 from 24 kHz to 16 kHz, or the other way round; both divide 48 kHz."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._up = _BOTH_HZ // from_hz
        self._down = _BOTH_HZ // to_hz
        self._state = np.zeros(len(_TAPS) - 1)
        self._next = 0

    def push(self, samples: Pcm) -> Pcm:
        """The next samples."""
        if not len(samples):
            return samples
        spread = np.zeros(self._up * len(samples))
        spread[:: self._up] = samples
        filtered, self._state = lfilter(self._up * _TAPS, 1.0, spread, zi=self._state)
        kept = filtered[self._next :: self._down]
        self._next = (self._next - len(spread)) % self._down
        converted: Pcm = np.clip(np.rint(kept), -32_768, 32_767).astype(np.int16)
        return converted
