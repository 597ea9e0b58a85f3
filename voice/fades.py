"""Sound that stops and begins without a click."""

from __future__ import annotations

import numpy as np

from voice.types import RATE_HZ, Pcm

FADE_MS = 8
_QUIET_WITHIN_MS = 80
_BLOCK_MS = 5
_QUIET_DB = 15.0
"""Under the loudness of the stretch in which the quiet point lies."""


def faded_in(samples: Pcm, rate_hz: int = RATE_HZ) -> Pcm:
    """A copy whose first 8 ms rise from silence."""
    count = min(len(samples), rate_hz * FADE_MS // 1000)
    faded = samples.copy()
    faded[:count] = np.rint(faded[:count] * np.linspace(0.0, 1.0, count, endpoint=False))
    return faded


def faded_out(samples: Pcm, rate_hz: int = RATE_HZ) -> Pcm:
    """A copy, as long as the samples, that falls silent within 8 ms."""
    count = min(len(samples), rate_hz * FADE_MS // 1000)
    faded = np.zeros_like(samples)
    faded[:count] = np.rint(samples[:count] * np.linspace(1.0, 0.0, count))
    return faded


def quiet_point_ms(before: Pcm) -> int:
    """How many ms before the end of these samples speech is best taken up again.

    The last 5 ms, at most 80 ms back, that lie 15 dB under the loudness of what surrounds them; 0
    where nothing does.
    """
    size = _BLOCK_MS * RATE_HZ // 1000
    count = min(len(before), _QUIET_WITHIN_MS * RATE_HZ // 1000) // size
    if count == 0:
        return 0
    blocks = before[len(before) - count * size :].reshape(count, size).astype(np.float64)
    power = np.mean(blocks**2, axis=1)
    quiet = np.flatnonzero(power <= np.mean(power) * 10.0 ** (-_QUIET_DB / 10.0))
    return (count - int(quiet[-1])) * _BLOCK_MS if len(quiet) else 0
