"""A decision as plain values: what records, the desk and `attune decide` show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from enum import Enum
from typing import Any

from dialogue.handoff import as_speech, as_text
from dialogue.types import Decision, Delivery, HandoffBrief, Reason


def plain_decision(decision: Decision) -> dict[str, Any]:
    """Everything about a decision, ready for JSON, in a fixed order."""
    return {
        "strategy": decision.strategy.value,
        "rules": list(decision.rules),
        "moves": list(decision.moves),
        "reply": decision.reply.written,
        "delivery": _delivery(decision),
        "effects": [plain(effect) for effect in decision.effects],
        "offer": plain(decision.offer),
        "handoff": plain_brief(decision.handoff),
        "reasons": [plain_reason(reason) for reason in decision.reasons],
        "next_best_actions": [plain(action) for action in decision.next_best_actions],
        "relevance": dict(decision.relevance),
        "expects": sorted(decision.expects),
        "ends_call": decision.ends_call,
    }


def plain_brief(brief: HandoffBrief | None) -> dict[str, Any] | None:
    """A brief as data, with its text and its spoken sentence."""
    if brief is None:
        return None
    return {**plain(brief), "text": as_text(brief), "spoken": as_speech(brief)}


def plain_reason(reason: Reason) -> dict[str, Any]:
    """A reason as data."""
    return {
        "rule": reason.rule,
        "fired": reason.fired,
        "saw": plain(reason.saw),
        "note": reason.note,
    }


def plain(value: Any) -> Any:
    """Dataclasses, enums, sets and mappings as JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(plain(item) for item in value)
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _delivery(decision: Decision) -> dict[str, Any]:
    """The turn's delivery, that of its first clause without a code, and every clause's own."""
    clauses = decision.reply.clauses
    base = next((clause for clause in clauses if clause.kind != "code"), None)
    chosen = (base or clauses[0]).delivery if clauses else Delivery()
    first = clauses[0].delivery.pause_before_ms if clauses else 0
    return {
        **asdict(chosen),
        "pause_before_ms": first,
        "clauses": [
            {"text": clause.text, "kind": clause.kind, **asdict(clause.delivery)}
            for clause in clauses
        ],
    }
