"""The format of a pack: what a business knows, can do and says, as frozen Pydantic models.

A pack is a folder of YAML files; `dialogue.packs.loader` reads it. Every class here is one kind
of entry, and its fields are the keys that an author may write. `docs/packs.md` explains them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr

from dialogue.packs.conditions import Condition, Entry, Name, Scalar, Test, holds, placeholders
from dialogue.packs.systems import Connector, Http, HttpConnector, Sql, SqliteConnector
from dialogue.types import Fault, Severity, Strategy
from nlu.types import Emotion, EntityType, Language

Say = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=3)]
"""Three wordings at least, so that a caller does not hear the same sentence twice."""
FactKind = Literal["text", "money", "date", "time", "code", "number", "flag"]
Need = Literal["identified"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

ALWAYS_KNOWN: Mapping[str, FactKind] = {
    "customer_name": "text",
    "customer_id": "text",
    "identified": "flag",
    "company": "text",
    "assistant": "text",
    "emergency_number": "code",
    "handoff_target": "text",
    "handoff_hours": "text",
    "handoff_open": "flag",
    "today": "date",
    "locale": "text",
    "repeat_contacts": "number",
    "intent_title": "text",
    "case_subject": "text",
    "promise": "text",
    "options": "text",
    "proposal": "text",
    "choices": "text",
    "value": "text",
    "option_count": "number",
    "times_told": "number",
}
"""Facts that the assistant supplies itself: a pack need not declare them to use them."""


class Slot(Entry):
    """Something an intent needs to know, and how to ask for it in the caller's own terms."""

    name: Name
    entity: EntityType
    title: str
    """What the caller would call it: "the order number"."""
    ask: Say
    again: Say
    """Asked when the answer could not be used."""
    when: Condition = Field(default_factory=dict)
    """Needed only if this holds; without it the slot is always needed."""
    pattern: str | None = None
    """A regular expression that a usable value matches in full."""
    usual_length: int | None = Field(default=None, ge=1, le=40)
    """How many digits the number usually has: a caller who has said as many is not waited for."""
    read_back: Annotated[tuple[str, ...], Field()] = ()
    """With wordings here, a value that the caller gave is read back as `{value}` and confirmed."""
    found_by: Name | None = None
    """A read action that lists candidates (`candidates` rows) for a known caller."""
    took: tuple[str, ...] = ()
    """Said when the only candidate was taken without asking."""
    choose: tuple[str, ...] = ()
    """Asked when there are several candidates, with `{choices}`."""
    choice: str = ""
    """How one candidate is named within `{choices}`, with the facts of its row."""


class Option(Entry):
    """One way out that the caller may choose."""

    action: Name
    title: str
    """Fits "I can ...": "send it again by express, at no cost"."""
    cues: tuple[str, ...] = Field(min_length=1)
    """Words by which a caller picks it."""
    when: Condition = Field(default_factory=dict)


class PackIntent(Entry):
    """Something callers want: how they say it, what is needed, and what serves it."""

    title: str
    """The matter as a noun phrase that the assistant can say: "your refund"."""
    examples: tuple[str, ...] = Field(min_length=12)
    severity: Severity = Severity.MINOR
    fault: Fault = Fault.NONE
    fault_when: Mapping[Fault, Condition] = Field(default_factory=dict)
    """Facts that make it somebody's fault, checked in order, before the default."""
    severity_when: Mapping[Severity, Condition] = Field(default_factory=dict)
    slots: tuple[Slot, ...] = ()
    reads: tuple[Name, ...] = ()
    """Read actions whose facts the answer needs, in order."""
    does: tuple[Name, ...] = ()
    """Effects that the caller asks for by naming this intent; the first that may be done is."""
    options: tuple[Option, ...] = ()
    """Effects offered as choices after the answer."""
    covers: tuple[Name, ...] = ()
    """Intents that belong to this matter when they are heard within it."""
    uses: tuple[Name, ...] = ()
    """Facts that its answer tells."""
    circumstance: bool = False
    """What happened rather than what is wanted: yields to a request heard beside it."""
    small_talk: bool = False
    """Thanks, goodbye and the like: never interrupts a task that is under way."""


