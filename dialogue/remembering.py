"""What a call remembers of a turn once it has ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dialogue import offers
from dialogue.customers.consent import withdrawals
from dialogue.frames import Step
from dialogue.policy import Policy
from dialogue.situations import TurnInput
from dialogue.state import CallState
from dialogue.strategy import Choice, is_negative
from dialogue.types import Decision, Delivery
from dialogue.wording import Wording
from nlu.types import OTHER_INTENT, EmotionEstimate

CHECKS = frozenset({"check", "check_answered"})
"""Moves that ask whether the reply was an answer."""


def remember(
    state: CallState,
    policy: Policy,
    choice: Choice,
    step: Step,
    turn: TurnInput,
    worded: Wording,
    spoken: Delivery,
    nouns: Mapping[str, str],
    decision: Decision,
) -> CallState:
    """The state after a turn that ends with `decision`."""
    heard, matter, offer = turn.heard, step.intent, decision.offer
    once = frozenset(
        move for move in worded.moves if move in policy.moves and policy.moves[move].once
    )
    settled = step.resolved and matter != OTHER_INTENT
    refused = frozenset(state.offered[-1:]) if offers.refused(heard, state) else frozenset()
    return replace(
        state.saying(matter, once),
        turn=state.turn + 1,
        tasks=step.state,
        feelings=(*state.feelings, choice.feeling),
        negative=(*state.negative, is_negative(turn.estimate)),
        abuse_turns=state.abuse_turns + ("abuse" in heard.signals),
        phrases=(*state.phrases, *worded.used),
        apologised=state.apologised | (issue(step) if worded.apologised else frozenset()),
        delivery=replace(spoken, pause_before_ms=0, pause_after_ms=0),
        nouns=nouns,
        withdrawn=state.withdrawn | withdrawals(heard.signals),
        offered=(*state.offered, offer.id) if offer else state.offered,
        offer_open=offer is not None,
        checked=bool(CHECKS & set(worded.moves)),
        refused_offers=state.refused_offers | refused,
        said=(*state.said, heard.text) if heard.text.strip() else state.said,
        matters=_matters(state, step, matter if settled else None),
        smoothed=_smoothed(state, step, turn),
        expects=decision.expects,
        handed_over=state.handed_over or decision.handoff is not None,
        forget=state.forget or "forget_call" in heard.signals,
    )


def issue(step: Step) -> frozenset[str]:
    """What a turn is about, for counting apologies: the matter, and the order or account that it
    shares with other matters. A refund for the parcel that was late is the same issue."""
    frame = step.state.active or next(iter(reversed(step.state.frames)), None)
    things = {slot.value for slot in frame.slots.values()} if frame is not None else set()
    return frozenset({step.intent, *things})


def _matters(state: CallState, step: Step, settled: str | None) -> tuple[str, ...]:
    """The settled matters; one whose answer was none is open again."""
    if settled is not None:
        return (*state.matters, settled)
    return state.matters[:-1] if state.checked and step.failed else state.matters


def _smoothed(state: CallState, step: Step, turn: TurnInput) -> EmotionEstimate | None:
    """The course that the next turn goes on from: a settled matter ends it, a turn without an
    estimate leaves it, and one in which the voice was withdrawn keeps nothing of the voice."""
    if step.resolved:
        return None
    if turn.estimate.abstained is None:
        return turn.estimate
    return None if withdrawals(turn.heard.signals) else state.smoothed
