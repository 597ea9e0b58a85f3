"""How long reading a caller's context takes, with a million contacts in the store.

    python benchmarks/customer_context.py [--contacts 1000000] [--reads 2000] [--url URL]

Prints one JSON object: p50 and p95 in milliseconds, by id and by telephone number, warm, for
customers with an ordinary history and for one with 20,000 contacts; and for comparison the wall
and CPU time of filling the store. Without --url a SQLite file in a temporary folder is used.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert

sys.path.insert(0, str(Path(__file__).parents[1]))

from dialogue.customers.models import (
    Base,
    CaseRow,
    ConsentRow,
    ContactRow,
    CustomerRow,
    IdentifierRow,
    PromiseRow,
)
from dialogue.customers.store import CustomerStore

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
INTENTS = ("order_status", "refund", "delivery", "billing", "complaint", "something_else")
OUTCOMES = ("resolved", "resolved", "resolved", "unresolved", "escalated", "abandoned")
CONTACTS_EACH = 10
BUSIEST = 20_000
BATCH = 20_000


def phone_of(number: int) -> str:
    return f"+1212{number:07d}"


def fill(store: CustomerStore, contacts: int) -> int:
    """Fill the store; returns how many customers there are. The last one has `BUSIEST` contacts."""
    customers = max(2, (contacts - BUSIEST) // CONTACTS_EACH)
    chance = random.Random(1)

    def put(row: type[Base], rows: Iterator[dict[str, Any]]) -> None:
        batch: list[dict[str, Any]] = []
        with store.database.writing() as connection:
            for values in rows:
                batch.append(values)
                if len(batch) == BATCH:
                    connection.execute(insert(row), batch)
                    batch = []
            if batch:
                connection.execute(insert(row), batch)

    put(CustomerRow, ({
        "pk": pk, "id": f"C{pk}", "subject": f"{pk:032x}", "name": f"Person {pk}",
        "locale": "en-US", "jurisdiction": "US-NY", "flags": 0, "attributes": {}, "created_at": NOW,
    } for pk in range(1, customers + 1)))  # fmt: skip
    put(IdentifierRow, ({
        "customer": pk, "kind": "phone", "digest": store.key.digest("phone", phone_of(pk)),
    } for pk in range(1, customers + 1)))  # fmt: skip
    put(ConsentRow, ({
        "key": f"{pk:024x}{index:08x}", "subject": f"{pk:032x}", "purpose": purpose,
        "state": "granted", "at": NOW - timedelta(days=400), "wording_version": "1",
        "channel": "web", "commitment": "0" * 64,
    } for pk in range(1, customers + 1)
      for index, purpose in enumerate(("emotion_voice", "offers"))))  # fmt: skip
    put(CaseRow, ({
        "customer": pk, "id": "K1", "subject": "late chair", "intent": "delivery",
        "status": "open", "opened_at": NOW - timedelta(days=5),
    } for pk in range(1, customers + 1, 3)))  # fmt: skip
    put(PromiseRow, ({
        "customer": pk, "key": f"{pk:032x}", "case_id": "K1", "text": "delivery by Friday",
        "made_at": NOW - timedelta(days=5),
    } for pk in range(1, customers + 1, 3)))  # fmt: skip

    def history() -> Iterator[dict[str, Any]]:
        owners = [*range(1, customers + 1)] * CONTACTS_EACH
        chance.shuffle(owners)
        owners += [customers] * BUSIEST
        for number, owner in enumerate(owners[:contacts]):
            yield {
                "customer": owner, "key": f"{number:032x}",
                "at": NOW - timedelta(minutes=chance.randrange(60 * 24 * 500)),
                "jurisdiction": "US-NY", "intent": chance.choice(INTENTS), "channel": "phone",
                "outcome": chance.choice(OUTCOMES),
                "summary": "Asked where the order is; told the date; satisfied with it.",
            }  # fmt: skip

    put(ContactRow, history())
    with store.database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")
    return customers


def milliseconds(read: Callable[[int], object], reads: int, customers: int) -> dict[str, float]:
    chance = random.Random(2)
    times = []
    for number in range(reads + 50):
        customer = chance.randrange(1, customers)
        begun = time.perf_counter()
        read(customer)
        if number >= 50:
            times.append((time.perf_counter() - begun) * 1000)
    cuts = statistics.quantiles(times, n=100)
    return {"p50_ms": round(cuts[49], 3), "p95_ms": round(cuts[94], 3)}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--contacts", type=int, default=1_000_000)
    options.add_argument("--reads", type=int, default=2_000)
    options.add_argument("--url")
    options.add_argument("--data", help="not needed; accepted as by the other benchmarks")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = CustomerStore.open(given.url or f"sqlite:///{folder}/customers.db")
        begun = time.perf_counter()
        customers = fill(store, given.contacts)
        filled_s = time.perf_counter() - begun
        size = Path(folder, "customers.db")
        cpu = time.process_time()
        by_id = milliseconds(lambda pk: store.context(f"C{pk}", now=NOW), given.reads, customers)
        cpu = (time.process_time() - cpu) / (given.reads + 50) * 1000
        result = {
            "contacts": given.contacts,
            "customers": customers,
            "database_mb": round(size.stat().st_size / 1e6) if size.exists() else None,
            "filled_s": round(filled_s, 1),
            "by_id": by_id,
            "by_id_cpu_ms": round(cpu, 3),
            "by_phone": milliseconds(
                lambda pk: store.context(phone=phone_of(pk), now=NOW), given.reads, customers
            ),
            f"with_{BUSIEST}_contacts": milliseconds(
                lambda _pk: store.context(f"C{customers}", now=NOW), given.reads // 10, customers
            ),
        }
        store.close()
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
