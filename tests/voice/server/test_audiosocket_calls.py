"""Calls from an Asterisk box of our own over TCP."""

from __future__ import annotations

import asyncio
import uuid
from pathlib import Path

import pytest

from tests.voice.server.callers import AudioSocketCaller
from tests.voice.server.conftest import Served, running
from voice.channels.audiosocket_wire import CallId, HangUp, Problem, encode
from voice.engines import Engines
from voice.types import CallEnded


async def test_a_call_too_many_hears_that_the_lines_are_busy(served: Served) -> None:
    async with AudioSocketCaller(served.port), AudioSocketCaller(served.port):
        async with asyncio.timeout(30):
            while served.switchboard.admission.taken < 2:
                await asyncio.sleep(0.02)
        async with AudioSocketCaller(served.port) as third:
            async with asyncio.timeout(30):
                await third.over.wait()
            assert third.hung_up
            assert third.loud_at_s
            assert served.switchboard.admission.taken == 2


@pytest.mark.parametrize(
    "data", [b"", b"GET / HTTP/1.1\r\n\r\n", encode(HangUp()), b"\x10\xff\xff" + bytes(99)]
)
async def test_what_is_no_call_is_closed_and_its_place_is_free(served: Served, data: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(data)
    if not data:
        writer.write_eof()
    async with asyncio.timeout(30):
        assert await reader.read() == b""
    writer.close()
    await asyncio.sleep(0)
    assert served.switchboard.admission.taken == 0
    assert not served.events


@pytest.mark.parametrize("last", [b"", encode(Problem(1))])
async def test_a_caller_who_hangs_up_as_asterisk_tells_it_is_no_fault_of_the_line(
    served: Served, caplog: pytest.LogCaptureFixture, last: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(encode(CallId(uuid.uuid4())) + last)
    await reader.readexactly(3)
    writer.write_eof()
    figures = await served.figures("audiosocket")
    writer.close()
    assert 'attune_calls_ended_total{channel="audiosocket",reason="hangup"} 1.0' in figures
    assert "line ended" not in caplog.text


async def test_keys_are_words_and_zero_asks_for_a_person(served: Served) -> None:
    briefs: list[tuple[str, str]] = []

    async def take(call: str, brief) -> None:
        briefs.append((call, brief.problem))

    served.switchboard.brief_takers.append(take)
    async with AudioSocketCaller(served.port) as caller:
        await caller.hears_something(0.0)
        caller.press("0#")
        async with asyncio.timeout(60):
            await caller.over.wait()
        assert caller.hung_up
    ended = await served.until_ended()
    assert ended.reason == "handoff"
    assert served.records()[0].decision["strategy"] == "HANDOFF"
    assert served.records()[0].transcript.engine == "keypad"
    assert [call for call, _ in briefs] == [caller.id.hex]


async def test_a_call_that_cannot_be_held_ends_with_an_apology(
    engines: Engines, tmp_path: Path
) -> None:
    no_folder = tmp_path / "a file"
    no_folder.touch()
    async with (
        running(engines, data_dir=no_folder) as served,
        AudioSocketCaller(served.port) as caller,
    ):
        await caller.hears_something(0.0)
        async with asyncio.timeout(30):
            await caller.over.wait()
        assert caller.hung_up
        assert 'reason="error"} 1.0' in await served.figures("audiosocket")
        assert served.switchboard.admission.taken == 0


async def test_calls_that_a_dialplan_gives_one_uuid_stay_apart(served: Served) -> None:
    async def presses_a_key(caller: AudioSocketCaller) -> None:
        turns = len(served.records())
        caller.press("5#")
        async with asyncio.timeout(60):
            while len(served.records()) == turns:
                await asyncio.sleep(0.05)

    callers = [AudioSocketCaller(served.port) for _ in range(3)]
    for caller in callers:
        caller.id = callers[0].id
    async with callers[0], callers[1]:
        for caller in callers[:2]:
            await caller.hears_something(0.0)
            await presses_a_key(caller)
    await served.figures("audiosocket")
    async with callers[2]:
        await callers[2].hears_something(0.0)
        await presses_a_key(callers[2])
    async with asyncio.timeout(60):
        while len(served.of(CallEnded)) < 3:
            await asyncio.sleep(0.05)
    names = {name for name, _ in served.events}
    assert len(names) == 3
    assert callers[0].id.hex in names
    assert all(served.switchboard.engines.store.knows_call(name) for name in names)
    assert [event.reason for event in served.of(CallEnded)] == ["hangup"] * 3


async def test_a_stopping_server_holds_its_calls_to_their_end_and_takes_none(
    served: Served,
) -> None:
    async with AudioSocketCaller(served.port) as caller:
        await caller.hears_something(0.0)
        served.serving.stop()
        await asyncio.sleep(0)
        async with AudioSocketCaller(served.port) as late:
            async with asyncio.timeout(60):
                await late.over.wait()
            assert late.hung_up
        assert not caller.over.is_set()
        caller.press("0#")
        async with asyncio.timeout(60):
            await caller.over.wait()
    assert (await served.until_ended()).reason == "handoff"
