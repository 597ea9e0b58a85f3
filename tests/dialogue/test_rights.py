"""What a customer may ask for: everything held, and to be forgotten; and what time erases."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from dialogue import regulation
from dialogue.customers import retention, rights
from dialogue.customers.records import ConsentRecord, EffectRecord, OfferRecord, TurnWrites
from dialogue.customers.scanning import scan
from dialogue.customers.store import CustomerStore
from dialogue.types import ConsentState, Purpose
from nlu.errors import AttuneError
from tests.dialogue.customer_fixtures import NOW, all_grants, days_ago, known, open_store

PHONE, EMAIL, NAME = "+12125550101", "marcus.reed@example.com", "Marcus Reed"


@pytest.fixture
def store(tmp_path: Path) -> CustomerStore:
    store = open_store(tmp_path)
    a_full_life(store)
    return store


def a_full_life(store: CustomerStore, customer: str = "CUST-4711", name: str = NAME) -> None:
    known(
        store,
        id=customer,
        name=name,
        phones=[PHONE],
        emails=[EMAIL],
        jurisdiction="US-NY",
        attributes={"account": "0042-55188", "owns": "coffee machine"},
        cases=[
            {"id": "K1", "subject": f"chair of {name}", "opened_days_ago": 5, "promise": "call"}
        ],
        contacts=[{"days_ago": 4, "outcome": "unresolved", "summary": f"{name} called"}],
        offers=[{"days_ago": 3, "offer": "warranty", "answer": "refused"}],
    )
    said = f"{name} said yes"
    yes = ConsentRecord("yes", Purpose.OFFERS, ConsentState.GRANTED, NOW, evidence=said)
    refund = EffectRecord(f"{customer}:refund", "refund", True, NOW, {"to": name})
    turn = TurnWrites("call-1", 0, NOW, customer, "US-NY", text=f"I am {name}", summary=name)
    store.record_turn(replace(turn, records=(yes, refund)), all_grants())


def files_of(store: CustomerStore) -> bytes:
    path = store.database.path
    assert path is not None
    return b"".join(found.read_bytes() for found in sorted(path.parent.glob(f"{path.name}*")))


# --- export ---------------------------------------------------------------------------------


def test_the_export_holds_everything_and_is_json(store: CustomerStore) -> None:
    held = json.loads(json.dumps(rights.export(store, "CUST-4711", NOW)))
    assert held["name"] == NAME
    assert [item["kind"] for item in held["identifiers"]] == ["phone", "email"]
    assert held["consents"][0]["evidence"] == f"{NAME} said yes"
    assert held["cases"][0]["subject"] == f"chair of {NAME}"
    assert held["promises"][0]["text"] == "call"
    assert held["offers"][0]["answer"] == "refused"
    assert [contact["summary"] for contact in held["contacts"]] == [f"{NAME} called", NAME]
    assert held["contacts"][1]["turns"][0]["text"] == f"I am {NAME}"
    assert held["effects"][0]["facts"] == {"to": NAME}
    assert "export" in {entry["kind"] for entry in held["audit"]}


def test_every_table_that_points_to_a_customer_is_in_the_export(store: CustomerStore) -> None:
    held = rights.export(store, "CUST-4711", NOW)
    with store.database.engine.connect() as connection:
        tables = connection.execute(
            text("SELECT name FROM sqlite_master WHERE sql LIKE '%customers (pk)%'")
        ).scalars()
        assert set(tables) - {"turns"} <= set(held)


def test_an_export_of_nobody_is_refused(store: CustomerStore) -> None:
    with pytest.raises(AttuneError, match="nothing is held under this id"):
        rights.export(store, "C9")


# --- forget ---------------------------------------------------------------------------------


def test_forgetting_leaves_no_trace_in_any_file_and_the_chain_whole(store: CustomerStore) -> None:
    digest = rights.export(store, "CUST-4711")["identifiers"][0]["keyed_hash"]
    traces = [NAME, "CUST-4711", "0042-55188", digest, "call-1"]
    before = files_of(store)
    assert all(trace.encode() in before for trace in traces[:4])

    report = rights.forget(store, "CUST-4711", also=(PHONE, EMAIL))

    assert report.done and report.proof.left == 0
    assert report.erased["contacts"] == 2 and report.erased["consent_evidence"] == 1
    after = files_of(store)
    for trace in (*traces, PHONE, "2125550101", EMAIL, "Marcus"):
        assert trace.encode() not in after
    assert store.verify_audit().whole
    assert store.context("CUST-4711").id is None
    assert store.context(phone=PHONE).attributes["record"] == "none"


def test_forgetting_again_repeats_the_proof(store: CustomerStore) -> None:
    rights.forget(store, "CUST-4711")
    again = rights.forget(store, "CUST-4711", also=(PHONE,))
    assert again.done and again.erased == {}
    with pytest.raises(AttuneError, match="nothing is held"):
        rights.forget(store, "CUST-4712")


def test_the_consent_ledger_stays_but_leads_to_nobody(store: CustomerStore) -> None:
    rights.forget(store, "CUST-4711")
    with store.database.engine.connect() as connection:
        entries = connection.execute(text("SELECT count(*) FROM consents")).scalar()
        evidence = connection.execute(text("SELECT count(*) FROM consent_evidence")).scalar()
        known_as = connection.execute(
            text("SELECT count(*) FROM customers WHERE subject IN (SELECT subject FROM consents)")
        ).scalar()
    assert (entries, evidence, known_as) == (1, 0, 0)


def test_a_namesake_keeps_their_name_and_does_not_spoil_the_proof(store: CustomerStore) -> None:
    known(store, id="CUST-47110", name=NAME, phones=[PHONE], contacts=[
        {"days_ago": 1, "outcome": "resolved", "summary": f"{NAME}, {NAME} again"}
    ])  # fmt: skip
    assert rights.forget(store, "CUST-4711").done
    other = store.context("CUST-47110", now=NOW)
    assert other.name == NAME and len(other.contacts) == 1


def test_a_trace_that_nobody_else_explains_is_reported(store: CustomerStore) -> None:
    """The proof can fail: a stranger's call that names the person is found."""
    turn = TurnWrites("call-2", 0, NOW, None, text=f"Tell {NAME} I called", summary="x")
    store.record_turn(turn, all_grants())
    report = rights.forget(store, "CUST-4711")
    assert not report.done
    assert report.proof.rows["name"] == 1 and report.proof.bytes["name"] == 1
    assert rights.forget_call(store, "call-2")
    assert scan(store.database, {"name": {NAME}}).left == 0


