"""Thresholds, temperature and blend of the text model, and what it reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlu.emotion.labels import EKMAN, GOEMOTIONS, SENTIMENT, heads
from nlu.emotion.phrase_bank import EMOTIONS, PhraseBank, closeness
from nlu.emotion.text import TextModel
from nlu.emotion.words_model import LABELS, WordsModel
from nlu.emotion.words_trust import SIGNALS
from nlu.encoder import Encoder
from nlu.probabilities import logistic, softmax
from nlu.training import service, text_trust
from nlu.training import texts as corpora

Matrix = npt.NDArray[np.float64]

SETS = {
    "28 labels": slice(0, LABELS),
    "Ekman": slice(LABELS, LABELS + len(EKMAN)),
    "4 groups": slice(LABELS + len(EKMAN), LABELS + len(EKMAN) + len(SENTIMENT)),
    "7 service": slice(LABELS + len(EKMAN) + len(SENTIMENT), len(heads())),
}
CONDITIONS = ("as written", "speech-like", "15 % word errors")


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A split of GoEmotions under the three conditions."""

    texts: dict[str, list[str]]
    targets: npt.NDArray[np.bool_]
    emotion: npt.NDArray[np.int64]
    """The one service emotion, -1 where the labels name several."""


def split(data: Path, name: str, seed: int) -> Split:
    """A split of GoEmotions as written, speech-like and with 15 % word errors."""
    rows = corpora.goemotions(data, name)
    train_texts = [row.text for row in corpora.goemotions(data, "train")]
    errors = corpora.WordErrors(train_texts, seed + 100)
    written = [row.text for row in rows]
    targets = np.zeros((len(rows), len(heads())), bool)
    for target, row in zip(targets, rows, strict=True):
        named = {GOEMOTIONS[label] for label in row.labels}
        target[:] = [bool(named.intersection(head)) for head in heads()]
    last = targets[:, SETS["7 service"]]
    emotion = np.where(last.sum(1) == 1, last.argmax(1), -1)
    return Split(
        {
            CONDITIONS[0]: written,
            CONDITIONS[1]: [corpora.speech_like(text) for text in written],
            CONDITIONS[2]: errors.all(written, 0.15),
        },
        targets,
        emotion,
    )


def finish(
    weights: dict[str, npt.NDArray[np.generic]], data: Path, seed: int
) -> tuple[dict[str, npt.NDArray[np.generic]], dict[str, Any]]:
    """What is fitted on dev (thresholds, temperatures, blend), and the metrics on test."""
    encoder = Encoder.load()
    unfitted = {
        "thresholds": np.zeros(len(heads()), np.float32),
        "temperatures": np.asarray([1, 0], np.float32),
        "blend": np.ones(2 + len(EMOTIONS), np.float32),
        "trust": np.zeros(len(SIGNALS) + 1, np.float32),
        "desk_direction": text_trust.desk_direction(data, encoder, seed).astype(np.float32),
    }
    model = WordsModel({**weights, **unfitted})
    dev = split(data, "dev", seed)
    logits = {name: label_logits(model, texts) for name, texts in dev.texts.items()}
    everything = np.vstack(list(logits.values()))
    wanted = np.vstack([dev.targets] * len(logits))
    thresholds = np.asarray(
        [best_threshold(everything[:, at], wanted[:, at]) for at in range(wanted.shape[1])]
    )
    fitted: dict[str, npt.NDArray[np.generic]] = {
        **unfitted,
        "thresholds": thresholds.astype(np.float32),
        "temperatures": _label_calibration(everything, wanted).astype(np.float32),
        "blend": _fit_blend(model, encoder, data, dev, seed).astype(np.float32),
    }
    reader = TextModel(WordsModel({**weights, **fitted}), PhraseBank({}, encoder), encoder)
    fitted["trust"] = text_trust.trust(_to_trust(reader, dev, seed)).astype(np.float32)
    return fitted, measure(WordsModel({**weights, **fitted}), encoder, data, seed)


def label_logits(model: WordsModel, texts: Sequence[str]) -> Matrix:
    """Logits of every head: [texts, heads]; groups are joined with what their labels say."""
    return np.stack([joined(model(text).labels.astype(float)) for text in texts])


def joined(labels: Matrix) -> Matrix:
    """Logits of groups: the mean of their own output and of the chance that any label holds."""
    chances = 1 / (1 + np.exp(-labels[:LABELS]))
    result = labels.copy()
    number = {name: at for at, name in enumerate(GOEMOTIONS)}
    for at, head in enumerate(heads()):
        if len(head) > 1:
            none = np.prod([1 - chances[number[name]] for name in head])
            either = np.clip(1 - none, 1e-6, 1 - 1e-6)
            result[at] = (labels[at] + np.log(either / (1 - either))) / 2
    return result


