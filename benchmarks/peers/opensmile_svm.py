"""Feeling from the voice: Attune's acoustic model against openSMILE's eGeMAPS with an SVM.

    python benchmarks/peers/opensmile_svm.py --data DIR [--speed]

RAVDESS, eight labels, actors held out, the folds of Luna-Jimenez et al. (2021) for both. Unweighted
average recall (chance 12.5 %) as recorded and on a telephone line. The SVM (standardised features,
RBF kernel, C chosen among 1, 10 and 100 on the training actors) is trained on the clips as
recorded, as usual, and again on these and their telephone versions, as Attune's model is. Attune's
model is trained from scratch on the same clips (the mixture that ships hears more corpora and is
not the same). CPU milliseconds for 3 s of speech on one core, loading not counted: features and
decision. `--speed` measures only that. The whole takes some ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import opensmile
from sklearn.metrics import recall_score
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from nlu.emotion.acoustic import AcousticModel
from nlu.training import acoustic, acoustic_figures
from nlu.training.acoustic_examples import read_table
from nlu.training.clips import Clip
from nlu.training.conditions import telephone
from nlu.training.corpora import read_corpora
from nlu.types import CallerAudio, Grant

RATE_HZ = 16_000
OPERATOR = Grant("emotion_voice", "benchmark", "unknown", "corpora licensed for research")
CONDITIONS = ("clean", "telephone")


def smile() -> opensmile.Smile:
    return opensmile.Smile(
        feature_set=opensmile.FeatureSet.eGeMAPSv02,
        feature_level=opensmile.FeatureLevel.Functionals,
        num_workers=1,
    )


def features(clips: list[Clip]) -> dict[str, np.ndarray]:
    extractor, found = smile(), {condition: [] for condition in CONDITIONS}
    for clip in clips:
        samples = clip.read(RATE_HZ)
        for condition, heard in (("clean", samples), ("telephone", telephone(samples))):
            row = extractor.process_signal(np.asarray(heard, np.float32), RATE_HZ).to_numpy()[0]
            found[condition].append(np.nan_to_num(row))
    return {condition: np.asarray(rows) for condition, rows in found.items()}


def svm_recall(
    found: dict[str, np.ndarray],
    labels: np.ndarray,
    speakers: np.ndarray,
    trained_on: tuple[str, ...],
) -> dict[str, float]:
    said = {condition: np.empty(len(labels), labels.dtype) for condition in CONDITIONS}
    for actors in acoustic.LUNA_JIMENEZ:
        held = np.isin(speakers, [f"ravdess-{actor}" for actor in actors])
        rows = np.concatenate([found[condition][~held] for condition in trained_on])
        goal = np.concatenate([labels[~held]] * len(trained_on))
        groups = np.concatenate([speakers[~held]] * len(trained_on))
        machine = GridSearchCV(
            make_pipeline(StandardScaler(), SVC(class_weight="balanced")),
            {"svc__C": [1, 10, 100]},
            cv=GroupKFold(4),
            scoring="balanced_accuracy",
            n_jobs=2,
        ).fit(rows, goal, groups=groups)
        for condition in CONDITIONS:
            said[condition][held] = machine.predict(found[condition][held])
    return {
        condition: round(100 * recall_score(labels, said[condition], average="macro"), 1)
        for condition in CONDITIONS
    }


def ours(data: Path, clips: list[Clip], seed: int) -> dict[str, dict[str, object]]:
    settings = acoustic.AcousticSettings()
    table = read_table(clips, data, settings.variations, seed, lambda: None)
    others = acoustic.sounds_that_are_no_speech(data, "train", settings.other_sounds, seed)
    heard = acoustic.cross_validate({"ravdess": table}, others, seed, settings)
    figures = acoustic_figures.corpus_figures(heard)
    return {condition: figures[condition]["uar_all_labels"] for condition in CONDITIONS}


def speed(clips: list[Clip]) -> dict[str, float]:
    joined = np.concatenate([clip.read(RATE_HZ) for clip in clips[:60]])
    pieces = [joined[at : at + 3 * RATE_HZ] for at in range(0, len(joined) - 3 * RATE_HZ, RATE_HZ)]
    extractor, model = smile(), AcousticModel.load()
    rng = np.random.default_rng(0)
    machine = make_pipeline(StandardScaler(), SVC()).fit(
        rng.normal(size=(1_100, 88)), rng.integers(0, 8, 1_100)
    )

    def peer(piece: np.ndarray) -> None:
        machine.predict(extractor.process_signal(piece, RATE_HZ).to_numpy())

    def own(piece: np.ndarray) -> None:
        model.estimate(CallerAudio(piece, RATE_HZ), OPERATOR)

    costs = {}
    for name, judge in (("openSMILE and SVM", peer), ("Attune", own)):
        judge(pieces[0])
        spent = []
        for piece in pieces:
            began = time.process_time()
            judge(piece)
            spent.append(1000 * (time.process_time() - began))
        costs[name] = round(float(np.median(spent)), 1)
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speed", action="store_true")
    options = parser.parse_args()
    clips = read_corpora(options.data)["ravdess"]
    print(json.dumps({"cpu_ms_for_3_s": speed(clips)}), flush=True)
    if options.speed:
        return
    labels = np.asarray([clip.label for clip in clips])
    speakers = np.asarray([clip.speaker for clip in clips])
    found = features(clips)
    for name, trained_on in (("clean", ("clean",)), ("clean and telephone", CONDITIONS)):
        recall = svm_recall(found, labels, speakers, trained_on)
        told = {"model": "openSMILE eGeMAPS and SVM", "trained_on": name, "uar": recall}
        print(json.dumps(told), flush=True)
    print(json.dumps({"model": "Attune", "uar": ours(options.data, clips, options.seed)}))


if __name__ == "__main__":
    main()