def test_a_trace_in_the_journal_is_found(store: CustomerStore) -> None:
    """A reader that holds an old view keeps the journal from being emptied; the scan says so."""
    path = store.database.path
    assert path is not None
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("PRAGMA busy_timeout=0")
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM customers").fetchone()
    with store.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=50")
    known(store, id="CUST-4711", name="Marcus Q. Reed")
    report = rights.forget(store, "CUST-4711")
    assert report.proof.bytes["name"] + report.proof.bytes["id"] > 0
    reader.execute("ROLLBACK")
    reader.close()
    again = rights.forget(store, "CUST-4711", also=("Marcus Q. Reed",))
    assert again.done


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.sampled_from(["Ann", "Bo", "Cy"]), min_size=1, max_size=6, unique=True), st.data()
)
def test_forgetting_one_never_touches_another(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], data: st.DataObject
) -> None:
    store = open_store(tmp_path_factory.mktemp("forget"))
    for name in names:
        known(store, id=f"ID-{name}", name=f"{name} Lee", contacts=[
            {"days_ago": 1, "outcome": "resolved", "summary": f"{name} called"}
        ])  # fmt: skip
    gone = data.draw(st.sampled_from(names))
    others = {name: store.context(f"ID-{name}", now=NOW) for name in names if name != gone}
    assert rights.forget(store, f"ID-{gone}").done
    assert {name: store.context(f"ID-{name}", now=NOW) for name in others} == others
    assert f"ID-{gone}".encode() not in files_of(store)


def test_forget_this_call_erases_it_and_keeps_it_from_coming_back(store: CustomerStore) -> None:
    turn = TurnWrites("call-1", 1, NOW, "CUST-4711", "US-NY", text="more", summary="more")
    assert rights.forget_call(store, "call-1")
    no = ConsentRecord("call-1:1", Purpose.OFFERS, ConsentState.DENIED, NOW)
    store.record_turn(replace(turn, records=(no, OfferRecord("o", "x", NOW))), all_grants())
    held = rights.export(store, "CUST-4711")
    assert len(held["contacts"]) == 1 and held["effects"][0]["facts"] == {}
    assert store.context("CUST-4711").consents == {Purpose.OFFERS: ConsentState.DENIED}
    assert not rights.forget_call(store, "call-1")
    assert store.verify_audit().whole


# --- retention ------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["DE", "UK", "US-CA", "US-IL", "US-PA", "US-NY", "JP"])
def test_words_go_after_the_days_of_their_jurisdiction(tmp_path: Path, code: str) -> None:
    store = open_store(tmp_path)
    known(store, jurisdiction=code)
    days = regulation.load().row(code).transcript_retention_days
    for call, age in (("young", days - 1), ("old", days + 1)):
        turn = TurnWrites(call, 0, days_ago(age), "C1", code, text="words", summary="words")
        store.record_turn(replace(turn, emotion={"feeling": "sad"}), all_grants())
    swept = retention.sweep(store, NOW)
    assert (swept["transcripts"], swept["summaries"]) == (1, 1)
    contacts = rights.export(store, "C1", NOW)["contacts"]
    kept = {("text" in contact["turns"][0], "summary" in contact) for contact in contacts}
    assert len(contacts) == 2 and kept == {(True, True), (False, False)}
    assert sum(retention.sweep(store, NOW).values()) == 0


def test_more_than_a_batch_is_swept_and_audited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH_ROWS", 4)
    store = open_store(tmp_path)
    old = [{"days_ago": 800 + day, "outcome": "resolved"} for day in range(10)]
    known(store, contacts=old, jurisdiction="DE")
    before = store.verify_audit().entries
    assert retention.sweep(store, NOW)["contacts"] == 10
    report = store.verify_audit()
    assert report.whole and report.entries == before + 3


def test_old_calls_go_and_refusals_and_open_matters_stay(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    old = 800
    known(
        store,
        jurisdiction="US-NY",
        contacts=[{"days_ago": old, "outcome": "resolved"}],
        cases=[
            {"id": "closed", "subject": "x", "opened_days_ago": old, "closed_days_ago": old - 1},
            {"id": "open", "subject": "x", "opened_days_ago": old, "promise": "still owed"},
        ],
        offers=[
            {"days_ago": old, "offer": "a", "answer": "refused"},
            {"days_ago": old, "offer": "b"},
        ],
    )
    swept = retention.sweep(store, NOW + timedelta(days=1))
    assert (swept["contacts"], swept["cases"], swept["offers"]) == (1, 1, 1)
    context = store.context("C1", now=NOW)
    assert [case.id for case in context.cases] == ["open"]
    assert context.refused_offers == {"a"}
    assert context.patterns.unresolved_promises == ("still owed",)
