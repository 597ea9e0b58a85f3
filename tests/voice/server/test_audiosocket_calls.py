"""Calls from an Asterisk box of our own over TCP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.voice.server.callers import AudioSocketCaller, turns_of
from voice.channels.audiosocket_wire import HangUp, encode
from voice.engines import Engines
from voice.server.audiosocket import AudioSocketDoor
from voice.server.switchboard import Switchboard
from voice.types import AssistantInterrupted, CallEnded, CallEvent, TurnFinished, TurnRecord


class Line:
    """An open door, and every event of every call."""

    def __init__(self, switchboard: Switchboard, port: int) -> None:
        self.switchboard = switchboard
        self.port = port
        self.events: list[CallEvent] = []
        switchboard.watchers.append(lambda _, event: self.events.append(event))

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def records(self) -> list[TurnRecord]:
        return [event.record for event in self.of(TurnFinished)]

    async def until_ended(self) -> CallEnded:
        async with asyncio.timeout(60):
            while not self.of(CallEnded):
                await asyncio.sleep(0.05)
        return self.of(CallEnded)[-1]


@pytest.fixture
async def line(engines: Engines) -> AsyncIterator[Line]:
    board = Switchboard(engines)
    await board.warm_up()
    door = AudioSocketDoor(board)
    opened = Line(board, await door.open("127.0.0.1", 0))
    yield opened
    await door.close()
    await board.close()


@pytest.mark.slow
async def test_a_whole_conversation_with_an_interruption(line: Line, samples_dir: Path) -> None:
    turns = turns_of(samples_dir / "neutral_where_is_my_order.flac")
    async with AudioSocketCaller(line.port) as caller:
        await caller.converse(turns, barge_in=True)
    ended = await line.until_ended()
    assert ended.reason in ("hangup", "closed")
    assert ended.call == caller.id.hex
    assert line.of(AssistantInterrupted)
    assert len(line.records) >= 3
    heard = " ".join(record.transcript.text for record in line.records)
    assert "order" in heard
    assert all(record.spoken for record in line.records)
    assert all(record.engines["channel"] == "audiosocket" for record in line.records)


async def test_a_call_too_many_hears_that_the_lines_are_busy(line: Line) -> None:
    async with AudioSocketCaller(line.port), AudioSocketCaller(line.port):
        async with asyncio.timeout(30):
            while line.switchboard.admission.taken < 2:
                await asyncio.sleep(0.02)
        async with AudioSocketCaller(line.port) as third:
            async with asyncio.timeout(30):
                await third.over.wait()
            assert third.hung_up
            assert third.loud_at_s
            assert line.switchboard.admission.taken == 2


async def test_while_draining_no_call_is_taken(line: Line) -> None:
    assert await line.switchboard.drain(1.0)
    async with AudioSocketCaller(line.port) as caller:
        async with asyncio.timeout(30):
            await caller.over.wait()
        assert caller.hung_up


@pytest.mark.parametrize(
    "data", [b"", b"GET / HTTP/1.1\r\n\r\n", encode(HangUp()), b"\x10\xff\xff" + bytes(99)]
)
async def test_what_is_no_call_is_closed_and_its_place_is_free(line: Line, data: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", line.port)
    writer.write(data)
    if not data:
        writer.write_eof()
    async with asyncio.timeout(30):
        assert await reader.read() == b""
    writer.close()
    await asyncio.sleep(0)
    assert line.switchboard.admission.taken == 0
    assert not line.events


async def test_keys_are_words_and_zero_asks_for_a_person(line: Line) -> None:
    briefs: list[tuple[str, str]] = []

    async def take(call: str, brief) -> None:
        briefs.append((call, brief.problem))

    line.switchboard.brief_takers.append(take)
    async with AudioSocketCaller(line.port) as caller:
        await caller.hears_something(0.0)
        caller.press("0#")
        async with asyncio.timeout(60):
            await caller.over.wait()
        assert caller.hung_up
    ended = await line.until_ended()
    assert ended.reason == "handoff"
    assert line.records[0].decision["strategy"] == "HANDOFF"
    assert line.records[0].transcript.engine == "keypad"
    assert [call for call, _ in briefs] == [caller.id.hex]
