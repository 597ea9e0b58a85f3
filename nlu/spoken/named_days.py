"""Days that have a name and no number: Christmas Eve, the end of the month."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

from nlu.spoken.cardinals import word_at
from nlu.spoken.tokens import Token

_FEASTS = {
    ("christmas", "eve"): (12, 24),
    ("christmas", "day"): (12, 25),
    ("boxing", "day"): (12, 26),
    ("new", "year's", "eve"): (12, 31),
    ("new", "years", "eve"): (12, 31),
    ("new", "year's", "day"): (1, 1),
    ("new", "years", "day"): (1, 1),
    ("valentine's", "day"): (2, 14),
    ("valentines", "day"): (2, 14),
    ("halloween",): (10, 31),
}


def named_day(
    tokens: list[Token], place: int, today: date, past: bool
) -> tuple[date, int, float] | None:
    """The day named at `place`, the place after it, and how sure it is: the next one, or the last
    one when the sentence speaks of the past."""
    if word_at(tokens, place) == "end":
        return _end_of_a_month(tokens, place, today)
    for words, (month, day) in _FEASTS.items():
        if all(word_at(tokens, place + at) == word for at, word in enumerate(words)):
            value = date(today.year, month, day)
            if past and value > today:
                value = date(today.year - 1, month, day)
            elif not past and value < today:
                value = date(today.year + 1, month, day)
            return value, place + len(words), 0.9
    return None


def _end_of_a_month(tokens: list[Token], place: int, today: date) -> tuple[date, int, float] | None:
    if word_at(tokens, place + 1) != "of":
        return None
    at = place + 2
    which = word_at(tokens, at)
    if which not in ("the", "this", "next", "last") or word_at(tokens, at + 1) != "month":
        return None
    month = today.replace(day=1)
    if which == "next":
        month = (month + timedelta(days=31)).replace(day=1)
    elif which == "last":
        month = (month - timedelta(days=1)).replace(day=1)
    return month.replace(day=calendar.monthrange(month.year, month.month)[1]), at + 2, 0.7
