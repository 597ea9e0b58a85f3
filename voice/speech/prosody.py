"""Pace, pitch, range and level as they are on rendered audio.

F0 by normalised autocorrelation at 8 kHz with parabolic interpolation (Boersma 1993, without his
path search: synthetic voices are periodic enough). Level is BS.1770 loudness (pyloudnorm).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlu.types import Samples
from voice.types import RATE_HZ, AchievedDelivery

_F0_RATE_HZ = 8_000
_FRAME = 320
_HOP = 80
_FFT = 512
MIN_F0_HZ = 75.0
MAX_F0_HZ = 450.0
_VOICED = 0.6
_OCTAVE_COST = 0.08
_SPEECH_BELOW_PEAK_DB = 30.0
_PACE_FRAME = RATE_HZ // 200


@dataclass(frozen=True, slots=True)
class Measurement:
    """Of one stretch of speech: seconds from first to last sound, words, voiced frames (10 ms),
    mean and variance of F0 in semitones above 1 Hz, loudness in LUFS."""

    seconds: float
    words: int
    voiced: int
    f0_mean_st: float
    f0_variance: float
    loudness: float


def measure(samples: Samples, words: int) -> Measurement:
    """Measure float32 speech at 16 kHz that says `words` words."""
    first, last = speech_extent(samples)
    f0 = voiced_f0_st(samples)
    return Measurement(
        seconds=(last - first) / RATE_HZ,
        words=words,
        voiced=len(f0),
        f0_mean_st=float(f0.mean()) if len(f0) else 0.0,
        f0_variance=float(f0.var()) if len(f0) else 0.0,
        loudness=loudness(samples),
    )


def speech_extent(samples: Samples) -> tuple[int, int]:
    """First and one-past-last sample of what is less than 30 dB below the loudest 5 ms."""
    frames = len(samples) // _PACE_FRAME
    if frames == 0:
        return 0, len(samples)
    energy = np.square(samples[: frames * _PACE_FRAME].reshape(frames, _PACE_FRAME)).mean(axis=1)
    loud = np.flatnonzero(energy > energy.max() * 10 ** (-_SPEECH_BELOW_PEAK_DB / 10))
    if len(loud) == 0:
        return 0, 0
    return int(loud[0]) * _PACE_FRAME, (int(loud[-1]) + 1) * _PACE_FRAME


def f0_track_hz(samples: Samples) -> npt.NDArray[np.float64]:
    """F0 of 16 kHz speech every 10 ms, shape (frames,); 0 where it is not voiced."""
    half = 0.5 * (samples[0::2][: len(samples) // 2] + samples[1::2]).astype(np.float64)
    count = 1 + (len(half) - _FRAME) // _HOP
    if count < 1:
        return np.zeros(0)
    frames = np.lib.stride_tricks.sliding_window_view(half, _FRAME)[::_HOP]
    frames = (frames - frames.mean(axis=1, keepdims=True)) * _WINDOW
    correlation = np.fft.irfft(np.abs(np.fft.rfft(frames, _FFT, axis=1)) ** 2, axis=1)
    energy = correlation[:, 0]
    shortest = int(_F0_RATE_HZ / MAX_F0_HZ)
    longest = int(_F0_RATE_HZ / MIN_F0_HZ) + 2
    unbiased = correlation[:, : longest + 1] / _WINDOW_CORRELATION[: longest + 1]
    unbiased /= np.maximum(energy, 1e-12)[:, None] / _WINDOW_CORRELATION[0]
    # Of equal peaks the shortest lag is the period: a small cost per octave, as Boersma's.
    lags = np.arange(longest + 1)
    cost = _OCTAVE_COST * np.log2(np.maximum(lags, 1) / shortest)
    best = shortest + np.argmax((unbiased - cost)[:, shortest:longest], axis=1)
    rows = np.arange(count)
    left, middle, right = (unbiased[rows, best + step] for step in (-1, 0, 1))
    curve = left - 2 * middle + right
    shift = np.where(np.abs(curve) > 1e-9, 0.5 * (left - right) / np.where(curve == 0, 1, curve), 0)
    hz = _F0_RATE_HZ / (best + np.clip(shift, -0.5, 0.5))
    voiced = (middle > _VOICED) & (energy > energy.max(initial=0.0) * 1e-3)
    track: npt.NDArray[np.float64] = np.where(voiced, hz, 0.0)
    return track


def voiced_f0_st(samples: Samples) -> npt.NDArray[np.float64]:
    """F0 in semitones above 1 Hz of the voiced frames, without octave errors."""
    hz = f0_track_hz(samples)
    st = 12 * np.log2(hz[hz > 0])
    kept: npt.NDArray[np.float64] = st[np.abs(st - np.median(st)) < 9.0] if len(st) else st
    return kept


def loudness(samples: Samples) -> float:
    """Integrated loudness in LUFS of 16 kHz speech (BS.1770); -70 for silence."""
    import pyloudnorm

    shortest = int(0.4 * RATE_HZ) + 1
    padded = np.pad(samples, (0, max(0, shortest - len(samples))))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(pyloudnorm.Meter(RATE_HZ).integrated_loudness(padded.astype(np.float64)))
    return value if math.isfinite(value) else -70.0


def together(parts: Iterable[Measurement]) -> Measurement:
    """The measurement of stretches of speech taken as one; pauses between them do not count."""
    kept = [part for part in parts if part.seconds > 0]
    seconds = sum(part.seconds for part in kept)
    voiced = sum(part.voiced for part in kept)
    mean = sum(part.voiced * part.f0_mean_st for part in kept) / max(1, voiced)
    variance = sum(
        part.voiced * (part.f0_variance + (part.f0_mean_st - mean) ** 2) for part in kept
    ) / max(1, voiced)
    energy = sum(part.seconds * 10 ** (part.loudness / 10) for part in kept) / max(1e-9, seconds)
    return Measurement(
        seconds=seconds,
        words=sum(part.words for part in kept),
        voiced=voiced,
        f0_mean_st=mean,
        f0_variance=variance,
        loudness=10 * math.log10(energy) if energy > 0 else -70.0,
    )


def achieved(spoken: Measurement, neutral: Measurement) -> AchievedDelivery | None:
    """What came out, relative to the same text at neutral; None when nothing was said."""
    if spoken.seconds <= 0 or neutral.seconds <= 0:
        return None
    both_voiced = spoken.voiced and neutral.voiced
    spread = neutral.f0_variance**0.5
    return AchievedDelivery(
        rate=neutral.seconds / spoken.seconds,
        pitch_st=spoken.f0_mean_st - neutral.f0_mean_st if both_voiced else 0.0,
        range=spoken.f0_variance**0.5 / spread if both_voiced and spread > 0 else 1.0,
        level_db=spoken.loudness - neutral.loudness,
        words_per_minute=60 * spoken.words / spoken.seconds,
    )


_WINDOW = np.hanning(_FRAME)
_WINDOW_CORRELATION = np.fft.irfft(np.abs(np.fft.rfft(_WINDOW, _FFT)) ** 2)
