"""What a call remembers between turns, as one immutable value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dialogue.frames import TaskState
from dialogue.policy import ABSTAINED
from dialogue.types import Delivery, Purpose
from nlu.types import Emotion, EmotionEstimate


@dataclass(frozen=True, slots=True)
class CallState:
    """Everything that later turns depend on. A new one is made when a turn is committed."""

    turn: int = 0
    tasks: TaskState = TaskState()
    feelings: tuple[str, ...] = ()
    """The feeling of every turn so far, by name or `abstained`."""
    negative: tuple[bool, ...] = ()
    abuse_turns: int = 0
    phrases: tuple[str, ...] = ()
    """Every phrase said, oldest first."""
    said_once: frozenset[tuple[str, str]] = frozenset()
    """(matter, move) of what is said once about a matter."""
    apologised: frozenset[str] = frozenset()
    """Matters, orders and accounts that have had their apology."""
    delivery: Delivery | None = field(default_factory=Delivery)
    nouns: Mapping[str, str] = field(default_factory=dict)
    withdrawn: frozenset[Purpose] = frozenset()
    offered: tuple[str, ...] = ()
    offer_open: bool = False
    """The last reply made an offer that has not been answered."""
    refused_offers: frozenset[str] = frozenset()
    checked: bool = False
    """The last reply asked whether it was an answer."""
    said: tuple[str, ...] = ()
    """The caller's turns as recognised."""
    tried: tuple[str, ...] = ()
    matters: tuple[str, ...] = ()
    """Intents that were settled, oldest first."""
    smoothed: EmotionEstimate | None = None
    expects: frozenset[str] = frozenset()
    handed_over: bool = False
    forget: bool = False
    """The caller has asked that nothing be kept of this call."""

    def turns_with(self, feeling: str) -> int:
        """How many turns in a row, the coming one included, show this feeling.

        No feeling at all is not one that wears out: neutral and abstained count as the first.
        """
        if feeling in (ABSTAINED, Emotion.NEUTRAL):
            return 1
        count = 1
        for earlier in reversed(self.feelings):
            if earlier != feeling:
                break
            count += 1
        return count

    def negative_lately(self, now: bool, turns: int) -> int:
        """How many of the last `turns` turns, the coming one included, were negative."""
        return sum((*self.negative, now)[-turns:])

    def saying(self, matter: str, moves: frozenset[str]) -> CallState:
        """With `moves` noted as said about a matter."""
        return replace(self, said_once=self.said_once | {(matter, move) for move in moves})
