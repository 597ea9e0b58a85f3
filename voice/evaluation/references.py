"""How good the analysis was, where somebody knows the truth: each figure with n and an interval.

Intervals are 95 % percentile bootstraps over calls (turns of a call are not independent), with a
fixed seed: the same results give the same figures.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from nlu.types import Emotion

NORMALISER = "attune-plain-1"
"""Lower case, no accents, no punctuation but apostrophes in words; numbers digit by digit."""
RESAMPLES = 1_000
CALIBRATION_BINS = 10
_DIGITS = "zero one two three four five six seven eight nine".split()
_NOT_AN_INTENT = frozenset({"answer"})

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Felt:
    """A turn or call whose feeling is known: `said` is None where Attune abstained."""

    truth: str
    said: str | None
    confidence: float


@dataclass(frozen=True, slots=True)
class Compared:
    """One call against its references."""

    errors: int
    reference_words: int
    feelings: tuple[Felt, ...]
    intents: tuple[bool, ...]
    outcome: bool | None = None


def normalise(text: str) -> list[str]:
    """Words as they are counted, by `NORMALISER`."""
    plain = unicodedata.normalize("NFKD", text.lower().replace("’", "'"))
    plain = "".join(each for each in plain if not unicodedata.combining(each))
    plain = re.sub(r"\d", lambda digit: f" {_DIGITS[int(digit[0])]} ", plain)
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", plain)


def word_errors(reference: Sequence[str], heard: Sequence[str]) -> int:
    """Substitutions, deletions and insertions (Levenshtein); rows of numpy, linear in memory."""
    if not reference or not heard:
        return max(len(reference), len(heard))
    known: dict[str, int] = {}
    columns = np.asarray([known.setdefault(word, len(known)) for word in heard])
    places = np.arange(len(heard) + 1)
    row = places.copy()
    for word in reference:
        best = np.empty_like(row)
        best[0] = row[0] + 1
        best[1:] = np.minimum(row[1:] + 1, row[:-1] + (columns != known.get(word, -1)))
        # An insertion extends the best place to the left: a running minimum less the distance.
        row = np.minimum.accumulate(best - places) + places
    return int(row[-1])


def compare(summary: Mapping[str, Any]) -> Compared | None:
    """A call's summary against its references; None when it has none."""
    reference = summary["reference"]
    rows = [row for row in summary["rows"] if row["party"] == "caller"]
    turns = reference["turns"]
    text = reference["transcript"] or " ".join(turn["text"] or "" for turn in turns)
    words = normalise(text)
    errors = word_errors(words, normalise(" ".join(row["text"] for row in rows))) if words else 0
    pairs = [(turn, row) for turn in turns if (row := _overlapping(turn, rows)) is not None]
    feelings = [_felt(turn["emotion"], row) for turn, row in pairs if turn["emotion"]]
    if reference["emotion"]:
        mean = summary["mean_emotion"]
        feelings = [
            Felt(reference["emotion"], mean["emotion"], float(mean["confidence"] or 0.0)),
        ]
    intents = [
        row["intent"] == turn["intent"]
        for turn, row in pairs
        if turn["intent"] and turn["intent"] not in _NOT_AN_INTENT
    ]
    if not (words or feelings or intents):
        return None
    return Compared(errors, len(words), tuple(feelings), tuple(intents))


def figures(compared: Sequence[Compared]) -> dict[str, Any]:
    """Every figure that the references allow."""
    found: dict[str, Any] = {}
    spoken = [each for each in compared if each.reference_words]
    if spoken:
        found["word_error_rate"] = _figure(spoken, _wer) | {
            "reference_words": sum(each.reference_words for each in spoken),
            "normaliser": NORMALISER,
        }
    felt = [each for each in compared if each.feelings]
    if felt:
        found["emotion"] = _emotion(felt)
    asked = [each for each in compared if each.intents]
    if asked:
        found["intent_accuracy"] = _figure(asked, _intents) | {
            "turns": sum(len(each.intents) for each in asked)
        }
    return found


