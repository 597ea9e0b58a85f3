"""What a history tells, derived on read and stored nowhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

from dialogue.types import Patterns
from nlu.types import OTHER_INTENT

REPEAT_DAYS = 30
HISTORY_DAYS = 365
"""Escalations and habits older than this say nothing of the customer today."""


@dataclass(frozen=True, slots=True)
class IntentHistory:
    """The contacts about one intent in the last `HISTORY_DAYS`."""

    intent: str
    contacts: int
    contacts_30d: int
    escalated: int


def derive(histories: Iterable[IntentHistory], promises: Iterable[str]) -> Patterns:
    """The patterns of a customer from counts by intent and the promises still open.

    The usual intent is the most frequent one that came at least twice (ties go to the first in
    the alphabet); contacts whose intent was not understood are no habit.
    """
    histories = sorted(histories, key=lambda history: (-history.contacts, history.intent))
    return Patterns(
        repeat_contacts_30d=MappingProxyType(
            {item.intent: item.contacts_30d for item in histories if item.contacts_30d}
        ),
        prior_escalation=any(history.escalated for history in histories),
        unresolved_promises=tuple(promises),
        usual_intent=next(
            (
                history.intent
                for history in histories
                if history.contacts > 1 and history.intent != OTHER_INTENT
            ),
            None,
        ),
    )
