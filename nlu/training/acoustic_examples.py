"""Clips to rows: the statistics of every clip, as recorded and under other conditions."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nlu.emotion.features import find_speech, statistics
from nlu.emotion.frames import RATE_HZ, describe
from nlu.training.conditions import (
    Surroundings,
    add_noise,
    noisy_line,
    read_surroundings,
    telephone,
    vary,
)
from nlu.training.corpora import LABELS, Clip
from nlu.types import Samples

Rows = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.float64]

TEST_CONDITIONS = ("clean", "telephone", "noise_20_db", "noise_10_db")


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Rows of statistics with what is known of them. `label`: index into `LABELS`; `fresh` marks
    the rows of a clip as recorded and on the telephone, the others are random variations."""

    statistics: Rows
    label: npt.NDArray[np.intp]
    strong: npt.NDArray[np.bool_]
    speaker: npt.NDArray[np.str_]
    corpus: npt.NDArray[np.str_]
    snr_db: Numbers

    def __len__(self) -> int:
        return len(self.label)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Examples:
        """The rows marked in `chosen`."""
        return Examples(
            self.statistics[chosen],
            self.label[chosen],
            self.strong[chosen],
            self.speaker[chosen],
            self.corpus[chosen],
            self.snr_db[chosen],
        )


def is_natural(examples: Examples) -> bool:
    """Whether this is ordinary speech: a corpus with one label only, where nothing is acted."""
    return len(np.unique(examples.label)) == 1


def together(parts: Sequence[Examples]) -> Examples:
    """Several tables as one."""
    return Examples(
        np.concatenate([part.statistics for part in parts]),
        np.concatenate([part.label for part in parts]),
        np.concatenate([part.strong for part in parts]),
        np.concatenate([part.speaker for part in parts]),
        np.concatenate([part.corpus for part in parts]),
        np.concatenate([part.snr_db for part in parts]),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A corpus under every condition: `train` has each clip clean, on the telephone and varied
    with the training half of the noises; `test` has one table for each of `TEST_CONDITIONS`,
    with the other half of the noises. Rows of a test table are the clips in order."""

    train: Examples
    test: dict[str, Examples]


def read_table(
    clips: Sequence[Clip],
    data: Path,
    variations: int,
    seed: int,
    done: Callable[[], None] = lambda: None,
) -> Table:
    """Read and describe every clip, on all cores; `done` is called after each. `variations`: how
    many random ones of each clip."""
    jobs = [(clip, str(data), variations, (seed, at)) for at, clip in enumerate(clips)]
    described = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for rows in pool.map(_describe, jobs, chunksize=16):
            described.append(rows)
            done()
    count = 2 + variations
    training = [_examples(clips, [rows[at] for rows in described]) for at in range(count)]
    test = {
        name: training[at]
        if at < 2
        else _examples(clips, [rows[count + at - 2] for rows in described])
        for at, name in enumerate(TEST_CONDITIONS)
        if at < 2 or len(described[0]) > count
    }
    return Table(together(training), test)


def _examples(clips: Sequence[Clip], rows: Sequence[tuple[Rows, float]]) -> Examples:
    return Examples(
        np.stack([row for row, _ in rows]),
        np.asarray([LABELS.index(clip.label) for clip in clips]),
        np.asarray([clip.strong for clip in clips]),
        np.asarray([clip.speaker for clip in clips]),
        np.asarray([clip.corpus for clip in clips]),
        np.asarray([snr for _, snr in rows]),
    )


def row_of(samples: Samples) -> tuple[Rows, float]:
    """Statistics and signal-to-noise ratio of samples at 8 kHz."""
    frames = describe(samples)
    speech = find_speech(frames)
    return statistics(frames, speech), speech.snr_db


def _describe(job: tuple[Clip, str, int, tuple[int, int]]) -> list[tuple[Rows, float]]:
    clip, data, variations, seed = job
    samples = clip.read(RATE_HZ)
    chance = np.random.default_rng(seed)
    surroundings = _surroundings(data, "train")
    versions = [samples, telephone(samples)]
    versions += [vary(samples, surroundings, chance) for _ in range(variations)]
    noises = _surroundings(data, "test").noises
    if noises:
        versions += [noisy_line(samples, noises, snr_db, chance) for snr_db in (20, 10)]
    return [row_of(version) for version in versions]


@lru_cache
def _surroundings(data: str, part: str) -> Surroundings:
    return read_surroundings(Path(data), part)


def sounds_that_are_no_speech(data: Path, part: str, count: int, seed: int) -> Rows:
    """Statistics of `count` pieces of noise and of made-up music, from one half of the noises."""
    chance = np.random.default_rng([seed, len(part)])
    noises = [n for n in read_surroundings(data, part).noises if len(n) > RATE_HZ]
    rows = []
    for at in range(count):
        if noises and at % 2:
            noise = np.resize(noises[int(chance.integers(len(noises)))], 4 * RATE_HZ)
            piece = noise[: int(chance.uniform(1.5, 4) * RATE_HZ)]
            piece = soft(piece, chance)
        else:
            piece = music(chance)
        rows.append(row_of(piece)[0])
    return np.stack(rows)


def soft(piece: Samples, chance: np.random.Generator) -> Samples:
    """`piece` over a faint hiss, as a line would give it."""
    return add_noise(piece, chance.normal(0, 1, len(piece)).astype(np.float32), 40.0)


def music(chance: np.random.Generator) -> Samples:
    """A few seconds of notes and chords with overtones, decay and vibrato, at 8 kHz."""
    seconds = chance.uniform(2, 5)
    when = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    heard = np.zeros(len(when))
    beat = chance.uniform(0.15, 0.7)
    voices = int(chance.integers(1, 5))
    decay = chance.uniform(0.3, 6.0)
    overtones = int(chance.integers(1, 9))
    vibrato = chance.choice([0.0, 0.003, 0.01])
    for start in np.arange(0, seconds, beat):
        first = int(start * RATE_HZ)
        since = when[: int(beat * chance.uniform(0.8, 3) * RATE_HZ)]
        since = since[: len(heard) - first]
        envelope = np.exp(-decay * since) * np.clip(since / 0.01, 0, 1)
        for _ in range(voices):
            hz = 110 * 2 ** (chance.integers(0, 36) / 12)
            phase = 2 * np.pi * hz * (since + vibrato / 30 * np.sin(2 * np.pi * 5 * since))
            for order in range(1, overtones + 1):
                if hz * order < RATE_HZ / 2:
                    heard[first : first + len(since)] += envelope * np.sin(order * phase) / order
    heard *= 0.3 / (np.abs(heard).max() + 1e-9)
    return soft(heard.astype(np.float32), chance)
