"""Few-shot intents from a pack's example phrases: nothing is trained, all is solved at load.

Likeness between two texts is that of their sentence vectors and, with less weight, of their
spelling, which survives a recogniser's errors. An intent's score is the mean of the likeness to
its centre and to its nearest phrase, plus half the prediction of a kernel ridge regression over
all phrases. Leave-one-out over the phrases (in closed form for the regression) gives the
temperature. Whether a text is known at all is told by its best score and by how like it is to an
utterance that belongs to no intent; both are weighed by leaving out phrases and strangers in turn.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from nlu.encoder import SentenceEncoder
from nlu.errors import AttuneError
from nlu.probabilities import softmax
from nlu.spelling import SpellingLikeness
from nlu.types import OTHER_INTENT, Intent, IntentScore, Language

Matrix = npt.NDArray[np.float64]

_MEANING = 0.8
_RIDGE = 1.0
_RIDGE_WEIGHT = 0.5
_ACCEPTED_AT_LEAST = 0.92
_THRESHOLDS = (0.4, 0.75)
_STRANGERS = 0.2
_MOST_ALTERNATIVES = 4
_MOST_CLAUSES = 12
_MOST_LIKELY_LEFT = 0.6
_SURE = 0.7
# Under this chance of its likeliest intent a whole utterance wanders: its surest clause decides.
_WANDERING = 0.4
# Over this chance an intent is taken even where rejection is set higher.
_MORE_THAN_HALF = 0.5
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
        self._scores = _Scores(phrases, [self._names.index(name) for _, name in pairs], encoder)
        self._strangers = _Strangers(encoder)
        self._calibration = _calibrate(self._scores, self._strangers)

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
        accepted = known >= self._calibration.threshold or best[chosen] > _MORE_THAN_HALF
        order = np.argsort(-best, kind="stable")
        ranked = [IntentScore(self._names[at], round(float(best[at]), 4)) for at in order]
        also = self._also(parts, chosen) if accepted else ()
        if accepted:
            return Intent(
                ranked[0].name, ranked[0].score, tuple(ranked[1 : _MOST_ALTERNATIVES + 1]), also
            )
        return Intent(OTHER_INTENT, round(1.0 - known, 4), tuple(ranked[:_MOST_ALTERNATIVES]), also)

    def _plain(self, text: str) -> str:
        """The text with every thing of the trade under one name."""
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
        scores = self._scores.of(text, vector)
        known = self._calibration.known(float(scores.max()), self._strangers.likest(text, vector))
        return softmax(scores * self._calibration.sharpness) * known


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


class _Scores:
    """Scores of intents for a text, and their leave-one-out scores for each phrase."""

    def __init__(
        self, phrases: Sequence[str], intents: Sequence[int], encoder: SentenceEncoder
    ) -> None:
        self.intents = np.asarray(intents)
        self.members = [np.flatnonzero(self.intents == at) for at in range(max(intents) + 1)]
        self.phrases = phrases
        self.vectors = encoder.encode(phrases)
        self._spelling = SpellingLikeness(phrases)
        self._likeness = _blend(self.vectors @ self.vectors.T, self._spelling.between_phrases())
        spread = self._likeness + _RIDGE * np.eye(len(phrases))
        self._inverse = np.linalg.inv(spread)
        self._targets = (self.intents[:, None] == np.arange(len(self.members))).astype(float)
        self._ridge = self._inverse @ self._targets
        self._size = np.asarray(
            [np.sqrt(self._likeness[np.ix_(own, own)].mean()) for own in self.members]
        )

    def of(self, text: str, vector: npt.NDArray[np.float32]) -> Matrix:
        """The score of each intent, given the text's sentence vector."""
        likeness = _blend(self.vectors @ vector, self._spelling.to_phrases(text))
        centre = np.asarray([likeness[own].mean() for own in self.members]) / self._size
        nearest = np.asarray([likeness[own].max() for own in self.members])
        return np.asarray((centre + nearest) / 2 + _RIDGE_WEIGHT * (likeness @ self._ridge))

    def left_out(self) -> Matrix:
        """The scores each phrase would get if it were not in the pack: [phrases, intents].

        Minus infinity where an intent has no other phrase.
        """
        rows, own = np.arange(len(self.intents)), self.intents
        counts = self._targets.sum(0)
        sums = self._likeness @ self._targets
        inside = np.asarray([(sums[members, at]).sum() for at, members in enumerate(self.members)])
        itself = np.diag(self._likeness)
        others = np.maximum(counts[own] - 1, 1)
        size = np.sqrt(np.maximum(inside[own] - 2 * sums[rows, own] + itself, 1e-9)) / others
        centre = sums / counts / self._size
        centre[rows, own] = (sums[rows, own] - itself) / others / size
        without = self._likeness - np.diag(np.full(len(rows), np.inf))
        nearest = np.stack([without[:, members].max(1) for members in self.members], axis=1)
        residual = self._ridge / np.diag(self._inverse)[:, None]
        return np.asarray((centre + nearest) / 2 + _RIDGE_WEIGHT * (self._targets - residual))


