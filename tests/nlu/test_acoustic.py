"""The voice estimate: its gates, what it refuses to judge, and what never changes its mind."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from nlu.emotion.acoustic import AcousticModel
from nlu.emotion.frames import describe
from nlu.errors import AttuneError
from nlu.training.natural import checking_pieces
from nlu.types import AgentAudio, CallerAudio, Emotion, EmotionEstimate, Grant, Samples, Source

RATE_HZ = 16_000
SAMPLES = Path(__file__).parents[2] / "audio_samples"
GRANT = Grant("emotion_voice", "tester", "unknown", "sounds made for tests")


@pytest.fixture(scope="module")
def model() -> AcousticModel:
    return AcousticModel.load()


@pytest.fixture(scope="module")
def speech() -> Samples:
    """Three seconds of one of the shipped callers, mono at 16 kHz."""
    samples, rate = soundfile.read(
        SAMPLES / "angry_late_delivery.flac", dtype="float32", always_2d=True
    )
    mono = soxr.resample(samples[:, 0], rate, RATE_HZ)
    loud = np.flatnonzero(np.abs(mono) > 0.02)[0]
    return np.asarray(mono[loud : loud + 3 * RATE_HZ], np.float32)


def judged(model: AcousticModel, samples: Samples, rate_hz: int = RATE_HZ) -> EmotionEstimate:
    return model.estimate(CallerAudio(np.asarray(samples, np.float32), rate_hz), GRANT)


def apart(one: EmotionEstimate, other: EmotionEstimate) -> float:
    return max(abs(one.probabilities[e] - other.probabilities[e]) for e in Emotion)


def test_an_agents_voice_is_refused(model: AcousticModel, speech: Samples) -> None:
    with pytest.raises(TypeError, match="CallerAudio"):
        model.estimate(AgentAudio(speech, RATE_HZ), GRANT)  # type: ignore[arg-type]


@pytest.mark.parametrize("purpose", ["emotion_words", "offers", "store_audio"])
def test_a_grant_for_something_else_opens_nothing(
    model: AcousticModel, speech: Samples, purpose: str
) -> None:
    grant = Grant(purpose, "tester", "unknown", "test")
    with pytest.raises(ValueError, match=purpose):
        model.estimate(CallerAudio(speech, RATE_HZ), grant)
    with pytest.raises(ValueError, match=purpose):
        model.stream(RATE_HZ, grant)


def test_without_a_grant_there_is_no_stream(model: AcousticModel) -> None:
    with pytest.raises(TypeError, match="Grant"):
        model.stream(RATE_HZ, None)  # type: ignore[arg-type]


def test_an_estimate_covers_every_emotion_and_says_where_it_comes_from(
    model: AcousticModel, speech: Samples
) -> None:
    estimate = judged(model, speech)
    assert estimate.abstained is None
    assert set(estimate.probabilities) == set(Emotion)
    assert sum(estimate.probabilities.values()) == pytest.approx(1.0)
    assert estimate.probabilities[Emotion.CONFUSED] == 0.0
    assert estimate.source is Source.VOICE
    assert 0.0 < estimate.confidence < 1.0
    assert -1.0 <= estimate.valence <= 1.0
    assert -1.0 <= estimate.arousal <= 1.0


def unfit(speech: Samples) -> dict[str, tuple[Samples, str]]:
    chance = np.random.default_rng(1)
    when = np.arange(4 * RATE_HZ) / RATE_HZ
    notes = np.repeat([262.0, 330.0, 392.0, 523.0, 440.0, 349.0, 294.0, 247.0], RATE_HZ // 2)
    melody = sum(np.sin(2 * np.pi * np.cumsum(notes * k) / RATE_HZ) / k for k in (1, 2, 3))
    holed = speech.copy()
    holed[100] = np.nan
    power = float((speech**2).mean())
    return {
        "nothing": (speech[:0], "silence"),
        "digital silence": (np.zeros(3 * RATE_HZ, np.float32), "silence"),
        "a faint hiss": (chance.normal(0, 1e-5, 3 * RATE_HZ).astype(np.float32), "no voiced"),
        "a tenth of a second": (speech[: RATE_HZ // 10], "voiced speech"),
        "half a second": (speech[: RATE_HZ // 2], "too little voiced speech"),
        "a value that is no number": (holed, "no numbers"),
        "an infinite value": (np.where(when[: len(speech)] == 0, np.inf, speech), "no numbers"),
        "white noise": (chance.normal(0, 0.1, 3 * RATE_HZ).astype(np.float32), "no voiced"),
        "speech under noise": (
            speech + chance.normal(0, np.sqrt(2 * power), len(speech)),
            "noise|voiced",
        ),
        "hard clipping": (np.clip(speech * 300, -1, 1), "clipped"),
        "a melody": (0.2 * melody, "out of domain|noise"),
        "a hum": (0.3 * np.sin(2 * np.pi * 150 * when), "out of domain|noise"),
    }


@pytest.mark.parametrize("name", list(unfit(np.ones(3 * RATE_HZ, np.float32))))
def test_what_cannot_be_judged_is_not_and_the_reason_is_given(
    model: AcousticModel, speech: Samples, name: str
) -> None:
    samples, reason = unfit(speech)[name]
    estimate = judged(model, samples)
    assert estimate.abstained is not None
    assert any(word in estimate.abstained for word in reason.split("|")), estimate.abstained
    assert estimate.confidence == 0.0


@pytest.mark.parametrize("rate_hz", [4_000, 0, 96_000])
def test_a_rate_outside_8_to_48_khz_is_an_abstention(
    model: AcousticModel, speech: Samples, rate_hz: int
) -> None:
    assert "kHz" in (judged(model, speech, rate_hz).abstained or "")


@pytest.mark.parametrize("rate_hz", [8_000, 11_025, 22_050, 44_100, 48_000])
def test_the_sampling_rate_does_not_change_the_estimate(
    model: AcousticModel, speech: Samples, rate_hz: int
) -> None:
    resampled = soxr.resample(speech, RATE_HZ, rate_hz)
    assert apart(judged(model, speech), judged(model, resampled, rate_hz)) < 0.12


@settings(max_examples=15, deadline=None)
@given(gain_db=st.floats(-35, 10))
def test_the_level_does_not_change_the_estimate(gain_db: float) -> None:
    model = AcousticModel.load()
    samples, _ = soundfile.read(SAMPLES / "angry_damaged_item.flac", dtype="float32")
    piece = np.asarray(samples, np.float32).reshape(len(samples), -1)[: 4 * RATE_HZ, 0]
    piece = 0.25 * piece / np.abs(piece).max()
    assert apart(judged(model, piece), judged(model, piece * 10 ** (gain_db / 20))) < 0.05


@settings(max_examples=15, deadline=None)
@given(sizes=st.lists(st.integers(1, 9_000), min_size=1, max_size=40))
def test_a_stream_cut_anyhow_gives_what_the_whole_gives(sizes: list[int]) -> None:
    model = AcousticModel.load()
    samples, _ = soundfile.read(SAMPLES / "happy_quick_delivery.flac", dtype="float32")
    piece = np.asarray(samples, np.float32).reshape(len(samples), -1)[: 3 * RATE_HZ, 0]
    streamed, whole = model.stream(RATE_HZ, GRANT), model.stream(RATE_HZ, GRANT)
    at = 0
    for size in sizes:
        streamed.accept(piece[at : at + size])
        at += size
    streamed.accept(piece[at:])
    whole.accept(piece)
    assert streamed.estimate().abstained == whole.estimate().abstained
    assert apart(streamed.estimate(), whole.estimate()) < 1e-4


def test_the_same_sound_gives_the_same_estimate(model: AcousticModel, speech: Samples) -> None:
    assert judged(model, speech) == judged(model, speech.copy())


def test_a_stream_learns_as_the_caller_speaks(model: AcousticModel, speech: Samples) -> None:
    stream = model.stream(RATE_HZ, GRANT)
    assert stream.estimate().abstained is not None
    assert stream.features_summary() == {}
    heard = []
    for at in range(0, len(speech), RATE_HZ // 4):
        stream.accept(speech[at : at + RATE_HZ // 4])
        heard.append(stream.estimate().abstained)
    assert heard[0] is not None and heard[-1] is None
    assert set(stream.features_summary()) >= {"pitch_st", "syllables_per_s"}


def test_a_long_recording_is_judged_by_its_end_within_a_bounded_window(
    model: AcousticModel, speech: Samples
) -> None:
    minutes = np.concatenate([np.zeros(10 * 60 * RATE_HZ, np.float32), *[speech] * 4])
    assert judged(model, minutes).top == judged(model, np.concatenate([speech] * 4)).top
    stream = model.stream(RATE_HZ, GRANT)
    for at in range(0, len(minutes), RATE_HZ):
        stream.accept(minutes[at : at + RATE_HZ])
    held = sum(len(part) for part in stream._parts)  # what stays in memory
    assert held <= len(describe(np.zeros(12 * 8_000, np.float32)))


def test_the_card_says_licence_data_seed_and_figures(model: AcousticModel) -> None:
    assert "CC BY-NC-SA 4.0" in model.card["licence"]
    assert set(model.card["data"]) == {"librispeech", "nemo", "ravdess"}
    assert isinstance(model.card["seed"], int)
    assert set(model.card["metrics"]) >= {"single_corpus", "corpus_left_out"}


def test_ordinary_readers_are_neutral_and_hardly_ever_surely_angry(model: AcousticModel) -> None:
    data = os.environ.get("ATTUNE_DATA")
    pieces = checking_pieces(Path(data)) if data else []
    if not pieces:
        pytest.skip("needs LibriSpeech in the folder that ATTUNE_DATA names")
    said = [judged(model, piece.read(RATE_HZ)) for piece in pieces[::3]]
    calm = [one.abstained is not None or one.top is Emotion.NEUTRAL for one in said]
    surely_angry = [one.top is Emotion.ANGRY and one.confidence >= 0.5 for one in said]
    assert np.mean(calm) >= 0.8
    assert np.mean(surely_angry) <= 0.03


def test_a_missing_or_foreign_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AttuneError, match="not there; train with"):
        AcousticModel.load(tmp_path / "acoustic.onnx")
    (tmp_path / "acoustic.onnx").write_bytes(b"nonsense")
    (tmp_path / "acoustic.json").write_text(json.dumps({"judging": {}}), "utf-8")
    with pytest.raises(AttuneError, match="train it again"):
        AcousticModel.load(tmp_path / "acoustic.onnx")
