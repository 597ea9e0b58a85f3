"""A regression on words and pairs of words: what counts as one, and what is asked of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.emotion.word_pairs import LONGEST, WordPairs, terms_of
from nlu.emotion.words_model import WordsModel

TERMS = ("not", "good", "not good", "!")
RARITY = np.asarray([1.0, 2.0, 3.0, 1.0], np.float32)
WEIGHTS = np.asarray([[0, -1], [2, 0], [-6, 3], [0, 1]], np.float32)


@pytest.fixture
def pairs() -> WordPairs:
    return WordPairs(TERMS, RARITY, WEIGHTS, np.asarray([0.5, -0.5], np.float32), 0.2)


def test_words_marks_and_neighbours_are_terms() -> None:
    assert terms_of("Not GOOD!!") == ["not", "good", "!!", "not good", "good !!"]


def test_a_pair_of_words_may_turn_what_its_words_say(pairs: WordPairs) -> None:
    assert pairs("good")[0] > 2
    assert pairs("not good")[0] < 0


def test_a_text_without_a_known_term_gets_the_bias(pairs: WordPairs) -> None:
    assert pairs("zebra").tolist() == [0.5, -0.5]
    assert pairs("").tolist() == [0.5, -0.5]


@given(st.text(max_size=300))
def test_the_terms_of_any_text_weigh_one_together(text: str) -> None:
    pairs = WordPairs(TERMS, RARITY, WEIGHTS, np.zeros(2, np.float32), 0.2)
    numbers, values = pairs.features(text)
    assert len(numbers) == 0 or np.linalg.norm(values) == pytest.approx(1.0, abs=1e-5)


def test_saying_the_same_word_again_counts_for_less_each_time(pairs: WordPairs) -> None:
    once, often = pairs("good !"), pairs("good good good good !")
    assert once[0] < often[0] < 2.5


def test_only_the_beginning_of_a_long_text_counts(pairs: WordPairs) -> None:
    assert pairs("x " * LONGEST + "good").tolist() == [0.5, -0.5]


def test_the_shipped_model_hears_a_pair_of_words() -> None:
    model = WordsModel.load()
    assert model("that is not good").labels.shape == model("that is good").labels.shape
    assert not np.allclose(model("that is not good").labels, model("that is good").labels)