def measure(model: WordsModel, encoder: Encoder, data: Path, seed: int) -> dict[str, Any]:
    """Macro-F1 on the test split under each condition, calibration, and the service sentences."""
    test = split(data, "test", seed)
    found: dict[str, Any] = {"n": len(test.targets), "macro_f1": {}}
    for condition, texts in test.texts.items():
        logits = label_logits(model, texts)
        said = logits >= model.thresholds
        found["macro_f1"][condition] = {
            name: round(macro_f1(said[:, part], test.targets[:, part]), 4)
            for name, part in SETS.items()
        }
        if condition == CONDITIONS[0]:
            found["interval_28_labels"] = _interval(said[:, :LABELS], test.targets[:, :LABELS])
        if condition == CONDITIONS[2]:
            temperature, shift = model.temperatures.astype(float)
            chances = logistic(logits[:, :LABELS] / temperature + shift)
            found["ece_28_labels_word_errors"] = round(
                label_ece(chances, test.targets[:, :LABELS]), 4
            )
    reader = TextModel(model, PhraseBank({}, encoder), encoder)
    sure = test.emotion >= 0
    texts = [text for text, keep in zip(test.texts[CONDITIONS[2]], sure, strict=True) if keep]
    signals, right = judged(reader, texts, test.emotion[sure])
    found["seven_emotions_word_errors"] = {
        "accuracy": round(float(right.mean()), 4),
        "ece": round(calibration_gap(model.trust.confidence(signals), right), 4),
        "n": len(right),
    }
    return found


def judged(
    reader: TextModel, texts: Sequence[str], goal: npt.NDArray[np.int64]
) -> tuple[Matrix, npt.NDArray[np.bool_]]:
    """The signals of doubt for each text [texts, signals], and whether its reading is right."""
    readings = [reader.read(text) for text in texts]
    said = np.asarray([reading.chances.argmax() for reading in readings])
    return np.stack([reading.signals for reading in readings]), said == goal


def _to_trust(reader: TextModel, dev: Split, seed: int) -> text_trust.Parts:
    """What the confidence is fitted on: the calibration sentences, and the texts of dev that the
    blend was not fitted on, each as written and with word errors."""
    desk = service.calibration()
    errors = corpora.WordErrors([text for text, _ in desk] * 2, seed + 400)
    noisy = [(errors(text, 0.15), number) for text, number in desk for _ in range(5)]
    rest = np.flatnonzero(dev.emotion >= 0)[1::2]
    parts = [(desk, 0.3), (noisy, 0.3)]
    for condition, share in ((CONDITIONS[2], 0.25), (CONDITIONS[0], 0.15)):
        rows = [(dev.texts[condition][at], int(dev.emotion[at])) for at in rest]
        parts.append((rows, share))
    return [
        (*judged(reader, [text for text, _ in rows], np.asarray([n for _, n in rows])), share)
        for rows, share in parts
    ]


def evidence(
    model: WordsModel, bank: PhraseBank, encoder: Encoder, texts: Sequence[str]
) -> tuple[Matrix, Matrix, Matrix]:
    """Desk logits, phrase bank scores, and what almost literal phrases add: all [texts, 7]."""
    desk = np.stack([model(text).desk.astype(float) for text in texts])
    scored = [bank.score(vector) for vector in encoder.encode(texts)]
    close = closeness(np.stack([nearest for _, nearest in scored]))
    return desk, np.stack([scores for scores, _ in scored]), close


def _fit_blend(model: WordsModel, encoder: Encoder, data: Path, dev: Split, seed: int) -> Matrix:
    """Weights of networks and bank and a bias an emotion, on three parts: sentences of held-out
    parts, the development sentences, and (half the weight) GoEmotions dev with word errors."""
    rows = service.sentences(seed, held_out=True, each=150)
    rows += service.plain_requests(data, "test", seed, 300)
    written = service.development()
    errors = corpora.WordErrors([text for text, _ in rows] * 3, seed + 200)
    rows += [(errors(text, 0.15), number) for text, number in rows]
    written += [(errors(text, 0.15), number) for text, number in written for _ in range(2)]
    sure = np.flatnonzero(dev.emotion >= 0)[::2]
    reddit = [(dev.texts[CONDITIONS[2]][at], int(dev.emotion[at])) for at in sure]
    parts = (rows, written, reddit)
    texts = [text for part in parts for text, _ in part]
    goal = np.asarray([number for part in parts for _, number in part])
    shares = (0.12, 0.38, 0.5)
    weight = np.concatenate(
        [np.full(len(part), share / len(part)) for part, share in zip(parts, shares, strict=True)]
    )
    desk, scores, close = evidence(model, PhraseBank({}, encoder), encoder, texts)
    return fit_weights(desk, scores, close, goal, weight)


