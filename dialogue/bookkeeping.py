"""What a finished turn leaves behind in the customers' store, in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from dialogue import offers
from dialogue.customers.consent import withdrawals
from dialogue.customers.records import (
    Answer,
    ConsentRecord,
    EffectRecord,
    OfferRecord,
    Outcome,
    Record,
    TurnWrites,
)
from dialogue.drafting import Draft
from dialogue.state import CallState
from dialogue.types import ConsentState, CustomerContext, EffectResult
from nlu.errors import AttuneError
from nlu.types import OTHER_INTENT, Grant

_log = logging.getLogger(__name__)

_MOST_WAITING = 100

_SPOKEN_WITHDRAWAL = "spoken"
ANSWERED_BY_AGENT = "AGENT"
"""Stands for the strategy of a turn that a person has answered."""


class Store(Protocol):
    """The part of `dialogue.customers.store.CustomerStore` that a call writes to."""

    def record_turn(self, turn: TurnWrites, grants: Mapping[str, Grant]) -> bool:
        """Everything that a finished turn leaves behind; False when it is there already."""

    def record_outcome(self, contact: TurnWrites, grants: Mapping[str, Grant], by: str) -> bool:
        """How the call ended, as a person says."""


class Books:
    """Writes turns down. A store that refuses is asked again with the next turn, so that a locked
    database costs the caller nothing and loses nothing."""

    def __init__(self, store: Store | None) -> None:
        self._store = store
        self._waiting: list[tuple[TurnWrites, Mapping[str, Grant]]] = []

    @property
    def open(self) -> bool:
        """Whether anything is written down at all."""
        return self._store is not None

    def write(self, turn: TurnWrites, grants: Mapping[str, Grant]) -> None:
        """Write a turn, and what could not be written before it. Never raises."""
        if self._store is None:
            return
        self._waiting.append((turn, grants))
        refused = []
        for waiting in self._waiting:
            try:
                self._store.record_turn(*waiting)
            except AttuneError as error:
                refused.append(waiting)
                late = waiting[0]
                _log.warning(
                    "turn %d of %s waits to be written: %s", late.turn, late.call_id, error
                )
        self._waiting = refused[-_MOST_WAITING:]

    def conclude(self, contact: TurnWrites, grants: Mapping[str, Grant], by: str) -> bool:
        """Write down how the call ended, as a person says. Raises `AttuneError`."""
        return self._store is not None and self._store.record_outcome(contact, grants, by)

    def forget(self, call_id: str, at: datetime) -> None:
        """Erase what this call left behind, and let it leave nothing more. Never raises: what
        could not be erased is tried again with the next turn."""
        from dialogue.customers.rights import forget_call
        from dialogue.customers.store import CustomerStore

        if not isinstance(self._store, CustomerStore):
            return
        try:
            forget_call(self._store, call_id, at)
        except AttuneError as error:
            _log.warning("call %s waits to be forgotten: %s", call_id, error)


def writes(
    draft: Draft,
    before: CallState,
    results: Sequence[EffectResult],
    context: CustomerContext,
    call_id: str,
    channel: str,
) -> TurnWrites:
    """A committed turn as it is written down. Its text has been redacted."""
    turn, after, now = draft.turn, draft.after, draft.turn.now
    names = tuple((context.name or "").split())
    return TurnWrites(
        call_id=call_id,
        turn=after.turn,
        at=now,
        customer_id=context.id,
        jurisdiction=context.jurisdiction,
        channel=channel,
        intent=draft.step.intent if draft.step.intent != OTHER_INTENT else turn.heard.intent,
        strategy=draft.decision.strategy.value,
        outcome=_outcome(after),
        summary=_redacted("; ".join(after.tried), names),
        text=_redacted(turn.heard.text, names),
        emotion=_emotion(draft),
        records=(
            *_withdrawn(draft, before, call_id, channel, now),
            *_offers(draft, before, call_id, now),
            *(
                EffectRecord(result.effect.key, result.effect.action, result.succeeded, now)
                for result in results
            ),
        ),
    )


def outcome_writes(
    state: CallState,
    context: CustomerContext,
    call_id: str,
    channel: str,
    at: datetime,
    outcome: Outcome,
    note: str,
) -> TurnWrites:
    """How a call ended, as a person says. The note has been redacted."""
    active = state.tasks.active
    intent = state.matters[-1] if state.matters else active.intent if active else OTHER_INTENT
    return TurnWrites(
        call_id=call_id,
        turn=state.turn,
        at=at,
        customer_id=context.id,
        jurisdiction=context.jurisdiction,
        channel=channel,
        intent=intent,
        outcome=outcome,
        summary=_redacted(note, tuple((context.name or "").split())),
    )


def _redacted(text: str, names: tuple[str, ...]) -> str:
    from nlu.redaction import redact

    return redact(text, names=names).text if text else ""


def _outcome(after: CallState) -> Outcome:
    if after.handed_over:
        return "escalated"
    return "resolved" if after.matters and after.tasks.active is None else "unresolved"


def _emotion(draft: Draft) -> Mapping[str, Any] | None:
    estimate = draft.turn.estimate
    if estimate.abstained is not None:
        return None
    return {
        "feeling": draft.choice.feeling,
        "intensity": estimate.intensity.value,
        "valence": round(estimate.valence, 3),
        "arousal": round(estimate.arousal, 3),
    }


def _withdrawn(
    draft: Draft, before: CallState, call_id: str, channel: str, now: datetime
) -> tuple[Record, ...]:
    """The ledger's entries for what the caller has taken back in this turn."""
    fresh = sorted(withdrawals(draft.turn.heard.signals) - before.withdrawn)
    return tuple(
        ConsentRecord(
            key=f"{call_id}:{draft.after.turn}:{purpose}",
            purpose=purpose,
            state=ConsentState.DENIED,
            at=now,
            wording_version=_SPOKEN_WITHDRAWAL,
            channel=channel,
            evidence="taken back during the call",
        )
        for purpose in fresh
    )


def _offers(draft: Draft, before: CallState, call_id: str, now: datetime) -> tuple[Record, ...]:
    """The offer made in this turn, and the answer to the one made before."""
    made: list[Record] = []
    heard = draft.turn.heard
    answer: Answer = ""
    if offers.refused(heard, before):
        answer = "refused"
    elif offers.accepted(heard, before):
        answer = "accepted"
    if answer:
        offered = before.offered[-1]
        made.append(OfferRecord(f"{call_id}:{offered}", offered, now, answer, now))
    if draft.decision.offer is not None:
        offer = draft.decision.offer.id
        made.append(OfferRecord(f"{call_id}:{offer}", offer, now))
    return tuple(made)
