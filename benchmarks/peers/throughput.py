"""Hours of recordings an hour of CPU: `attune evaluate` against the naive pipeline, in one run.

    python benchmarks/peers/throughput.py [--copies N]

The shipped recordings, N and 2 N times over, through `attune evaluate` (one worker, everything it
does: turns, transcript, both estimates of feeling, intent, decision, redaction, report) and through
`naive_pipeline.py`, with PocketSphinx as its wheel gives it and with Attune's own recogniser.
`whole` counts what it takes to start; `running` is the difference between the two lengths. One
thread each. `hours_per_hour` is by the clock, with all that each makes of two cores:
`attune evaluate` has two workers, the script is one process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import soundfile

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "audio_samples"
NAIVE = Path(__file__).with_name("naive_pipeline.py")
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def copies(folder: Path, times: int) -> float:
    """Hours of recordings in the folder."""
    folder.mkdir()
    for number in range(times):
        for path in SAMPLES.glob("*.flac"):
            shutil.copy2(path, folder / f"{path.stem}_{number}.flac")
    return sum(soundfile.info(path).duration for path in folder.glob("*.flac")) / 3_600


def spend(command: list[str]) -> tuple[float, float]:
    """CPU seconds and seconds of the clock."""
    began_s = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | ONE_THREAD | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=False, env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr[-2_000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu_s, time.monotonic() - began_s


def command(system: str, calls: Path, out: Path, workers: int = 1) -> list[str]:
    if system == "attune evaluate":
        told = [
            "--workers",
            str(workers),
            "--recognizer",
            "sphinx",
            "--consent",
            "emotion_voice=granted",
        ]
        return [sys.executable, "-m", "voice.cli", "evaluate", str(calls), "--out", str(out), *told]
    words = "attune" if "Attune" in system else "default"
    return [sys.executable, str(NAIVE), str(calls), str(out), "--words", words]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        hours = {
            size: copies(work / size, options.copies * times)
            for size, times in (("short", 1), ("long", 2))
        }
        base: dict[str, float] = {}
        for system in ("attune evaluate", "naive", "naive with Attune's recogniser"):
            took = {
                size: spend(command(system, work / size, work / f"{system} {size}"))
                for size in hours
            }
            spent = {size: cpu_s for size, (cpu_s, _) in took.items()}
            clock_s = took["long"][1]
            if system == "attune evaluate":
                clock_s = spend(command(system, work / "long", work / "two", workers=2))[1]
            figures = {
                "whole": hours["long"] / spent["long"] * 3_600,
                "running": (hours["long"] - hours["short"])
                / (spent["long"] - spent["short"])
                * 3_600,
            }
            base = base or figures
            told = {
                "system": system,
                "minutes": round(60 * hours["long"], 1),
                "cpu_s": round(spent["long"], 1),
                "hours_per_hour": round(hours["long"] / clock_s * 3_600, 2),
                "hours_per_cpu_hour": {key: round(value, 2) for key, value in figures.items()},
                "attune_is_faster_by": {
                    key: round(base[key] / value, 2) for key, value in figures.items()
                },
            }
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
