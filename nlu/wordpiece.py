"""Words to pieces of words: the uncased WordPiece of BERT, in plain Python.

Method: Schuster and Nakajima 2012, as used by Devlin et al. 2019 (greedy longest match first).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

UNKNOWN = "[UNK]"
_LONGEST_WORD = 40
_CHARACTERS_PER_PIECE = 16
_TOKEN = re.compile(r"[^\W_]+|[^\w\s]|_")
_ASCII_ONLY = re.compile(r"[\x00-\x7f]*\Z")


@lru_cache(maxsize=512)
def plain(text: str) -> str:
    """Lower case without accents; typographic quotes become plain ones."""
    lowered = text.lower().replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')
    if _ASCII_ONLY.match(lowered):
        return lowered
    decomposed = unicodedata.normalize("NFD", lowered)
    return "".join(letter for letter in decomposed if unicodedata.category(letter) != "Mn")


class WordPiece:
    """Splits text into the numbers of the pieces in `vocabulary` (continuations begin with `##`).

    A word with no piece at all becomes the number of `[UNK]`, which the vocabulary must hold.
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self.vocabulary = tuple(vocabulary)
        self._numbers = {piece: number for number, piece in enumerate(self.vocabulary)}
        self.unknown = self._numbers[UNKNOWN]
        self._of_word: dict[str, tuple[int, ...]] = {}

    def __call__(self, text: str, limit: int = 256) -> list[int]:
        """The numbers of the first `limit` pieces; the time is bounded by `limit` alone."""
        pieces: list[int] = []
        for match in _TOKEN.finditer(plain(text[: limit * _CHARACTERS_PER_PIECE])):
            pieces.extend(self._word(match.group()))
            if len(pieces) >= limit:
                break
        return pieces[:limit]

    def _word(self, word: str) -> tuple[int, ...]:
        known = self._of_word.get(word)
        if known is None:
            known = self._split(word)
            if len(self._of_word) < 50_000:
                self._of_word[word] = known
        return known

    def _split(self, word: str) -> tuple[int, ...]:
        if len(word) > _LONGEST_WORD:
            return (self.unknown,)
        pieces: list[int] = []
        start = 0
        while start < len(word):
            for end in range(len(word), start, -1):
                piece = word[start:end] if start == 0 else "##" + word[start:end]
                number = self._numbers.get(piece)
                if number is not None:
                    pieces.append(number)
                    start = end
                    break
            else:
                return (self.unknown,)
        return tuple(pieces)
