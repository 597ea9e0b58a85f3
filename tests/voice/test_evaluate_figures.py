"""Figures of calls and of their references."""

import jiwer
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.evaluation.judging import CallerTurn, attention, differences, outcome, promises
from voice.evaluation.references import Compared, Felt, figures, normalise, word_errors
from voice.evaluation.talk import Span, interruptions, response_gaps_ms
from voice.evaluation.talk import figures as talk_figures

WORDS = st.lists(st.sampled_from("the order is late where my refund".split()), max_size=12)


def spans_of(party: str) -> st.SearchStrategy[list[Span]]:
    """Turns of one party that do not overlap each other."""
    steps = st.lists(st.tuples(st.integers(0, 4_000), st.integers(20, 5_000)), max_size=6)

    def build(pairs: list[tuple[int, int]]) -> list[Span]:
        found, at = [], 0
        for gap, length in pairs:
            found.append(Span(party, at + gap, at + gap + length, length, length // 400))
            at += gap + length + 1
        return found

    return steps.map(build)


@given(WORDS, WORDS)
def test_word_errors_agree_with_jiwer(reference: list[str], heard: list[str]) -> None:
    expected = len(heard)
    if reference:
        counted = jiwer.process_words(" ".join(reference), " ".join(heard))
        expected = counted.substitutions + counted.deletions + counted.insertions

    assert word_errors(reference, heard) == expected


def test_words_are_counted_as_they_are_spoken() -> None:
    assert normalise("Order 44172, it’s LATE – café!") == (
        "order four four one seven two it's late cafe".split()
    )


@settings(max_examples=60)
@given(spans_of("caller"), spans_of("agent"))
def test_silence_is_what_nobody_speaks_in(caller: list[Span], agent: list[Span]) -> None:
    spans = [*caller, *agent]
    duration = max([span.end_ms for span in spans], default=0) + 500
    timeline = np.zeros(duration, dtype=bool)
    for span in spans:
        timeline[span.start_ms : span.end_ms] = True

    found = talk_figures(spans, duration)

    assert found["NonTalkTime"]["TotalTimeMillis"] == int((~timeline).sum())


@settings(max_examples=60)
@given(spans_of("caller"), spans_of("agent"))
def test_an_interruption_begins_in_the_others_turn(caller: list[Span], agent: list[Span]) -> None:
    expected = {
        (mine.party, mine.start_ms)
        for mine in [*caller, *agent]
        for other in (agent if mine.party == "caller" else caller)
        if other.start_ms < mine.start_ms and min(mine.end_ms, other.end_ms) - mine.start_ms >= 300
    }

    found = {(each.by, each.start_ms) for each in interruptions([*caller, *agent])}

    assert found == expected


def test_a_hum_while_the_other_speaks_is_listening() -> None:
    agent = Span("agent", 0, 5_000, 5_000, 12)
    hum = Span("caller", 2_000, 2_600, 600, 1, backchannel=True)

    assert interruptions([agent, hum]) == []


def test_a_gap_is_the_callers_wait_and_negative_where_the_agent_cut_in() -> None:
    spans = [
        Span("caller", 0, 1_000, 900, 3),
        Span("agent", 1_700, 3_000, 1_200, 4),
        Span("caller", 3_500, 6_000, 2_000, 8),
        Span("agent", 5_600, 7_000, 1_000, 5),
    ]

    assert response_gaps_ms(spans) == [700, -400]


@pytest.mark.parametrize(
    ("said", "promised"),
    [
        ("I'll send it again today.", ["I'll send it again today"]),
        ("we will call you tomorrow", ["we will call you tomorrow"]),
        ("You will receive it within three days.", ["You will receive it within three days"]),
        ("I will not be able to help", []),
        ("Can you tell me the order number?", []),
    ],
)
def test_promises_are_found_as_they_were_said(said: str, promised: list[str]) -> None:
    assert promises(said) == promised


def test_the_humans_answer_is_held_against_what_attune_would_have_said() -> None:
    moves = ("apologise_event", "answer", "question")

    assert differences(moves, "i am sorry could you tell me the number") == []
    assert differences(moves, "that was the carrier") == ["no apology", "no question"]
    assert "named the caller's feeling" in differences((), "you sound upset")


def turn(emotion: str | None, valence: float = 0.0, **told: object) -> CallerTurn:
    fields = {"intent": "refund", "severity": "minor", "signals": frozenset(), "strategy": "DIRECT"}
    return CallerTurn(**(fields | told), emotion=emotion, intensity="medium", valence=valence)


def test_an_outcome_is_stated_or_estimated_and_says_which() -> None:
    thanks = turn("happy", signals=frozenset({"thanks"}))

    assert outcome([thanks], "unresolved")["basis"] == "stated"
    assert outcome([turn("angry"), thanks], None)["value"] == "resolved"
    assert outcome([thanks, turn("angry")], None)["value"] == "unresolved"
    assert outcome([turn(None, intent="talk_to_human")], None)["value"] == "escalated"
    assert outcome([], None)["value"] == "no_speech"


def test_danger_comes_before_anger_and_anger_before_calm() -> None:
    danger = attention([turn("sad", signals=frozenset({"self_harm"}))], "unknown", 0, 0.1)
    angry = attention([turn("neutral"), turn("angry", -0.6)], "unresolved", 0, 0.1)
    calm = attention([turn("neutral")], "resolved", 0, 0.1)

    assert danger["score"] > angry["score"] > calm["score"] == 0
    assert sum(reason["points"] for reason in angry["reasons"]) == angry["score"]


def compared(*pairs: tuple[str, str | None]) -> Compared:
    return Compared(1, 10, tuple(Felt(truth, said, 0.8) for truth, said in pairs), (True, False))


def test_figures_carry_n_and_an_interval_and_are_repeatable() -> None:
    calls = [
        compared(("angry", "angry"), ("neutral", "angry")),
        compared(("angry", None), ("neutral", "neutral")),
        compared(("neutral", "neutral")),
    ]

    found = figures(calls)

    assert found == figures(calls)
    assert found["word_error_rate"]["value"] == pytest.approx(0.1)
    emotion = found["emotion"]
    # angry: 1 of 2 (an abstention is not recognised), neutral: 2 of 3.
    assert emotion["unweighted_average_recall"]["value"] == pytest.approx(
        (1 / 2 + 2 / 3) / 2, abs=1e-3
    )
    low, high = emotion["unweighted_average_recall"]["interval_95"]
    assert low <= emotion["unweighted_average_recall"]["value"] <= high
    assert emotion["confusion"]["angry"] == {
        **dict.fromkeys(emotion["confusion"]["angry"], 0),
        "angry": 1,
        "abstained": 1,
    }
    assert emotion["coverage"] == pytest.approx(0.8)


def test_without_references_there_are_no_figures() -> None:
    assert figures([]) == {}
