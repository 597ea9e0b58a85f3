"""From what a delivery asks (factors, semitones, decibels) to espeak-ng's settings.

The tables in `calibration.yaml` were measured over sentences of ordinary service talk by
`python -m voice.speech.calibrate`; every entry is relative to the same sentence at neutral.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from dialogue.types import Delivery

FILE = Path(__file__).with_name("calibration.yaml")
LOWEST_RATE, HIGHEST_RATE = 80, 240


@dataclass(frozen=True, slots=True)
class EspeakSettings:
    """What espeak-ng is told: words a minute (nominal), pitch and range 0-99; and a gain in dB."""

    rate: int
    pitch: int
    range: int
    gain_db: float


class Calibration:
    """The measured behaviour of one voice."""

    def __init__(self, table: dict[str, Any]) -> None:
        self.neutral = EspeakSettings(**table["neutral"])
        self._rates = np.array(table["rates"], dtype=float)
        self._paces = np.array(table["paces"], dtype=float)
        self._rate_levels = np.array(table["rate_levels_db"], dtype=float)
        steps = np.arange(100)
        knots = np.array(table["steps"], dtype=float)
        self._pitch = _filled(table["pitch_st"], knots, steps)
        self._log_range = np.log(_filled(table["ranges"], knots, steps))
        self._level = _filled(table["levels_db"], knots, steps)

    def settings(self, delivery: Delivery) -> EspeakSettings:
        """The settings that come nearest; pitch and range act on each other and are solved
        together over all 100 x 100 pairs."""
        rate = self.rate_for(delivery.rate)
        if delivery.pitch_st == 0 and delivery.range == 1:
            pitch, range_ = self.neutral.pitch, self.neutral.range
        else:
            # A tenth of a semitone off weighs as much as 4 % of range: half of either bar.
            miss = ((self._pitch - delivery.pitch_st) / 0.1) ** 2
            miss += ((self._log_range - np.log(max(0.05, delivery.range))) / 0.04) ** 2
            pitch, range_ = (int(k) for k in np.unravel_index(np.argmin(miss), miss.shape))
        moved = self._level_of(rate, pitch, range_)
        plain = self._level_of(self.neutral.rate, self.neutral.pitch, self.neutral.range)
        gain_db = self.neutral.gain_db + delivery.level_db - (moved - plain)
        return EspeakSettings(rate, pitch, range_, gain_db)

    def _level_of(self, rate: int, pitch: int, range_: int) -> float:
        by_rate = float(np.interp(rate, self._rates, self._rate_levels))
        return by_rate + float(self._level[pitch, range_])

    def rate_for(self, pace: float) -> int:
        """The nominal words a minute that give `pace` times the neutral pace."""
        return round(float(np.interp(pace, self._paces, self._rates)))

    def corrected(self, settings: EspeakSettings, asked: float, got: float) -> EspeakSettings:
        """The settings after the pace turned out as `got` where `asked` was wanted."""
        predicted = float(np.interp(settings.rate, self._rates, self._paces))
        rate = self.rate_for(predicted * asked / got)
        return replace(settings, rate=min(HIGHEST_RATE, max(LOWEST_RATE, rate)))


def _filled(
    grid: list[list[float]], knots: npt.NDArray[np.float64], steps: npt.NDArray[np.int_]
) -> npt.NDArray[np.float64]:
    rows = np.array([np.interp(steps, knots, row) for row in grid])
    return np.array([np.interp(steps, knots, column) for column in rows.T]).T


@functools.cache
def load(voice: str) -> Calibration:
    """The calibration of `voice`, or the default voice's for one that was not measured."""
    tables = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return Calibration(tables.get(voice) or tables["en-us+f2"])
