"""The handoff to a human: the brief as data, as text to read, and as a sentence to hear."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dialogue.honesty import FEELINGS, sentences
from dialogue.packs.facts import say_facts
from dialogue.packs.format import Pack
from dialogue.types import (
    CustomerContext,
    HandoffBrief,
    NextBestAction,
    Purpose,
    Severity,
)
from nlu.types import Grant

_ABOUT_FEELING = re.compile(
    rf"\b(?:{FEELINGS}|ridiculous|unacceptable|not acceptable|terrible|awful|hate|sick of|fed up|"
    r"tired of|enough|worst|disgrace\w*|a joke|had it|cry\w*|lost|passed away|died|desperate|"
    r"third time|second time|again and again|a bit much)\b",
    re.I,
)
_MOST_QUOTES = 3
_PLUMBING = frozenset(
    {"identified", "handoff_open", "today", "company", "assistant", "emergency_number"}
    | {"handoff_target", "handoff_hours", "intent_title", "options", "choices", "value"}
    | {"candidates", "customer_id"}
)


@dataclass(frozen=True, slots=True)
class Course:
    """The call so far, as the brief needs it."""

    rule: str
    """The id of the rule that called for a human."""
    why: str
    intent: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Facts of records and results only: what a caller merely said is not verified."""
    claimed: Mapping[str, str] = field(default_factory=dict)
    """What the caller said and nothing has confirmed."""
    tried: tuple[str, ...] = ()
    said: tuple[str, ...] = ()
    """The caller's turns in order, this one included."""
    suggestions: Sequence[NextBestAction] = ()
    grants: Mapping[str, Grant] = field(default_factory=dict)
    severity: Severity = Severity.MINOR
    danger: bool = False


def brief(course: Course, context: CustomerContext, pack: Pack) -> HandoffBrief:
    """What the human needs so that the caller repeats nothing.

    The feeling is never inferred here: only the caller's own words about it are quoted.
    """
    words = say_facts(course.facts, pack)
    known = {
        name: text
        for name, text in words.items()
        if name not in _PLUMBING and name not in pack.constants
    }
    best = next(iter(course.suggestions), None)
    promises = tuple(
        dict.fromkeys((*context.patterns.unresolved_promises, *_open_promises(context)))
    )
    return HandoffBrief(
        reason=f"{course.rule}: {course.why}",
        intent=course.intent,
        problem=_problem(course, pack),
        tried=course.tried,
        facts=known | {f"said: {name}": value for name, value in course.claimed.items()},
        quotes=quotes(course.said),
        promises=promises,
        next_step=_next_step(course, best, pack, words),
        why=_why(course, best),
        consents={
            purpose.value: "granted" if purpose.value in course.grants else "not granted"
            for purpose in Purpose
        },
        priority=_priority(course, context),
    )


def quotes(said: Sequence[str]) -> tuple[str, ...]:
    """The caller's own sentences about how it is for them, latest last, at most three."""
    about = [part for text in said for part in sentences(text) if _ABOUT_FEELING.search(part)]
    return tuple(dict.fromkeys(about))[-_MOST_QUOTES:]


def as_text(brief: HandoffBrief) -> str:
    """The brief for the agent's screen, a line for each part that holds anything."""
    allowed = [name for name, state in brief.consents.items() if state == "granted"]
    rows = [
        ("Why you", brief.reason),
        ("About", f"{brief.intent}: {brief.problem}" if brief.problem else brief.intent),
        ("Tried", "; ".join(brief.tried)),
        ("Known", "; ".join(f"{name.replace('_', ' ')} {v}" for name, v in brief.facts.items())),
        ("In their words", "; ".join(f"“{quote}”" for quote in brief.quotes)),
        ("Promised", "; ".join(brief.promises)),
        ("Next", f"{brief.next_step} ({brief.why})" if brief.why else brief.next_step),
        ("Allowed", ", ".join(allowed)),
        ("Priority", brief.priority if brief.priority != "normal" else ""),
    ]
    return "\n".join(f"{name}: {value}" for name, value in rows if value)


def as_speech(brief: HandoffBrief) -> str:
    """The brief as one sentence that an agent hears before the caller is connected."""
    parts = [brief.problem or f"The caller asks about {brief.intent.replace('_', ' ')}"]
    if brief.tried:
        parts.append(f"tried so far: {', '.join(brief.tried)}")
    if brief.quotes:
        parts.append(f"in their words: {brief.quotes[-1].rstrip('.!?')}")
    if brief.next_step:
        parts.append(f"suggested next: {brief.next_step}")
    return "; ".join(part.rstrip(".") for part in parts) + "."


def _problem(course: Course, pack: Pack) -> str:
    entry = pack.intents.get(course.intent)
    about = (
        f"The caller asks about {entry.title}" if entry else "What the caller wants is not clear"
    )
    if course.danger:
        return "The caller may be in danger"
    latest = next((text for text in reversed(course.said) if text.strip()), "")
    first = sentences(latest)[:1]
    return f"{about}: “{first[0]}”" if first else about


def _next_step(
    course: Course, best: NextBestAction | None, pack: Pack, words: Mapping[str, str]
) -> str:
    if course.danger:
        return "stay on the line and follow the emergency procedure"
    if best is None:
        return "ask what would help most, then decide"
    text = pack.actions[best.action].does
    for name, value in words.items():
        text = text.replace(f"{{{name}}}", value)
    return re.sub(r"\{(\w+)\}", lambda match: f"the {match.group(1).replace('_', ' ')}", text)


def _why(course: Course, best: NextBestAction | None) -> str:
    if course.danger:
        return "safety comes before the matter"
    return best.why if best is not None else "no action of the pack serves this"


def _priority(course: Course, context: CustomerContext) -> Literal["normal", "urgent", "vip"]:
    if course.danger or course.severity is Severity.CRITICAL:
        return "urgent"
    return "vip" if context.flags.vip else "normal"


def _open_promises(context: CustomerContext) -> tuple[str, ...]:
    case = context.open_case
    return (case.promise,) if case is not None and case.promise else ()
