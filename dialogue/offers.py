"""Offers: the gate G8, and the words that say what, why, and how to refuse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dialogue.answers import clear_yes, yes_or_no
from dialogue.frames import Heard
from dialogue.packs.conditions import placeholders
from dialogue.packs.format import Offer, Pack, holds
from dialogue.policy import Policy
from dialogue.rendering import Line
from dialogue.state import CallState
from dialogue.types import CustomerContext, OfferMade, Reason, Strategy

GATE = "G8"

_FITTING = frozenset({Strategy.MIRROR_BRIEF, Strategy.DIRECT})
"""Strategies whose turn may carry an offer: the matter is settled and nobody is consoled."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """What the gate looks at. The defaults are the cautious ones."""

    strategy: Strategy
    resolved: bool = False
    granted: bool = False
    """A grant for personalised offers exists."""
    negative_turns: int = 0
    """Turns with a negative feeling among the last two, this one included."""
    reading_known: bool = False
    """This turn's feeling is known at all."""
    offered_before: bool = False
    """An offer was made in this call."""
    consoled: bool = False
    """Somebody who told of a loss or of hardship, or who was sad, is on the line."""
    leaving: bool = False
    """The caller says goodbye, or something is being carried out in this very turn."""
    intent: str = ""
    """The matter that has just been settled."""
    also: tuple[str, ...] = ()
    """Earlier matters of the call, and this turn's small talk."""


@dataclass(frozen=True, slots=True)
class Considered:
    """The offer to make, if any, and what the gate saw."""

    offer_id: str | None
    reason: Reason


def consider(
    pack: Pack,
    context: CustomerContext,
    occasion: Occasion,
    facts: Mapping[str, Any],
    policy: Policy,
) -> Considered:
    """The offer of most value to both sides that passes the whole gate, or why there is none."""
    shut = _shut(context, occasion)
    saw: dict[str, Any] = {
        "resolved": occasion.resolved,
        "offers": "granted" if occasion.granted else "no grant",
        "negative_turns": occasion.negative_turns,
        "open_case": context.open_case is not None,
        "vulnerable": context.flags.vulnerable,
        "offered_before": occasion.offered_before,
    }
    if shut:
        return Considered(None, Reason(GATE, saw, False, f"no offer: {shut}"))
    ranked = sorted(
        (-_worth(offer, occasion), name)
        for name, offer in pack.offers.items()
        if _eligible(name, offer, context, occasion, facts, policy)
    )
    if not ranked:
        return Considered(None, Reason(GATE, saw, False, "no offer: none is relevant enough"))
    chosen = ranked[0][1]
    offer = pack.offers[chosen]
    saw |= {
        "offer": chosen,
        "relevance": _relevance(offer, occasion),
        "value_to_customer": offer.value_to_customer,
        "value_to_business": offer.value_to_business,
    }
    return Considered(chosen, Reason(GATE, saw, True, "every condition of the gate holds"))


def lines(offer: Offer, facts: Mapping[str, Any]) -> tuple[Line, ...]:
    """What is said: the offer, why it is made, how to refuse it."""
    return (
        Line("offer", "option", _sayable(offer.say, facts), facts),
        Line("offer_why", "fact", _sayable(offer.why, facts), facts),
        Line("offer_refuse", "close", _sayable(offer.refuse, facts), facts),
    )


def _sayable(wordings: tuple[str, ...], facts: Mapping[str, Any]) -> tuple[str, ...]:
    """The wordings whose facts are all known."""
    known = frozenset(name for name, value in facts.items() if value is not None)
    return tuple(text for text in wordings if placeholders(text) <= known)


def made(id: str, texts: Sequence[str]) -> OfferMade:
    """The record of an offer from its three worded parts."""
    what, why, refuse = texts
    return OfferMade(id, what, why, refuse)


def refused(heard: Heard, state: CallState) -> bool:
    """Whether the caller says no to the offer just made."""
    return state.offer_open and ("refuses_offer" in heard.signals or yes_or_no(heard) is False)


def accepted(heard: Heard, state: CallState) -> bool:
    """Whether the caller says yes to the offer just made; "ok, thanks" is polite and no yes."""
    return state.offer_open and not refused(heard, state) and clear_yes(heard)


def _shut(context: CustomerContext, occasion: Occasion) -> str | None:
    """The first condition of the gate that does not hold."""
    conditions = (
        (occasion.resolved, "nothing is resolved yet"),
        (occasion.granted, "no consent to offers"),
        (not context.flags.vulnerable, "the customer is vulnerable"),
        (occasion.reading_known, "the feeling of this turn is not known"),
        (occasion.negative_turns == 0, "a negative feeling within two turns"),
        (not occasion.consoled, "the caller was consoled in this call"),
        (context.open_case is None, "a case is open"),
        (not occasion.offered_before, "one offer a call"),
        (not occasion.leaving, "the caller is leaving"),
        (occasion.strategy in _FITTING, "this turn is for the matter itself"),
    )
    return next((why for holds_, why in conditions if not holds_), None)


def _eligible(
    name: str,
    offer: Offer,
    context: CustomerContext,
    occasion: Occasion,
    facts: Mapping[str, Any],
    policy: Policy,
) -> bool:
    return (
        name not in context.refused_offers
        and offer.value_to_customer > 0
        and offer.value_to_business > 0
        and _relevance(offer, occasion) >= policy.thresholds.offer_relevance
        and holds(offer.when, facts)
        and all(_sayable(said, facts) for said in (offer.say, offer.why, offer.refuse))
    )


def _relevance(offer: Offer, occasion: Occasion) -> float:
    """How well an offer fits the matter, or what the call was about at all."""
    matters = (occasion.intent, *occasion.also)
    return max((offer.relevant_to.get(matter, 0.0) for matter in matters), default=0.0)


def _worth(offer: Offer, occasion: Occasion) -> float:
    """Relevance times the smaller of the two values: an offer that serves one side alone loses."""
    return _relevance(offer, occasion) * min(offer.value_to_customer, offer.value_to_business)
