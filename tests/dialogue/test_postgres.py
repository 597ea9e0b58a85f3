"""The same store on a real PostgreSQL server, started for these tests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from dialogue.customers import retention, rights
from dialogue.customers.importing import seed_demo
from dialogue.customers.models import Base
from dialogue.customers.records import ConsentRecord, EffectRecord, OfferRecord, TurnWrites
from dialogue.customers.store import CustomerStore
from dialogue.types import ConsentState, Purpose
from nlu.errors import AttuneError
from tests.dialogue import killed_writers
from tests.dialogue.customer_fixtures import (
    NOW,
    all_grants,
    days_ago,
    known,
    open_at_once,
    open_store,
)
from tests.dialogue.postgres_server import running_server

RETAIL = Path(__file__).parents[2] / "dialogue" / "packs" / "retail" / "customers.yaml"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running_server() as url:
        yield url


@pytest.fixture
def url(server: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("ATTUNE_IDENTIFIER_KEY", "the secret of these tests")
    engine = create_engine(
        server.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT"
    )
    name = f"t{abs(hash(request.node.name))}"
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return server.replace("/postgres", f"/{name}")


@pytest.fixture
def store(url: str) -> Iterator[CustomerStore]:
    store = CustomerStore.open(url)
    yield store
    store.close()


def test_the_migrations_make_exactly_the_tables_of_the_models(store: CustomerStore) -> None:
    with store.database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_processes_that_start_together_make_the_schema_once(url: str) -> None:
    assert open_at_once(url, 3) == [0, 0, 0]


def test_both_databases_give_the_same_contexts(store: CustomerStore, tmp_path: Path) -> None:
    lite = open_store(tmp_path)
    life = {
        "phones": ["+12125550101"],
        "jurisdiction": "US-NY",
        "flags": {"vip": True},
        "attributes": {"name": "Jürgen"},
        "consents": [
            {"purpose": "offers", "state": "granted", "days_ago": 9},
            {"purpose": "offers", "state": "denied", "days_ago": 2, "evidence": "on the phone"},
        ],
        "cases": [{"id": "K1", "subject": "x", "opened_days_ago": 5, "promise": "by Friday"}],
        "contacts": [
            {"days_ago": age, "intent": ("refund", "delivery")[age % 2], "outcome": outcome}
            for age, outcome in enumerate(["resolved", "escalated", "unresolved"] * 25)
        ],
        "offers": [{"days_ago": 3, "offer": "warranty", "answer": "refused"}],
    }
    for each in (store, lite):
        known(each, **life)
    assert store.context("C1", now=NOW) == lite.context("C1", now=NOW)
    assert store.context(phone="+12125550101", now=NOW) == lite.context("C1", now=NOW)
    assert store.context("C2").id is None
    known(store, id="C2", phones=["+12125550101"])
    assert store.context(phone="+12125550101").attributes["record"] == "several"


def test_a_turn_written_twice_is_there_once(store: CustomerStore) -> None:
    known(store)
    refund = EffectRecord("call-1:0:refund", "refund", True, NOW, {"paid": "10.00 USD"})
    yes = ConsentRecord("yes", Purpose.OFFERS, ConsentState.GRANTED, NOW, evidence="said yes")
    offer = OfferRecord("o", "warranty", NOW, "refused")
    turn = TurnWrites("call-1", 0, NOW, "C1", text="hello", emotion={"feeling": "sad"})
    turn = replace(turn, records=(refund, yes, offer))
    assert store.record_turn(turn, all_grants())
    entries = store.verify_audit().entries
    assert not store.record_turn(turn, all_grants())
    assert store.verify_audit().entries == entries
    assert store.effect("call-1:0:refund") == refund


@pytest.mark.parametrize("table", ["consents", "audit"])
@pytest.mark.parametrize(
    "change", ["UPDATE {} SET at = 0", "DELETE FROM {}", "TRUNCATE {} CASCADE"]
)
def test_ledger_and_audit_refuse_any_change(store: CustomerStore, table: str, change: str) -> None:
    known(store, consents=[{"purpose": "offers", "state": "denied", "days_ago": 1}])
    with (
        pytest.raises(DBAPIError, match="append-only"),
        store.database.engine.begin() as connection,
    ):
        connection.execute(text(change.format(table)))


def test_forgetting_leaves_no_trace_in_any_table(store: CustomerStore) -> None:
    contacts = [{"days_ago": 1, "outcome": "resolved", "summary": "Marcus Reed called"}]
    consents = [{"purpose": "offers", "state": "granted", "days_ago": 1, "evidence": "Marcus Reed"}]
    known(store, id="CUST-1", phones=["+12125550101"], contacts=contacts, consents=consents)
    known(store, id="CUST-2")
    assert len(rights.export(store, "CUST-1")["contacts"]) == 1
    report = rights.forget(store, "CUST-1", also=("+12125550101",))
    assert report.done and report.erased["contacts"] == 1
    assert store.verify_audit().whole
    assert store.context("CUST-2").name == "Marcus Reed"
    with pytest.raises(AttuneError, match="nothing is held"):
        rights.export(store, "CUST-1")


def test_retention_and_import_work_as_on_sqlite(store: CustomerStore) -> None:
    if RETAIL.exists():
        assert seed_demo(store, RETAIL, NOW).created == seed_demo(store, RETAIL, NOW).unchanged
    known(store, jurisdiction="DE")
    turn = TurnWrites("old", 0, days_ago(31), "C1", "DE", text="words", summary="words")
    store.record_turn(turn, all_grants())
    swept = retention.sweep(store, NOW)
    assert swept["transcripts"] == 1
    assert rights.export(store, "C1")["contacts"][0].get("summary") is None


def test_two_killed_writers_leave_every_turn_once_and_whole(url: str) -> None:
    outcome = killed_writers.run(url, turns=40, kills=6, seed=5, longest_s=0.3)
    assert (outcome.half_written, outcome.doubled, outcome.missing) == (0, 0, 0)
    assert outcome.audit_problem is None


def test_a_wrong_database_name_is_told_in_one_sentence(server: str) -> None:
    with pytest.raises(AttuneError, match="database itself is missing"):
        CustomerStore.open(server.replace("/postgres", "/nowhere"))
