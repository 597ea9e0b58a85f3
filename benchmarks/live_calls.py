"""Live calls over loopback sockets: callers of our own play real audio in real time.

    python benchmarks/live_calls.py [--calls N] [--turns N] [--wire WIRE]

`WIRE` is audiosocket, twilio, kiosk, both (the telephones) or all; the callers take turns in it.
Each of the N callers says N turns of the shipped recordings, and calls again when a recording is
over. They run in a process of their own.

Prints, over all turns: the gap from the last sample that a caller sent to the first sound that came
back (p50, p95), as the caller hears it; the same by the server's own records; what became of every
turn; and the server's CPU, as points of one core for as many calls under way at once as there are
callers: recognition, voice features, understanding and deciding, speech with its worker processes,
and the event loop with all that is done for each 20 ms frame. The first turn of a call interrupts
the greeting: where the assistant does not give way, it talks over the turn, and there is no record
of it. Between their turns the callers send digital silence; at the kiosk they consent to voice
emotion, on the telephone nobody asks them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TypeVar

# As `attune` itself does: BLAS threads beyond one wait for each other and count as work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

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
    TurnDropped,
    TurnFinished,
    TurnRecord,
)

T = TypeVar("T")
TOKEN = "benchmark"
WIRES = {"both": ["audiosocket", "twilio"], "all": ["audiosocket", "twilio", "kiosk"]}
SAMPLES = ("neutral_where_is_my_order", "telephone_refund", "confused_bill", "angry_damaged_item")
TURNS_A_CALL = 3


@dataclass
class Heard:
    """What the callers did and heard."""

    gaps_s: list[float] = field(default_factory=list)
    said: int = 0
    talked_over: int = 0
    calls: int = 0
    call_s: float = 0.0

    @property
    def unsaid(self) -> int:
        """Turns that could not be said: the assistant had hung up."""
        return self.said - len(self.gaps_s) - self.talked_over


@dataclass
class Seen:
    """What the server said of its calls."""

    records: list[TurnRecord] = field(default_factory=list)
    dropped: int = 0

    def __call__(self, _: str, event: CallEvent) -> None:
        """Take an event of a call."""
        if isinstance(event, TurnFinished):
            self.records.append(event.record)
        self.dropped += isinstance(event, TurnDropped)


async def measure(options: argparse.Namespace, settings: Settings) -> None:
    with closing(Engines.open(settings)) as engines:
        booked = Booked(engines.recognizer)
        board = Switchboard(replace(engines, recognizer=booked))
        seen = Seen()
        board.watchers.append(seen)
        serving = Serving(board, Listening(port=0, audiosocket_port=0))
        task = asyncio.ensure_future(serving.run())
        while not serving.listening and not task.done():
            await asyncio.sleep(0.05)
        booked.cpu_s, before = 0.0, cpu_s()
        callers = await asyncio.create_subprocess_exec(
            sys.executable, __file__, "--ports", f"{serving.web_port},{serving.audiosocket_port}",
            "--calls", str(options.calls), "--turns", str(options.turns), "--wire", options.wire,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, _ = await callers.communicate()
        spent = {name: value - before[name] for name, value in cpu_s().items()}
        serving.stop()
        await task
    heard = Heard(**json.loads(said))
    show("gap as heard", [1_000.0 * gap for gap in heard.gaps_s])
    show("gap by the record", [r.latency_ms["gap"] for r in seen.records if "gap" in r.latency_ms])
    show_turns(heard, seen)
    show_cpu(options.calls / heard.call_s, booked.cpu_s, spent, seen)


def cpu_s() -> dict[str, float]:
    """CPU seconds so far: of this process, of its event loop's thread, of its speech workers."""
    workers = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == os.getpid() and b"worker_process" in _command(folder):
                workers += sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")
    return {"process": time.process_time(), "loop": time.thread_time(), "workers": workers}


def _command(folder: Path) -> bytes:
    return (folder / "cmdline").read_bytes()


def show(name: str, values_ms: list[float]) -> None:
    """Percentiles of a list of milliseconds."""
    if values_ms:
        p50, p95 = np.percentile(values_ms, [50, 95])
        print(f"{name}: p50 {p50:.0f} ms, p95 {p95:.0f} ms ({len(values_ms)} turns)")


