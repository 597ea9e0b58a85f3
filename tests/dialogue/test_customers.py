"""The customer store: who is calling, and what the database's faults sound like."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event

from dialogue.customers.database import SCHEMA, Database
from dialogue.customers.identifiers import IdentifierKey, normalise_email, normalise_phone
from dialogue.customers.models import Base
from dialogue.customers.patterns import IntentHistory, derive
from dialogue.customers.store import CustomerStore
from dialogue.types import ConsentState, Flags, Purpose
from nlu.errors import AttuneError
from tests.dialogue.customer_fixtures import NOW, days_ago, known, open_at_once, open_store


@pytest.fixture
def store(tmp_path: Path) -> CustomerStore:
    return open_store(tmp_path)


# --- who is calling -------------------------------------------------------------------------


def test_a_customer_is_found_by_id_with_everything_a_turn_may_know(store: CustomerStore) -> None:
    known(
        store,
        locale="en-GB",
        jurisdiction="UK",
        flags={"vulnerable": True},
        attributes={"owns": "a kettle"},
        consents=[{"purpose": "offers", "state": "granted", "days_ago": 9}],
        cases=[
            {"id": "K1", "subject": "late chair", "opened_days_ago": 5, "promise": "by Friday"},
            {"id": "K0", "subject": "old lamp", "opened_days_ago": 80, "closed_days_ago": 70},
        ],
        contacts=[
            {"days_ago": 2, "intent": "delivery", "outcome": "unresolved", "summary": "late"},
            {"days_ago": 90, "intent": "refund", "outcome": "escalated"},
        ],
        offers=[{"days_ago": 3, "offer": "warranty", "answer": "refused"}],
    )

    context = store.context("C1", now=NOW)

    assert (context.id, context.name, context.locale) == ("C1", "Marcus Reed", "en-GB")
    assert context.jurisdiction == "UK"
    assert context.flags == Flags(vulnerable=True)
    assert context.consents == {Purpose.OFFERS: ConsentState.GRANTED}
    assert [case.id for case in context.cases] == ["K1", "K0"]
    assert context.open_case is not None and context.open_case.promise == "by Friday"
    assert [contact.intent for contact in context.contacts] == ["delivery", "refund"]
    assert context.contacts[0].at == days_ago(2)
    assert context.refused_offers == {"warranty"}
    assert context.attributes == {"owns": "a kettle"}
    assert context.patterns.repeat_contacts_30d == {"delivery": 1}
    assert context.patterns.prior_escalation
    assert context.patterns.unresolved_promises == ("by Friday",)


@pytest.mark.parametrize("spelling", ["+1 212 555 0101", "(212) 555-0101", "+12125550101"])
def test_every_spelling_of_a_number_finds_its_customer(store: CustomerStore, spelling: str) -> None:
    known(store, phones=["212-555-0101"], jurisdiction="US-NY")
    assert store.context(phone=spelling).id == "C1"


def test_a_national_number_belongs_to_the_customers_country(store: CustomerStore) -> None:
    known(store, phones=["020 7946 0106"], jurisdiction="UK")
    assert store.context(phone="+442079460106").id == "C1"


@pytest.mark.parametrize("phone", [None, "", "not a number", "+12125550199"])
def test_a_caller_without_a_record_is_a_stranger_to_be_asked(
    store: CustomerStore, phone: str | None
) -> None:
    context = store.context(phone=phone)
    assert context.id is None and context.jurisdiction == "unknown"
    assert context.attributes == {"record": "none", "identification": "ask"}


def test_two_customers_on_one_number_are_a_stranger_until_identified(store: CustomerStore) -> None:
    for name in ("C1", "C2"):
        known(
            store,
            id=name,
            phones=["+12125550101"],
            contacts=[{"days_ago": 1, "outcome": "resolved"}],
        )
    shared = store.context(phone="+12125550101", now=NOW)
    assert shared.id is None and shared.name is None and shared.contacts == ()
    assert shared.attributes == {"record": "several", "identification": "ask"}
    assert store.context("C2", phone="+12125550101").id == "C2"


def test_a_long_history_is_bounded_but_counted_whole(store: CustomerStore) -> None:
    contacts = [
        {"at": (NOW - timedelta(hours=hour)).isoformat(), "intent": "refund", "outcome": "resolved"}
        for hour in range(1, 121)
    ]
    known(store, contacts=contacts)
    context = store.context("C1", now=NOW)
    assert len(context.contacts) == 50
    assert context.contacts[0].at == NOW - timedelta(hours=1)
    assert context.patterns.repeat_contacts_30d == {"refund": 120}


def test_the_context_is_one_statement_however_long_the_history(store: CustomerStore) -> None:
    contacts = [{"days_ago": day, "outcome": "resolved"} for day in range(40)]
    known(store, phones=["+12125550101"], contacts=contacts)
    statements: list[str] = []
    event.listen(
        store.database.engine,
        "before_cursor_execute",
        lambda _c, _cu, statement, *_: statements.append(statement),
    )
    store.context(phone="+12125550101", now=NOW)
    assert len([statement for statement in statements if statement != "BEGIN"]) == 1


def test_the_past_is_read_as_of_the_moment_asked_for(store: CustomerStore) -> None:
    known(store, contacts=[{"days_ago": 1, "intent": "refund", "outcome": "escalated"}])
    before = store.context("C1", now=days_ago(2))
    assert before.contacts == () and not before.patterns.prior_escalation


@given(
    st.lists(
        st.builds(
            IntentHistory,
            st.sampled_from(["refund", "delivery", "something_else"]),
            st.integers(1, 9),
            st.integers(0, 3),
            st.integers(0, 2),
        ),
        unique_by=lambda history: history.intent,
    )
)
def test_patterns_never_say_more_than_the_history(histories: list[IntentHistory]) -> None:
    patterns = derive(histories, ())
    by_intent = {history.intent: history for history in histories}
    for intent, count in patterns.repeat_contacts_30d.items():
        assert 0 < count == by_intent[intent].contacts_30d
    assert patterns.prior_escalation == any(history.escalated for history in histories)
    if patterns.usual_intent is not None:
        assert patterns.usual_intent != "something_else"
        assert by_intent[patterns.usual_intent].contacts > 1


# --- identifiers ----------------------------------------------------------------------------


def test_no_number_and_no_address_stands_in_the_database(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    known(store, phones=["+12125550101"], emails=["Marcus.Reed@Example.com"])
    store.close()
    content = (tmp_path / "customers.db").read_bytes().lower()
    assert b"marcus reed" in content
    assert b"5550101" not in content and b"example.com" not in content


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    open_store(tmp_path)
    key = tmp_path / "identifier.key"
    first = key.read_text()
    assert key.stat().st_mode & 0o777 == 0o600
    open_store(tmp_path)
    assert key.read_text() == first


def test_another_key_is_noticed_before_it_does_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(tmp_path)
    monkeypatch.setenv("ATTUNE_IDENTIFIER_KEY", "another secret of this test")
    with pytest.raises(AttuneError, match="hashed with another key"):
        open_store(tmp_path)
    monkeypatch.setenv("ATTUNE_IDENTIFIER_KEY", "short")
    with pytest.raises(AttuneError, match="shorter than 16"):
        open_store(tmp_path)


@given(st.from_regex(r"\+1212555[0-9]{4}", fullmatch=True))
def test_hashes_of_a_number_depend_on_the_key_and_not_on_the_spelling(number: str) -> None:
    key, other = IdentifierKey(b"one key"), IdentifierKey(b"another key")
    spaced = f"{number[:2]} ({number[2:5]}) {number[5:8]}-{number[8:]}"
    assert normalise_phone(spaced) == number
    assert key.digest("phone", number) != other.digest("phone", number)
    assert key.digest("phone", number) != key.digest("email", number)


@pytest.mark.parametrize("text", ["", "12", "call me", "+1 212 555 0101 0101 0101"])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="telephone number"):
        normalise_phone(text)


def test_addresses_are_one_in_any_case() -> None:
    assert normalise_email(" Ann@Example.COM ") == "ann@example.com"
    with pytest.raises(ValueError, match="not an e-mail"):
        normalise_email("ann at example.com")


# --- the schema and its faults --------------------------------------------------------------


def test_the_migrations_make_exactly_the_tables_of_the_models(store: CustomerStore) -> None:
    with store.database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []


def test_processes_that_start_together_make_the_schema_once(tmp_path: Path) -> None:
    assert open_at_once(f"sqlite:///{tmp_path / 'new.db'}", 3) == [0, 0, 0]


def test_an_older_database_is_brought_up_to_date_and_keeps_its_customers(tmp_path: Path) -> None:
    path = tmp_path / "customers.db"
    store = open_store(tmp_path)
    known(store, contacts=[{"days_ago": 1, "outcome": "resolved"}])
    store.close()
    with sqlite3.connect(path) as connection:
        connection.executescript(
            "DROP TABLE desk_sessions; DROP TABLE desk_accounts; DROP TABLE effects; "
            "DROP TABLE turns; UPDATE alembic_version SET version_num='0001'"
        )
    connection.close()
    again = open_store(tmp_path)
    assert len(again.context("C1", now=NOW).contacts) == 1
    with again.database.engine.connect() as check:
        assert compare_metadata(MigrationContext.configure(check), Base.metadata) == []


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    open_store(tmp_path).close()
    with sqlite3.connect(tmp_path / "customers.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num='9999'")
    connection.close()
    with pytest.raises(AttuneError, match=f"schema 9999 is newer than this program's {SCHEMA}"):
        open_store(tmp_path)


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "customers.db") as connection:
        connection.execute("CREATE TABLE customers (x)")
    connection.close()
    with pytest.raises(AttuneError, match="not Attune's"):
        open_store(tmp_path)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "customers.db").write_bytes(b"id,name\n" * 200)
    with pytest.raises(AttuneError, match=r"customers\.db.*no SQLite database"):
        open_store(tmp_path)


def test_a_locked_database_says_so_and_keeps_nothing(tmp_path: Path) -> None:
    store = CustomerStore.open(f"sqlite:///{tmp_path / 'customers.db'}", busy_timeout_ms=50)
    known(store)
    holder = sqlite3.connect(tmp_path / "customers.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(AttuneError, match=r"customers\.db.*held it too long"):
        known(store, id="C2")
    assert store.context("C1").id == "C1"
    holder.execute("ROLLBACK")
    assert store.context("C2").id is None
    known(store, id="C2")
    assert store.context("C2").id == "C2"


def test_a_full_database_says_so_and_keeps_what_it_had(store: CustomerStore) -> None:
    known(store)

    @event.listens_for(store.database.engine, "begin")
    def _no_more_pages(connection: object) -> None:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()  # type: ignore[attr-defined]
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")  # type: ignore[attr-defined]

    many = [{"days_ago": day, "outcome": "resolved", "summary": "x" * 900} for day in range(60)]
    with pytest.raises(AttuneError, match="disk is full"):
        known(store, id="C2", contacts=many)
    assert store.context("C1").id == "C1"
    assert store.context("C2").id is None
    assert store.verify_audit().whole


def test_a_read_only_database_can_be_read_and_says_that_it_cannot_be_written(
    tmp_path: Path,
) -> None:
    writable = open_store(tmp_path)
    known(writable)
    writable.close()
    store = CustomerStore.open(f"sqlite:///file:{tmp_path / 'customers.db'}?mode=ro&uri=true")
    assert store.context("C1").name == "Marcus Reed"
    with pytest.raises(AttuneError, match="it is read-only"):
        known(store, id="C2")


@pytest.mark.parametrize("url", ["customers.db", "mysql://root:secret@host/x", "", "sqlite"])
def test_a_url_that_is_not_understood_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(AttuneError, match="not understood") as refusal:
        Database(url)
    assert "secret" not in str(refusal.value)


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(AttuneError, match="does not answer") as refusal:
        Database("postgresql://ann:secret@127.0.0.1:1/attune")
    assert "secret" not in str(refusal.value)
