"""What the words say beyond an intent: a wish for a human, danger, abuse, a withdrawal, a goodbye.

The patterns are data (`signals.yaml`). Before they are tried, words that a recogniser or a typist
has bent ("representive", "operater") are put right, and phrases that only look alike ("I spoke to
someone yesterday") are struck out.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_FILE = Path(__file__).with_name("signals.yaml")
_STRUCK = " ▪ "
_NOT_WORDS = re.compile(r"[^\w'\s.!?;]+")
_SENTENCE_END = re.compile(r"[.!?;]+(?=\s|$)")
_OTHER_MARKS = re.compile(r"[.!?;]+")
_REPAIRED = (
    "representative",
    "supervisor",
    "operator",
    "manager",
    "person",
    "human",
    "somebody",
    "someone",
    "advisor",
    "transfer",
    "customer",
    "agent",
    "suicide",
    "analyse",
)
_NOT_REPAIRED = frozenset(
    "manage managed manages managers persons personal personally humane humans humid transfers "
    "transferred customers custom costumer agents agency ages operate operates operated operators "
    "represent representing advise advisers adviser advises persona parson prison reason season "
    "something sometime sometimes somewhere agenda event anent urgent gent analyze "
    "analysis analysed analyses".split()
)
_JOINED = (
    (re.compile(r"\bsome (?=(?:one|body)\b)"), "some"),
    (re.compile(r"\bany (?=(?:one|body)\b)(?!one of)"), "any"),
    (re.compile(r"\brep+resent ?[ai]?tives?\b"), "representative"),
    (re.compile(r"\b(?:hue man|hu man|you man|u man|uman|yuman)\b"), "human"),
    (re.compile(r"\b(?:a gent|a jent|ay gent)\b"), "agent"),
    (re.compile(r"\b(?:per son|purse on|pers in)\b"), "person"),
    (re.compile(r"\b(?:super visor|super vizor)\b"), "supervisor"),
    (re.compile(r"\b(?:opera tor|operate her|operator's)\b"), "operator"),
    (re.compile(r"\b(?:reel|riel) (?=(?:person|human|people))"), "real "),
)


@dataclass(frozen=True, slots=True)
class _Signal:
    """The compiled patterns of one signal."""

    name: str
    mask: re.Pattern[str] | None
    anywhere: re.Pattern[str]
    alone: re.Pattern[str] | None

    def is_in(self, text: str, sentences: list[str]) -> bool:
        """Whether the signal is in `text`, whose `sentences` are given too."""
        if self.alone is not None and any(self.alone.fullmatch(part) for part in sentences):
            return True
        if self.mask is not None:
            text = self.mask.sub(_STRUCK, text)
        return self.anywhere.search(text) is not None


def find_signals(text: str) -> frozenset[str]:
    """The names of the signals in `text`.

    They are `asks_human`, `self_harm`, `threat`, `medical_danger`, `abuse` (at the assistant,
    not at the situation), `withdraw_voice`, `forget_call`, `refuses_offer`, `thanks`, `goodbye`.
    A doubtful wish for a human counts as one: being asked twice is worse than a transfer.
    """
    plain = _plain(text)
    if not plain:
        return frozenset()
    sentences = [part.strip() for part in plain.split(" . ") if part.strip()]
    return frozenset(signal.name for signal in _signals() if signal.is_in(plain, sentences))


def _plain(text: str) -> str:
    """Lower case, no marks but " . " between sentences, bent words put right."""
    lowered = text.lower().replace("’", "'").replace("`", "'")
    lowered = _NOT_WORDS.sub(" ", lowered)
    lowered = _SENTENCE_END.sub(" . ", lowered)
    lowered = _OTHER_MARKS.sub(lambda match: match[0] if match[0] == " . " else " . ", lowered)
    joined = " ".join(lowered.split())
    joined = re.sub(r"(?:\. )+", ". ", joined).strip(" .")
    for pattern, right in _JOINED:
        joined = pattern.sub(right, joined)
    return " ".join(_repair(word) for word in joined.split())


@functools.lru_cache(maxsize=4096)
def _repair(word: str) -> str:
    if not 5 <= len(word) <= 18 or word in _NOT_REPAIRED:
        return word
    for right in _REPAIRED:
        if word == right:
            return word
        allowed = 2 if len(right) >= 9 else 1
        if word[0] == right[0] and _within(word, right, allowed):
            return right
    return word


def _within(left: str, right: str, most: int) -> bool:
    """Whether the edit distance is at most `most` (Levenshtein 1966)."""
    if abs(len(left) - len(right)) > most:
        return False
    row = list(range(len(right) + 1))
    for place, letter in enumerate(left, start=1):
        above, row = row, [place]
        for at, other in enumerate(right, start=1):
            row.append(min(above[at] + 1, row[at - 1] + 1, above[at - 1] + (letter != other)))
        if min(row) > most:
            return False
    return row[-1] <= most


@functools.cache
def _signals() -> tuple[_Signal, ...]:
    written: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    parts = _expanded(written.pop("parts"))
    return tuple(
        _Signal(
            name,
            _compiled(patterns.get("mask", ()), parts),
            _compiled(patterns["any"], parts) or re.compile("(?!)"),
            _compiled(patterns.get("alone", ()), parts),
        )
        for name, patterns in written.items()
    )


def _expanded(parts: Mapping[str, str]) -> dict[str, str]:
    known: dict[str, str] = {}
    for name, pattern in parts.items():
        known[name] = _filled(pattern, known)
    return known


def _filled(pattern: str, parts: Mapping[str, str]) -> str:
    return re.sub(r"\{([a-z]+)\}", lambda match: parts[match[1]], pattern)


def _compiled(
    patterns: list[str] | tuple[str, ...], parts: Mapping[str, str]
) -> re.Pattern[str] | None:
    if not patterns:
        return None
    return re.compile("|".join(f"(?:{_filled(pattern, parts)})" for pattern in patterns))
