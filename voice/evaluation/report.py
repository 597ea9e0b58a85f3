"""A run as one page: what the calls came to, which to look at first, and each call by turns.

The page holds everything it shows and asks the network for nothing. Calls are shown in order of
attention until the page is full; those left over stand in the tables and in `calls/`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from nlu.types import Emotion
from voice.audio import replacing
from voice.evaluation.folder import RunFolder
from voice.evaluation.inputs import Failure

LARGEST_BYTES = 4_500_000
MOST_LISTED = 1_000
MOST_TURNS = 300
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


@dataclass(frozen=True, slots=True)
class _Listed:
    """What the list of calls shows of one."""

    name: str
    score: int
    reasons: str
    outcome: str
    first: str
    last: str
    valence: str
    duration_ms: int
    turns: int


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
    listed = sorted(
        (_listed(folder.summary(name)) for name in names), key=lambda each: (-each.score, each.name)
    )
    head = (
        _templates()
        .get_template("evaluation.html")
        .render(
            metrics=metrics,
            distributions=list(_distributions(metrics)),
            course=_course(metrics["distributions"].get("emotion_first_to_last", {})),
            reference=_reference(metrics["reference"]),
            listed=listed[:MOST_LISTED],
            unlisted=max(0, len(listed) - MOST_LISTED),
            failures=failures[:MOST_LISTED],
        )
    )
    body, foot = head.split("<!-- calls -->")
    path = folder.path / "report.html"
    with replacing(path) as draft, draft.open("w", encoding="utf-8") as file:
        file.write(body)
        room = LARGEST_BYTES - len(head.encode())
        shown = 0
        for section in _sections(folder, listed):
            room -= len(section.encode())
            if room < 0:
                break
            shown += 1
            file.write(section)
        if shown < len(listed):
            file.write(
                f'<p class="soft">{len(listed) - shown} more calls are in the folder calls and in '
                "turns.csv; this page is full.</p>"
            )
        file.write(foot)
    return path


def _listed(summary: Mapping[str, Any]) -> _Listed:
    first, _, last = summary["thirds"]
    valence = summary["mean_emotion"]["valence"]
    return _Listed(
        summary["call"],
        summary["attention"]["score"],
        "; ".join(reason["why"] for reason in summary["attention"]["reasons"]),
        summary["outcome"]["value"],
        first["emotion"] or "unknown",
        last["emotion"] or "unknown",
        "" if valence is None else f"{valence:+.2f}",
        summary["duration_ms"],
        len(summary["rows"]),
    )


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
        yield {"title": title, "rows": rows, "more": max(0, len(counts) - _SHOWN)}


def _course(pairs: Mapping[str, int]) -> dict[str, Any] | None:
    """The feeling of the first third against that of the last, as a table of counts."""
    if not pairs:
        return None
    table: dict[str, dict[str, int]] = {}
    for pair, count in pairs.items():
        first, last = pair.split(" > ")
        table.setdefault(first, {})[last] = count
    columns = [name for name in _FEELINGS if any(name in row for row in table.values())]
    rows = [
        {"first": name, "cells": [(last, table[name].get(last, 0)) for last in columns]}
        for name in _FEELINGS
        if name in table
    ]
    return {"columns": columns, "rows": rows, "most": max(pairs.values())}


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


def _sections(folder: RunFolder, listed: Sequence[_Listed]) -> Iterator[str]:
    template = _templates().get_template("evaluation_call.html")
    for call in listed:
        summary = folder.summary(call.name)
        end_ms = max(1, summary["duration_ms"])
        rows = summary["rows"]
        yield template.render(
            call=summary,
            score=call.score,
            rows=rows[:MOST_TURNS],
            unshown=max(0, len(rows) - MOST_TURNS),
            bars=[_bar(row, end_ms) for row in rows[:MOST_TURNS]],
            line=_line(rows[:MOST_TURNS], end_ms),
        )


def _bar(row: Mapping[str, Any], end_ms: int) -> dict[str, Any]:
    """A turn in the timeline, 1000 wide: the caller above, the agent below."""
    caller = row["party"] == "caller"
    return {
        "x": round(1000 * row["start_ms"] / end_ms, 1),
        "width": max(1.0, round(1000 * (row["end_ms"] - row["start_ms"]) / end_ms, 1)),
        "y": 0 if caller else 24,
        "kind": (row.get("emotion") or "unknown") if caller else "agent",
        "title": f"{_clock(row['start_ms'])} "
        + (f"caller, {row.get('emotion') or 'feeling unknown'}" if caller else "agent"),
    }


def _line(rows: Sequence[Mapping[str, Any]], end_ms: int) -> str:
    """The caller's valence as points of a line, 1000 wide, from +1 (y 52) to -1 (y 92)."""
    points = []
    for row in rows:
        valence = row.get("valence")
        if valence is not None:
            middle = (row["start_ms"] + row["end_ms"]) / 2
            points.append(f"{1000 * middle / end_ms:.0f},{72 - 20 * valence:.0f}")
    return " ".join(points)


def _clock(ms: float) -> str:
    seconds = int(ms) // 1000
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
