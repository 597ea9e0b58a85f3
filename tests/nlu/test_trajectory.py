from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.emotion.trajectory import follow
from nlu.types import Emotion, EmotionEstimate, Source
from tests.nlu.feelings import feeling

CALM = feeling(neutral=0.9, valence=0.1)
ANGRY = feeling(angry=0.9, valence=-0.7, arousal=0.6)


def test_the_first_turn_is_the_state() -> None:
    course = follow(None, ANGRY, 0)
    assert (course.smoothed, course.trend, course.turns) == (ANGRY, "steady", 1)


def test_anger_rises_faster_than_it_falls() -> None:
    risen = follow(CALM, ANGRY, 1).smoothed.probabilities[Emotion.ANGRY]
    fallen = follow(ANGRY, CALM, 1).smoothed.probabilities[Emotion.ANGRY]
    calm, angry = CALM.probabilities[Emotion.ANGRY], ANGRY.probabilities[Emotion.ANGRY]
    assert risen - calm == pytest.approx(0.8 * (angry - calm))
    assert angry - fallen == pytest.approx(0.4 * (angry - calm))


def test_other_feelings_move_by_six_tenths() -> None:
    before, today = feeling(sad=0.2, angry=0.1), feeling(sad=0.7, angry=0.1)
    smoothed = follow(before, today, 1).smoothed
    assert smoothed.probabilities[Emotion.SAD] == pytest.approx(0.2 + 0.6 * 0.5)


def test_the_state_never_locks() -> None:
    state = ANGRY
    for turn in range(4):
        state = follow(state, CALM, turn).smoothed
    assert state.top is Emotion.NEUTRAL


def test_a_resolved_matter_is_forgotten() -> None:
    assert follow(ANGRY, CALM, 3, resolved=True).smoothed == CALM


def test_a_turn_that_abstains_changes_nothing() -> None:
    silent = EmotionEstimate.abstain(Source.FUSED, "silence")
    course = follow(ANGRY, silent, 2)
    assert (course.smoothed, course.trend, course.turns) == (ANGRY, "steady", 3)
    assert follow(silent, CALM, 2).smoothed == CALM


def test_the_trend_tells_where_anger_goes() -> None:
    assert follow(CALM, ANGRY, 1).trend == "rising"
    assert follow(ANGRY, CALM, 1).trend == "falling"
    assert follow(CALM, CALM, 1).trend == "steady"


def test_change_is_shown_and_never_alters_the_state() -> None:
    plain = follow(CALM, ANGRY, 1)
    shown = follow(CALM, ANGRY, 1, features={"pitch": 5.0, "new": 1.0}, baseline={"pitch": 2.0})
    assert dict(shown.change) == {"pitch": 3.0}
    assert shown.smoothed == plain.smoothed
    assert shown.trend == plain.trend


@given(
    st.lists(st.lists(st.floats(0.0, 1.0), min_size=7, max_size=7), min_size=1, max_size=6),
)
def test_the_state_is_always_a_distribution(turns: list[list[float]]) -> None:
    state: EmotionEstimate | None = None
    for number, row in enumerate(turns):
        total = sum(row)
        shares = [value / total for value in row] if total > 1e-6 else [1 / 7] * 7
        today = feeling(**{one.value: value for one, value in zip(Emotion, shares, strict=True)})
        state = follow(state, today, number).smoothed
        assert sum(state.probabilities.values()) == pytest.approx(1.0)
