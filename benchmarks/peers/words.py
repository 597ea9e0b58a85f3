"""Valence from words: Attune's text model against VADER and TextBlob, in one run.

    python benchmarks/peers/words.py --data DIR

Sets: GoEmotions test (texts whose labels are all positive, all negative, or neutral; Attune's model
is trained on the train split of it) and MELD test (lines of a television series with a sentiment;
nothing here was trained on it), as written and as a recogniser writes them (no case, no
punctuation). Per set: AUC of positive against negative texts, which needs no threshold; macro-F1 of
negative, neutral and positive with each tool's usual thresholds (VADER and TextBlob 0.05, Attune
0.2), and with thresholds tuned for each on the set's dev split. CPU milliseconds a text; loading is
not counted.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from textblob import TextBlob
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from nlu.emotion.text import TextModel
from nlu.encoder import Encoder
from nlu.training import texts as corpora
from nlu.types import Grant

GRANT = Grant("emotion_words", "benchmark", "none", "corpora for research")
POSITIVE = frozenset(
    "admiration amusement approval caring desire excitement gratitude joy love optimism pride "
    "relief".split()
)
NEGATIVE = frozenset(
    "anger annoyance disappointment disapproval disgust embarrassment fear grief nervousness "
    "remorse sadness".split()
)
SIGN = {"negative": -1, "neutral": 0, "positive": 1}
STEPS = np.linspace(-0.6, 0.6, 61)
Pairs = list[tuple[str, int]]


def goemotions(data: Path, split: str) -> Pairs:
    names = corpora.goemotions_labels(data)
    found: Pairs = []
    for line in (data / "goemotions" / f"{split}.tsv").read_text("utf-8").splitlines():
        text, ids, _ = line.split("\t")
        labels = {names[int(each)] for each in ids.split(",")}
        if labels == {"neutral"}:
            found.append((text, 0))
        elif labels <= POSITIVE:
            found.append((text, 1))
        elif labels <= NEGATIVE:
            found.append((text, -1))
    return found


def meld(data: Path, split: str) -> Pairs:
    with (data / "meld" / f"{split}_sent_emo.csv").open(encoding="utf-8", newline="") as file:
        return [(row["Utterance"], SIGN[row["Sentiment"]]) for row in csv.DictReader(file)]


def tools() -> dict[str, tuple[Callable[[str], float], float]]:
    """Each tool as text to valence, and its usual threshold."""
    vader = SentimentIntensityAnalyzer()
    model = TextModel.load({}, Encoder.load())
    return {
        "Attune": (lambda text: float(model.estimate(text, GRANT).valence), 0.2),
        "VADER": (lambda text: float(vader.polarity_scores(text)["compound"]), 0.05),
        "TextBlob": (lambda text: float(TextBlob(text).sentiment.polarity), 0.05),
    }


def classes(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.where(values >= high, 1, np.where(values <= low, -1, 0))


def macro_f1(goal: np.ndarray, said: np.ndarray) -> float:
    scores = []
    for one in (-1, 0, 1):
        hit = float(((goal == one) & (said == one)).sum())
        scores.append(2 * hit / max(1.0, float((goal == one).sum() + (said == one).sum())))
    return float(np.mean(scores))


def auc(goal: np.ndarray, values: np.ndarray) -> float:
    positive, negative = values[goal == 1], values[goal == -1]
    ranks = np.searchsorted(np.sort(negative), positive, "left")
    ties = np.searchsorted(np.sort(negative), positive, "right") - ranks
    return float((ranks + ties / 2).mean() / len(negative))


def tuned(goal: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    pairs = [(low, high) for low in STEPS for high in STEPS if low < high]
    return max(pairs, key=lambda pair: macro_f1(goal, classes(values, *pair)))


def judged(judge: Callable[[str], float], texts: Pairs) -> tuple[np.ndarray, float]:
    began = time.process_time()
    values = np.asarray([judge(text) for text, _ in texts])
    return values, 1000 * (time.process_time() - began) / len(texts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    for name, read in (("GoEmotions", goemotions), ("MELD", meld)):
        for speech in (False, True):
            sets = {
                split: [(corpora.speech_like(t) if speech else t, s) for t, s in read(data, split)]
                for split in ("dev", "test")
            }
            goal = {split: np.asarray([sign for _, sign in texts]) for split, texts in sets.items()}
            for tool, (judge, usual) in tools().items():
                dev, _ = judged(judge, sets["dev"])
                values, cpu_ms = judged(judge, sets["test"])
                best = tuned(goal["dev"], dev)
                line = {
                    "set": f"{name} test" + (", as speech" if speech else ""),
                    "tool": tool,
                    "n": len(values),
                    "auc": round(auc(goal["test"], values), 3),
                    "macro_f1_usual": round(
                        macro_f1(goal["test"], classes(values, -usual, usual)), 3
                    ),
                    "macro_f1_tuned": round(macro_f1(goal["test"], classes(values, *best)), 3),
                    "cpu_ms": round(cpu_ms, 3),
                }
                print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
