"""How an utterance ends: does the pitch fall, does the voice fade?

A statement that is finished falls towards the bottom of the speaker's range and fades; a pause
inside a sentence is level or rises (Gravano & Hirschberg 2011, Computer Speech & Language 25).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import fft

from voice.types import RATE_HZ, Pcm

_STEP = 160
_WINDOW = 640
_MIN_HZ, _MAX_HZ = 70.0, 400.0
_VOICED = 0.5
_FIRST_PEAK = 0.85
_TAIL_FRAMES = 30
_LOOK_BACK_MS = 3_000


@dataclass(frozen=True, slots=True)
class PhraseEnd:
    """The last 300 ms of voice against what came before.

    `fall_st` is the pitch of the end relative to the phrase's median (negative: below),
    `slope_st_s` its slope, `fade_db` the level 60-120 ms before the end relative to the
    phrase's voiced median (a finished utterance dies away, an unfinished one stops).
    All are 0 when too little is voiced to tell (`known` is False).
    """

    fall_st: float = 0.0
    slope_st_s: float = 0.0
    fade_db: float = 0.0
    known: bool = False


def pitch_track(samples: Pcm) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """F0 in Hz (0 where unvoiced) and level in dB every 10 ms, by normalised autocorrelation."""
    signal = samples[::2].astype(np.float32)
    step, window, rate_hz = _STEP // 2, _WINDOW // 2, RATE_HZ // 2
    count = max(0, (len(signal) - window) // step + 1)
    if count == 0:
        return np.zeros(0), np.zeros(0)
    frames = np.lib.stride_tricks.sliding_window_view(signal, window)[::step][:count]
    frames = frames - frames.mean(axis=1, keepdims=True)
    power = (frames**2).mean(axis=1)
    level_db = 10.0 * np.log10(power + 1.0)
    spectrum = fft.rfft(frames * np.hanning(window).astype(np.float32), 2 * window, axis=1)
    correlation = fft.irfft(spectrum.real**2 + spectrum.imag**2, axis=1)
    low, high = int(rate_hz / _MAX_HZ), int(rate_hz / _MIN_HZ)
    taper = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(window), 2 * window)) ** 2)
    untapered = 1.0 / np.maximum(taper / taper[0], 0.05)
    band = correlation[:, low:high] / (correlation[:, :1] + 1e-9) * untapered[low:high]
    strength = band.max(axis=1)
    # The first lag that comes near the best: a multiple of the period fits as well as the period.
    near = band >= _FIRST_PEAK * strength[:, np.newaxis]
    peak = near & (band >= np.roll(band, 1, axis=1)) & (band >= np.roll(band, -1, axis=1))
    best = np.where(peak.any(axis=1), peak.argmax(axis=1), band.argmax(axis=1))
    loud = level_db > level_db.max() - 30.0
    f0_hz = np.where((strength > _VOICED) & loud, rate_hz / (best + low), 0.0)
    return f0_hz, level_db


def phrase_end(samples: Pcm) -> PhraseEnd:
    """Measure the end of a stretch of speech (int16, 16 kHz); only its last 3 s are looked at."""
    f0_hz, level_db = pitch_track(samples[-RATE_HZ * _LOOK_BACK_MS // 1000 :])
    voiced = np.flatnonzero(f0_hz)
    if len(voiced) < 20:
        return PhraseEnd()
    semitones = 12.0 * np.log2(f0_hz[voiced])
    median = float(np.median(semitones))
    plausible = np.abs(semitones - median) < 9.0
    voiced, semitones = voiced[plausible], semitones[plausible]
    tail = voiced > voiced[-1] - _TAIL_FRAMES
    if tail.sum() < 6:
        return PhraseEnd()
    slope = float(np.polyfit(voiced[tail] * 0.01, semitones[tail], 1)[0])
    fall = float(np.median(semitones[tail][-8:])) - median
    fade = float(level_db[-12:-6].mean() - np.median(level_db[voiced]))
    return PhraseEnd(
        float(np.clip(fall, -6, 6)),
        float(np.clip(slope, -60, 60)),
        float(np.clip(fade, -40, 10)),
        True,
    )
