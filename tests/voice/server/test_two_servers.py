"""Two `attune serve` processes on one PostgreSQL: calls in both, one desk's accounts, one audit."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select

from dialogue.customers.models import ContactRow, TurnRow
from dialogue.customers.store import CustomerStore
from tests.dialogue.postgres_server import running_server
from tests.voice.server.callers import AudioSocketCaller
from tests.voice.server.conftest import running
from tests.voice.server.seats import PASSWORD, Seat
from voice.engines import Engines
from voice.server.desk.accounts import Accounts, Role

KEY = "a key that both servers know"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def serving(database: str, folder: Path) -> Iterator[tuple[int, int]]:
    """A server process; its web and AudioSocket ports, once it takes calls."""
    web, audiosocket = free_port(), free_port()
    environment = {
        **os.environ,
        "ATTUNE_DATABASE_URL": database,
        "ATTUNE_DATA_DIR": str(folder),
        "ATTUNE_RECOGNIZER": "sphinx",
        "ATTUNE_MOST_CALLS": "1",
        "ATTUNE_DECISION_DEADLINE_MS": "30000",
        "ATTUNE_UNDERSTANDING_DEADLINE_MS": "30000",
        "ATTUNE_SPEECH_DEADLINE_MS": "30000",
    }
    command = [sys.executable, "-m", "voice.cli", "serve", "--port", str(web)]
    process = subprocess.Popen(
        [*command, "--audiosocket-port", str(audiosocket)],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield web, audiosocket
    finally:
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(30) == 0
        finally:
            process.kill()


def until_ready(web: int) -> None:
    until_s = time.monotonic() + 120
    while time.monotonic() < until_s:
        with suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{web}/readyz").status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("the server was not ready in time")


async def one_turn(port: int) -> str:
    """A call in which a turn is keyed and answered."""
    async with AudioSocketCaller(port) as caller:
        await caller.hears_something(0.0)
        caller.press("44172#")
        since_s = time.monotonic()
        await caller.hears_something(since_s + 0.5)
        return caller.id.hex


async def test_a_signal_while_a_stopped_server_puts_things_away_does_not_cut_that_short(
    engines: Engines,
) -> None:
    async with running(engines) as served:
        served.serving.stop()
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL


@pytest.mark.slow
async def test_two_servers_hold_calls_on_one_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATTUNE_IDENTIFIER_KEY", KEY)
    with (
        running_server() as database,
        serving(database, tmp_path / "a") as (web_a, calls_a),
        serving(database, tmp_path / "b") as (web_b, calls_b),
    ):
        store = CustomerStore.open(database)
        Accounts(store).add("anna.berg", Role.SUPERVISOR, PASSWORD)
        assert Accounts(store).verified("anna\0berg", PASSWORD) is None
        await asyncio.gather(*(asyncio.to_thread(until_ready, web) for web in (web_a, web_b)))
        calls = await asyncio.gather(one_turn(calls_a), one_turn(calls_b))

        # Whoever has logged in at one server is known at the other.
        async with Seat(web_a) as anna:
            there = httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{web_b}", cookies=dict(anna.web.cookies.items())
            )
            seen = await there.get("/desk/audit")
            await there.aclose()
        assert seen.status_code == 200
        assert seen.json()["chain"]["whole"]

        keys = [store.key.short("contact", call) for call in calls]
        with store.database.reading() as connection:
            contacts = connection.execute(
                select(func.count()).select_from(ContactRow).where(ContactRow.key.in_(keys))
            ).scalar()
            turns = connection.execute(
                select(func.count())
                .select_from(TurnRow)
                .join(ContactRow, ContactRow.pk == TurnRow.contact)
                .where(ContactRow.key.in_(keys))
            ).scalar()
        assert (contacts, turns) == (2, 2)
        assert store.verify_audit().whole
        store.close()
