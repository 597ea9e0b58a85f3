"""Values in the caller's words: numbers, dates, sums, e-mail, addresses, names, yes and no.

What a number means is decided by what was asked for, then by the words around it. A value taken
back in the same utterance ("4517, no sorry, 4571") gives way to the one that follows.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import cast

from nlu.spoken.addresses import find_addresses
from nlu.spoken.answers import find_answer
from nlu.spoken.cardinals import word_at
from nlu.spoken.codes import Code, as_digits, find_codes
from nlu.spoken.dates import Order, find_dates
from nlu.spoken.emails import find_emails
from nlu.spoken.money import find_money
from nlu.spoken.names import find_names
from nlu.spoken.phones import as_phone, is_card
from nlu.spoken.times import find_times
from nlu.spoken.tokens import Found, Taken, Token, tokenize
from nlu.types import Entity, EntityType

MAX_SYMBOLS = 40
"""Longer runs of digits are nobody's number."""

MAX_CHARACTERS = 8_000
"""What is read of a text: ten minutes of speech. Redaction reads everything."""

_NUMBERS = frozenset({"order_number", "account_number", "card_number", "phone", "digits"})
_CUES: dict[str, frozenset[str]] = {
    "order_number": frozenset("order orders tracking ticket case reference ref booking".split()),
    "account_number": frozenset("account customer policy member membership contract".split()),
    "card_number": frozenset("card visa mastercard amex credit debit".split()),
    "phone": frozenset("phone telephone mobile cell call callback reach ring text".split()),
}
_UNITS_AFTER = frozenset(
    "day days week weeks month months year years hour hours minute minutes second seconds times "
    "percent item items people pounds dollars euros cents miles of pieces boxes pairs %".split()
)
_LIKE_A_DIGIT = (
    r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|double|triple|\d|"
    r"to|too|for|fore|won|ate|tree|free|fife|niner|nein|sicks)"
)
_READ_OUT = re.compile(
    rf"(?i)\b(?:order|account|reference|tracking|card)(?: number)?(?: is|'s)? "
    rf"(?P<digits>(?:{_LIKE_A_DIGIT}[ ,]+){{3,}}{_LIKE_A_DIGIT})\s*(?:$|[.,;!?]|please|thanks)"
)
"""A number read out whose digits a recogniser took for words: "order for for won seven too"."""
_TAKEN_BACK = re.compile(
    r"(?i)^[\s,.;:—-]*(?:(?:no|nope|oh|oops|uh|um|er|wait|hang on|hold on|sorry|my mistake|pardon|"
    r"excuse me|i mean|i meant|actually|rather|or rather|correction|make that|make it|scratch that|"
    r"not that|that's wrong|that is wrong|i got that wrong|let me start again|start again|"
    r"it's|it is|that's|that should be|should be|the|number|is|i|for|on|at|in)\b[\s,.;:—-]*)+$"
)
_SURELY_TAKEN_BACK = re.compile(
    r"(?i)\b(?:no|nope|sorry|wait|i mean|i meant|actually|rather|correction|make (?:that|it)|"
    r"scratch that|wrong|mistake|oops|start again)\b"
)


def find_entities(
    text: str,
    now: datetime,
    expects: frozenset[str] = frozenset(),
    *,
    locale: str = "en-US",
    currency: str = "USD",
) -> tuple[Entity, ...]:
    """Every value in `text`, in order of appearance, none overlapping another.

    Dates are relative to `now`; `expects` says what was just asked for; `currency` stands where a
    sum names none; `locale` decides the order of written dates and how telephone numbers are read.
    """
    text = text[:MAX_CHARACTERS]
    if not text.strip():
        return ()
    tokens = tokenize(text)
    order: Order = "MDY" if locale.endswith("US") else "DMY"
    taken = Taken(len(text))
    for found in (
        find_emails(text, tokens),
        find_dates(text, tokens, now, order),
        find_money(text, tokens, currency, "money" in expects and not expects & _NUMBERS),
        find_times(tokens, "time" in expects and not expects & _NUMBERS),
        find_addresses(text, tokens, "address" in expects),
        find_names(tokens, "name" in expects),
    ):
        taken.add(found)
    taken.add(_numbers(text, tokens, taken, expects, locale))
    values = sorted(taken.values, key=lambda value: value.start)
    entities = _corrected(text, [_entity(text, value) for value in values])
    answer = find_answer(text, tokens, "yes_no" in expects)
    if answer is not None and not any(_inside(answer, entity) for entity in entities):
        entities.append(_entity(text, answer))
    return tuple(sorted(entities, key=lambda entity: entity.start))


