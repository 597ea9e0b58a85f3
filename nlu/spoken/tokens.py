"""Words, numbers and marks of a text with their places."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_TOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*|[0-9]+|[^\w\s]|_|[^\W_]")

FILLERS = frozenset({"uh", "um", "er", "erm", "uhm", "ah", "hmm", "mm"})


@dataclass(frozen=True, slots=True)
class Token:
    """A word, a run of digits or one mark; `word` is lower case with straight apostrophes."""

    word: str
    text: str
    start: int
    end: int

    @property
    def is_number(self) -> bool:
        """Whether it is a run of ASCII digits."""
        return self.text[0] in "0123456789"

    @property
    def is_word(self) -> bool:
        """Whether it is letters."""
        return self.text[0].isalpha()


@dataclass(frozen=True, slots=True)
class Found:
    """A value read from a text: `start` and `end` are character offsets, `end` exclusive."""

    kind: str
    value: str
    start: int
    end: int
    confidence: float = 1.0

    def overlaps(self, other: Found) -> bool:
        """Whether both share a character."""
        return self.start < other.end and other.start < self.end


def tokenize(text: str) -> list[Token]:
    """All tokens in order; white space separates and vanishes."""
    return [
        Token(match[0].lower().replace("’", "'"), match[0], match.start(), match.end())
        for match in _TOKEN.finditer(text)
    ]


def touching(left: Token, right: Token) -> bool:
    """Whether nothing, not even a space, stands between two neighbours."""
    return left.end == right.start


def without(tokens: list[Token], taken: Iterable[Found]) -> list[list[Token]]:
    """The stretches of tokens that no value in `taken` covers, each a list of neighbours."""
    covered = sorted(taken, key=lambda found: found.start)
    stretches: list[list[Token]] = [[]]
    place = 0
    for token in tokens:
        while place < len(covered) and covered[place].end <= token.start:
            place += 1
        if place < len(covered) and covered[place].start < token.end:
            if stretches[-1]:
                stretches.append([])
            continue
        stretches[-1].append(token)
    return [stretch for stretch in stretches if stretch]
