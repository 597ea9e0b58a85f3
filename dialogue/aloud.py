"""Facts as they are said aloud: codes digit by digit in groups, sums and addresses in words."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from dialogue.packs.facts import day_first, say_fact
from dialogue.packs.format import FactKind

_SPELLED_SIGNS = {
    "@": "at",
    ".": "dot",
    "-": "dash",
    "_": "underscore",
    "+": "plus",
}
_CURRENCIES = {
    "USD": ("dollar", "dollars", "cent", "cents"),
    "EUR": ("euro", "euros", "cent", "cents"),
    "GBP": ("pound", "pounds", "penny", "pence"),
    "CHF": ("franc", "francs", "centime", "centimes"),
}
_SYMBOLS = {"$": "USD", "€": "EUR", "£": "GBP"}
_SUM_IN_TEXT = re.compile(r"([$€£])(\d[\d,]*(?:\.\d+)?)")
_CODE_IN_TEXT = re.compile(r"(?<![\d.,])(?!(?:19|20)\d\d(?!\d))\d{4,}(?![\d.,]*\d)")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")

_DAY_FIRST = re.compile(r" (\d{1,2}) (?=[A-Z])")
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth twenty-first "
    "twenty-second twenty-third twenty-fourth twenty-fifth twenty-sixth twenty-seventh "
    "twenty-eighth twenty-ninth thirtieth thirty-first"
).split()

SLOW_KINDS: frozenset[FactKind] = frozenset({"code", "money", "date"})
"""Facts that a listener writes down."""


def aloud(
    value: Any,
    kind: FactKind,
    *,
    currency: str = "USD",
    today: date | None = None,
    locale: str = "en-US",
) -> tuple[str, ...]:
    """The words for a fact; several when a code is said in groups with a pause after each."""
    if kind == "code":
        return code_groups(str(value))
    if kind == "money":
        return (_sum(value, currency),)
    if kind == "text" and _EMAIL.fullmatch(str(value)):
        return (_spelled(str(value)),)
    said = say_fact(value, kind, currency=currency, today=today, locale=locale)
    if kind == "date" and day_first(locale):
        return (_DAY_FIRST.sub(lambda found: f" the {_ORDINALS[int(found[1]) - 1]} of ", said),)
    return (_text_aloud(said) if kind == "text" else said,)


def _text_aloud(text: str) -> str:
    """Sums and codes within a longer text: "the lamp, 44172" becomes "the lamp, 4 4 1 7 2"."""
    text = _SUM_IN_TEXT.sub(
        lambda found: _sum(found.group(2).replace(",", ""), _SYMBOLS[found.group(1)]), text
    )
    return _CODE_IN_TEXT.sub(lambda found: " ".join(found.group()), text)


def code_groups(code: str) -> tuple[str, ...]:
    """A code in groups of three with a rest of two or four: `44172` is "4 4 1" and "7 2"."""
    signs = [sign.upper() for sign in code if sign.isalnum()]
    if not signs:
        return (code,)
    groups: list[str] = []
    while signs:
        size = {4: 2 if not groups else 4, 2: 2, 1: 1}.get(len(signs), 3)
        groups.append(" ".join(signs[:size]))
        signs = signs[size:]
    return tuple(groups)


def _sum(value: Any, currency: str) -> str:
    text, _, named = str(value).partition(" ")
    try:
        hundredths = round(float(text) * 100)
    except ValueError:
        return str(value)
    code = named or currency
    if code not in _CURRENCIES:
        return say_fact(value, "money", currency=currency)
    one, many, small, smalls = _CURRENCIES[code]
    whole, rest = divmod(abs(hundredths), 100)
    words = []
    if whole or not rest:
        words.append(f"{whole} {one if whole == 1 else many}")
    if rest:
        words.append(f"{rest} {small if rest == 1 else smalls}")
    return ("minus " if hundredths < 0 else "") + " and ".join(words)


def _spelled(address: str) -> str:
    return " ".join(
        _SPELLED_SIGNS.get(part, part) for part in re.split(r"([@.\-_+])", address) if part
    )