def fit_weights(
    desk: Matrix, scores: Matrix, close: Matrix, goal: npt.NDArray[np.intp], weight: Matrix
) -> Matrix:
    """Weights that make the blend's chances most likely: [network, bank, 7 biases]."""
    from scipy.optimize import minimize

    hit = np.arange(len(goal)), goal

    def loss(found: Matrix) -> tuple[float, Matrix]:
        chances = softmax(found[0] * desk + found[1] * scores + found[2:] + close)
        value = -(weight * np.log(chances[hit] + 1e-12)).sum() + 1e-3 * (found[2:] ** 2).sum()
        chances[hit] -= 1
        slope = weight[:, None] * chances
        gradient = np.concatenate(
            ([(slope * desk).sum(), (slope * scores).sum()], slope.sum(0) + 2e-3 * found[2:])
        )
        return float(value), gradient

    start = np.concatenate(([1.0, 1.0], np.zeros(len(EMOTIONS))))
    bounds = [(0.05, 3.0), (0.0, 8.0)] + [(-1.5, 1.5)] * len(EMOTIONS)
    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x)


def best_threshold(logits: Matrix, wanted: npt.NDArray[np.bool_], width: float = 0.3) -> float:
    """The logit at which F1 is highest, F1 being averaged over neighbours within about `width`
    logits, so that a rare label's threshold does not hang on one text."""
    grid = np.linspace(logits.max(), logits.min(), 400)
    ordered = np.sort(-logits)
    count = np.searchsorted(ordered, -grid, side="right")
    hits = np.concatenate(([0], np.cumsum(wanted[np.argsort(-logits, kind="stable")])))[count]
    f1 = 2 * hits / (count + max(1, wanted.sum()))
    near = np.exp(-0.5 * ((grid[:, None] - grid) / width) ** 2)
    return float(grid[int(np.argmax(near @ f1 / near.sum(1)))])


def macro_f1(said: npt.NDArray[np.bool_], wanted: npt.NDArray[np.bool_]) -> float:
    """Mean over labels of F1."""
    hits = (said & wanted).sum(0)
    return float(np.mean(2 * hits / np.maximum(1, said.sum(0) + wanted.sum(0))))


def _interval(
    said: npt.NDArray[np.bool_], wanted: npt.NDArray[np.bool_], times: int = 300
) -> list[float]:
    """The middle 95 % of macro-F1 over resampled texts."""
    chance = np.random.default_rng(0)
    picks = (chance.integers(0, len(said), len(said)) for _ in range(times))
    values = [macro_f1(said[pick], wanted[pick]) for pick in picks]
    return [round(float(value), 4) for value in np.quantile(values, (0.025, 0.975))]


def label_ece(chances: Matrix, wanted: npt.NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error of the most probable label being among the text's labels."""
    top = chances.argmax(1)
    rows = np.arange(len(top))
    return calibration_gap(chances[rows, top], wanted[rows, top], bins)


def calibration_gap(sure: Matrix, right: npt.NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error (Naeini et al. 2015) of confidences [n] and whether each was
    right, equal-width bins."""
    at = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = [
        (at == one).mean() * abs(sure[at == one].mean() - right[at == one].mean())
        for one in np.unique(at)
    ]
    return float(sum(gaps))


def gap_by_chance(sure: Matrix, times: int = 200) -> float:
    """The calibration error that honest confidences [n] would show on average: few texts in a bin
    are right more or less often than they should be by chance alone."""
    chance = np.random.default_rng(0)
    drawn = (chance.uniform(size=len(sure)) < sure for _ in range(times))
    return float(np.mean([calibration_gap(sure, right) for right in drawn]))


def _label_calibration(logits: Matrix, wanted: npt.NDArray[np.bool_]) -> Matrix:
    """Temperature and shift that make the chance of the most probable label honest (Platt 1999):
    chance = logistic(logit / temperature + shift)."""
    top = logits[:, :LABELS].argmax(1)
    rows = np.arange(len(top))
    scale, shift = text_trust.logistic(
        [(logits[rows, top][:, None], wanted[rows, top], 1.0)], np.ones(1), 0.0
    )
    return np.asarray([1 / scale, shift])