def _entity(text: str, found: Found) -> Entity:
    kind = cast(EntityType, found.kind)
    words = text[found.start : found.end]
    return Entity(kind, found.value, words, found.start, found.end, found.confidence)


def _inside(answer: Found, entity: Entity) -> bool:
    return answer.start < entity.end and entity.start < answer.end


def _numbers(
    text: str, tokens: list[Token], taken: Taken, expects: frozenset[str], locale: str
) -> list[Found]:
    numbers: list[Found] = []
    asked = bool(expects & _NUMBERS)
    read_out = _READ_OUT.search(text)
    if read_out is not None:
        tokens = as_digits(tokens, *read_out.span("digits"))
    for code in find_codes(tokens, lenient=asked):
        if not taken.is_free(code.start, code.end):
            continue
        if not asked and word_at(tokens, code.after) in _UNITS_AFTER and code.digits < 5:
            continue
        if len(code.value) > MAX_SYMBOLS or (not asked and _is_year(tokens, code)):
            continue
        kind, confidence = _kind(tokens, code, expects)
        if _too_short(code, kind, asked) and not (
            numbers and code.digits >= 2 and _taken_back(text[numbers[-1].end : code.start])
        ):
            continue
        value = code.value
        if kind == "phone":
            plus = text[max(0, code.start - 1) : code.start] == "+"
            value = as_phone(("+" if plus else "") + code.value, locale) or code.value
        numbers.append(Found(kind, value, code.start, code.end, confidence))
    return numbers


def _kind(tokens: list[Token], code: Code, expects: frozenset[str]) -> tuple[str, float]:
    """What a number is: a valid card, what the nearest word says, what was asked for."""
    if code.letters == 0 and is_card(code.value):
        return "card_number", 1.0
    said = _said_before(tokens, code)
    if said is not None and not (said == "phone" and not 7 <= code.digits <= 15):
        return said, 0.95
    asked = [kind for kind in ("order_number", "account_number", "card_number", "phone", "digits")
             if kind in expects]  # fmt: skip
    if asked:
        return asked[0], 0.9
    if code.letters == 0 and 15 <= code.digits <= 16 and code.value[0] in "3456":
        return "card_number", 0.6
    if code.letters == 0 and 10 <= code.digits <= 15:
        return "phone", 0.6
    return "digits", 0.8


def _said_before(tokens: list[Token], code: Code) -> str | None:
    for at in range(code.first - 1, max(-1, code.first - 8), -1):
        for kind, words in _CUES.items():
            if tokens[at].word in words:
                return kind
        if tokens[at].word in (".", "?", "!"):
            return None
    if word_at(tokens, code.after) in ("is", "was"):
        for at in range(code.after, min(code.after + 5, len(tokens))):
            for kind, words in _CUES.items():
                if tokens[at].word in words:
                    return kind
    return None


def _is_year(tokens: list[Token], code: Code) -> bool:
    return (
        len(code.value) == 4
        and code.value[:2] in ("19", "20")
        and word_at(tokens, code.first - 1) in ("in", "since", "of", "year", "until", "from")
    )


def _too_short(code: Code, kind: str, asked: bool) -> bool:
    if code.digits == 0:
        return not (asked and code.letters >= 3)
    length = len(code.value)
    if asked:
        return length < 2
    if kind == "digits":
        return code.digits < 3 and not (code.letters and length >= 4 and code.digits >= 2)
    if kind == "phone":
        return code.digits < 7
    return length < 3


def _corrected(text: str, entities: list[Entity]) -> list[Entity]:
    """Drop what was taken back; a short second number replaces the end of the first."""
    dropped: set[int] = set()
    kept = list(entities)
    for first, second in pairwise(range(len(kept))):
        if not _same_sort(kept[first], kept[second]):
            continue
        if not _taken_back(text[kept[first].end : kept[second].start]):
            continue
        dropped.add(first)
        kept[second] = _merged(kept[first], kept[second])
    return [entity for place, entity in enumerate(kept) if place not in dropped]


def _taken_back(between: str) -> bool:
    """Whether nothing but words of correction stand between two values."""
    return (
        len(between) <= 120
        and _TAKEN_BACK.match(between) is not None
        and _SURELY_TAKEN_BACK.search(between) is not None
    )


def _same_sort(first: Entity, second: Entity) -> bool:
    return first.type == second.type or (first.type in _NUMBERS and second.type in _NUMBERS)


def _merged(first: Entity, second: Entity) -> Entity:
    if second.type == "digits":
        second = replace(second, type=first.type)
    partial = first.type in _NUMBERS and len(second.value) * 2 <= len(first.value)
    if partial and not second.value.startswith("+"):
        value = first.value[: -len(second.value)] + second.value
        return replace(second, value=value, confidence=0.6)
    return second
