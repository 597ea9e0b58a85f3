"""A phrase with its facts in it: what is spoken, what is read, what is slow, where it is cut."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, Literal

from dialogue.aloud import SLOW_KINDS, aloud
from dialogue.honesty import count_words
from dialogue.packs.facts import say_fact
from dialogue.packs.format import Pack

Kind = Literal["empathy", "fact", "action", "question", "option", "close", "code"]

SLOW_SENTENCE_WORDS = 14

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_JOINT = re.compile(r"[;:]\s+|,\s+(?=(?:and|but|so|because|or|with|which|then)\b)|,\s+(?=[a-z])")


@dataclass(frozen=True, slots=True)
class Line:
    """A move to be worded: its wordings, and the facts that they may hold."""

    move: str
    kind: Kind
    wordings: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    apology: bool = False
    due: bool = False
    """Expected of anyone with manners: other lines are worded longer to make room for it."""


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
class Voice:
    """What stays the same over a call: the pack's kinds of facts, the seed, the caller's nouns."""

    pack: Pack
    seed: str
    nouns: Mapping[str, str] = field(default_factory=dict)
    """The pack's noun -> the caller's own word for it."""


def render(template: str, line: Line, voice: Voice, *, slow: bool = False) -> list[Piece]:
    """The pieces of a phrase with the facts of `line` in it and the caller's nouns; sentences of at
    most 14 words, where they can be cut, when it is spoken slowly."""
    pieces: list[Piece] = []
    for sentence in _SENTENCE.split(_in_callers_words(template, voice.nouns)):
        for piece in _render_sentence(sentence, line, voice):
            pieces += _shortened(piece) if slow else [piece]
    return pieces


def _shortened(piece: Piece) -> list[Piece]:
    """A piece of at most 14 words a sentence, cut at the joint nearest to its middle; one without
    a joint stays whole."""
    eye = piece.text if piece.written is None else piece.written
    heard, read = list(_JOINT.finditer(piece.text)), list(_JOINT.finditer(eye))
    long = count_words(piece.text) > SLOW_SENTENCE_WORDS
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
    locale = str(line.facts.get("locale", voice.pack.locale))
    return _Said(
        aloud(value, kind, currency=currency, today=day, locale=locale),
        say_fact(value, kind, currency=currency, today=day, locale=locale),
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
