"""8 kHz to 16 kHz and back, sample by sample with 1 ms of delay.

The streaming resampler of `voice.audio` is better and holds 100 ms back, which a caller would wait
for in every answer. A half-band filter (Kaiser window, 47 taps, about 50 dB) is enough for
telephone sound. It is convolved directly: `scipy.signal.lfilter` costs ten times as much for 20 ms.
The two halves of the doubling filter are the real and the imaginary part of one, so that one
convolution gives both samples, side by side.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.signal import firwin

from voice.types import Pcm

Doubles = npt.NDArray[np.float64]

_TAPS = np.asarray(firwin(47, 0.48, window=("kaiser", 5.0)), dtype=np.float64)
_DOUBLING = 2.0 * (_TAPS[::2] - 1j * np.append(_TAPS[1::2], 0.0))[::-1]
"""Reversed and conjugated, as `numpy.correlate` wants it."""


def _to_pcm(samples: Doubles) -> Pcm:
    """Overwrites `samples`; twice as fast as `numpy.clip` for 20 ms."""
    np.rint(samples, out=samples)
    np.minimum(samples, 32_767.0, out=samples)
    np.maximum(samples, -32_768.0, out=samples)
    return samples.astype(np.int16)


class Doubler:
    """int16 at 8 kHz in, twice as many at 16 kHz out."""

    def __init__(self) -> None:
        self._before: Doubles = np.zeros(len(_DOUBLING) - 1)

    def push(self, samples: Pcm) -> Pcm:
        """The next samples."""
        if not len(samples):
            return samples
        known: Doubles = np.concatenate((self._before, samples))
        self._before = known[len(samples) :]
        if not np.count_nonzero(known):
            return np.zeros(2 * len(samples), dtype=np.int16)
        return _to_pcm(np.correlate(known, _DOUBLING, "valid").view(np.float64))


class Halver:
    """int16 at 16 kHz in, half as many at 8 kHz out."""

    def __init__(self) -> None:
        self._before: Doubles = np.zeros(len(_TAPS) - 1)
        self._odd = 0

    def push(self, samples: Pcm) -> Pcm:
        """The next samples."""
        if not len(samples):
            return samples
        known: Doubles = np.concatenate((self._before, samples))
        self._before = known[len(samples) :]
        first, second = known[self._odd :: 2], known[self._odd + 1 :: 2]
        count = (len(samples) - self._odd + 1) // 2
        self._odd = (self._odd + len(samples)) % 2
        if not count:
            return samples[:0]
        kept = np.convolve(first, _TAPS[::2], "valid")[:count]
        kept += np.convolve(second, _TAPS[1::2], "valid")[:count]
        return _to_pcm(kept)


class Unchanged:
    """16 kHz stay 16 kHz."""

    def push(self, samples: Pcm) -> Pcm:
        """The same samples."""
        return samples
