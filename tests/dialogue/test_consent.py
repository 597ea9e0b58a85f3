"""Consent: who may have what done, and that nothing else in the code can say so."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from dialogue import regulation
from dialogue.customers.consent import (
    grants_for,
    operator_grants,
    parse_consents,
    withdrawals,
)
from dialogue.types import ConsentState, CustomerContext, Purpose
from nlu.errors import AttuneError
from nlu.types import AgentAudio, CallerAudio
from tests.dialogue.consent_world import ConsentWorld

ROOT = Path(__file__).parents[2]
TABLE = regulation.load()
V = Purpose.EMOTION_VOICE
GRANTED, DENIED, UNKNOWN = ConsentState.GRANTED, ConsentState.DENIED, ConsentState.UNKNOWN


@functools.cache
def sources() -> tuple[tuple[Path, ast.Module], ...]:
    return tuple(
        (path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8")))
        for package in ("nlu", "dialogue", "voice")
        for path in sorted((ROOT / package).rglob("*.py"))
    )


def names_of(tree: ast.Module, wanted: str) -> set[str]:
    """What a module calls `wanted`, whatever it was imported as."""
    return {wanted} | {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == wanted and alias.asname
    }


def called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def calls_of(wanted: str) -> list[tuple[str, ast.Call]]:
    """Every call of `wanted` in the code base, with the file it stands in."""
    found = []
    for path, tree in sources():
        names = names_of(tree, wanted)
        found += [
            (path.as_posix(), node)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and called(node) in names
        ]
    return found


def voice_allowed(
    code: str,
    recorded: ConsentState = UNKNOWN,
    stated: ConsentState = UNKNOWN,
    **more: object,
) -> bool:
    context = CustomerContext(id="C1", jurisdiction=code, consents={V: recorded}, **more)  # type: ignore[arg-type]
    return V in grants_for(context, TABLE.row(code), {V: stated})


# --- the one door ---------------------------------------------------------------------------


def test_only_the_consent_module_makes_a_grant() -> None:
    assert {path for path, _ in calls_of("Grant")} == {"dialogue/customers/consent.py"}


def test_nothing_copies_or_forges_a_grant() -> None:
    """No `replace(grant, ...)`, no subclass, no `Grant.__new__`."""
    for path, tree in sources():
        names = names_of(tree, "Grant")
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
                assert not bases & names, path
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert not (node.value.id in names and node.attr.startswith("__")), path
            if isinstance(node, ast.Call) and called(node) == "replace" and node.args:
                assert "grant" not in ast.unparse(node.args[0]).lower(), path


# --- the agent's voice ----------------------------------------------------------------------


def test_nothing_that_estimates_or_decides_knows_the_agents_voice() -> None:
    """In `nlu` and `dialogue` the type is named where it is defined and nowhere else."""
    naming = {
        str(path)
        for path, tree in sources()
        if path.parts[0] != "voice"
        for node in ast.walk(tree)
        if (isinstance(node, ast.Name) and node.id == "AgentAudio")
        or (isinstance(node, ast.ImportFrom) and "AgentAudio" in {a.name for a in node.names})
    }
    assert naming == set()
    assert not issubclass(AgentAudio, CallerAudio) and not issubclass(CallerAudio, AgentAudio)


def test_every_estimate_from_sound_asks_for_the_callers_and_for_a_grant() -> None:
    found = 0
    for path, tree in sources():
        for node in ast.walk(tree):
            if not isinstance(node, ast.FunctionDef) or node.name != "estimate":
                continue
            takes = {
                argument.arg: ast.unparse(argument.annotation) if argument.annotation else ""
                for argument in (*node.args.args, *node.args.kwonlyargs)
            }
            if "audio" in takes:
                found += 1
                assert takes["audio"] == "CallerAudio", path
                assert takes.get("grant") == "Grant", path
    assert found >= 1


def test_no_agents_samples_are_relabelled_as_the_callers() -> None:
    for path, call in calls_of("CallerAudio"):
        given_to = " ".join(ast.unparse(argument) for argument in call.args)
        assert "agent" not in given_to.lower(), path


def test_whatever_in_nlu_takes_audio_takes_the_callers() -> None:
    found = {
        ast.unparse(argument.annotation) if argument.annotation else "nothing"
        for path, tree in sources()
        if path.parts[0] == "nlu" and "training" not in path.parts
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        for argument in (*node.args.args, *node.args.kwonlyargs)
        if argument.arg == "audio"
    }
    assert found <= {"CallerAudio", "CallerAudio | None"} and found


def test_the_acoustic_model_refuses_the_agents_voice_before_anything_else() -> None:
    acoustic = pytest.importorskip("nlu.emotion.acoustic")
    without_weights = object.__new__(acoustic.AcousticModel)
    audio = AgentAudio(np.zeros(16_000, np.float32), 16_000)
    with pytest.raises(TypeError, match="AgentAudio"):
        without_weights.estimate(audio, operator_grants([V])[V])


# --- the regimes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "unknown", "granted", "said_yes_now"),
    [
        ("DE", False, True, True),
        ("UK", False, True, True),
        ("US-CA", True, True, True),
        ("US-IL", False, False, False),
        ("US-PA", False, True, True),
        ("US-NY", True, True, True),
        ("JP", False, False, True),
        ("unknown", False, False, True),
    ],
)
def test_voice_emotion_by_jurisdiction(
    code: str, unknown: bool, granted: bool, said_yes_now: bool
) -> None:
    assert voice_allowed(code) is unknown
    assert voice_allowed(code, recorded=GRANTED) is granted
    assert voice_allowed(code, stated=GRANTED) is said_yes_now
    assert not voice_allowed(code, recorded=DENIED)
    assert not voice_allowed(code, recorded=DENIED, stated=GRANTED)
    assert not voice_allowed(code, recorded=GRANTED, stated=DENIED)


def test_illinois_asks_for_a_written_release() -> None:
    written = frozenset({V})
    assert voice_allowed("US-IL", recorded=GRANTED, written_releases=written)
    assert not voice_allowed("US-IL", recorded=DENIED, written_releases=written)


consent_maps = st.dictionaries(st.sampled_from(Purpose), st.sampled_from(ConsentState))
any_code = st.sampled_from([*TABLE.codes, "JP", "US", "??"])


@given(any_code, consent_maps, consent_maps, st.frozensets(st.sampled_from(Purpose)))
def test_a_no_anywhere_beats_every_yes(
    code: str,
    recorded: dict[Purpose, ConsentState],
    stated: dict[Purpose, ConsentState],
    withdrawn: frozenset[Purpose],
) -> None:
    context = CustomerContext(
        id="C1", consents=recorded, written_releases=frozenset(Purpose) - withdrawn
    )
    grants = grants_for(context, TABLE.row(code), stated, withdrawn)
    for purpose, grant in grants.items():
        assert Purpose(purpose) not in withdrawn
        assert DENIED not in (recorded.get(Purpose(purpose)), stated.get(Purpose(purpose)))
        assert grant.purpose == purpose and grant.basis
    less = grants_for(context, TABLE.row(code), {**stated, V: DENIED}, withdrawn)
    assert set(less) == set(grants) - {V.value}


def test_grants_are_named_by_purpose_and_cannot_be_added_to() -> None:
    grants = grants_for(CustomerContext(), TABLE.row("US-NY"))
    assert grants["emotion_words"].subject == "stranger"
    assert grants["emotion_words"].jurisdiction == "US-NY"
    with pytest.raises(TypeError):
        grants["x"] = grants["emotion_words"]  # type: ignore[index]


def test_what_a_caller_says_takes_back_what_it_is_about() -> None:
    assert withdrawals({"withdraw_voice"}) == {V}
    assert withdrawals({"forget_call"}) >= {V, Purpose.STORE_TEXT, Purpose.STORE_AUDIO}
    assert withdrawals({"thanks", "asks_human"}) == frozenset()


def test_the_operator_may_analyse_the_operators_material() -> None:
    grants = operator_grants(["emotion_voice", Purpose.STORE_TEXT])
    assert set(grants) == {"emotion_voice", "store_text"}
    assert grants["emotion_voice"].subject == "operator"
    with pytest.raises(AttuneError, match="'mind_reading': does not exist"):
        operator_grants(["mind_reading"])


# --- the command line's way of saying it ----------------------------------------------------


def test_consents_are_read_from_the_command_line() -> None:
    assert parse_consents(["emotion_voice=granted", "offers = denied"]) == {
        V: GRANTED,
        Purpose.OFFERS: DENIED,
    }
    assert parse_consents([]) == {}
    assert parse_consents(["offers=denied", "offers=denied"]) == {Purpose.OFFERS: DENIED}


@pytest.mark.parametrize(
    ("items", "says"),
    [
        (["emotion_voice"], "--consent 'emotion_voice': no '='"),
        (["voice=granted"], "Consent purpose 'voice': does not exist; use one of emotion_voice"),
        (["offers=maybe"], "--consent 'offers=maybe': 'maybe' is no state"),
        (["offers=granted", "offers=denied"], "offers was given as granted too"),
        ([""], "--consent '': no '='"),
    ],
)
def test_a_malformed_consent_is_named_exactly(items: list[str], says: str) -> None:
    with pytest.raises(AttuneError) as refusal:
        parse_consents(items)
    assert says in str(refusal.value)


# --- whole calls ----------------------------------------------------------------------------


def test_no_order_of_events_grants_what_is_not_allowed() -> None:
    """Bounded here; `benchmarks/consent_calls.py` runs 10,000 calls."""
    run_state_machine_as_test(
        ConsentWorld,
        settings=settings(max_examples=25, stateful_step_count=12, deadline=None),
    )
