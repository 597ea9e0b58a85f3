"""The gate G8: when an offer may be made, which one, and how it is said."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialogue import policy as policies
from dialogue.frames import Heard
from dialogue.offers import Occasion, accepted, consider, lines, made
from dialogue.packs.loader import load_pack
from dialogue.state import CallState
from dialogue.types import Case, CustomerContext, Flags, Strategy

PACK = load_pack("retail")
POLICY = policies.load()
CUSTOMER = CustomerContext("C1", "Grace Kim", attributes={"owns": "coffee machine"})
GOOD = Occasion(
    Strategy.MIRROR_BRIEF,
    resolved=True,
    granted=True,
    reading_known=True,
    intent="thanks",
    also=("where_is_my_order",),
)
OPEN = Case("K1", "late chair", "where_is_my_order", datetime(2026, 6, 1, tzinfo=UTC), "open")
FACTS = {"attribute_owns": "coffee machine"}


def offered(occasion: Occasion = GOOD, customer: CustomerContext = CUSTOMER, facts=FACTS):
    return consider(PACK, customer, occasion, facts, POLICY)


def test_a_good_occasion_gets_the_offer_of_most_value_to_both_sides() -> None:
    considered = offered()
    assert considered.offer_id == "express_pass"
    assert considered.reason.rule == "G8"
    assert considered.reason.fired
    assert considered.reason.saw["relevance"] >= 0.5


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"resolved": False}, "nothing is resolved"),
        ({"granted": False}, "no consent"),
        ({"reading_known": False}, "feeling of this turn is not known"),
        ({"negative_turns": 1}, "negative feeling within two turns"),
        ({"offered_before": True}, "one offer a call"),
        ({"consoled": True}, "consoled"),
        ({"leaving": True}, "leaving"),
        ({"strategy": Strategy.SUPPORT}, "for the matter itself"),
        ({"strategy": Strategy.HANDOFF}, "for the matter itself"),
        ({"intent": "refund", "also": ()}, "none is relevant enough"),
    ],
)
def test_each_condition_of_the_gate_shuts_it(change, why: str) -> None:
    considered = offered(replace(GOOD, **change))
    assert considered.offer_id is None
    assert not considered.reason.fired
    assert why in considered.reason.note


def test_a_vulnerable_customer_is_never_offered_anything() -> None:
    assert offered(customer=replace(CUSTOMER, flags=Flags(vulnerable=True))).offer_id is None


def test_an_open_case_forbids_offers() -> None:
    assert offered(customer=replace(CUSTOMER, cases=(OPEN,))).offer_id is None


def test_a_refused_offer_gives_way_to_another_and_never_returns() -> None:
    once = replace(CUSTOMER, refused_offers=frozenset({"express_pass"}))
    assert offered(customer=once).offer_id == "care_kit"
    twice = replace(CUSTOMER, refused_offers=frozenset({"express_pass", "care_kit"}))
    assert offered(customer=twice).offer_id is None


def test_an_offer_for_owners_goes_to_owners_only() -> None:
    refused = replace(CUSTOMER, refused_offers=frozenset({"express_pass"}))
    assert offered(customer=refused, facts={}).offer_id is None


def test_an_offer_that_serves_one_side_alone_is_not_made() -> None:
    selfish = PACK.offers["express_pass"].model_copy(update={"value_to_customer": 0.0})
    pack = PACK.model_copy(update={"offers": {"express_pass": selfish}})
    assert consider(pack, CUSTOMER, GOOD, FACTS, POLICY).offer_id is None


def test_an_offer_that_needs_an_unknown_fact_is_not_made() -> None:
    telling = PACK.offers["express_pass"].model_copy(
        update={"why": ("Because of your {item}.",) * 3}
    )
    pack = PACK.model_copy(update={"offers": {"express_pass": telling}})
    assert consider(pack, CUSTOMER, GOOD, FACTS, POLICY).offer_id is None
    known = {**FACTS, "item": "lamp"}
    assert consider(pack, CUSTOMER, GOOD, known, POLICY).offer_id == "express_pass"


def test_it_says_what_why_and_how_to_refuse() -> None:
    said = lines(PACK.offers["care_kit"], FACTS)
    assert [line.move for line in said] == ["offer", "offer_why", "offer_refuse"]
    record = made("care_kit", [line.wordings[0] for line in said])
    assert record.id == "care_kit"
    assert record.why
    assert "no" in record.refuse.lower()


OCCASIONS = st.builds(
    Occasion,
    strategy=st.sampled_from(Strategy),
    resolved=st.booleans(),
    granted=st.booleans(),
    negative_turns=st.integers(0, 2),
    reading_known=st.booleans(),
    offered_before=st.booleans(),
    leaving=st.booleans(),
    intent=st.sampled_from(["thanks", "where_is_my_order", "complaint"]),
    also=st.just(()),
)
CUSTOMERS = st.builds(
    lambda vulnerable, has_case, refused: replace(
        CUSTOMER,
        flags=Flags(vulnerable=vulnerable),
        cases=(OPEN,) if has_case else (),
        refused_offers=frozenset(refused),
    ),
    st.booleans(),
    st.booleans(),
    st.sets(st.sampled_from(["express_pass", "care_kit"])),
)


@given(OCCASIONS, CUSTOMERS)
@settings(max_examples=500, deadline=None)
def test_no_offer_ever_slips_through(occasion: Occasion, customer: CustomerContext) -> None:
    offer = offered(occasion, customer).offer_id
    if offer is not None:
        assert occasion.resolved
        assert occasion.granted
        assert occasion.negative_turns == 0
        assert not occasion.offered_before
        assert not customer.flags.vulnerable
        assert not customer.cases
        assert offer not in customer.refused_offers


@pytest.mark.parametrize(
    ("text", "signals", "yes"),
    [
        ("yes please", {}, True),
        ("yes thanks", {"thanks"}, True),
        ("sure", {}, True),
        ("ok thanks", {"thanks"}, False),
        ("right okay thanks bye", {"thanks", "goodbye"}, False),
        ("okay and what does it cost", {}, False),
        ("no thank you", {"thanks"}, False),
    ],
)
def test_an_offer_is_taken_by_a_yes_and_not_by_politeness(text, signals, yes: bool) -> None:
    heard = Heard("something_else", text=text, signals=frozenset(signals))
    assert accepted(heard, CallState(offer_open=True)) is yes
