"""The vocabulary of `dialogue`: who is calling, what was decided and why, as frozen values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal


class Strategy(StrEnum):
    """The empathetic strategies, named as in the policy."""

    SAFETY = "SAFETY"
    HANDOFF = "HANDOFF"
    BOUNDARY = "BOUNDARY"
    DE_ESCALATE_FIX = "DE_ESCALATE_FIX"
    DE_ESCALATE_OPTIONS = "DE_ESCALATE_OPTIONS"
    ACKNOWLEDGE_FIX = "ACKNOWLEDGE_FIX"
    OWN_THE_HISTORY = "OWN_THE_HISTORY"
    REASSURE_STEPS = "REASSURE_STEPS"
    SUPPORT = "SUPPORT"
    CLARIFY = "CLARIFY"
    MIRROR_BRIEF = "MIRROR_BRIEF"
    DIRECT = "DIRECT"


class Purpose(StrEnum):
    """What consent is asked for."""

    EMOTION_VOICE = "emotion_voice"
    EMOTION_WORDS = "emotion_words"
    OFFERS = "offers"
    STORE_TEXT = "store_text"
    STORE_AUDIO = "store_audio"


class ConsentState(StrEnum):
    """What the ledger says; `unknown` means no wherever a jurisdiction asks for opt-in."""

    GRANTED = "granted"
    DENIED = "denied"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How much is at stake for the customer."""

    INFO = "info"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class Fault(StrEnum):
    """Whose doing the problem is."""

    OURS = "ours"
    THEIRS = "theirs"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Case:
    """An open or closed matter of the customer's."""

    id: str
    subject: str
    intent: str
    opened_at: datetime
    status: Literal["open", "closed"]
    promise: str | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """One past contact: when, about what, through which channel, how it ended."""

    at: datetime
    intent: str
    channel: str
    outcome: Literal["resolved", "unresolved", "escalated", "abandoned"]
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Patterns:
    """Derived on read from contacts and cases; `repeat_contacts_30d` counts by intent."""

    repeat_contacts_30d: Mapping[str, int] = field(default_factory=dict)
    prior_escalation: bool = False
    unresolved_promises: tuple[str, ...] = ()
    usual_intent: str | None = None


@dataclass(frozen=True, slots=True)
class Flags:
    """What the business knows of the customer's needs."""

    vulnerable: bool = False
    prefers_brief: bool = False
    vip: bool = False


@dataclass(frozen=True, slots=True)
class CustomerContext:
    """Everything known of the caller, immutable for a turn. `id` is None for a stranger."""

    id: str | None = None
    name: str | None = None
    locale: str = "en-US"
    jurisdiction: str = "unknown"
    consents: Mapping[Purpose, ConsentState] = field(default_factory=dict)
    flags: Flags = Flags()
    cases: tuple[Case, ...] = ()
    contacts: tuple[Contact, ...] = ()
    patterns: Patterns = Patterns()
    refused_offers: frozenset[str] = frozenset()
    attributes: Mapping[str, str] = field(default_factory=dict)
    written_releases: frozenset[Purpose] = frozenset()
    """Purposes whose current yes was given in writing (some jurisdictions ask for that)."""

    @property
    def open_case(self) -> Case | None:
        """The most recently opened case that is still open."""
        return max(
            (case for case in self.cases if case.status == "open"),
            key=lambda case: case.opened_at,
            default=None,
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a clause is to be spoken, relative to the voice's neutral.

    `rate` and `range` are factors, `pitch_st` semitones, `level_db` decibels, pauses milliseconds.
    """

    rate: float = 1.0
    pitch_st: float = 0.0
    range: float = 1.0
    level_db: float = 0.0
    pause_before_ms: int = 0
    pause_after_ms: int = 0


@dataclass(frozen=True, slots=True)
class Clause:
    """A stretch of speech with one delivery; `kind` says what it does."""

    text: str
    delivery: Delivery = Delivery()
    kind: Literal["empathy", "fact", "action", "question", "option", "close", "code"] = "fact"
    written: str | None = None
    """The same words for the eye ("44172" where `text` says "4 4 1, 7 2"); None when alike, and
    empty when an earlier clause holds them."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the assistant says, clause by clause."""

    clauses: tuple[Clause, ...] = ()

    @property
    def text(self) -> str:
        """The words of all clauses, joined with spaces."""
        return " ".join(clause.text for clause in self.clauses if clause.text)

    @property
    def written(self) -> str:
        """The words as they are read: numbers, sums and codes in figures."""
        shown = (
            clause.text if clause.written is None else clause.written for clause in self.clauses
        )
        return re.sub(r" (?=[.,;:!?](?:\s|$))", "", " ".join(text for text in shown if text))


@dataclass(frozen=True, slots=True)
class Reason:
    """A rule that fired (or the runner-up that did not): its id and what it saw."""

    rule: str
    saw: Mapping[str, Any]
    fired: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class Effect:
    """A change to be made in the world, once, after the turn has ended.

    `key` is the idempotency key: the same call and turn always give the same key.
    """

    action: str
    arguments: Mapping[str, Any]
    key: str


@dataclass(frozen=True, slots=True)
class EffectResult:
    """What really happened when an effect was carried out."""

    effect: Effect
    succeeded: bool
    facts: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class NextBestAction:
    """A ranked suggestion for the assistant or a human agent, with its reason."""

    action: str
    score: float
    why: str


@dataclass(frozen=True, slots=True)
class OfferMade:
    """An offer that passed every gate: what, why it helps this customer, how to refuse."""

    id: str
    text: str
    why: str
    refuse: str


@dataclass(frozen=True, slots=True)
class HandoffBrief:
    """What a human needs so that the caller repeats nothing."""

    reason: str
    intent: str
    problem: str
    tried: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    quotes: tuple[str, ...] = ()
    promises: tuple[str, ...] = ()
    next_step: str = ""
    why: str = ""
    consents: Mapping[str, str] = field(default_factory=dict)
    priority: Literal["normal", "urgent", "vip"] = "normal"
    """Routing only: it never changes what is said."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do about a turn, with every reason. Nothing has happened in the world yet."""

    strategy: Strategy
    moves: tuple[str, ...]
    reply: Reply
    effects: tuple[Effect, ...] = ()
    offer: OfferMade | None = None
    handoff: HandoffBrief | None = None
    reasons: tuple[Reason, ...] = ()
    next_best_actions: tuple[NextBestAction, ...] = ()
    relevance: Mapping[str, bool] = field(default_factory=dict)
    expects: frozenset[str] = frozenset()
    """What the reply asks for: entity types or `yes_no`; helps endpointing and recognition."""
    ends_call: bool = False

    @property
    def rules(self) -> tuple[str, ...]:
        """The ids of the rules that fired, in order."""
        return tuple(reason.rule for reason in self.reasons if reason.fired)
