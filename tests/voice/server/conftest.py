"""A server with the real engines, on ports of its own, for calls over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from voice.engines import Engines
from voice.server.serving import Listening, Serving
from voice.server.switchboard import Switchboard
from voice.settings import Settings
from voice.types import CallEnded, CallEvent, TurnFinished, TurnRecord

TOKEN = "a token of ours"


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("served"),
        recognizer="sphinx",
        most_calls=2,
        twilio_auth_token=SecretStr(TOKEN),
        drain_s=30,
        recognition_deadline_ms=30_000,
        understanding_deadline_ms=30_000,
        decision_deadline_ms=30_000,
        speech_deadline_ms=30_000,
    )
    opened = Engines.open(settings)
    yield opened
    opened.close()


class Served:
    """A server that runs, and every event of every call."""

    def __init__(self, switchboard: Switchboard, serving: Serving) -> None:
        self.switchboard = switchboard
        self.serving = serving
        self.events: list[tuple[str, CallEvent]] = []
        switchboard.watchers.append(lambda call, event: self.events.append((call, event)))

    @property
    def port(self) -> int:
        assert self.serving.audiosocket_port
        return self.serving.audiosocket_port

    @property
    def web_port(self) -> int:
        return self.serving.web_port

    def of(self, kind: type, call: str | None = None) -> list:
        return [e for name, e in self.events if isinstance(e, kind) and call in (None, name)]

    def records(self, call: str | None = None) -> list[TurnRecord]:
        return [event.record for event in self.of(TurnFinished, call)]

    async def until_ended(self, call: str | None = None) -> CallEnded:
        async with asyncio.timeout(60):
            while not self.of(CallEnded, call):
                await asyncio.sleep(0.05)
        return self.of(CallEnded, call)[-1]

    async def figures(self, channel: str) -> str:
        """The metrics once a call on `channel` is booked as ended."""
        async with asyncio.timeout(60), httpx.AsyncClient() as client:
            while True:
                text = (await client.get(f"http://127.0.0.1:{self.web_port}/metrics")).text
                if f'attune_calls_ended_total{{channel="{channel}"' in text:
                    return text
                await asyncio.sleep(0.05)


@asynccontextmanager
async def running(
    engines: Engines,
    listening: Listening = Listening(port=0, audiosocket_port=0),
    **settings: Any,
) -> AsyncIterator[Served]:
    """A server on free ports, with other settings where given."""
    changed = replace(engines, settings=engines.settings.model_copy(update=settings))
    board = Switchboard(changed)
    serving = Serving(board, listening)
    served = Served(board, serving)
    task = asyncio.ensure_future(serving.run())
    try:
        async with asyncio.timeout(60):
            while not serving.listening:
                if task.done():
                    await task
                await asyncio.sleep(0.02)
        yield served
    finally:
        serving.stop()
        serving.stop()
        await task


@pytest.fixture
async def served(engines: Engines) -> AsyncIterator[Served]:
    async with running(engines) as server:
        yield server
