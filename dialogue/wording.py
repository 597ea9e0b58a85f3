"""From moves to words: the pack's phrases with the facts in them, within the empathy budget.

Deterministic: the same call, turn and facts give the same words. Within a call no phrase is used
again while another of its kind is left.
"""

from __future__ import annotations

import re
import string
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Literal

from dialogue import honesty
from dialogue.aloud import SLOW_KINDS, aloud
from dialogue.packs.facts import say_fact
from dialogue.packs.format import Pack

Kind = Literal["empathy", "fact", "action", "question", "option", "close", "code"]

SLOW_SENTENCE_WORDS = 14

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_JOINT = re.compile(r"[;:]\s+|,\s+(?=(?:and|but|so|because|or|with|which|then)\b)|,\s+(?=[a-z])")
_APOLOGETIC_START = re.compile(r"^(?:I'm )?(?:so |very )?sorry,? (?:but )?", re.I)


@dataclass(frozen=True, slots=True)
class Line:
    """A move to be worded: its wordings, and the facts that they may hold."""

    move: str
    kind: Kind
    wordings: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    apology: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the reply before its delivery: spoken and written words.

    `slow` marks what a listener writes down; `group` one group of a code with more to follow.
    """

    text: str
    kind: Kind
    written: str | None = None
    slow: bool = False
    group: bool = False
    move: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the policy and the call so far leave of the wording's freedom."""

    empathy_share: float = 0.2
    """Of the words, after decay and preferences; 0 allows no empathic clause."""
    may_apologise: bool = True
    may_name_feelings: bool = True
    """False for a neutral or abstained turn: no word for a feeling, whoever's it is."""
    slow: bool = False
    brief: bool = False


