"""Gap, computing and cut turns over the shipped callers, with the embedded recogniser.

    python benchmarks/calls.py [--recognizer sphinx|whisper] [RECORDING ...]

Every recording runs through the whole loop as `attune call` runs it. Per turn: the gap from the end
of the caller's speech (by voice activity) to the first sample of the answer, in audio time plus
measured computing; the silence in it, which is the same on every machine; the computing left after
the end of the turn was declared. Over all: CPU by stage as a share of one core for a live call (CPU
seconds per second of the caller's side), and turns against the turns in the script.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

import numpy as np
import yaml

from dialogue.types import ConsentState, Purpose
from voice.audio import inspect, pick_channel
from voice.channels.recording import RecordingChannel
from voice.engines import CallerIdentity, Engines, open_loop
from voice.settings import Settings
from voice.types import TurnFinished, TurnRecord

SAMPLES = Path(__file__).parents[1] / "audio_samples"
GRANTED = {Purpose.EMOTION_VOICE: ConsentState.GRANTED}


def hold(engines: Engines, path: Path) -> tuple[list[TurnRecord], dict[str, float], int]:
    records: list[TurnRecord] = []
    info = inspect(path)
    channel = RecordingChannel(info, pick_channel(info, None))
    loop, conversation = open_loop(
        engines,
        channel,
        CallerIdentity(consents=GRANTED),
        observers=[lambda event: isinstance(event, TurnFinished) and records.append(event.record)],
        call=path.stem,
    )
    with closing(conversation):
        asyncio.run(loop.run())
    return records, dict(loop.overhead.cpu_ms), channel.now_ms


def script_turns(path: Path) -> int | None:
    sidecar = path.with_suffix(".yaml")
    if not sidecar.is_file():
        return None
    return len(yaml.safe_load(sidecar.read_text(encoding="utf-8"))["turns"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", nargs="*", type=Path)
    parser.add_argument("--recognizer", default="sphinx")
    options = parser.parse_args()
    paths = options.recordings or sorted(SAMPLES.glob("*.flac"))
    gaps: list[float] = []
    silences: list[float] = []
    left: list[float] = []
    cpu: Counter[str] = Counter()
    heard_s = 0.0
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        with closing(Engines.open(settings, recognizer=options.recognizer)) as engines:
            for path in paths:
                records, overhead, length_ms = hold(engines, path)
                gaps += [record.latency_ms["gap"] for record in records]
                silences += [record.latency_ms["silence"] for record in records]
                left += [record.latency_ms["after_end"] for record in records]
                cpu.update(overhead)
                for record in records:
                    cpu.update(record.extra["cpu_ms"])
                heard_s += length_ms / 1000.0
                expected = script_turns(path)
                print(f"{path.name:36} {len(records)} turns, {expected} in the script", flush=True)
    print(f"\n{'':22} {'n':>4} {'p50':>8} {'p95':>8}")
    for name, values in (("gap", gaps), ("of it silence", silences), ("left after the end", left)):
        p50, p95 = np.percentile(values, [50, 95])
        print(f"{name:22} {len(values):4} {p50:5.0f} ms {p95:5.0f} ms")
    print(f"\nCPU by stage over {heard_s:.0f} s of call, % of one core")
    for stage, ms in cpu.most_common():
        print(f"{stage:22} {ms / heard_s / 10.0:6.2f}")
    spoken = {"recognition", "recognition_final", "speech"}
    rest = sum(ms for stage, ms in cpu.items() if stage not in spoken)
    print(f"{'all but recognition and speech':22} {rest / heard_s / 10.0:6.2f}")


if __name__ == "__main__":
    main()
