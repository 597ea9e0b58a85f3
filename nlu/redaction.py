"""Personal data out of a text before anything is kept.

Every finding is a typed span with offsets into the original, so that sound can be silenced at the
same words. Where a doubt remains, the value goes: a lost number is cheaper than a kept one. Order
and ticket numbers stay, since a case cannot be followed without them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from nlu.spoken.addresses import find_addresses
from nlu.spoken.cardinals import word_at
from nlu.spoken.codes import Code, find_codes
from nlu.spoken.dates import Order, find_dates
from nlu.spoken.emails import find_emails
from nlu.spoken.known_names import find_known_names
from nlu.spoken.money import find_money
from nlu.spoken.names import find_names
from nlu.spoken.phones import as_phone, is_card
from nlu.spoken.secrets import find_secrets
from nlu.spoken.times import find_times
from nlu.spoken.tokens import Found, Taken, Token, tokenize

PLACEHOLDERS = {
    "card": "[CARD]",
    "phone": "[PHONE]",
    "email": "[EMAIL]",
    "account": "[ACCOUNT]",
    "iban": "[IBAN]",
    "address": "[ADDRESS]",
    "name": "[NAME]",
    "birth_date": "[BIRTH_DATE]",
    "secret": "[SECRET]",
    "number": "[NUMBER]",
}

_ANY_DAY = datetime(2020, 1, 1)
_IBAN = re.compile(r"\b[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}\b")
_PHONE_SHAPE = re.compile(r"(?<![\w.,$€£-])\+?\(?\d[\d ().-]{5,20}\d(?![\w-]|[.,]\d)")
_CUES = {
    "card": frozenset("card visa mastercard amex credit debit".split()),
    "account": frozenset(
        "account accounts routing sort policy member membership customer insurance passport "
        "licence license social ssn iban taxpayer".split()
    ),
    "phone": frozenset(
        "phone telephone mobile cell call callback reach ring text dial landline whatsapp "
        "contact".split()
    ),
    "secret": frozenset("pin password passcode cvv cvc security code passphrase".split()),
    "order": frozenset(
        "order orders tracking ticket case reference ref booking parcel shipment invoice item "
        "model serial part product flight version".split()
    ),
}
_BORN = frozenset("born birth dob birthday birthdate".split())
_QUANTITIES = frozenset(
    "day days week weeks month months year years hour hours minute minutes second seconds times "
    "percent item items people of pieces boxes pairs dollars euros pounds miles km kilometres "
    "points units copies euro % gb mb watts meters metres feet inches steps".split()
)


@dataclass(frozen=True, slots=True)
class Span:
    """What was removed: its type, its place in the original text, and what stands for it."""

    type: str
    start: int
    end: int
    placeholder: str


@dataclass(frozen=True, slots=True)
class Redacted:
    """A text that may be kept, and the spans of the original that it no longer holds."""

    text: str
    spans: tuple[Span, ...]


def redact(text: str, names: Iterable[str] = (), *, locale: str = "en-US") -> Redacted:
    """`text` without personal data, typed and spoken, wherever it stands.

    `names` are those known from the context: they go in whole, in part and spelled. `locale` says
    how telephone numbers without a country code are read.
    """
    found = sorted(_find(text, tuple(names), locale), key=lambda value: value.start)
    spans: list[Span] = []
    pieces: list[str] = []
    end = 0
    for value in found:
        if value.start < end:
            continue
        placeholder = PLACEHOLDERS[value.kind]
        spans.append(Span(value.kind, value.start, value.end, placeholder))
        pieces += [text[end : value.start], placeholder]
        end = value.end
    return Redacted("".join([*pieces, text[end:]]), tuple(spans))


def _find(text: str, names: tuple[str, ...], locale: str) -> list[Found]:
    if not text.strip():
        return []
    tokens = tokenize(text)
    order: Order = "MDY" if locale.endswith("US") else "DMY"
    taken = Taken(len(text))
    taken.add(find_emails(text, tokens))
    taken.add(_as("iban", match) for match in _IBAN.finditer(text) if _is_iban(match[0]))
    taken.add(
        _as("card", match)
        for match in _PHONE_SHAPE.finditer(text)
        if is_card(re.sub(r"\D", "", match[0]))
    )
    dates = find_dates(text, tokens, _ANY_DAY, order)
    taken.add(_retyped(date, "birth_date") for date in dates if _birth(tokens, date))
    numbers = Taken(len(text))
    numbers.block(taken.values)
    numbers.block(_harmless(text, [*dates, *find_money(text, tokens, "USD"), *find_times(tokens)]))
    phones = _typed_phones(tokens, locale, text, numbers)
    numbers.block(phones)
    taken.add(phones)
    taken.add(find_addresses(text, tokens))
    taken.add(find_secrets(text))
    codes = find_codes(tokens, lenient=True)
    free = [code for code in codes if numbers.is_free(code.start, code.end)]
    taken.add(value for code in free if (value := _number(tokens, code, locale)))
    taken.add(find_known_names(text, tokens, names))
    taken.add(find_names(tokens))
    taken.add(_spellings(codes))
    return taken.values


def _as(kind: str, match: re.Match[str]) -> Found:
    return Found(kind, match[0], match.start(), match.end())


def _retyped(found: Found, kind: str) -> Found:
    return Found(kind, found.value, found.start, found.end, found.confidence)


def _harmless(text: str, values: list[Found]) -> list[Found]:
    """Sums, dates and such times as are surely times: "ten to five" may be digits read out."""
    return [
        value
        for value in values
        if value.kind != "time" or ":" in text[value.start : value.end] or value.confidence == 1.0
    ]


def _birth(tokens: list[Token], date: Found) -> bool:
    first = _first_at(tokens, date.start)
    return any(token.word in _BORN for token in tokens[max(0, first - 7) : first])


def _is_iban(written: str) -> bool:
    """ISO 13616: the check digits, modulo 97."""
    plain = re.sub(r"[ -]", "", written).upper()
    if not 15 <= len(plain) <= 34:
        return False
    digits = "".join(str(int(char, 36)) for char in plain[4:] + plain[:4])
    return int(digits) % 97 == 1


def _typed_phones(tokens: list[Token], locale: str, text: str, taken: Taken) -> list[Found]:
    """Digits in the shape of a telephone number that could be one."""
    found = []
    for match in _PHONE_SHAPE.finditer(text):
        whole = _as("phone", match)
        written = match[0]
        digits = re.sub(r"[^\d+]", "", written)
        if not taken.is_free(whole.start, whole.end) or not 7 <= len(digits) <= 16:
            continue
        cue = _cue(tokens, _first_at(tokens, match.start()))
        shaped = written[0] in "+(" or bool(re.search(r"\d[ ().-]+\d", written))
        if cue in ("order", "account", "card", "secret"):
            continue
        strict = cue != "phone" and not shaped
        if as_phone(digits, locale, strict=strict) or (cue == "phone" and len(digits) >= 7):
            found.append(whole)
    return found


def _first_at(tokens: list[Token], start: int) -> int:
    low, high = 0, len(tokens)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if tokens[middle].end <= start else (low, middle)
    return low


def _cue(tokens: list[Token], first: int) -> str | None:
    """What the nearest telling word before a number says it is."""
    for at in range(first - 1, max(-1, first - 9), -1):
        word = tokens[at].word
        if word in (".", "?", "!") and tokens[at].end < tokens[at + 1].start:
            return None
        for kind, words in _CUES.items():
            if word in words:
                return _cue_of(kind, word, tokens, at)
    return None


def _cue_after(tokens: list[Token], after: int) -> str | None:
    """ "... is my mobile"."""
    if word_at(tokens, after) != "is" or word_at(tokens, after + 1) not in ("my", "the"):
        return None
    return "phone" if word_at(tokens, after + 2) in _CUES["phone"] | {"number"} else None


def _cue_of(kind: str, word: str, tokens: list[Token], at: int) -> str:
    before = word_at(tokens, at - 1)
    if word == "code" and before not in ("security", "pin", "access", "verification"):
        return "account" if before == "sort" else "order"
    if word in ("card", "customer") and word_at(tokens, at + 1) == "service":
        return "phone"
    return kind


def _number(tokens: list[Token], code: Code, locale: str) -> Found | None:
    """What kind of personal number a run of symbols is, or None when it is none."""
    kind = _kind(tokens, code, locale)
    if kind is None:
        return None
    start = code.start
    if kind == "phone" and word_at(tokens, code.first - 1) in ("plus", "+"):
        start = tokens[code.first - 1].start
    return Found(kind, code.value, start, code.end)


def _kind(tokens: list[Token], code: Code, locale: str) -> str | None:
    value, digits = code.value, code.digits
    if code.letters == 0 and is_card(value):
        return "card"
    if 15 <= len(value) <= 34 and value[:2].isalpha() and value[2:].isdigit():
        return "iban"
    if word_at(tokens, code.after) in _QUANTITIES and digits < 7:
        return None
    cue = _cue(tokens, code.first) or _cue_after(tokens, code.after)
    if cue is not None:
        return _kind_by_cue(cue, digits, len(value))
    plus = word_at(tokens, code.first - 1) in ("plus", "+")
    if code.letters == 0 and as_phone(("+" if plus else "") + value, locale, strict=not plus):
        return "phone"
    if 14 <= digits <= 18 and code.letters == 0:
        return "card"
    if 9 <= digits <= 12 and code.letters == 0 and _is_my_number(tokens, code.first):
        return "phone"
    return "number" if digits >= 7 else None


def _is_my_number(tokens: list[Token], first: int) -> bool:
    """ "my number is", with nothing more said about it."""
    words = [token.word for token in tokens[max(0, first - 4) : first]]
    return "my" in words and "number" in words


def _kind_by_cue(cue: str, digits: int, length: int) -> str | None:
    if cue == "order":
        return None
    if cue == "secret":
        return "secret" if digits >= 3 and length <= 12 else None
    if cue == "phone":
        return "phone" if digits >= 7 else None
    if digits < 4:
        return None
    return "card" if cue == "card" and digits >= 12 else "account"


def _spellings(codes: list[Code]) -> list[Found]:
    """Four or more letters said one by one: a name, whatever it is the name of."""
    return [
        Found("name", code.value, code.start, code.end)
        for code in codes
        if code.spelled and code.letters >= 4
    ]
