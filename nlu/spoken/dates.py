"""Dates, written or said, relative to a clock passed in.

The places are found by a small grammar; the values come from `dateparser`, asked only about those
places and only in English, so that a text without a date costs nothing.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal

from nlu.spoken.cardinals import TENS, UNITS, below_hundred, cardinal, ordinal, word_at
from nlu.spoken.named_days import named_day
from nlu.spoken.tokens import Found, Taken, Token, touching

Order = Literal["MDY", "DMY"]

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan",
            "february feb",
            "march mar",
            "april apr",
            "may",
            "june jun",
            "july jul",
            "august aug",
            "september sept sep",
            "october oct",
            "november nov",
            "december dec",
        ),
        start=1,
    )
    for name in names.split()
}
_WEEKDAYS = {
    name: number
    for number, names in enumerate(
        (
            "monday mon",
            "tuesday tue tues",
            "wednesday wed",
            "thursday thu thurs",
            "friday fri",
            "saturday",
            "sunday",
        )
    )
    for name in names.split()
}
_PERIODS = {"day": 1, "week": 7, "fortnight": 14, "month": 30, "year": 365}
_NEAR = {"today": 0, "tonight": 0, "tomorrow": 1, "yesterday": -1}
_PAST = frozenset(
    "was were did had came arrived bought ordered paid called since ago got sent received "
    "left went booked taken debited delivered happened last born promised placed made took shipped "
    "spoke".split()
)
_NUMERIC = re.compile(
    r"(?<![\d/.-])(?:\d{4}-\d{1,2}-\d{1,2}|\d{1,2}([/.-])\d{1,2}\1(?:\d{4}|\d{2}))(?![\d/-])"
)
_DAY_AND_MONTH = re.compile(r"(?<![\d/.,-])(\d{1,2})/(\d{1,2})(?![\d/.-]|,\d)")
_NO_DATES = frozenset({(24, 7), (1, 2), (1, 3), (2, 3), (1, 4), (3, 4)})
"""Fractions, and what never closes."""
_BEFORE_A_DATE = re.compile(r"(?i)\b(?:on|by|since|until|till|from|for|before|after|dated|the) $")
_TOO_FAR_DAYS = 300
"""Nobody who names a day of last month without a year means the next year's."""
MAX_DATES = 20
"""How many dates of one text are resolved; nobody says more in a turn."""

_Span = tuple[date, int]


def find_dates(text: str, tokens: list[Token], now: datetime, order: Order) -> list[Found]:
    """Every date as ISO 8601, at most `MAX_DATES`.

    A day and month without a year is the last one when the sentence speaks of the past, the next
    one when it does not, and less sure.
    """
    found: list[Found] = []
    for match in _NUMERIC.finditer(text):
        value = _parse(match[0], order)
        if value is not None:
            found.append(Found("date", value.isoformat(), match.start(), match.end()))
        if len(found) >= MAX_DATES:
            return found
    taken = Taken(len(text))
    taken.block(found)
    spoke_of_past = any(token.word in _PAST for token in tokens)
    for match in _DAY_AND_MONTH.finditer(text):
        day = _without_year(match, text, now.date(), order, spoke_of_past)
        if day is not None and len(found) < MAX_DATES and taken.is_free(*match.span()):
            found.append(Found("date", day.isoformat(), match.start(), match.end(), 0.7))
            taken.block(found[-1:])
    past = False
    place = 0
    while place < len(tokens) and len(found) < MAX_DATES:
        past = past or tokens[place].word in _PAST
        read = _read(tokens, place, now.date(), past)
        if read is None:
            place += 1
            continue
        value, after, confidence = read
        start, end = tokens[place].start, tokens[after - 1].end
        if taken.is_free(start, end):
            found.append(Found("date", value.isoformat(), start, end, confidence))
        place = after
    return found


