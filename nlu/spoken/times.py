"""Times of day, written or said: "half past four", "4:30 pm", "ten to three", "noon"."""

from __future__ import annotations

from nlu.spoken.cardinals import below_hundred, word_at
from nlu.spoken.tokens import Found, Token, touching

_FIXED = {"noon": (12, 0), "midday": (12, 0), "midnight": (0, 0)}
_FRACTIONS = {"quarter": 15, "half": 30}
_MORNING, _LATER = frozenset({"morning"}), frozenset({"afternoon", "evening", "tonight", "night"})
_HALVES = {"am": 0, "a.m": 0, "pm": 12, "p.m": 12}

_Clock = tuple[int, int, int, bool]
"""Hour, minute, the place after it, and whether the hour is of a 24-hour clock."""


def find_times(tokens: list[Token], asked: bool = False) -> list[Found]:
    """Every time of day as `HH:MM`.

    Where neither "am" nor a part of the day is said, opening hours decide (8 to 7), less sure.
    `asked` takes a bare "four thirty" or "five".
    """
    found: list[Found] = []
    place = 0
    while place < len(tokens):
        read = _read(tokens, place, asked)
        if read is None:
            place += 1
            continue
        value, place, start, confidence = read
        found.append(Found("time", value, tokens[start].start, tokens[place - 1].end, confidence))
    return found


def _read(tokens: list[Token], place: int, asked: bool) -> tuple[str, int, int, float] | None:
    word = tokens[place].word
    if word in _FIXED:
        hour, minute = _FIXED[word]
        return f"{hour:02d}:{minute:02d}", place + 1, place, 1.0
    clock = (
        _past_or_to(tokens, place)
        or _half_hour(tokens, place)
        or _of_a_span(tokens, place)
        or _plain(tokens, place, asked)
    )
    if clock is None:
        return None
    hour, minute, after, full = clock
    half, end = _half_of_day(tokens, after)
    if half is None and not full:
        confidence = 0.7
        hour = hour + 12 if 1 <= hour <= 7 else hour
    else:
        confidence = 1.0
        if half is not None and hour <= 12:
            hour = hour % 12 + half
    if not (0 <= hour <= 23 and 0 <= minute <= 59):
        return None
    return f"{hour:02d}:{minute:02d}", end, place, confidence


def _small(tokens: list[Token], place: int) -> tuple[int, int] | None:
    if place < len(tokens) and tokens[place].is_number:
        text = tokens[place].text
        return (int(text), place + 1) if len(text) <= 2 else None
    return below_hundred(tokens, place)


def _past_or_to(tokens: list[Token], place: int) -> _Clock | None:
    """ "half past four", "a quarter to five", "ten past three", "twenty minutes to six"."""
    minutes = _FRACTIONS.get(tokens[place].word)
    after = place + 1
    if minutes is None:
        read = _small(tokens, place)
        if read is None or not 1 <= read[0] <= 29:
            return None
        minutes, after = read
        after += word_at(tokens, after) in ("minute", "minutes")
    side = word_at(tokens, after)
    if side not in ("past", "to", "after", "before", "till", "of"):
        return None
    hour = _small(tokens, after + 1)
    if hour is None or not 1 <= hour[0] <= 12:
        return None
    named = tokens[place].word in _FRACTIONS
    if side in ("to", "after", "before", "of", "till") and not (
        named or minutes in (5, 10, 20, 25)
    ):
        return None
    if side == "of" and not named:
        return None
    if side in ("past", "after"):
        return hour[0], minutes, hour[1], False
    return (hour[0] - 1) % 12 or 12, 60 - minutes, hour[1], False


def _half_hour(tokens: list[Token], place: int) -> _Clock | None:
    """ "after half five" is half past five, as is "half five in the evening"."""
    if tokens[place].word != "half":
        return None
    hour = _small(tokens, place + 1)
    if hour is None or not 1 <= hour[0] <= 12:
        return None
    told = word_at(tokens, place - 1) in _CLOCK_BEFORE
    if not told and _half_of_day(tokens, hour[1])[0] is None:
        return None
    return hour[0], 30, hour[1], False


