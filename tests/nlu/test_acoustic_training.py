"""Training from end to end on sounds made here: what it writes, and that it learns something."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from nlu.emotion.acoustic import AcousticModel
from nlu.errors import AttuneError
from nlu.types import CallerAudio, Emotion, Grant, Samples

RATE_HZ = 8_000


def utterance(label: str, speaker: int, take: int) -> Samples:
    """Angry: high, lively, bright; sad: low, level, dull; neutral between."""
    height, liveliness, tilt = {
        "angry": (1.6, 5.0, 0.7),
        "sad": (0.8, 0.5, 1.8),
        "neutral": (1.0, 2.0, 1.2),
    }[label]
    chance = np.random.default_rng([speaker, take, len(label)])
    when = np.arange(int(chance.uniform(1.6, 2.2) * RATE_HZ)) / RATE_HZ
    wander = liveliness * np.sin(2 * np.pi * chance.uniform(0.7, 1.3) * when + chance.uniform(0, 6))
    pitch_hz = (90 + 15 * speaker) * height * 2 ** (wander / 12)
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    buzz = sum(np.sin(k * phase) / k**tilt for k in range(1, 12))
    syllables = np.clip(np.sin(2 * np.pi * chance.uniform(3, 4) * when) + 0.6, 0, None)
    return np.asarray(0.05 * buzz * syllables + chance.normal(0, 1e-4, len(when)), np.float32)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "made"
    folder.mkdir()
    rows = ["file,speaker,emotion"]
    for speaker in range(4):
        for label in ("neutral", "sad", "angry"):
            for take in range(4):
                name = f"{speaker}{label}{take}.wav"
                soundfile.write(folder / name, utterance(label, speaker, take), RATE_HZ)
                rows.append(f"{name},{speaker},{label}")
    (folder / "clips.csv").write_text("\n".join(rows), "utf-8")
    return folder.parent


def test_a_corpus_of_ordinary_speech_alone_teaches_nothing(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the training extra")
    from nlu.training.acoustic import train

    folder = tmp_path / "plain"
    folder.mkdir()
    soundfile.write(folder / "a.wav", utterance("neutral", 0, 0), RATE_HZ)
    (folder / "clips.csv").write_text("file,speaker,emotion\na.wav,anna,neutral\n", "utf-8")
    with pytest.raises(AttuneError, match="no corpus with two emotions"):
        train(tmp_path, tmp_path / "out")


def test_with_ordinary_speech_neutral_is_lifted_to_its_share_of_callers(
    corpus: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="needs the training extra")
    from nlu.training.acoustic import AcousticSettings, train
    from nlu.training.acoustic_blend import BlendSettings

    folder = tmp_path / "data" / "plain"
    folder.mkdir(parents=True)
    (tmp_path / "data" / "made").symlink_to(corpus / "made")
    rows = ["file,speaker,emotion"]
    for speaker in range(4):
        for take in range(6):
            name = f"{speaker}-{take}.wav"
            soundfile.write(folder / name, utterance("neutral", speaker, 10 + take), RATE_HZ)
            rows.append(f"{name},{speaker},neutral")
    (folder / "clips.csv").write_text("\n".join(rows), "utf-8")
    small = AcousticSettings(
        variations=1,
        other_sounds=40,
        folds=2,
        neutral_share=0.9,
        blend=BlendSettings(epochs=20, kernels=40),
    )
    held = train(tmp_path / "data", tmp_path, seed=3, settings=small)
    assert held["judging"]["neutral_lift"] > 1.0
    assert list(held["metrics"]["single_corpus"]) == ["made"]
    grant = Grant("emotion_voice", "tester", "unknown", "sounds made for tests")
    audio = CallerAudio(utterance("neutral", 2, 20), RATE_HZ)
    lifted = AcousticModel(tmp_path / "acoustic.onnx").estimate(audio, grant)
    held["judging"]["neutral_lift"] = 0.0
    (tmp_path / "acoustic.json").write_text(json.dumps(held), "utf-8")
    plain = AcousticModel(tmp_path / "acoustic.onnx").estimate(audio, grant)
    assert lifted.probabilities[Emotion.NEUTRAL] > plain.probabilities[Emotion.NEUTRAL]
    assert sum(lifted.probabilities.values()) == pytest.approx(1.0)


def test_a_run_writes_weights_and_a_card_and_the_model_hears_a_new_speaker(
    corpus: Path, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="needs the training extra")
    from nlu.training.acoustic import AcousticSettings, train
    from nlu.training.acoustic_blend import BlendSettings

    small = AcousticSettings(
        variations=1, other_sounds=40, folds=2, blend=BlendSettings(epochs=20, kernels=40)
    )
    held = train(corpus, tmp_path, seed=3, settings=small)
    assert json.loads((tmp_path / "acoustic.json").read_text("utf-8")) == json.loads(
        json.dumps(held)
    )
    assert held["data"]["made"] == {
        "title": "made",
        "licence": "not stated",
        "clips": 48,
        "speakers": 4,
    }
    assert held["metrics"]["single_corpus"]["made"]["clean"]["arousal_auc"]["value"] > 0.8
    assert "## Limits" in (tmp_path / "acoustic.md").read_text("utf-8")
    model = AcousticModel.load(tmp_path / "acoustic.onnx")
    grant = Grant("emotion_voice", "tester", "unknown", "sounds made for tests")
    calm, agitated = (
        model.estimate(CallerAudio(utterance(label, 4, 9), RATE_HZ), grant)
        for label in ("sad", "angry")
    )
    assert agitated.arousal > calm.arousal
    assert agitated.probabilities[Emotion.ANGRY] > calm.probabilities[Emotion.ANGRY]