class _Strangers:
    """Utterances that belong to no intent of any pack."""

    def __init__(self, encoder: SentenceEncoder) -> None:
        path = Path(__file__).parent / "strangers.yaml"
        self.texts = [str(text) for text in yaml.safe_load(path.read_text("utf-8"))]
        self.vectors = encoder.encode(self.texts)
        self._spelling = SpellingLikeness(self.texts)

    def likest(self, text: str, vector: npt.NDArray[np.float32]) -> float:
        """How like the text is to the stranger it is most like."""
        return float(_blend(self.vectors @ vector, self._spelling.to_phrases(text)).max())

    def left_out(self) -> Matrix:
        """How like each stranger is to the likest of the others: [strangers]."""
        among = _blend(self.vectors @ self.vectors.T, self._spelling.between_phrases())
        return np.asarray((among - 2.0 * np.eye(len(among))).max(1))


def _blend(meaning: npt.NDArray[np.float32], spelling: npt.NDArray[np.float32]) -> Matrix:
    return _MEANING * meaning.astype(float) + (1 - _MEANING) * spelling.astype(float)


@dataclass(frozen=True, slots=True)
class _Calibration:
    sharpness: float
    best: float
    strange: float
    offset: float
    threshold: float

    def known(self, best: float, strange: float) -> float:
        """The chance that a text with this best score, and this likeness to the likest stranger,
        belongs to any intent."""
        logit = self.best * best + self.strange * strange + self.offset
        return float(1 / (1 + np.exp(-np.clip(logit, -30, 30))))


def _calibrate(scores: _Scores, strangers: _Strangers) -> _Calibration:
    """Temperature and rejection from the phrases' leave-one-out scores and from strangers."""
    inside = scores.left_out()
    usable = np.isfinite(inside.max(1)) & np.isfinite(
        inside[np.arange(len(inside)), scores.intents]
    )
    if usable.sum() < 8 or len(scores.members) < 2:
        return _Calibration(sharpness=12.0, best=20.0, strange=0.0, offset=-10.0, threshold=0.5)
    likest = np.asarray(
        [strangers.likest(*p) for p in zip(scores.phrases, scores.vectors, strict=True)]
    )
    known = np.stack((inside.max(1), likest), axis=1)[usable]
    inside, intents = inside[usable], scores.intents[usable]
    grid = np.geomspace(3, 60, 40)
    losses = [
        -np.log(softmax(inside * sharp)[np.arange(len(inside)), intents] + 1e-9).mean()
        for sharp in grid
    ]
    sharpness = float(grid[int(np.argmin(losses))])
    foreign = zip(strangers.texts, strangers.vectors, strict=True)
    best = np.asarray([scores.of(*pair).max() for pair in foreign])
    weights, offset = _logistic(known, np.stack((best, strangers.left_out()), axis=1))
    lowest = float(np.quantile(known @ weights + offset, 1 - _ACCEPTED_AT_LEAST))
    reach = float(np.clip(1 / (1 + np.exp(-lowest)), *_THRESHOLDS))
    return _Calibration(sharpness, float(weights[0]), float(weights[1]), offset, reach)


def _logistic(known: Matrix, strange: Matrix) -> tuple[Matrix, float]:
    """Weights and offset of P(known | best score, likeness to a stranger), as if a fifth were
    strangers (Newton steps). The rows are [best score, likeness]."""
    inputs = np.concatenate((known, strange))
    inputs = np.column_stack((inputs, np.ones(len(inputs))))
    wanted = np.concatenate((np.ones(len(known)), np.zeros(len(strange))))
    weight = np.where(wanted == 1, (1 - _STRANGERS) / len(known), _STRANGERS / len(strange)) * 100
    held_back = np.asarray([0.02, 0.02, 1e-6])
    found = np.asarray([8.0, 0.0, -4.0])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ found, -30, 30)))
        gradient = inputs.T @ (weight * (chance - wanted)) + held_back * found
        curvature = (inputs * (weight * chance * (1 - chance))[:, None]).T @ inputs
        curvature += np.diag(held_back)
        found = found - np.clip(np.linalg.solve(curvature, gradient), -4, 4)
    return np.asarray([max(found[0], 1.0), min(found[1], 0.0)]), float(found[2])
