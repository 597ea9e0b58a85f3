"""A run as one page: what the calls came to, which to look at first, and each call by turns.

The page holds everything it shows and asks the network for nothing. The pages of single calls
stand in it compressed, in order of attention, until it is full; those left over stand in the
tables and in `calls/`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

import jinja2

from nlu.types import Emotion
from voice.audio import replacing
from voice.evaluation.folder import RunFolder
from voice.evaluation.inputs import Failure
from voice.evaluation.report_call import Listed, Pages, listed

LARGEST_BYTES = 4_500_000
"""Of the page without sound; a page of this size opens in a browser in about a second."""
MOST_SOUND_BYTES = 24_000_000
MOST_LISTED = 1_000
HOT_FROM = 40
_AT_FIRST = 25
_DISTRIBUTIONS = (
    ("outcome", "Outcome"),
    ("emotion", "The caller's feeling, by turn"),
    ("intent", "What was asked for"),
    ("strategy", "What Attune would have done"),
    ("severity", "Severity"),
    ("signal", "Heard in the words"),
    ("redacted", "Taken out before writing"),
)
_SHOWN = 12
_FEELINGS = (*(each.value for each in Emotion), "unknown")
_BAD = frozenset({"sad", "angry", "anxious"})


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["clock"] = _clock
    environment.filters["percent"] = lambda share: f"{100 * float(share):.0f} %"
    environment.filters["thousands"] = lambda count: f"{count:,}"
    environment.filters["sum_values"] = lambda counts: sum(counts.values())
    environment.filters["plain"] = lambda name: str(name).replace("_", " ")
    return environment


def write_report(
    folder: RunFolder,
    names: Sequence[str],
    metrics: Mapping[str, Any],
    failures: Sequence[Failure],
) -> Path:
    """Write `report.html`. Raises `AttuneError` when it cannot be written."""
    calls = sorted(
        (listed(folder.summary(name)) for name in names), key=lambda each: (-each.score, each.name)
    )
    known = {
        "metrics": metrics,
        "distributions": list(_distributions(metrics)),
        "course": _course(metrics["distributions"].get("emotion_first_to_last", {})),
        "reference": _reference(metrics["reference"]),
        "unlisted": max(0, len(calls) - MOST_LISTED),
        "failures": failures[:MOST_LISTED],
        "alarming": sum(call.score >= HOT_FROM for call in calls),
        "hot": HOT_FROM,
        "at_first": _AT_FIRST,
    }
    template = _templates().get_template("evaluation.html")
    shown = list(calls[:MOST_LISTED])
    room = LARGEST_BYTES - len(template.render(**known, listed=shown, unshown=0).encode())
    pages = Pages(folder)
    chunks = list(pages.within(room, shown))
    for call in shown[pages.held :]:
        call.shown = False
    head = template.render(**known, listed=shown, unshown=len(shown) - pages.held)
    body, foot = head.split("<!-- calls -->")
    path = folder.path / "report.html"
    with replacing(path) as draft, draft.open("w", encoding="utf-8") as file:
        file.write(body)
        file.writelines(chunks)
        _write_sounds(file, folder, shown[: pages.held])
        file.write(foot)
    return path


def _write_sounds(file: IO[str], folder: RunFolder, calls: Sequence[Listed]) -> None:
    """The sound of the first calls, until there is enough; the others' is played from `audio/`."""
    room = MOST_SOUND_BYTES
    for call in calls:
        path = folder.sound(call.name)
        if not call.sound or not path.exists():
            continue
        room -= path.stat().st_size * 4 // 3
        if room < 0:
            break
        sound = base64.b64encode(path.read_bytes()).decode("ascii")
        file.write(f'<script type="text/plain" id="sound-{call.name}">{sound}</script>\n')


def _distributions(metrics: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for what, title in _DISTRIBUTIONS:
        counts = metrics["distributions"].get(what)
        if not counts:
            continue
        total = sum(counts.values())
        most = max(counts.values())
        rows = [
            {"name": name, "count": count, "share": count / total, "width": 100 * count / most}
            for name, count in list(counts.items())[:_SHOWN]
        ]
        more = max(0, len(counts) - _SHOWN)
        yield {"title": title, "rows": rows, "more": more, "feelings": what == "emotion"}


def _course(pairs: Mapping[str, int]) -> dict[str, Any] | None:
    """The feeling of the first third against that of the last, as a table of counts."""
    if not pairs:
        return None
    table: dict[str, dict[str, int]] = {}
    for pair, count in pairs.items():
        first, last = pair.split(" > ")
        table.setdefault(first, {})[last] = count
    columns = [name for name in _FEELINGS if any(name in row for row in table.values())]
    most = max(pairs.values())

    def cell(first: str, last: str) -> dict[str, Any]:
        count = table[first].get(last, 0)
        shade = round(10 + 50 * count / most)
        return {"count": count, "shade": shade, "turn": _turn(first, last)}

    rows = [
        {"first": name, "cells": [cell(name, last) for last in columns]}
        for name in _FEELINGS
        if name in table
    ]
    return {"columns": columns, "rows": rows}


def _turn(first: str, last: str) -> str:
    """Whether a call ended better or worse than it began."""
    if "unknown" in (first, last) or (first in _BAD) == (last in _BAD):
        return ""
    return "worse" if last in _BAD else "better"


def _reference(figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    emotion = figures.get("emotion", {})
    for title, figure in (
        ("word error rate", figures.get("word_error_rate")),
        ("intent accuracy", figures.get("intent_accuracy")),
        ("emotion: unweighted average recall", emotion.get("unweighted_average_recall")),
        ("emotion: macro-F1", emotion.get("macro_f1")),
    ):
        if figure is None:
            continue
        interval = figure["interval_95"]
        found.append(
            {
                "title": title,
                "value": f"{figure['value']:.3f}",
                "interval": "" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}",
                "n": f"{figure['calls']} calls",
            }
        )
    if emotion:
        error = emotion["calibration"]["expected_calibration_error"]
        found.append(
            {
                "title": "emotion: expected calibration error",
                "value": "" if error is None else f"{error:.3f}",
                "interval": "",
                "n": f"{emotion['n']} labels, {emotion['coverage']:.0%} answered, "
                f"chance {emotion['chance']:.2f}",
            }
        )
    return found


def _clock(ms: float) -> str:
    seconds = int(ms) // 1000
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
