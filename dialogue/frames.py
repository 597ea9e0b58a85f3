"""What a task remembers between turns, and what one step of it asks to be said and done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dialogue.types import Effect, Fault, Reason, Severity
from nlu.types import OTHER_INTENT, Entity, Understanding


@dataclass(frozen=True, slots=True)
class Heard:
    """The part of an understanding that tasks look at."""

    intent: str
    score: float = 1.0
    also: tuple[str, ...] = ()
    entities: tuple[Entity, ...] = ()
    text: str = ""
    signals: frozenset[str] = frozenset()

    @classmethod
    def of(cls, understanding: Understanding) -> Heard:
        """Take what tasks need from an understanding."""
        return cls(
            understanding.intent.name,
            understanding.intent.score,
            tuple(other.name for other in understanding.intent.also),
            understanding.entities,
            understanding.transcript.text,
            understanding.signals,
        )


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What a read told: facts, or the problem that kept it from telling any.

    Problems are names that a pack words: `unknown_order`, ...; every connector may give
    `unavailable` (slow, down, or answering nonsense).
    """

    facts: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None


Read = Callable[[str, Mapping[str, Any]], ReadResult]
"""Carries out a read action with the facts known so far; changes nothing in the world."""


@dataclass(frozen=True, slots=True)
class SlotValue:
    """A filled slot: where the value came from, and whether the caller confirmed it."""

    value: str
    origin: Literal["caller", "record"]
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the last reply asked: a slot, a choice of candidates, a read-back, a yes to an
    action, or one of several options (`choices` are then action names or candidate rows)."""

    kind: Literal["slot", "choose", "read_back", "confirm", "options"]
    name: str
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """One matter of the caller's: what is known of it and what is still open."""

    intent: str
    slots: Mapping[str, SlotValue] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    waiting: Waiting | None = None
    refused: frozenset[str] = frozenset()
    """Actions that the caller declined, and candidates that were not meant."""
    done: tuple[str, ...] = ()
    """Effects carried out."""
    told: int = 0
    """How often its answer was given."""
    status: Literal["open", "resolved", "dropped"] = "open"


@dataclass(frozen=True, slots=True)
class TaskState:
    """All matters of a call: the last open frame is the active one, those before it wait."""

    frames: tuple[Frame, ...] = ()
    failed_turns: int = 0
    """Turns in a row that brought the caller no further; a step that does starts over at 0."""
    remembered: Mapping[str, SlotValue] = field(default_factory=dict)
    """Slot values of the whole call, so that nothing is asked twice."""

    @property
    def active(self) -> Frame | None:
        """The frame that the caller is in, if any is open."""
        return next((frame for frame in reversed(self.frames) if frame.status == "open"), None)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of the reply: `role` is the strategy's work move that it fills, `move` the pack's
    phrases that word it (`Pack.phrases_for(move, intent=..., slot=..., action=..., problem=...,
    facts=...)`)."""

    role: Literal["answer", "act", "question", "options"]
    move: str
    intent: str
    slot: str | None = None
    action: str | None = None
    problem: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """What a turn means for the tasks: the state after it, what to say, what to carry out.

    With `effects`, `parts` hold no outcome yet: `tasks.finish` words what really happened.
    """

    state: TaskState
    intent: str = OTHER_INTENT
    parts: tuple[Part, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    effects: tuple[Effect, ...] = ()
    expects: frozenset[str] = frozenset()
    understood: bool = True
    failed: bool = False
    """The turn brought the caller no further; counted in `state.failed_turns`."""
    resolved: bool = False
    """The matter is settled by this step."""
    declined: bool = False
    """The caller said no to what was proposed."""
    unsure: bool = False
    """It is open whether the request was met: ask back (the move `check_answered`)."""
    needs_human: bool = False
    """Only a person can go on: an effect of unknown outcome, or an unidentified caller."""
    fault: Fault = Fault.NONE
    severity: Severity = Severity.MINOR
    relevance: Mapping[str, bool] = field(default_factory=dict)
    """`serves_intent`, `context_allows`, `preconditions_held`, and `addressed` (all three)."""
    reasons: tuple[Reason, ...] = ()
