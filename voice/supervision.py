"""The human's door into a running call: plans held for approval, an agent's words, the call itself
in an agent's hands.

The desk asks (`ask_first`, `rule`, `take_over`, `say`, ...); the loop serves what was asked, in
order, at the next frame. Every wait counts audio time, and none is without an end: a plan that
nobody looks at is carried out.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dialogue.types import Decision, Strategy
from nlu.errors import AttuneError
from nlu.types import Understanding
from voice.types import AgentWords, CallEvent, Hand, HandChanged, PlanHeld

HOLD = "One moment, please."
STILL_WAITING = "I'm still looking for somebody. Thank you for waiting."
TRANSFER = "I'm putting you through now. They have my notes, so you won't repeat yourself."
LONGEST_TEXT = 1_000


class NotNow(AttuneError):
    """What was asked does not fit the moment; the sentence says why."""


class Ruling(StrEnum):
    """What became of a plan."""

    APPROVED = "approved"
    EDITED = "edited"
    """Carried out, in the agent's words."""
    REPLACED = "replaced"
    """Not carried out; the agent's words instead."""
    UNANSWERED = "unanswered"
    """Nobody said anything in time: carried out as planned."""
    TAKEN = "taken"
    """The agent has the call and answers when they like."""
    DROPPED = "dropped"
    """The caller spoke again before anybody had ruled."""

    @property
    def carries_out(self) -> bool:
        """Whether the plan's effects happen."""
        return self in (Ruling.APPROVED, Ruling.EDITED, Ruling.UNANSWERED)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A ruling, and the agent's words where they take the place of the planned ones.

    `asked` is False where the plan was never shown to anybody.
    """

    ruling: Ruling
    words: AgentWords | None = None
    asked: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """What the assistant would do about a turn."""

    turn: int
    understanding: Understanding
    decision: Decision


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a caller waits for a human to look at a plan, in ms of audio time."""

    rule_ms: int = 10_000
    hold_ms: int = 2_500
    """Until the caller hears that it takes a moment."""
    edit_ms: int = 30_000
    """In all, once the agent has begun to edit."""
    person_ms: int = 60_000
    """How long a caller waits on the line for a person at the desk."""
    reassure_ms: int = 20_000
    """How often a caller who waits is spoken to."""

    @classmethod
    def within(cls, rule_ms: int) -> Patience:
        """The usual proportions for another wait."""
        usual = cls()
        return cls(rule_ms, min(usual.hold_ms, rule_ms // 2), max(usual.edit_ms, 2 * rule_ms))


@dataclass(frozen=True, slots=True)
class TakeOver:
    """Be silent: the agent has the call."""


@dataclass(frozen=True, slots=True)
class Say:
    """Speak the agent's words."""

    words: AgentWords


@dataclass(frozen=True, slots=True)
class GiveBack:
    """The assistant has the call again, and owes an answer where one is open."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Speak, then put the caller through."""

    words: AgentWords


@dataclass(frozen=True, slots=True)
class Close:
    """Hang up once everything has been heard."""


@dataclass(frozen=True, slots=True)
class Reassure:
    """Tell a caller who waits for a person that they are not forgotten."""


@dataclass(frozen=True, slots=True)
class NobodyCame:
    """The caller has waited long enough: put them through as the line does."""


Request = TakeOver | Say | GiveBack | Transfer | Close | Reassure | NobodyCame


class _Held:
    """A plan that waits for a ruling."""

    def __init__(self, plan: Plan, since_ms: int, until_ms: int) -> None:
        self.plan = plan
        self.since_ms = since_ms
        self.until_ms = until_ms
        self.verdict: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self.impatient: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def rule(self, verdict: Verdict) -> None:
        """The first ruling stands."""
        if not self.verdict.done():
            self.verdict.set_result(verdict)


class HumanAgent:
    """The hand that a human has on one call; nobody's until the desk reaches for it.

    Methods for the desk raise `NotNow`. All of them are called on the event loop of the call.
    """

    def __init__(self, tell: Callable[[CallEvent], None], patience: Patience | None = None) -> None:
        self._tell = tell
        self._patience = patience or Patience()
        self._requests: deque[Request] = deque()
        self._held: _Held | None = None
        self._now_ms = 0
        self._before = Hand.ASSISTANT
        self._leaving = False
        self._over = False
        self._waits_since_ms: int | None = None
        self._spoken_to_ms = 0
        self.attended: Callable[[], bool] = lambda: False
        """Whether a caller of this line who needs a person can wait for one at the desk."""
        self.hand = Hand.ASSISTANT

    # --- for the desk --------------------------------------------------------------------------

    @property
    def speaks(self) -> bool:
        """Whether the answers are an agent's, or will be as soon as one comes."""
        return self.hand in (Hand.AGENT, Hand.WAITING)

    @property
    def now_ms(self) -> int:
        """How far the call is, in audio time."""
        return self._now_ms

    @property
    def held(self) -> Plan | None:
        """The plan that waits for a ruling."""
        return self._held.plan if self._held is not None else None

    def ask_first(self, wanted: bool) -> None:
        """Show every reply to a human before it is carried out, or stop doing so."""
        if self.hand is Hand.WAITING:
            raise NotNow("The caller waits for a person; take the call over.")
        if self.speaks:
            raise NotNow("An agent has this call; give it back first.")
        self._pass_to(Hand.ASK_FIRST if wanted else Hand.ASSISTANT)
        if not wanted:
            self._rule(Verdict(Ruling.APPROVED))

    def rule(self, turn: int, ruling: Ruling, words: AgentWords | None = None) -> None:
        """Approve, edit or replace the plan for a turn."""
        held = self._held
        if held is None or held.plan.turn != turn or held.verdict.done():
            raise NotNow("This reply is no longer waiting; it was answered, or the caller spoke.")
        if (ruling in (Ruling.EDITED, Ruling.REPLACED)) != (words is not None):
            raise NotNow("Words go with an edited or replaced reply, and only with those.")
        held.rule(Verdict(ruling, words))

    def editing(self, turn: int) -> int:
        """The agent has begun to edit: the plan waits longer, once. Returns how long, in ms."""
        held = self._held
        if held is None or held.plan.turn != turn:
            raise NotNow("This reply is no longer waiting; it was answered, or the caller spoke.")
        held.until_ms = held.since_ms + self._patience.edit_ms
        return held.until_ms - self._now_ms

    def take_over(self) -> None:
        """The assistant falls silent and decides nothing more."""
        self._still_here()
        if self.hand is not Hand.AGENT:
            self._before = Hand.ASSISTANT if self.hand is Hand.WAITING else self.hand
            self._waits_since_ms = None
            waited = (Reassure, NobodyCame)
            self._requests = deque(r for r in self._requests if not isinstance(r, waited))
            self._pass_to(Hand.AGENT)
            self._requests.append(TakeOver())
            self._rule(Verdict(Ruling.TAKEN))

    def say(self, words: AgentWords) -> None:
        """Have words spoken as soon as the caller has finished."""
        self._has_call()
        self._requests.append(Say(words))

    def give_back(self) -> None:
        """The assistant goes on, as it did before."""
        self._has_call()
        self._pass_to(self._before)
        self._requests.append(GiveBack())

    def transfer(self, words: AgentWords | None = None) -> None:
        """Put the caller through, after these words or the usual ones."""
        self.take_over()
        self._leaving = True
        self._requests.append(Transfer(words or AgentWords(TRANSFER)))

    def close(self) -> None:
        """Hang up once everything has been heard."""
        self.take_over()
        self._leaving = True
        self._requests.append(Close())

    def _still_here(self) -> None:
        if self._leaving:
            raise NotNow("This call is being put through or closed already.")

    def _has_call(self) -> None:
        self._still_here()
        if self.hand is not Hand.AGENT:
            raise NotNow("The assistant has this call; take it over first.")

    def _pass_to(self, hand: Hand) -> None:
        if hand is not self.hand:
            self.hand = hand
            self._tell(HandChanged(hand, self._now_ms))

    def _rule(self, verdict: Verdict) -> None:
        if self._held is not None:
            self._held.rule(verdict)

    # --- for the loop --------------------------------------------------------------------------

    def tick(self, now_ms: int) -> None:
        """Audio time goes on: a plan that waited long enough is no longer held."""
        self._now_ms = now_ms
        self._tick_waiting()
        held = self._held
        if held is None:
            return
        if now_ms >= held.since_ms + self._patience.hold_ms and not held.impatient.done():
            held.impatient.set_result(None)
        if now_ms >= held.until_ms:
            held.rule(Verdict(Ruling.UNANSWERED))

    def wait_for_person(self) -> None:
        """The caller needs a person and stays on the line until one at the desk takes the call."""
        self._waits_since_ms = self._spoken_to_ms = self._now_ms
        self._pass_to(Hand.WAITING)

    def _tick_waiting(self) -> None:
        if self._waits_since_ms is None:
            return
        if self._now_ms >= self._waits_since_ms + self._patience.person_ms:
            self._waits_since_ms = None
            self._requests.append(NobodyCame())
        elif self._now_ms >= self._spoken_to_ms + self._patience.reassure_ms:
            self._spoken_to_ms = self._now_ms
            self._requests.append(Reassure())

    def next_request(self, *, caller_speaks: bool, answering: bool) -> Request | None:
        """What is to be done now. Silence is due at once, hanging up once nothing is being said,
        and words once the caller is silent too."""
        request = self._requests[0] if self._requests else None
        waits = not isinstance(request, TakeOver) and (
            answering or (caller_speaks and not isinstance(request, Close))
        )
        return None if request is None or waits else self._requests.popleft()

    async def verdict(self, plan: Plan, hold: Callable[[], Awaitable[None]]) -> Verdict:
        """What a human says to a plan. `hold` tells the caller that it takes a moment.

        Care for a caller in danger waits for nobody.
        """
        if self.speaks:
            return Verdict(Ruling.TAKEN, asked=False)
        if self._over:
            return Verdict(Ruling.DROPPED, asked=False)
        if self.hand is Hand.ASSISTANT or plan.decision.strategy is Strategy.SAFETY:
            return Verdict(Ruling.APPROVED, asked=False)
        held = _Held(plan, self._now_ms, self._now_ms + self._patience.rule_ms)
        self._held = held
        self._tell(PlanHeld(plan.turn, plan.understanding, plan.decision, held.until_ms))
        try:
            either: set[asyncio.Future[Any]] = {held.verdict, held.impatient}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not held.verdict.done():
                await hold()
            return await held.verdict
        finally:
            if self._held is held:
                self._held = None

    def drop(self) -> None:
        """The caller speaks again: what is held is answered by events."""
        self._rule(Verdict(Ruling.DROPPED))

    def line_ended(self) -> None:
        """The caller is gone: no plan waits any more."""
        self._over = self.hand is Hand.ASK_FIRST
        self.drop()
