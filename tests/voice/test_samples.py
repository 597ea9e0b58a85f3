from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml

from dialogue.packs import load_pack
from nlu.types import Emotion

FOLDER = Path(__file__).parents[2] / "audio_samples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.flac"))


def record(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return loaded


def level_db(samples: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(samples**2)) + 1e-9))


def test_there_is_a_caller_for_every_situation() -> None:
    assert len(NAMES) >= 8
    records = [record(name) for name in NAMES]
    feelings = {r["feeling"] for r in records}
    assert feelings >= {"angry", "sad", "anxious", "happy", "neutral", "confused"}
    assert any(r["channel"] == "telephone" for r in records)
    assert any(t["intent"] == "talk_to_human" for r in records for t in r["turns"])
    assert len({r["voice"] for r in records}) >= 3
    assert sum((FOLDER / f"{name}.flac").stat().st_size for name in NAMES) < 6e6


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_what_its_record_says(name: str) -> None:
    info = soundfile.info(FOLDER / f"{name}.flac")
    stated = record(name)
    telephone = stated["channel"] == "telephone"
    assert (info.subtype, info.channels) == ("PCM_16", 1)
    assert info.samplerate == (8_000 if telephone else 16_000)
    assert 2 <= len(stated["turns"]) <= 5
    samples, rate = soundfile.read(FOLDER / stated["audio"])
    assert np.abs(samples).max() < 0.999, "no clipping"
    quiet = level_db(samples[: rate // 2])
    before = 0
    for turn in stated["turns"]:
        start, end = turn["start_ms"], turn["end_ms"]
        assert start - before >= (500 if before == 0 else 1_200)
        assert turn["feeling"] in {emotion.value for emotion in Emotion}
        spoken = samples[start * rate // 1000 : end * rate // 1000]
        assert level_db(spoken) > quiet + 12
        gap = samples[before * rate // 1000 : (start - 20) * rate // 1000]
        assert level_db(gap[len(gap) // 3 :]) < level_db(spoken) - 12
        words = len(turn["text"].split())
        assert 80 < words / (end - start) * 60_000 < 330, "words a minute"
        before = end
    assert before < info.duration * 1000 - 500


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_made_from_the_texts_in_the_repository(name: str) -> None:
    callers = yaml.safe_load((FOLDER / "callers.yaml").read_text())
    stated, source = record(name), callers[name]
    assert stated["customer"] == source["customer"]
    assert [turn["intent"] for turn in stated["turns"]] == [t["intent"] for t in source["turns"]]
    for turn, said in zip(stated["turns"], source["turns"], strict=True):
        plain = [word for word in said["say"].split() if not word.startswith("[")]
        assert turn["text"].split() == plain


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_asks_for_what_the_retail_pack_knows(name: str) -> None:
    known = {*load_pack("retail").language().intents, "answer"}
    assert {turn["intent"] for turn in record(name)["turns"]} <= known
    customers = Path(__file__).parents[2] / "dialogue/packs/retail/customers.yaml"
    ids = {customer["id"] for customer in yaml.safe_load(customers.read_text())}
    assert record(name)["customer"] in ids
