"""What callers of a pack are likely to say, as word sequences for a language model.

The pack's phrases are taken as they are; to them come spoken digits, spelled letters, e-mail
addresses and plain answers, which no pack lists because every caller may say them.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping

from num2words import num2words

from nlu.types import Language

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz")
_CARRIERS = (
    "", "", "it's", "it is", "number", "order number", "the order number is",
    "my order number is", "the number is", "my number is",
)  # fmt: skip
_MAIL_CARRIERS = ("", "it's", "my email is", "my email address is", "the email is")
_MAIL_HOSTS = ("gmail", "yahoo", "hotmail", "outlook", "icloud", "example")
_ANSWERS = (
    "yes", "no", "yes please", "no thanks", "no thank you", "okay", "thank you", "thanks",
    "hello", "hi", "goodbye", "bye", "that's right", "correct", "sure", "right",
)  # fmt: skip
_SPELLED_WEIGHT = 0.05
_ANSWER_WEIGHT = 0.5
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")
_NUMBER = re.compile(r"\$?\d[\d,]*(?:\.\d+)?%?")


def words_of(text: str) -> tuple[str, ...]:
    """The words of a text as they are spoken: lower case, numbers in words, no marks.

    A number of five digits or more, or with a leading zero, is read digit by digit.
    """
    plain = text.lower().replace("’", "'").replace("e-mail", "email").replace("&", " and ")
    plain = _NUMBER.sub(lambda match: f" {_spoken(match[0])} ", plain)
    return tuple(_WORD.findall(plain))


def sentences(language: Language) -> Mapping[tuple[str, ...], float]:
    """Word sequences with their weights, the same for the same language."""
    found: Counter[tuple[str, ...]] = Counter()
    for phrases in (*language.intents.values(), *language.phrase_bank.values()):
        for phrase in phrases:
            for sentence in re.split(r"(?<=[.!?])\s+", phrase):
                if spoken := words_of(sentence):
                    found[spoken] += 1
    for word in language.vocabulary:
        if spoken := words_of(word):
            found[spoken] += 1
    weighted: dict[tuple[str, ...], float] = dict(found)
    for answer in _ANSWERS:
        spoken = tuple(answer.split())
        weighted[spoken] = weighted.get(spoken, 0.0) + _ANSWER_WEIGHT
    for spoken in (*number_sentences(), *email_sentences()):
        weighted[spoken] = weighted.get(spoken, 0.0) + _SPELLED_WEIGHT
    return weighted


def number_sentences() -> Iterator[tuple[str, ...]]:
    """Numbers read digit by digit, some with a letter or two before; every pair of digits."""
    dice = random.Random(1)
    for carrier in _CARRIERS:
        for first in range(10):
            for second in range(10):
                rest = [dice.randrange(10) for _ in range(dice.randrange(1, 7))]
                digits = [DIGITS[d] for d in (first, second, *rest)]
                if dice.random() < 0.15:
                    digits = ["oh" if d == "zero" else d for d in digits]
                letters = dice.choice((1, 2)) if dice.random() < 0.1 else 0
                prefix = [dice.choice(LETTERS) for _ in range(letters)]
                yield (*carrier.split(), *prefix, *digits)


def email_sentences() -> Iterator[tuple[str, ...]]:
    """E-mail addresses spelled out."""
    dice = random.Random(2)
    for carrier in _MAIL_CARRIERS:
        for letter in LETTERS:
            for following in dice.sample(LETTERS, 6):
                rest = [dice.choice(LETTERS) for _ in range(dice.randrange(1, 6))]
                host = ("at", dice.choice(_MAIL_HOSTS), "dot", dice.choice(("com", "com", "org")))
                between = dice.choice(((), (), ("dot",), ("underscore",), ("dash",)))
                yield (*carrier.split(), letter, following, *between, *rest, *host)


def _spoken(number: str) -> str:
    digits = number.strip("$%").replace(",", "")
    whole, _, part = digits.partition(".")
    if not part and (len(whole) > 4 or (len(whole) > 1 and whole[0] == "0")):
        return " ".join(DIGITS[int(d)] for d in whole)
    words = str(num2words(int(whole)))
    if number.startswith("$"):
        cents = f" {num2words(int(part))}" if part.strip("0") else ""
        return f"{words} dollars{cents}"
    if part:
        words += " point " + " ".join(DIGITS[int(d)] for d in part)
    return words + (" percent" if number.endswith("%") else "")
