"""Fit and measure the fusion of voice and words.

    python benchmarks/fusion.py --data DIR [--fit] [--seed 0] [--cache FILE]

There is no corpus here in which the same person's voice and words were judged together, so pairs
are made: a recording (of RAVDESS and nEMO, for neutral of LibriSpeech's readers as well, each as
often; judged by models of the shipped mixture that were trained on other speakers, in five folds)
and a GoEmotions text (judged by the shipped text model) of the same label. Pairs to fit take the
speakers of folds 0-2 and the texts of the dev set; pairs to measure take the speakers of folds 3-4
and the texts of the test set. Recordings are clean, on the telephone, and in noise at 20 and
10 dB; texts are speech-like with 0-30 % word errors, of which the recogniser's confidence tells
half. Pairs with different labels measure how often a conflict is noticed.

What cannot be concluded: voice and words of a pair are independent given the label, while a
caller's own are not (they agree more, and fail together in the same hard turns), so the gain on
real calls may be smaller; the voices are acted or read; sarcasm and restraint do not occur at all,
so what a conflict means is policy (docs/understanding.md) and not fitted; voiced seconds vary too
little to fit their weight, which is set by hand; `confused` has no voice of its own, so its texts
are paired with neutral and surprised ones. On voices unlike these corpora the voice is worth less
than these weights say, and only its abstention protects from that.

`--fit` writes `nlu/weights/fusion.json`. Needs the training extra for the held-out voices.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from nlu.emotion.fusion import EMOTIONS, pool_of, shipped_pool
from nlu.emotion.labels import GOEMOTIONS, SERVICE
from nlu.types import Emotion, Grant

Row = npt.NDArray[np.float64]
OUT = Path(__file__).parents[1] / "nlu" / "weights" / "fusion.json"
CONDITIONS = ("clean", "telephone", "noise_20_db", "noise_10_db")
SHARES = {
    Emotion.NEUTRAL: 0.5,
    Emotion.ANGRY: 0.16,
    Emotion.HAPPY: 0.12,
    Emotion.SAD: 0.08,
    Emotion.ANXIOUS: 0.09,
    Emotion.SURPRISED: 0.05,
}
"""How often each label is taken to occur at a service desk: an assumption, not a count."""

CONFUSED = 0.05
CONFUSED_VOICE = {Emotion.NEUTRAL: 0.7, Emotion.SURPRISED: 0.3}
"""No corpus here has a confused voice: it is taken to sound neutral or surprised."""

VOICED_WEIGHT = 1.0
RIDGE = 0.02
FALSE_CONFLICTS = 0.03


@dataclass(frozen=True)
class Judged:
    """One source's estimates: probabilities [n, 7], confidence [n], label [n], two signals [n],
    what is held out together [n], corpus [n]."""

    chances: Row
    confidence: Row
    label: npt.NDArray[np.intp]
    signals: Row
    group: npt.NDArray[np.intp]
    corpus: npt.NDArray[np.str_]

    def where(self, chosen: npt.NDArray[np.bool_]) -> Judged:
        """The rows marked in `chosen`."""
        return Judged(
            self.chances[chosen],
            self.confidence[chosen],
            self.label[chosen],
            self.signals[chosen],
            self.group[chosen],
            self.corpus[chosen],
        )


@dataclass(frozen=True)
class Pairs:
    """A voice and a text for each row, and the label both were chosen for."""

    voice: Judged
    words: Judged
    of_voice: npt.NDArray[np.intp]
    of_words: npt.NDArray[np.intp]
    label: npt.NDArray[np.intp]

    @property
    def signals(self) -> Row:
        """The four reliability signals of each pair."""
        return np.hstack([self.voice.signals[self.of_voice], self.words.signals[self.of_words]])

    @property
    def chances(self) -> tuple[Row, Row]:
        """Probabilities of voice and words of each pair."""
        return self.voice.chances[self.of_voice], self.words.chances[self.of_words]


FIELDS = ("chances", "confidence", "label", "signals", "group", "corpus")


def judge_voices(data: Path, cache: Path | None) -> Judged:
    """Every clip in every condition, by models of the shipped mixture that never heard its
    speaker. `group` is the fold of the speaker."""
    if cache is not None and cache.exists():
        held = np.load(cache)
        return Judged(*(held[name] for name in FIELDS))
    from nlu.training import acoustic
    from nlu.training import acoustic_measures as measures
    from nlu.training.acoustic_examples import sounds_that_are_no_speech

    seed, settings = acoustic.SHIPPED_SEED, acoustic.AcousticSettings()
    tables = acoustic.read_tables(data, seed, settings)
    others = sounds_that_are_no_speech(data, "train", settings.other_sounds, seed)
    heard = acoustic.cross_validate(tables, others, seed, settings)
    temperature = measures.fit_temperature(heard["train"], measures.SERVICE)
    trust = measures.fit_trust(heard["train"], measures.SERVICE, temperature)
    folds = acoustic.speaker_folds(tables, settings.folds)
    parts = []
    for condition in CONDITIONS:
        one = heard[condition]
        six = one.probabilities(measures.SERVICE, temperature)
        chances = np.zeros((len(six), len(EMOTIONS)))
        for column, name in enumerate(measures.SERVICE):
            chances[:, EMOTIONS.index(Emotion(name))] = six[:, column]
        order = [EMOTIONS.index(Emotion(name)) for name in measures.SERVICE]
        snr = np.clip(one.examples.snr_db / 30.0, 0.0, 1.0)
        parts.append(
            Judged(
                chances,
                trust.confidence(one.signals(measures.SERVICE, temperature)),
                np.asarray(order)[one.truth(measures.SERVICE)],
                np.column_stack([snr, np.full(len(snr), 0.6)]),
                np.asarray([folds[str(speaker)] for speaker in one.examples.speaker]),
                one.examples.corpus,
            )
        )
    judged = Judged(*(np.concatenate([getattr(part, name) for part in parts]) for name in FIELDS))
    if cache is not None:
        np.savez(cache, **{name: getattr(judged, name) for name in FIELDS})
    return judged


def judge_texts(data: Path, split: str, seed: int, most: int) -> Judged:
    """Texts of one service label, made speech-like, with word errors."""
    from nlu.emotion.text import TextModel
    from nlu.encoder import Encoder
    from nlu.training.texts import WordErrors, goemotions, speech_like

    rng = np.random.default_rng(seed)
    model = TextModel.load({}, Encoder.load())
    grant = Grant("emotion_words", "benchmark", "unknown", "a public corpus")
    of_label = {name: emotion for emotion, names in SERVICE.items() for name in names}
    texts = goemotions(data, split)
    errors = WordErrors([speech_like(one.text) for one in goemotions(data, "dev")], seed)
    by_label: dict[Emotion, list[str]] = {emotion: [] for emotion in EMOTIONS}
    for one in texts:
        named = {of_label[GOEMOTIONS[number]] for number in one.labels}
        if len(named) == 1:
            by_label[named.pop()].append(one.text)
    rows = []
    for emotion, known in by_label.items():
        for at in rng.permutation(len(known))[:most]:
            rate = float(rng.uniform(0.0, 0.3))
            said = errors(speech_like(known[at]), rate)
            confidence = float(np.clip(1.0 - rate + rng.normal(0.0, 0.1), 0.3, 1.0))
            estimate = model.estimate(said, grant, confidence)
            if estimate.abstained:
                continue
            length = min(1.0, np.log1p(len(said.split())) / np.log(21.0))
            chances = [estimate.probabilities[one] for one in EMOTIONS]
            rows.append(
                (chances, estimate.confidence, EMOTIONS.index(emotion), (confidence, length))
            )
    return Judged(
        np.asarray([row[0] for row in rows]),
        np.asarray([row[1] for row in rows]),
        np.asarray([row[2] for row in rows]),
        np.asarray([row[3] for row in rows]),
        np.arange(len(rows)),
        np.full(len(rows), "goemotions"),
    )


def drawn(voice: Judged, label: int, count: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """`count` recordings with `label`, each corpus that has it as often as the others."""
    spoken = np.flatnonzero(voice.label == label)
    _, kind, sizes = np.unique(voice.corpus[spoken], return_inverse=True, return_counts=True)
    chance = 1.0 / sizes[kind]
    return np.asarray(rng.choice(spoken, count, p=chance / chance.sum()))


def same_label(
    voice: Judged, words: Judged, count: int, rng: np.random.Generator, confused: float = 0.0
) -> Pairs:
    """`count` pairs, with the labels in their `SHARES`, and a share of `confused` on top."""
    of_voice, of_words, labels = [], [], []
    for emotion, share in SHARES.items():
        label = EMOTIONS.index(emotion)
        said = np.flatnonzero(words.label == label)
        size = int(count * share)
        of_voice.append(drawn(voice, label, size, rng))
        of_words.append(rng.choice(said, size))
        labels.append(np.full(size, label))
    if confused:
        said = np.flatnonzero(words.label == EMOTIONS.index(Emotion.CONFUSED))
        size = int(count * confused)
        for emotion, share in CONFUSED_VOICE.items():
            of_voice.append(drawn(voice, EMOTIONS.index(emotion), int(size * share), rng))
            of_words.append(rng.choice(said, int(size * share)))
            labels.append(np.full(int(size * share), EMOTIONS.index(Emotion.CONFUSED)))
    return Pairs(voice, words, *map(np.concatenate, (of_voice, of_words, labels)))


def conflicting(voice: Judged, words: Judged, count: int, rng: np.random.Generator) -> Pairs:
    """Pairs whose labels differ; `label` is that of the words."""
    of_voice, of_words = (
        rng.integers(len(voice.label), size=4 * count),
        rng.integers(len(words.label), size=4 * count),
    )
    apart = voice.label[of_voice] != words.label[of_words]
    of_voice, of_words = of_voice[apart][:count], of_words[apart][:count]
    return Pairs(voice, words, of_voice, of_words, words.label[of_words])


def written(numbers: Row, sure: tuple[float, float], digits: int = 4) -> dict[str, object]:
    """The parameters as they stand in `fusion.json`."""
    voice, words, bias = numbers[:7], numbers[7:14], numbers[14:21]

    def named(values: Row) -> dict[str, float]:
        return {
            emotion.value: round(float(value), digits)
            for emotion, value in zip(EMOTIONS, values, strict=True)
        }

    gates = [round(float(value), digits) for value in numbers[21:26]]
    return {
        "voice": named(voice),
        "words": named(words),
        "bias": named(bias),
        "voice_gate": {"bias": gates[0], "weights": [gates[1], VOICED_WEIGHT]},
        "words_gate": {"bias": gates[2], "weights": [gates[3], gates[4]]},
        "temperature": round(float(numbers[26]), digits),
        "sure_voice": sure[0],
        "sure_words": sure[1],
    }


def start() -> Row:
    begin = np.concatenate([np.full(7, 0.8), np.full(7, 0.9), np.zeros(7)])
    begin[6], begin[20] = 0.0, -1.0
    return np.concatenate([begin, [0.0, 1.0, 0.0, 2.0, 1.0, 1.0]])


def fit(pairs: Pairs) -> Row:
    """The parameters that make the labels of `pairs` most likely, near `start()`."""
    begin = start()
    free = np.ones(len(begin), bool)
    free[[6, 26]] = False
    voice, words = pairs.chances
    signals, rows = pairs.signals, np.arange(len(pairs.label))

    def loss(chosen: Row) -> float:
        numbers = begin.copy()
        numbers[free] = chosen
        pooled = pool_of(written_exactly(numbers)).combine(voice, words, signals)
        likelihood = -np.log(np.maximum(pooled[rows, pairs.label], 1e-9)).mean()
        return float(likelihood + RIDGE * ((chosen - begin[free]) ** 2).mean())

    found = minimize(loss, begin[free], method="L-BFGS-B", options={"maxiter": 200})
    numbers = begin.copy()
    numbers[free] = found.x
    return numbers


def written_exactly(numbers: Row) -> dict[str, object]:
    return written(numbers, (0.6, 0.6), digits=15)


def surety(pairs: Pairs) -> tuple[float, float]:
    """The lowest confidences at which at most `FALSE_CONFLICTS` of agreeing pairs seem to clash."""
    voice, words = pairs.chances
    apart = voice.argmax(1) != words.argmax(1)
    by_voice = pairs.voice.confidence[pairs.of_voice]
    by_words = pairs.words.confidence[pairs.of_words]
    best, kept = (0.9, 0.9), -1.0
    for one in np.arange(0.4, 0.95, 0.05):
        for two in np.arange(0.4, 0.95, 0.05):
            sure = (by_voice >= one) & (by_words >= two)
            share = float(sure.mean())
            if float((sure & apart).mean()) <= FALSE_CONFLICTS and share > kept:
                best, kept = (round(float(one), 2), round(float(two), 2)), share
    return best


def recall(label: npt.NDArray[np.intp], said: npt.NDArray[np.intp]) -> float:
    return float(np.mean([(said[label == one] == one).mean() for one in np.unique(label)]))


def calibration_error(right: npt.NDArray[np.bool_], confidence: Row, bins: int = 15) -> float:
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(
        sum(
            (place == at).mean() * abs(right[place == at].mean() - confidence[place == at].mean())
            for at in np.unique(place)
        )
    )


def gain_interval(
    pairs: Pairs, fused: Row, rng: np.random.Generator, times: int = 1_000
) -> tuple[float, float]:
    """95 % of the gain in UAR over the better single source; voices and texts are drawn anew, so
    that a recording used in many pairs counts once."""
    voice, words = (one.argmax(1) for one in pairs.chances)
    said = fused.argmax(1)
    gains = []
    for _ in range(times):
        of_voice = rng.poisson(1.0, len(pairs.voice.label))[pairs.of_voice]
        of_words = rng.poisson(1.0, len(pairs.words.label))[pairs.of_words]
        rows = np.repeat(np.arange(len(said)), of_voice * of_words)
        label = pairs.label[rows]
        single = max(recall(label, voice[rows]), recall(label, words[rows]))
        gains.append(recall(label, said[rows]) - single)
    low, high = np.percentile(gains, [2.5, 97.5])
    return float(low), float(high)


def report(pairs: Pairs, clash: Pairs, rng: np.random.Generator) -> None:
    pool = shipped_pool()
    voice, words = pairs.chances
    fused = pool.combine(voice, words, pairs.signals)
    four = np.isin(
        pairs.label,
        [EMOTIONS.index(Emotion(name)) for name in ("neutral", "happy", "sad", "angry")],
    )
    print(f"{len(pairs.label)} pairs with the same label, held-out actors and texts (UAR, %)")
    print(f"{'':<22}{'voice':>8}{'words':>8}{'fused':>8}   chance")
    for name, rows, chance in (
        ("six labels", np.ones(len(four), bool), 6),
        ("four labels", four, 4),
    ):
        figures = [
            100 * recall(pairs.label[rows], one[rows].argmax(1)) for one in (voice, words, fused)
        ]
        print(
            f"{name:<22}"
            + "".join(f"{figure:>8.1f}" for figure in figures)
            + f"{100 / chance:>9.1f}"
        )
    snr = pairs.voice.signals[pairs.of_voice, 0] * 30
    asr = pairs.words.signals[pairs.of_words, 0]
    for name, rows in (
        ("below 15 dB", snr < 15),
        ("25 dB or more", snr >= 25),
        ("words unsure (<0.75)", asr < 0.75),
        ("words sure (>0.9)", asr > 0.9),
    ):
        figures = [
            100 * recall(pairs.label[rows], one[rows].argmax(1)) for one in (voice, words, fused)
        ]
        print(f"{name:<22}" + "".join(f"{figure:>8.1f}" for figure in figures))
    for corpus in np.unique(pairs.voice.corpus):
        rows = pairs.voice.corpus[pairs.of_voice] == corpus
        figures = [
            100 * recall(pairs.label[rows], one[rows].argmax(1)) for one in (voice, words, fused)
        ]
        print(f"{corpus:<22}" + "".join(f"{figure:>8.1f}" for figure in figures))
    figures = [100 * float((one.argmax(1) == pairs.label).mean()) for one in (voice, words, fused)]
    print(f"{'accuracy':<22}" + "".join(f"{figure:>8.1f}" for figure in figures))
    single = max(recall(pairs.label, voice.argmax(1)), recall(pairs.label, words.argmax(1)))
    gain = recall(pairs.label, fused.argmax(1)) - single
    low, high = gain_interval(pairs, fused, rng)
    print(
        f"gain over the better single source: {100 * gain:+.1f} points of UAR, "
        f"95 % interval {100 * low:+.1f} to {100 * high:+.1f}"
    )
    even = ((voice + words) / 2).argmax(1)
    print(
        f"a plain mean of both: UAR {100 * recall(pairs.label, even):.1f}, "
        f"accuracy {100 * (even == pairs.label).mean():.1f}"
    )
    right = fused.argmax(1) == pairs.label
    print(
        f"calibration error of the fused confidence: {calibration_error(right, fused.max(1)):.3f}"
    )
    perplexed = same_label(pairs.voice, pairs.words, 600, rng, 1.0)
    rows = perplexed.label == EMOTIONS.index(Emotion.CONFUSED)
    kept = pool.combine(*perplexed.chances, perplexed.signals)[rows].argmax(1)
    alone = perplexed.chances[1][rows].argmax(1)
    figures = [
        100 * float((one == EMOTIONS.index(Emotion.CONFUSED)).mean()) for one in (alone, kept)
    ]
    print(f"confused texts found: words {figures[0]:.1f}, fused {figures[1]:.1f}")
    for name, one in (("same label", pairs), ("different labels", clash)):
        heard, read = one.chances
        sure = (one.voice.confidence[one.of_voice] >= pool.sure_voice) & (
            one.words.confidence[one.of_words] >= pool.sure_words
        )
        apart = heard.argmax(1) != read.argmax(1)
        share = (apart & sure).mean()
        print(
            f"conflict reported, {name}: {100 * share:.1f} % of pairs"
            + (
                f" ({100 * apart[sure].mean():.0f} % of those where both are sure)"
                if sure.any()
                else ""
            )
        )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--fit", action="store_true")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--cache", type=Path, help="where the judged voices are kept between runs")
    chosen = options.parse_args()
    rng = np.random.default_rng(chosen.seed)
    voices = judge_voices(chosen.data, chosen.cache)
    fitted, tested = voices.where(voices.group <= 2), voices.where(voices.group > 2)
    if chosen.fit:
        known = judge_texts(chosen.data, "dev", chosen.seed, 400)
        pairs = same_label(fitted, known, 9_000, rng, CONFUSED)
        numbers = fit(pairs)
        OUT.write_text(json.dumps(written(numbers, surety(pairs)), indent=2) + "\n", "utf-8")
        shipped_pool.cache_clear()
    texts = judge_texts(chosen.data, "test", chosen.seed + 1, 400)
    report(same_label(tested, texts, 12_000, rng), conflicting(tested, texts, 6_000, rng), rng)


if __name__ == "__main__":
    main()
