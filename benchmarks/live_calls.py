"""Live calls over loopback sockets: callers of our own play real audio in real time.

    python benchmarks/live_calls.py [--calls N] [--turns N] [--wire WIRE]

`WIRE` is audiosocket, twilio, kiosk, both (the telephones) or all; the calls take turns in it.

Prints, over all turns: the gap from the last sample that a caller sent to the first sound that came
back (p50, p95), as the caller hears it; the same by the server's own records; the CPU of the
server's process as a share of one core (callers included, they run in it: about 1 % each), and how
much of it was recognition; and whether every turn was answered. One call takes about half a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from pydantic import SecretStr

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.voice.server.callers import (  # noqa: E402
    KIOSK_HZ,
    AudioSocketCaller,
    Caller,
    KioskCaller,
    TwilioCaller,
    turns_of,
)
from voice.commands.serve import _event_loop_factory as event_loop_factory  # noqa: E402
from voice.engines import Engines  # noqa: E402
from voice.server.serving import Listening, Serving  # noqa: E402
from voice.server.switchboard import Switchboard  # noqa: E402
from voice.settings import Settings  # noqa: E402
from voice.types import (  # noqa: E402
    AudioFrame,
    CallEvent,
    Expectation,
    Recognizer,
    RecognizerStream,
    Transcript,
    TurnFinished,
    TurnRecord,
)

T = TypeVar("T")
TOKEN = "benchmark"
WIRES = {"both": ["audiosocket", "twilio"], "all": ["audiosocket", "twilio", "kiosk"]}
SAMPLES = ("neutral_where_is_my_order", "telephone_refund", "confused_bill", "angry_damaged_item")


async def measure(calls: int, turns: int, wire: str, settings: Settings) -> None:
    with closing(Engines.open(settings)) as engines:
        booked = Booked(engines.recognizer)
        board = Switchboard(replace(engines, recognizer=booked))
        records: list[TurnRecord] = []

        def watch(_: str, event: CallEvent) -> None:
            if isinstance(event, TurnFinished):
                records.append(event.record)

        board.watchers.append(watch)
        serving = Serving(board, Listening(port=0, audiosocket_port=0))
        task = asyncio.ensure_future(serving.run())
        while not serving.listening and not task.done():
            await asyncio.sleep(0.05)
        booked.cpu_s = 0.0
        cpu_s, wall_s = time.process_time(), time.monotonic()
        held = (hold(serving, index, turns, wire) for index in range(calls))
        gaps_s = [gap for call in await asyncio.gather(*held) for gap in call]
        cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - wall_s
        serving.stop()
        await task
    show("gap as heard", [1_000.0 * gap for gap in gaps_s])
    show("gap by the record", [r.latency_ms["gap"] for r in records if "gap" in r.latency_ms])
    failed = sum(record.fallback is not None for record in records)
    print(f"{calls} calls, {len(records)} turns, {failed} answered with a fallback")
    share, recognising = 100 * cpu_s / wall_s, 100 * booked.cpu_s / wall_s
    print(
        f"CPU {share:.0f} % of a core, {share / calls:.1f} % a call: recognition "
        f"{recognising / calls:.1f} %, everything else {(share - recognising) / calls:.1f} %"
    )


class Booked:
    """A recogniser whose CPU is counted, in whatever thread it runs."""

    def __init__(self, recognizer: Recognizer) -> None:
        self.name = recognizer.name
        self._recognizer = recognizer
        self.cpu_s = 0.0

    def timed(self, work: Callable[[], T]) -> T:
        """Run work and count its CPU."""
        began_s = time.thread_time()
        try:
            return work()
        finally:
            self.cpu_s += time.thread_time() - began_s

    def stream(self, expectation: Expectation = Expectation()) -> BookedStream:  # noqa: B008
        """Begin a turn."""
        return BookedStream(self, self.timed(lambda: self._recognizer.stream(expectation)))


class BookedStream:
    """A stream of it."""

    def __init__(self, booked: Booked, stream: RecognizerStream) -> None:
        self._booked = booked
        self._stream = stream

    def accept(self, frame: AudioFrame) -> None:
        """Take a frame."""
        self._booked.timed(lambda: self._stream.accept(frame))

    def partial(self) -> str:
        """The words so far."""
        return self._booked.timed(self._stream.partial)

    def final(self) -> Transcript:
        """The words."""
        return self._booked.timed(self._stream.final)

    def close(self) -> None:
        """Free it."""
        self._stream.close()


async def hold(serving: Serving, index: int, turns: int, wire: str) -> list[float]:
    """One call; they begin a second apart."""
    await asyncio.sleep(index)
    caller: Caller
    wires = WIRES.get(wire, [wire])
    chosen = wires[index % len(wires)]
    if chosen == "twilio":
        caller = TwilioCaller(serving.web_port, TOKEN)
    elif chosen == "kiosk":
        caller = KioskCaller(serving.web_port)
    else:
        caller = AudioSocketCaller(serving.audiosocket_port or 0)
    rate_hz = KIOSK_HZ if chosen == "kiosk" else 8_000
    said = turns_of(ROOT / "audio_samples" / f"{SAMPLES[index % len(SAMPLES)]}.flac", rate_hz)
    async with caller:
        return await caller.converse(said[:turns], barge_in=True)


def show(name: str, values_ms: list[float]) -> None:
    if values_ms:
        p50, p95 = np.percentile(values_ms, [50, 95])
        print(f"{name}: p50 {p50:.0f} ms, p95 {p95:.0f} ms ({len(values_ms)} turns)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--calls", type=int, default=1)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument(
        "--wire", choices=["audiosocket", "twilio", "kiosk", "both", "all"], default="both"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder),
            recognizer="sphinx",
            most_calls=max(2, options.calls),
            most_calls_per_address=max(2, options.calls),
            twilio_auth_token=SecretStr(TOKEN),
        )
        with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
            runner.run(measure(options.calls, options.turns, options.wire, settings))


if __name__ == "__main__":
    main()
