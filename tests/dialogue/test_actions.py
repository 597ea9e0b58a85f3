"""Actions: the seeded shop, effects that happen once, relevance and ranking."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialogue.actions import Actions, effect_of, next_best_actions, relevance
from dialogue.connectors.sqlite import SqliteConnector
from dialogue.packs import load_pack
from dialogue.packs.facts import handoff_open, say_fact, standing_facts
from dialogue.types import CustomerContext, Effect
from nlu.errors import AttuneError

NOW = datetime(2026, 6, 4, 15, 0, tzinfo=UTC)
MARCUS = CustomerContext(id="C1001", name="Marcus Reed")
PRIYA = CustomerContext(id="C1003", name="Priya Nair")
STRANGER = CustomerContext()
RETAIL = load_pack("retail")


@pytest.fixture
def shop() -> Actions:
    return Actions.open(RETAIL, NOW)


def order(
    shop: Actions, number: str, context: CustomerContext, **more: object
) -> dict[str, object]:
    result = shop.read("find_order", {"order_number": number, **more}, context, NOW)
    return {**result.facts, "problem": result.problem}


def test_a_late_order_is_told_with_dates_around_the_day_of_the_call(shop: Actions) -> None:
    facts = order(shop, "44172", MARCUS)
    assert facts["order_status"] == "late"
    assert facts["item"] == "desk chair"
    assert facts["days_late"] == 6
    assert facts["promised_date"] == (NOW.date() - timedelta(days=6)).isoformat()
    assert facts["expected_date"] == (NOW.date() + timedelta(days=2)).isoformat()


def test_nobody_reads_another_customer_s_order(shop: Actions) -> None:
    assert order(shop, "44172", PRIYA)["problem"] == "unknown_order"
    assert order(shop, "44172", PRIYA, customer_id="C1001")["problem"] == "unknown_order"


def test_a_stranger_learns_the_status_but_no_address_without_the_e_mail(shop: Actions) -> None:
    unproven = order(shop, "71644", STRANGER)
    assert unproven["order_status"] == "delivered"
    assert "address" not in unproven
    assert not unproven["verified"]
    proven = order(shop, "71644", STRANGER, email="Hannah.Brooks@example.com")
    assert proven["address"] == "90 River Street"
    assert proven["verified"]


def test_a_refund_is_made_once_however_often_it_is_sent(shop: Actions) -> None:
    facts = order(shop, "55031", PRIYA)
    effect = effect_of(RETAIL, "refund_second_charge", facts, "call:2")
    first = shop.carry_out(effect, PRIYA, NOW)
    assert first.succeeded
    assert first.facts["amount"] == pytest.approx(129.90)
    assert shop.carry_out(effect, PRIYA, NOW) == first
    again = shop.carry_out(effect_of(RETAIL, "refund_second_charge", facts, "call:3"), PRIYA, NOW)
    assert (again.succeeded, again.problem) == (False, "charged_once")
    assert order(shop, "55031", PRIYA)["charge_count"] == 1


def test_an_effect_that_fails_halfway_leaves_nothing_behind(shop: Actions) -> None:
    facts = order(shop, "52710", CustomerContext(id="C1002"))
    effect = effect_of(RETAIL, "cancel_order", facts, "call:1")
    ellen = CustomerContext(id="C1002")
    assert shop.carry_out(effect, ellen, NOW).succeeded
    late = Effect("cancel_order", {"order_number": "71308"}, "call:1:other")
    assert shop.carry_out(late, ellen, NOW).problem == "already_shipped"
    assert order(shop, "71308", CustomerContext(id="C1005"))["refund_state"] == "none"


def test_two_processes_with_one_file_make_one_refund(tmp_path: Path) -> None:
    shops = [Actions.open(RETAIL, NOW, tmp_path) for _ in range(2)]
    facts = order(shops[0], "55031", PRIYA)
    effect = effect_of(RETAIL, "refund_second_charge", facts, "call:1")
    results = []
    threads = [
        threading.Thread(target=lambda one=one: results.append(one.carry_out(effect, PRIYA, NOW)))
        for one in shops * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 8
    assert all(result == results[0] and result.succeeded for result in results)
    with sqlite3.connect(tmp_path / "retail-shop.sqlite") as database:
        assert database.execute("SELECT count(*) FROM refunds").fetchone() == (1,)


def test_a_demonstration_is_seeded_afresh_on_another_day_and_kept_on_the_same(
    tmp_path: Path,
) -> None:
    shop = Actions.open(RETAIL, NOW, tmp_path)
    facts = order(shop, "55031", PRIYA)
    shop.carry_out(effect_of(RETAIL, "refund_second_charge", facts, "call:1"), PRIYA, NOW)
    shop.close()
    same_day = Actions.open(RETAIL, NOW + timedelta(hours=2), tmp_path)
    assert order(same_day, "55031", PRIYA)["charge_count"] == 1
    same_day.close()
    later = NOW + timedelta(days=30)
    assert (
        Actions.open(RETAIL, later, tmp_path)
        .read("find_order", {"order_number": "44172"}, MARCUS, later)
        .facts["days_late"]
        == 6
    )


def test_processes_that_start_together_seed_one_shop(tmp_path: Path) -> None:
    opened: list[Actions] = []
    threads = [
        threading.Thread(target=lambda: opened.append(Actions.open(RETAIL, NOW, tmp_path)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 6
    assert all(order(shop, "44172", MARCUS)["item"] == "desk chair" for shop in opened)


def test_a_reference_number_that_is_taken_gives_way_to_another(
    shop: Actions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "dialogue.connectors.sqlite.reference_of", lambda key, attempt=0: str(70_000 + attempt)
    )
    references = [
        shop.carry_out(Effect("open_complaint", {}, f"call:{turn}"), MARCUS, NOW).facts["reference"]
        for turn in range(3)
    ]
    assert references == ["70000", "70001", "70002"]
    fourth = shop.carry_out(Effect("open_complaint", {}, "call:9"), MARCUS, NOW)
    assert (fourth.succeeded, fourth.problem) == (False, "unavailable")


def test_a_locked_database_is_a_problem_and_not_a_crash(tmp_path: Path) -> None:
    script = (RETAIL.directory / "shop.sql").read_text()
    path = tmp_path / "shop.sqlite"
    shop = SqliteConnector(script, path, NOW.date(), busy_timeout_s=0.05)
    with sqlite3.connect(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        values = {"order_number": "4571", "customer_id": "C1011", "today": "2026-06-04"}
        assert shop.read(RETAIL.actions["find_order"], values).problem == "unavailable"
        effect = Effect("open_complaint", {}, "call:1:open_complaint")
        result = shop.carry_out(RETAIL.actions["open_complaint"], effect, values)
        assert (result.succeeded, result.problem) == (False, "unavailable")
        other.rollback()
    assert shop.carry_out(RETAIL.actions["open_complaint"], effect, values).succeeded


def test_a_file_of_something_else_is_refused_by_name(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "retail-shop.sqlite") as other:
        other.execute("CREATE TABLE diary (entry TEXT)")
    with pytest.raises(AttuneError, match=r"retail-shop\.sqlite.*something else"):
        Actions.open(RETAIL, NOW, tmp_path)
    (tmp_path / "noise").mkdir()
    (tmp_path / "noise" / "retail-shop.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(AttuneError, match="cannot be opened"):
        Actions.open(RETAIL, NOW, tmp_path / "noise")


def test_a_connector_that_breaks_its_promise_is_still_only_a_problem() -> None:
    class Broken:
        def read(self, *_: object) -> object:
            raise RuntimeError("boom")

        carry_out = read

        def close(self) -> None:
            pass

    shop = Actions(RETAIL, {"shop": Broken()})
    assert shop.read("find_order", {"order_number": "1"}, MARCUS, NOW).problem == "unavailable"
    effect = Effect("open_complaint", {}, "call:1:open_complaint")
    assert shop.carry_out(effect, MARCUS, NOW).problem == "unknown_result"


def test_relevance_is_three_booleans_and_names_what_is_in_the_way(shop: Actions) -> None:
    late = order(shop, "44172", MARCUS)
    fits = relevance(RETAIL, "resend_express", "where_is_my_order", late, MARCUS)
    assert fits.record() == {
        "serves_intent": True,
        "context_allows": True,
        "preconditions_held": True,
        "addressed": True,
    }
    assert not relevance(RETAIL, "resend_express", "account_access", late, MARCUS).serves_intent
    on_time = order(shop, "71308", CustomerContext(id="C1005"))
    fits = relevance(RETAIL, "resend_express", "where_is_my_order", on_time, MARCUS)
    assert (fits.preconditions_held, fits.problem) == (False, "not_late")
    fits = relevance(RETAIL, "lock_account", "fraud_worry", {}, STRANGER)
    assert (fits.context_allows, fits.problem) == (False, "needs_identified")


def test_next_best_actions_are_ranked_and_say_why(shop: Actions) -> None:
    late = order(shop, "44172", MARCUS)
    ranked = next_best_actions(RETAIL, "where_is_my_order", late, MARCUS)
    assert ranked[0].action == "resend_express"
    assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)
    assert all(one.why for one in ranked)
    after = next_best_actions(RETAIL, "where_is_my_order", late, MARCUS, ("resend_express",))
    assert "resend_express" not in {one.action for one in after}
    unknown = {
        one.action: one for one in next_best_actions(RETAIL, "where_is_my_order", {}, MARCUS)
    }
    assert "not known yet: order_number" in unknown["resend_express"].why
    assert unknown["resend_express"].score < unknown["open_complaint"].score
    assert next_best_actions(RETAIL, "something_else", {}, MARCUS) == ()


def test_people_are_there_within_the_pack_s_hours_in_its_own_time_zone() -> None:
    assert handoff_open(RETAIL, datetime(2026, 6, 4, 19, 59))
    assert not handoff_open(RETAIL, datetime(2026, 6, 4, 20, 0))
    assert not handoff_open(RETAIL, datetime(2026, 6, 7, 12, 0))
    night_in_new_york = datetime(2026, 6, 4, 8, 0, tzinfo=UTC)
    assert not standing_facts(RETAIL, MARCUS, night_in_new_york)["handoff_open"]
    assert standing_facts(RETAIL, MARCUS, NOW)["handoff_open"]


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_a_date_is_said_with_its_weekday(day: date) -> None:
    said = say_fact(day.isoformat(), "date", today=date(2026, 6, 4))
    assert said.startswith(day.strftime("%A"))
    assert str(day.day) in said
    assert (str(day.year) in said) == (abs((day - date(2026, 6, 4)).days) > 300)


@settings(max_examples=50)
@given(st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.booleans()))
def test_any_value_of_any_kind_can_be_said(value: object) -> None:
    for kind in ("text", "money", "date", "time", "code", "number", "flag"):
        assert isinstance(say_fact(value, kind, today=date(2026, 6, 4)), str)


def test_money_is_said_in_the_pack_s_currency() -> None:
    assert say_fact(49.9, "money", currency="USD") == "$49.90"
    assert say_fact(1240.5, "money", currency="GBP") == "£1,240.50"
    assert say_fact("12.00 EUR", "money", currency="USD") == "€12"
    assert say_fact(12, "money", currency="CHF") == "12 CHF"
