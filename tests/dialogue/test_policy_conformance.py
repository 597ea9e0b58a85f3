"""The policy against acceptable answers written down from its evidence, not from its code.

The table of the evidence is restated here by hand as `acceptable`; `attune decide`'s own door is
asked. Where the evidence leaves a choice, every choice it leaves is accepted.
"""

from collections.abc import Iterator
from itertools import product

import pytest

from dialogue import honesty
from dialogue.asking import Asker
from dialogue.packs.loader import load_pack
from dialogue.question import Question, read
from dialogue.types import CustomerContext

PEOPLE = [
    ("neutral", "none"),
    *product(("angry", "anxious", "sad", "happy", "surprised"), ("low", "medium", "high")),
    ("confused", "medium"),
    (None, None),
]
HISTORIES = [
    {},
    {"repeat_contacts_30d": 3, "open_case": True},
    {"repeat_contacts_30d": 1, "prior_escalation": True},
]
CONSENTS = [
    {},
    {"emotion_voice": "granted", "offers": "granted"},
    {"emotion_voice": "denied", "offers": "denied"},
]
JURISDICTIONS = ["DE", "GB", "US-CA", "US-IL", "US-WA", "US-NY", "unknown"]
MEANT = {"talk_to_human", "thanks", "goodbye"}
"""Intents that decide by themselves."""
INTENTS = {
    name: [None, *(intent for intent in load_pack(name).intents if intent not in MEANT)]
    for name in ("retail", "bank")
}


def cases(pack: str) -> Iterator[dict]:
    """Every feeling x fault x severity x history; consent, place and matter take turns."""
    everything = product(
        PEOPLE, ("ours", "theirs", "none"), ("info", "minor", "major", "critical"), HISTORIES
    )
    for number, ((emotion, intensity), fault, severity, history) in enumerate(everything):
        case = {
            "fault": fault,
            "severity": severity,
            "history": history,
            "consent": CONSENTS[number % len(CONSENTS)],
            "jurisdiction": JURISDICTIONS[number % len(JURISDICTIONS)],
            "intent": INTENTS[pack][number % len(INTENTS[pack])],
        }
        if emotion is not None:
            case |= {"emotion": {emotion: 0.85}, "intensity": intensity}
        yield {name: value for name, value in case.items() if value is not None}


CASES = {pack: list(cases(pack)) for pack in INTENTS}
EMPATHIC = {"own_fault", "apologise_event", "acknowledge", "acknowledge_effort", "condolence"}


def acceptable(case: dict) -> set[str]:
    """What the evidence's table leaves open for a case without signals or failed turns."""
    emotion = next(iter(case.get("emotion", {})), None)
    intensity = case.get("intensity")
    ours = case["fault"] == "ours"
    major = case["severity"] in ("major", "critical")
    repeats = case["history"].get("repeat_contacts_30d", 0) >= 2
    strong = intensity in ("medium", "high")
    calm = {"ACKNOWLEDGE_FIX"} if major and ours else {"DIRECT"}
    if emotion is None:
        return calm if ours or not major else {"CLARIFY", "DIRECT"}
    if emotion == "angry" and intensity == "high":
        return {"DE_ESCALATE_FIX"} if ours else {"DE_ESCALATE_OPTIONS"}
    if emotion == "angry" and intensity == "medium":
        return {"ACKNOWLEDGE_FIX", "OWN_THE_HISTORY"} if repeats else {"ACKNOWLEDGE_FIX"}
    if emotion == "angry" and repeats:
        return {"OWN_THE_HISTORY"}
    if emotion == "anxious" and strong:
        return {"REASSURE_STEPS"}
    if emotion == "sad" and strong:
        return {"SUPPORT"}
    return {"confused": {"CLARIFY"}, "happy": {"MIRROR_BRIEF"}}.get(emotion, calm)


def voice_allowed(case: dict) -> bool | None:
    """The evidence's table of jurisdictions; None where it does not say."""
    state = case["consent"].get("emotion_voice")
    if state == "denied" or case["jurisdiction"] == "US-IL":
        return False
    opt_in = case["jurisdiction"] in ("DE", "GB", "US-WA")
    if opt_in:
        return state == "granted"
    if case["jurisdiction"] == "unknown":
        return None if state == "granted" else False
    return True


@pytest.fixture(scope="module", params=list(INTENTS))
def asker(request) -> Iterator[Asker]:
    def nobody(customer: str) -> CustomerContext:
        raise AssertionError(f"no case names a customer, not even {customer}")

    def wordless(text, grants):
        raise AssertionError(f"no case holds words, not even {text!r}")

    asked = Asker(load_pack(request.param), nobody, wordless)
    yield asked
    asked.close()


@pytest.fixture(scope="module")
def answers(asker: Asker) -> list[tuple[dict, dict]]:
    return [(case, asker.ask(read(case, "case"))) for case in CASES[asker.pack.name]]


