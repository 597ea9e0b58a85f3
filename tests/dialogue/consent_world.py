"""A call centre in small: customers who grant, deny, withdraw, move and ask to be forgotten.

What may be done is written down here a second time, from the table of what a jurisdiction asks
and not from the code, so that the two can disagree. Used by the tests and, at full length, by
`benchmarks/consent_calls.py`.
"""

from __future__ import annotations

import functools
import sqlite3
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dialogue import regulation
from dialogue.customers import rights
from dialogue.customers.consent import grants_for, withdrawals
from dialogue.customers.importing import import_customers
from dialogue.customers.records import ConsentRecord, TurnWrites
from dialogue.customers.store import CustomerStore
from dialogue.customers.wire import CustomerIn
from dialogue.types import ConsentState, Purpose

VOICE, WORDS, OFFERS = Purpose.EMOTION_VOICE, Purpose.EMOTION_WORDS, Purpose.OFFERS
TEXT, AUDIO = Purpose.STORE_TEXT, Purpose.STORE_AUDIO
YES, NO, UNKNOWN = ConsentState.GRANTED, ConsentState.DENIED, ConsentState.UNKNOWN

# Needs: "yes" a recorded or explicit yes; "no no" nothing against it; "written" a signed yes;
# "now" an explicit yes for this call.
NEEDS = {
    "DE": {VOICE: "yes", WORDS: "no no", AUDIO: "yes", OFFERS: "yes", TEXT: "no no"},
    "UK": {VOICE: "yes", WORDS: "no no", AUDIO: "no no", OFFERS: "yes", TEXT: "no no"},
    "US-CA": {VOICE: "no no", WORDS: "no no", AUDIO: "yes", OFFERS: "no no", TEXT: "no no"},
    "US-IL": {VOICE: "written", WORDS: "no no", AUDIO: "yes", OFFERS: "no no", TEXT: "no no"},
    "US-PA": {VOICE: "yes", WORDS: "no no", AUDIO: "yes", OFFERS: "no no", TEXT: "no no"},
    "US-NY": {VOICE: "no no", WORDS: "no no", AUDIO: "no no", OFFERS: "no no", TEXT: "no no"},
    "JP": {VOICE: "now", WORDS: "no no", AUDIO: "now", OFFERS: "now", TEXT: "no no"},
}
START = datetime(2026, 3, 10, tzinfo=UTC)
SAID = {"don't analyse my voice": "withdraw_voice", "forget this call": "forget_call"}
TAKES_BACK = {"withdraw_voice": {VOICE}, "forget_call": {VOICE, TEXT, AUDIO}}

codes = st.sampled_from(sorted(NEEDS))
purposes = st.sampled_from(sorted(Purpose))
customers = st.sampled_from(["C0", "C1"])


@functools.cache
def _prepared() -> tuple[CustomerStore, sqlite3.Connection, bytes]:
    store = CustomerStore.open("sqlite://")
    import_customers(store, [CustomerIn(id="C0"), CustomerIn(id="C1")], START)
    connection = store.database.engine.raw_connection().driver_connection
    assert isinstance(connection, sqlite3.Connection)
    return store, connection, connection.serialize()


def fresh_store() -> CustomerStore:
    """A store in memory with two customers and no past; making the schema anew takes longer."""
    store, connection, image = _prepared()
    connection.deserialize(image)
    return store


