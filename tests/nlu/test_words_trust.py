"""How sure an estimate from words may be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nlu.emotion.text import TextModel
from nlu.emotion.words_model import WordsModel
from nlu.emotion.words_trust import SIGNALS, WordsTrust, doubt_signals
from nlu.encoder import Encoder
from nlu.training import text_trust
from nlu.types import Grant

GRANT = Grant("emotion_words", "test", "EU", "written for a test")
ANGRY = np.asarray([0.15, 0.05, 0.05, 0.6, 0.05, 0.05, 0.05])
AGREED = np.stack([ANGRY, ANGRY])
BANK = np.asarray([0.1, 0.0, 0.1, 0.8, 0.2, 0.0, 0.0])


@pytest.fixture(scope="module")
def model() -> TextModel:
    return TextModel.load({}, Encoder.load())


def _confidence(members: np.ndarray = AGREED, bank: np.ndarray = BANK) -> float:
    return float(WordsModel.load().trust.confidence(doubt_signals(ANGRY, members, bank, 1.0)))


def test_networks_that_disagree_are_trusted_less() -> None:
    apart = np.stack([ANGRY, np.roll(ANGRY, 1)])
    assert _confidence(members=apart) < _confidence()


def test_a_phrase_bank_that_says_something_else_is_a_reason_for_doubt() -> None:
    assert _confidence(bank=np.roll(BANK, 1)) < _confidence()


def test_a_service_desk_is_told_from_a_forum(model: TextModel) -> None:
    desk = [model.read(text).signals for text in ("where is my refund", "my parcel is late")]
    forum = [model.read(text).signals for text in ("lol this meme", "that movie made me laugh")]
    at = SIGNALS.index("desk")
    assert min(one[at] for one in desk) > 0.5 > max(one[at] for one in forum)


def test_the_confidence_of_an_estimate_is_the_trust_s_not_the_highest_chance(
    model: TextModel,
) -> None:
    text = "do you people ever read the notes"
    estimate, reading = model.estimate(text, GRANT), model.read(text)
    assert estimate.confidence == pytest.approx(
        float(WordsModel.load().trust.confidence(reading.signals))
    )
    assert estimate.confidence != pytest.approx(float(reading.chances.max()), abs=1e-3)


@given(
    arrays.arrays(float, 7, elements=st.floats(-30, 30)),
    arrays.arrays(float, (2, 7), elements=st.floats(0, 1)),
    arrays.arrays(float, 7, elements=st.floats(-2, 2)),
    st.floats(0, 1),
)
def test_any_evidence_gives_a_confidence(
    logits: np.ndarray, members: np.ndarray, bank: np.ndarray, desk: float
) -> None:
    raised = np.exp(logits - logits.max())
    signals = doubt_signals(raised / raised.sum(), members, bank, desk)
    assert signals.shape == (len(SIGNALS),)
    assert 0 < float(WordsModel.load().trust.confidence(signals)) < 1


def test_a_file_with_other_signals_is_refused() -> None:
    with pytest.raises(ValueError, match="3 numbers"):
        WordsTrust.of({"trust": np.zeros(3), "desk_direction": np.zeros(2)})


def test_without_evidence_the_trust_is_the_model_s_own_chance() -> None:
    chance = np.random.default_rng(0)
    sure = chance.uniform(0.2, 0.95, 4_000)
    signals = np.zeros((len(sure), len(SIGNALS)))
    signals[:, SIGNALS.index("odds")] = np.log(sure / (1 - sure))
    right = chance.uniform(size=len(sure)) < sure
    found = text_trust.trust([(signals, right, 1.0)])
    assert found[SIGNALS.index("odds")] == pytest.approx(1.0, abs=0.1)
    assert found[-1] == pytest.approx(0.0, abs=0.1)