class Precondition(Entry):
    """What must be true of the facts before an action, and the problem if it is not."""

    when: Condition
    otherwise: Name


class Action(Entry):
    """Something the business can do: a read tells facts, an effect changes the world."""

    kind: Literal["read", "effect"]
    does: str
    """Verb phrase for briefs, suggestions and confirmations: "refund order {order_number}"."""
    connector: Name
    serves: tuple[Name, ...] = Field(min_length=1)
    arguments: tuple[Name, ...] = ()
    """Slots and facts that must be known."""
    needs: tuple[Need, ...] = ()
    preconditions: tuple[Precondition, ...] = ()
    irreversible: bool = False
    """Cannot be undone: the caller is asked first."""
    resolves: bool = True
    """Whether the matter is settled when it succeeded."""
    gives: tuple[Name, ...] = ()
    """Facts known after it."""
    confirm: tuple[str, ...] = ()
    agree: tuple[str, ...] = ()
    """Words that mean yes when they answer `confirm`: "refund it", "money back"."""
    done: tuple[str, ...] = ()
    corrects: Mapping[Name, Name] = Field(default_factory=dict)
    """Problem -> the slot that is asked again after it."""
    problems: Mapping[Name, Say] = Field(default_factory=dict)
    """Problem -> what to say; `unavailable` and `unknown_result` have defaults in phrases."""
    sql: Sql | None = None
    http: Http | None = None


class Phrases(Entry):
    """Wordings for a move, narrowed by what they fit; the narrowest that fits is used."""

    move: Name
    strategy: tuple[Strategy, ...] = ()
    intent: tuple[Name, ...] = ()
    action: Name | None = None
    problem: Name | None = None
    when: Condition = Field(default_factory=dict)
    say: Say

    @property
    def is_general(self) -> bool:
        """Whether it fits every intent, strategy and action, facts apart."""
        return not (self.strategy or self.intent or self.action)

    @property
    def narrowness(self) -> int:
        """How much was asked of the situation; more wins."""
        return (
            16 * (self.action is not None)
            + 16 * (self.problem is not None)
            + 8 * bool(self.intent)
            + 4 * bool(self.strategy)
            + len(self.when)
        )


class Offer(Entry):
    """Something worth offering, to whom, and how to say why and how to refuse it."""

    title: str
    relevant_to: Mapping[Name, float]
    """Intent -> relevance in [0, 1] when that matter has just been resolved."""
    value_to_customer: float = Field(ge=0, le=1)
    value_to_business: float = Field(ge=0, le=1)
    when: Condition = Field(default_factory=dict)
    """On facts and on the customer's attributes (`attribute_NAME`)."""
    say: Say
    why: Say
    refuse: Say
    accept: Name | None = None
    """The effect carried out when the caller accepts."""


class Handoff(Entry):
    """Where a caller goes who needs a human."""

    target: str
    """Fits "I'll put you through to ...": "a colleague in customer care"."""
    number: str | None = None
    hours: Mapping[Weekday, Annotated[str, Field(pattern=r"^\d\d:\d\d-\d\d:\d\d$")]] = Field(
        default_factory=dict
    )
    """Weekday -> `09:00-18:00` in the pack's time zone; a missing day is closed, none at all
    means always open."""
    hours_spoken: str = "around the clock"