class ConsentWorld(RuleBasedStateMachine):
    """Two customers, one telephone, any order of events."""

    def __init__(self) -> None:
        super().__init__()
        self.store = fresh_store()
        self.regulations = regulation.load()
        self.clock = 0
        self.recorded: dict[str, dict[Purpose, tuple[ConsentState, str]]] = {"C0": {}, "C1": {}}
        self.gone: set[str] = set()
        self.caller: str | None = None
        self.code = "JP"
        self.stated: dict[Purpose, ConsentState] = {}
        self.withdrawn: frozenset[Purpose] = frozenset()
        self.taken_back: set[Purpose] = set()
        self.turns = 0
        self.calls = 0

    @rule(
        caller=st.one_of(st.none(), customers),
        code=codes,
        stated=st.dictionaries(purposes, st.sampled_from(list(ConsentState)), max_size=2),
    )
    def a_call_comes_in(
        self, caller: str | None, code: str, stated: dict[Purpose, ConsentState]
    ) -> None:
        self.caller, self.code, self.stated = caller, code, stated
        self.withdrawn, self.taken_back = frozenset(), set()
        self.calls += 1
        self.turns = 0

    @rule(
        customer=customers,
        purpose=purposes,
        state=st.sampled_from([YES, NO]),
        channel=st.sampled_from(["voice", "web", "written"]),
    )
    def a_consent_is_recorded(
        self, customer: str, purpose: Purpose, state: ConsentState, channel: str
    ) -> None:
        self.clock += 1
        at = START + timedelta(minutes=self.clock)
        record = ConsentRecord(str(self.clock), purpose, state, at, channel=channel)
        written = self.store.record_consent(customer, record)
        assert written == (customer not in self.gone)
        if written:
            self.recorded[customer][purpose] = (state, channel)

    @rule(words=st.sampled_from(sorted(SAID)))
    def the_caller_takes_something_back(self, words: str) -> None:
        signal = SAID[words]
        self.withdrawn |= withdrawals({signal})
        self.taken_back |= TAKES_BACK[signal]

    @rule(code=codes)
    def the_call_is_transferred(self, code: str) -> None:
        """To a line in another jurisdiction: what holds is the law there, what was said stays."""
        self.code = code

    @precondition(lambda self: len(self.gone) < 2)
    @rule(customer=customers)
    def a_customer_is_forgotten(self, customer: str) -> None:
        assert rights.forget(self.store, customer).done
        self.gone.add(customer)
        self.recorded[customer] = {}

    @rule()
    def a_turn_is_written_down(self) -> None:
        turn = TurnWrites(
            f"call-{self.calls}",
            self.turns,
            START,
            self.caller,
            self.code,
            text=f"secret {self.calls}",
            summary=f"secret {self.calls}",
            emotion={"feeling": "sad"},
        )
        self.turns += 1
        allowed = self.allowed()
        self.store.record_turn(turn, self.grants())
        if self.caller is None or self.caller in self.gone:
            return
        latest = rights.export(self.store, self.caller)["contacts"][-1]
        kept = latest["turns"][-1]
        assert ("text" in kept) <= (TEXT in allowed)
        assert ("emotion" in kept) <= (TEXT in allowed and bool({VOICE, WORDS} & allowed))

    def grants(self) -> dict[str, object]:
        row = self.regulations.row(self.code)
        context = self.store.context(self.caller, now=START + timedelta(days=1))
        return dict(grants_for(context, row, self.stated, self.withdrawn))

    def allowed(self) -> set[Purpose]:
        """What the table allows, computed without the code under test."""
        ledger = self.recorded.get(self.caller or "", {})
        allowed = set()
        for purpose, need in NEEDS[self.code].items():
            recorded, channel = ledger.get(purpose, (UNKNOWN, ""))
            stated = self.stated.get(purpose, UNKNOWN)
            if NO in (recorded, stated) or purpose in self.taken_back:
                continue
            if (
                need == "no no"
                or (need == "yes" and YES in (recorded, stated))
                or (need == "written" and recorded is YES and channel == "written")
                or (need == "now" and stated is YES)
            ):
                allowed.add(purpose)
        return allowed

    @invariant()
    def nothing_is_granted_that_the_table_does_not_allow(self) -> None:
        assert set(self.grants()) == {purpose.value for purpose in self.allowed()}

    def teardown(self) -> None:
        assert self.store.verify_audit().whole
