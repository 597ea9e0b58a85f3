"""Statistics of an utterance from its frames: pitch, level, timbre, rhythm; blind to level.

Families as in eGeMAPS (Eyben et al. 2016), with statistics of the cepstrum and of the level's
modulation added; all are computed at 8 kHz and relative to the speech's own level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from nlu.emotion.frames import HOP, HOPS_PER_S, MEL_BANDS, RATE_HZ, Frames, Table

_CEPSTRA = 12
_VOICED_PERIODICITY = 0.5
_VOICED_WITHIN_DB = 30.0
_BRIDGE_MS = 150
_MODULATION_HZ = (0.5, 1.0, 2.0, 4.0, 6.0, 9.0, 14.0, 25.0)
_CONTOUR_POINTS = 40
_CONTOUR_TERMS = 5
_CONTOUR_CEPSTRA = 6
_SUMMARY = ("pitch_st", "pitch_range_st", "level_range_db", "syllables_per_s", "brightness_db")


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """Where in the frames speech is. `voiced`: frames with a pitch. `active`: voiced stretches
    with gaps up to 150 ms bridged. `level_db`: mean power of the active frames.
    `snr_db`: that against the quietest frames around."""

    voiced: npt.NDArray[np.bool_]
    active: npt.NDArray[np.bool_]
    level_db: float
    snr_db: float

    @property
    def seconds(self) -> float:
        """How much voiced speech there is, short gaps included."""
        return float(self.active.sum()) / HOPS_PER_S


def find_speech(frames: Frames) -> Speech:
    """Mark voiced and active frames and measure level and signal-to-noise ratio."""
    if not len(frames):
        nothing = np.zeros(0, np.bool_)
        return Speech(nothing, nothing, -100.0, 0.0)
    loud = float(np.percentile(frames.level_db, 95))
    voiced = (frames.periodicity > _VOICED_PERIODICITY) & (
        frames.level_db > max(loud - _VOICED_WITHIN_DB, -85.0)
    )
    voiced = ndimage.binary_opening(voiced, np.ones(3))
    reach = _BRIDGE_MS * RATE_HZ // HOP // 2000
    active = ndimage.binary_closing(np.pad(voiced, reach), np.ones(2 * reach + 1))[reach:-reach]
    power = 10 ** (frames.level_db / 10)
    speech = float(power[active].mean()) if active.any() else float(power.mean())
    floor = float(np.percentile(power, 8))
    snr_db = 10 * np.log10(max(speech - floor, 1e-12) / max(floor, 1e-12))
    return Speech(voiced, active, 10 * float(np.log10(speech + 1e-12)), float(snr_db))


def mel_picture(frames: Frames, speech: Speech) -> Table:
    """Log mel spectrum relative to the speech's level, every 20 ms: float32 [n // 2, 40]."""
    even = frames.mel_db[: len(frames) // 2 * 2].reshape(-1, 2, MEL_BANDS).mean(1)
    return np.asarray(np.clip((even - speech.level_db) / 20.0, -3.5, 2.0), np.float32)


def statistics(frames: Frames, speech: Speech) -> Table:
    """The statistics of an utterance of 20 frames or more: float32 [len(feature_names())],
    finite."""
    return np.fromiter(_named(frames, speech).values(), np.float32)


@lru_cache
def feature_names() -> tuple[str, ...]:
    """The name of each entry of `statistics`, in order."""
    count = 60
    blank = Frames(
        np.zeros(count, np.float32),
        np.zeros(count, np.float32),
        np.ones(count, np.float32),
        np.zeros((count, MEL_BANDS), np.float32),
    )
    return tuple(_named(blank, find_speech(blank)))


def summary(frames: Frames, speech: Speech) -> Mapping[str, float]:
    """The few figures of an utterance that a person can read: pitch, its range, level range,
    rhythm, brightness. For showing change within a call, never for a decision."""
    if not speech.voiced.any():
        return {}
    named = _named(frames, speech)
    values = (
        named["pitch_p50"],
        named["pitch_p95"] - named["pitch_p5"],
        named["level_p90"] - named["level_p10"],
        named["rhythm_peaks_per_s"],
        named["alpha_mean"],
    )
    return dict(zip(_SUMMARY, map(float, values), strict=True))


def _named(frames: Frames, speech: Speech) -> dict[str, float]:
    active = speech.active if speech.active.any() else np.ones(len(frames), np.bool_)
    voiced = speech.voiced if speech.voiced.sum() >= 3 else active
    level = frames.level_db - speech.level_db
    pitch = ndimage.median_filter(frames.pitch_st, 5)
    timbre_names, timbre = _timbre(frames)
    found: dict[str, float] = {}
    found |= _pitch(pitch, voiced)
    found |= _level(level, active, voiced)
    found |= _spread("breath", _harmonicity(frames.periodicity), voiced)
    found |= _table_statistics(timbre_names, timbre, active, voiced)
    found |= _rhythm(level, active, voiced)
    found |= _course(pitch, level, timbre, voiced)
    found |= _contours(pitch, level, timbre, active, voiced)
    found |= _companions(pitch, level, timbre, voiced)
    found |= _band_modulation(frames.mel_db, speech.level_db, active)
    return found


def _spread(name: str, values: Table, where: npt.NDArray[np.bool_]) -> dict[str, float]:
    chosen = values[where]
    points = np.percentile(chosen, (10, 50, 90))
    return {
        f"{name}_mean": chosen.mean(),
        f"{name}_std": chosen.std(),
        f"{name}_p10": points[0],
        f"{name}_p50": points[1],
        f"{name}_p90": points[2],
    }


def _pitch(pitch: Table, voiced: npt.NDArray[np.bool_]) -> dict[str, float]:
    chosen = pitch[voiced]
    points = np.percentile(chosen, (5, 20, 50, 80, 95))
    steps = np.diff(pitch)[voiced[1:] & voiced[:-1]]
    steps = steps[np.abs(steps) < 4.0]
    if not len(steps):
        steps = np.zeros(1, np.float32)
    rising, falling = steps[steps > 0], steps[steps < 0]
    bend = np.abs(np.diff(steps)) if len(steps) > 1 else np.zeros(1)
    return {
        "pitch_mean": chosen.mean(),
        "pitch_std": chosen.std(),
        **{f"pitch_p{p}": value for p, value in zip((5, 20, 50, 80, 95), points, strict=True)},
        "pitch_range": points[4] - points[0],
        "pitch_inner_range": points[3] - points[1],
        "pitch_rise": rising.mean() if len(rising) else 0.0,
        "pitch_fall": falling.mean() if len(falling) else 0.0,
        "pitch_rising_share": len(rising) / len(steps),
        "pitch_step_std": steps.std(),
        "pitch_jitter": float(bend.mean()),
        "pitch_skew": float(((chosen - chosen.mean()) ** 3).mean() / (chosen.std() + 0.1) ** 3),
    }


def _level(
    level: Table, active: npt.NDArray[np.bool_], voiced: npt.NDArray[np.bool_]
) -> dict[str, float]:
    steps = np.diff(level)[voiced[1:] & voiced[:-1]]
    if not len(steps):
        steps = np.zeros(1, np.float32)
    return {
        **_spread("level", np.maximum(level, -45.0), active),
        **_spread("level_voiced", level, voiced),
        "level_step_std": steps.std(),
        "level_rise": np.maximum(steps, 0).mean(),
        "level_fall": np.minimum(steps, 0).mean(),
        "level_shimmer": float(np.abs(np.diff(steps)).mean()) if len(steps) > 1 else 0.0,
        "level_peak": level[active].max(),
    }


def _harmonicity(periodicity: Table) -> Table:
    kept = np.clip(periodicity, 0.05, 0.995)
    return np.asarray(10 * np.log10(kept / (1 - kept)), np.float32)


def _timbre(frames: Frames) -> tuple[list[str], Table]:
    """Cepstrum and ratios of bands, each frame: names and [n, k]."""
    mel = frames.mel_db
    power = 10 ** (mel / 10) + 1e-10
    hz = _centres_hz()
    low, middle, high = (hz >= 300) & (hz < 1000), (hz >= 1000) & (hz < 2000), hz >= 2000
    bottom = hz < 300

    def band(chosen: npt.NDArray[np.bool_]) -> Table:
        return np.asarray(10 * np.log10(power[:, chosen].sum(1)), np.float32)

    above = power[:, ~bottom]
    weights = above / above.sum(1, keepdims=True)
    centroid = weights @ np.log2(hz[~bottom] / 1000)
    spread = np.sqrt(np.maximum(weights @ np.log2(hz[~bottom] / 1000) ** 2 - centroid**2, 0.0))
    flatness = mel[:, ~bottom].mean(1) - 10 * np.log10(above.mean(1))
    change = np.diff(mel, axis=0, prepend=mel[:1])
    columns = {
        "alpha": band(~bottom & ~low) - band(low),
        "beta": band(high) - band(middle),
        "hammarberg": mel[:, ~bottom & (hz < 1800)].max(1) - mel[:, hz >= 1800].max(1),
        "bottom": band(bottom) - band(low),
        "centroid": centroid,
        "spread": spread,
        "flatness": flatness,
        "flux": np.sqrt((change**2).mean(1)),
    }
    cepstrum = fft.dct(mel, axis=1, norm="ortho")[:, 1 : _CEPSTRA + 1]
    names = [*columns, *(f"cepstrum{order}" for order in range(1, _CEPSTRA + 1))]
    return names, np.column_stack([*columns.values(), cepstrum]).astype(np.float32)


def _table_statistics(
    names: list[str],
    table: Table,
    active: npt.NDArray[np.bool_],
    voiced: npt.NDArray[np.bool_],
) -> dict[str, float]:
    inside, sung = table[active], table[voiced]
    steps = table[2:] - table[:-2]
    steps = steps[active[1:-1]] if active[1:-1].any() else steps
    rows = {
        "mean": inside.mean(0),
        "std": inside.std(0),
        "voiced_mean": sung.mean(0),
        "voiced_std": sung.std(0),
        **dict(zip(("p10", "p50", "p90"), np.percentile(sung, (10, 50, 90), axis=0), strict=True)),
        "step_std": steps.std(0),
    }
    return {
        f"{name}_{row}": value
        for row, values in rows.items()
        for name, value in zip(names, values, strict=True)
    }


def _rhythm(
    level: Table, active: npt.NDArray[np.bool_], voiced: npt.NDArray[np.bool_]
) -> dict[str, float]:
    """Lengths and rates of voiced stretches and pauses, and the modulation of the level."""
    bounds = np.flatnonzero(active)
    span = slice(bounds[0], bounds[-1] + 1)
    seconds = (span.stop - span.start) / HOPS_PER_S
    runs = _runs(voiced[span]) / HOPS_PER_S
    gaps = _runs(~voiced[span]) / HOPS_PER_S
    heard = np.maximum(level[span], -35.0)
    smooth = ndimage.gaussian_filter1d(heard, 3.0)
    peaks = (smooth[1:-1] > smooth[:-2]) & (smooth[1:-1] >= smooth[2:]) & (smooth[1:-1] > -12.0)
    return {
        "rhythm_seconds": np.log(seconds),
        "rhythm_voiced_share": voiced[span].mean(),
        "rhythm_active_share": active[span].mean(),
        "rhythm_runs_per_s": len(runs) / seconds,
        "rhythm_run_mean": runs.mean() if len(runs) else 0.0,
        "rhythm_run_std": runs.std() if len(runs) else 0.0,
        "rhythm_run_max": runs.max() if len(runs) else 0.0,
        "rhythm_gap_mean": gaps.mean() if len(gaps) else 0.0,
        "rhythm_gap_max": gaps.max() if len(gaps) else 0.0,
        "rhythm_peaks_per_s": float(peaks.sum()) / seconds,
        **_modulation("rhythm", heard),
    }


def _modulation(name: str, curve: Table) -> dict[str, float]:
    centred = (curve - curve.mean()) * np.hanning(len(curve) + 2)[1:-1]
    power = np.abs(fft.rfft(centred, max(512, len(curve)))) ** 2
    hz = fft.rfftfreq(max(512, len(curve)), 1 / HOPS_PER_S)
    bands = [
        power[(hz >= low) & (hz < high)].sum() + 1e-3 for low, high in pairwise(_MODULATION_HZ)
    ]
    shares = np.log10(np.asarray(bands) / sum(bands))
    return {f"{name}_mod{at}": share for at, share in enumerate(shares)}


def _course(
    pitch: Table, level: Table, timbre: Table, voiced: npt.NDArray[np.bool_]
) -> dict[str, float]:
    """How pitch, level and brightness go from the start to the end of the utterance."""
    places = np.flatnonzero(voiced)
    when = np.linspace(-1, 1, len(places))
    found: dict[str, float] = {}
    curves = {"pitch": pitch, "level": level, "alpha": timbre[:, 0], "cepstrum1": timbre[:, 8]}
    for name, curve in curves.items():
        values = curve[places]
        centred = values - values.mean()
        found[f"{name}_slope"] = float((when * centred).mean() / ((when**2).mean() + 1e-9))
        for part, piece in enumerate(np.array_split(centred, 4)):
            found[f"{name}_part{part}"] = float(piece.mean()) if len(piece) else 0.0
    return found


def _contours(
    pitch: Table,
    level: Table,
    timbre: Table,
    active: npt.NDArray[np.bool_],
    voiced: npt.NDArray[np.bool_],
) -> dict[str, float]:
    """The shapes of pitch, level and cepstrum over the utterance: the first cosine terms of each
    curve on a common time from 0 to 1."""
    inside = np.flatnonzero(active)
    when = np.linspace(inside[0], inside[-1], _CONTOUR_POINTS)
    places = np.flatnonzero(voiced)
    curves = np.empty((_CONTOUR_POINTS, 2 + _CONTOUR_CEPSTRA))
    curves[:, 0] = np.interp(when, places, pitch[places])
    nearest = np.rint(when).astype(int)
    smooth = ndimage.uniform_filter1d(
        np.column_stack([level, timbre[:, 8 : 8 + _CONTOUR_CEPSTRA]]), 9, axis=0
    )
    curves[:, 1:] = smooth[nearest]
    terms = fft.dct(curves, axis=0, norm="ortho")[1 : _CONTOUR_TERMS + 1]
    names = ["pitch", "level", *(f"cepstrum{order + 1}" for order in range(_CONTOUR_CEPSTRA))]
    return {
        f"{name}_wave{order}": value
        for order, row in enumerate(terms, start=1)
        for name, value in zip(names, row, strict=True)
    }


def _companions(
    pitch: Table, level: Table, timbre: Table, voiced: npt.NDArray[np.bool_]
) -> dict[str, float]:
    """Correlations between pitch, level, brightness and cepstrum in voiced frames."""
    names = ["pitch", "level", "alpha", *(f"cepstrum{order}" for order in range(1, 8))]
    table = np.column_stack([pitch, level, timbre[:, 0], timbre[:, 8:15]])[voiced]
    centred = table - table.mean(0)
    covariance = centred.T @ centred / len(centred) + 0.05 * np.eye(len(names))
    spread = np.sqrt(np.diag(covariance))
    correlation = np.arctanh(np.clip(covariance / np.outer(spread, spread), -0.97, 0.97))
    return {
        f"{one}_with_{other}": correlation[row, column]
        for row, one in enumerate(names)
        for column, other in enumerate(names)
        if column > row
    }


def _band_modulation(
    mel: Table, speech_db: float, active: npt.NDArray[np.bool_]
) -> dict[str, float]:
    """Slow, syllabic and fast modulation of eight bands, in dB of the band's mean power."""
    bounds = np.flatnonzero(active)
    bands = mel[bounds[0] : bounds[-1] + 1].reshape(-1, 8, MEL_BANDS // 8).mean(2)
    bands = np.maximum(bands - speech_db, -60.0)
    centred = bands - bands.mean(0)
    length = max(256, len(centred))
    power = np.abs(fft.rfft(centred, length, axis=0)) ** 2 / len(centred)
    hz = fft.rfftfreq(length, 1 / HOPS_PER_S)
    edges = (0.5, 2.0, 5.0, 10.0, 25.0)
    found: dict[str, float] = {}
    for low, high in pairwise(edges):
        strength = np.log10(power[(hz >= low) & (hz < high)].mean(0) + 1.0)
        found |= {f"band{band}_mod{low:g}": value for band, value in enumerate(strength)}
    return found


def _runs(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Lengths of the stretches of True."""
    edges = np.flatnonzero(np.diff(np.r_[False, flags, False].astype(np.int8)))
    return (edges[1::2] - edges[::2]).astype(np.float64)


@lru_cache
def _centres_hz() -> npt.NDArray[np.float64]:
    """Centres of the mel bands."""
    top, bottom = (2595 * np.log10(1 + hz / 700) for hz in (3_800.0, 100.0))
    edges = 700 * (10 ** (np.linspace(bottom, top, MEL_BANDS + 2) / 2595) - 1)
    return np.asarray(edges[1:-1])
