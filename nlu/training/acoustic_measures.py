"""Figures of an acoustic model on speakers it has not heard, with their uncertainty."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlu.emotion.trust import Trust, doubt_signals
from nlu.probabilities import softmax
from nlu.training.acoustic_examples import Examples, Numbers, together
from nlu.training.corpora import LABELS
from nlu.types import Emotion

Groups = dict[str, tuple[str, ...]]

MILD = -1
EIGHT: Groups = {label: (label,) for label in LABELS}
FOUR: Groups = {
    "neutral": ("neutral", "calm"),
    "happy": ("happy",),
    "sad": ("sad",),
    "angry": ("angry",),
}
FOUR_ONLY: Groups = {label: (label,) for label in FOUR}
FOUR_TRUE = ("neutral", "happy", "sad", "angry")
SERVICE: Groups = {
    "neutral": ("neutral", "calm"),
    "happy": ("happy",),
    "sad": ("sad",),
    "angry": ("angry", "disgust"),
    "anxious": ("fearful",),
    "surprised": ("surprised",),
}
AROUSAL = dict(zip(LABELS, (-0.2, -0.4, 0.5, -0.4, 0.8, 0.6, 0.3, 0.7), strict=True))
VALENCE = dict(zip(LABELS, (0.0, 0.2, 0.8, -0.7, -0.7, -0.7, -0.6, 0.3), strict=True))
"""Where each label lies on Russell's circumplex; no corpus here has ratings of its own."""

HIGH_AROUSAL = ("happy", "angry", "fearful", "surprised")
LOW_AROUSAL = ("neutral", "calm", "sad")


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What a model said of rows it was not trained on. `scores` [n, members, 8], `mild` last;
    `lift` [n]: what is added to the log odds of neutral when a caller is judged (`SERVICE`)."""

    scores: Numbers
    oddness: Numbers
    examples: Examples
    lift: Numbers

    def where(self, chosen: npt.NDArray[np.bool_]) -> Heard:
        """The rows marked in `chosen`."""
        return Heard(
            self.scores[chosen],
            self.oddness[chosen],
            self.examples.where(chosen),
            self.lift[chosen],
        )

    def of(self, labels: tuple[str, ...]) -> Heard:
        """The rows whose true label is among `labels`."""
        return self.where(np.isin(self.examples.label, [LABELS.index(name) for name in labels]))

    def probabilities(self, groups: Groups, temperature: float = 1.0) -> Numbers:
        """Of the blend, for `FOUR` of the mild member, folded to `groups`: [n, groups]. For
        `SERVICE` neutral is lifted to its share of callers."""
        said = self.scores[:, MILD] if groups is FOUR else self.scores[:, :MILD].mean(1)
        return self._lifted(fold(softmax(said / temperature), groups), groups)

    def truth(self, groups: Groups) -> npt.NDArray[np.intp]:
        """The group of each row's label."""
        place = {label: at for at, labels in enumerate(groups.values()) for label in labels}
        return np.asarray([place[LABELS[label]] for label in self.examples.label])

    def arousal(self, temperature: float = 1.0) -> Numbers:
        """Expected arousal under the probabilities of the mild member."""
        return np.asarray(softmax(self.scores[:, MILD] / temperature) @ list(AROUSAL.values()))

    def signals(self, groups: Groups, temperature: float) -> Numbers:
        """The signals of doubt of each row, for `groups`."""
        expected = [np.mean([AROUSAL[label] for label in labels]) for labels in groups.values()]
        members = self.scores if groups is FOUR else self.scores[:, :MILD]
        apart = softmax(members / temperature)
        return doubt_signals(
            self.probabilities(groups, temperature),
            np.stack(
                [self._lifted(fold(apart[:, at], groups), groups) for at in range(apart.shape[1])],
                1,
            ),
            self.arousal(temperature),
            np.asarray(expected),
            self.examples.snr_db,
        )

    def _lifted(self, probabilities: Numbers, groups: Groups) -> Numbers:
        if groups is not SERVICE:
            return probabilities
        lifted = probabilities.copy()
        lifted[:, 0] *= np.exp(self.lift)
        return np.asarray(lifted / lifted.sum(1, keepdims=True))


def gather(parts: list[Heard]) -> Heard:
    """Answers of several models as one table."""
    return Heard(
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.oddness for part in parts]),
        together([part.examples for part in parts]),
        np.concatenate([part.lift for part in parts]),
    )


def arousal_first(probabilities: Numbers) -> Numbers:
    """[n, 8] to [n, 4] (`FOUR_TRUE`) in two steps: agitated or calm by the sum over all labels,
    then which of the two labels of that kind. On a corpus never heard, an angry clip may be taken
    for a fearful one, and what it is not taken for is a calm one."""
    column = {label: probabilities[:, at] for at, label in enumerate(LABELS)}
    agitated = sum(column[label] for label in HIGH_AROUSAL) + 0.5 * column["disgust"]
    neutral, sad = column["neutral"] + column["calm"], column["sad"]
    happy, angry = column["happy"], column["angry"]
    calm_share = (1 - agitated) / (neutral + sad)
    agitated_share = agitated / (happy + angry)
    return np.column_stack(
        [calm_share * neutral, agitated_share * happy, calm_share * sad, agitated_share * angry]
    )


def fold(probabilities: Numbers, groups: Groups) -> Numbers:
    """[n, 8] to [n, groups], summing to 1 over them; for `FOUR`, arousal first."""
    if groups is FOUR:
        return arousal_first(probabilities)
    columns = [[LABELS.index(label) for label in labels] for labels in groups.values()]
    sums = np.stack([probabilities[:, chosen].sum(1) for chosen in columns], 1)
    return np.asarray(sums / sums.sum(1, keepdims=True))


