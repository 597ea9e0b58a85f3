"""E-mail addresses, written or said: "jane dot doe at gmail dot com"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nlu.spoken.cardinals import word_at
from nlu.spoken.codes import find_codes
from nlu.spoken.tokens import FILLERS, Found, Taken, Token, touching

_WRITTEN = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@[A-Za-z0-9][A-Za-z0-9.-]{0,250}\.[A-Za-z]{2,24}"
)
_TOP_LEVEL = frozenset(
    "com net org edu gov mil int info biz io co uk us ca au nz ie de fr es it nl be ch at pl se no "
    "dk fi pt in jp cn br mx za eu me tv app dev ai example test".split()
)
_MARKS = {
    "dot": ".",
    ".": ".",
    "point": ".",
    "period": ".",
    "underscore": "_",
    "_": "_",
    "dash": "-",
    "hyphen": "-",
    "-": "-",
    "minus": "-",
    "plus": "+",
    "+": "+",
}
_STOP = frozenset(
    "is it's its it that's thats email e-mail mail address my the to and at me you your us we send "
    "sent on with under for so yes yeah ok okay well use try contact write a an be was as by in of "
    "or have has got this here please changed into from not no sorry actually i'm login account "
    "username spelled spelt new old work personal about look looking look meet see".split()
)
_FLAVOUR = frozenset(
    {"capital", "upper", "all", "one", "word", "lowercase", "lower", "case", "small", "together"}
)
_REMARKS = (
    ("all", "as", "one", "word"),
    ("all", "one", "word"),
    ("as", "one", "word"),
    ("one", "word"),
    ("no", "spaces"),
    ("without", "spaces"),
    ("all", "lower", "case"),
    ("all", "lowercase"),
)
_CUES = frozenset({"is", "it's", "that's", "email", "e-mail", "address", ",", ":"})
_MAX_PARTS = 40


def find_emails(text: str, tokens: list[Token]) -> list[Found]:
    """Every e-mail address with its value in lower case."""
    tokens = _without_remarks(tokens)
    taken = Taken(len(text))
    taken.add(
        Found("email", match[0].lower(), match.start(), match.end())
        for match in _WRITTEN.finditer(text)
    )
    places = (place for place, token in enumerate(tokens) if token.word in ("at", "@"))
    taken.add(found for place in places if (found := _around(tokens, place)) is not None)
    return taken.values


def _without_remarks(tokens: list[Token]) -> list[Token]:
    """The tokens without "all one word" and the like: "one" is no digit there."""
    kept: list[Token] = []
    place = 0
    while place < len(tokens):
        remark = next(
            (
                said
                for said in _REMARKS
                if tuple(token.word for token in tokens[place : place + len(said)]) == said
            ),
            None,
        )
        if remark is None:
            kept.append(tokens[place])
        place += 1 if remark is None else len(remark)
    return kept


def _around(tokens: list[Token], place: int) -> Found | None:
    domain = _domain(tokens, place + 1)
    if domain is None:
        return None
    local = _local(tokens, place - 1)
    if local is None:
        return None
    name, first = local
    host, after = domain
    return Found("email", f"{name}@{host}", tokens[first].start, tokens[after - 1].end, 0.9)


def _domain(tokens: list[Token], place: int) -> tuple[str, int] | None:
    """ "gmail dot com", "hot mail dot co dot uk", "g mail dot com", "example-mail.org"."""
    labels: list[str] = [""]
    best: tuple[str, int] | None = None
    for at in range(place, min(place + _MAX_PARTS, len(tokens))):
        token = tokens[at]
        mark = _MARKS.get(token.word)
        if mark == ".":
            if not labels[-1] or (token.text == "." and not _touches_next(tokens, at)):
                break
            labels.append("")
        elif mark == "-" and labels[-1]:
            labels[-1] += "-"
        elif token.is_word or token.is_number:
            if best is not None and labels[-1]:
                break
            labels[-1] += "".join(char for char in token.word if char.isalnum())
            if len(labels) > 1 and labels[-1] in _TOP_LEVEL:
                best = ".".join(labels), at + 1
        elif token.word not in FILLERS:
            break
        if len(labels) == 1 and at - place >= 6:
            break
    return best


def _touches_next(tokens: list[Token], at: int) -> bool:
    return at + 1 < len(tokens) and touching(tokens[at], tokens[at + 1])


def _local(tokens: list[Token], last: int) -> tuple[str, int] | None:
    """The name before "at" that ends with the token at `last`, and where it begins."""
    window = max(0, last + 1 - _MAX_PARTS)
    spelled = _spelled(tokens, window, last + 1)
    first = last
    while first >= window and _belongs(tokens, first, last, spelled):
        first -= 1
    first = _further_words(tokens, first + 1)
    while first <= last and (tokens[first].word in _MARKS or tokens[first].word in _FLAVOUR):
        first += 1
    value = _joined(tokens, first, last + 1)
    return (value, first) if value else None


def _segments(tokens: list[Token], first: int, after: int) -> Iterator[tuple[int, int]]:
    """The stretches between marks such as "dot" and "dash"."""
    start = first
    for at in range(first, after):
        if tokens[at].word in _MARKS:
            yield start, at
            start = at + 1
    yield start, after


def _spelled(tokens: list[Token], first: int, after: int) -> set[int]:
    """The places that belong to letters or digits said one by one."""
    return {
        start + at
        for start, end in _segments(tokens, first, after)
        for code in find_codes(tokens[start:end])
        for at in range(code.first, code.after)
    }


def _belongs(tokens: list[Token], at: int, last: int, spelled: set[int]) -> bool:
    """Whether the token reads as part of the name before "at", scanning leftwards."""
    token = tokens[at]
    word = token.word
    if word in (".", "!", "?") and (at == last or token.end < tokens[at + 1].start):
        return False
    if at in spelled or word in _MARKS or word in _FLAVOUR or word in FILLERS or word == ",":
        return True
    if word in ("a", "i") and at < last and _spelled_on(tokens[at + 1]):
        return True
    if not token.is_word or word in _STOP:
        return False
    following = word_at(tokens, at + 1)
    return (
        at == last
        or at + 1 in spelled
        or following in _MARKS
        or following in FILLERS
        or following in _FLAVOUR
    )


def _spelled_on(following: Token) -> bool:
    return following.word in _MARKS or (len(following.word) == 1 and following.is_word)


def _further_words(tokens: list[Token], first: int) -> int:
    """ "jane smith at ..." is one name when nothing but the question or "is" stands before."""
    start = first
    while start > 0 and first - start < 2 and tokens[start - 1].is_word:
        if tokens[start - 1].word in _STOP:
            break
        start -= 1
    bounded = start == 0 or tokens[start - 1].word in _CUES
    return start if bounded else first


def _joined(tokens: list[Token], first: int, after: int) -> str:
    pieces: list[str] = []
    for start, end in _segments(tokens, first, after):
        pieces.append(_segment(tokens[start:end]))
        if end < after:
            pieces.append(_MARKS[tokens[end].word])
    return "".join(pieces).strip("._-+")


def _segment(tokens: list[Token]) -> str:
    codes = {code.first: code for code in find_codes(tokens)}
    pieces: list[str] = []
    at = 0
    while at < len(tokens):
        code = codes.get(at)
        if code is not None:
            pieces.append(code.value.lower())
            at = code.after
            continue
        word = tokens[at].word
        if word not in FILLERS and word not in _FLAVOUR and word[0].isalnum():
            pieces.append("".join(char for char in word if char.isalnum()))
        at += 1
    return "".join(pieces)
