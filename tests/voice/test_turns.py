"""Turn tracking in audio time, endpoint policies."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogue.packs import load_pack
from voice.engines import codes_of
from voice.turns.completeness import Completeness, Judged
from voice.turns.endpointing import (
    HABIT,
    LONGEST_MS,
    Pause,
    SoundsFinished,
    Spelling,
    default_policies,
    stop_silence,
)
from voice.turns.prosody import PhraseEnd, phrase_end
from voice.turns.tracker import (
    TurnEnded,
    TurnPaused,
    TurnResumed,
    TurnStarted,
    TurnTracker,
)
from voice.types import FRAME_MS

SENTENCE_FALLS = PhraseEnd(fall_st=-2.0, slope_st_s=-10.0, fade_db=-12.0, known=True)
DEEP_FALL = PhraseEnd(fall_st=-5.0, fade_db=-5.0, known=True)
LEVEL = PhraseEnd(fall_st=0.5, slope_st_s=0.0, fade_db=-1.0, known=True)


def track(tracker: TurnTracker, pattern: list[tuple[bool, int]]) -> list:
    """Feed (speech?, ms) stretches and collect the events."""
    events, now_ms = [], 0
    for speech, duration_ms in pattern:
        for _ in range(duration_ms // FRAME_MS):
            now_ms += FRAME_MS
            events.extend(tracker.push(now_ms, speech))
    return events


def stop_ms(
    text: str | None, expects: set[str] = frozenset(), end: PhraseEnd = SENTENCE_FALLS, pauses=()
) -> int:
    pause = Pause(text, frozenset(expects), end, tuple(pauses), speech_ms=2_000)
    return stop_silence(default_policies(), pause).stop_ms


def test_a_turn_starts_pauses_resumes_and_ends() -> None:
    events = track(
        TurnTracker(700), [(False, 500), (True, 800), (False, 400), (True, 500), (False, 900)]
    )
    kinds = [type(event) for event in events]
    assert kinds == [TurnStarted, TurnPaused, TurnResumed, TurnPaused, TurnEnded]
    started, _, resumed, _, ended = events
    assert started.start_ms == pytest.approx(500, abs=40)
    assert resumed.pause_ms == pytest.approx(400, abs=20)
    assert (ended.speech_end_ms, ended.declared_ms) == (2200, 2900)


def test_speech_that_has_just_begun_again_is_not_cut_off() -> None:
    """60 ms must be heard before the turn goes on; until then it does not end either."""
    went_on = track(TurnTracker(400), [(True, 500), (False, 360), (True, 300)])
    assert [type(event) for event in went_on] == [TurnStarted, TurnPaused, TurnResumed]
    clicked = track(TurnTracker(400), [(True, 500), (False, 360), (True, 40), (False, 100)])
    assert isinstance(clicked[-1], TurnEnded)
    assert clicked[-1].declared_ms == 500 + 360 + 40 + FRAME_MS


def test_a_click_does_not_start_a_turn() -> None:
    assert track(TurnTracker(700), [(False, 300), (True, 60), (False, 900)]) == []


def test_a_click_in_a_pause_does_not_resume_the_turn() -> None:
    events = track(TurnTracker(700), [(True, 500), (False, 300), (True, 40), (False, 600)])
    assert [type(event) for event in events] == [TurnStarted, TurnPaused, TurnEnded]


def test_a_turn_without_any_pause_ends_by_itself() -> None:
    events = track(TurnTracker(700), [(True, 91_000)])
    assert isinstance(events[-1], (TurnEnded, TurnStarted))
    assert any(isinstance(event, TurnEnded) for event in events)


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=40))
def test_events_alternate_whatever_is_heard(pattern: list[tuple[bool, int]]) -> None:
    tracker = TurnTracker(500)
    events = track(tracker, [(speech, frames * FRAME_MS) for speech, frames in pattern])
    allowed = {
        None: {TurnStarted},
        TurnStarted: {TurnPaused, TurnEnded},
        TurnPaused: {TurnResumed, TurnEnded},
        TurnResumed: {TurnPaused, TurnEnded},
        TurnEnded: {TurnStarted},
    }
    previous = None
    for event in events:
        assert type(event) in allowed[previous]
        previous = type(event)


@pytest.mark.parametrize(
    ("unfinished", "finished"),
    [
        ("i want to cancel the", "i want to cancel the order"),
        ("can you tell me where my", "can you tell me where my order is"),
        (
            "my parcel was supposed to be here last tuesday and",
            "my parcel was supposed to be here last tuesday",
        ),
        ("i was charged twice because", "i was charged twice for the same order"),
    ],
)
def test_an_unfinished_clause_is_waited_for_longer(unfinished: str, finished: str) -> None:
    assert stop_ms(unfinished, end=LEVEL) >= 1_150
    assert stop_ms(finished) <= 600


def test_a_level_melody_is_waited_for_longer_than_a_fall() -> None:
    text = "i would like to change my order"
    assert stop_ms(text, end=LEVEL) > stop_ms(text, end=SENTENCE_FALLS)


def test_a_yes_ends_at_once_only_where_one_was_asked_for() -> None:
    assert stop_ms("yes please", {"yes_no"}) < 400
    assert stop_ms("yes that is correct", {"yes_no"}) < 400
    assert stop_ms("yes i would like to", {"yes_no"}, LEVEL) > 900


def test_a_clear_question_is_answered_sooner_than_a_story_that_may_go_on() -> None:
    question = stop_ms("can you tell me when my second parcel will arrive")
    assert question == SoundsFinished.FASTEST_MS
    assert question < stop_ms("thank you")


def test_of_a_single_word_the_melody_says_little() -> None:
    policy = SoundsFinished()
    word, phrase = (Pause("my order", end=DEEP_FALL, speech_ms=ms) for ms in (300, 1_500))
    assert policy.log_odds(word) < policy.log_odds(phrase)


@pytest.mark.parametrize(
    "text", ["it's four five", "my order number is four four one", "it is j o h n", "double seven"]
)
def test_spelling_is_given_time(text: str) -> None:
    assert stop_ms(text, end=LEVEL) == Spelling.DIGITS_MS


@given(st.floats(-6, 6), st.floats(-6, 6))
def test_the_deeper_the_voice_falls_the_sooner_a_number_is_over(one: float, other: float) -> None:
    stops_ms = [
        stop_ms("it's four five six", end=PhraseEnd(fall_st=fall, known=True))
        for fall in sorted((one, other))
    ]
    assert Spelling.FALLEN_MS <= stops_ms[0] <= stops_ms[1] <= Spelling.DIGITS_MS


def test_a_number_of_the_length_that_the_business_uses_is_complete() -> None:
    policy = Spelling([r"\d{5}", r"\d{8,10}"])
    complete = Pause("my order number is double four one seven two")
    assert policy.judge(complete).stop_ms == Spelling.COMPLETE_MS
    longer = Pause("it is one two three four five six seven eight nine zero one")
    assert policy.judge(longer).stop_ms == Spelling.MANY_DIGITS_MS
    for text in ("it is four four one seven", "it is one two three four five six seven eight"):
        assert policy.judge(Pause(text)).stop_ms == Spelling.DIGITS_MS
        assert policy.judge(Pause(text, end=DEEP_FALL)).stop_ms == Spelling.DIGITS_MS


def test_the_longest_number_of_a_pack_is_complete_too() -> None:
    retail = Spelling(codes_of(load_pack("retail")))
    for number in ("four four one seven two", "nine zero four one one five"):
        assert retail.judge(Pause(f"it is {number}")).policy == "a complete number"
    assert retail.judge(Pause("it is four four one seven")).stop_ms == Spelling.DIGITS_MS


def test_a_complete_number_is_not_waited_for_because_the_caller_paused_in_it() -> None:
    policies = default_policies(codes_of(load_pack("retail")))
    pause = Pause("four four one seven two", caller_pauses_ms=(900, 1_100))
    assert stop_silence(policies, pause).stop_ms <= 500


def test_a_sentence_is_no_address_though_one_was_asked_for() -> None:
    assert stop_ms("sorry when will the money be back in my account", {"email"}) < 900
    assert stop_ms("anna smith", {"email"}) == Spelling.EMAIL_MS


def test_an_email_is_unfinished_until_its_domain() -> None:
    assert stop_ms("my email is anna dot smith at gmail") == Spelling.EMAIL_MS
    assert stop_ms("my email is anna dot smith at gmail dot com") == Spelling.EMAIL_DONE_MS


def test_after_um_the_caller_is_given_the_longest_time() -> None:
    assert stop_ms("i think it was um") == LONGEST_MS


def test_a_caller_who_pauses_long_is_given_their_own_pace() -> None:
    text = "i bought the lamp from"
    assert stop_ms(text, end=LEVEL, pauses=[1_300, 1_290, 1_280]) > stop_ms(text, end=LEVEL)


@given(st.lists(st.integers(20, 5_000), max_size=5), st.sampled_from(["thank you", "i want the"]))
def test_a_callers_habit_adds_a_fifth_at_most(pauses_ms: list[int], text: str) -> None:
    usual_ms = stop_ms(text)
    assert usual_ms <= stop_ms(text, pauses=pauses_ms) <= min(LONGEST_MS, usual_ms * HABIT + 1)


@given(st.text(max_size=200), st.sets(st.sampled_from(["yes_no", "email", "order_number"])))
def test_every_pause_gets_a_bounded_stop_silence(text: str, expects: set[str]) -> None:
    assert 300 <= stop_ms(text, expects) <= LONGEST_MS


def test_policies_say_which_of_them_decided() -> None:
    verdict = stop_silence(default_policies(), Pause("it's four five", frozenset()))
    assert verdict.policy == "spelled number"


def test_the_completeness_model_knows_the_end_of_a_sentence() -> None:
    model = Completeness.load()
    assert model.judge("where is my order please").finished > 0
    assert model.judge("where is my").finished < 0
    assert model.judge("") == Judged()


def test_the_completeness_model_knows_after_what_callers_go_on() -> None:
    model = Completeness.load()
    opening, request = model.judge("i am really worried"), model.judge("where is my order please")
    assert opening.goes_on > request.goes_on + 1


def voice(f0_hz: np.ndarray, level: np.ndarray) -> np.ndarray:
    """A harmonic signal with the given F0 and amplitude contours at 16 kHz."""
    phase = 2 * np.pi * np.cumsum(f0_hz) / 16000
    wave = sum(np.sin(k * phase) / k for k in range(1, 8))
    return (4000 * level * wave / 2).astype(np.int16)


def test_the_melody_of_an_ending_is_measured() -> None:
    n = 24_000
    falling = np.r_[np.full(n - 4800, 200.0), np.linspace(200, 150, 4800)]
    fading = np.r_[np.ones(n - 2400), np.linspace(1, 0.1, 2400)]
    end = phrase_end(voice(falling, fading))
    assert end.known
    assert end.fall_st < -2
    assert end.slope_st_s < -8
    assert end.fade_db < -2
    level = phrase_end(voice(np.full(n, 200.0), np.ones(n)))
    assert abs(level.fall_st) < 0.2
    assert abs(level.fade_db) < 1


@pytest.mark.parametrize(
    "samples", [np.zeros(0), np.zeros(8000), np.random.default_rng(0).normal(0, 900, 8000)]
)
def test_no_voice_has_no_melody(samples: np.ndarray) -> None:
    assert not phrase_end(samples.astype(np.int16)).known
