"""The families of statistics that `features` puts together, each a function of frame-wise curves.

Curves have one value every 10 ms; `active` and `voiced` mark frames as in `features.Speech`.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from nlu.emotion.frames import HOPS_PER_S, MEL_BANDS, Frames, Table, mel_centres_hz

Marks = npt.NDArray[np.bool_]

_CEPSTRA = 12
_MODULATION_HZ = (0.5, 1.0, 2.0, 4.0, 6.0, 9.0, 14.0, 25.0)
_CONTOUR_POINTS = 40
_CONTOUR_TERMS = 5
_CONTOUR_CEPSTRA = 6


def of_spread(name: str, values: Table, where: Marks) -> dict[str, float]:
    """Mean, spread and percentiles of `values` in the frames marked in `where`."""
    chosen = values[where]
    points = np.percentile(chosen, (10, 50, 90))
    return {
        f"{name}_mean": chosen.mean(),
        f"{name}_std": chosen.std(),
        f"{name}_p10": points[0],
        f"{name}_p50": points[1],
        f"{name}_p90": points[2],
    }


def of_pitch(pitch: Table, voiced: Marks) -> dict[str, float]:
    """Height, range, rise and fall, unsteadiness of the pitch in voiced frames."""
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


def of_level(level: Table, active: Marks, voiced: Marks) -> dict[str, float]:
    """Spread of the level (dB relative to the speech's own), its steps and unsteadiness."""
    steps = np.diff(level)[voiced[1:] & voiced[:-1]]
    if not len(steps):
        steps = np.zeros(1, np.float32)
    return {
        **of_spread("level", np.maximum(level, -45.0), active),
        **of_spread("level_voiced", level, voiced),
        "level_step_std": steps.std(),
        "level_rise": np.maximum(steps, 0).mean(),
        "level_fall": np.minimum(steps, 0).mean(),
        "level_shimmer": float(np.abs(np.diff(steps)).mean()) if len(steps) > 1 else 0.0,
        "level_peak": level[active].max(),
    }


def harmonicity(periodicity: Table) -> Table:
    """Harmonics-to-noise ratio of each frame in dB."""
    kept = np.clip(periodicity, 0.05, 0.995)
    return np.asarray(10 * np.log10(kept / (1 - kept)), np.float32)


def timbre(frames: Frames) -> tuple[list[str], Table]:
    """Cepstrum and ratios of bands, each frame: names and [n, k]."""
    mel = frames.mel_db
    power = 10 ** (mel / 10) + 1e-10
    hz = mel_centres_hz()
    low, middle, high = (hz >= 300) & (hz < 1000), (hz >= 1000) & (hz < 2000), hz >= 2000
    bottom = hz < 300

    def band(chosen: Marks) -> Table:
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


def of_table(
    names: list[str],
    table: Table,
    active: Marks,
    voiced: Marks,
) -> dict[str, float]:
    """Statistics of each column of `table` over active and over voiced frames."""
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


def of_rhythm(level: Table, active: Marks, voiced: Marks) -> dict[str, float]:
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


def of_course(pitch: Table, level: Table, timbre: Table, voiced: Marks) -> dict[str, float]:
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


def of_contours(
    pitch: Table,
    level: Table,
    timbre: Table,
    active: Marks,
    voiced: Marks,
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


def of_companions(pitch: Table, level: Table, timbre: Table, voiced: Marks) -> dict[str, float]:
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


def of_band_modulation(mel: Table, speech_db: float, active: Marks) -> dict[str, float]:
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


def _runs(flags: Marks) -> npt.NDArray[np.float64]:
    """Lengths of the stretches of True."""
    edges = np.flatnonzero(np.diff(np.r_[False, flags, False].astype(np.int8)))
    return (edges[1::2] - edges[::2]).astype(np.float64)
