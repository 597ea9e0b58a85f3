"""The format of the empathy policy (`strategies.yaml`): ordered rules, moves, thresholds.

Reading it refuses unknown names, impossible values and rules that an earlier rule always shadows.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dialogue.types import Fault, Severity, Strategy
from nlu.errors import AttuneError
from nlu.types import Emotion, Intensity

SHIPPED = Path(__file__).with_name("strategies.yaml")

ABSTAINED = "abstained"

DOMAINS: Mapping[str, tuple[Any, ...] | type[int]] = {
    "signals": ("self_harm", "threat", "medical_danger", "abuse"),
    "asks_human": (True, False),
    "abuse_count": int,
    "handoff_due": (True, False),
    "feeling": (*(emotion.value for emotion in Emotion), ABSTAINED),
    "sure": (True, False),
    "intensity": tuple(intensity.value for intensity in Intensity),
    "fault": tuple(fault.value for fault in Fault),
    "severity": tuple(severity.value for severity in Severity),
    "repeat_contacts": int,
    "conflict": (True, False),
    "understood": (True, False),
    "gratitude": (True, False),
}
"""What a rule may ask about, and the values that each field can take."""

Scalar = str | bool | int
MoveKind = Literal["empathy", "fact", "action", "question", "option", "close", "code"]
Profile = Literal["neutral", "angry", "sad", "anxious", "happy", "slow", "by_feeling"]


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AtLeast(_Entry):
    """A number of at least so much."""

    at_least: int


Wanted = Scalar | tuple[Scalar, ...] | AtLeast
When = Mapping[str, Wanted]


class Thresholds(_Entry):
    """The numbers of the policy."""

    low_confidence: float = Field(ge=0, le=1)
    repeat_contacts: int = Field(ge=1)
    failed_turns: int = Field(ge=1)
    failed_turns_urgent: int = Field(ge=1)
    offer_relevance: float = Field(ge=0, le=1)
    calm_turns_before_offer: int = Field(ge=1)


class EmpathyBudget(_Entry):
    """How much of a reply may be empathy."""

    clauses_a_turn: int = Field(ge=0, le=1)
    share_of_words: float = Field(ge=0, le=0.2)
    decay: tuple[float, ...] = Field(min_length=1)
    brief_factor: float = Field(ge=0, le=1)

    def factor(self, turns_with_feeling: int, prefers_brief: bool) -> float:
        """What is left of the budget on the n-th consecutive turn (from 1) with one feeling."""
        decayed = self.decay[min(max(turns_with_feeling, 1), len(self.decay)) - 1]
        return decayed * (self.brief_factor if prefers_brief else 1.0)


class Move(_Entry):
    """What one move does, whether the task at hand or the pack's phrases fill it, and whether it
    is said only once about a matter."""

    kind: MoveKind
    work: bool = False
    once: bool = False


class RuleDelivery(_Entry):
    """Which delivery profile a rule asks for, and how much of it."""

    profile: Profile
    scale: float = Field(1.0, gt=0, le=1)


class Instead(_Entry):
    """Where a rule without a strategy of its own sends the turn."""

    when: When
    rule: str


class Rule(_Entry):
    """One row of the policy."""

    id: str
    title: str
    when: When = Field(default_factory=dict)
    any_of: tuple[When, ...] = ()
    strategy: Strategy | None = None
    moves: tuple[str, ...] = ()
    again_moves: tuple[str, ...] = ()
    """Instead of `moves` when the rule fires again in the same call."""
    history_moves: tuple[str, ...] = ()
    """Instead of `moves` for a caller with repeat contacts about the matter."""
    effort_moves: tuple[str, ...] = ()
    """Instead of `moves` when words are neutral and the voice is agitated."""
    delivery: RuleDelivery = RuleDelivery(profile="neutral", scale=1.0)
    handoff: bool = False
    instead: tuple[Instead, ...] = ()

    @property
    def alternatives(self) -> tuple[When, ...]:
        """The conditions of which one must hold."""
        return self.any_of or (self.when,)

    @model_validator(mode="after")
    def _whole(self) -> Rule:
        if self.when and self.any_of:
            raise ValueError(f"rule {self.id}: has both `when` and `any_of`; keep one")
        if (self.strategy is None) == (not self.instead):
            raise ValueError(f"rule {self.id}: needs either `strategy` or `instead`")
        if self.strategy is not None and not self.moves:
            raise ValueError(f"rule {self.id}: has no moves; name at least one")
        for when in (*self.alternatives, *(way.when for way in self.instead)):
            _check_names(self.id, when)
        return self


class Gate(_Entry):
    """A condition that lies across the rules: it permits or forbids, and chooses nothing."""

    id: str
    title: str


class Policy(_Entry):
    """The whole policy, checked."""

    version: str
    thresholds: Thresholds
    empathy: EmpathyBudget
    moves: Mapping[str, Move]
    asides: Mapping[str, Move]
    rules: tuple[Rule, ...] = Field(min_length=1)
    gates: tuple[Gate, ...] = ()

    def rule(self, id: str) -> Rule:
        """The rule with an id.

        Raises:
            KeyError: there is none.
        """
        for rule in self.rules:
            if rule.id == id:
                return rule
        raise KeyError(id)

    def move(self, name: str) -> Move:
        """What a move or an aside is.

        Raises:
            KeyError: there is none.
        """
        return self.moves[name] if name in self.moves else self.asides[name]

    @model_validator(mode="after")
    def _consistent(self) -> Policy:
        ids = [rule.id for rule in self.rules] + [gate.id for gate in self.gates]
        if twice := sorted({name for name in ids if ids.count(name) > 1}):
            raise ValueError(f"rule {twice[0]}: is there twice; give each its own id")
        for rule in self.rules:
            named = (*rule.moves, *rule.again_moves, *rule.history_moves, *rule.effort_moves)
            for move in named:
                if move not in self.moves:
                    raise ValueError(f"rule {rule.id}: move '{move}' is not listed under moves")
            for way in rule.instead:
                if way.rule not in ids:
                    raise ValueError(f"rule {rule.id}: sends to rule {way.rule}, which is missing")
        for later, earlier in shadowed(self.rules):
            raise ValueError(
                f"rule {later}: can never fire, rule {earlier} always holds first; "
                "reorder or narrow them"
            )
        return self


def holds(when: When, fields: Mapping[str, Any]) -> bool:
    """Whether every field of a condition holds; `signals` asks for any one of those named."""
    return all(_passes(wanted, fields[name]) for name, wanted in when.items())


def failing(when: When, fields: Mapping[str, Any]) -> tuple[str, ...]:
    """The fields of a condition that do not hold."""
    return tuple(name for name, wanted in when.items() if not _passes(wanted, fields[name]))


def _passes(wanted: Wanted, value: Any) -> bool:
    if isinstance(wanted, AtLeast):
        return bool(value >= wanted.at_least)
    choices = wanted if isinstance(wanted, tuple) else (wanted,)
    if isinstance(value, frozenset):
        return any(choice in value for choice in choices)
    return value in choices


def _check_names(rule: str, when: When) -> None:
    for name, wanted in when.items():
        if name not in DOMAINS:
            raise ValueError(f"rule {rule}: '{name}' is no field; use one of {', '.join(DOMAINS)}")
        domain = DOMAINS[name]
        if isinstance(wanted, AtLeast) != (domain is int):
            raise ValueError(f"rule {rule}: {name} takes " + _described(domain))
        if isinstance(wanted, AtLeast) or not isinstance(domain, tuple):
            continue
        for choice in wanted if isinstance(wanted, tuple) else (wanted,):
            if choice not in domain:
                raise ValueError(
                    f"rule {rule}: {name} cannot be '{choice}'; it takes " + _described(domain)
                )


def _described(domain: tuple[Any, ...] | type[int]) -> str:
    if isinstance(domain, tuple):
        return ", ".join(str(value) for value in domain)
    return "{at_least: NUMBER}"


def shadowed(rules: tuple[Rule, ...]) -> Iterator[tuple[str, str]]:
    """Pairs (later, earlier) where each way into the later rule leads into an earlier one."""
    for place, rule in enumerate(rules):
        earlier = [(other.id, when) for other in rules[:place] for when in other.alternatives]
        blockers = [
            next((rule_id for rule_id, wide in earlier if _covers(wide, narrow)), None)
            for narrow in rule.alternatives
        ]
        if all(blocker is not None for blocker in blockers):
            yield rule.id, str(blockers[0])


def _covers(wide: When, narrow: When) -> bool:
    return all(name in narrow and _within(narrow[name], wanted) for name, wanted in wide.items())


def _within(narrow: Wanted, wide: Wanted) -> bool:
    if isinstance(narrow, AtLeast) or isinstance(wide, AtLeast):
        return (
            isinstance(narrow, AtLeast)
            and isinstance(wide, AtLeast)
            and narrow.at_least >= wide.at_least
        )
    allowed = wide if isinstance(wide, tuple) else (wide,)
    return all(value in allowed for value in (narrow if isinstance(narrow, tuple) else (narrow,)))


def read(path: Path) -> Policy:
    """The policy in a file.

    Raises:
        AttuneError: naming the file, the rule or field, and what is wrong.
    """
    try:
        return Policy.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError) as error:
        raise AttuneError(f"{path}: cannot be read as YAML ({error}); correct it.") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "policy"
        raise AttuneError(f"{path}: {field}: {first['msg']}; correct it.") from None


@functools.cache
def load() -> Policy:
    """The shipped policy."""
    return read(SHIPPED)
