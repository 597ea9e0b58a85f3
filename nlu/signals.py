"""What the words say beyond an intent: a wish for a human, danger, abuse, a withdrawal, a goodbye.

The patterns are data (`signals.yaml`). Before they are tried, words that a recogniser or a typist
has bent ("representive", "operater") are put right, and phrases that only look alike ("I spoke to
someone yesterday") are struck out. Where no pattern fits, likeness to examples
(`signal_examples.yaml`) decides, with a lower bar where a telling word stands in the text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlu import written_data
from nlu.encoder import Encoder
from nlu.prototypes import Prototypes

_FILE = "signals.yaml"
_EXAMPLES = "signal_examples.yaml"
# How much likeness is enough, and where a telling word stands in the text. A wish for a human that
# is missed costs more than one that is imagined.
_LIKE = {"asks_human": 0.4}
_LIKE_WITH_CUE = {"asks_human": 0.1}
_LIKE_ELSE = 0.6
_LIKE_ELSE_WITH_CUE = 0.3
_MOST_CLAUSES = 6
_MOST_LIKENED = 600
_STRUCK = " ▪ "
_NOT_WORDS = re.compile(r"[^\w'\s.!?;]+")
_MOST_CHARACTERS = 20_000
"""Half an hour of speech in one turn; what follows is not read."""
_NO_WORD = re.compile(r"[^\W_]{41,}")
_SENTENCE_END = re.compile(r"[.!?;]+(?=\s|$)")
_OTHER_MARKS = re.compile(r"[.!?;]+")
_CLAUSE = re.compile(r" (?:and|but|so|because|or|then|if) ")
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
    (re.compile(r"\b(?:some|sum|summ) (?=(?:one|body|buddy)\b)"), "some"),
    (re.compile(r"\bany (?=(?:one|body|buddy)\b)(?!one of)"), "any"),
    (re.compile(r"\b(some|any) ?buddy\b"), r"\1body"),
    (re.compile(r"\bspeak to (?:summon|summer|some on)\b"), "speak to someone"),
    (
        re.compile(
            r"\brep+resent ?[ai]?tives?\b|"
            r"\brep+resent(?:ing)? (?:a |an )?(?:tiffs?|tips?|it if|if|tive|active)\b"
        ),
        "representative",
    ),
    (
        re.compile(
            r"\b(?:hues? m[ae]n|hu man|you man|u man|uman|yuman|hugh m[aie]n|hew man|"
            r"humane(?= being)|who man|human bean)\b"
        ),
        "human",
    ),
    (re.compile(r"\b(?:a gent|a jent|ay gent|hey gent|age int|a gem)\b(?!')"), "agent"),
    (re.compile(r"\b(?:per son|purse on|pers in|purse in|purse and|pearson|par son)\b"), "person"),
    (
        re.compile(
            r"\b(?:super|supper) (?:visors?|vizor|vise her|fisher|advisor|wiser|vice or|visa)\b"
        ),
        "supervisor",
    ),
    (
        re.compile(r"\b(?:opera tor|operate (?:her|or)|operator's|opper rater|apparatus or)\b"),
        "operator",
    ),
    (re.compile(r"\b(?:a )?man (?:a |age )(?:jerk|jar|her|char|jaw|ger)\b"), "manager"),
    (re.compile(r"\b(?:reel|riel|really) (?=(?:person|human|people))"), "real "),
)


@dataclass(frozen=True, slots=True)
class _Signal:
    """The compiled patterns of one signal."""

    name: str
    mask: re.Pattern[str] | None
    anywhere: re.Pattern[str]
    alone: re.Pattern[str] | None
    cue: re.Pattern[str] | None
    unless: re.Pattern[str] | None

    def is_in(self, text: str, sentences: list[str]) -> bool:
        """Whether the signal is in `text`, whose `sentences` are given too."""
        if self.alone is not None and any(self.alone.fullmatch(part) for part in sentences):
            return True
        text = self.masked(text)
        if self.unless is not None and self.unless.search(text):
            return False
        return self.anywhere.search(text) is not None

    def masked(self, text: str) -> str:
        """`text` without what only looks like the signal."""
        return text if self.mask is None else self.mask.sub(_STRUCK, text)

    def is_like(self, text: str, sentence: str, likeness: float) -> bool:
        """Whether so much likeness to the examples is enough in `text`, a part of `sentence`."""
        with_cue = _LIKE_WITH_CUE.get(self.name, _LIKE_ELSE_WITH_CUE)
        if likeness < with_cue or text not in self.masked(sentence):
            return False
        told = self.cue is not None and self.cue.search(text) is not None
        return likeness >= (with_cue if told else _LIKE.get(self.name, _LIKE_ELSE))


def find_signals(text: str) -> frozenset[str]:
    """The names of the signals in `text`.

    They are `asks_human`, `self_harm`, `threat`, `medical_danger`, `abuse` (at the assistant,
    not at the situation), `withdraw_voice`, `forget_call`, `sarcasm` (praise for something bad),
    `refuses_offer`, `thanks`, `goodbye`.
    A doubtful wish for a human counts as one: being asked twice is worse than a transfer.
    """
    plain = _plain(text)
    if not plain:
        return frozenset()
    sentences = [part.strip() for part in plain.split(" . ") if part.strip()]
    found = {signal.name for signal in _signals() if signal.is_in(plain, sentences)}
    return frozenset(found | _alike(sentences, found))


def _alike(sentences: list[str], found: set[str]) -> set[str]:
    """The signals that no pattern finds but that a clause resembles."""
    parts = [
        (part[:_MOST_LIKENED], sentence)
        for sentence in sentences[:_MOST_CLAUSES]
        for part in _clauses(sentence)
    ][:_MOST_CLAUSES]
    parts = [(part, sentence) for part, sentence in parts if not _is_stuck(part)]
    encoder, prototypes = _likeness()
    scores = prototypes.score(encoder.encode([part for part, _ in parts]))
    named = {signal.name: signal for signal in _signals()}
    return {
        name
        for name, column in zip(prototypes.names, np.asarray(scores).T, strict=True)
        if name not in found
        and any(
            named[name].is_like(part, sentence, float(score))
            for (part, sentence), score in zip(parts, column, strict=True)
        )
    }


def _clauses(sentence: str) -> list[str]:
    """The sentence, and its clauses where it is long enough to hide a wish."""
    if len(sentence.split()) < 9:
        return [sentence]
    parts = [part for part in _CLAUSE.split(sentence) if len(part.split()) > 2]
    return [sentence, *parts] if len(parts) > 1 else [sentence]


def _is_stuck(clause: str) -> bool:
    """Whether the clause is a few words over and over: an encoder's vector of it means nothing."""
    words = clause.split()
    return len(set(words)) * 4 < len(words)


@functools.cache
def _likeness() -> tuple[Encoder, Prototypes]:
    written: dict[str, Any] = written_data.read(_EXAMPLES)
    others: list[str] = written.pop("others")
    encoder = Encoder.load()
    examples = {name: lists["yes"] for name, lists in written.items()}
    lookalikes = {name: lists["no"] for name, lists in written.items()}
    return encoder, Prototypes(examples, lookalikes, others, encoder)


def _plain(text: str) -> str:
    """Lower case, no marks but " . " between sentences, bent words put right."""
    lowered = _NO_WORD.sub(" ", text[:_MOST_CHARACTERS]).lower().replace("’", "'").replace("`", "'")
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
    written: dict[str, Any] = written_data.read(_FILE)
    parts = _expanded(written.pop("parts"))
    return tuple(
        _Signal(
            name,
            _compiled(patterns.get("mask", ()), parts),
            _compiled(patterns["any"], parts) or re.compile("(?!)"),
            _compiled(patterns.get("alone", ()), parts),
            _compiled(patterns.get("cue", ()), parts),
            _compiled(patterns.get("unless", ()), parts),
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