def _of_a_span(tokens: list[Token], place: int) -> _Clock | None:
    """The first hour of "between ten and noon", "from two to four pm": the second shows that it
    is one."""
    before = word_at(tokens, place - 1)
    if before not in ("between", "from"):
        return None
    hour = _small(tokens, place)
    if hour is None or not 1 <= hour[0] <= 12:
        return None
    joint = word_at(tokens, hour[1])
    if joint not in ("and", "to", "till", "until") or (before == "from" and joint == "and"):
        return None
    at = hour[1] + 1
    if word_at(tokens, at) in _FIXED:
        return hour[0], 0, hour[1], hour[0] > 7
    other = _small(tokens, at)
    if other is None or not 1 <= other[0] <= 12:
        return None
    follows = other[1]
    if _half_of_day(tokens, follows)[0] is None and word_at(tokens, follows) != "o'clock":
        return None
    return hour[0], 0, hour[1], False


_CLOCK_BEFORE = frozenset("at after before around about by until till from past between".split())


def _plain(tokens: list[Token], place: int, asked: bool) -> _Clock | None:
    """ "4:30", "16:30", "four thirty pm", "five o'clock", "at 4"."""
    hour = _small(tokens, place)
    if hour is None or hour[0] > 24:
        return None
    colon = _colon(tokens, place)
    if colon is not None:
        return colon
    if word_at(tokens, hour[1]) in ("o'clock", "oclock"):
        return hour[0], 0, hour[1] + 1, False
    minutes = _minutes(tokens, hour[1])
    marked = _half_of_day(tokens, minutes[1] if minutes else hour[1])[0] is not None
    at = word_at(tokens, place - 1) in ("at", "by", "around", "until", "before", "after", "from")
    if not 1 <= hour[0] <= 12 or not (marked or at or asked):
        return None
    if minutes is not None:
        return hour[0], minutes[0], minutes[1], False
    follows = word_at(tokens, hour[1])
    bare = (at and word_at(tokens, place - 1) in ("at", "by", "until")) or asked
    if marked or (bare and not (follows[:1].isalnum() and follows not in _MAY_FOLLOW)):
        return hour[0], 0, hour[1], False
    return None


_MAY_FOLLOW = frozenset(
    "on and please but or if then for so because is would works tomorrow".split()
)


def _colon(tokens: list[Token], place: int) -> _Clock | None:
    if place + 2 >= len(tokens) or tokens[place + 1].text not in (":", "."):
        return None
    hour, mark, minute = tokens[place : place + 3]
    if not (hour.is_number and minute.is_number and len(minute.text) == 2):
        return None
    if not (touching(hour, mark) and touching(mark, minute)):
        return None
    if mark.text == "." and _half_of_day(tokens, place + 3)[0] is None:
        return None
    full = int(hour.text) > 12 or (len(hour.text) == 2 and hour.text[0] == "0")
    return int(hour.text), int(minute.text), place + 3, full


def _minutes(tokens: list[Token], place: int) -> tuple[int, int] | None:
    if word_at(tokens, place) in ("oh", "o", "zero"):
        read = below_hundred(tokens, place + 1)
        return read if read is not None and read[0] < 10 else None
    read = None if place < len(tokens) and tokens[place].is_number else _small(tokens, place)
    return read if read is not None and 10 <= read[0] <= 59 else None


def _half_of_day(tokens: list[Token], place: int) -> tuple[int | None, int]:
    """0 or 12 hours to add for "am", "p.m.", "in the evening", and the place after it."""
    word = word_at(tokens, place)
    if word in _HALVES:
        return _HALVES[word], place + 1
    if word in ("a", "p") and "m" in (word_at(tokens, place + 1), word_at(tokens, place + 2)):
        dotted = word_at(tokens, place + 1) == "."
        after = place + 2 + dotted
        after += dotted and word_at(tokens, after) == "."
        return (0 if word == "a" else 12), after
    if word in ("in", "at", "this") or word == "tonight":
        for at in range(place, min(place + 3, len(tokens))):
            if tokens[at].word in _MORNING:
                return 0, at + 1
            if tokens[at].word in _LATER:
                return 12, at + 1
    return None, place
