"""Pitch and melody of finished speech changed without touching its formants or its length.

TD-PSOLA (Moulines and Charpentier 1990): grains of two periods around pitch marks are laid down
again at the new period. Unvoiced stretches are copied.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nlu.types import Samples
from voice.speech.prosody import f0_track_hz
from voice.types import RATE_HZ

_HOP = RATE_HZ // 100
_UNVOICED_STEP = RATE_HZ // 200


def with_melody(samples: Samples, pitch_st: float, range_factor: float) -> Samples:
    """16 kHz speech `pitch_st` semitones higher, its F0 spread out by `range_factor` around its
    mean; same length."""
    track = _smoothed(f0_track_hz(samples))
    voiced = track > 0
    if not voiced.any() or (pitch_st == 0 and range_factor == 1):
        return samples
    st = 12 * np.log2(np.where(voiced, track, 1.0))
    mean = st[voiced].mean()
    change = np.where(voiced, pitch_st + (range_factor - 1) * (st - mean), 0.0)
    marks = _pitch_marks(samples, track)
    return _overlaid(samples, marks, _sampled(track, marks), _sampled(2 ** (change / 12), marks))


def _smoothed(track: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Without octave errors: a median over five frames where all around are voiced."""
    if len(track) < 5:
        return track
    padded = np.pad(track, 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 5)
    return np.where((windows > 0).all(axis=1), np.median(windows, axis=1), track)


def _at(track: npt.NDArray[np.float64], sample: int) -> float:
    # A frame of the track spans 40 ms: its middle is two hops after its start.
    return float(track[min(len(track) - 1, max(0, sample // _HOP - 2))])


def _sampled(
    track: npt.NDArray[np.float64], marks: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    index = np.clip(marks // _HOP - 2, 0, len(track) - 1)
    picked: npt.NDArray[np.float64] = track[index]
    return picked


def _pitch_marks(samples: Samples, track: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Where the periods of voiced speech peak; every 5 ms where there is no voice."""
    marks: list[int] = []
    place = 0
    voiced_before = False
    while place < len(samples):
        hz = _at(track, place)
        if hz <= 0:
            voiced_before = False
            marks.append(place)
            place += _UNVOICED_STEP
            continue
        period = RATE_HZ / hz
        reach = period * (0.2 if voiced_before else 0.5)
        low = max(0, int(place - reach))
        high = min(len(samples), int(place + reach) + 1)
        peak = low + int(np.argmax(samples[low:high]))
        if marks and peak <= marks[-1]:
            peak = place
        marks.append(peak)
        voiced_before = True
        place = int(peak + period)
    return np.array(marks, dtype=np.int64)


def _overlaid(
    samples: Samples,
    marks: npt.NDArray[np.int64],
    hz: npt.NDArray[np.float64],
    factors: npt.NDArray[np.float64],
) -> Samples:
    out = np.zeros(len(samples))
    weight = np.zeros(len(samples))
    place = float(marks[0])
    nearest = 0
    while place < len(samples):
        while nearest + 1 < len(marks) and abs(marks[nearest + 1] - place) <= abs(
            marks[nearest] - place
        ):
            nearest += 1
        if hz[nearest] > 0:
            period = RATE_HZ / hz[nearest]
            step = period / factors[nearest]
        else:
            period = step = _UNVOICED_STEP
        # Narrower grains where they lie closer: wide ones would smear into each other.
        half = round(min(period, step))
        _add_grain(samples, out, weight, int(marks[nearest]), round(place), half)
        place += step
    # Where grains lie closer than their half length they add up to more than one.
    return (out / np.maximum(weight, 0.5)).astype(np.float32)


def _add_grain(
    samples: Samples,
    out: npt.NDArray[np.float64],
    weight: npt.NDArray[np.float64],
    source: int,
    target: int,
    half: int,
) -> None:
    before = min(half, source, target)
    after = min(half, len(samples) - source, len(out) - target)
    if after <= 0:
        return
    window = 0.5 + 0.5 * np.cos(np.pi * np.arange(-before, after) / half)
    out[target - before : target + after] += window * samples[source - before : source + after]
    weight[target - before : target + after] += window
