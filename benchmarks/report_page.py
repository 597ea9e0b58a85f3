"""The report of many calls in a browser: `python benchmarks/report_page.py [--calls 1000]`.

The shipped recordings, and two-party calls mixed from them, are analysed once (`--recognizer`). Of
their turns calls of 8 to 40 turns are put together (in most of them the words are shuffled, lest
the page be packed better than that of real calls) and written by the writer of `attune evaluate`.
Then Chromium opens `report.html` from the disk: bytes, seconds until it is loaded and painted,
seconds until a call's page stands, and every request but that for the file itself. Needs Playwright
(`pip install playwright`) and Chromium (`--chromium`, otherwise the system's). `--keep DIR` keeps
the folder and two screenshots.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from dialogue.types import ConsentState, Purpose
from voice.audio import read_audio
from voice.evaluation.analysis import Analyst, Call, Options
from voice.evaluation.call_json import pieces, summarise
from voice.evaluation.folder import RunFolder
from voice.evaluation.inputs import Job
from voice.evaluation.listening import AnalysedTurn
from voice.evaluation.metrics import Metrics
from voice.evaluation.report import write_report
from voice.types import RATE_HZ

SAMPLES = Path(__file__).parents[1] / "audio_samples"
GRANTED = {Purpose.EMOTION_VOICE: ConsentState.GRANTED}
PLAIN_CALLS = 50
AGENT = "neutral_where_is_my_order"


def analysed(work: Path, recognizer: str) -> list[Call]:
    """The samples as one-party calls, and again as callers whom an agent answers."""
    agent = read_audio(SAMPLES / f"{AGENT}.flac")[: 6 * RATE_HZ]
    jobs = []
    for path in sorted(SAMPLES.glob("*.flac")):
        caller = read_audio(path)
        sides = np.zeros((len(caller) + len(agent), 2), np.float32)
        sides[: len(caller), 0] = caller
        sides[len(caller) :, 1] = agent
        stereo = work / f"{path.stem}.wav"
        soundfile.write(stereo, sides, RATE_HZ)
        jobs.append(Job(stereo, path.stem, "left", consents=GRANTED))
    analyst = Analyst.open(Options(recognizer=recognizer))
    try:
        return [analyst.analyse(job) for job in jobs]
    finally:
        analyst.close()


def composed(calls: Sequence[Call], number: int, rng: random.Random) -> Call:
    """A call of one caller's turns, answered by the agent's."""
    agents = [turn for call in calls for turn in call.turns if turn.judged is None]
    model = rng.choice(calls)
    callers = [turn for turn in model.turns if turn.judged is not None]
    others = [turn for call in calls for turn in call.turns if turn.judged is not None]
    turns: list[AnalysedTurn] = []
    at_ms = 800
    for place in range(rng.randint(8, 40)):
        pool = agents if place % 2 else (callers if rng.random() < 0.6 else others)
        turn = rng.choice(pool)
        length = turn.span.end_ms - turn.span.start_ms
        span = replace(turn.span, start_ms=at_ms, end_ms=at_ms + length)
        turns.append(replace(turn, span=span, text=_varied(turn.text, number, rng)))
        at_ms += length + rng.randint(-300, 2_500)
    job = replace(model.job, name=f"call-{number:04}", customer=f"C{1000 + number}")
    return replace(model, job=job, duration_ms=at_ms + 2_000, turns=tuple(turns))


def _varied(text: str, number: int, rng: random.Random) -> str:
    """Words in another order: the same sentence in every call would be packed too well."""
    words = text.split()
    if number >= PLAIN_CALLS:
        rng.shuffle(words)
    return " ".join(words)


def write(folder: RunFolder, calls: Sequence[Call], count: int) -> tuple[int, float]:
    rng = random.Random(0)
    metrics, names, turns = Metrics(), [], 0
    for number in range(count):
        call = composed(calls, number, rng)
        summary = summarise(call)
        folder.keep(call.job.name, "-", pieces(call, summary), summary)
        metrics.add(summary)
        names.append(call.job.name)
        turns += len(call.turns)
    began = time.perf_counter()
    write_report(folder, names, metrics.result([], 0), [])
    return turns, time.perf_counter() - began


def opened(page_path: Path, chromium: str | None, shots: Path | None) -> dict[str, object]:
    from playwright.sync_api import sync_playwright

    requests: list[str] = []
    address = page_path.resolve().as_uri()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("request", lambda request: requests.append(request.url[:100]))
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda told: told.type == "error" and errors.append(told.text))
        loads = []
        for _ in range(3):
            began = time.perf_counter()
            page.goto(address, wait_until="load")
            page.evaluate(
                "() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))"
            )
            loads.append(time.perf_counter() - began)
        if shots:
            page.screenshot(path=shots / "overview.png")
        began = time.perf_counter()
        page.click("#calls a")
        page.wait_for_selector("#call .turn")
        call_s = time.perf_counter() - began
        if shots:
            page.screenshot(path=shots / "call.png")
        browser.close()
    local = [url for url in requests if not url.startswith((address, "data:", "blob:"))]
    return {
        "open_s": round(max(loads), 2),
        "open_call_s": round(call_s, 2),
        "other_requests": local,
        "errors": errors,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1_000)
    parser.add_argument("--recognizer", default="sphinx")
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = options.keep or Path(name)
        calls = analysed(Path(name), options.recognizer)
        folder = RunFolder(work)
        folder.prepare()
        turns, writing_s = write(folder, calls, options.calls)
        path = work / "report.html"
        result = {
            "calls": options.calls,
            "turns": turns,
            "megabytes": round(path.stat().st_size / 1e6, 2),
            "shown": path.read_text(encoding="utf-8").count('href="#call-'),
            "write_s": round(writing_s, 2),
            **opened(path, options.chromium, options.keep),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
