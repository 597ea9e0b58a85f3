"""Whole conversations in real time, over both wires at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.voice.server.callers import AudioSocketCaller, Caller, TwilioCaller, turns_of
from tests.voice.server.conftest import TOKEN, Served
from voice.types import AssistantInterrupted

TURNS = 2


@pytest.mark.slow
async def test_two_callers_interrupt_ask_and_are_answered(
    served: Served, samples_dir: Path
) -> None:
    turns = turns_of(samples_dir / "neutral_where_is_my_order.flac")[:TURNS]
    twilio = TwilioCaller(served.web_port, TOKEN, messy=True)
    asterisk = AudioSocketCaller(served.port)

    async def call(caller: Caller) -> None:
        async with caller:
            await caller.converse(turns, barge_in=True)

    await asyncio.gather(call(twilio), call(asterisk))
    for name, channel in ((twilio.call, "twilio"), (asterisk.id.hex, "audiosocket")):
        assert (await served.until_ended(name)).reason in ("hangup", "closed")
        records = served.records(name)
        assert len(records) >= TURNS
        heard = " ".join(record.transcript.text for record in records)
        assert "order" in heard or "number" in heard
        assert any(record.spoken for record in records)
        assert {record.engines["channel"] for record in records} == {channel}
    assert twilio.cleared >= 1
    interruption = served.of(AssistantInterrupted, twilio.call)[0]
    assert 0 < interruption.heard_ms <= twilio.played_ms
    figures = await served.figures("twilio")
    assert 'attune_turn_seconds_count{stage="gap"}' in figures
    assert "attune_barge_ins_total" in figures
