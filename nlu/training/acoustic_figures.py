"""The figures of a training run as plain data."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nlu.emotion.trust import Trust
from nlu.training import acoustic_measures as measures
from nlu.training.acoustic_balance import natural_rows
from nlu.training.acoustic_examples import Table, is_natural
from nlu.training.acoustic_measures import FOUR, FOUR_TRUE, SERVICE, Heard

FITTED_ON = ("train", "muted", "moved")
"""The conditions that confidence is fitted on; the others are test conditions."""
_ONE_STRANGER_IN = 4

LICENCES = {
    "ravdess": ("RAVDESS (Livingstone and Russo 2018)", "CC BY-NC-SA 4.0"),
    "nemo": ("nEMO (Christop 2024)", "CC BY-NC-SA 4.0"),
    "cremad": ("CREMA-D (Cao et al. 2014)", "ODbL 1.0"),
    "emodb": ("EmoDB (Burkhardt et al. 2005)", "see its publisher"),
    "tess": ("TESS (Pichora-Fuller and Dupuis 2020)", "CC BY-NC-ND 4.0"),
    "librispeech": ("LibriSpeech (Panayotov et al. 2015), pieces", "CC BY 4.0"),
    "savee": ("SAVEE (Haq and Jackson 2009)", "research only"),
}


def origin(tables: dict[str, Table]) -> dict[str, Any]:
    """What the model was trained on and under which licence it may be used."""
    data: dict[str, dict[str, Any]] = {}
    for name, table in tables.items():
        title, licence = LICENCES.get(name, (name, "not stated"))
        clean = table.test["clean"]
        data[name] = {
            "title": title,
            "licence": licence,
            "clips": len(clean),
            "speakers": len(set(clean.speaker)),
        }
    # Who names the authors, as every one of these asks, meets CC BY where another is stricter.
    licences = sorted({str(one["licence"]) for one in data.values()})
    if len(licences) > 1 and "CC BY 4.0" in licences:
        licences.remove("CC BY 4.0")
    return {"licence": " and ".join(licences), "data": data}


def corpus_figures(heard: dict[str, Heard]) -> dict[str, Any]:
    """UAR of one corpus with speakers held out, under every test condition."""
    return {
        condition: {
            "uar_all_labels": _with_interval(measures.eight_recall, one),
            "uar_4": _with_interval(measures.four_recall, one),
            "arousal_auc": _with_interval(measures.arousal_area, one, 3),
        }
        for condition, one in heard.items()
        if condition not in FITTED_ON and len(one.examples)
    }


def pooled_figures(heard: dict[str, Heard], temperature: float) -> dict[str, Any]:
    """The shipped mixture of corpora with speakers held out: UAR of each acted corpus, and the
    calibration of the confidence, its temperature and weights fitted on the other half of the
    speakers."""
    figures: dict[str, Any] = {}
    for corpus in sorted(set(heard["clean"].examples.corpus)):
        of_it = {
            condition: one.where(one.examples.corpus == corpus) for condition, one in heard.items()
        }
        if is_natural(of_it["clean"].examples):
            continue
        figures[corpus] = corpus_figures(of_it)
        for condition, figure in figures[corpus].items():
            figure["uar_4_lifted"] = _with_interval(
                lambda one: measures.four_recall_lifted(one, temperature), of_it[condition]
            )
    fitting = with_strangers(heard)
    figures["confidence"] = {
        condition: _calibration(fitting, acted(one))
        for condition, one in heard.items()
        if condition not in FITTED_ON
    }
    return figures


def with_strangers(heard: dict[str, Heard]) -> Heard:
    """What confidence is fitted on: held-out speakers who acted, and of every four of them one who
    shows less and one who sounds unlike anybody in the training, as a caller may. Of ordinary
    speech nobody said what was felt: a model sure of *neutral* there is sure on any strange voice.
    """
    told = {name: acted(heard[name]) for name in FITTED_ON}
    rows = np.arange(len(told["train"].scores)) % _ONE_STRANGER_IN == 0
    strange = [told[name].where(rows) for name in ("muted", "moved")]
    return measures.gather([told["train"], *strange])


def acted(heard: Heard) -> Heard:
    """Without the rows of ordinary speech."""
    return heard.where(~natural_rows(heard.examples))


def _calibration(fitting: Heard, tested: Heard) -> dict[str, float]:
    errors, rights = [], []
    speakers = sorted(set(fitting.examples.speaker))
    for half in (speakers[::2], speakers[1::2]):
        inside = _marks(fitting, half)
        temperature = measures.fit_temperature(fitting.where(inside), SERVICE)
        trust = measures.fit_trust(fitting.where(inside), SERVICE, temperature)
        rest = tested.where(~_marks(tested, half))
        errors.append(measures.service_error(rest, trust, temperature))
        said = rest.probabilities(SERVICE).argmax(1)
        rights.append(float((said == rest.truth(SERVICE)).mean()))
    return {
        "ece": round(sum(errors) / 2, 3),
        "accuracy_service_labels": round(50 * sum(rights), 1),
    }


def _marks(heard: Heard, speakers: list[str]) -> npt.NDArray[np.bool_]:
    return np.isin(heard.examples.speaker, speakers)


def ordinary_figures(heard: Heard, temperature: float, trust: Trust) -> dict[str, float]:
    """Of ordinary speech, in percent of the rows: which label comes out, and how often an angry
    or another negative one with a confidence of a half or more."""
    top = heard.probabilities(SERVICE, temperature).argmax(1)
    confidence = trust.confidence(heard.signals(SERVICE, temperature))
    shares = {name: round(100 * float((top == at).mean()), 1) for at, name in enumerate(SERVICE)}
    angry = top == list(SERVICE).index("angry")
    return {
        "rows": len(top),
        **shares,
        "angry_sure": round(100 * float((angry & (confidence >= 0.5)).mean()), 1),
        "other_than_neutral_sure": round(100 * float(((top != 0) & (confidence >= 0.5)).mean()), 1),
        "mean_confidence": round(100 * float(confidence.mean()), 1),
        "ece": round(measures.calibration_error(top == 0, confidence), 3),
    }


def foreign_figures(heard: Heard, inside: Heard) -> dict[str, Any]:
    """A corpus never heard: UAR, arousal, and whether confidence still means something. All of
    calibration comes from `inside`, held-out speakers of the training corpora."""
    four = inside.of(FOUR_TRUE)
    temperature = measures.fit_temperature(four, FOUR)
    trust = measures.fit_trust(four, FOUR, temperature)
    accuracy, _ = measures.surest_half_gain(heard, trust, temperature)
    plain = measures.surest_half_gain(heard, Trust({"odds": 1.0}, 0.0), temperature)[1]
    return {
        "uar_4": _with_interval(measures.four_recall_arousal_first, heard),
        "uar_4_plain": _with_interval(measures.four_recall, heard),
        "arousal_auc": _with_interval(measures.arousal_area, heard, 3),
        "accuracy_4": round(accuracy, 1),
        "surest_half_gain": _with_interval(
            lambda one: measures.surest_half_gain(one, trust, temperature)[1], heard
        ),
        "surest_half_gain_by_probability_alone": round(plain, 1),
        "mean_confidence": round(
            float(trust.confidence(heard.of(FOUR_TRUE).signals(FOUR, temperature)).mean() * 100),
            1,
        ),
    }


def _with_interval(measure: Any, heard: Heard, digits: int = 1) -> dict[str, Any]:
    low, high = measures.interval(measure, heard, 200)
    return {
        "value": round(measure(heard), digits),
        "interval_95": [round(low, digits), round(high, digits)],
    }
