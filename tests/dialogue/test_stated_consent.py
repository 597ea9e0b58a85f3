"""What a caller says of a purpose by a button, during the call."""

from __future__ import annotations

import pytest

from dialogue.conversation import Conversation
from dialogue.regulation import load as load_regulations
from dialogue.types import ConsentState, CustomerContext, Purpose

VOICE = Purpose.EMOTION_VOICE
GRANTED, DENIED = ConsentState.GRANTED, ConsentState.DENIED


def conversation(jurisdiction: str, ledger: ConsentState | None = None) -> Conversation:
    context = CustomerContext(id="C1", consents={VOICE: ledger} if ledger else {})
    row = load_regulations().row(jurisdiction)
    return Conversation("retail", context, {}, row, consents={VOICE: DENIED})


@pytest.mark.parametrize("jurisdiction", ["DE", "US-CA", "unknown"])
def test_the_last_word_of_this_call_counts(jurisdiction: str) -> None:
    talk = conversation(jurisdiction)
    assert VOICE not in talk.grants
    talk.state_consent(VOICE, GRANTED)
    assert talk.grants[VOICE].basis == "explicit consent for this call"
    assert VOICE not in talk.grants_after(frozenset({"withdraw_voice"}))
    talk.state_consent(VOICE, DENIED)
    assert VOICE not in talk.grants
    talk.state_consent(VOICE, ConsentState.UNKNOWN)
    talk.state_consent(VOICE, GRANTED)
    assert VOICE in talk.grants


def test_a_no_in_the_ledger_and_a_law_that_wants_it_in_writing_stand() -> None:
    for talk in (conversation("DE", DENIED), conversation("US-IL")):
        talk.state_consent(VOICE, GRANTED)
        assert VOICE not in talk.grants
