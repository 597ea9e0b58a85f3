"""Numbers said as quantities: "two hundred and five", "forty nine point nine", "a hundred"."""

from __future__ import annotations

from decimal import Decimal

from nlu.spoken.tokens import Token

UNITS = {
    word: value
    for value, word in enumerate("one two three four five six seven eight nine".split(), start=1)
}
TEENS = {
    word: value
    for value, word in enumerate(
        "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(),
        start=10,
    )
}
TENS = {
    word: value * 10
    for value, word in enumerate(
        "twenty thirty forty fifty sixty seventy eighty ninety".split(), start=2
    )
} | {"fourty": 40}
SCALES = {"thousand": 1_000, "grand": 1_000, "million": 1_000_000}
ORDINALS = {
    word: value
    for value, word in enumerate(
        "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth "
        "thirteenth fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth "
        "twentieth".split(),
        start=1,
    )
} | {"thirtieth": 30}

Read = tuple[int, int]
"""A value and the index of the first token after it."""


def word_at(tokens: list[Token], place: int) -> str:
    """The word at `place`, or the empty string past the end."""
    return tokens[place].word if 0 <= place < len(tokens) else ""


def below_hundred(tokens: list[Token], place: int) -> Read | None:
    """ "forty five", "nineteen", "seven"; also "forty-five"."""
    word = word_at(tokens, place)
    if word in UNITS:
        return UNITS[word], place + 1
    if word in TEENS:
        return TEENS[word], place + 1
    if word not in TENS:
        return None
    after = place + 1
    if word_at(tokens, after) == "-":
        after += 1
    unit = UNITS.get(word_at(tokens, after))
    return (TENS[word] + unit, after + 1) if unit else (TENS[word], place + 1)


def _below_thousand(tokens: list[Token], place: int) -> Read | None:
    word = word_at(tokens, place)
    if word in ("a", "an") and word_at(tokens, place + 1) in ("hundred", "thousand", "million"):
        first: Read | None = (1, place + 1)
    elif place < len(tokens) and tokens[place].is_number and len(tokens[place].text) <= 9:
        first = (int(tokens[place].text), place + 1)
    elif word == "zero":
        return 0, place + 1
    else:
        first = below_hundred(tokens, place)
    if first is None:
        return None
    value, after = first
    if word_at(tokens, after) != "hundred":
        return first
    value, after = value * 100, after + 1
    rest = below_hundred(tokens, after + (word_at(tokens, after) == "and"))
    return (value + rest[0], rest[1]) if rest else (value, after)


def cardinal(tokens: list[Token], place: int) -> Read | None:
    """A whole number as a quantity, or None when no number begins at `place`."""
    group = _below_thousand(tokens, place)
    if group is None:
        return None
    total, (value, after) = 0, group
    while (scale := SCALES.get(word_at(tokens, after))) is not None:
        total += value * scale
        value, after = 0, after + 1
        joined = word_at(tokens, after) == "and"
        rest = _below_thousand(tokens, after + joined)
        if rest is None or tokens[after + joined].is_number:
            break
        value, after = rest
    return total + value, after


def decimal(tokens: list[Token], place: int) -> tuple[Decimal, int] | None:
    """A quantity with what may follow "point": "forty nine point nine oh"."""
    whole = cardinal(tokens, place)
    if whole is None:
        return None
    value, after = whole
    if word_at(tokens, after) != "point":
        return Decimal(value), after
    digits = ""
    after += 1
    while (digit := _digit(word_at(tokens, after))) is not None:
        digits += digit
        after += 1
    return (Decimal(f"{value}.{digits}"), after) if digits else (Decimal(value), after - 1)


def _digit(word: str) -> str | None:
    if word in UNITS:
        return str(UNITS[word])
    return "0" if word in ("zero", "oh", "o") else None


def ordinal(tokens: list[Token], place: int) -> Read | None:
    """ "third", "twenty third", "3rd", as a number."""
    word = word_at(tokens, place)
    if word in ORDINALS:
        return ORDINALS[word], place + 1
    if word in TENS:
        after = place + 1 + (word_at(tokens, place + 1) == "-")
        last = ORDINALS.get(word_at(tokens, after), 10)
        return (TENS[word] + last, after + 1) if last < 10 else None
    following = word_at(tokens, place + 1)
    if place < len(tokens) and tokens[place].is_number and following in ("st", "nd", "rd", "th"):
        return (int(tokens[place].text), place + 2) if len(tokens[place].text) < 3 else None
    return None
