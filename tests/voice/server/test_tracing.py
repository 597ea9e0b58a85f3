"""Calls and turns as OpenTelemetry spans, taken from the SDK's own in-memory exporter."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from voice.audio import inspect
from voice.channels.recording import RecordingChannel
from voice.engines import CallerIdentity, Engines, open_loop
from voice.server.tracing import STAGES, Tracing
from voice.settings import Settings
from voice.types import CallEvent, TurnFinished

BEGAN_NS = 1_700_000_000_000_000_000


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory, samples_dir: Path) -> Iterator[tuple]:
    trace = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    exporter = memory.InMemorySpanExporter()
    provider = trace.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    tracing = Tracing(provider, clock_ns=lambda: BEGAN_NS)
    events: list[CallEvent] = []

    def watch(event: CallEvent) -> None:
        events.append(event)
        tracing("call-1", event)

    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), recognizer="sphinx")
    engines = Engines.open(settings)
    try:
        channel = RecordingChannel(
            inspect(samples_dir / "neutral_where_is_my_order.flac"), "mono", None
        )
        loop, conversation = open_loop(
            engines, channel, CallerIdentity(customer="C1005"), observers=[watch], call="call-1"
        )
        asyncio.run(loop.run())
        conversation.close()
    finally:
        engines.close()
    records = [event.record for event in events if isinstance(event, TurnFinished)]
    yield exporter.get_finished_spans(), records


def named(spans, name: str) -> list:
    return [span for span in spans if span.name == name]


def test_a_call_is_a_span_and_every_turn_its_child(traced) -> None:
    spans, records = traced
    (call,) = named(spans, "call")
    assert call.start_time == BEGAN_NS
    assert call.attributes["attune.turns"] == len(records) >= 2
    assert call.attributes["attune.end"] == "hangup"
    turns = named(spans, "turn")
    assert [turn.attributes["attune.turn"] for turn in turns] == [r.turn for r in records]
    assert all(turn.parent.span_id == call.context.span_id for turn in turns)
    assert all(call.start_time <= turn.start_time < turn.end_time for turn in turns)
    assert [t.attributes["attune.strategy"] for t in turns] == [
        r.decision["strategy"] for r in records
    ]


def test_the_stages_of_a_turn_lie_in_it_and_take_what_the_record_says(traced) -> None:
    spans, records = traced
    for turn, record in zip(named(spans, "turn"), records, strict=True):
        stages = {s.name: s for s in spans if s.parent and s.parent.span_id == turn.context.span_id}
        assert {"caller", "silence", "answer", "recognition_final", "decision"} <= stages.keys()
        assert stages["caller"].start_time == turn.start_time
        assert stages["answer"].end_time == turn.end_time
        for name in STAGES:
            if name in record.latency_ms:
                taken_ms = (stages[name].end_time - stages[name].start_time) / 1e6
                assert taken_ms == pytest.approx(record.latency_ms[name], abs=0.01)


def test_nothing_that_was_said_or_felt_is_in_a_span(traced) -> None:
    spans, records = traced
    told = " ".join(f"{span.name} {dict(span.attributes)}" for span in spans).lower()
    for record in records:
        for word in record.transcript.text.lower().split():
            assert len(word) < 5 or word not in told
    for secret in ("c1005", "neutral", "angry", "emotion", "where_is_my_order"):
        assert secret not in told


def test_nothing_is_traced_unless_an_endpoint_is_set(tmp_path: Path) -> None:
    assert Tracing.from_settings(Settings(data_dir=tmp_path)) is None