def test_there_are_enough_cases_and_each_strategy_of_a_feeling_occurs(answers) -> None:
    assert len(answers) >= 300
    assert {answer["strategy"] for _, answer in answers} == {
        "DE_ESCALATE_FIX",
        "DE_ESCALATE_OPTIONS",
        "ACKNOWLEDGE_FIX",
        "OWN_THE_HISTORY",
        "REASSURE_STEPS",
        "SUPPORT",
        "CLARIFY",
        "MIRROR_BRIEF",
        "DIRECT",
    }


def test_every_case_gets_an_acceptable_strategy(answers) -> None:
    wrong = [
        (case, answer["strategy"])
        for case, answer in answers
        if answer["strategy"] not in acceptable(case)
    ]
    assert wrong == []


def test_the_voice_counts_only_where_consent_and_place_allow_it(answers) -> None:
    wrong = [
        case
        for case, answer in answers
        if voice_allowed(case) is not None and ("G4" in answer["rules"]) == voice_allowed(case)
    ]
    assert wrong == []


def test_no_answer_breaks_a_rule_of_wording(answers) -> None:
    broken = []
    for case, answer in answers:
        reply = answer["reply"]
        clauses = answer["delivery"]["clauses"]
        empathic = [clause for clause in clauses if clause["kind"] == "empathy"]
        words = sum(honesty.count_words(clause["text"]) for clause in clauses)
        spent = sum(honesty.count_words(clause["text"]) for clause in empathic)
        emotion = next(iter(case.get("emotion", {})), None)
        faults = {
            "silence": not reply,
            "tells the caller what they feel": honesty.attributes_feeling(reply),
            "two apologies": honesty.apologies(reply) > 1,
            "over a fifth of the words": spent > 0.2 * words,
            "a word for a feeling": emotion in (None, "neutral") and honesty.names_feeling(reply),
            "apologises for what is not ours": emotion == "angry"
            and case["fault"] != "ours"
            and case["intensity"] == "high"
            and honesty.apologies(reply) > 0,
            "two empathic moves": len(EMPATHIC & set(answer["moves"])) > 1,
            "offer": answer["offer"] is not None,
            "several questions": reply.count("?") > 1,
        }
        broken += [(fault, case, reply) for fault, holds in faults.items() if holds]
    assert broken == []


def test_no_delivery_leaves_its_limits(answers) -> None:
    for case, answer in answers:
        for clause in answer["delivery"]["clauses"]:
            assert abs(clause["rate"] - 1) <= 0.15 + 1e-9, case
            assert abs(clause["pitch_st"]) <= 2, case
            assert abs(clause["level_db"]) <= 3, case


def test_an_angry_caller_is_led_down_and_a_happy_one_mirrored(answers) -> None:
    for case, answer in answers:
        spoken = answer["delivery"]
        if answer["strategy"].startswith("DE_ESCALATE"):
            assert spoken["rate"] < 1, case
            assert spoken["pitch_st"] < 0, case
            assert spoken["level_db"] < 0, case
        if answer["strategy"] == "MIRROR_BRIEF":
            assert spoken["rate"] > 1, case
            assert spoken["pitch_st"] > 0, case


@pytest.mark.parametrize("signal", ["I want to talk to a real person", "give me a human"])
@pytest.mark.parametrize("emotion", ["angry", "happy", "sad", "neutral"])
def test_whoever_asks_for_a_human_is_handed_over_whatever_they_feel(signal, emotion) -> None:
    from tests.dialogue.turns import turn

    def asks(text, grants):
        return turn(text, "talk_to_human", signals={"asks_human"})

    asked = Asker(load_pack("retail"), lambda _: CustomerContext(), asks)
    question = Question(text=signal, emotion={emotion: 0.9})
    answer = asked.ask(question)
    asked.close()
    assert answer["strategy"] == "HANDOFF"
    assert answer["rules"][-1] == "G2"
    assert answer["handoff"]["problem"]


@pytest.mark.parametrize(
    ("fields", "strategy"),
    [
        ({"failed_turns": 2}, "HANDOFF"),
        ({"failed_turns": 1, "severity": "critical"}, "HANDOFF"),
        ({"failed_turns": 1, "emotion": {"angry": 0.9}, "intensity": "high"}, "HANDOFF"),
        ({"failed_turns": 1, "history": {"prior_escalation": True}}, "HANDOFF"),
        ({"failed_turns": 1}, "DIRECT"),
        ({"conflict": "positive_words_agitated_voice", "emotion": {"happy": 0.9}}, "CLARIFY"),
        ({"conflict": True, "emotion": {"happy": 0.9}}, "CLARIFY"),
        ({"confidence": 0.2, "emotion": {"happy": 0.5}}, "CLARIFY"),
        (
            {
                "conflict": "negative_words_flat_voice",
                "emotion": {"sad": 0.9},
                "intensity": "high",
            },
            "SUPPORT",
        ),
    ],
)
def test_what_lies_across_the_feelings(asker: Asker, fields: dict, strategy: str) -> None:
    case = {"severity": "minor", "fault": "none", "emotion": {"neutral": 0.9}} | fields
    assert asker.ask(read(case, "case"))["strategy"] == strategy


def test_the_same_question_gets_the_same_answer_in_another_order(asker: Asker, answers) -> None:
    for case, answer in reversed(answers[::25]):
        assert asker.ask(read(case, "case")) == answer
