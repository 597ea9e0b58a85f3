"""The brief: everything the human needs, nothing that was guessed."""

from dataclasses import replace
from datetime import UTC, datetime

from dialogue.handoff import Course, as_speech, as_text, brief, quotes
from dialogue.packs.loader import load_pack
from dialogue.types import (
    Case,
    CustomerContext,
    Flags,
    NextBestAction,
    Patterns,
    Severity,
)
from nlu.types import Grant

PACK = load_pack("retail")
CASE = Case(
    "K1", "late chair", "where_is_my_order", datetime(2026, 6, 1, tzinfo=UTC), "open",
    promise="delivery by last Friday",
)  # fmt: skip
CUSTOMER = CustomerContext(
    "C1001", "Marcus Reed", cases=(CASE,), patterns=Patterns(unresolved_promises=("a call back",))
)
COURSE = Course(
    rule="G5",
    why="too many failed turns",
    intent="where_is_my_order",
    facts={
        "order_number": "44172",
        "item": "desk chair",
        "promised_date": "2026-05-28",
        "order_total": 189.0,
        "company": "Hollis Home",
        "today": "2026-06-03",
    },
    claimed={"delivery_date": "2026-06-09"},
    tried=("send the desk chair again by express (did not work: unavailable)",),
    said=(
        "My order is late. This is the third time I am calling.",
        "I waited at home for two days, that is ridiculous. Order 44172.",
    ),
    suggestions=(NextBestAction("refund_order", 0.9, "serves your order"),),
    grants={"offers": Grant("offers", "C1001", "US-NY", "consent on record")},
)


def test_the_brief_holds_all_that_the_evidence_asks_for() -> None:
    made = brief(COURSE, CUSTOMER, PACK)
    assert made.reason == "G5: too many failed turns"
    assert made.intent == "where_is_my_order"
    assert "your order" in made.problem
    assert "two days" in made.problem
    assert made.tried == COURSE.tried
    assert made.facts["order_total"] == "$189"
    assert made.facts["promised_date"] == "Thursday, May 28"
    assert made.promises == ("a call back", "delivery by last Friday")
    assert made.next_step == "refund $189 for the desk chair"
    assert made.why == "serves your order"
    assert made.consents["offers"] == "granted"
    assert made.consents["emotion_voice"] == "not granted"


def test_what_the_caller_only_said_is_marked_as_said() -> None:
    assert brief(COURSE, CUSTOMER, PACK).facts["said: delivery_date"] == "2026-06-09"


def test_the_assistants_own_plumbing_is_not_in_the_brief() -> None:
    assert not {"company", "today"} & set(brief(COURSE, CUSTOMER, PACK).facts)


def test_feelings_are_quoted_never_inferred() -> None:
    made = brief(COURSE, CUSTOMER, PACK)
    said = " ".join(COURSE.said)
    assert made.quotes
    assert all(quote in said for quote in made.quotes)
    assert "angry" not in as_text(made)
    calm = replace(COURSE, said=("Where is my order?", "It is order 44172."))
    assert brief(calm, CUSTOMER, PACK).quotes == ()


def test_at_most_three_quotes_the_latest_ones() -> None:
    said = [f"I am so upset about thing {number}." for number in range(6)]
    assert quotes(said) == tuple(said[-3:])


def test_the_text_has_a_line_for_each_part_and_none_for_what_is_missing() -> None:
    text = as_text(brief(COURSE, CUSTOMER, PACK))
    heads = [line.partition(":")[0] for line in text.splitlines()]
    assert heads == [
        "Why you", "About", "Tried", "Known", "In their words", "Promised", "Next", "Allowed",
    ]  # fmt: skip
    bare = as_text(brief(Course("G2", "asks for a human", "refund"), CustomerContext(), PACK))
    assert [line.partition(":")[0] for line in bare.splitlines()] == ["Why you", "About", "Next"]


def test_the_spoken_brief_is_one_sentence() -> None:
    spoken = as_speech(brief(COURSE, CUSTOMER, PACK))
    assert spoken.endswith(".")
    assert "\n" not in spoken
    assert "refund $189" in spoken


def test_danger_comes_before_the_matter() -> None:
    made = brief(replace(COURSE, rule="G1", danger=True), CUSTOMER, PACK)
    assert made.priority == "urgent"
    assert made.problem == "The caller may be in danger"
    assert "emergency" in made.next_step


def test_vip_and_critical_change_the_routing_only() -> None:
    vip = replace(CUSTOMER, flags=Flags(vip=True))
    plain, routed = brief(COURSE, CUSTOMER, PACK), brief(COURSE, vip, PACK)
    assert routed.priority == "vip"
    assert replace(routed, priority="normal") == plain
    critical = replace(COURSE, severity=Severity.CRITICAL)
    assert brief(critical, vip, PACK).priority == "urgent"


def test_an_action_that_lacks_a_fact_is_still_readable() -> None:
    short = replace(COURSE, facts={"item": "desk chair"})
    assert brief(short, CUSTOMER, PACK).next_step == "refund the order total for the desk chair"


def test_a_matter_nobody_knows_has_a_brief_too() -> None:
    made = brief(Course("G2", "asks for a human", "something_else"), CustomerContext(), PACK)
    assert made.problem == "What the caller wants is not clear"
    assert made.next_step
