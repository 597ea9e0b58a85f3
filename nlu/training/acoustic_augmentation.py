"""Rows of statistics as they might have been: the same feeling in another voice, or shown less."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nlu.training.acoustic_examples import Examples, Rows
from nlu.training.corpora import LABELS

_NEUTRAL = LABELS.index("neutral")
_LEAST_NEUTRAL = 3
_MOVES = 4
"""Each speaker is moved in so many ways, one for every fourth row."""


def moved(
    parts: Sequence[Examples], reach: tuple[float, float], chance: np.random.Generator
) -> list[Examples]:
    """The rows of each corpus as another voice, microphone or room would give them.

    A quarter of a speaker's rows is moved at a time by a part, between the two numbers of `reach`,
    of the way from one speaker's mean neutral row to another's, of another corpus where there are
    two. What a model learns from both must hold whatever voice and recording the feeling comes in:
    the mean of a corpus tells nothing about feeling. Corpora without three neutral rows of any
    speaker are given back as they are.
    """
    voices = [_neutral_voices(part) for part in parts]
    voices = [one for one in voices if len(one)]
    if not voices or sum(map(len, voices)) < 2:
        return list(parts)
    return [_moved(part, voices, reach, chance) for part in parts]


def _moved(
    part: Examples,
    voices: Sequence[Rows],
    reach: tuple[float, float],
    chance: np.random.Generator,
) -> Examples:
    statistics = part.statistics.copy()
    for speaker in np.unique(part.speaker):
        own = np.flatnonzero(part.speaker == speaker)
        for rows in (own[at::_MOVES] for at in range(_MOVES)):
            corpora = chance.permutation(len(voices))
            begin, end = (_one_of(voices[corpora[at % len(corpora)]], chance) for at in (0, 1))
            statistics[rows] += np.float32(chance.uniform(*reach)) * (end - begin)
    return replace(part, statistics=statistics)


def mute(examples: Examples, seed: int) -> Examples:
    """Each row part of the way to a neutral row of the same speaker: feeling shown less than
    actors show it. What a model gets wrong there, it gets wrong on natural speech."""
    chance = np.random.default_rng(seed)
    statistics = examples.statistics.copy()
    for speaker in np.unique(examples.speaker):
        own = np.flatnonzero(examples.speaker == speaker)
        neutral = own[examples.label[own] == _NEUTRAL]
        if len(neutral):
            rest = examples.statistics[chance.choice(neutral, len(own))]
            part = chance.uniform(0.2, 1.0, (len(own), 1)).astype(np.float32)
            statistics[own] = rest + part * (statistics[own] - rest)
    return replace(examples, statistics=statistics)


def _neutral_voices(part: Examples) -> Rows:
    """The mean neutral row of each speaker who has enough of them: [speakers, statistics]."""
    means = [
        part.statistics[rows].mean(0)
        for speaker in np.unique(part.speaker)
        if (rows := (part.speaker == speaker) & (part.label == _NEUTRAL)).sum() >= _LEAST_NEUTRAL
    ]
    return np.asarray(means, np.float32).reshape(len(means), part.statistics.shape[1])


def _one_of(voices: Rows, chance: np.random.Generator) -> Rows:
    return np.asarray(voices[int(chance.integers(len(voices)))])