@lru_cache(maxsize=256)
def _parse(written: str, order: Order) -> date | None:
    import dateparser

    if re.match(r"\d{4}-", written):
        order_setting: str = "YMD"
    else:
        order_setting = order
    value = dateparser.parse(
        written, languages=["en"], settings={"DATE_ORDER": order_setting, "STRICT_PARSING": True}
    )
    return value.date() if value is not None else None


def _without_year(
    match: re.Match[str], text: str, today: date, order: Order, past: bool
) -> date | None:
    """ "3/11", read by the order of the place, or the only way that there is such a day."""
    first, second = int(match[1]), int(match[2])
    if (first, second) in _NO_DATES and not _BEFORE_A_DATE.search(text[: match.start()]):
        return None
    month, day = (first, second) if order == "MDY" else (second, first)
    if month > 12:
        month, day = day, month
    if _make(2024, month, day) is None:
        return None
    return _nearest(today, month, day, past)


def _nearest(today: date, month: int, day: int, past: bool) -> date | None:
    """The day and month nearest to today in the direction of the sentence, or near at all."""
    earlier = later = _make(today.year, month, day)
    if earlier is None or later is None:
        return None
    if earlier > today:
        earlier = _make(today.year - 1, month, day) or earlier
    if later < today:
        later = _make(today.year + 1, month, day) or later
    far = (later - today).days > _TOO_FAR_DAYS
    return earlier if past or far else later


def _read(
    tokens: list[Token], place: int, today: date, past: bool
) -> tuple[date, int, float] | None:
    """The date that begins at `place`, the place after it, and how sure it is."""
    word = tokens[place].word
    if word in _NEAR:
        return today + timedelta(days=_NEAR[word]), place + 1, 1.0
    relative = (
        _beside_a_day(tokens, place, today)
        or _weeks_from_a_day(tokens, place, today)
        or _day_of_a_month_near(tokens, place, today)
        or _counted(tokens, place, today)
        or _weekday(tokens, place, today, past)
        or _last_or_next(tokens, place, today)
        or named_day(tokens, place, today, past)
    )
    return relative or _calendar(tokens, place, today, past)


def _beside_a_day(tokens: list[Token], place: int, today: date) -> tuple[date, int, float] | None:
    """ "the day after tomorrow", "the day before yesterday"."""
    words = [word_at(tokens, place + step) for step in range(3)]
    if words == ["day", "after", "tomorrow"]:
        return today + timedelta(days=2), place + 3, 1.0
    if words == ["day", "before", "yesterday"]:
        return today - timedelta(days=2), place + 3, 1.0
    return None


def _weeks_from_a_day(
    tokens: list[Token], place: int, today: date
) -> tuple[date, int, float] | None:
    """ "a week from Wednesday", "two weeks on Friday", "a week tomorrow"."""
    if word_at(tokens, place) in ("a", "one"):
        number, at = 1, place + 1
    else:
        read = cardinal(tokens, place)
        if read is None or not 1 <= read[0] <= 8:
            return None
        number, at = read
    if word_at(tokens, at) not in ("week", "weeks"):
        return None
    at += 1
    joined = word_at(tokens, at) in ("from", "on", "after")
    at += joined
    if word_at(tokens, at) == "tomorrow":
        return today + timedelta(days=7 * number + 1), at + 1, 0.9
    day = _WEEKDAYS.get(word_at(tokens, at)) if joined else None
    if day is None:
        return None
    ahead = (day - today.weekday()) % 7 or 7
    return today + timedelta(days=ahead + 7 * number), at + 1, 0.8


def _day_of_a_month_near(
    tokens: list[Token], place: int, today: date
) -> tuple[date, int, float] | None:
    """ "the fifth of last month", "the twentieth of this month"."""
    at = place + (word_at(tokens, place) == "the")
    day = ordinal(tokens, at)
    if day is None or word_at(tokens, day[1]) not in ("of", "in"):
        return None
    at = day[1] + 1
    steps = {"last": -1, "this": 0, "the": 0, "next": 1}.get(word_at(tokens, at))
    if steps is None or word_at(tokens, at + 1) != "month":
        return None
    value = _make_in(_shift(today.replace(day=1), steps, "month"), day[0])
    return (value, at + 2, 0.9) if value is not None else None


