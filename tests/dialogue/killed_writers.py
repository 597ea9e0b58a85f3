"""Two processes that write the same calls into one database, killed at random and started again.

Used by the tests in a small form and by `benchmarks/killed_writers.py` in the full one.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.process import BaseProcess

from sqlalchemy import func, select

from dialogue.customers.consent import operator_grants
from dialogue.customers.importing import import_customers
from dialogue.customers.models import (
    AuditRow,
    CaseRow,
    ConsentRow,
    ContactRow,
    EffectRow,
    OfferRow,
    PromiseRow,
    TurnRow,
)
from dialogue.customers.records import (
    CaseRecord,
    ConsentRecord,
    EffectRecord,
    OfferRecord,
    PromiseRecord,
    TurnWrites,
)
from dialogue.customers.store import CustomerStore
from dialogue.customers.wire import CustomerIn
from dialogue.types import ConsentState, Purpose

START = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
TURNS_PER_CALL = 10
_OF_EACH_TURN = (TurnRow, EffectRow, OfferRow, PromiseRow, CaseRow, ConsentRow)


@dataclass(frozen=True)
class Outcome:
    """What was found after the last kill."""

    turns: int
    kills: int
    kills_while_writing: int
    half_written: int
    doubled: int
    missing: int
    audit_problem: str | None


def turn_of(number: int) -> TurnWrites:
    """The n-th turn of all: the same whoever writes it, however often."""
    call, turn = divmod(number, TURNS_PER_CALL)
    at = START + timedelta(minutes=number)
    key = f"call-{call}:{turn}"
    return TurnWrites(
        call_id=f"call-{call}",
        turn=turn,
        at=at,
        customer_id=f"C{call % 7}",
        jurisdiction="US-NY",
        intent="refund",
        strategy="DIRECT",
        outcome="resolved",
        summary="asked for a refund",
        text="I would like a refund.",
        emotion={"feeling": "neutral", "turn": turn},
        records=(
            EffectRecord(f"{key}:refund", "refund", True, at, {"paid": "10.00 USD"}),
            OfferRecord(key, "warranty", at, "refused"),
            PromiseRecord(key, "call back", at),
            CaseRecord(key, "refund", "refund", at),
            ConsentRecord(key, Purpose.OFFERS, ConsentState.DENIED, at),
        ),
    )


def _write_all(url: str, turns: int) -> None:
    store = CustomerStore.open(url)
    grants = operator_grants(Purpose)
    for number in range(turns):
        store.record_turn(turn_of(number), grants)
    # Nothing of the parent's (coverage, pytest) is to run in this process.
    os._exit(0)


def _count(store: CustomerStore) -> list[int]:
    with store.database.reading() as connection:
        return [
            connection.execute(select(func.count()).select_from(row)).scalar_one()
            for row in _OF_EACH_TURN
        ]


def run(url: str, turns: int, kills: int, seed: int, longest_s: float = 0.25) -> Outcome:
    """Write `turns` from two processes, kill one of them `kills` times, and look at the result."""
    chance = random.Random(seed)
    store = CustomerStore.open(url)
    customers = [CustomerIn(id=f"C{number}", name=f"Person {number}") for number in range(7)]
    import_customers(store, customers, START)
    store.close()
    fork = multiprocessing.get_context("fork")

    def start() -> BaseProcess:
        process = fork.Process(target=_write_all, args=(url, turns))
        process.start()
        return process

    writers = [start(), start()]
    half_written = done = while_writing = 0
    while done < kills:
        time.sleep(chance.uniform(0.02, longest_s))
        victim = chance.randrange(2)
        if writers[victim].pid is not None and writers[victim].is_alive():
            os.kill(writers[victim].pid, signal.SIGKILL)
        writers[victim].join()
        done += 1
        counts = _count(store)
        half_written += len(set(counts)) > 1
        while_writing += max(counts) < turns
        store.close()
        writers[victim] = start()
    for writer in writers:
        writer.join()
    counts = _count(store)
    with store.database.reading() as connection:
        audited = connection.execute(
            select(func.count()).select_from(AuditRow).where(AuditRow.kind == "effect")
        ).scalar_one()
        courses = connection.execute(select(ContactRow.emotions)).scalars().all()
    lengths = [len(course or ()) for course in courses]
    problem = store.verify_audit().problem
    store.close()
    return Outcome(
        turns,
        done,
        while_writing,
        half_written,
        max(0, max(counts) - turns) + max(0, audited - turns) + max(0, sum(lengths) - turns),
        max(0, turns - min(counts)) + max(0, turns - audited) + max(0, turns - sum(lengths)),
        problem,
    )
