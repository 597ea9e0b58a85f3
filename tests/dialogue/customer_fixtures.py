"""Small stores and customers for the tests of `dialogue.customers`."""

from __future__ import annotations

import multiprocessing
import os
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dialogue.customers.importing import import_customers
from dialogue.customers.store import CustomerStore
from dialogue.customers.wire import CustomerIn
from dialogue.types import Purpose
from nlu.types import Grant

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def open_store(folder: Path, name: str = "customers.db") -> CustomerStore:
    return CustomerStore.open(f"sqlite:///{folder / name}")


def known(store: CustomerStore, **fields: object) -> str:
    """Import one customer and return the id."""
    customer = CustomerIn.model_validate({"id": "C1", "name": "Marcus Reed", **fields})
    import_customers(store, [customer], NOW)
    return customer.id


def all_grants() -> dict[str, Grant]:
    from dialogue.customers.consent import operator_grants

    return dict(operator_grants(Purpose))


def _open_and_leave(url: str) -> None:
    try:
        CustomerStore.open(url).context("C1")
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def open_at_once(url: str, processes: int) -> list[int | None]:
    """Open a database that does not exist yet from several processes; their exit codes."""
    fork = multiprocessing.get_context("fork")
    started = [fork.Process(target=_open_and_leave, args=(url,)) for _ in range(processes)]
    for process in started:
        process.start()
    for process in started:
        process.join()
    return [process.exitcode for process in started]
