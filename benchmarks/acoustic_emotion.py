"""Measure the acoustic model against its bars: python benchmarks/acoustic_emotion.py --data DIR

Accuracy is measured by training from scratch with speakers or corpora held out (the training
extra; some twenty minutes on one core). `--speed` measures the shipped weights alone: their cost,
and what they say of ordinary readers.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from nlu.emotion.acoustic import AcousticModel
from nlu.training.corpora import read_corpora
from nlu.training.natural import checking_pieces
from nlu.types import CallerAudio, Emotion, Grant

RATE_HZ = 16_000
OPERATOR = Grant("emotion_voice", "benchmark", "unknown", "corpora licensed for research")


def accuracy(data: Path, seed: int) -> list[tuple[str, Any, float]]:
    """Measure, figure and bar of each line of the table."""
    from nlu.training import acoustic, acoustic_figures
    from nlu.training.acoustic_measures import SERVICE, fit_temperature

    settings = acoustic.AcousticSettings()
    tables = acoustic.read_tables(data, seed, settings)
    others = acoustic.sounds_that_are_no_speech(data, "train", settings.other_sounds, seed)
    alone = {"ravdess": tables["ravdess"]}
    ravdess = acoustic_figures.corpus_figures(
        acoustic.cross_validate(alone, others, seed, settings)
    )
    nemo = acoustic.left_out(tables, others, seed, settings)["nemo"]
    mixed = acoustic.cross_validate(tables, others, seed, settings)
    temperature = fit_temperature(acoustic_figures.with_strangers(mixed), SERVICE)
    pooled = acoustic_figures.pooled_figures(mixed, temperature)["confidence"]
    return [
        ("RAVDESS, 8 labels, UAR", ravdess["clean"]["uar_all_labels"], 67),
        ("RAVDESS, 4 labels, UAR", ravdess["clean"]["uar_4"], 75),
        ("  telephone", ravdess["telephone"]["uar_4"], 72),
        ("  noise at 20 dB, telephone", ravdess["noise_20_db"]["uar_4"], 66),
        ("  noise at 10 dB, telephone", ravdess["noise_10_db"]["uar_4"], 58),
        ("nEMO never heard, 4 labels, UAR", nemo["uar_4"], 40),
        ("nEMO never heard, arousal AUC", nemo["arousal_auc"], 0.88),
        ("nEMO never heard, surest half over all", nemo["surest_half_gain"], 8),
        ("ECE, held-out speakers, as recorded", pooled["clean"]["ece"], 0.05),
        ("ECE, held-out speakers, telephone", pooled["telephone"]["ece"], 0.05),
    ]


def ordinary(data: Path) -> dict[str, float]:
    """What the shipped model says of readers it has never heard, in percent of 3.5 s pieces; the
    whole way that a caller's voice takes, abstentions included."""
    model = AcousticModel.load()
    said = [
        model.estimate(CallerAudio(piece.read(RATE_HZ), RATE_HZ), OPERATOR)
        for piece in checking_pieces(data)
    ]
    counts = Counter("abstained" if one.abstained else one.top.value for one in said)
    sure = [one.top for one in said if not one.abstained and one.confidence >= 0.5]
    share = 100 / max(len(said), 1)
    return {
        "pieces": len(said),
        **{name: round(share * count, 1) for name, count in counts.most_common()},
        "angry_sure": round(share * sure.count(Emotion.ANGRY), 1),
        "other_than_neutral_sure": round(share * (len(sure) - sure.count(Emotion.NEUTRAL)), 1),
    }


def speed(data: Path) -> dict[str, float]:
    """CPU milliseconds for 3 s of speech with the shipped weights, on one core."""
    clips = next(iter(read_corpora(data).values()))[:60]
    joined = np.concatenate([clip.read(RATE_HZ) for clip in clips])
    pieces = [joined[at : at + 3 * RATE_HZ] for at in range(0, len(joined) - 3 * RATE_HZ, RATE_HZ)]
    started = time.process_time()
    model = AcousticModel.load()
    model.estimate(CallerAudio(pieces[0], RATE_HZ), OPERATOR)
    first_s = time.process_time() - started
    whole, update = [], []
    for piece in pieces:
        started = time.process_time()
        model.estimate(CallerAudio(piece, RATE_HZ), OPERATOR)
        whole.append(1000 * (time.process_time() - started))
        stream = model.stream(RATE_HZ, OPERATOR)
        for at in range(0, len(piece), RATE_HZ // 4):
            started = time.process_time()
            stream.accept(piece[at : at + RATE_HZ // 4])
            stream.estimate()
            update.append(1000 * (time.process_time() - started))
    return {
        "load_and_first_ms": round(1000 * first_s, 1),
        "three_seconds_p50_ms": round(float(np.percentile(whole, 50)), 2),
        "three_seconds_p95_ms": round(float(np.percentile(whole, 95)), 2),
        "update_p50_ms": round(float(np.percentile(update, 50)), 2),
        "update_p95_ms": round(float(np.percentile(update, 95)), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of corpora")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speed", action="store_true", help="only the shipped model")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    print(json.dumps({**speed(options.data), "ordinary_speech": ordinary(options.data)}, indent=2))
    if options.speed:
        return
    for measure, figure, bar in accuracy(options.data, options.seed):
        value = figure["value"] if isinstance(figure, dict) else figure
        span = figure["interval_95"] if isinstance(figure, dict) else ""
        print(f"{measure:<42} {value:>7} {span!s:<16} bar {bar}")


if __name__ == "__main__":
    main()
