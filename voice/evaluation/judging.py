"""What a call came to: promises, the agent's acts, outcome, and how much it needs attention.

Rules on words and figures, each with its reason; nothing here is a model.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_PROMISE = re.compile(
    r"\b(?:i|we)(?:'ll| will| am going to|'m going to| are going to|'re going to) "
    r"(?!be able|need|have to ask|not\b|just have)(?:\w+'?\w* ?){1,14}"
    r"|\byou(?:'ll| will) (?:receive|get|have|hear|be (?:refunded|contacted|called))"
    r"(?: \w+'?\w*){0,12}",
    re.IGNORECASE,
)
_ACTS: Mapping[str, re.Pattern[str]] = {
    "apology": re.compile(r"\b(?:sorry|apolog\w+|regret)\b", re.IGNORECASE),
    "promise": _PROMISE,
    "handover": re.compile(
        r"\b(?:put you through|transfer|connect you|supervisor|manager|colleague)\b", re.IGNORECASE
    ),
    "question": re.compile(
        r"\?|\b(?:can|could|may|what|when|which|where|how|do|did|is|would) "
        r"(?:i|you|your|it|that)\b",
        re.IGNORECASE,
    ),
    "thanks": re.compile(r"\b(?:thank you|thanks)\b", re.IGNORECASE),
    "names_feeling": re.compile(
        r"\byou(?:'re| are| seem| sound) (?:\w+ )?"
        r"(?:angry|upset|frustrated|annoyed|sad|worried|nervous|mad)\b",
        re.IGNORECASE,
    ),
}
_ASKED_FOR: Mapping[str, str] = {
    "apologise_event": "apology",
    "own_fault": "apology",
    "own_history": "apology",
    "act": "promise",
    "take_over": "promise",
    "way_ahead": "promise",
    "transfer": "handover",
    "transfer_unsolved": "handover",
    "question": "question",
    "clarify": "question",
    "thank": "thanks",
}
NEGATIVE = frozenset({"angry", "sad", "anxious"})
_URGENT = frozenset({"self_harm", "threat", "medical_danger"})


def promises(text: str) -> list[str]:
    """What an agent's words promise, each as it was said."""
    found = []
    for sentence in _SENTENCE.split(text):
        found += [match[0].strip() for match in _PROMISE.finditer(sentence)]
    return found


def human_acts(text: str) -> list[str]:
    """What an agent's answer does, by name."""
    return [name for name, pattern in _ACTS.items() if pattern.search(text)]


def differences(moves: Sequence[str], answer: str) -> list[str]:
    """What Attune's moves would have held and the human's answer lacks, and the reverse."""
    acts = set(human_acts(answer))
    asked = {_ASKED_FOR[move] for move in moves if move in _ASKED_FOR}
    missing = [f"no {act.replace('_', ' ')}" for act in sorted(asked - acts)]
    if "names_feeling" in acts:
        missing.append("named the caller's feeling")
    return missing


@dataclass(frozen=True, slots=True)
class CallerTurn:
    """What judging a call needs of one turn of the caller."""

    intent: str
    severity: str
    signals: frozenset[str]
    strategy: str
    emotion: str | None
    """The fused label, None when abstained."""
    intensity: str
    valence: float


def outcome(turns: Sequence[CallerTurn], stated: str | None) -> dict[str, Any]:
    """How the call ended: as stated, or by what the caller said last, with the reason."""
    if stated:
        return {"value": stated, "basis": "stated", "why": "as the manifest says"}
    if not turns:
        return _estimated("no_speech", "the caller said nothing")
    if any(_asks_human(turn) for turn in turns):
        return _estimated("escalated", "the caller asked for a person")
    last = turns[-2:]
    if turns[-1].emotion in NEGATIVE and turns[-1].intensity in ("medium", "high"):
        return _estimated("unresolved", f"the caller's last words were {turns[-1].emotion}")
    thanked = any("thanks" in turn.signals or turn.intent == "thanks" for turn in last)
    if thanked:
        return _estimated("resolved", "the caller thanked at the end")
    if any("goodbye" in turn.signals or turn.intent == "goodbye" for turn in last):
        return _estimated("unknown", "the caller said goodbye and did not thank")
    return _estimated("unknown", "the last words tell neither")


def attention(
    turns: Sequence[CallerTurn], ended: str, cut_in_by_agent: int, silent_share: float
) -> dict[str, Any]:
    """How much a call needs to be looked at, from 0 to 100, and every reason with its points."""
    reasons: list[tuple[int, str]] = []
    urgent = sorted({signal for turn in turns for signal in turn.signals & _URGENT})
    if urgent:
        reasons.append((60, f"heard: {', '.join(urgent).replace('_', ' ')}"))
    if any(turn.severity in ("critical", "major") for turn in turns):
        critical = any(turn.severity == "critical" for turn in turns)
        reasons.append((20 if critical else 10, f"severity {'critical' if critical else 'major'}"))
    felt = [turn for turn in turns if turn.emotion is not None]
    upset = [turn for turn in felt if turn.emotion in NEGATIVE]
    if upset:
        share = len(upset) / len(felt)
        strong = any(turn.intensity == "high" for turn in upset)
        points = round(20 * share) + (10 if strong else 0)
        reasons.append((points, f"{len(upset)} of {len(felt)} turns negative"))
    first, last = _thirds([turn.valence for turn in felt])
    if last < first - 0.2:
        # Adding zero takes the sign off a rounded zero.
        began, ended_at = round(first, 1) + 0.0, round(last, 1) + 0.0
        reasons.append((15, f"worse at the end (valence {began:+.1f} to {ended_at:+.1f})"))
    if ended in ("unresolved", "escalated", "abandoned"):
        reasons.append((20, ended))
    if any("abuse" in turn.signals for turn in turns):
        reasons.append((10, "abusive words"))
    if cut_in_by_agent:
        points = min(10, 3 * cut_in_by_agent)
        reasons.append((points, f"the agent interrupted {cut_in_by_agent} times"))
    if silent_share > 0.5:
        reasons.append((5, f"{silent_share:.0%} silence"))
    ranked = sorted((each for each in reasons if each[0]), key=lambda each: -each[0])
    return {
        "score": min(100, sum(points for points, _ in ranked)),
        "reasons": [{"points": points, "why": why} for points, why in ranked],
    }


def _thirds(values: Sequence[float]) -> tuple[float, float]:
    if len(values) < 2:
        return 0.0, 0.0
    size = max(1, len(values) // 3)
    return sum(values[:size]) / size, sum(values[-size:]) / size


def _asks_human(turn: CallerTurn) -> bool:
    return "asks_human" in turn.signals or turn.intent == "talk_to_human"


def _estimated(value: str, why: str) -> dict[str, Any]:
    return {"value": value, "basis": "estimated", "why": why}
