"""The benchmarks that are quick, one after the other: `make bench`.

    python benchmarks/bench.py [--data DIR] [--only NAME ...] [--out FILE]

Writes `benchmarks/results/DATE.json`: of every benchmark the command, its wall and CPU seconds, and
the figures it printed; and what they were measured on. Those on corpora need `--data` (or
ATTUNE_DATA) and are left out without it. One that fails or takes longer than its limit stands there
with the reason, and the others go on. Some ten minutes on two cores; `compare.py` compares two.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import re
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results"
LIMIT_S = 240
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:[.,]\d+)*(?:e[-+]?\d+)?(?![\w.]*\d)")
ENGINES = ("numpy", "onnxruntime", "pocketsphinx", "librosa", "webrtcvad-wheels", "pyttsx3")


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A command after the interpreter's name; `needs_data` adds `--data DIR`. Its figures are what
    it prints, or what it writes into the JSON file `figures_in`."""

    name: str
    arguments: tuple[str, ...]
    needs_data: bool = False
    figures_in: str | None = None


ALL = (
    Benchmark("decide", ("decide.py",)),
    Benchmark("packs", ("packs.py",)),
    Benchmark("understand_cost", ("understand_cost.py",)),
    Benchmark("speech_latency", ("speech_latency.py",)),
    Benchmark("delivery", ("delivery.py",)),
    Benchmark("redaction", ("redaction.py",)),
    Benchmark("wordings", ("wordings.py",)),
    Benchmark("calls", ("calls.py", "--recognizer", "sphinx")),
    Benchmark("report_page", ("report_page.py", "--calls", "1000")),
    Benchmark(
        "evaluate",
        ("-m", "voice.cli", "evaluate", "{samples}", "--out", "{work}/evaluate"),
        figures_in="{work}/evaluate/metrics.json",
    ),
    Benchmark("rehearse", ("-m", "voice.cli", "rehearse", "all", "--out", "{work}/rehearse")),
    Benchmark("text_emotion", ("text_emotion.py",), needs_data=True),
    Benchmark("acoustic_emotion", ("acoustic_emotion.py", "--speed"), needs_data=True),
    Benchmark("intents", ("intents.py", "--seeds", "1"), needs_data=True),
    Benchmark("speaker_split", ("speaker_split.py", "--count", "12"), needs_data=True),
)


def run(benchmark: Benchmark, data: Path | None, work: Path) -> dict[str, Any]:
    first, *rest = benchmark.arguments
    places = {"samples": str(HERE.parent / "audio_samples"), "work": str(work)}
    arguments = [
        first if first.startswith("-") else str(HERE / first),
        *(each.format(**places) for each in rest),
    ]
    if benchmark.needs_data:
        arguments += ["--data", str(data)]
    shown = " ".join([*benchmark.arguments, *(["--data", "DIR"] if benchmark.needs_data else [])])
    result: dict[str, Any] = {"command": f"python {shown}"}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            cwd=HERE.parent,
            env=os.environ | ONE_THREAD | {"PYTHONPATH": str(HERE.parent)},
        )
    except subprocess.TimeoutExpired:
        result["failed"] = f"took longer than {LIMIT_S} s"
    else:
        if done.returncode not in (0, 1) or not (done.stdout or done.stderr):
            result["failed"] = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        elif done.returncode:
            last = (done.stderr.strip().splitlines() or [""])[-1]
            # `rehearse` ends with 1 when a scenario failed: its figures stand all the same.
            result["ended_with_1"] = last
        written = Path((benchmark.figures_in or "").format(**places))
        result["figures"] = figures(written.read_text() if written.is_file() else done.stdout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return result | {
        "wall_s": round(time.perf_counter() - began, 1),
        "cpu_s": round(used_s, 1),
    }


def figures(printed: str) -> dict[str, float]:
    """Every number that was printed, by its place: keys of JSON, else the words of its line."""
    found: dict[str, float] = {}
    try:
        _from_json(json.loads(printed), "", found)
        return found
    except ValueError:
        pass
    for line in printed.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            _from_text(line, found)
        else:
            _from_json(value, _title(value), found)
    return found


def _title(value: Any) -> str:
    """What a line of JSON is about: its texts."""
    texts = value.values() if isinstance(value, dict) else ()
    return " ".join(each for each in texts if isinstance(each, str))


def _from_json(value: Any, path: str, found: dict[str, float]) -> None:
    if isinstance(value, dict):
        for name, each in value.items():
            _from_json(each, f"{path} {name}".strip(), found)
    elif isinstance(value, list):
        for place, each in enumerate(value):
            _from_json(each, f"{path} {place}", found)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _put(found, path, float(value))


def _from_text(line: str, found: dict[str, float]) -> None:
    words = " ".join(NUMBER.sub("#", line).split())
    numbers = NUMBER.findall(line)
    for place, number in enumerate(numbers):
        key = words if len(numbers) == 1 else f"{words} [{place + 1}]"
        plain = number.replace(",", "") if number.count(",") and "." in number else number
        try:
            _put(found, key, float(plain.replace(",", "")))
        except ValueError:
            continue


def _put(found: dict[str, float], key: str, value: float) -> None:
    again, name = 2, key
    while name in found:
        name, again = f"{key} ({again})", again + 1
    found[name] = value


def machine() -> dict[str, Any]:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        check=False,
        capture_output=True,
        text=True,
        cwd=HERE,
    ).stdout.strip()
    return {
        "date": date.today().isoformat(),
        "commit": commit,
        "attune": importlib.metadata.version("attune"),
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "processors": os.cpu_count(),
        "load_at_start": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "engines": {name: importlib.metadata.version(name) for name in ENGINES},
    }


def place(out: Path | None) -> Path:
    if out is not None:
        return out
    day = date.today().isoformat()
    free = (RESULTS / f"{day}{f'-{n}' if n > 1 else ''}.json" for n in range(1, 1_000))
    return next(path for path in free if not path.exists())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    data = os.environ.get("ATTUNE_DATA")
    parser.add_argument("--data", type=Path, default=Path(data) if data else None)
    parser.add_argument("--only", nargs="+", choices=[each.name for each in ALL])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    told: dict[str, Any] = {"measured_on": machine(), "benchmarks": {}}
    with tempfile.TemporaryDirectory() as name:
        for benchmark in ALL:
            if options.only and benchmark.name not in options.only:
                continue
            if benchmark.needs_data and options.data is None:
                print(f"{benchmark.name:18} left out: no --data", flush=True)
                continue
            result = run(benchmark, options.data, Path(name))
            told["benchmarks"][benchmark.name] = result
            said = result.get("failed") or f"{len(result['figures'])} figures"
            print(f"{benchmark.name:18} {result['wall_s']:6.1f} s  {said}", flush=True)
    path = place(options.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
