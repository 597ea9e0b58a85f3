"""What can be written down about a customer, as plain values.

`key` and `call_id` name a fact once and for all: a process that was killed and tries again writes
the same key, and the fact is there once. Free text must have been redacted before it gets here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from dialogue.types import ConsentState, Purpose
from nlu.types import OTHER_INTENT

Outcome = Literal["resolved", "unresolved", "escalated", "abandoned"]
Answer = Literal["", "accepted", "refused"]


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """A yes or no for one purpose: when, to which wording, through which channel, on what
    evidence. The channel `written` marks a signed release."""

    key: str
    purpose: Purpose
    state: ConsentState
    at: datetime
    wording_version: str = "1"
    channel: str = "voice"
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class ContactRecord:
    """One call as it ended; `key` is the call's id. `emotions` is its course, turn by turn."""

    key: str
    at: datetime
    intent: str = OTHER_INTENT
    channel: str = "phone"
    outcome: Outcome = "unresolved"
    summary: str = ""
    emotions: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """A matter, open until `closed_at`."""

    id: str
    subject: str
    intent: str
    opened_at: datetime
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PromiseRecord:
    """Something promised, open until `kept_at`."""

    key: str
    text: str
    made_at: datetime
    case_id: str = ""
    kept_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OfferRecord:
    """An offer made, and the answer where there was one (the first answer stands)."""

    key: str
    offer: str
    shown_at: datetime
    answer: Answer = ""
    answered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EffectRecord:
    """A change made in the world under its idempotency key, and what came of it."""

    key: str
    action: str
    succeeded: bool
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)


Record = ConsentRecord | ContactRecord | CaseRecord | PromiseRecord | OfferRecord | EffectRecord


@dataclass(frozen=True, slots=True)
class TurnWrites:
    """Everything that one finished turn leaves behind, written in one transaction.

    `text` (redacted) and `summary` are kept only with a grant to store text; `emotion` only with
    that and a grant to estimate it. `intent`, `outcome` and `summary` of the latest turn become
    the contact's; an intent that was not understood does not replace one that was.
    """

    call_id: str
    turn: int
    at: datetime
    customer_id: str | None = None
    jurisdiction: str = "unknown"
    channel: str = "phone"
    intent: str = OTHER_INTENT
    strategy: str = ""
    outcome: Outcome = "unresolved"
    summary: str = ""
    text: str | None = None
    emotion: Mapping[str, Any] | None = None
    records: tuple[Record, ...] = ()