def _counted(tokens: list[Token], place: int, today: date) -> tuple[date, int, float] | None:
    """ "in two weeks", "three days ago", "a week from now"."""
    ahead = word_at(tokens, place) in ("in", "within")
    start = place + ahead
    if word_at(tokens, start) in ("a", "an", "one") and word_at(tokens, start + 1) == "couple":
        number, after = 2, start + 2 + (word_at(tokens, start + 2) == "of")
    elif word_at(tokens, start) in ("a", "an", "one") or word_at(tokens, start) == "the":
        number, after = 1, start + 1
    else:
        read = cardinal(tokens, start)
        if read is None or read[0] > 3_000:
            return None
        number, after = read
    unit = word_at(tokens, after)
    days = _PERIODS.get(unit.removesuffix("s"))
    if days is None:
        return None
    after += 1
    if word_at(tokens, after) == "ago":
        return _shift(today, -number, unit), after + 1, 1.0
    if word_at(tokens, after) == "from" and word_at(tokens, after + 1) in ("now", "today"):
        return _shift(today, number, unit), after + 2, 1.0
    if ahead and word_at(tokens, start) != "the":
        end = after + 1 if word_at(tokens, after) == "time" else after
        return _shift(today, number, unit), end, 0.9
    return None


def _shift(today: date, number: int, unit: str) -> date:
    """`number` days, weeks, months or years away; a month keeps the day where it can."""
    unit = unit.removesuffix("s")
    if unit in ("month", "year"):
        months = today.year * 12 + today.month - 1 + number * (12 if unit == "year" else 1)
        if not 12 <= months < 9999 * 12:
            return today
        year, month = divmod(months, 12)
        return _clamped(year, month + 1, today.day)
    try:
        return today + timedelta(days=number * _PERIODS[unit])
    except OverflowError:
        return today


def _clamped(year: int, month: int, day: int) -> date:
    while day > 28:
        try:
            return date(year, month, day)
        except ValueError:
            day -= 1
    return date(year, month, day)


def _weekday(
    tokens: list[Token], place: int, today: date, past: bool
) -> tuple[date, int, float] | None:
    """ "last Tuesday", "next Friday", "on Monday", "this Thursday", "Monday week"."""
    which = word_at(tokens, place)
    modified = which in ("last", "next", "this", "past", "coming")
    at = place + modified
    day = _WEEKDAYS.get(word_at(tokens, at).removesuffix("'s"))
    if day is None or (len(word_at(tokens, at)) < 5 and not modified):
        return None
    back = (today.weekday() - day) % 7
    if which in ("last", "past") or (past and not modified):
        return today - timedelta(days=back or 7), at + 1, 1.0 if modified else 0.8
    ahead = (day - today.weekday()) % 7
    if word_at(tokens, at + 1) == "week" and word_at(tokens, at + 2) in _AFTER_A_DAY | {"", "."}:
        return today + timedelta(days=(ahead or 7) + 7), at + 2, 0.9
    if which == "this":
        return today + timedelta(days=ahead), at + 1, 0.9
    return today + timedelta(days=ahead or 7), at + 1, 0.9


def _last_or_next(tokens: list[Token], place: int, today: date) -> tuple[date, int, float] | None:
    """ "last week", "next month", "yesterday week" is left out: a whole period is a guess."""
    which, unit = word_at(tokens, place), word_at(tokens, place + 1)
    if which not in ("last", "next") or unit not in ("week", "month", "year", "night"):
        return None
    if unit == "night":
        return (today - timedelta(days=1), place + 2, 0.9) if which == "last" else None
    return _shift(today, -1 if which == "last" else 1, unit), place + 2, 0.5


