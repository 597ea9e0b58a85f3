"""The policy: a table with at least one case for every rule, and what must always hold."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dialogue import policy as policies
from dialogue.strategy import Choice, Situation, choose
from dialogue.types import Fault, Flags, Severity, Strategy
from nlu.errors import AttuneError
from nlu.types import ConflictKind, Emotion, Intensity
from tests.dialogue.turns import feeling

POLICY = policies.load()


def situation(emotion=None, intensity="none", confidence=0.8, **more) -> Situation:
    return Situation(estimate=feeling(emotion, intensity, confidence), voice_allowed=True, **more)


def decided(case: Situation) -> Choice:
    return choose(case, POLICY)


OURS = {"fault": Fault.OURS}
TABLE = [
    # rule, strategy, situation
    ("G1", "SAFETY", situation("sad", "high", signals=frozenset({"self_harm"}))),
    ("G1", "SAFETY", situation("angry", "high", signals=frozenset({"threat"}), **OURS)),
    ("G1", "SAFETY", situation(None, signals=frozenset({"medical_danger", "asks_human"}))),
    ("G2", "HANDOFF", situation("happy", "high", signals=frozenset({"asks_human"}))),
    ("G2", "HANDOFF", situation("angry", "high", asks_human=True, **OURS)),
    ("G2", "HANDOFF", situation("angry", "high", signals=frozenset({"asks_human", "abuse"}))),
    ("G3", "BOUNDARY", situation("angry", "high", signals=frozenset({"abuse"}), **OURS)),
    ("G5", "HANDOFF", situation("neutral", failed_turns=2)),
    ("G5", "HANDOFF", situation("neutral", failed_turns=1, severity=Severity.CRITICAL)),
    ("G5", "HANDOFF", situation("angry", "high", failed_turns=1)),
    ("G5", "HANDOFF", situation("neutral", failed_turns=1, prior_escalation=True)),
    ("G5", "HANDOFF", situation("happy", "low", needs_human=True)),
    ("1", "DE_ESCALATE_FIX", situation("angry", "high", **OURS)),
    ("1", "DE_ESCALATE_FIX", situation("angry", "high", repeat_contacts=4, **OURS)),
    ("2", "DE_ESCALATE_OPTIONS", situation("angry", "high", fault=Fault.THEIRS)),
    ("2", "DE_ESCALATE_OPTIONS", situation("angry", "high", fault=Fault.NONE)),
    ("3", "ACKNOWLEDGE_FIX", situation("angry", "medium")),
    ("3", "ACKNOWLEDGE_FIX", situation("angry", "medium", repeat_contacts=3)),
    ("4", "OWN_THE_HISTORY", situation("angry", "low", repeat_contacts=2)),
    ("5", "REASSURE_STEPS", situation("anxious", "medium")),
    ("5", "REASSURE_STEPS", situation("anxious", "high", severity=Severity.CRITICAL, **OURS)),
    ("6", "SUPPORT", situation("sad", "medium")),
    ("6", "SUPPORT", situation("sad", "high", gratitude=True)),
    ("7", "CLARIFY", situation("confused", "medium")),
    ("7", "CLARIFY", situation("angry", "high", confidence=0.2, **OURS)),
    ("7", "CLARIFY", situation("happy", "high", conflict=ConflictKind.OTHER)),
    (
        "7",
        "CLARIFY",
        situation(
            "happy",
            "high",
            conflict=ConflictKind.POSITIVE_WORDS_AGITATED_VOICE,
            repeat_contacts=3,
        ),
    ),
    ("7", "CLARIFY", situation("neutral", conflict=ConflictKind.NEUTRAL_WORDS_AGITATED_VOICE)),
    ("7", "CLARIFY", situation("neutral", understood=False)),
    ("8", "MIRROR_BRIEF", situation("happy", "low")),
    ("8", "MIRROR_BRIEF", situation("neutral", gratitude=True)),
    ("8", "MIRROR_BRIEF", situation(None, gratitude=True)),
    ("9", "DIRECT", situation("neutral")),
    ("9", "DIRECT", situation("neutral", severity=Severity.MAJOR)),
    ("9", "DIRECT", situation("surprised", "high")),
    ("9", "DIRECT", situation("angry", "low", **OURS)),
    ("9", "DIRECT", situation("sad", "low")),
    ("10", "ACKNOWLEDGE_FIX", situation("neutral", severity=Severity.MAJOR, **OURS)),
    ("10", "ACKNOWLEDGE_FIX", situation("anxious", "low", severity=Severity.CRITICAL, **OURS)),
]


@pytest.mark.parametrize(("rule", "strategy", "case"), TABLE)
def test_each_rule_of_the_table(rule: str, strategy: str, case: Situation) -> None:
    choice = decided(case)
    assert (choice.rule, choice.strategy) == (rule, Strategy(strategy))
    assert [reason.rule for reason in choice.reasons if reason.fired] == [rule]


@pytest.mark.parametrize(
    ("case", "instead", "strategy"),
    [
        (situation(None), "9", "DIRECT"),
        (situation(None, severity=Severity.INFO, **OURS), "9", "DIRECT"),
        (situation(None, severity=Severity.MAJOR, **OURS), "10", "ACKNOWLEDGE_FIX"),
        (situation(None, severity=Severity.CRITICAL, **OURS), "10", "ACKNOWLEDGE_FIX"),
        (situation(None, severity=Severity.MAJOR), "7", "CLARIFY"),
        (situation(None, understood=False), "7", "CLARIFY"),
    ],
)
def test_an_abstained_estimate_is_decided_by_severity(case, instead, strategy) -> None:
    choice = decided(case)
    assert choice.strategy == strategy
    assert [reason.rule for reason in choice.reasons if reason.fired] == ["11", instead]


def test_every_rule_of_the_policy_has_a_case() -> None:
    assert {rule for rule, _, _ in TABLE} | {"11"} == {rule.id for rule in POLICY.rules}


def test_the_ids_are_those_of_the_written_policy_in_its_order() -> None:
    assert [rule.id for rule in POLICY.rules] == [
        "G1", "G2", "G3", "G5", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11",
    ]  # fmt: skip
    assert [gate.id for gate in POLICY.gates] == ["G4", "G8"]


def test_without_a_grant_for_the_voice_the_gate_is_recorded_and_chooses_nothing() -> None:
    with_voice = decided(situation("angry", "high", **OURS))
    without = decided(replace(situation("angry", "high", **OURS), voice_allowed=False))
    assert without.strategy == with_voice.strategy
    assert [r.rule for r in without.reasons if r.fired] == ["G4", "1"]
    assert without.reasons[0].saw["emotion_voice"] == "no grant"


def test_every_decision_says_what_it_saw_and_why_the_runner_up_lost() -> None:
    choice = decided(situation("angry", "medium", repeat_contacts=3))
    fired, lost = choice.reasons
    assert fired.saw == {
        "feeling": "angry", "sure": True, "intensity": "medium", "confidence": 0.8,
    }  # fmt: skip
    assert (lost.rule, lost.fired) == ("4", False)
    assert "3 comes first" in lost.note


def test_the_second_abuse_is_answered_by_closing() -> None:
    abuse = situation("angry", "high", signals=frozenset({"abuse"}))
    first, second = decided(abuse), decided(replace(abuse, abuse_before=1))
    assert first.moves == ("boundary",)
    assert second.moves == ("boundary_last",)
    assert second.again


def test_history_is_shown_where_the_caller_has_one() -> None:
    assert "own_history" in decided(situation("angry", "medium", repeat_contacts=2)).moves
    assert "own_history" not in decided(situation("angry", "medium", repeat_contacts=1)).moves
    assert "own_history" in decided(situation("neutral", repeat_contacts=2)).moves


def test_an_agitated_voice_with_neutral_words_gets_its_effort_acknowledged() -> None:
    kind = ConflictKind.NEUTRAL_WORDS_AGITATED_VOICE
    assert "acknowledge_effort" in decided(situation("neutral", conflict=kind)).moves


@pytest.mark.parametrize(
    ("failed", "escalated", "severity", "hands_off"),
    [
        (0, True, "critical", False),
        (1, False, "minor", False),
        (1, True, "minor", True),
        (1, False, "critical", True),
        (2, False, "minor", True),
    ],
)
def test_how_many_failed_turns_call_for_a_human(failed, escalated, severity, hands_off) -> None:
    case = situation(
        "neutral", failed_turns=failed, prior_escalation=escalated, severity=Severity(severity)
    )
    assert decided(case).handoff == hands_off


def test_the_budget_decays_with_the_same_feeling_and_halves_for_the_brief() -> None:
    angry = situation("angry", "medium")
    factors = [decided(replace(angry, turns_with_feeling=n)).empathy_factor for n in (1, 2, 3, 9)]
    assert factors == [1.0, 0.5, 0.0, 0.0]
    brief = replace(angry, flags=Flags(prefers_brief=True))
    assert decided(brief).empathy_factor == 0.5


def test_a_vip_is_treated_like_everybody_else() -> None:
    plain = situation("angry", "high", **OURS)
    vip = replace(plain, flags=Flags(vip=True))
    assert replace(decided(vip), reasons=()) == replace(decided(plain), reasons=())


# --- what holds for every situation ----

SITUATIONS = st.builds(
    Situation,
    estimate=st.builds(
        feeling,
        st.none() | st.sampled_from(Emotion),
        st.sampled_from(Intensity),
        st.floats(0, 1),
    ),
    conflict=st.none() | st.sampled_from(ConflictKind),
    signals=st.frozensets(
        st.sampled_from(
            ["asks_human", "self_harm", "threat", "medical_danger", "abuse", "thanks", "goodbye"]
        ),
        max_size=3,
    ),
    asks_human=st.booleans(),
    gratitude=st.booleans(),
    understood=st.booleans(),
    severity=st.sampled_from(Severity),
    fault=st.sampled_from(Fault),
    repeat_contacts=st.integers(0, 5),
    prior_escalation=st.booleans(),
    failed_turns=st.integers(0, 4),
    needs_human=st.booleans(),
    abuse_before=st.integers(0, 3),
    turns_with_feeling=st.integers(1, 6),
    flags=st.builds(Flags, st.booleans(), st.booleans(), st.booleans()),
    voice_allowed=st.booleans(),
)


@given(SITUATIONS)
@settings(max_examples=600, deadline=None)
def test_every_situation_gets_exactly_one_strategy_and_always_the_same(case: Situation) -> None:
    choice = decided(case)
    assert choice == decided(case)
    assert choice.moves
    deciding = [r for r in choice.reasons if r.fired and r.rule not in ("G4", "11")]
    assert len(deciding) == 1
    assert any(not reason.fired for reason in choice.reasons)
    assert ("G4" in {r.rule for r in choice.reasons}) == (not case.voice_allowed)


@given(SITUATIONS)
@settings(max_examples=400, deadline=None)
def test_who_asks_for_a_human_gets_one(case: Situation) -> None:
    choice = decided(replace(case, asks_human=True))
    assert choice.handoff


@given(SITUATIONS)
@settings(max_examples=400, deadline=None)
def test_nobody_is_consoled_or_celebrated_on_a_guess(case: Situation) -> None:
    choice = decided(case)
    about_feeling = {"1", "2", "3", "4", "5", "6"}
    if case.estimate.abstained is not None or case.estimate.top is Emotion.NEUTRAL:
        assert choice.rule not in about_feeling
    if case.estimate.abstained is None and case.estimate.confidence < 0.4:
        assert choice.rule not in about_feeling | {"8"} or case.gratitude
    if case.conflict is ConflictKind.POSITIVE_WORDS_AGITATED_VOICE and not case.gratitude:
        assert choice.strategy is not Strategy.MIRROR_BRIEF


# --- the file ----


def broken(tmp_path: Path, change) -> Path:
    data = yaml.safe_load(policies.SHIPPED.read_text(encoding="utf-8"))
    change(data)
    path = tmp_path / "strategies.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda d: d["rules"].insert(4, {**d["rules"][4], "id": "1b"}), "can never fire"),
        (lambda d: d["rules"].append({**d["rules"][0]}), "is there twice"),
        (lambda d: d["rules"][4]["when"].update(feeling="cross"), "feeling cannot be 'cross'"),
        (lambda d: d["rules"][4]["when"].update(weather="bad"), "'weather' is no field"),
        (lambda d: d["rules"][4]["moves"].append("sing"), "move 'sing' is not listed"),
        (lambda d: d["rules"][4].update(strategy="SHOUT"), "rules.4.strategy"),
        (lambda d: d["rules"][7]["when"].update(repeat_contacts=2), "takes {at_least: NUMBER}"),
        (lambda d: d["empathy"].update(share_of_words=0.5), "empathy.share_of_words"),
        (lambda d: d["rules"][-1]["instead"][0].update(rule="99"), "rule 99, which is missing"),
    ],
)
def test_a_policy_with_a_mistake_is_refused_by_name(tmp_path: Path, change, says: str) -> None:
    path = broken(tmp_path, change)
    with pytest.raises(AttuneError) as refused:
        policies.read(path)
    assert str(path) in str(refused.value)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_rule_that_every_way_in_is_covered_by_two_others_is_not_mistaken_for_reachable() -> None:
    """`shadowed` compares alternatives one by one: it finds a rule whose two ways in are each
    covered by a different earlier rule."""
    rule = POLICY.rule("2")
    narrow = rule.model_copy(update={"id": "x", "when": {}, "any_of": (
        {"feeling": "angry", "sure": True, "intensity": "high", "fault": "ours"},
        {"feeling": "angry", "sure": True, "intensity": "medium"},
    )})  # fmt: skip
    rules = (POLICY.rule("1"), POLICY.rule("3"), narrow)
    assert list(policies.shadowed(rules)) == [("x", "1")]
