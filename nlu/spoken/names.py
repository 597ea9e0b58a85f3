"""Names that a caller gives, and names confirmed by spelling: "it's Smyth, S M Y T H"."""

from __future__ import annotations

from difflib import SequenceMatcher

from nlu.spoken.cardinals import word_at
from nlu.spoken.codes import Code, find_codes
from nlu.spoken.tokens import Found, Taken, Token

_OPENINGS: tuple[tuple[str, ...], ...] = (
    ("my", "name", "is"),
    ("my", "name's"),
    ("name", "is"),
    ("first", "name"),
    ("last", "name"),
    ("surname", "is"),
    ("i", "am", "called"),
    ("they", "call", "me"),
    ("this", "is"),
    ("under", "the", "name"),
    ("speaking", "with"),
    ("it's", "for"),
    ("it", "is", "for"),
)
_WEAK = frozenset({("this", "is"), ("speaking", "with"), ("it's", "for"), ("it", "is", "for")})
_NOT_A_NAME = frozenset(
    "the a an and or but is was not it it's on my your his her i you we they for to about so very "
    "really just in at of with from that this because calling here spelled spelt wrong ridiculous "
    "important urgent regarding one all no yes number order account like too please what how when "
    "i'm thanks thank hello hi still also".split()
)
_BETWEEN = frozenset(
    {",", "is", "that's", "that", "spelled", "spelt", "it's", "as", "with", ".", "-"}
)


def find_names(tokens: list[Token], asked: bool = False) -> list[Found]:
    """Every name given; a spelling wins over what was heard before it.

    `asked` takes letters spelled alone, or a short answer, for a name.
    """
    taken = Taken(tokens[-1].end if tokens else 0)
    taken.add(_spelled(tokens, asked))
    taken.add(_given(tokens, asked))
    return taken.values


def _spelled(tokens: list[Token], asked: bool) -> list[Found]:
    found: list[Found] = []
    for code in find_codes(tokens):
        if not code.spelled or code.letters < 3:
            continue
        heard = _heard_before(tokens, code)
        cue = any(word_at(tokens, code.first - step) in _SPELLING for step in (1, 2, 3, 4))
        if heard is None and not (asked or cue):
            continue
        start = tokens[heard].start if heard is not None else code.start
        value = code.value.capitalize()
        given = heard - 1 if heard is not None else -1
        if heard is not None and _first_name(tokens, given):
            value = f"{tokens[given].text.capitalize()} {value}"
            start = tokens[given].start
        found.append(Found("name", value, start, code.end, 0.95 if heard is not None else 0.8))
    return found


_SPELLING = frozenset({"name", "surname", "spelled", "spelt", "spell", "spelling", "name's"})


def _heard_before(tokens: list[Token], code: Code) -> int | None:
    """The word before the spelling that it spells, give or take what recognition does to names."""
    at = code.first - 1
    while at >= 0 and code.first - at <= 4 and tokens[at].word in _BETWEEN:
        at -= 1
    if at < 0 or not tokens[at].is_word or len(tokens[at].word) < 2:
        return None
    alike = SequenceMatcher(None, tokens[at].word[:40], code.value.lower()[:40]).ratio()
    return at if alike >= 0.6 else None


def _first_name(tokens: list[Token], at: int) -> bool:
    return (
        at >= 0
        and tokens[at].is_word
        and tokens[at].word not in _NOT_A_NAME
        and word_at(tokens, at - 1) in ("is", "name's", "it's", "i'm", "am", "name")
    )


def _given(tokens: list[Token], asked: bool) -> list[Found]:
    found: list[Found] = []
    words = [token.word for token in tokens]
    for place in range(len(words)):
        for opening in _OPENINGS:
            if words[place] != opening[0] or tuple(words[place : place + len(opening)]) != opening:
                continue
            name = _words_of_name(tokens, place + len(opening), opening in _WEAK)
            if name is not None:
                found.append(name)
    if asked and not found and 1 <= len(tokens) <= 4:
        name = _words_of_name(tokens, 0, weak=False)
        if name is not None:
            found.append(name)
    return found


def _words_of_name(tokens: list[Token], at: int, weak: bool) -> Found | None:
    """Up to three words; after a weak opening only words written with a capital count."""
    at += word_at(tokens, at) == "is"
    start = at
    while at < len(tokens) and at - start < 3 and _may_be_name(tokens[at], weak):
        if at > start and tokens[at].text[0].islower() != tokens[start].text[0].islower():
            break
        at += 1
        if at < len(tokens) and tokens[at - 1].text[0].islower() and at - start == 2:
            break
    if at == start:
        return None
    value = " ".join(token.text.capitalize() for token in tokens[start:at])
    return Found("name", value, tokens[start].start, tokens[at - 1].end, 0.7 if weak else 0.8)


def _may_be_name(token: Token, weak: bool) -> bool:
    return (
        token.is_word
        and len(token.word) > 1
        and token.word not in _NOT_A_NAME
        and (not weak or token.text[0].isupper())
    )
