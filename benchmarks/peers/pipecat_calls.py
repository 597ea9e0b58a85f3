"""Live calls: Attune's loop against a Pipecat pipeline with the same engines, in one run.

    python benchmarks/peers/pipecat_calls.py [--recordings N] [--at-once N]

The callers of the shipped recordings speak in real time (`live_caller.py`), one call after the
other and by turns to each system, each in a process of its own that has answered a call before
anything is measured. `pipecat` ends a turn with Smart Turn v3, its default,
`pipecat-silence` after a fixed silence. Per system: the gap as the caller hears it, cut-ins, lines
left without an answer, CPU seconds a call with the synthesiser's processes (the caller's own cost
is in both), and with `--at-once N` the memory that each further call at once takes, from N calls
held together at the end. About a minute and a half for each recording and system.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

SAMPLES = ROOT / "audio_samples"
RECORDINGS = (
    "neutral_where_is_my_order",
    "angry_late_delivery",
    "telephone_refund",
    "anxious_double_charge",
    "confused_bill",
    "angry_damaged_item",
    "sad_gift_for_funeral",
    "neutral_spelled_email",
    "happy_quick_delivery",
    "wants_human",
)
SYSTEMS = ("attune", "pipecat", "pipecat-silence")
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s() -> float:
    """CPU seconds of this process and of the processes that it started."""
    own = time.process_time()
    parents = {os.getpid()}
    spent = {}
    for path in sorted(Path("/proc").glob("[0-9]*/stat"), key=lambda each: int(each.parts[2])):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        number, parent = int(path.parts[2]), int(fields[1])
        if parent in parents and number != os.getpid():
            parents.add(number)
            spent[number] = (int(fields[11]) + int(fields[12])) / _TICKS
    return own + sum(spent.values())


def memory_mb() -> float:
    """Resident memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


async def attune(engines, caller, call: str) -> None:
    from dialogue.types import ConsentState, Purpose
    from voice.engines import CallerIdentity, open_loop

    identity = CallerIdentity(
        jurisdiction="US-NY", consents={Purpose.EMOTION_VOICE: ConsentState.GRANTED}
    )
    loop, conversation = open_loop(engines, caller, identity, call=call)
    with closing(conversation):
        await loop.run()


async def serve(system: str) -> None:
    """Hold the calls that standard input names, one line of JSON for each on standard output."""
    from live_caller import LiveCaller

    from voice.engines import Engines
    from voice.settings import Settings

    if system == "attune":
        hold = attune
    else:
        import pipecat_bot
        from loguru import logger

        logger.remove()
        hold = functools.partial(pipecat_bot.hold, smart_turn=system == "pipecat")
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder), recognizer="sphinx")
        with closing(Engines.open(settings)) as engines:
            number = 0
            while line := await asyncio.to_thread(sys.stdin.readline):
                callers = [LiveCaller(SAMPLES / f"{name}.flac") for name in json.loads(line)]
                cpu, memory, peak = cpu_s(), memory_mb(), [0.0]
                calls = []
                for caller in callers:
                    number += 1
                    calls.append(hold(engines, caller, f"call-{number}"))
                watch = asyncio.ensure_future(_watched(peak))
                await asyncio.gather(*calls)
                watch.cancel()
                told = {
                    "gaps_ms": [gap for caller in callers for gap in caller.call.gaps_ms],
                    "lines": sum(len(caller.call.lines) for caller in callers),
                    "cut_ins": sum(caller.call.cut_ins for caller in callers),
                    "unanswered": sum(caller.call.unanswered for caller in callers),
                    "cpu_s": cpu_s() - cpu,
                    "seconds": max(caller.now_ms for caller in callers) / 1000,
                    "memory_before_mb": memory,
                    "memory_peak_mb": peak[0],
                }
                print(json.dumps(told), flush=True)


async def _watched(peak: list[float]) -> None:
    while True:
        peak[0] = max(peak[0], memory_mb())
        await asyncio.sleep(0.2)


class Process:
    def __init__(self, system: str) -> None:
        command = [sys.executable, __file__, "--serve", system]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def hold(self, names: list[str]) -> dict:
        self._process.stdin.write(json.dumps(names) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("a system ended; its messages stand above.")
        return json.loads(line)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=0)
    parser.add_argument("--serve", choices=SYSTEMS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ["HF_HUB_OFFLINE"] = "1"
    if options.serve:
        asyncio.run(serve(options.serve))
        return
    systems = {name: Process(name) for name in SYSTEMS}
    results: dict[str, list[dict]] = {name: [] for name in SYSTEMS}
    for system in systems.values():
        system.hold([RECORDINGS[-1]])
    for recording in RECORDINGS[: options.recordings]:
        for name, system in systems.items():
            told = system.hold([recording])
            results[name].append(told)
            print(f"{name:8} {recording:26} {json.dumps(told)}", file=sys.stderr, flush=True)
    for name, calls in results.items():
        gaps = [gap for call in calls for gap in call["gaps_ms"]]
        told = {
            "system": name,
            "calls": len(calls),
            "lines": sum(call["lines"] for call in calls),
            "gap_p50_ms": round(float(np.percentile(gaps, 50))),
            "gap_p95_ms": round(float(np.percentile(gaps, 95))),
            "cut_ins": sum(call["cut_ins"] for call in calls),
            "unanswered": sum(call["unanswered"] for call in calls),
            "cpu_s_per_call": round(sum(call["cpu_s"] for call in calls) / len(calls), 2),
            "cpu_percent_of_a_core": round(
                100 * sum(call["cpu_s"] for call in calls) / sum(call["seconds"] for call in calls)
            ),
            "memory_mb": round(calls[-1]["memory_peak_mb"]),
        }
        if options.at_once > 1:
            names = [RECORDINGS[at % 5] for at in range(options.at_once)]
            both = systems[name].hold(names)
            more = both["memory_peak_mb"] - both["memory_before_mb"]
            told["at_once"] = options.at_once
            told["gap_p50_ms_at_once"] = round(float(np.percentile(both["gaps_ms"], 50)))
            told["memory_mb_a_call"] = round(more / options.at_once, 1)
        print(json.dumps(told), flush=True)
    for system in systems.values():
        system.close()


if __name__ == "__main__":
    main()
