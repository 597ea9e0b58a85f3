"""Street addresses, written or said: "forty two maple street, apartment four b"."""

from __future__ import annotations

import re
from dataclasses import replace

from nlu.spoken.cardinals import ordinal, word_at
from nlu.spoken.codes import Code, find_codes
from nlu.spoken.tokens import Found, Token

_STRONG = frozenset(
    "street avenue road lane boulevard terrace crescent highway parkway drive court circle trail "
    "st ave rd ln blvd dr ct close place square gardens grove mews row hill".split()
)
_WEAK = frozenset(
    "drive court close place square row hill circle trail st dr ct gardens grove".split()
)
_UNITS_INSIDE = frozenset("apartment apt flat unit suite number".split())
_NOT_IN_A_NAME = frozenset(
    "the a an and or but of to in on at for from with is was were are be been i you he she it we "
    "they my your his her their our me him them this that these those there here not no yes have "
    "has had do did does will would can could should hours hour minutes minute days day weeks week "
    "months month years year people items item times miles mile dollars pounds euros percent more "
    "away down up off off over just so very cars car boxes box orders order it's i'm if as by "
    "then than when which who what because about only until since later ago am pm".split()
)
_CUES = frozenset("at address live lives living to is it's moved ship deliver delivered".split())
_POSTCODE = re.compile(
    r"\s*,?\s*(?:[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}\b|(?:[A-Z]{2},? )?\d{5}(?:-\d{4})?\b)"
)
_CITY = re.compile(r",\s+(?:[A-Z][a-z]+(?:[ -][A-Z][a-z]+){0,2})(?=[\s,.!?]|$)")


def find_addresses(text: str, tokens: list[Token], asked: bool = False) -> list[Found]:
    """Every street address that begins with a house number.

    `value` has the number in digits and the street in capitals: "42 Maple Street". `asked` takes
    street types that are everyday words too ("place", "drive") without another sign.
    """
    found: list[Found] = []
    if not any(token.word in _STRONG for token in tokens):
        return found
    for code in _house_numbers(tokens):
        if not 1 <= code.digits <= 6 or code.letters > 1 or not code.value[0].isdigit():
            continue
        if found and code.start < found[-1].end:
            continue
        address = _address(text, tokens, code, asked)
        if address is not None:
            found.append(address)
    return found


def _house_numbers(tokens: list[Token]) -> list[Code]:
    """Codes that do not reach across a comma: "flat two, 42 Kings Road"."""
    codes: list[Code] = []
    start = 0
    for at in range(len(tokens) + 1):
        if at == len(tokens) or tokens[at].word == ",":
            codes += [
                replace(code, first=code.first + start, after=code.after + start)
                for code in find_codes(tokens[start:at])
            ]
            start = at + 1
    return codes


def _address(text: str, tokens: list[Token], code: Code, asked: bool) -> Found | None:
    street = _street(tokens, code, asked)
    if street is None:
        return None
    words, after, confidence = street
    first = code.first
    value = f"{code.value} {' '.join(words)}"
    before, first = _unit_before(tokens, first)
    unit, after = _unit_after(tokens, after)
    value = f"{before}{value}{unit}"
    end = tokens[after - 1].end
    for pattern in (_CITY, _POSTCODE):
        match = pattern.match(text, end)
        if match is not None:
            value += ", " + match[0].strip(" ,")
            end = match.end()
    return Found("address", value, tokens[first].start, end, confidence)


def _street(tokens: list[Token], code: Code, asked: bool) -> tuple[list[str], int, float] | None:
    """The words from after the number to the street type, and how sure it is a street."""
    at = code.after
    words: list[str] = []
    while at < len(tokens) and len(words) < 5:
        word = tokens[at].word
        if words and word in _STRONG:
            sure = word not in _WEAK or asked or _signs(tokens, code, at)
            return ([*words, word.capitalize()], at + 1, 0.9) if sure else None
        numbered = ordinal(tokens, at)
        if numbered is not None:
            words.append(_suffixed(numbered[0]))
            at = numbered[1]
            continue
        if not tokens[at].is_word or word in _NOT_IN_A_NAME or word in _STRONG:
            if word == "." and words and len(words[-1]) == 1:
                at += 1
                continue
            return None
        words.append(word.capitalize())
        at += 1
    return None


def _suffixed(number: int) -> str:
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if 10 <= number % 100 <= 20 else suffix}"


def _signs(tokens: list[Token], code: Code, at: int) -> bool:
    """A capital in the middle of a sentence, or a word such as "live at" before."""
    capital = tokens[at].text[0].isupper() and tokens[at - 1].text[0].isupper()
    return capital or any(word_at(tokens, code.first - step) in _CUES for step in (1, 2))


def _unit_before(tokens: list[Token], first: int) -> tuple[str, int]:
    """ "flat two, 42 Maple Street"."""
    at = first - 1
    at -= word_at(tokens, at) == ","
    for start in range(max(0, at - 2), at + 1):
        if tokens[start].word in _UNITS_INSIDE and tokens[start].word != "number":
            inside = find_codes(tokens[start + 1 : at + 1])
            if inside:
                return f"{tokens[start].word.capitalize()} {inside[0].value}, ", start
    return "", first


def _unit_after(tokens: list[Token], after: int) -> tuple[str, int]:
    """ "apartment four b" after the street."""
    at = after
    at += word_at(tokens, at) == "."
    at += word_at(tokens, at) == ","
    if word_at(tokens, at) not in _UNITS_INSIDE:
        return "", after
    codes = find_codes(tokens[at + 1 : at + 6])
    if not codes or codes[0].first > 0:
        return "", after
    name = word_at(tokens, at).capitalize()
    return f", {name} {codes[0].value}", at + 1 + codes[0].after
