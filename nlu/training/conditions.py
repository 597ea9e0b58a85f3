"""What lies between a mouth and the model: telephone band, noise, rooms, pace, cut clips."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import soxr
from scipy import signal

from nlu.emotion.frames import RATE_HZ
from nlu.training.corpora import read_sound
from nlu.types import Samples


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """Noises and impulse responses at 8 kHz, the two halves on disjoint files."""

    noises: tuple[Samples, ...] = ()
    rooms: tuple[Samples, ...] = ()


def read_surroundings(data: Path, part: str) -> Surroundings:
    """The `train` or `test` half of `data/noise` (every second file of its table, by name), or
    nothing when the folder is not there."""
    table = data / "noise" / "clips.csv"
    if not table.exists():
        return Surroundings()
    with table.open(encoding="utf-8", newline="") as file:
        rows = sorted(
            csv.DictReader(file), key=lambda row: (row["kind"], row["source"], row["file"])
        )
    mine = rows[0 if part == "train" else 1 :: 2]
    sounds = [(row["kind"], read_sound(table.parent / row["file"], RATE_HZ)) for row in mine]
    return Surroundings(
        tuple(sound for kind, sound in sounds if kind == "noise"),
        tuple(sound for kind, sound in sounds if kind != "noise"),
    )


def telephone(samples: Samples) -> Samples:
    """300-3400 Hz and G.711 mu-law, at 8 kHz, at a usual level of the line."""
    narrow = signal.sosfiltfilt(_telephone_band(), samples)
    level = float(np.abs(narrow).max()) + 1e-9
    scaled = np.clip(narrow / level * 0.5, -1, 1)
    code = np.round(np.sign(scaled) * np.log1p(255 * np.abs(scaled)) / np.log(256) * 127) / 127
    return np.asarray(np.sign(code) * (256 ** np.abs(code) - 1) / 255, np.float32)


def add_noise(samples: Samples, noise: Samples, snr_db: float, start: int = 0) -> Samples:
    """`samples` with `noise` (repeated to their length) at `snr_db` below the power of the
    speech, taken as the mean of frames within 30 dB of the loudest."""
    repeated = np.resize(np.roll(noise, -start), len(samples))
    power = np.add.reduceat(samples**2, np.arange(0, len(samples), 160)) / 160
    speech = power[power > power.max() / 1000].mean()
    gain = np.sqrt(speech / (10 ** (snr_db / 10)) / ((repeated**2).mean() + 1e-12))
    return np.asarray(samples + gain * repeated, np.float32)


def vary(samples: Samples, around: Surroundings, chance: np.random.Generator) -> Samples:
    """A random condition for training: pace, room, noise, band, cut, each now and then."""
    varied = samples
    if chance.random() < 0.5:
        varied = soxr.resample(varied, RATE_HZ, RATE_HZ * chance.uniform(0.9, 1.1))
    if chance.random() < 0.35 and len(varied) > 1.5 * RATE_HZ:
        length = int(chance.uniform(1.2 * RATE_HZ, len(varied)))
        start = chance.integers(0, len(varied) - length + 1)
        varied = varied[start : start + length]
    if around.rooms and chance.random() < 0.3:
        room = around.rooms[int(chance.integers(len(around.rooms)))]
        room = room[np.abs(room).argmax() :][: RATE_HZ // 2]
        varied = signal.fftconvolve(varied, room)[: len(varied)]
    if chance.random() < 0.5:
        varied = signal.fftconvolve(varied, _microphone(chance), "same")
    if around.noises and chance.random() < 0.6:
        noise = around.noises[int(chance.integers(len(around.noises)))]
        varied = add_noise(varied, noise, chance.uniform(5, 30), int(chance.integers(len(noise))))
    if chance.random() < 0.5:
        varied = telephone(np.asarray(varied, np.float32))
    return np.asarray(varied, np.float32)


def noisy_line(
    samples: Samples, noises: Sequence[Samples], snr_db: float, chance: np.random.Generator
) -> Samples:
    """The test condition: a noise at `snr_db`, then the telephone."""
    noise = noises[int(chance.integers(len(noises)))]
    return telephone(add_noise(samples, noise, snr_db, int(chance.integers(len(noise)))))


def _microphone(chance: np.random.Generator) -> Samples:
    """A filter with a smooth random response, some +-5 dB: another microphone, another room."""
    gains_db = chance.normal(0, 4, 6)
    gains_db[0] = gains_db[1]
    return np.asarray(
        signal.firwin2(65, np.linspace(0, RATE_HZ / 2, 6), 10 ** (gains_db / 20), fs=RATE_HZ),
        np.float32,
    )


@lru_cache
def _telephone_band() -> Any:
    return signal.butter(4, (300, 3400), "bandpass", fs=RATE_HZ, output="sos")