def recall(truth: npt.NDArray[np.intp], said: npt.NDArray[np.intp]) -> float:
    """Unweighted average recall over the labels that occur, in percent."""
    return 100 * float(np.mean([(said[truth == label] == label).mean() for label in set(truth)]))


def area(truth: npt.NDArray[np.bool_], score: Numbers) -> float:
    """Area under the receiver operating characteristic."""
    from scipy.stats import rankdata

    ranks = rankdata(score)
    positives = int(truth.sum())
    above = ranks[truth].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(truth) - positives)))


def calibration_error(right: npt.NDArray[np.bool_], confidence: Numbers, bins: int = 15) -> float:
    """Expected calibration error over equally filled bins (Nguyen and O'Connor 2015)."""
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [abs(right[part].mean() - confidence[part].mean()) * len(part) for part in parts]
    return float(sum(gaps) / len(order))


def interval(
    measure: Callable[[Heard], float], heard: Heard, times: int = 300
) -> tuple[float, float]:
    """95 % interval of `measure`, by drawing speakers with replacement."""
    chance = np.random.default_rng(0)
    speakers = np.unique(heard.examples.speaker)
    rows = {name: np.flatnonzero(heard.examples.speaker == name) for name in speakers}
    values = []
    for _ in range(times):
        drawn = chance.choice(speakers, len(speakers))
        values.append(measure(_take(heard, np.concatenate([rows[name] for name in drawn]))))
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def _take(heard: Heard, rows: npt.NDArray[np.intp]) -> Heard:
    return heard.where(rows)  # type: ignore[arg-type]  # whole numbers index as marks do


def eight_recall(heard: Heard) -> float:
    """UAR over the labels of the corpora."""
    return recall(heard.truth(EIGHT), heard.probabilities(EIGHT).argmax(1))


def four_recall(heard: Heard) -> float:
    """UAR over neutral, happy, sad and angry clips (calm ones are left out)."""
    four = heard.of(FOUR_TRUE)
    return recall(four.truth(FOUR_ONLY), four.probabilities(FOUR_ONLY).argmax(1))


def four_recall_arousal_first(heard: Heard) -> float:
    """The same, by the mild member and arousal first."""
    four = heard.of(FOUR_TRUE)
    return recall(four.truth(FOUR), four.probabilities(FOUR).argmax(1))


def four_recall_lifted(heard: Heard, temperature: float) -> float:
    """UAR over the same clips of the four labels as a caller is judged, neutral lifted."""
    four = heard.of(FOUR_TRUE)
    said = four.probabilities(SERVICE, temperature)[:, : len(FOUR_TRUE)]
    return recall(four.truth(SERVICE), said.argmax(1))


def arousal_area(heard: Heard) -> float:
    """AUC of arousal: happy, angry, fearful, surprised against neutral, calm, sad."""
    told = heard.of((*HIGH_AROUSAL, *LOW_AROUSAL))
    high = np.isin(told.examples.label, [LABELS.index(label) for label in HIGH_AROUSAL])
    return area(high, told.arousal())


def surest_half_gain(heard: Heard, trust: Trust, temperature: float) -> tuple[float, float]:
    """Accuracy over four labels, and what keeping the surest half adds to it (percent)."""
    four = heard.of(FOUR_TRUE)
    right = four.probabilities(FOUR, temperature).argmax(1) == four.truth(FOUR)
    confidence = trust.confidence(four.signals(FOUR, temperature))
    surest = np.argsort(-confidence, kind="stable")[: len(right) // 2]
    return 100 * float(right.mean()), 100 * float(right[surest].mean() - right.mean())


def fit_temperature(heard: Heard, groups: Groups) -> float:
    """The temperature of least log loss (Guo et al. 2017)."""
    truth = heard.truth(groups)
    rows = np.arange(len(truth))

    def loss(temperature: float) -> float:
        return -float(np.log(heard.probabilities(groups, temperature)[rows, truth] + 1e-9).mean())

    return float(min(np.geomspace(0.4, 4.0, 47), key=loss))


def fit_trust(heard: Heard, groups: Groups, temperature: float) -> Trust:
    """Weights of the signals of doubt by logistic regression on being right."""
    from sklearn.linear_model import LogisticRegression

    from nlu.emotion.trust import SIGNALS

    signals = heard.signals(groups, temperature)
    right = heard.probabilities(groups, temperature).argmax(1) == heard.truth(groups)
    if right.all() or not right.any():
        share = (right.sum() + 1) / (len(right) + 2)
        return Trust({}, float(np.log(share / (1 - share))))
    centre, spread = signals.mean(0), signals.std(0) + 1e-6
    model = LogisticRegression(C=0.1).fit((signals - centre) / spread, right)
    weights = model.coef_[0] / spread
    return Trust(
        {name: float(weight) for name, weight in zip(SIGNALS, weights, strict=True)},
        float(model.intercept_[0] - weights @ centre),
    )


def service_error(heard: Heard, trust: Trust, temperature: float) -> float:
    """Calibration error of the confidence in the service's label."""
    right = heard.probabilities(SERVICE, temperature).argmax(1) == heard.truth(SERVICE)
    return calibration_error(right, trust.confidence(heard.signals(SERVICE, temperature)))


def expected_arousal() -> list[float]:
    """What each `Emotion` should have for arousal, in its order."""
    means = {
        name: float(np.mean([AROUSAL[label] for label in labels]))
        for name, labels in SERVICE.items()
    }
    return [means.get(emotion.value, 0.0) for emotion in Emotion]