def _emotion(calls: Sequence[Compared]) -> dict[str, Any]:
    everything = _feelings(calls)
    answered = [felt for felt in everything if felt.said is not None]
    labels = [each.value for each in Emotion if any(felt.truth == each for felt in everything)]
    columns = [*(each.value for each in Emotion), "abstained"]
    confusion = {
        truth: {
            said: sum(
                1
                for felt in everything
                if felt.truth == truth and (felt.said or columns[-1]) == said
            )
            for said in columns
        }
        for truth in labels
    }
    return {
        "n": len(everything),
        "coverage": round(len(answered) / len(everything), 4),
        "chance": round(1 / len(labels), 4),
        "unweighted_average_recall": _figure(calls, lambda some: _recall(_feelings(some))),
        "macro_f1": _figure(calls, lambda some: _macro_f1(_feelings(some))),
        "note": "an abstention counts as not recognised",
        "confusion": confusion,
        "calibration": _calibration(answered),
        "risk_coverage": _risk_coverage(everything),
    }


def _feelings(calls: Iterable[Compared]) -> list[Felt]:
    return [felt for call in calls for felt in call.feelings]


def _recall(felt: Sequence[Felt]) -> float:
    truths = sorted({each.truth for each in felt})
    recalls = [
        float(np.mean([each.said == truth for each in felt if each.truth == truth]))
        for truth in truths
    ]
    return float(np.mean(recalls)) if recalls else float("nan")


def _macro_f1(felt: Sequence[Felt]) -> float:
    scores = []
    for label in sorted({each.truth for each in felt}):
        hit = sum(1 for each in felt if each.truth == label == each.said)
        total = sum((each.truth == label) + (each.said == label) for each in felt)
        scores.append(2 * hit / total)
    return float(np.mean(scores)) if scores else float("nan")


def _calibration(answered: Sequence[Felt]) -> dict[str, Any]:
    """Expected calibration error: mean distance of confidence and accuracy over equal bins."""
    bins: list[dict[str, Any]] = []
    error = 0.0
    for number in range(CALIBRATION_BINS):
        inside = [
            each
            for each in answered
            if min(CALIBRATION_BINS - 1, int(each.confidence * CALIBRATION_BINS)) == number
        ]
        if not inside:
            continue
        accuracy = float(np.mean([each.said == each.truth for each in inside]))
        confidence = float(np.mean([each.confidence for each in inside]))
        error += len(inside) / len(answered) * abs(accuracy - confidence)
        bins.append(
            {
                "confidence": round(confidence, 4),
                "accuracy": round(accuracy, 4),
                "n": len(inside),
            }
        )
    return {"expected_calibration_error": round(error, 4) if bins else None, "bins": bins}


def _risk_coverage(felt: Sequence[Felt]) -> list[dict[str, float]]:
    """The share of wrong labels when only the surest are answered."""
    ranked = sorted((each for each in felt if each.said is not None), key=lambda e: -e.confidence)
    points: list[dict[str, float]] = []
    for tenth in range(1, 11):
        kept = ranked[: round(len(felt) * tenth / 10)]
        if kept and (not points or len(kept) > points[-1]["n"]):
            wrong = float(np.mean([each.said != each.truth for each in kept]))
            points.append(
                {
                    "coverage": round(len(kept) / len(felt), 4),
                    "risk": round(wrong, 4),
                    "n": len(kept),
                }
            )
    return points


def _wer(calls: Sequence[Compared]) -> float:
    words = sum(call.reference_words for call in calls)
    return sum(call.errors for call in calls) / words


def _intents(calls: Sequence[Compared]) -> float:
    return float(np.mean([hit for call in calls for hit in call.intents]))


def _figure(calls: Sequence[T], measure: Callable[[Sequence[T]], float]) -> dict[str, Any]:
    """A figure over calls with its bootstrap interval; no interval for a single call."""
    result: dict[str, Any] = {"value": round(measure(calls), 4), "calls": len(calls)}
    if len(calls) < 2:
        return result | {"interval_95": None}
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(calls), (RESAMPLES, len(calls)))
    values = [measure([calls[place] for place in draw]) for draw in draws]
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return result | {"interval_95": [round(float(low), 4), round(float(high), 4)]}


def _overlapping(
    turn: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    """The recognised turn that shares the most time with a reference turn, at least half of it."""

    def shared(row: Mapping[str, Any]) -> int:
        return int(min(turn["end_ms"], row["end_ms"]) - max(turn["start_ms"], row["start_ms"]))

    best = max(rows, key=shared, default=None)
    if best is None or 2 * shared(best) < turn["end_ms"] - turn["start_ms"]:
        return None
    return best


def _felt(truth: str, row: Mapping[str, Any]) -> Felt:
    return Felt(truth, row.get("emotion"), float(row.get("emotion_confidence") or 0.0))