def show_turns(heard: Heard, seen: Seen) -> None:
    """What became of every turn."""
    fallbacks = Counter(r.fallback for r in seen.records if r.fallback is not None)
    print(
        f"{heard.said} turns said in {heard.calls} calls: {len(heard.gaps_s)} heard an answer, "
        f"{heard.talked_over} were talked over, {heard.unsaid} came too late; "
        f"{len(seen.records)} records ({sum(fallbacks.values())} with a fallback), "
        f"{seen.dropped} turns dropped as no speech"
    )
    for reason, count in fallbacks.items():
        print(f"  fallback, {count} times: {reason}")


def show_cpu(scale: float, recognition_s: float, spent: dict[str, float], seen: Seen) -> None:
    """The server's CPU in points of a core; `scale` is calls at once a second of call."""
    stages: Counter[str] = Counter()
    for record in seen.records:
        stages.update({k: v / 1000.0 for k, v in record.extra.get("cpu_ms", {}).items()})
    threads_s = spent["process"] - spent["loop"] - recognition_s
    parts_s = {
        "voice features": stages["voice_emotion"],
        "understanding and deciding": sum(
            stages[name] for name in ("understanding", "decision", "actions")
        ),
        "speech": stages["speech"],
        "speech workers": spent["workers"],
        "event loop": spent["loop"],
    }
    parts_s["other threads"] = threads_s - sum(list(parts_s.values())[:3])
    rest_s = spent["process"] + spent["workers"] - recognition_s
    print(f"CPU, points of a core: recognition {100 * scale * recognition_s:.1f}, "
          f"everything else {100 * scale * rest_s:.1f}")  # fmt: skip
    for name, part_s in parts_s.items():
        print(f"  {name}: {100 * scale * part_s:.1f}")


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
        self._booked.timed(self._stream.close)


async def call_all(options: argparse.Namespace) -> Heard:
    """All callers at once; they begin a second apart."""
    heard = Heard()
    ports = [int(port) for port in options.ports.split(",")]
    wires = WIRES.get(options.wire, [options.wire])

    async def caller(index: int) -> None:
        await asyncio.sleep(index)
        left, recording = options.turns, index
        while left > 0:
            turns = min(left, TURNS_A_CALL)
            await hold(ports, wires[index % len(wires)], recording, turns, heard)
            left, recording = left - turns, recording + 1

    await asyncio.gather(*(caller(index) for index in range(options.calls)))
    return heard


async def hold(ports: list[int], wire: str, recording: int, turns: int, heard: Heard) -> None:
    """One call: the first turn interrupts the greeting."""
    caller: Caller
    if wire == "twilio":
        caller = TwilioCaller(ports[0], TOKEN)
    elif wire == "kiosk":
        caller = KioskCaller(ports[0], consent="granted")
    else:
        caller = AudioSocketCaller(ports[1])
    rate_hz = KIOSK_HZ if wire == "kiosk" else 8_000
    name = SAMPLES[recording % len(SAMPLES)]
    said = turns_of(ROOT / "audio_samples" / f"{name}.flac", rate_hz)[:turns]
    began_s = time.monotonic()
    gaps_s: list[float] = []
    async with caller:
        with suppress(AssertionError):
            gaps_s = await caller.converse(said, barge_in=True)
    heard.call_s += time.monotonic() - began_s
    heard.gaps_s += gaps_s
    heard.said += len(said)
    heard.talked_over += caller.talked_over
    heard.calls += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--calls", type=int, default=1, help="calls at once")
    parser.add_argument("--turns", type=int, default=3, help="turns of each caller")
    parser.add_argument(
        "--wire", choices=["audiosocket", "twilio", "kiosk", "both", "all"], default="both"
    )
    parser.add_argument("--ports", help=argparse.SUPPRESS)
    options = parser.parse_args()
    with asyncio.Runner(loop_factory=event_loop_factory()) as runner:
        if options.ports:
            print(json.dumps(asdict(runner.run(call_all(options)))))
            return
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(
                data_dir=Path(folder),
                recognizer="sphinx",
                # Who calls again at once may be there before the last call is quite over.
                most_calls=2 * options.calls,
                most_calls_per_address=2 * options.calls,
                twilio_auth_token=SecretStr(TOKEN),
            )
            runner.run(measure(options, settings))


if __name__ == "__main__":
    main()
