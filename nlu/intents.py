"""Few-shot intents from a pack's example phrases: nothing is trained, all is solved at load.

Likeness between two texts is that of their sentence vectors and, with less weight, of their
spelling, which survives a recogniser's errors. An intent's score is the mean of the likeness to
its centre and to its nearest phrase, plus half the prediction of a kernel ridge regression over
all phrases. `nlu.rejection` turns scores into chances, and tells what belongs to no intent.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from nlu.colloquial import plainly
from nlu.encoder import SentenceEncoder
from nlu.errors import AttuneError
from nlu.likeness import IntentScores, Matrix
from nlu.rejection import Rejection
from nlu.types import OTHER_INTENT, Intent, IntentScore, Language

_MOST_ALTERNATIVES = 4
_MOST_CLAUSES = 12
_MOST_LIKELY_LEFT = 0.6
_SURE = 0.7
# Under this chance of its likeliest intent a whole utterance wanders: its surest clause decides.
_WANDERING = 0.4
# Over this chance an intent is taken even where rejection is set higher.
_MOST_OF_IT = 0.6
_THING = "item"
"""What every thing of the trade is read as: a caller wants the same of a rug as of a lamp."""
_TAKEN_BACK = re.compile(
    r"\b(?:no,? sorry,? i mea?nt?|(?:oh )?sorry,? i mea?nt?|no,? i mea?nt?|i mea?nt?(?: to say)?|"
    r"(?:oh )?no,? wait|wait,? no|actually,? (?:no|don't|do not)|no,? actually|scratch that|"
    r"correction|or rather|on second thoughts?)\b[\s,.:;]*",
    re.IGNORECASE,
)
_CLAUSE_END = re.compile(
    r"[.!?;]+(?=\s|$)|,\s+(?=(?:and|but|also|so|plus|then)\b)"
    r"|\b(?:and then|and also|and|also|but|plus|another thing|one more thing|by the way|anyway)\b",
    re.IGNORECASE,
)


class IntentClassifier:
    """Says what a caller wants, from the example phrases of `language`.

    Raises `AttuneError` if the language has no intent with an example phrase.
    """

    def __init__(self, language: Language, encoder: SentenceEncoder) -> None:
        self._things = pattern_of(language.things)
        pairs = [
            (phrase, name)
            for name, phrases in language.intents.items()
            for phrase in dict.fromkeys(map(self._plain, phrases))
            if phrase.strip()
        ]
        if not pairs:
            raise AttuneError(
                "intents: no intent has an example phrase; give each intent about ten examples."
            )
        phrases = [phrase for phrase, _ in pairs]
        self._encoder = encoder
        self._names = tuple(dict.fromkeys(name for _, name in pairs))
        numbers = [self._names.index(name) for _, name in pairs]
        self._scores = IntentScores(phrases, numbers, encoder)
        self._rejection = Rejection(self._scores, encoder)

    def classify(self, text: str) -> Intent:
        """What is wanted; `OTHER_INTENT` when nothing in the pack fits well enough.

        Scores are probabilities: that of `OTHER_INTENT` is the chance that no intent fits.
        """
        text = self._plain(text)
        instead = meant_instead(text)
        if instead is not None:
            meant = self._classify(instead)
            if meant.name != OTHER_INTENT:
                return meant
        return self._classify(text)

    def _classify(self, text: str) -> Intent:
        clauses = split_clauses(text)
        if not clauses:
            return Intent(OTHER_INTENT, 1.0)
        vectors = self._encoder.encode([text, *clauses])
        whole = self._probabilities(text, vectors[0])
        parts = [
            self._probabilities(clause, vector)
            for clause, vector in zip(clauses, vectors[1:], strict=True)
        ]
        best = whole
        if len(parts) > 1:
            surest = max(parts, key=lambda part: float(part.max()))
            if whole.max() < _WANDERING and surest.max() >= _SURE:
                best = surest
        chosen = int(best.argmax())
        known = float(best.sum())
        accepted = known >= self._rejection.threshold or best[chosen] > _MOST_OF_IT
        order = np.argsort(-best, kind="stable")
        ranked = [IntentScore(self._names[at], round(float(best[at]), 4)) for at in order]
        also = self._also(parts, chosen) if accepted else ()
        if accepted:
            return Intent(
                ranked[0].name, ranked[0].score, tuple(ranked[1 : _MOST_ALTERNATIVES + 1]), also
            )
        return Intent(OTHER_INTENT, round(1.0 - known, 4), tuple(ranked[:_MOST_ALTERNATIVES]), also)

    def _plain(self, text: str) -> str:
        """The text in plain words, with every thing of the trade under one name."""
        text = plainly(text)
        return text if self._things is None else self._things.sub(_THING, text)

    def _also(self, parts: Sequence[Matrix], chosen: int) -> tuple[IntentScore, ...]:
        found: dict[str, float] = {}
        for part in parts if len(parts) > 1 else ():
            top = int(part.argmax())
            if top != chosen and part[top] >= _SURE:
                name = self._names[top]
                found[name] = max(found.get(name, 0.0), round(float(part[top]), 4))
        return tuple(IntentScore(name, score) for name, score in found.items())

    def _probabilities(self, text: str, vector: npt.NDArray[np.float32]) -> Matrix:
        """The chance of each intent; what is missing to 1 is the chance of something else."""
        return self._rejection.chances(self._scores.of(text, vector), text, vector)


def without(intent: Intent, name: str) -> Intent:
    """`intent` as if nothing were called `name`: the next that is likely, or something else."""
    alternatives = tuple(one for one in intent.alternatives if one.name != name)
    also = tuple(one for one in intent.also if one.name != name)
    if intent.name != name:
        return Intent(intent.name, intent.score, alternatives, also)
    if also:
        return Intent(also[0].name, also[0].score, alternatives, also[1:])
    left = 1.0 - intent.score
    if alternatives and alternatives[0].score >= _MOST_LIKELY_LEFT * left:
        first = alternatives[0]
        return Intent(first.name, round(first.score / left, 4), alternatives[1:], also)
    return Intent(OTHER_INTENT, round(left, 4), alternatives, also)


def meant_instead(text: str) -> str | None:
    """What follows the last "no, sorry, I mean ..." of a text; None without one."""
    ends = [found.end() for found in _TAKEN_BACK.finditer(text[:4_000]) if found.start() > 0]
    instead = text[ends[-1] :].strip() if ends else ""
    return instead if len(instead.split()) > 1 else None


def pattern_of(things: Sequence[str]) -> re.Pattern[str] | None:
    """A pattern for things of a trade, one or many, as whole words."""
    names = {form for thing in things if thing.strip() for form in _one_and_many(thing)}
    if not names:
        return None
    longest_first = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.compile(rf"\b(?:(?:{longest_first}) ?)+\b", re.IGNORECASE)


def _one_and_many(thing: str) -> tuple[str, str]:
    name = thing.strip().lower()
    if name.endswith("s") and not name.endswith("ss"):
        return name, name
    return name, name + ("es" if name.endswith(("s", "x", "sh", "ch")) else "s")


def split_clauses(text: str) -> list[str]:
    """The clauses of an utterance that may each hold a wish: at most twelve, two words or more."""
    shortened = text[:4_000]
    ends = [0, *(at for match in _CLAUSE_END.finditer(shortened) for at in match.span())]
    pieces = [shortened[start:end].strip(" ,") for start, end in pairwise([*ends, len(shortened)])]
    clauses = [piece for piece in pieces[::2] if len(piece.split()) > 1]
    if not clauses and any(letter.isalpha() for letter in shortened):
        return [shortened.strip()]
    return clauses[:_MOST_CLAUSES]
