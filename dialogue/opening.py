"""The first words of a call: what must be disclosed, and the greeting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from dialogue import delivery
from dialogue.honesty import sentences
from dialogue.packs.facts import standing_facts
from dialogue.regulation import Regulation, opening_disclosure
from dialogue.rendering import Line, Piece, Voice
from dialogue.types import CustomerContext, Decision, Reason, Reply, Strategy
from dialogue.wording import Limits, compose
from nlu.types import Grant

RULE = "opening"

_SAYS_WHAT_IT_IS = "automated assistant"


def opening(
    voice: Voice,
    context: CustomerContext,
    regulation: Regulation,
    grants: Mapping[str, Grant],
    now: datetime,
) -> Decision:
    """Disclosures first, then the greeting; its question stands last."""
    facts = standing_facts(voice.pack, context, now)
    greeting = compose([Line("greeting", "fact", voice.pack.greeting, facts)], voice, Limits())
    disclosures = opening_disclosure(regulation, grants, voice.pack.company)
    pieces = _ordered(disclosures, [piece.text for piece in greeting.pieces])
    saw = {"jurisdiction": regulation.code, "disclosures": list(disclosures)}
    return Decision(
        Strategy.DIRECT,
        ("disclosure", "greeting") if disclosures else ("greeting",),
        Reply(delivery.speak(pieces, delivery.target("neutral", 1.0))),
        reasons=(Reason(RULE, saw, True, "what must be said before anything else"),),
    )


def _ordered(disclosures: Sequence[str], greeting: Sequence[str]) -> list[Piece]:
    """The sentences in order. A greeting that says itself that it is an automated assistant holds
    the first disclosure already, and the others follow it."""
    parts = [part for text in greeting for part in sentences(text)]
    told = next((place for place, text in enumerate(parts) if _SAYS_WHAT_IT_IS in text), None)
    due = [text for text in disclosures if told is None or _SAYS_WHAT_IT_IS not in text]
    after = 0 if told is None else told + 1
    if told is not None and parts[told].endswith("?"):
        after = told
    ordered = [*parts[:after], *due, *parts[after:]]
    return [Piece(text, "fact", move="greeting") for text in ordered]
