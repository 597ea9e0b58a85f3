"""Every rule has a rehearsal that fails without it: the policy is mutated, rule by rule.

The words of the scenarios are performed with the dialogue alone, which takes a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dialogue import offers
from dialogue import policy as policies
from dialogue.customers import consent
from dialogue.policy import Policy
from voice.evaluation.rehearsal import reading
from voice.evaluation.rehearsal.checking import Miss, check
from voice.evaluation.rehearsal.scenario import Scenario
from voice.evaluation.rehearsal.stage import Stage
from voice.settings import Settings

POLICY = policies.load()
SHIPPED = tuple(reading.read(path) for path in reading.find([reading.ALL]))


def covering(tag: str) -> list[Scenario]:
    return [scenario for scenario in SHIPPED if tag in scenario.covers]


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    opened = Stage(Settings())
    yield opened
    opened.close()


def misses(stage: Stage, tag: str, policy: Policy | None = None) -> list[Miss]:
    return [
        miss for scenario in covering(tag) for miss in check(stage.perform_words(scenario, policy))
    ]


def without(rule: str) -> Policy:
    """The policy without a rule, and without what sends turns to it."""
    rules = tuple(
        entry.model_copy(
            update={"instead": tuple(way for way in entry.instead if way.rule != rule)}
        )
        for entry in POLICY.rules
        if entry.id != rule
    )
    gates = tuple(gate for gate in POLICY.gates if gate.id != rule)
    return POLICY.model_copy(update={"rules": rules, "gates": gates})


@pytest.mark.parametrize("scenario", SHIPPED, ids=lambda scenario: scenario.path.stem)
def test_the_dialogue_passes_every_shipped_scenario(stage: Stage, scenario: Scenario) -> None:
    assert check(stage.perform_words(scenario)) == ()


@pytest.mark.parametrize("rule", [rule.id for rule in POLICY.rules])
def test_a_rehearsal_fails_when_its_rule_is_removed(stage: Stage, rule: str) -> None:
    found = misses(stage, f"rule {rule}", without(rule))
    assert any(miss.field in ("strategy", "rules", "answered") for miss in found)


def test_a_rehearsal_fails_when_the_gate_of_the_voice_says_nothing(stage: Stage) -> None:
    assert any(miss.field == "rules" for miss in misses(stage, "rule G4", without("G4")))


def test_a_rehearsal_fails_when_everybody_is_analysed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consent, "_basis", lambda *_: "everything is allowed")
    found = misses(stage, "rule G4")
    assert {"voice_analysed", "rules"} <= {miss.field for miss in found}


@pytest.mark.parametrize("tag", ["withdrawal", "forgetting"])
def test_a_rehearsal_fails_when_a_withdrawal_is_not_heard(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, tag: str
) -> None:
    monkeypatch.setattr(consent, "_WITHDRAWN_BY_SIGNAL", {})
    assert any(miss.field == "voice_analysed" for miss in misses(stage, tag))


def test_a_rehearsal_fails_when_the_gate_of_offers_is_open(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert misses(stage, "rule G8") == []
    monkeypatch.setattr(offers, "_shut", lambda *_: None)
    assert any(miss.field == "offer" for miss in misses(stage, "rule G8"))


def test_a_rehearsal_fails_when_no_offer_is_ever_made(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(offers, "_shut", lambda *_: "never")
    assert any(miss.field == "offer" for miss in misses(stage, "rule G8"))


def test_what_is_missed_names_turn_field_and_what_came_instead(stage: Stage) -> None:
    found = misses(stage, "rule G2", without("G2"))
    assert str(next(miss for miss in found if miss.field == "strategy")).startswith(
        "turn 1: strategy: "
    )
    assert any("not HANDOFF" in miss.wrong for miss in found)
