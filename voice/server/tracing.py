"""Calls and turns as OpenTelemetry spans, where an endpoint is set. Nothing personal is in them.

A call is a span, each turn a child of it, and of each turn what happened when: the caller speaking,
the silence after it, the stages of the answer, the answer being heard. Words, feelings, customers
and numbers are left out; `attune.call` is the name that the logs use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from nlu.errors import AttuneError
from voice.settings import Settings
from voice.turns.tracker import SPECULATE_AFTER_MS
from voice.types import (
    AssistantInterrupted,
    CallEnded,
    CallEvent,
    CallStarted,
    TurnFinished,
    TurnRecord,
)

STAGES = ("recognition_final", "understanding", "decision", "speech", "actions")
WAITS = ("silence", "speculation", "after_end", "gap")
_NS_PER_MS = 1_000_000


@dataclass(slots=True)
class _Traced:
    """A call under way: its span, and when its audio time began (ns since 1970)."""

    span: Any
    began_ns: int
    turns: int = 0
    interruptions: int = 0

    def at(self, audio_ms: float) -> int:
        return self.began_ns + round(audio_ms * _NS_PER_MS)


class Tracing:
    """A watcher of the switchboard that makes spans with an OpenTelemetry tracer provider."""

    def __init__(self, provider: Any, clock_ns: Callable[[], int] = time.time_ns) -> None:
        from opentelemetry import trace

        self._trace = trace
        self._provider = provider
        self._tracer = provider.get_tracer("attune")
        self._clock_ns = clock_ns
        self._calls: dict[str, _Traced] = {}

    @classmethod
    def from_settings(cls, settings: Settings) -> Self | None:
        """Spans go to `otel_endpoint` (OTLP over HTTP); None where none is set.

        Raises `AttuneError` where the extra is not installed.
        """
        if settings.otel_endpoint is None:
            return None
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            raise AttuneError(
                "Setting 'otel_endpoint' needs OpenTelemetry; "
                'install it with: pip install "attune[otel]".'
            ) from None
        provider = TracerProvider(resource=Resource.create({"service.name": "attune"}))
        provider.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.otel_endpoint))
        )
        return cls(provider)

    def __call__(self, call: str, event: CallEvent) -> None:
        """Take an event of a call."""
        if isinstance(event, CallStarted):
            self._begin(call, event.channel)
        traced = self._calls.get(call)
        if traced is None:
            return
        match event:
            case TurnFinished(record):
                self._turn(traced, record)
            case AssistantInterrupted():
                traced.interruptions += 1
            case CallEnded():
                self._end(call, traced, event)

    def close(self) -> None:
        """Send what is waiting."""
        self._provider.shutdown()

    def _begin(self, call: str, channel: str) -> None:
        began_ns = self._clock_ns()
        span = self._tracer.start_span(
            "call",
            start_time=began_ns,
            kind=self._trace.SpanKind.SERVER,
            attributes={"attune.call": call, "attune.channel": channel.split(maxsplit=1)[0]},
        )
        self._calls[call] = _Traced(span, began_ns)

    def _end(self, call: str, traced: _Traced, event: CallEnded) -> None:
        del self._calls[call]
        traced.span.set_attributes(
            {
                "attune.end": event.reason,
                "attune.turns": traced.turns,
                "attune.interruptions": traced.interruptions,
            }
        )
        if event.reason == "error":
            traced.span.set_status(self._trace.StatusCode.ERROR)
        traced.span.end(traced.at(event.at_ms))

    def _turn(self, traced: _Traced, record: TurnRecord) -> None:
        traced.turns += 1
        spoken = [clause for clause in record.spoken if clause.heard_ms]
        first_ms = record.spoken[0].start_ms if record.spoken else record.end_ms
        ended_ms = max([record.end_ms, first_ms, *(c.start_ms + c.heard_ms for c in spoken)])
        span = self._child(
            traced.span,
            "turn",
            traced.at(record.start_ms),
            {
                "attune.turn": record.turn,
                "attune.strategy": str(record.decision.get("strategy", "none")),
                "attune.interrupted": record.interrupted,
                "attune.fallback": (record.fallback or "").partition(":")[0],
                **{
                    f"attune.{name}_ms": float(record.latency_ms[name])
                    for name in (*STAGES, *WAITS)
                    if name in record.latency_ms
                },
            },
        )
        if record.fallback:
            span.set_status(self._trace.StatusCode.ERROR)
        span.end(traced.at(ended_ms))
        end_ms = record.end_ms
        silent_until_ms = end_ms + record.latency_ms.get("silence", 0.0)
        times = [
            ("caller", record.start_ms, end_ms),
            ("silence", end_ms, silent_until_ms),
            *_stages(record.latency_ms, end_ms + SPECULATE_AFTER_MS),
            ("answer", first_ms, ended_ms),
        ]
        for name, from_ms, to_ms in times:
            self._child(span, name, traced.at(from_ms), {}).end(traced.at(max(from_ms, to_ms)))

    def _child(self, parent: Any, name: str, at_ns: int, attributes: Mapping[str, Any]) -> Any:
        context = self._trace.set_span_in_context(parent)
        return self._tracer.start_span(
            name, context=context, start_time=at_ns, attributes=attributes
        )


def _stages(latency_ms: Mapping[str, float], begin_ms: float) -> list[tuple[str, float, float]]:
    """The stages of the answer: they run one after the other, so they are laid end to end."""
    found = []
    for name in STAGES:
        if name in latency_ms:
            end_ms = begin_ms + latency_ms[name]
            found.append((name, begin_ms, end_ms))
            begin_ms = end_ms
    return found
