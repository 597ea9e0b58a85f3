"""One call as one page: what was said, felt, decided and spoken, and why."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import soundfile

from voice.audio import replacing
from voice.records import plain_json
from voice.types import TurnRecord

LONGEST_EMBEDDED_S = 20 * 60
_BLOCK_FRAMES = 1 << 18
STAGES = {
    "recognition_final": "finish recognising",
    "understanding": "understand",
    "decision": "decide",
    "speech": "first clause of speech",
    "actions": "carry out",
}
EMOTIONS = ("neutral", "happy", "sad", "angry", "anxious", "surprised", "confused")


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["seconds"] = lambda ms: f"{float(ms) / 1000.0:.1f} s"
    environment.filters["signed"] = lambda value: f"{float(value):+.1f}"
    environment.filters["saw"] = _saw
    return environment


def _saw(evidence: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {_short(value)}" for name, value in evidence.items())


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, list):
        return "(" + ", ".join(_short(item) for item in value) + ")"
    if isinstance(value, Mapping):
        return _saw(value)
    return str(value)


def write_call_report(
    folder: Path, records: Sequence[TurnRecord], overhead_cpu_ms: Mapping[str, float]
) -> Path:
    """Write `report.html` beside `conversation.wav`; self-contained for calls up to 20 minutes."""
    turns = [_turn(record) for record in records]
    page = (
        _templates()
        .get_template("call.html")
        .render(
            call=records[0].call if records else folder.name,
            engines=dict(records[0].engines) if records else {},
            opening=records[0].extra.get("opening") if records else None,
            turns=turns,
            chart=_chart(records),
            audio=_audio(folder / "conversation.wav"),
            gaps=_gaps(records),
            overhead=plain_json(overhead_cpu_ms),
            emotions=EMOTIONS,
        )
    )
    path = folder / "report.html"
    with replacing(path) as draft:
        draft.write_text(page, encoding="utf-8")
    return path


def _turn(record: TurnRecord) -> dict[str, Any]:
    turn: dict[str, Any] = plain_json(record)
    stages = [
        {"name": label, "ms": round(record.latency_ms[stage], 1)}
        for stage, label in STAGES.items()
        if stage in record.latency_ms
    ]
    turn["stages"] = stages
    turn["doubtful"] = [
        {"text": word["text"], "doubt": word["confidence"] < 0.5}
        for word in turn["transcript"]["words"]
    ]
    estimates = turn["understanding"].get("emotion") or {}
    turn["estimates"] = [
        {"name": name, **estimates[name]}
        for name in ("voice", "words", "fused")
        if estimates.get(name)
    ]
    return turn


def _gaps(records: Sequence[TurnRecord]) -> dict[str, float] | None:
    gaps = sorted(record.latency_ms["gap"] for record in records if "gap" in record.latency_ms)
    if not gaps:
        return None
    return {"median": gaps[len(gaps) // 2], "longest": gaps[-1]}


def _chart(records: Sequence[TurnRecord]) -> dict[str, Any] | None:
    """Points of the emotion chart in a box of 1000 x 200: x is time, y runs from +1 to -1."""
    points: list[dict[str, Any]] = []
    end_ms = max((record.end_ms for record in records), default=0)
    if not end_ms:
        return None
    for record in records:
        fused = (record.understanding.get("emotion") or {}).get("fused")
        if fused and not fused["abstained"]:
            middle = (record.start_ms + record.end_ms) / 2
            points.append(
                {
                    "x": round(1000 * middle / end_ms, 1),
                    "arousal": round(100 - 95 * fused["arousal"], 1),
                    "valence": round(100 - 95 * fused["valence"], 1),
                    "top": fused["top"],
                    "turn": record.turn,
                }
            )
    course = [
        {
            "x": round(1000 * sample["at_ms"] / end_ms, 1),
            "y": round(100 - 95 * sample["arousal"], 1),
        }
        for record in records
        for sample in record.extra.get("emotion_course", ())
        if not sample["abstained"]
    ]
    spans = [
        {
            "x": round(1000 * record.start_ms / end_ms, 1),
            "width": round(1000 * (record.end_ms - record.start_ms) / end_ms, 1),
            "turn": record.turn,
        }
        for record in records
    ]
    return {"points": points, "course": course, "spans": spans, "end_s": end_ms / 1000.0}


def _audio(path: Path) -> str | None:
    """The conversation as an MP3 data URI; None when it is too long to embed."""
    if not path.exists():
        return None
    encoded = io.BytesIO()
    with soundfile.SoundFile(str(path)) as sound:
        if sound.frames == 0 or sound.frames / sound.samplerate > LONGEST_EMBEDDED_S:
            return None
        with soundfile.SoundFile(
            encoded,
            "w",
            samplerate=sound.samplerate,
            channels=sound.channels,
            format="MP3",
            subtype="MPEG_LAYER_III",
        ) as mp3:
            for block in sound.blocks(blocksize=_BLOCK_FRAMES, dtype="int16"):
                mp3.write(block)
    return f"data:audio/mpeg;base64,{base64.b64encode(encoded.getvalue()).decode('ascii')}"