class Pack(Entry):
    """A whole pack. `pack.yaml` holds its plain fields; each mapping has a file of its name."""

    name: Name
    title: str
    company: str
    assistant: str
    locale: str = Field("en-US", pattern=r"^[a-z]{2}(-[A-Z]{2})?$")
    currency: str = Field("USD", pattern=r"^[A-Z]{3}$")
    timezone: str = "UTC"
    emergency_number: str = "911"
    greeting: Say
    handoff: Handoff
    facts: Mapping[Name, FactKind] = Field(default_factory=dict)
    constants: Mapping[Name, Scalar] = Field(default_factory=dict)
    """Facts that are always the same: prices, periods, addresses."""
    vocabulary: tuple[str, ...] = ()
    things: tuple[str, ...] = ()
    """What is sold or dealt with, each as one: `lamp`, `jumper`. For what a caller wants, any one
    is as good as another, so examples need not name them all."""
    connectors: Mapping[Name, Connector] = Field(default_factory=dict)
    intents: Mapping[Name, PackIntent] = Field(min_length=1)
    actions: Mapping[Name, Action] = Field(default_factory=dict)
    phrases: tuple[Phrases, ...] = ()
    offers: Mapping[Name, Offer] = Field(default_factory=dict)
    nouns: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)
    """A noun of the phrases -> what callers may call it instead: `order: [parcel, package]`. The
    assistant takes over the caller's own word."""
    phrase_bank: Mapping[Emotion, tuple[str, ...]] = Field(default_factory=dict)
    _directory: Path = PrivateAttr(default=Path())

    @property
    def directory(self) -> Path:
        """The folder that the pack was read from."""
        return self._directory

    def language(self) -> Language:
        """What `nlu` needs of the pack, as plain values."""
        return Language(
            intents={name: intent.examples for name, intent in self.intents.items()},
            phrase_bank={str(emotion): said for emotion, said in self.phrase_bank.items()},
            vocabulary=self.vocabulary,
            things=self.things,
            locale=self.locale,
        )

    def kind_of(self, fact: str) -> FactKind:
        """What a fact is, so that it can be said rightly; `text` when undeclared."""
        return self.facts.get(fact) or ALWAYS_KNOWN.get(fact) or "text"

    def phrases_for(
        self,
        move: str,
        *,
        strategy: Strategy | None = None,
        intent: str | None = None,
        slot: str | None = None,
        action: str | None = None,
        problem: str | None = None,
        facts: Mapping[str, Any] = MappingProxyType({}),
    ) -> tuple[str, ...]:
        """The wordings of the narrowest entry that fits and whose facts are all known.

        The moves `ask`, `again`, `read_back`, `took` and `choose` come from the slot; `confirm`
        and `done` from the action; `problem` from the action, then from the phrases.
        Returns an empty tuple when the pack has nothing to say.
        """
        known = frozenset(name for name, value in facts.items() if value is not None)
        own = self._own_wordings(move, intent, slot, action, problem)
        if usable := _sayable(own, known):
            return usable
        fitting = [
            entry
            for entry in self.phrases
            if entry.move == move
            and (not entry.strategy or strategy in entry.strategy)
            and (not entry.intent or intent in entry.intent)
            and entry.action in (None, action)
            and entry.problem in (None, problem)
            and holds(entry.when, facts)
        ]
        for entry in sorted(fitting, key=lambda entry: -entry.narrowness):
            if usable := _sayable(entry.say, known):
                return usable
        return ()

    def _own_wordings(
        self,
        move: str,
        intent: str | None,
        slot: str | None,
        action: str | None,
        problem: str | None,
    ) -> tuple[str, ...]:
        if move in _SLOT_MOVES and slot is not None and intent is not None:
            if intent not in self.intents:
                return ()
            for candidate in self.intents[intent].slots:
                if candidate.name == slot:
                    return tuple(getattr(candidate, move))
        if action is not None and action in self.actions:
            if move in _ACTION_MOVES:
                return tuple(getattr(self.actions[action], move))
            if move == "problem" and problem is not None:
                return self.actions[action].problems.get(problem, ())
        return ()


_SLOT_MOVES = frozenset({"ask", "again", "read_back", "took", "choose"})
_ACTION_MOVES = frozenset({"confirm", "done"})


def _sayable(wordings: tuple[str, ...], known: frozenset[str]) -> tuple[str, ...]:
    return tuple(text for text in wordings if placeholders(text) <= known)


__all__ = [
    "ALWAYS_KNOWN",
    "Action",
    "Condition",
    "Connector",
    "FactKind",
    "Handoff",
    "Http",
    "HttpConnector",
    "Offer",
    "Option",
    "Pack",
    "PackIntent",
    "Phrases",
    "Precondition",
    "Scalar",
    "Slot",
    "Sql",
    "SqliteConnector",
    "Test",
    "holds",
    "placeholders",
]
