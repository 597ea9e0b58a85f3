"""How `attune evaluate` scales: `python benchmarks/evaluate_scale.py [scaling|killed|memory ...]`.

scaling  the shipped recordings, four times over, with one worker and with two: wall seconds and
         CPU seconds. `--ray` adds Ray with two.
killed   a run with two workers is killed (SIGKILL) at random moments and started again until it is
         done; every file must be the same as that of an unbroken run.
memory   the peak memory of a worker for a 10-hour recording (a minute of speech an hour,
         the rest silence) and for one minute of it.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile

from voice.audio import read_audio
from voice.types import RATE_HZ

SAMPLES = Path(__file__).parents[1] / "audio_samples"
HOURS = 10
SPEECH_S = 60


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "voice.cli", "evaluate", *arguments, "--recognizer", "sphinx"]


def run(*arguments: str) -> tuple[float, float]:
    """Wall and CPU seconds of a run, workers included."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command(*arguments), check=True, stderr=subprocess.DEVNULL)
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, used


def copies(folder: Path, times: int) -> Path:
    for number in range(times):
        for path in sorted(SAMPLES.glob("*.flac")):
            target = folder / f"{path.stem}_{number}.flac"
            shutil.copy2(path, target)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def scaling(work: Path, with_ray: bool) -> None:
    calls = copies(work / "calls", 4)
    one, one_cpu = run(str(calls), "--workers", "1", "--out", str(work / "one"))
    two, two_cpu = run(str(calls), "--workers", "2", "--out", str(work / "two"))
    same = contents(work / "one") == contents(work / "two")
    print(f"1 worker  {one:6.1f} s wall {one_cpu:6.1f} s CPU")
    print(f"2 workers {two:6.1f} s wall {two_cpu:6.1f} s CPU: {one / two:.2f}x, same files: {same}")
    print(f"CPU overhead of two workers: {two_cpu / one_cpu - 1:+.1%}")
    if with_ray:
        options = ("--workers", "2", "--ray", "local", "--out", str(work / "ray"))
        ray, _ = run(str(calls), *options)
        same = contents(work / "one") == contents(work / "ray")
        print(f"Ray local {ray:6.1f} s wall: {one / ray:.2f}x, same files: {same}")


def killed(work: Path, kills: int, seed: int) -> None:
    calls = copies(work / "calls", 2)
    run(str(calls), "--workers", "2", "--out", str(work / "unbroken"))
    rng = random.Random(seed)
    broken, done = work / "broken", 0
    for _ in range(kills):
        process = subprocess.Popen(
            command(str(calls), "--workers", "2", "--out", str(broken)), stderr=subprocess.DEVNULL
        )
        try:
            process.wait(rng.uniform(1.0, 15.0))
            break
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            done += 1
    run(str(calls), "--workers", "2", "--out", str(broken))
    same = contents(work / "unbroken") == contents(broken)
    finished = len(list((broken / "calls").glob("*.json")))
    print(f"killed {done} times, {finished} calls: identical to an unbroken run: {same}")


def memory(work: Path) -> None:
    speech = np.concatenate([read_audio(path) for path in sorted(SAMPLES.glob("*.flac"))])
    speech = np.resize(speech, SPEECH_S * RATE_HZ)
    paths = {"1 minute": work / "minute.flac", f"{HOURS} hours": work / "hours.flac"}
    soundfile.write(paths["1 minute"], speech[: 60 * RATE_HZ], RATE_HZ)
    quiet = np.zeros(60 * RATE_HZ, np.float32)
    with soundfile.SoundFile(paths[f"{HOURS} hours"], "w", RATE_HZ, 1) as file:
        for _ in range(HOURS):
            file.write(speech)
            for _ in range(60 - SPEECH_S // 60):
                file.write(quiet)
    peaks = {}
    for name, path in paths.items():
        out = work / path.stem
        script = (
            "import resource, sys; from voice.cli import main\n"
            "try: main(sys.argv[1:])\n"
            "except SystemExit: pass\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
        )
        arguments = ["evaluate", str(path), "--recognizer", "sphinx", "--workers", "1"]
        began = time.perf_counter()
        result = subprocess.run(
            [sys.executable, "-c", script, *arguments, "--out", str(out)],
            check=True,
            capture_output=True,
            text=True,
        )
        peaks[name] = int(result.stdout.split()[-1])
        print(f"{name}: {peaks[name]} MB at most, {time.perf_counter() - began:.0f} s")
    low, high = peaks.values()
    print(f"difference {high - low} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", choices=["scaling", "killed", "memory", []], default=[])
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    for what in options.what or ["scaling", "killed", "memory"]:
        with tempfile.TemporaryDirectory() as name:
            work = Path(name)
            (work / "calls").mkdir()
            if what == "scaling":
                scaling(work, options.ray)
            elif what == "killed":
                killed(work, options.kills, options.seed)
            else:
                memory(work)


if __name__ == "__main__":
    main()
