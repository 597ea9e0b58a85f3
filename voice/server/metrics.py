"""What Prometheus sees: calls, gaps by stage, interruptions, handoffs, queues. Nothing personal."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from voice.types import AssistantInterrupted, AssistantResumed, CallEvent, Speaker, TurnFinished

_BUCKETS_S = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 3.0, 5.0, 10.0)


class Metrics:
    """The figures of one server, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Gauge("attune_calls", "Calls under way.", ["channel"], registry=self.registry)
        self.ended = Counter(
            "attune_calls_ended",
            "Calls that ended, by reason.",
            ["channel", "reason"],
            registry=self.registry,
        )
        self.refused = Counter(
            "attune_calls_refused",
            "Calls that were not taken, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.turns = Counter(
            "attune_turns", "Finished turns.", ["strategy"], registry=self.registry
        )
        self.stages = Histogram(
            "attune_turn_seconds",
            "A turn by stage; 'gap' is from the end of the caller's speech to the first sound.",
            ["stage"],
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.barge_ins = Counter(
            "attune_barge_ins",
            "Times a caller interrupted the assistant.",
            registry=self.registry,
        )
        self.false_alarms = Counter(
            "attune_false_alarms",
            "Times the assistant fell silent for a sound that was nobody, and went on.",
            registry=self.registry,
        )
        self.fallbacks = Counter(
            "attune_fallbacks",
            "Turns answered with a fallback because a stage failed.",
            registry=self.registry,
        )
        self.handoffs = Counter(
            "attune_handoffs",
            "Handoffs to a person, by result.",
            ["result"],
            registry=self.registry,
        )
        self.wire_errors = Counter(
            "attune_wire_errors",
            "Lines closed for what came over the wire.",
            ["channel"],
            registry=self.registry,
        )

    def watch_pool(self, pool: str, waiting: Callable[[], float]) -> None:
        """Show how much work waits in a pool; `waiting` is asked at each scrape."""
        if not hasattr(self, "_pools"):
            self._pools = Gauge(
                "attune_pool_waiting",
                "Work waiting in a shared pool.",
                ["pool"],
                registry=self.registry,
            )
        self._pools.labels(pool).set_function(waiting)

    def __call__(self, event: CallEvent) -> None:
        """Count an event of a call."""
        if isinstance(event, AssistantInterrupted):
            self.barge_ins.inc()
        if isinstance(event, AssistantResumed):
            self.false_alarms.inc()
        if not isinstance(event, TurnFinished):
            return
        record = event.record
        by_agent = record.speaker is Speaker.AGENT
        strategy = "AGENT" if by_agent else str(record.decision.get("strategy", "none"))
        self.turns.labels(strategy).inc()
        if record.fallback:
            self.fallbacks.inc()
        if by_agent or record.review is not None:
            # How long a person takes is no figure of the machine's.
            return
        for stage, taken_ms in record.latency_ms.items():
            self.stages.labels(stage).observe(max(0.0, taken_ms) / 1000.0)
