"""What calls leave behind: once, whole, and only what was allowed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError

from dialogue.customers import rights
from dialogue.customers.models import (
    AuditHeadRow,
    AuditRow,
    ConsentRow,
    ContactRow,
    EffectRow,
    TurnRow,
)
from dialogue.customers.records import (
    CaseRecord,
    ConsentRecord,
    ContactRecord,
    EffectRecord,
    OfferRecord,
    PromiseRecord,
    TurnWrites,
)
from dialogue.customers.store import CustomerStore
from dialogue.types import ConsentState, Purpose
from nlu.errors import AttuneError
from tests.dialogue import killed_writers
from tests.dialogue.customer_fixtures import NOW, all_grants, days_ago, known, open_store

TURN = TurnWrites(
    "call-1",
    0,
    NOW,
    customer_id="C1",
    jurisdiction="US-NY",
    intent="refund",
    summary="wants the money back",
    text="I want my money back.",
    emotion={"feeling": "angry"},
    outcome="unresolved",
)


@pytest.fixture
def store(tmp_path: Path) -> CustomerStore:
    store = open_store(tmp_path)
    known(store, jurisdiction="US-NY")
    return store


def count(store: CustomerStore, row: type) -> int:
    with store.database.reading() as connection:
        return connection.execute(select(func.count()).select_from(row)).scalar_one()


# --- turns ----------------------------------------------------------------------------------


def test_a_turn_becomes_the_customers_latest_contact(store: CustomerStore) -> None:
    assert store.record_turn(TURN, all_grants())
    later = replace(TURN, turn=1, intent="something_else", outcome="resolved", summary="refunded")
    assert store.record_turn(later, all_grants())
    (contact,) = store.context("C1", now=NOW).contacts
    assert (contact.intent, contact.outcome, contact.summary) == ("refund", "resolved", "refunded")
    assert contact.at == NOW


def test_a_turn_written_twice_is_there_once(store: CustomerStore) -> None:
    refund = EffectRecord("call-1:0:refund", "refund", True, NOW, {"paid": "10.00 USD"})
    turn = replace(TURN, records=(refund, OfferRecord("o1", "warranty", NOW)))
    assert store.record_turn(turn, all_grants())
    before = store.verify_audit().entries
    assert not store.record_turn(turn, all_grants())
    assert store.verify_audit().entries == before
    assert count(store, EffectRow) == count(store, TurnRow) == count(store, ContactRow) == 1
    assert store.effect("call-1:0:refund") == refund
    assert store.effect("call-1:0:replace") is None


def test_a_turn_that_fails_in_the_middle_leaves_nothing(store: CustomerStore) -> None:
    bad = ConsentRecord("k", Purpose.OFFERS, ConsentState.DENIED, NOW, channel="not a word")
    turn = replace(TURN, records=(OfferRecord("o1", "warranty", NOW), bad))
    before = store.verify_audit().entries
    with pytest.raises(AttuneError, match="channel 'not a word'"):
        store.record_turn(turn, all_grants())
    assert count(store, TurnRow) == count(store, ContactRow) == 0
    assert store.verify_audit().entries == before


@pytest.mark.parametrize(
    ("allowed", "text_kept", "emotion_kept"),
    [
        ({"store_text", "emotion_voice"}, True, True),
        ({"store_text", "emotion_words"}, True, True),
        ({"store_text"}, True, False),
        ({"emotion_voice", "emotion_words", "offers", "store_audio"}, False, False),
        (set(), False, False),
    ],
)
def test_words_and_feelings_are_kept_by_grant_only(
    store: CustomerStore, allowed: set[str], text_kept: bool, emotion_kept: bool
) -> None:
    grants = {purpose: grant for purpose, grant in all_grants().items() if purpose in allowed}
    store.record_turn(TURN, grants)
    (contact,) = rights.export(store, "C1")["contacts"]
    (turn,) = contact["turns"]
    assert ("text" in turn) == ("summary" in contact) == text_kept
    assert ("emotion" in turn) == ("emotions" in contact) == emotion_kept


def test_a_spoken_no_to_keeping_words_erases_those_of_the_call(store: CustomerStore) -> None:
    store.record_turn(TURN, all_grants())
    no = ConsentRecord("call-1:1", Purpose.STORE_TEXT, ConsentState.DENIED, NOW)
    store.record_turn(replace(TURN, turn=1, text="Forget this.", records=(no,)), {})
    (contact,) = rights.export(store, "C1")["contacts"]
    assert "summary" not in contact and "emotions" not in contact
    assert all("text" not in turn and "emotion" not in turn for turn in contact["turns"])


def test_a_stranger_who_is_identified_takes_the_call_along(store: CustomerStore) -> None:
    store.record_turn(replace(TURN, customer_id=None), all_grants())
    assert store.context("C1", now=NOW).contacts == ()
    store.record_turn(replace(TURN, turn=1), all_grants())
    assert len(store.context("C1", now=NOW).contacts) == 1
    (contact,) = rights.export(store, "C1")["contacts"]
    assert len(contact["turns"]) == 2


def test_the_call_at_hand_can_be_left_out_of_its_own_history(store: CustomerStore) -> None:
    known(store, contacts=[{"days_ago": 3, "intent": "refund", "outcome": "unresolved"}])
    store.record_turn(replace(TURN, outcome="escalated"), all_grants())
    whole = store.context("C1", now=NOW).patterns
    without = store.context("C1", now=NOW, but_call="call-1").patterns
    assert whole.repeat_contacts_30d == {"refund": 2} and whole.prior_escalation
    assert without.repeat_contacts_30d == {"refund": 1} and not without.prior_escalation


def test_a_turn_of_an_unknown_customer_is_refused(store: CustomerStore) -> None:
    with pytest.raises(AttuneError, match="Customer 'C9': not known"):
        store.record_turn(replace(TURN, customer_id="C9"), {})


def test_a_turn_after_forgetting_leaves_only_that_its_effect_was_done(
    store: CustomerStore,
) -> None:
    rights.forget(store, "C1")
    refund = EffectRecord("call-1:0:refund", "refund", True, NOW, {"to": "Marcus Reed"})
    turn = replace(TURN, records=(refund, OfferRecord("o1", "warranty", NOW)))
    assert store.record_turn(turn, all_grants())
    assert not store.record_turn(turn, all_grants())
    assert store.effect("call-1:0:refund") == replace(refund, facts={})
    assert count(store, TurnRow) == count(store, ContactRow) == 0
    assert store.context("C1").id is None


# --- single records -------------------------------------------------------------------------


def test_every_record_is_written_once_by_its_key(store: CustomerStore) -> None:
    contact = ContactRecord("call-7", days_ago(1), "refund", outcome="escalated", summary="x")
    for new in (True, False):
        assert store.record_contact("C1", contact, all_grants()) is new
        assert store.record_offer("C1", OfferRecord("o", "warranty", NOW)) is new
        assert store.open_case("C1", CaseRecord("K1", "late", "delivery", NOW)) is new
        assert store.record_promise("C1", PromiseRecord("p", "by Friday", NOW, "K1")) is new
        consent = ConsentRecord("c", Purpose.OFFERS, ConsentState.GRANTED, NOW)
        assert store.record_consent("C1", consent) is new
    context = store.context("C1", now=NOW)
    assert len(context.contacts) == len(context.cases) == 1
    assert context.patterns.unresolved_promises == ("by Friday",)
    for new in (True, False):
        assert store.keep_promise("C1", "p", NOW) is new
        assert store.close_case("C1", "K1", NOW) is new
    context = store.context("C1", now=NOW)
    assert context.open_case is None and context.patterns.unresolved_promises == ()


def test_the_first_answer_to_an_offer_stands(store: CustomerStore) -> None:
    offer = OfferRecord("o", "warranty", NOW)
    assert store.record_offer("C1", offer)
    assert store.record_offer("C1", replace(offer, answer="refused"))
    assert not store.record_offer("C1", replace(offer, answer="accepted"))
    assert store.context("C1").refused_offers == {"warranty"}


def test_two_customers_may_use_the_same_keys(store: CustomerStore) -> None:
    known(store, id="C2")
    for customer in ("C1", "C2"):
        assert store.record_offer(customer, OfferRecord("o", "warranty", NOW, "refused"))
    assert store.context("C2").refused_offers == {"warranty"}


def test_the_newest_entry_of_the_ledger_holds_whenever_it_was_written(store: CustomerStore) -> None:
    no = ConsentRecord("late", Purpose.OFFERS, ConsentState.DENIED, days_ago(1))
    old_yes = ConsentRecord("early", Purpose.OFFERS, ConsentState.GRANTED, days_ago(9))
    store.record("C1", no, old_yes)
    assert store.context("C1").consents == {Purpose.OFFERS: ConsentState.DENIED}


# --- append-only, and the chain -------------------------------------------------------------


@pytest.mark.parametrize("table", ["consents", "audit"])
@pytest.mark.parametrize("change", ["UPDATE {} SET at = 0", "DELETE FROM {}"])
def test_ledger_and_audit_refuse_any_change(store: CustomerStore, table: str, change: str) -> None:
    store.record_consent("C1", ConsentRecord("c", Purpose.OFFERS, ConsentState.DENIED, NOW))
    with (
        pytest.raises(DBAPIError, match="append-only"),
        store.database.engine.begin() as connection,
    ):
        connection.execute(text(change.format(table)))


@pytest.mark.parametrize("damage", ["changed", "cut off", "taken out", "slipped in"])
def test_whoever_gets_round_the_triggers_is_found_out(store: CustomerStore, damage: str) -> None:
    for number in range(5):
        store.record_offer("C1", OfferRecord(str(number), "warranty", NOW))
    entries = store.verify_audit().entries
    with store.database.engine.begin() as connection:
        for trigger in ("audit_no_update", "audit_no_delete"):
            connection.execute(text(f"DROP TRIGGER {trigger}"))
        match damage:
            case "changed":
                connection.execute(update(AuditRow).where(AuditRow.seq == 3).values(kind="nothing"))
            case "cut off":
                connection.execute(text(f"DELETE FROM audit WHERE seq = {entries}"))
            case "taken out":
                connection.execute(text("DELETE FROM audit WHERE seq = 3"))
            case "slipped in":
                connection.execute(
                    text(
                        f"INSERT INTO audit SELECT {entries + 1}, at, kind, subject, detail, "
                        f"previous, digest FROM audit WHERE seq = {entries}"
                    )
                )
    report = store.verify_audit()
    assert not report.whole and report.problem is not None
    with store.database.reading() as connection:
        assert connection.execute(select(AuditHeadRow.seq)).scalar_one() == entries


def test_the_audit_has_no_way_in_for_what_names_somebody(store: CustomerStore) -> None:
    action = "refund +12125550101 Marcus.Reed@example.com"
    store.record("C1", EffectRecord("k-12125550101", action, True, NOW, {"n": "12125550101"}))
    with store.database.reading() as connection:
        details = connection.execute(select(AuditRow.detail)).scalars().all()
    assert details and not any("5550101" in detail or "@" in detail for detail in details)


def test_evidence_is_bound_to_its_entry(store: CustomerStore) -> None:
    consent = ConsentRecord(
        "c", Purpose.OFFERS, ConsentState.GRANTED, NOW, "2026-1", "web", "ticked the box"
    )
    store.record_consent("C1", consent)
    assert rights.export(store, "C1")["consents"][0]["evidence_unchanged"]
    with store.database.engine.begin() as connection:
        connection.execute(text("UPDATE consent_evidence SET text = 'signed in blood'"))
    assert not rights.export(store, "C1")["consents"][0]["evidence_unchanged"]
    assert count(store, ConsentRow) == 1


# --- killed at any moment -------------------------------------------------------------------


def test_two_killed_writers_leave_every_turn_once_and_whole(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    outcome = killed_writers.run(url, turns=60, kills=12, seed=4, longest_s=0.2)
    assert (outcome.half_written, outcome.doubled, outcome.missing) == (0, 0, 0)
    assert outcome.audit_problem is None
    assert outcome.kills_while_writing > 0
