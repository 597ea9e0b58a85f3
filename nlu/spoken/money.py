"""Sums of money, written or said: "$49.90", "forty nine ninety nine", "twenty quid"."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation

from nlu.spoken.cardinals import below_hundred, decimal, word_at
from nlu.spoken.tokens import Found, Taken, Token

_SYMBOLS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "₩": "KRW", "₺": "TRY"}
_CODES = "USD|EUR|GBP|JPY|INR|CHF|CAD|AUD|NZD|PLN|SEK|NOK|DKK|CZK|MXN|BRL|ZAR|TRY|CNY"
_AMOUNT = r"\d{1,3}(?:[,. ]\d{3})+(?:[.,]\d{1,2})?(?!\d)|\d{1,12}(?:[.,]\d{1,2})?(?![\d])"
_PREFIXED = re.compile(
    rf"(?P<dialect>US|CA|C|AU|A|NZ)?(?P<mark>[$€£¥₹₩₺]|\b(?:{_CODES})\b) ?(?P<amount>{_AMOUNT})"
    r"(?P<scale>k|m)?\b"
)
_SUFFIXED = re.compile(rf"(?<![\d.,])(?P<amount>{_AMOUNT}) ?(?P<mark>[€£$]|\b(?:{_CODES})\b|zł)")
_DIALECTS = {"US": "USD", "CA": "CAD", "C": "CAD", "AU": "AUD", "A": "AUD", "NZ": "NZD"}
_WORDS = {
    "dollar": "USD",
    "buck": "USD",
    "euro": "EUR",
    "pound": "GBP",
    "quid": "GBP",
    "sterling": "GBP",
    "yen": "JPY",
    "rupee": "INR",
    "franc": "CHF",
    "zloty": "PLN",
    "zlotys": "PLN",
    "krona": "SEK",
    "peso": "MXN",
    "rand": "ZAR",
    "yuan": "CNY",
}
_KINDS = {"us": "USD", "american": "USD", "canadian": "CAD", "australian": "AUD", "swiss": "CHF"}
_NOTES = {"fiver": ("5", "GBP"), "tenner": ("10", "GBP")}
_SMALL = {"cent": None, "penny": "GBP", "pence": "GBP", "p": "GBP"}
_MORE_DIGITS = frozenset({"oh", "zero", "o", "double", "triple", "uh", "um"})
_PRICE_BEFORE = frozenset(
    "cost costs costing paid pay pays paying charged charge charges price priced refund refunded "
    "total totals owe owes owed worth bill billed fee invoice balance payment deposit".split()
)
_PASSED_OVER = frozenset(
    "was is for me of a the about around only just to you us at it them".split()
)


def find_money(text: str, tokens: list[Token], currency: str, asked: bool = False) -> list[Found]:
    """Every sum; `value` is like `"49.90 USD"`.

    `currency` is taken where none is said; `asked` lets a bare "forty nine ninety nine" be a sum.
    """
    taken = Taken(len(text))
    taken.add(_written(text))
    place = 0
    while place < len(tokens):
        read = _said(tokens, place, currency) or _bare(tokens, place, currency, asked)
        if read is None:
            place += 1
            continue
        sum_, place = read
        taken.add([sum_])
    return taken.values


def _written(text: str) -> list[Found]:
    found: list[Found] = []
    for pattern in (_PREFIXED, _SUFFIXED):
        for match in pattern.finditer(text):
            groups = match.groupdict()
            amount = _parse(groups["amount"])
            if amount is None:
                continue
            amount *= {"k": 1_000, "m": 1_000_000}.get(groups.get("scale") or "", 1)
            mark = groups["mark"]
            code = _DIALECTS.get(groups.get("dialect") or "") if mark == "$" else None
            code = code or ("PLN" if mark == "zł" else _SYMBOLS.get(mark, mark))
            found.append(Found("money", _value(amount, code), match.start(), match.end()))
    return found


def _parse(amount: str) -> Decimal | None:
    """ "1,299.00", "1.299,00", "1 299", "49,90" as a number."""
    plain = amount.replace(" ", "")
    separator = re.search(r"[.,](\d{1,2})$", plain)
    whole = plain[: separator.start()] if separator else plain
    fraction = separator[1] if separator else "0"
    try:
        return Decimal(re.sub(r"[.,]", "", whole) + "." + fraction)
    except InvalidOperation:
        return None


def _value(amount: Decimal, code: str) -> str:
    return f"{amount:.2f} {code}"


def _unit(tokens: list[Token], place: int) -> tuple[str, int] | None:
    """The currency named at `place`, with what may stand before it ("canadian dollars")."""
    word = word_at(tokens, place)
    kind = _KINDS.get(word)
    if kind is not None:
        word, place = word_at(tokens, place + 1), place + 1
    code = _WORDS.get(word) or _WORDS.get(word.removesuffix("s"))
    return (kind or code, place + 1) if code else None


def _said(tokens: list[Token], place: int, currency: str) -> tuple[Found, int] | None:
    note = _NOTES.get(tokens[place].word)
    if note is not None:
        return _found(tokens, place, place + 1, Decimal(note[0]), note[1], 1.0)
    priced = _priced(tokens, place) or _one_and_cents(tokens, place) or _half_of(tokens, place)
    if priced is not None:
        return priced
    amount = decimal(tokens, place)
    if amount is None and tokens[place].is_number:
        return None
    if amount is None:
        return None
    value, after = amount
    value, after = _typed_fraction(tokens, value, after)
    small = _small_coin(tokens, after, currency)
    if small is not None:
        return _found(tokens, place, after + 1, value / 100, small, 1.0)
    unit = _unit(tokens, after)
    if unit is None:
        return _grand(tokens, place, value, after, currency)
    code, after = unit
    cents = _cents(tokens, after)
    if cents is not None:
        value, after = value + Decimal(cents[0]) / 100, cents[1]
    return _found(tokens, place, after, value, code, 1.0)


def _priced(tokens: list[Token], place: int) -> tuple[Found, int] | None:
    """ "nineteen ninety five dollars", as on a price tag; "three fifty dollars" is hundreds."""
    whole = below_hundred(tokens, place)
    cents = below_hundred(tokens, whole[1]) if whole is not None else None
    if whole is None or cents is None or cents[0] < 10:
        return None
    unit = _unit(tokens, cents[1])
    if unit is None:
        return None
    tagged = cents[0] % 10 == 9 or cents[0] == 95
    if whole[0] >= 10 or tagged:
        value = whole[0] + Decimal(cents[0]) / 100
        return _found(tokens, place, unit[1], value, unit[0], 0.8)
    return _found(tokens, place, unit[1], Decimal(whole[0] * 100 + cents[0]), unit[0], 0.5)


def _one_and_cents(tokens: list[Token], place: int) -> tuple[Found, int] | None:
    """ "a dollar fifty"; "a pound of flour" is no sum."""
    if tokens[place].word not in ("a", "one"):
        return None
    unit = _unit(tokens, place + 1)
    cents = _cents(tokens, unit[1]) if unit is not None else None
    if unit is None or cents is None:
        return None
    return _found(tokens, place, cents[1], 1 + Decimal(cents[0]) / 100, unit[0], 0.9)


def _half_of(tokens: list[Token], place: int) -> tuple[Found, int] | None:
    """ "half a million dollars"."""
    if tokens[place].word != "half" or word_at(tokens, place + 1) not in ("a", "an"):
        return None
    amount = decimal(tokens, place + 1)
    unit = _unit(tokens, amount[1]) if amount is not None else None
    if amount is None or unit is None:
        return None
    return _found(tokens, place, unit[1], amount[0] / 2, unit[0], 0.9)


def _typed_fraction(tokens: list[Token], value: Decimal, after: int) -> tuple[Decimal, int]:
    """ "49.90 dollars" and "1,299 dollars" arrive as separate tokens that touch."""
    while after + 1 < len(tokens) and tokens[after].word in (".", ","):
        mark, part = tokens[after], tokens[after + 1]
        touches = tokens[after - 1].end == mark.start and mark.end == part.start
        if not (touches and part.is_number and len(part.text) <= 3):
            break
        if len(part.text) == 3:
            value = value * 1000 + int(part.text)
        else:
            value += Decimal(f"0.{part.text}")
        after += 2
    return value, after


def _small_coin(tokens: list[Token], place: int, currency: str) -> str | None:
    word = word_at(tokens, place)
    singular = word if word in _SMALL else word.removesuffix("s")
    if singular not in _SMALL:
        return None
    return _SMALL[singular] or currency


def _cents(tokens: list[Token], place: int) -> tuple[int, int] | None:
    """ "and ninety cents", "ninety" straight after the unit."""
    joined = word_at(tokens, place) == "and"
    read = below_hundred(tokens, place + joined)
    if read is None:
        at = place + joined
        if at < len(tokens) and tokens[at].is_number and len(tokens[at].text) <= 2:
            read = int(tokens[at].text), at + 1
        else:
            return None
    coin = word_at(tokens, read[1])
    if (coin if coin in _SMALL else coin.removesuffix("s")) in _SMALL:
        return read[0], read[1] + 1
    return None if joined or read[0] < 10 else read


def _grand(
    tokens: list[Token], place: int, value: Decimal, after: int, currency: str
) -> tuple[Found, int] | None:
    if word_at(tokens, after - 1) == "grand":
        return _found(tokens, place, after, value, currency, 0.9)
    return None


def _bare(tokens: list[Token], place: int, currency: str, asked: bool) -> tuple[Found, int] | None:
    """ "forty nine ninety nine", "49.99" or "fifty" with no unit, after a word of price."""
    if not (asked or _price_before(tokens, place)):
        return None
    amount = decimal(tokens, place)
    if amount is None:
        return None
    value, after = _typed_fraction(tokens, *amount)
    cents = below_hundred(tokens, after)
    if value == int(value) and value < 1000 and cents is not None and cents[0] >= 10:
        if below_hundred(tokens, cents[1]) or word_at(tokens, cents[1]) in _MORE_DIGITS:
            return None
        return _found(tokens, place, cents[1], value + Decimal(cents[0]) / 100, currency, 0.8)
    if value == int(value) and not asked:
        return None
    follows = word_at(tokens, after)
    if follows[:1].isalpha() and not asked:
        return None
    return _found(tokens, place, after, value, currency, 0.6)


def _price_before(tokens: list[Token], place: int) -> bool:
    for at in range(place - 1, max(-1, place - 8), -1):
        if tokens[at].word not in _PASSED_OVER:
            return tokens[at].word in _PRICE_BEFORE
    return False


def _found(
    tokens: list[Token], place: int, after: int, amount: Decimal, code: str, confidence: float
) -> tuple[Found, int]:
    value = _value(amount, code)
    return Found("money", value, tokens[place].start, tokens[after - 1].end, confidence), after
