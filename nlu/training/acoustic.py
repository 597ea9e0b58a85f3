"""How the acoustic weights were made: `attune train acoustic`.

Every corpus is described under many conditions; the model is fitted on all of them, balanced by
size; what it knows of its own errors is learned from speakers held out; and the same run measures
what the model card says, with one corpus left out at a time as well.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from nlu.emotion.features import feature_names
from nlu.emotion.trust import Trust
from nlu.errors import AttuneError
from nlu.training import acoustic_figures as figured
from nlu.training import acoustic_measures as measures
from nlu.training import acoustic_model_card as model_card
from nlu.training.acoustic_augmentation import moved, mute
from nlu.training.acoustic_balance import (
    balanced,
    natural_rows,
    neutral_lift,
    unsure_of_natural,
)
from nlu.training.acoustic_blend import Blend, BlendSettings, fit, predict, to_onnx
from nlu.training.acoustic_examples import (
    TEST_CONDITIONS,
    Examples,
    Rows,
    Table,
    is_natural,
    read_table,
    sounds_that_are_no_speech,
    together,
)
from nlu.training.acoustic_measures import SERVICE, Heard
from nlu.training.corpora import LABELS, Clip, read_corpora
from nlu.training.natural import checking_pieces

Tables = dict[str, Table]
HeldOut = dict[str, Heard]

SHIPPED_SEED = 7
_NATURAL_VARIATIONS = 2
_CALIBRATION_FOLDS = 3
_FAR = (0.3, 1.5)
"""How far held-out voices are moved to learn what a strange voice does to the confidence."""
LUNA_JIMENEZ = (
    (2, 5, 14, 15, 16),
    (3, 6, 7, 13, 18),
    (10, 11, 12, 19, 20),
    (8, 17, 21, 23, 24),
    (1, 4, 9, 22),
)
"""The actors of RAVDESS in five folds (Luna-Jimenez et al. 2021)."""


@dataclass(frozen=True, slots=True)
class AcousticSettings:
    """What the shipped model was trained with. `natural_weight`: of a corpus of ordinary speech
    for each one of acted feeling, which weighs 1. `neutral_certainty`: how sure the training may be
    that it is neutral (`acoustic_balance.unsure_of_natural`). `neutral_share`: of callers' turns,
    where it is known; None leaves neutral as often as it is in the training. `moved`: every row is
    learned from once more with the voice moved by a part of this size
    (`acoustic_augmentation.moved`)."""

    variations: int = 5
    most_rows: int = 7_000
    other_sounds: int = 800
    folds: int = 5
    natural_weight: float = 0.4
    neutral_certainty: float = 0.5
    neutral_share: float | None = None
    moved: tuple[float, float] = (0.0, 0.6)
    blend: BlendSettings = field(default_factory=BlendSettings)


def train(
    data: Path,
    out: Path,
    seed: int = SHIPPED_SEED,
    settings: AcousticSettings = AcousticSettings(),
) -> dict[str, Any]:
    """Train on every corpus under `data`; write `acoustic.onnx`, `acoustic.json` (judging, data,
    licence, metrics, settings, seed) and the model card `acoustic.md` into `out`.

    Gives back what `acoustic.json` holds. Raises `AttuneError` when `data` holds no corpus or
    the training extra is missing.
    """
    with Progress(transient=True) as progress:
        tables = read_tables(data, seed, settings, progress)
        others = sounds_that_are_no_speech(data, "train", settings.other_sounds, seed)
        task = progress.add_task("held-out speakers", total=None)
        known = cross_validate(tables, others, seed, settings)
        fitting = figured.with_strangers(known)
        temperature = measures.fit_temperature(fitting, SERVICE)
        trust = measures.fit_trust(fitting, SERVICE, temperature)
        progress.update(task, description="corpora on their own, and left out")
        acted = [name for name, table in tables.items() if not is_natural(table.train)]
        alone = {
            name: cross_validate({name: tables[name]}, others, seed, settings) for name in acted
        }
        progress.update(task, description="the model itself")
        blend = fit_pooled(list(tables.values()), others, seed, settings)
        figures = {
            "held_out_speakers": figured.pooled_figures(known, temperature),
            "single_corpus": {name: figured.corpus_figures(one) for name, one in alone.items()},
            "corpus_left_out": left_out(tables, others, seed, settings),
            "ordinary_speech": ordinary_speech(data, blend, temperature, trust, seed),
        }
    judging = {
        "labels": list(LABELS),
        "temperature": temperature,
        "neutral_lift": blend.lift,
        "arousal": list(measures.AROUSAL.values()),
        "valence": list(measures.VALENCE.values()),
        "label_arousal": measures.expected_arousal(),
        "trust": asdict(trust),
        "most_strange": float(np.quantile(known["train"].oddness[:, 0], 0.9995)),
        "least_speechlike": 0.5,
    }
    held = {
        "name": "acoustic",
        **figured.origin(tables),
        "seed": seed,
        "settings": asdict(settings),
        "judging": judging,
        "metrics": figures,
        "other_sounds_refused": _refused(blend, data, seed),
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "acoustic.onnx").write_bytes(to_onnx(blend))
    (out / "acoustic.json").write_text(json.dumps(held, indent=2) + "\n", "utf-8")
    (out / "acoustic.md").write_text(model_card.write(held, len(feature_names())), "utf-8")
    return held


def read_tables(
    data: Path, seed: int, settings: AcousticSettings, progress: Progress | None = None
) -> Tables:
    """Every corpus under `data`, described. Larger corpora get fewer variations of each clip."""
    corpora = read_corpora(data)
    acted = {name: len(clips) for name, clips in corpora.items() if _tells_labels(clips)}
    if not acted:
        raise AttuneError(
            f"{data}: no corpus with two emotions or more; lay it out as docs/training.md says."
        )
    fewest = min(acted.values())
    tables: Tables = {}
    for name, clips in corpora.items():
        share = settings.variations * fewest // len(clips)
        variations = max(1, share) if name in acted else min(_NATURAL_VARIATIONS, max(1, share))
        task = progress.add_task(name, total=len(clips)) if progress else None

        def done(task: Any = task) -> None:
            if progress and task is not None:
                progress.advance(task)

        tables[name] = read_table(clips, data, variations, seed, done)
    return tables


def cross_validate(tables: Tables, others: Rows, seed: int, settings: AcousticSettings) -> HeldOut:
    """What models say of speakers they were not trained on, under each test condition and, as
    `train`, under the conditions of training. RAVDESS in its known folds, other corpora with
    speakers dealt out in turn."""
    folds = speaker_folds(tables, settings.folds)
    jobs = []
    for number in sorted(set(folds.values())):
        kept = [_speakers(table.train, folds, number, False) for table in tables.values()]
        held: dict[str, list[Examples]] = {}
        for table in tables.values():
            for condition, examples in {"train": table.train, **table.test}.items():
                held.setdefault(condition, []).append(_speakers(examples, folds, number, True))
        jobs.append((kept, held, others, seed, settings))
    heard: dict[str, list[Heard]] = {}
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for answers in pool.map(_fold, jobs):
            for condition, one in answers.items():
                heard.setdefault(condition, []).append(one)
    return {condition: measures.gather(parts) for condition, parts in heard.items()}


def _fold(
    job: tuple[list[Examples], dict[str, list[Examples]], Rows, int, AcousticSettings],
) -> HeldOut:
    kept, held, others, seed, settings = job
    blend = _fit(kept, others, seed, settings)
    tested = {condition: together(parts) for condition, parts in held.items()}
    tested["muted"] = mute(tested["train"], seed)
    chance = np.random.default_rng(seed)
    tested["moved"] = together(moved(held["train"], _FAR, chance))
    return {condition: listen(blend, one) for condition, one in tested.items() if len(one)}


def left_out(
    tables: Tables, others: Rows, seed: int, settings: AcousticSettings
) -> dict[str, dict[str, Any]]:
    """Each corpus of acted feeling judged by a model that was trained, and calibrated, on the
    others and on ordinary speech."""
    figures: dict[str, dict[str, Any]] = {}
    for name, table in tables.items():
        rest = {other: known for other, known in tables.items() if other != name}
        if is_natural(table.train) or all(is_natural(one.train) for one in rest.values()):
            continue
        blend = fit_pooled(list(rest.values()), others, seed, settings)
        known = cross_validate(rest, others, seed, replace(settings, folds=_CALIBRATION_FOLDS))
        foreign = listen(blend, table.test["clean"])
        figures[name] = figured.foreign_figures(foreign, figured.with_strangers(known))
    return figures


def ordinary_speech(
    data: Path, blend: Blend, temperature: float, trust: Trust, seed: int
) -> dict[str, dict[str, float]]:
    """What the model makes of the readers that were kept for the check, by condition."""
    pieces = checking_pieces(data)
    if not pieces:
        return {}
    heard = {
        condition: listen(blend, examples)
        for condition, examples in read_table(pieces, data, 0, seed).test.items()
    }
    return {
        condition: figured.ordinary_figures(one, temperature, trust)
        for condition, one in heard.items()
    }


def fit_pooled(tables: list[Table], others: Rows, seed: int, settings: AcousticSettings) -> Blend:
    """One model on all speakers of `tables`."""
    return _fit([table.train for table in tables], others, seed, settings)


def listen(blend: Blend, examples: Examples) -> Heard:
    """What `blend` says of `examples`."""
    scores, _, oddness = predict(blend, examples.statistics)
    bare = replace(examples, statistics=examples.statistics[:, :0])
    return Heard(scores, oddness, bare, np.full(len(examples), blend.lift))


def _fit(parts: list[Examples], others: Rows, seed: int, settings: AcousticSettings) -> Blend:
    chance = np.random.default_rng(seed)
    kept = []
    for part in parts:
        if len(part) > settings.most_rows:
            chosen = np.zeros(len(part), np.bool_)
            chosen[chance.choice(len(part), settings.most_rows, replace=False)] = True
            kept.append(part.where(chosen))
        else:
            kept.append(part)
    examples = together([*kept, *moved(kept, settings.moved, chance)])
    weights = balanced(examples, settings.natural_weight)
    natural = natural_rows(examples)
    examples = unsure_of_natural(examples, settings.neutral_certainty, chance)
    blend = fit(examples, others, weights, natural, seed, settings.blend)
    share = settings.neutral_share
    blend.lift = 0.0 if share is None else neutral_lift(examples, weights, share)
    return blend


def _tells_labels(clips: list[Clip]) -> bool:
    """Whether the corpus is of acted feeling; one with a single label is of ordinary speech."""
    return len({clip.label for clip in clips}) > 1


def speaker_folds(tables: Tables, count: int) -> dict[str, int]:
    """The fold in which each speaker is held out."""
    folds: dict[str, int] = {}
    for name, table in tables.items():
        for at, speaker in enumerate(np.unique(table.train.speaker)):
            folds[str(speaker)] = at % count
        if name == "ravdess":
            folds |= {
                f"ravdess-{actor}": number % count
                for number, actors in enumerate(LUNA_JIMENEZ)
                for actor in actors
            }
    return folds


def _speakers(examples: Examples, folds: dict[str, int], number: int, within: bool) -> Examples:
    inside = np.asarray([folds[str(speaker)] == number for speaker in examples.speaker])
    return examples.where(inside if within else ~inside)


def _refused(blend: Blend, data: Path, seed: int) -> float:
    """The share of noises (of the test half) and made-up music that is not taken for speech."""
    rows = sounds_that_are_no_speech(data, "test", 200, seed + 1)
    return round(float((predict(blend, rows)[2][:, 1] < 0.5).mean()), 3)


__all__ = ["TEST_CONDITIONS", "AcousticSettings", "train"]
