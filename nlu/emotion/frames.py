"""What the ear notes every 10 ms: level, pitch, periodicity and spectrum of 8 kHz speech.

Everything works at 8 kHz, so that a telephone and a microphone are the same task, and every frame
depends on its own 50 ms alone, so that audio may come in pieces of any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import fft

from nlu.types import Samples

RATE_HZ = 8_000
HOP = 80
FRAME = 400
HOPS_PER_S = RATE_HZ // HOP
MEL_BANDS = 40

_SPECTRUM = 256
_LAGS = 576
_LOWEST_HZ, _HIGHEST_HZ = 62.0, 600.0
_MEL_LOW_HZ, _MEL_HIGH_HZ = 100.0, 3_800.0
_OCTAVE_COST = 0.04
_QUIETEST = 1e-10

Table = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """One row every 10 ms. `level_db`: power in dB of full scale. `pitch_st`: semitones above
    55 Hz of the best period, voiced or not. `periodicity`: 0-1, the share of the power that
    repeats. `mel_db` [n, 40]: log mel spectrum, 100-3800 Hz."""

    level_db: Table
    pitch_st: Table
    periodicity: Table
    mel_db: Table

    def __len__(self) -> int:
        return len(self.level_db)

    def last(self, count: int) -> Frames:
        """The most recent `count` frames."""
        return Frames(
            self.level_db[-count:],
            self.pitch_st[-count:],
            self.periodicity[-count:],
            self.mel_db[-count:],
        )


def join(parts: Sequence[Frames]) -> Frames:
    """Frames of consecutive pieces of audio as one table."""
    if len(parts) == 1:
        return parts[0]
    return Frames(
        np.concatenate([part.level_db for part in parts]),
        np.concatenate([part.pitch_st for part in parts]),
        np.concatenate([part.periodicity for part in parts]),
        np.concatenate([part.mel_db for part in parts]),
    )


def describe(samples: Samples) -> Frames:
    """The frames of `samples` (float32 mono at 8 kHz): one for each whole 50 ms, every 10 ms.

    What is left over at the end (fewer than `FRAME` samples from the next hop on) belongs to
    the next piece.
    """
    if len(samples) < FRAME:
        empty = np.zeros(0, np.float32)
        return Frames(empty, empty, empty, np.zeros((0, MEL_BANDS), np.float32))
    pieces = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
    pieces = pieces - pieces.mean(1, keepdims=True)
    level = 10 * np.log10((pieces**2).mean(1) + _QUIETEST)
    lag, periodicity = _period(pieces)
    pitch = 12 * np.log2(RATE_HZ / lag / 55.0)
    middle = slice((FRAME - _SPECTRUM) // 2, (FRAME + _SPECTRUM) // 2)
    spectrum = fft.rfft(pieces[:, middle] * _hann(_SPECTRUM), axis=1)
    power = spectrum.real**2 + spectrum.imag**2
    mel = 10 * np.log10(power @ _mel_filters() + _QUIETEST)
    return Frames(
        level.astype(np.float32),
        pitch.astype(np.float32),
        periodicity.astype(np.float32),
        mel.astype(np.float32),
    )


def _period(pieces: Table) -> tuple[Table, Table]:
    """Best lag in samples and its height, by the autocorrelation of the signal divided by that of
    the window (Boersma 1993), short lags preferred among equals."""
    windowed = pieces * _hann(FRAME)
    spectrum = fft.rfft(windowed, _LAGS, axis=1)
    shortest, longest = int(RATE_HZ / _HIGHEST_HZ), int(RATE_HZ / _LOWEST_HZ) + 1
    correlation = fft.irfft(spectrum.real**2 + spectrum.imag**2, _LAGS, axis=1)
    correlation = correlation[:, : longest + 2] / _window_correlation()[: longest + 2]
    correlation = correlation / (correlation[:, :1] + _QUIETEST)
    lags = np.arange(shortest, longest + 1)
    left, here, right = (correlation[:, lags + step] for step in (-1, 0, 1))
    # Between two samples a peak is higher than at either: without the parabola through three
    # points, a period of 44.5 samples would lose against its double.
    curve = np.minimum(left - 2 * here + right, -1e-9)
    shift = np.clip(0.5 * (left - right) / curve, -0.5, 0.5)
    height = here - 0.25 * (left - right) * shift
    peak = (here >= left) & (here >= right)
    score = np.where(peak, height - _OCTAVE_COST * np.log2(lags / shortest), -1.0)
    row, best = np.arange(len(pieces)), score.argmax(1)
    return lags[best] + shift[row, best], np.clip(height[row, best], 0.0, 1.0)


@lru_cache
def _hann(length: int) -> Table:
    phase = 2 * np.pi * (np.arange(length) + 0.5) / length
    return (0.5 - 0.5 * np.cos(phase)).astype(np.float32)


@lru_cache
def _window_correlation() -> Table:
    spectrum = fft.rfft(_hann(FRAME), _LAGS)
    correlation = fft.irfft(np.abs(spectrum) ** 2, _LAGS)
    return np.asarray(correlation / correlation[0], np.float32)


def mel_centres_hz() -> npt.NDArray[np.float64]:
    """The middle of each mel band."""
    return _mel_edges_hz()[1:-1]


@lru_cache
def _mel_edges_hz() -> npt.NDArray[np.float64]:
    top, bottom = (2595 * np.log10(1 + hz / 700) for hz in (_MEL_HIGH_HZ, _MEL_LOW_HZ))
    return np.asarray(700 * (10 ** (np.linspace(bottom, top, MEL_BANDS + 2) / 2595) - 1))


@lru_cache
def _mel_filters() -> Table:
    """Triangles equally spaced in mel (O'Shaughnessy's formula): [129, 40], each of sum 1."""
    edges = _mel_edges_hz()
    bins = np.fft.rfftfreq(_SPECTRUM, 1 / RATE_HZ)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters = np.maximum(0.0, np.minimum(rising, falling))
    # A band narrower than a bin may miss every bin: it takes the nearest one.
    missed = np.flatnonzero(filters.sum(0) < 0.3)
    nearest = np.abs(bins - edges[1:-1]).argmin(0)
    filters[nearest[missed], missed] = 1.0
    return np.asarray(filters / filters.sum(0), np.float32)
