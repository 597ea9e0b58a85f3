"""How a reply is spoken: the evidence's profiles, their limits, and what a listener writes down."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogue import delivery
from dialogue.aloud import aloud, code_groups
from dialogue.delivery import PROFILES, scale, speak, target
from dialogue.rendering import Piece
from dialogue.types import Delivery
from nlu.types import Intensity

RANGES = {
    # profile: rate, pitch, range, level, pause before, pause between, as in the evidence
    "neutral": ((0, 0), (0, 0), (1, 1), (0, 0), (200, 300), (250, 350)),
    "angry": ((-10, -6), (-2, -1), (0.8, 0.9), (-3, -2), (300, 500), (350, 450)),
    "sad": ((-14, -10), (-2, -1), (0.8, 0.9), (-2, -2), (400, 600), (450, 600)),
    "anxious": ((-10, -6), (-1, -0.5), (0.85, 0.95), (-1, 0), (250, 350), (400, 500)),
    "happy": ((3, 6), (1, 1.5), (1.15, 1.25), (0, 1), (150, 250), (200, 300)),
}


@pytest.mark.parametrize("name", RANGES)
def test_a_full_profile_lies_in_the_ranges_of_the_evidence(name: str) -> None:
    spoken = target(name, 1.0)
    values = (
        (spoken.rate - 1) * 100,
        spoken.pitch_st,
        spoken.range,
        spoken.level_db,
        spoken.pause_before_ms,
        spoken.pause_after_ms,
    )
    for value, (low, high) in zip(values, RANGES[name], strict=True):
        assert low - 1e-6 <= value <= high + 1e-6


def test_a_profile_is_scaled_by_intensity_and_confidence() -> None:
    high = scale("angry", 1.0, "angry", Intensity.HIGH, 0.9)
    medium = scale("angry", 0.5, "angry", Intensity.MEDIUM, 0.9)
    unsure = scale("angry", 1.0, "angry", Intensity.HIGH, 0.5)
    assert high == pytest.approx(0.9)
    assert unsure == pytest.approx(0.5)
    assert 0 < medium < unsure
    assert scale("angry", 1.0, "angry", Intensity.NONE, 0.9) == 0


def test_what_the_situation_asks_for_does_not_depend_on_an_estimate() -> None:
    assert scale("sad", 1.0, "abstained", Intensity.NONE, 0.0) == 1.0
    assert scale("slow", 1.0, "confused", Intensity.LOW, 0.3) == 1.0


def test_a_turn_moves_at_most_half_a_profile() -> None:
    first = target("angry", 1.0, Delivery())
    second = target("angry", 1.0, first)
    full = PROFILES["angry"]
    assert first.rate == pytest.approx(1 + (full.rate - 1) / 2)
    assert first.pitch_st == pytest.approx(full.pitch_st / 2)
    assert second.rate == pytest.approx(full.rate)
    back = target("neutral", 1.0, second)
    assert back.pitch_st == pytest.approx(full.pitch_st / 2)


PROFILE_NAMES = st.sampled_from(sorted(PROFILES))


@given(st.lists(st.tuples(PROFILE_NAMES, st.floats(0, 1), st.booleans()), max_size=12))
def test_no_course_of_feelings_leaves_the_limits_or_jumps(turns) -> None:
    before = Delivery()
    for name, amount, vulnerable in turns:
        now = target(name, amount, before, vulnerable=vulnerable)
        assert 0.85 <= now.rate <= 1.15
        assert -2 <= now.pitch_st <= 2
        assert -3 <= now.level_db <= 3
        assert abs(now.pitch_st - before.pitch_st) <= 0.75 + 1e-6
        assert abs(now.level_db - before.level_db) <= 1.25 + 1e-6
        assert abs(now.range - before.range) <= 0.1 + 1e-6
        before = now


def test_vulnerable_customers_hear_it_slower_with_longer_pauses() -> None:
    plain, slower = target("neutral", 1.0), target("neutral", 1.0, vulnerable=True)
    assert slower.rate < plain.rate
    assert slower.pause_after_ms > plain.pause_after_ms


def test_only_the_first_clause_waits_and_the_last_leaves_no_pause() -> None:
    pieces = [Piece("One.", "fact"), Piece("Two.", "fact"), Piece("Three?", "question")]
    clauses = speak(pieces, target("sad", 1.0))
    assert [clause.delivery.pause_before_ms for clause in clauses] == [500, 0, 0]
    assert clauses[1].delivery.pause_after_ms == 520
    assert clauses[-1].delivery.pause_after_ms == 0


def test_list_items_are_set_apart_by_half_a_second() -> None:
    pieces = [Piece("First this.", "option"), Piece("Then that.", "option"), Piece("OK?", "fact")]
    assert speak(pieces, target("anxious", 1.0))[0].delivery.pause_after_ms == 500


def test_codes_are_slow_level_and_grouped() -> None:
    pieces = [
        Piece("Your reference is 4 4 1,", "fact", "Your reference is 44172.", True, True),
        Piece("7 2.", "fact", "", True, False),
        Piece("Keep it.", "fact"),
    ]
    spoken = target("angry", 1.0)
    first, second, rest = speak(pieces, spoken)
    assert first.kind == second.kind == "code"
    assert first.delivery.rate == delivery.CODE_RATE
    assert (first.delivery.pitch_st, first.delivery.range, first.delivery.level_db) == (0, 1, 0)
    assert 300 <= first.delivery.pause_after_ms <= 400
    assert rest.delivery.rate == spoken.rate


@pytest.mark.parametrize("digits", [4, 5, 6, 7, 8, 9, 10, 12])
def test_a_code_runs_at_115_to_125_words_a_minute_with_its_pauses(digits: int) -> None:
    groups = code_groups("1234567890"[:digits])
    speaking_s = digits / (delivery.NEUTRAL_WORDS_PER_MINUTE * delivery.CODE_RATE / 60)
    pauses_s = (len(groups) - 1) * delivery.GROUP_PAUSE_MS / 1000
    pace = digits / (speaking_s + pauses_s) * 60
    assert 115 <= pace <= 125


@pytest.mark.parametrize(
    ("code", "groups"),
    [
        ("44172", ("4 4 1", "7 2")),
        ("4571", ("4 5", "7 1")),
        ("911", ("9 1 1",)),
        ("R8-K2Q", ("R 8 K", "2 Q")),
        ("RK2Q1X", ("R K 2", "Q 1 X")),
        ("1234567", ("1 2 3", "4 5 6 7")),
        ("123456789", ("1 2 3", "4 5 6", "7 8 9")),
    ],
)
def test_codes_are_said_in_small_groups(code: str, groups: tuple[str, ...]) -> None:
    assert code_groups(code) == groups


@given(st.text("0123456789ABCXYZ", min_size=1, max_size=20))
def test_no_sign_of_a_code_is_lost_and_no_group_is_longer_than_four(code: str) -> None:
    groups = code_groups(code)
    assert "".join(groups).replace(" ", "") == code
    assert all(1 <= len(group.split()) <= 4 for group in groups)
    assert len(code) == 1 or all(len(group.split()) >= 2 for group in groups)


@pytest.mark.parametrize(
    ("value", "kind", "spoken"),
    [
        (49.9, "money", "49 dollars and 90 cents"),
        (1, "money", "1 dollar"),
        (0.01, "money", "1 cent"),
        ("12.00 EUR", "money", "12 euros"),
        ("3.50 GBP", "money", "3 pounds and 50 pence"),
        ("2026-06-04", "date", "Thursday, June 4"),
        ("jane.doe@example.com", "text", "jane dot doe at example dot com"),
        ("the lamp for $12.50, 44172", "text", "the lamp for 12 dollars and 50 cents, 4 4 1 7 2"),
        ("in 2026", "text", "in 2026"),
    ],
)
def test_facts_are_said_as_people_say_them(value, kind, spoken) -> None:
    assert aloud(value, kind) == (spoken,)


def test_a_previous_delivery_is_never_changed() -> None:
    before = target("sad", 1.0)
    kept = replace(before)
    target("happy", 1.0, before)
    assert before == kept
