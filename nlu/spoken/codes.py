"""Codes read out symbol by symbol: "A B one two three", "double four", "forty five seventy one".

A code is a run of symbols; digits may be grouped as people group them, letters may be said by
name, by the NATO alphabet or "B for Bravo".
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from nlu.spoken.cardinals import SCALES, TEENS, TENS, UNITS, below_hundred, cardinal, word_at
from nlu.spoken.tokens import FILLERS, Token, touching

NATO = {
    word: word[0].upper()
    for word in (
        "alpha alfa bravo charlie delta echo foxtrot golf hotel india juliet juliett kilo lima "
        "mike november oscar papa quebec romeo sierra tango uniform victor whiskey whisky xray "
        "yankee zulu"
    ).split()
}
_NAMED_LETTERS = {"zed": "Z", "zee": "Z"}
_TIMES = {"double": 2, "triple": 3, "treble": 3, "quadruple": 4}
_ZEROS = frozenset({"zero", "oh", "nought", "naught"})
_HOMOPHONES = {
    "to": "two",
    "too": "two",
    "tu": "two",
    "for": "four",
    "fore": "four",
    "far": "four",
    "ate": "eight",
    "eat": "eight",
    "aid": "eight",
    "hate": "eight",
    "won": "one",
    "wan": "one",
    "want": "one",
    "free": "three",
    "tree": "three",
    "sex": "six",
    "sicks": "six",
    "sick": "six",
    "fife": "five",
    "hive": "five",
    "nein": "nine",
    "mine": "nine",
    "line": "nine",
    "niner": "nine",
    "heaven": "seven",
    "owe": "oh",
    "row": "oh",
    "hero": "zero",
    "twin": "twenty",
    "fourty": "forty",
    "fiffy": "fifty",
    "sixteen's": "sixteen",
}
_RARELY_WORDS = frozenset("ate won tree fife niner fore nein sicks tu wan".split())
"""Homophones that a sentence about something else seldom has beside a number."""
_ENOUGH = 3
"""So many digits on one side make a homophone at the edge of a run a digit."""
_BETWEEN = FILLERS | {",", "-", "–", "dash", "hyphen", "space", "then", "#", "/"}
_SUFFIXES = frozenset(
    "st nd rd th am pm a.m p.m k km kg g mg lb lbs cm mm m ml gb mb tb kb x hz w v s min mins "
    "hr hrs h inch in ft".split()
)
_AFTER_A_NUMBER = frozenset(
    {"", ".", ",", "?", "!", "and", "but", "please", "thanks", "thank", "okay", "that's", "is"}
)
_BEFORE_A_NUMBER = frozenset(
    "is it's that's number on at me account to card plus iban are be here the phone mobile visa "
    "text call e so hi yes well um uh oh hello okay right its".split()
) | {""}
_AS_IN = frozenset({"for", "like", "as"})


@dataclass(frozen=True, slots=True)
class _Symbol:
    """A piece of a code: what it adds, how it was said, and the first token after it."""

    value: str
    kind: str
    after: int


@dataclass(frozen=True, slots=True)
class Code:
    """A run of symbols: `value` in digits and capitals; `spoken` when any was said as a word."""

    value: str
    start: int
    end: int
    first: int
    after: int
    spoken: bool
    spelled: bool

    @property
    def digits(self) -> int:
        """How many digits it has."""
        return sum(symbol.isdigit() for symbol in self.value)

    @property
    def letters(self) -> int:
        """How many letters it has."""
        return len(self.value) - self.digits


def find_codes(tokens: list[Token], lenient: bool = False) -> list[Code]:
    """Every maximal run of symbols, however short; the caller decides what is long enough.

    `lenient` takes homophones ("four two to one") for digits inside a run.
    """
    if lenient:
        tokens = _digits_for_homophones(tokens)
    codes: list[Code] = []
    place = 0
    while place < len(tokens):
        run, after = _run(tokens, place)
        run = _trimmed(tokens, run)
        if run:
            codes.append(_code(tokens, run))
            place = max(after, run[-1][1].after)
        else:
            place = max(after, place + 1)
    return codes


def as_digits(tokens: list[Token], start: int, end: int) -> list[Token]:
    """The tokens with every homophone of a digit between two places of the text read as one."""
    return [
        replace(token, word=_HOMOPHONES.get(token.word, token.word))
        if start <= token.start and token.end <= end
        else token
        for token in tokens
    ]


def _run(tokens: list[Token], place: int) -> tuple[list[tuple[int, _Symbol]], int]:
    run: list[tuple[int, _Symbol]] = []
    while place < len(tokens):
        symbol = _symbol(tokens, place, run)
        if symbol is not None:
            run.append((place, symbol))
            place = symbol.after
            continue
        skipped = _skip(tokens, place) if run else place
        if skipped == place:
            break
        place = skipped
    return run, place


def _skip(tokens: list[Token], place: int) -> int:
    """The place after fillers and separators; a full stop separates only single symbols."""
    while word_at(tokens, place) in _BETWEEN:
        place += 1
    if word_at(tokens, place) == "." and place + 1 < len(tokens):
        beside = tokens[place - 1].text, tokens[place + 1].text
        if all(len(text) == 1 for text in beside) or touching(tokens[place], tokens[place + 1]):
            return place + 1
    return place


def _digits_for_homophones(tokens: list[Token]) -> list[Token]:
    """ "nine to for five" as "nine two four five": homophones between numbers, or at the edge of a
    run of digits read out: "seven three one nine ate", "... double for", "won three zero ..."."""
    heard = list(tokens)
    at = 0
    while at < len(tokens):
        if tokens[at].word not in _HOMOPHONES:
            at += 1
            continue
        after = at
        while after < len(tokens) and tokens[after].word in _HOMOPHONES.keys() | FILLERS:
            after += 1
        stop = after
        while tokens[stop - 1].word in FILLERS:
            stop -= 1
        before, behind = _count_left(heard, at), _count_right(tokens, after)
        for place in range(at, stop):
            word = tokens[place].word
            if word in _HOMOPHONES and _reads_as_digit(tokens, place, (at, stop), before, behind):
                heard[place] = replace(heard[place], word=_HOMOPHONES[word])
        at = after
    return heard


def _reads_as_digit(
    tokens: list[Token], place: int, between: tuple[int, int], before: int, behind: int
) -> bool:
    word = tokens[place].word
    if before and behind:
        return True
    if word_at(tokens, place - 1) in _TIMES:
        return True
    if before >= _ENOUGH:
        return (
            word in _RARELY_WORDS
            or (between[1] - between[0] > 1 and place < between[1] - 1)
            or word_at(tokens, between[1]) in _AFTER_A_NUMBER
        )
    if behind >= _ENOUGH:
        return word in _RARELY_WORDS or word_at(tokens, between[0] - 1) in _BEFORE_A_NUMBER
    return False


def _count_left(tokens: list[Token], place: int) -> int:
    """How many numbers stand before `place` without a gap but fillers."""
    count = 0
    at = place - 1
    while at >= 0 and (_is_numeric(tokens[at]) or tokens[at].word in FILLERS | {","}):
        count += _is_numeric(tokens[at])
        at -= 1
    return count


def _count_right(tokens: list[Token], place: int) -> int:
    count = 0
    while place < len(tokens) and (
        _is_numeric(tokens[place]) or tokens[place].word in FILLERS | {","} | _HOMOPHONES.keys()
    ):
        count += _is_numeric(tokens[place])
        place += 1
    return count


def _is_numeric(token: Token) -> bool:
    word = token.word
    return (
        token.is_number
        or word in UNITS
        or word in TEENS
        or word in TENS
        or word in _ZEROS
        or word in _TIMES
    )


def _symbol(tokens: list[Token], place: int, run: list[tuple[int, _Symbol]]) -> _Symbol | None:
    if place >= len(tokens):
        return None
    token = tokens[place]
    if token.is_number:
        return _typed_number(tokens, place)
    if token.word in _TIMES:
        return _repeated(tokens, place, run)
    number = _spoken_number(tokens, place)
    if number is not None:
        return number
    if token.word in _ZEROS:
        return _Symbol("0", "word", place + 1)
    return _letter(tokens, place, run)


def _typed_number(tokens: list[Token], place: int) -> _Symbol | None:
    after = word_at(tokens, place + 1)
    if after in _SUFFIXES and touching(tokens[place], tokens[place + 1]):
        return None
    return _Symbol(tokens[place].text, "typed", place + 1)


def _repeated(tokens: list[Token], place: int, run: list[tuple[int, _Symbol]]) -> _Symbol | None:
    if word_at(tokens, place + 1) in ("u", "you"):
        return _Symbol("W", "letter", place + 2)
    said = place + 1 + (word_at(tokens, place + 1) in FILLERS)
    symbol = _symbol(tokens, said, run) if word_at(tokens, said) not in _TIMES else None
    if symbol is None or len(symbol.value) != 1 or symbol.kind == "typed-letters":
        return None
    times = _TIMES[tokens[place].word]
    kind = "letter" if symbol.kind == "letter" else "word"
    return _Symbol(symbol.value * times, kind, symbol.after)


def _spoken_number(tokens: list[Token], place: int) -> _Symbol | None:
    word = tokens[place].word
    if word not in UNITS and word not in TEENS and word not in TENS:
        return None
    group = below_hundred(tokens, place)
    if group is None:
        return None
    if word_at(tokens, group[1]) in ("hundred", *SCALES):
        group = cardinal(tokens, place) or group
    return _Symbol(str(group[0]), "word", group[1])


def _letter(tokens: list[Token], place: int, run: list[tuple[int, _Symbol]]) -> _Symbol | None:
    token = tokens[place]
    if not token.is_word or not token.text.isascii():
        return None
    if len(token.text) == 1:
        return _single_letter(tokens, place, run)
    if token.word in _NAMED_LETTERS:
        return _Symbol(_NAMED_LETTERS[token.word], "letter", place + 1)
    if token.word in NATO and _beside_symbol(tokens, place, run):
        return _Symbol(NATO[token.word], "letter", place + 1)
    if len(token.text) <= 5 and _block_beside_number(tokens, place):
        return _Symbol(token.text.upper(), "typed-letters", place + 1)
    return None


def _single_letter(
    tokens: list[Token], place: int, run: list[tuple[int, _Symbol]]
) -> _Symbol | None:
    word, following = tokens[place].word, word_at(tokens, place + 1)
    if following in _AS_IN:
        example = place + 2 + (word_at(tokens, place + 2) == "in")
        if word_at(tokens, example)[:1] == word and len(word_at(tokens, example)) > 1:
            return _Symbol(word.upper(), "letter", example + 1)
    beside_letter = (run and run[-1][1].kind == "letter") or (
        len(following) == 1 and following.isalpha()
    )
    if word == "o" and not beside_letter:
        return _Symbol("0", "word", place + 1)
    return _Symbol(word.upper(), "letter", place + 1)


def _beside_symbol(tokens: list[Token], place: int, run: list[tuple[int, _Symbol]]) -> bool:
    """NATO words are names and things too: they count only beside another symbol."""
    if run:
        return True
    following = word_at(tokens, place + 1)
    if following == ",":
        following = word_at(tokens, place + 2)
    return (
        following in NATO
        or following in UNITS
        or following in _ZEROS
        or following in _TIMES
        or (following.isascii() and len(following) == 1 and following.isalnum())
        or (following.isdigit() and following.isascii())
    )


def _block_beside_number(tokens: list[Token], place: int) -> bool:
    """Letters typed as one with digits: "AB123", "AB-123", "AB 12345" in capitals."""
    token = tokens[place]
    if place and tokens[place - 1].is_number and touching(tokens[place - 1], token):
        return True
    if place + 1 >= len(tokens):
        return False
    following = tokens[place + 1]
    if following.is_number:
        return touching(token, following) or (
            token.text.isupper() and len(token.text) <= 4 and len(following.text) >= 3
        )
    return (
        following.text == "-"
        and touching(token, following)
        and place + 2 < len(tokens)
        and tokens[place + 2].is_number
        and touching(following, tokens[place + 2])
    )


def _trimmed(tokens: list[Token], run: list[tuple[int, _Symbol]]) -> list[tuple[int, _Symbol]]:
    """Drop words at the edges that are symbols only by accident: "a", "I", a lone "oh"."""
    first, after = 0, len(run)
    while first < after and _accidental_start(tokens, run, first):
        first += 1
    while first < after and _accidental_end(tokens, run, first, after):
        after -= 1
    return run[first:after]


def _accidental_start(tokens: list[Token], run: list[tuple[int, _Symbol]], first: int) -> bool:
    place, symbol = run[first]
    word, length = tokens[place].word, len(run) - first
    if word in ("oh", "o"):
        return length < 4
    if word not in ("a", "i") or symbol.after > place + 1:
        return False
    if length == 1:
        return True
    following = run[first + 1]
    if following[1].kind == "letter" and length > 2:
        return tokens[following[0]].word in ("a", "i")
    return word_at(tokens, place - 1) not in _CUES_OF_A_LETTER


_CUES_OF_A_LETTER = frozenset({"number", "code", "reference", "id", "is", "it's", "letter", "#"})


_AFTER_SPELLING = frozenset({"and", "but", "please", "at", "dot", "or", "is", "that's", "thanks"})


def _accidental_end(
    tokens: list[Token], run: list[tuple[int, _Symbol]], first: int, after: int
) -> bool:
    place, symbol = run[after - 1]
    word = tokens[place].word
    if word in ("oh", "o") and after - first > 1:
        return word_at(tokens, place - 1) == ","
    if word not in ("a", "i") or symbol.after > place + 1:
        return False
    following = word_at(tokens, symbol.after)
    spelled_before = after - first > 1 and run[after - 2][1].kind == "letter"
    if spelled_before and (word == "a" or following in _AFTER_SPELLING):
        return False
    return following[:1].isalpha()


def _code(tokens: list[Token], run: list[tuple[int, _Symbol]]) -> Code:
    first, after = run[0][0], run[-1][1].after
    kinds = {symbol.kind for _, symbol in run}
    return Code(
        "".join(symbol.value for _, symbol in run),
        tokens[first].start,
        tokens[after - 1].end,
        first,
        after,
        spoken=bool(kinds & {"word", "letter"}),
        spelled=kinds == {"letter"},
    )
