"""What the report knows of single calls: a line in its list, and a page, compressed."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from voice.evaluation.folder import RunFolder

MOST_TURNS = 300
_TOGETHER = 32
"""Calls compressed together: words repeat between calls, and a browser unpacks them in a moment."""
_LEVEL = 9
_SPARK_POINTS = 12


@dataclass(slots=True)
class Listed:
    """What the list of calls shows of one; `line` is the caller's valence, in a box of 100 x 20."""

    name: str
    score: int
    reasons: str
    outcome: str
    first: str
    last: str
    valence: str
    line: str
    duration_ms: int
    turns: int
    sound: bool
    shown: bool = True


def listed(summary: Mapping[str, Any]) -> Listed:
    """The line of a call in the list, from its summary."""
    first, _, last = summary["thirds"]
    valence = summary["mean_emotion"]["valence"]
    return Listed(
        summary["call"],
        summary["attention"]["score"],
        "; ".join(reason["why"] for reason in summary["attention"]["reasons"]),
        summary["outcome"]["value"],
        first["emotion"] or "unknown",
        last["emotion"] or "unknown",
        "" if valence is None else f"{valence:+.2f}",
        _spark(summary),
        summary["duration_ms"],
        len(summary["rows"]),
        bool(summary.get("sound", {}).get("file")),
    )


def _spark(summary: Mapping[str, Any]) -> str:
    end_ms = max(1, summary["duration_ms"])
    felt = [row for row in summary["rows"] if row.get("valence") is not None]
    if len(felt) < 2:
        return ""
    step = max(1, len(felt) // _SPARK_POINTS)
    groups = [felt[at : at + step] for at in range(0, len(felt), step)]
    points = []
    for group in groups:
        middle = sum(row["start_ms"] + row["end_ms"] for row in group) / (2 * len(group))
        valence = sum(row["valence"] for row in group) / len(group)
        points.append(f"{100 * middle / end_ms:.0f},{10 - 9 * valence:.0f}")
    return " ".join(points)


class Pages:
    """The pages of calls, some together in a block, as far as there is room for them."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self.held = 0

    def within(self, room: int, calls: Sequence[Listed]) -> Iterator[str]:
        """Blocks of at most `room` bytes in all; `held` says of how many calls they are."""
        for at in range(0, len(calls), _TOGETHER):
            some = calls[at : at + _TOGETHER]
            while some:
                block = self._block(some)
                if len(block.encode()) <= room:
                    break
                some = some[: len(some) // 2]
            if not some:
                return
            room -= len(block.encode())
            self.held += len(some)
            yield block
            if len(some) < min(_TOGETHER, len(calls) - at):
                return

    def _block(self, calls: Sequence[Listed]) -> str:
        pages = [page(self._folder.summary(call.name), call.score) for call in calls]
        plain = json.dumps(pages, ensure_ascii=False, separators=(",", ":"))
        packed = base64.b64encode(zlib.compress(plain.encode(), _LEVEL)).decode("ascii")
        names = " ".join(call.name for call in calls)
        return f'<script type="text/plain" data-calls="{names}">{packed}</script>\n'


def page(summary: Mapping[str, Any], score: int) -> dict[str, Any]:
    """What the page of one call shows."""
    rows = summary["rows"]
    sound = summary.get("sound", {})
    return {
        "duration_ms": summary["duration_ms"],
        "parties": summary["parties"],
        "customer": summary["customer"],
        "jurisdiction": summary["jurisdiction"],
        "score": score,
        "reasons": [[each["points"], each["why"]] for each in summary["attention"]["reasons"]],
        "outcome": summary["outcome"],
        "thirds": [third["emotion"] for third in summary["thirds"]],
        "silence": summary["silence_share"],
        "voice": _voice(summary),
        "withdrawn": summary["withdrawn"],
        "split": _split(summary["speaker_split"]),
        "promises": [[each["at_ms"], each["text"]] for each in summary["promises"][:10]],
        "actions": [[each["action"], each["why"]] for each in summary["next_best_actions"][:3]],
        "audio": sound.get("file"),
        "unheard": sound.get("why_not"),
        "turns": [_turn(row) for row in rows[:MOST_TURNS]],
        "unshown": max(0, len(rows) - MOST_TURNS),
    }


def _turn(row: Mapping[str, Any]) -> dict[str, Any]:
    """A turn without what is empty."""
    shown = {
        "party": row["party"],
        "start_ms": row["start_ms"],
        "end_ms": row["end_ms"],
        "text": row["text"],
        "interrupts": row["interrupts"],
        "emotion": row.get("emotion"),
        "intensity": row.get("intensity"),
        "valence": row.get("valence"),
        "intent": row.get("intent"),
        "signals": (row.get("signals") or "").split(),
        "strategy": row.get("strategy"),
        "reply": row.get("reply"),
        "differs": row.get("answer_differs"),
    }
    kept = ("text", "valence")
    return {
        name: value
        for name, value in shown.items()
        if value or (name in kept and value is not None) or name in ("start_ms", "end_ms")
    }


def _voice(summary: Mapping[str, Any]) -> str:
    basis = summary["grants"].get("emotion_voice")
    if basis is None:
        return "not read: no consent"
    return "not read: one channel for both" if summary["speaker_split"] else f"read: {basis}"


def _split(described: Mapping[str, Any] | None) -> str | None:
    if not described:
        return None
    unsure = ", and an unsure one" if described.get("unsure") else ""
    return f"both parties are on one channel: who spoke is an estimate{unsure}"