def _calendar(
    tokens: list[Token], place: int, today: date, past: bool
) -> tuple[date, int, float] | None:
    """ "the third of March", "March 3rd, 2026", "3 Mar", "March the twenty third"."""
    read = _day_then_month(tokens, place) or _month_then_day(tokens, place)
    if read is None:
        return _day_alone(tokens, place, today, past)
    day, month, after = read
    year = _year(tokens, after)
    if year is not None:
        value = _make(year[0], month, day)
        return (value, year[1], 1.0) if value else None
    value = _nearest(today, month, day, past)
    return (value, after, 0.8) if value is not None else None


def _day_then_month(tokens: list[Token], place: int) -> tuple[int, int, int] | None:
    at = place + (word_at(tokens, place) == "the")
    day = ordinal(tokens, at) or _number(tokens, at)
    if day is None:
        return None
    after = day[1] + (word_at(tokens, day[1]) == "of")
    month = _month(tokens, after, sure=after > day[1] or word_at(tokens, after) != "may")
    return (day[0], month, after + 1) if month else None


def _month_then_day(tokens: list[Token], place: int) -> tuple[int, int, int] | None:
    month = _month(tokens, place, sure=True)
    if month is None:
        return None
    at = place + 1
    at += word_at(tokens, at) == "."
    at += word_at(tokens, at) == "the"
    day = ordinal(tokens, at) or _number(tokens, at)
    if day is None or not 1 <= day[0] <= 31:
        return None
    return day[0], month, day[1]


def _month(tokens: list[Token], place: int, sure: bool) -> int | None:
    return _MONTHS.get(word_at(tokens, place)) if sure else None


def _number(tokens: list[Token], place: int) -> tuple[int, int] | None:
    if place < len(tokens) and tokens[place].is_number:
        text = tokens[place].text
        return (int(text), place + 1) if len(text) <= 2 else None
    read = below_hundred(tokens, place)
    return read if read is not None and 1 <= read[0] <= 31 else None


def _day_alone(
    tokens: list[Token], place: int, today: date, past: bool
) -> tuple[date, int, float] | None:
    """ "on the twenty first", with no month: the nearest in the direction of the sentence."""
    if word_at(tokens, place) != "the" or word_at(tokens, place - 1) not in ("on", "by", "since"):
        return None
    day = ordinal(tokens, place + 1)
    if day is None or not 1 <= day[0] <= 31:
        return None
    if word_at(tokens, day[1])[:1].isalpha() and word_at(tokens, day[1]) not in _AFTER_A_DAY:
        return None
    for step in range(3):
        value = _make_in(_shift(today.replace(day=1), -step if past else step, "month"), day[0])
        if value is not None and (value <= today if past else value >= today):
            return value, day[1], 0.7
    return None


_AFTER_A_DAY = frozenset(
    "and but at please it i we so in because for you the or to between from after before around "
    "if is was any instead".split()
)


def _make_in(month: date, day: int) -> date | None:
    return _make(month.year, month.month, day)


def _make(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _year(tokens: list[Token], place: int) -> tuple[int, int] | None:
    """ "2026", "twenty twenty six", "two thousand and five", "nineteen eighty one"."""
    place += word_at(tokens, place) == ","
    if place < len(tokens) and tokens[place].is_number:
        text = tokens[place].text
        if len(text) != 4 or not 1900 <= int(text) <= 2100:
            return None
        closed = place + 1 >= len(tokens) or not (
            tokens[place + 1].is_word and touching(tokens[place], tokens[place + 1])
        )
        return (int(text), place + 1) if closed else None
    century = below_hundred(tokens, place)
    if century is None:
        return None
    if word_at(tokens, place) == "two" and word_at(tokens, place + 1) == "thousand":
        read = cardinal(tokens, place)
        return read if read is not None and read[0] <= 2100 else None
    if century[0] not in (19, 20) and not (
        word_at(tokens, place) == "twenty" and word_at(tokens, place + 1) in TENS | UNITS
    ):
        return None
    years = below_hundred(tokens, place + 1)
    if years is None or years[0] < 10:
        return None
    return (19 if century[0] == 19 else 20) * 100 + years[0], years[1]
