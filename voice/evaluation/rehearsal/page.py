"""The report of a rehearsal: one page to read and to listen to, with nothing outside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import soundfile

from voice.audio import replacing
from voice.evaluation.rehearsal.performance import Performance
from voice.evaluation.rehearsal.results import Result, as_script
from voice.types import RATE_HZ

LONGEST_EMBEDDED_S = 10 * 60
_ORDER = {"failed": 0, "known": 1, "passed": 2}


@cache
def _templates() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )


def write_page(path: Path, results: Sequence[Result]) -> None:
    """Write the report; failed scenarios come first. Raises `AttuneError` when it cannot be."""
    ordered = sorted(results, key=lambda result: _ORDER[result.outcome])
    gaps = sorted(gap for result in results for gap in result.gaps_ms)
    wall_s = sum(result.performance.wall_s for result in results)
    engines = dict.fromkeys(name for r in results for name in r.performance.engines)
    page = (
        _templates()
        .get_template("rehearsal.html")
        .render(
            scenarios=[_shown(result, place) for place, result in enumerate(ordered)],
            passed=sum(result.passed for result in results),
            failed=sum(result.failed for result in results),
            known=sum(result.outcome == "known" for result in results),
            wall=str(timedelta(seconds=round(wall_s))),
            engines=[name for name in engines if name != "stated"],
            median_gap_ms=gaps[len(gaps) // 2] if gaps else None,
            longest_gap_ms=gaps[-1] if gaps else None,
        )
    )
    with replacing(path) as draft:
        draft.write_text(page, encoding="utf-8")


def _shown(result: Result, place: int) -> dict[str, Any]:
    scenario = result.scenario
    noise = scenario.caller.noise
    line: str = scenario.caller.line
    if noise is not None:
        line += f", {noise.kind or noise.file} at {noise.snr_db:g} dB"
    consents = [f"{purpose.value} {state.value}" for purpose, state in scenario.consents.items()]
    return {
        "id": f"scenario-{place}",
        "name": scenario.name,
        "file": scenario.path.name,
        "shows": scenario.shows,
        "covers": scenario.covers,
        "run": result.run,
        "outcome": result.outcome,
        "weakness": scenario.known_weakness,
        "misses": [
            {"turn": miss.turn, "field": miss.field, "wrong": miss.wrong} for miss in result.misses
        ],
        "missed_turns": {miss.turn for miss in result.misses},
        "caller": scenario.customer or ("by number" if scenario.phone else "a stranger"),
        "where": ", ".join(filter(None, [scenario.jurisdiction or "", *consents])),
        "line": line,
        "stated": " and ".join(scenario.stated),
        "script": as_script(result.performance),
        "ended": result.performance.ended,
        "audio": _audio(result.performance),
        "wall_s": result.performance.wall_s,
        "audio_s": result.performance.audio_s,
    }


def _audio(performance: Performance) -> str | None:
    """Both sides mixed, as an MP3 data URI; None without sound or when it is too long to embed.

    One channel takes a third of the time and half the bytes of two.
    """
    samples = performance.conversation
    if samples is None or not 0 < len(samples) <= LONGEST_EMBEDDED_S * RATE_HZ:
        return None
    mixed = np.clip(samples.sum(axis=1, dtype=np.int32), -32_768, 32_767).astype(np.int16)
    encoded = io.BytesIO()
    soundfile.write(
        encoded,
        mixed,
        RATE_HZ,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="CONSTANT",
        compression_level=0.85,
    )
    return f"data:audio/mpeg;base64,{base64.b64encode(encoded.getvalue()).decode('ascii')}"
