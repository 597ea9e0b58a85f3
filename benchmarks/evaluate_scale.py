"""How `attune evaluate` scales: `python benchmarks/evaluate_scale.py [scaling|killed|memory|call]`.

scaling  the shipped recordings, four times over, with one worker and with two: wall seconds and
         CPU seconds. `--ray` adds a local Ray with one and with two; its own start, some seconds
         whatever there is to do, is counted, and said. Wall seconds mean something on an idle
         machine.
killed   runs with two workers are killed (SIGKILL, the workers too every other time) at 20 random
         moments and started again; whenever one comes to its end, every file must be the same as
         that of an unbroken run, and the next begins anew.
memory   the peak memory of a worker for a 10-hour recording (a minute of speech an hour, the rest
         silence), for one minute of it, and for 15 minutes of speech without a break.
call     the peak memory of `attune call` for a recording of two hours and one of a minute.
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
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.voice.server.callers import turns_of  # noqa: E402
from voice.audio import read_audio  # noqa: E402
from voice.types import RATE_HZ  # noqa: E402

SAMPLES = ROOT / "audio_samples"
HOURS = 10
ASKS = "neutral_where_is_my_order"
WHAT = ("scaling", "killed", "memory", "call")


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
        took = {}
        for workers in (1, 2):
            out = work / f"ray{workers}"
            options = ("--workers", str(workers), "--ray", "local", "--out", str(out))
            took[workers], _ = run(str(calls), *options)
            same = contents(work / "one") == contents(out)
            print(f"Ray local, {workers}: {took[workers]:6.1f} s wall, same files: {same}")
        start_s = ray_start_s()
        print(f"Ray 1 to 2 {took[1] / took[2]:.2f}x, of 1 worker without Ray {one / took[2]:.2f}x")
        rest = one / (took[2] - start_s)
        print(f"Ray's own start and end {start_s:.1f} s; without them {rest:.2f}x")


def ray_start_s() -> float:
    """Wall seconds in which a local Ray starts, runs nothing and ends."""
    script = (
        "from voice.evaluation.ray_pool import ray_pool; from voice.evaluation.folder import "
        "RunFolder; from voice.evaluation.analysis import Options; from pathlib import Path; "
        "list(ray_pool([], Options(), RunFolder(Path('.')), 0, 'local', print))"
    )
    times = []
    for code in ("import voice.evaluation.ray_pool", script):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
        times.append(time.perf_counter() - began)
    return times[1] - times[0]


def killed(work: Path, kills: int, seed: int) -> None:
    calls = copies(work / "calls", 1)
    began = time.perf_counter()
    run(str(calls), "--workers", "2", "--out", str(work / "unbroken"))
    unbroken, whole_s = contents(work / "unbroken"), time.perf_counter() - began
    rng = random.Random(seed)
    broken = work / "broken"
    done = ends = different = 0
    again = command(str(calls), "--workers", "2", "--out", str(broken))
    while done < kills:
        process = subprocess.Popen(again, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            process.wait(rng.uniform(0.2, whole_s))
        except subprocess.TimeoutExpired:
            done += 1
            if done % 2:
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
            process.wait()
        else:
            ends += 1
            different += contents(broken) != unbroken
            shutil.rmtree(broken)
    run(str(calls), "--workers", "2", "--out", str(broken))
    different += contents(broken) != unbroken
    print(f"killed {done} times; {ends + 1} runs came to their end, {different} of them different")


def peak_mb(*arguments: str) -> tuple[int, float]:
    """The peak memory of a command in one process, and its wall seconds."""
    script = (
        "import resource, sys; from voice.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    began = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-c", script, *arguments, "--recognizer", "sphinx"],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(result.stdout.split()[-1]), time.perf_counter() - began


def compared(paths: dict[str, Path], *arguments: str) -> None:
    peaks = []
    for name, path in paths.items():
        peak, seconds = peak_mb(arguments[0], str(path), *arguments[1:], str(path.parent / name))
        peaks.append(peak)
        print(f"{name}: {peak} MB at most ({peak - peaks[0]:+d} MB), {seconds:.0f} s", flush=True)


def speech_of(seconds: int) -> np.ndarray:
    joined = np.concatenate([read_audio(path) for path in sorted(SAMPLES.glob("*.flac"))])
    return np.resize(joined, seconds * RATE_HZ)


def written(path: Path, pieces: Iterable[np.ndarray]) -> Path:
    with soundfile.SoundFile(path, "w", RATE_HZ, 1) as file:
        for piece in pieces:
            file.write(piece)
    return path


def sparse(hours: int) -> Iterator[np.ndarray]:
    """A minute of speech an hour, else silence."""
    quiet = np.zeros(60 * RATE_HZ, np.float32)
    for _ in range(hours):
        yield speech_of(60)
        yield from [quiet] * 59


def memory(work: Path) -> None:
    paths = {
        "1 minute": written(work / "minute.flac", [speech_of(60)]),
        "15 minutes of speech": written(work / "talk.flac", [speech_of(900)]),
        f"{HOURS} hours": written(work / "hours.flac", sparse(HOURS)),
    }
    compared(paths, "evaluate", "--workers", "1", "--out")


def call(work: Path) -> None:
    """A caller who asks where an order is, and gives its number, every half minute for two hours.

    Both are answered every time, so the call lasts as long as the recording.
    """
    said = turns_of(SAMPLES / f"{ASKS}.flac", RATE_HZ)[:2]
    halves = [np.zeros(30 * RATE_HZ, np.float32) for _ in said]
    for half, turn in zip(halves, said, strict=True):
        half[: len(turn.samples)] = turn.samples / np.float32(32_768.0)
    paths = {
        "1 minute": written(work / "minute.flac", halves),
        "2 hours": written(work / "hours.flac", halves * 120),
    }
    compared(paths, "call", "--out")
    for name, path in paths.items():
        turns = (path.parent / name / "turns.jsonl").read_text(encoding="utf-8").count("\n")
        print(f"{name}: {turns} turns")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", choices=[*WHAT, []], default=[])
    parser.add_argument("--ray", action="store_true")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    for what in options.what or WHAT:
        with tempfile.TemporaryDirectory() as name:
            work = Path(name)
            (work / "calls").mkdir()
            if what == "scaling":
                scaling(work, options.ray)
            elif what == "killed":
                killed(work, options.kills, options.seed)
            elif what == "memory":
                memory(work)
            else:
                call(work)


if __name__ == "__main__":
    main()
