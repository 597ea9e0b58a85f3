"""From moves to words: the pack's phrases with the facts in them, within the empathy budget.

Deterministic: the same call, turn and facts give the same words. Within a call no phrase is used
again while another of its kind is left.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dialogue import honesty
from dialogue.rendering import SLOW_SENTENCE_WORDS, Line, Piece, Voice, render

_APOLOGETIC_START = re.compile(r"^(?:I'm )?(?:so |very )?sorry,? (?:but )?", re.I)


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


def compose(
    lines: Sequence[Line], voice: Voice, limits: Limits, said: Sequence[str] = ()
) -> Wording:
    """Word `lines` in order; `said` are the phrases of the call so far, oldest first.

    An empathic line is left out when its shortest phrase breaks the budget; a second one always.
    For one that is `due` (a condolence), longer phrases of the other lines make room if they can.
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
        worded[place] = (template, render(template, line, voice, slow=limits.slow))
    room = _words(piece for _, pieces in worded.values() for piece in pieces)
    for place, line in enumerate(lines):
        if line.kind != "empathy":
            continue
        kept = _empathic(line, voice, limits, said, room)
        if isinstance(kept, str) and line.due and not limits.brief:
            longer = _longest(lines, worded, voice, limits, said)
            more = _words(piece for _, pieces in longer.values() for piece in pieces)
            fits = _empathic(line, voice, limits, said, more)
            if not isinstance(fits, str):
                worded, kept, room = longer, fits, more
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


def _longest(
    lines: Sequence[Line],
    worded: Mapping[int, tuple[str, list[Piece]]],
    voice: Voice,
    limits: Limits,
    said: Sequence[str],
) -> dict[int, tuple[str, list[Piece]]]:
    """What is worded already, each line in its longest phrase that the call has not heard."""
    longer: dict[int, tuple[str, list[Piece]]] = {}
    for place, (template, pieces) in worded.items():
        longer[place] = (template, pieces)
        if lines[place].kind == "empathy":
            continue
        for other in _plain(lines[place].wordings, limits):
            too_long = limits.slow and _longest_sentence(other) > SLOW_SENTENCE_WORDS
            if other in said or too_long:
                continue
            rendered = render(other, lines[place], voice, slow=limits.slow)
            if _words(rendered) > _words(longer[place][1]):
                longer[place] = (other, rendered)
    return longer


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
        pieces = render(template, line, voice, slow=limits.slow)
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
