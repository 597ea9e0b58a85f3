"""Rows moved to other voices and muted ones keep what they are about."""

from __future__ import annotations

import numpy as np

from nlu.training.acoustic_augmentation import moved, mute
from nlu.training.acoustic_examples import Examples
from nlu.training.corpora import LABELS

SIZE = 6
NEUTRAL, ANGRY = LABELS.index("neutral"), LABELS.index("angry")


def corpus(name: str, centre: float, speakers: int = 3, takes: int = 4) -> Examples:
    """`speakers` who lie around `centre`; their angry rows are 5 higher in the first statistic."""
    chance = np.random.default_rng(len(name))
    rows, labels, names = [], [], []
    for speaker in range(speakers):
        own = centre + chance.normal(0, 1, SIZE)
        for label in (NEUTRAL, ANGRY):
            for _ in range(takes):
                feeling = np.eye(SIZE)[0] * 5.0 * (label == ANGRY)
                rows.append(own + feeling + chance.normal(0, 0.1, SIZE))
                labels.append(label)
                names.append(f"{name}-{speaker}")
    count = len(rows)
    return Examples(
        np.asarray(rows, np.float32),
        np.asarray(labels),
        np.zeros(count, np.bool_),
        np.asarray(names),
        np.asarray([name] * count),
        np.full(count, 30.0),
    )


def test_a_moved_row_keeps_its_label_and_its_distance_to_rows_moved_with_it() -> None:
    here, there = corpus("here", 0.0), corpus("there", 20.0)
    far, _ = moved([here, there], (0.5, 1.0), np.random.default_rng(0))
    assert np.array_equal(far.label, here.label)
    assert np.array_equal(far.speaker, here.speaker)
    own = np.flatnonzero(here.speaker == "here-0")
    together = own[::4]
    apart = np.diff(here.statistics[together], axis=0)
    assert np.allclose(np.diff(far.statistics[together], axis=0), apart, atol=1e-4)


def test_voices_move_towards_and_away_from_the_other_corpus() -> None:
    here, there = corpus("here", 0.0), corpus("there", 20.0)
    far, near = moved([here, there], (0.5, 1.0), np.random.default_rng(0))
    shift = (far.statistics - here.statistics).mean(1)
    assert shift.max() > 8.0
    assert shift.min() < -8.0
    assert len(near) == len(there)


def test_a_lone_corpus_lends_its_own_speakers_and_one_speaker_moves_nowhere() -> None:
    chance = np.random.default_rng(0)
    several = corpus("several", 0.0)
    (other,) = moved([several], (0.5, 1.0), chance)
    assert not np.allclose(other.statistics, several.statistics)
    lone = corpus("lone", 0.0, speakers=1)
    (same,) = moved([lone], (0.5, 1.0), chance)
    assert np.array_equal(same.statistics, lone.statistics)


def test_without_neutral_rows_nothing_moves() -> None:
    angry = corpus("angry", 0.0)
    angry = angry.where(angry.label == ANGRY)
    (same,) = moved([angry], (0.5, 1.0), np.random.default_rng(0))
    assert np.array_equal(same.statistics, angry.statistics)


def test_muted_feeling_lies_between_the_feeling_and_the_speakers_own_neutral() -> None:
    examples = corpus("one", 0.0)
    muted = mute(examples, 0)
    angry = examples.label == ANGRY
    for speaker in np.unique(examples.speaker):
        own = angry & (examples.speaker == speaker)
        rest = examples.statistics[(~angry) & (examples.speaker == speaker), 0].mean()
        assert muted.statistics[own, 0].max() < examples.statistics[own, 0].max() + 0.5
        assert muted.statistics[own, 0].min() > rest - 0.5
    assert muted.statistics[angry, 0].mean() < examples.statistics[angry, 0].mean() - 1.0
