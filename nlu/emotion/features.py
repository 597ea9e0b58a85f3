"""Statistics of an utterance from its frames: pitch, level, timbre, rhythm; blind to level.

Families as in eGeMAPS (Eyben et al. 2016), with statistics of the cepstrum and of the level's
modulation added; all are computed at 8 kHz and relative to the speech's own level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from nlu.emotion import families
from nlu.emotion.frames import HOP, HOPS_PER_S, MEL_BANDS, RATE_HZ, Frames, Table

_VOICED_PERIODICITY = 0.5
_VOICED_WITHIN_DB = 30.0
_BRIDGE_MS = 150
_SUMMARY = ("pitch_st", "pitch_range_st", "level_range_db", "syllables_per_s", "brightness_db")


@dataclass(frozen=True, slots=True, eq=False)
class Speech:
    """Where in the frames speech is. `voiced`: frames with a pitch. `active`: voiced stretches
    with gaps up to 150 ms bridged. `level_db`: mean power of the active frames.
    `snr_db`: that against the quietest frames around."""

    voiced: families.Marks
    active: families.Marks
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


def statistics(frames: Frames, speech: Speech) -> Table:
    """The statistics of an utterance of 20 frames or more: float32 [len(feature_names())],
    finite."""
    return table_of(named(frames, speech))


def table_of(named: Mapping[str, float]) -> Table:
    """The values of `named` as `statistics` gives them."""
    return np.fromiter(named.values(), np.float32)


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
    return tuple(named(blank, find_speech(blank)))


def summary(frames: Frames, speech: Speech) -> Mapping[str, float]:
    """The few figures of an utterance that a person can read: pitch, its range, level range,
    rhythm, brightness. For showing change within a call, never for a decision."""
    return summary_of(named(frames, speech)) if speech.voiced.any() else {}


def summary_of(named: Mapping[str, float]) -> Mapping[str, float]:
    """What `summary` gives where anything is voiced, from the values of `named`."""
    values = (
        named["pitch_p50"],
        named["pitch_p95"] - named["pitch_p5"],
        named["level_p90"] - named["level_p10"],
        named["rhythm_peaks_per_s"],
        named["alpha_mean"],
    )
    return dict(zip(_SUMMARY, map(float, values), strict=True))


def named(frames: Frames, speech: Speech) -> dict[str, float]:
    """The statistics of an utterance by name."""
    active = speech.active if speech.active.any() else np.ones(len(frames), np.bool_)
    voiced = speech.voiced if speech.voiced.sum() >= 3 else active
    level = frames.level_db - speech.level_db
    pitch = ndimage.median_filter(frames.pitch_st, 5)
    timbre_names, timbre = families.timbre(frames)
    found: dict[str, float] = {}
    found |= families.of_pitch(pitch, voiced)
    found |= families.of_level(level, active, voiced)
    found |= families.of_spread("breath", families.harmonicity(frames.periodicity), voiced)
    found |= families.of_table(timbre_names, timbre, active, voiced)
    found |= families.of_rhythm(level, active, voiced)
    found |= families.of_course(pitch, level, timbre, voiced)
    found |= families.of_contours(pitch, level, timbre, active, voiced)
    found |= families.of_companions(pitch, level, timbre, voiced)
    found |= families.of_band_modulation(frames.mel_db, speech.level_db, active)
    return found
