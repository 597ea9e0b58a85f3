"""Sums, dates, times, codes and addresses as words, the way an American clerk says them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

_MONTHS = (
    "January February March April May June July August September October November December"
).split()
_MONTH = "|".join(f"{name}|{name[:3]}" for name in _MONTHS) + "|Sept"
_NUMBER = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"

_CURRENCY = {
    "$": ("dollar", "cent"),
    "US$": ("dollar", "cent"),
    "USD": ("dollar", "cent"),
    "£": ("pound", "penny"),
    "GBP": ("pound", "penny"),
    "€": ("euro", "cent"),
    "EUR": ("euro", "cent"),
    "¥": ("yen", ""),
    "₹": ("rupee", "paisa"),
}
_UNITS = {
    "kg": "kilogram", "g": "gram", "lb": "pound", "lbs": "pound", "oz": "ounce",
    "km": "kilometer", "m": "meter", "cm": "centimeter", "mm": "millimeter", "mi": "mile",
    "ft": "foot", "l": "liter", "ml": "milliliter", "GB": "gigabyte", "MB": "megabyte",
    "kWh": "kilowatt hour", "h": "hour", "hr": "hour", "hrs": "hour", "min": "minute",
    "mins": "minute", "sec": "second", "ms": "millisecond", "mph": "mile an hour",
    "Mbps": "megabit a second", "°C": "degree Celsius", "°F": "degree Fahrenheit", "°": "degree",
}  # fmt: skip
_PLURALS = {"foot": "feet", "penny": "pence", "yen": "yen", "paisa": "paise"}
_CODE_CONTEXT = re.compile(
    r"(?:\b(?:order|number|no|reference|ref|code|account|case|ticket|invoice|tracking|card|pin|"
    r"ending|id|zip|postcode|passcode|serial)\b|#)(?:\s+(?:number|code|is|no|in|with|id|of))*"
    r"[\s:.#]*$",
    re.IGNORECASE,
)
_DIAL_CONTEXT = re.compile(r"\b(?:call|dial|ring|text)\s+$", re.IGNORECASE)
_YEAR_CONTEXT = re.compile(r"\b(?:in|since|of|by|until|from|year|before|after)\s+$", re.IGNORECASE)


def cardinal(digits: str) -> str:
    """A number, with thousands separators and decimals, as words."""
    from num2words import num2words

    plain = digits.replace(",", "")
    whole, _, decimals = plain.partition(".")
    if len(whole) > 15:
        return by_digit(whole)
    words: str = num2words(int(whole or "0")).replace(",", "")
    return f"{words} point {_run(decimals)}" if decimals else words


def ordinal(number: int) -> str:
    """A place in an order: `twenty-third`."""
    from num2words import num2words

    words: str = num2words(number, to="ordinal")
    return words


def year(number: int) -> str:
    """A year: `nineteen eighty-four`, `two thousand five`, `twenty twenty-six`."""
    from num2words import num2words

    words: str = num2words(number, to="year")
    return words


def by_digit(digits: str) -> str:
    """Digit by digit in groups of two to four, with a pause (a comma) between the groups."""
    return ", ".join(_run(group) for group in _groups(digits))


def _run(digits: str) -> str:
    names = "zero one two three four five six seven eight nine".split()
    return " ".join(names[int(digit)] for digit in digits)


def _groups(digits: str) -> list[str]:
    size = len(digits)
    if size <= 3:
        return [digits] if digits else []
    if size in (4, 8) or size == 16:
        step = 2 if size == 4 else 4
        return [digits[start : start + step] for start in range(0, size, step)]
    cut = size - 4 if size % 3 == 1 else size
    groups = [digits[start : start + 3] for start in range(0, cut, 3)]
    if cut < size:
        groups += [digits[cut : cut + 2], digits[cut + 2 :]]
    if len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    return groups


def code(text: str) -> str:
    """Letters one by one, digits in groups: `RX-48213` is `R X, four eight two, one three`."""
    parts = re.findall(r"[A-Za-z]+|\d+", text)
    if sum(map(len, parts)) <= 3:
        return " ".join(cardinal(part) if part.isdigit() else " ".join(part) for part in parts)
    return ", ".join(by_digit(part) if part.isdigit() else " ".join(part.upper()) for part in parts)


def _plural(count: str, unit: str) -> str:
    if count in ("1", "1.00", "1.0"):
        return unit
    first, _, rest = unit.partition(" ")
    if first in _PLURALS:
        return _PLURALS[first]
    return f"{first} {rest}s" if rest == "hour" else f"{first}s {rest}".rstrip()


def _money(found: re.Match[str]) -> str:
    sign, symbol = found["sign"], found["symbol"] or found["after"]
    amount, scale = found["amount"].replace(",", ""), found["scale"]
    unit, small = _CURRENCY[symbol]
    minus = "minus " if sign else ""
    if scale:
        return f"{minus}{cardinal(amount)} {scale} {_plural('2', unit)}"
    whole, _, cents = amount.partition(".")
    if len(cents) > 2 or (cents and not small):
        return f"{minus}{cardinal(amount)} {_plural(amount, unit)}"
    hundredths = cents.ljust(2, "0") if cents else "00"
    said = []
    if int(whole) or hundredths == "00":
        said.append(f"{cardinal(whole)} {_plural(whole, unit)}")
    if hundredths != "00":
        said.append(f"{cardinal(hundredths)} {_plural(str(int(hundredths)), small)}")
    return minus + " and ".join(said)


def _day(year_number: int | None, month: int, day: int, found: re.Match[str]) -> str:
    try:
        date(year_number or 2024, month, day)
    except ValueError:
        return found[0]
    said = f"{_MONTHS[month - 1]} {ordinal(day)}"
    return f"{said}, {year(year_number)}" if year_number else said


def _iso_date(found: re.Match[str]) -> str:
    return _day(int(found[1]), int(found[2]), int(found[3]), found)


def _slash_date(found: re.Match[str]) -> str:
    first, second, number = int(found[1]), int(found[2]), int(found[3])
    if number < 100:
        number += 2000
    month, day = (second, first) if first > 12 else (first, second)
    return _day(number, month, day, found) if 1 <= month <= 12 else found[0]


def _named_date(found: re.Match[str]) -> str:
    name = found["month"] or found["month2"]
    day = found["day"] or found["day2"]
    month = next(k for k, full in enumerate(_MONTHS, 1) if full.startswith(name[:3].title()))
    said = _day(int(found["year"]) if found["year"] else None, month, int(day), found)
    if found["day"] or said == found[0]:
        return said
    name, place, rest = said.partition(" ")
    number, comma, year_said = rest.partition(",") if place else ("", "", "")
    article = "" if found.string[: found.start()].endswith("the ") else "the "
    return f"{article}{number} of {name}{comma}{year_said}"


def _time(found: re.Match[str]) -> str:
    hour, minute = int(found[1]), int(found[2])
    if hour > 23 or minute > 59:
        return found[0]
    half = (found[3] or "").lower()[:1]
    if not half and (hour > 12 or hour == 0):
        half = "p" if hour > 12 else "a"
    said = cardinal(str((hour - 1) % 12 + 1))
    if minute:
        said += " " + ("oh " if minute < 10 else "") + cardinal(str(minute))
    elif not half:
        said += " o'clock"
    return f"{said} {half.upper()} M{_stop(found)}" if half else said


def _hour(found: re.Match[str]) -> str:
    return f"{cardinal(found[1])} {found[2][0].upper()} M{_stop(found)}"


def _stop(found: re.Match[str]) -> str:
    """The full stop of `p.m.` also ends the sentence when a capital or nothing follows."""
    after = found.string[found.end() :].lstrip()[:1]
    return "." if found[0].endswith(".") and (not after or after.isupper()) else ""


def _phone(found: re.Match[str]) -> str:
    groups = re.findall(r"\d+", found[0])
    if not 7 <= sum(map(len, groups)) <= 15:
        return found[0]
    said = ", ".join(by_digit(group) if len(group) > 4 else _run(group) for group in groups)
    return f"plus {said}" if found[0].lstrip().startswith("+") else said


def _address(text: str) -> str:
    said = []
    for part in re.findall(r"[A-Za-z]+|\d+|.", text):
        word = {".": "dot", "_": "underscore", "-": "dash", "@": "at", "/": "slash", "+": "plus"}
        said.append(by_digit(part) if part.isdigit() else word.get(part, part))
    return " ".join(said).strip()


def _email(found: re.Match[str]) -> str:
    return _address(found[0])


def _url(found: re.Match[str]) -> str:
    return _address(found["host"] + (found["path"] or "").split("?")[0].rstrip("/"))


def _unit(found: re.Match[str]) -> str:
    return f"{cardinal(found[1])} {_plural(found[1], _UNITS[found[2]])}"


def _fraction(found: re.Match[str]) -> str:
    known = {"1/2": "a half", "1/3": "a third", "1/4": "a quarter", "3/4": "three quarters"}
    known |= {"2/3": "two thirds", "24/7": "twenty-four seven"}
    return known.get(found[0], f"{cardinal(found[1])} of {cardinal(found[2])}")


def _mixed(found: re.Match[str]) -> str:
    text = found[0]
    if not (any(map(str.isdigit, text)) and any(map(str.isalpha, text))):
        return text
    return code(text)


def _number(found: re.Match[str]) -> str:
    digits = found[0]
    before = found.string[max(0, found.start() - 40) : found.start()]
    if digits.isdigit():
        named = len(digits) > 2 and (_CODE_CONTEXT.search(before) or _DIAL_CONTEXT.search(before))
        if named or len(digits) > 4 or (len(digits) > 1 and digits[0] == "0"):
            return by_digit(digits)
        if 1900 <= int(digits) <= 2099 and _YEAR_CONTEXT.search(before):
            return year(int(digits))
    minus = "minus " if re.search(r"(?:^|\s)[-−]$", before) else ""
    return minus + cardinal(digits)


_RULES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}\b"), _email),
    (
        re.compile(
            r"(?:https?://(?:www\.)?|\bwww\.)(?P<host>[\w-]+(?:\.[\w-]+)*)(?P<path>/[^\s,;!)]*)?"
            r"(?<![.])",
            re.IGNORECASE,
        ),
        _url,
    ),
    (
        re.compile(r"\b(?P<host>[a-z][\w-]{1,62}\.(?:com|org|net|io|co\.uk))\b(?P<path>/[\w/-]+)?"),
        _url,
    ),
    (
        re.compile(
            rf"(?P<sign>[-−])?(?P<symbol>US\$|USD|GBP|EUR|[$£€¥₹])\s?(?P<amount>{_NUMBER})"
            r"(?:\s(?P<scale>thousand|million|billion)\b)?(?P<after>)"
        ),
        _money,
    ),
    (
        re.compile(
            rf"(?P<sign>(?<!\w)[-−])?(?P<symbol>)\b(?P<amount>{_NUMBER})(?P<scale>)"
            r"\s?(?P<after>USD|GBP|EUR|[£€₹])"
        ),
        _money,
    ),
    (re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b(?!-)"), _iso_date),
    (re.compile(r"\b(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})\b(?!/)"), _slash_date),
    (
        re.compile(
            rf"\b(?:(?P<month>{_MONTH})\.?\s(?P<day>\d{{1,2}})(?:st|nd|rd|th)?"
            rf"|(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?\s(?:of\s)?(?P<month2>{_MONTH}))\b"
            r"(?:,?\s(?P<year>(?:19|20)\d\d)\b)?"
        ),
        _named_date,
    ),
    (re.compile(r"(?<=\d)\s?[-–]\s?(?=\d{1,2}:\d{2})"), lambda _found: " to "),
    (re.compile(r"\b(\d{1,2}):(\d{2})(?:\s?([ap]\.?m\b\.?))?", re.IGNORECASE), _time),
    (re.compile(r"\b(1?\d)\s?([ap]\.?m\b\.?)", re.IGNORECASE), _hour),
    (
        re.compile(
            r"(?<![\w-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{2,4}\)[ .-]?)?"
            r"\d{2,5}(?:[ .-]\d{2,5}){1,4}\b(?![\w-])"
        ),
        _phone,
    ),
    (
        re.compile(r"\b\d{1,3}(?:\.\d{1,3}){2,5}\b"),
        lambda found: " point ".join(cardinal(part) for part in found[0].split(".")),
    ),
    (re.compile(rf"(?<!\d)({_NUMBER})\s?%"), lambda found: f"{cardinal(found[1])} percent"),
    (re.compile(r"\b(\d{1,4})(?:st|nd|rd|th)\b"), lambda found: ordinal(int(found[1]))),
    (
        re.compile(rf"\b({_NUMBER})\s?({'|'.join(sorted(_UNITS, key=len, reverse=True))})(?!\w)"),
        _unit,
    ),
    (re.compile(r"\b(\d{1,3})/(\d{1,3})\b"), _fraction),
    (re.compile(r"\b(?=\w*\d)(?=\w*[A-Za-z])[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\b"), _mixed),
    (re.compile(r"\b[A-Za-z]{1,4}-\d[\dA-Za-z]*(?:-[A-Za-z0-9]+)*\b"), _mixed),
    (re.compile(r"(?<=\d)\s?[-–—]\s?(?=\d)"), lambda _found: " to "),
    (re.compile(rf"(?<!\d)(?:{_NUMBER})"), _number),
)  # fmt: skip


def numbers_as_words(text: str) -> str:
    """Everything with digits in it, and addresses, as words."""
    for pattern, say in _RULES:
        text = pattern.sub(say, text)
    return text
