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


def tokenize(text: str) -> list[Token]:
    """All tokens in order; white space separates and vanishes."""
    return [
        Token(match[0].lower().replace("’", "'"), match[0], match.start(), match.end())
        for match in _TOKEN.finditer(text)
    ]


def touching(left: Token, right: Token) -> bool:
    """Whether nothing, not even a space, stands between two neighbours."""
    return left.end == right.start


class Taken:
    """Which characters of a text belong to a value already; asking and adding cost no search."""

    def __init__(self, length: int) -> None:
        self._marks = bytearray(length)
        self.values: list[Found] = []

    def is_free(self, start: int, end: int) -> bool:
        """Whether no value covers any character from `start` to `end`."""
        return self._marks.find(1, start, end) < 0

    def add(self, values: Iterable[Found]) -> None:
        """Take every value that overlaps none taken before."""
        for value in values:
            if self.is_free(value.start, value.end):
                self._marks[value.start : value.end] = b"\x01" * (value.end - value.start)
                self.values.append(value)

    def block(self, values: Iterable[Found]) -> None:
        """Mark the places of `values` as taken without keeping them."""
        for value in values:
            self._marks[value.start : value.end] = b"\x01" * (value.end - value.start)