@dataclass(frozen=True, slots=True)
class Wording:
    """The worded reply: its pieces, the phrases used, and what was left out and why."""

    pieces: tuple[Piece, ...]
    used: tuple[str, ...]
    moves: tuple[str, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def apologised(self) -> bool:
        """Whether the reply says sorry."""
        return any(honesty.apologies(piece.text) for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Voice:
    """What stays the same over a call: the pack's kinds of facts, the seed, the caller's nouns."""

    pack: Pack
    seed: str
    nouns: Mapping[str, str] = field(default_factory=dict)
    """The pack's noun -> the caller's own word for it."""


def compose(
    lines: Sequence[Line], voice: Voice, limits: Limits, said: Sequence[str] = ()
) -> Wording:
    """Word `lines` in order; `said` are the phrases of the call so far, oldest first.

    An empathic line is left out when its shortest phrase breaks the budget; a second one always.
    Other lines are always worded when they have a wording at all.
    """
    worded: dict[int, tuple[str, list[Piece]]] = {}
    left_out: dict[str, str] = {}
    for place, line in enumerate(lines):
        if line.kind == "empathy":
            continue
        usable = _plain(line.wordings, limits)
        if not usable:
            left_out[line.move] = "the pack has no wording"
            continue
        template = _choose(usable, line, voice, limits, said)
        worded[place] = (template, _render(template, line, voice, limits))
    room = _words(piece for _, pieces in worded.values() for piece in pieces)
    for place, line in enumerate(lines):
        if line.kind != "empathy":
            continue
        kept = _empathic(line, voice, limits, said, room)
        if isinstance(kept, str):
            left_out[line.move] = kept
        elif any(lines[other].kind == "empathy" for other in worded):
            left_out[line.move] = "one empathic clause a turn"
        else:
            worded[place] = kept
    order = sorted(worded)
    return Wording(
        pieces=tuple(piece for place in order for piece in worded[place][1]),
        used=tuple(worded[place][0] for place in order),
        moves=tuple(lines[place].move for place in order),
        left_out=left_out,
    )


def callers_nouns(
    text: str, groups: Mapping[str, Sequence[str]], before: Mapping[str, str]
) -> dict[str, str]:
    """The caller's word for each noun of the pack, the latest one spoken winning.

    `groups` holds a noun of the pack's phrases and the words callers use instead.
    """
    nouns = dict(before)
    lower = text.casefold()
    for noun, others in groups.items():
        last = max(((lower.rfind(f" {word}"), word) for word in (noun, *others)), default=(-1, ""))
        heard = re.search(rf"\b{re.escape(last[1])}\b", lower)
        if last[0] < 0 and not heard:
            continue
        if last[1] == noun:
            nouns.pop(noun, None)
        else:
            nouns[noun] = last[1]
    return nouns


def _plain(wordings: tuple[str, ...], limits: Limits) -> tuple[str, ...]:
    """Wordings without an apology (that is a move of its own) and without forbidden feelings."""
    plain = tuple(text for text in wordings if not honesty.apologies(text))
    if not plain:
        plain = tuple(_unapologetic(text) for text in wordings)
    if limits.may_name_feelings:
        return plain
    return tuple(text for text in plain if not honesty.names_feeling(text)) or plain


def _unapologetic(text: str) -> str:
    rest = _APOLOGETIC_START.sub("", text)
    return rest[:1].upper() + rest[1:]


def _empathic(
    line: Line, voice: Voice, limits: Limits, said: Sequence[str], room: int
) -> tuple[str, list[Piece]] | str:
    """The empathic line worded within the budget, or why it is left out."""
    if limits.empathy_share <= 0:
        return "the empathy budget is spent"
    usable = tuple(
        text
        for text in line.wordings
        if (limits.may_apologise or not honesty.apologies(text))
        and (limits.may_name_feelings or not honesty.names_feeling(text))
    )
    if not usable:
        return "nothing may be said here without a second apology or a word for a feeling"
    for template in _ranked(usable, line, voice, limits, said):
        pieces = _render(template, line, voice, limits)
        words = _words(pieces)
        if words <= limits.empathy_share * (room + words) + 1e-9:
            return template, pieces
    return f"over {limits.empathy_share:.0%} of the words"


def _choose(
    wordings: tuple[str, ...], line: Line, voice: Voice, limits: Limits, said: Sequence[str]
) -> str:
    ranked = _ranked(wordings, line, voice, limits, said)
    if limits.slow:
        short = (text for text in ranked if _longest_sentence(text) <= SLOW_SENTENCE_WORDS)
        return next(short, ranked[0])
    return ranked[0]


def _ranked(
    wordings: tuple[str, ...], line: Line, voice: Voice, limits: Limits, said: Sequence[str]
) -> list[str]:
    """Unused phrases first, from a place that the call decides; then those used longest ago."""
    start = zlib.crc32(f"{voice.seed}:{line.move}".encode()) % len(wordings)
    turned = wordings[start:] + wordings[:start]
    last = {text: place for place, text in enumerate(said)}
    ranked = sorted(turned, key=lambda text: last.get(text, -1))
    if limits.brief:
        fresh = [text for text in ranked if text not in last] or ranked
        ranked = sorted(fresh, key=honesty.count_words) + [
            text for text in ranked if text not in fresh
        ]
    return ranked


def _longest_sentence(template: str) -> int:
    return max(honesty.count_words(part) for part in honesty.sentences(template))


def _words(pieces: Any) -> int:
    return sum(honesty.count_words(piece.text) for piece in pieces)


def _render(template: str, line: Line, voice: Voice, limits: Limits) -> list[Piece]:
    pieces: list[Piece] = []
    for sentence in _SENTENCE.split(_in_callers_words(template, voice.nouns)):
        for piece in _render_sentence(sentence, line, voice):
            pieces += _shortened(piece) if limits.slow else [piece]
    return pieces


def _shortened(piece: Piece) -> list[Piece]:
    """A piece of at most 14 words a sentence, cut at the joint nearest to its middle; one without
    a joint stays whole."""
    eye = piece.text if piece.written is None else piece.written
    heard, read = list(_JOINT.finditer(piece.text)), list(_JOINT.finditer(eye))
    long = honesty.count_words(piece.text) > SLOW_SENTENCE_WORDS
    if not long or not heard or piece.group or len(heard) != len(read):
        return [piece]
    middle = len(piece.text) / 2
    place = min(range(len(heard)), key=lambda each: abs(heard[each].start() - middle))
    heads = [
        text[: found[place].start()] + "." for text, found in ((piece.text, heard), (eye, read))
    ]
    tails = [
        _raised(text[found[place].end() :]) for text, found in ((piece.text, heard), (eye, read))
    ]
    return [
        part
        for text, written in (heads, tails)
        for part in _shortened(replace(piece, text=text, written=_unlike(text, written)))
    ]


def _unlike(text: str, written: str) -> str | None:
    return None if written == text else written


@dataclass(frozen=True, slots=True)
class _Said:
    """A fact in words: what is heard (a code in groups), what is read, and whether it is slow."""

    groups: tuple[str, ...]
    shown: str
    slow: bool


def _fact(name: str, line: Line, voice: Voice) -> _Said:
    value = line.facts[name]
    kind = voice.pack.kind_of(name)
    today = line.facts.get("today")
    day = date.fromisoformat(today) if isinstance(today, str) else None
    currency = voice.pack.currency
    return _Said(
        aloud(value, kind, currency=currency, today=day),
        say_fact(value, kind, currency=currency, today=day),
        kind in SLOW_KINDS,
    )


def _render_sentence(sentence: str, line: Line, voice: Voice) -> list[Piece]:
    """One sentence; a code cuts it after each of its groups."""
    pieces: list[Piece] = []
    spoken = written = ""
    slow = after_code = False
    for text, name, _, _ in string.Formatter().parse(sentence):
        literal = text
        if after_code and (sign := re.match(r"[.,;:!?]+", literal)):
            last = pieces[-1]
            pieces[-1] = replace(
                last, text=last.text + sign.group(), written=f"{last.written or ''}{sign.group()}"
            )
            literal = literal[sign.end() :]
        after_code = False
        spoken += literal
        written += literal
        if name is None:
            continue
        said = _fact(name, line, voice)
        slow = slow or said.slow
        spoken += said.groups[0]
        written += said.shown
        if len(said.groups) > 1:
            pieces += _code_pieces(spoken, written, said.groups[1:], line)
            spoken, written, slow, after_code = "", "", False, True
    if spoken.strip():
        pieces.append(_piece(spoken, written, line, slow))
    first = pieces[0]
    pieces[0] = replace(
        first, text=_raised(first.text), written=first.written and _raised(first.written)
    )
    return pieces


def _code_pieces(spoken: str, written: str, groups: tuple[str, ...], line: Line) -> list[Piece]:
    first = Piece(spoken.strip() + ",", line.kind, written.strip(), True, True, line.move)
    rest = [
        Piece(group + ("," if more else ""), line.kind, "", True, more, line.move)
        for group, more in zip(groups, [True] * (len(groups) - 1) + [False], strict=True)
    ]
    return [first, *rest]


def _piece(spoken: str, written: str, line: Line, slow: bool) -> Piece:
    text = spoken.strip()
    return Piece(text, line.kind, _unlike(text, written.strip()), slow, False, line.move)


def _raised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _in_callers_words(template: str, nouns: Mapping[str, str]) -> str:
    for noun, own in nouns.items():
        template = re.sub(
            rf"\b(your|the|this|that) {re.escape(noun)}\b(?! (?:number|system|\{{))",
            rf"\1 {own}",
            template,
        )
    return template
