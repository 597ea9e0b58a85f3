"""Ordinary speech weighs with the acted corpora, and is not taken for surely neutral."""

from __future__ import annotations

import numpy as np
import pytest

from nlu.training.acoustic_balance import balanced, natural_rows, unsure_of_natural
from nlu.training.acoustic_examples import Examples, together
from nlu.training.corpora import LABELS

NEUTRAL = LABELS.index("neutral")


def corpus(name: str, labels: list[str]) -> Examples:
    count = len(labels)
    return Examples(
        np.zeros((count, 2), np.float32),
        np.asarray([LABELS.index(label) for label in labels]),
        np.zeros(count, np.bool_),
        np.asarray([f"{name}-1"] * count),
        np.asarray([name] * count),
        np.full(count, 30.0),
    )


STUDIO = corpus("studio", ["neutral", "angry", "angry", "angry"])
STAGE = corpus("stage", ["sad"] * 90 + ["happy"] * 10)
READERS = corpus("readers", ["neutral"] * 4_000)


def weight_of(examples: Examples, name: str) -> float:
    return float(balanced(examples, 0.4)[examples.corpus == name].sum())


def test_acted_corpora_weigh_the_same_whatever_their_size_and_so_do_their_labels() -> None:
    both = together([STUDIO, STAGE])
    weights = balanced(both, 0.4)
    assert weight_of(both, "studio") == pytest.approx(weight_of(both, "stage"))
    angry = (both.corpus == "studio") & (both.label == LABELS.index("angry"))
    assert weights[angry].sum() == pytest.approx(0.5)


@pytest.mark.parametrize("acted", [[STUDIO], [STUDIO, STAGE]])
def test_ordinary_speech_weighs_its_share_of_all_acting_beside_it(acted: list[Examples]) -> None:
    assert weight_of(together([*acted, READERS]), "readers") == pytest.approx(0.4 * len(acted))


def test_only_a_corpus_with_a_single_label_is_ordinary_speech() -> None:
    marks = natural_rows(together([STUDIO, READERS]))
    assert not marks[: len(STUDIO)].any()
    assert marks[len(STUDIO) :].all()


def test_half_of_the_readers_are_dealt_out_evenly_and_acted_labels_stay() -> None:
    examples = together([STUDIO, READERS])
    dealt = unsure_of_natural(examples, 0.5, np.random.default_rng(0))
    assert np.array_equal(dealt.label[: len(STUDIO)], STUDIO.label)
    counts = np.bincount(dealt.label[len(STUDIO) :], minlength=len(LABELS)) / len(READERS)
    assert counts[NEUTRAL] == pytest.approx(0.5, abs=0.03)
    assert np.delete(counts, NEUTRAL) == pytest.approx(0.5 / 7, abs=0.02)


def test_full_certainty_leaves_the_readers_neutral() -> None:
    dealt = unsure_of_natural(READERS, 1.0, np.random.default_rng(0))
    assert (dealt.label == NEUTRAL).all()
