"""What the ear notes: pitch that survives a telephone, statistics that ignore the level."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlu.emotion.features import feature_names, find_speech, statistics, summary
from nlu.emotion.frames import FRAME, HOP, RATE_HZ, describe, join
from nlu.training.conditions import add_noise, telephone
from nlu.types import Samples


def voice(pitch_hz: float, seconds: float = 1.5) -> Samples:
    """A buzz with falling overtones that comes and goes four times a second."""
    when = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    orders = range(1, int(3_900 / pitch_hz) + 1)
    buzz = sum(np.sin(2 * np.pi * pitch_hz * k * when) / k for k in orders)
    return np.asarray(0.1 * buzz * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * when)), np.float32)


@settings(max_examples=25, deadline=None)
@given(pitch_hz=st.floats(80, 450), on_the_telephone=st.booleans())
def test_pitch_is_right_to_a_quarter_of_a_semitone_even_without_its_fundamental(
    pitch_hz: float, on_the_telephone: bool
) -> None:
    samples = voice(pitch_hz)
    frames = describe(telephone(samples) if on_the_telephone else samples)
    speech = find_speech(frames)
    heard = float(np.median(frames.pitch_st[speech.voiced]))
    assert heard == pytest.approx(12 * np.log2(pitch_hz / 55), abs=0.25)


def test_noise_has_no_voice() -> None:
    frames = describe(np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32))
    assert find_speech(frames).voiced.mean() < 0.05


@settings(max_examples=20, deadline=None)
@given(gain_db=st.floats(-40, 20))
def test_statistics_do_not_depend_on_the_level(gain_db: float) -> None:
    samples = add_noise(voice(140), np.random.default_rng(0).normal(0, 1, 8_000), 30)
    plain, louder = (
        describe(np.asarray(samples * gain, np.float32)) for gain in (1.0, 10 ** (gain_db / 20))
    )
    one, other = (statistics(f, find_speech(f)) for f in (plain, louder))
    assert np.allclose(one, other, atol=0.05)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    length=st.integers(2_000, 12_000),
    kind=st.sampled_from(["noise", "steps", "spike", "zero", "buzz"]),
)
def test_every_sound_gives_finite_statistics(seed: int, length: int, kind: str) -> None:
    chance = np.random.default_rng(seed)
    samples = {
        "noise": chance.normal(0, 0.3, length),
        "steps": np.repeat(chance.uniform(-1, 1, length // 50 + 1), 50)[:length],
        "spike": np.eye(1, length, int(chance.integers(length)))[0],
        "zero": np.zeros(length),
        "buzz": voice(float(chance.uniform(70, 500)), 2.0)[:length],
    }[kind]
    frames = describe(samples.astype(np.float32))
    row = statistics(frames, find_speech(frames))
    assert row.shape == (len(feature_names()),)
    assert np.isfinite(row).all()


def test_frames_of_pieces_are_the_frames_of_the_whole() -> None:
    samples = voice(200)
    whole = describe(samples)
    first = describe(samples[: 50 * HOP + FRAME])
    second = describe(samples[51 * HOP :])
    assert np.allclose(join([first, second]).mel_db, whole.mel_db, atol=1e-3)


def test_a_higher_and_livelier_voice_reads_so_in_the_summary() -> None:
    low, high = (describe(voice(hz)) for hz in (110, 220))
    difference = (
        summary(high, find_speech(high))["pitch_st"] - summary(low, find_speech(low))["pitch_st"]
    )
    assert difference == pytest.approx(12.0, abs=0.3)


def test_the_signal_to_noise_ratio_is_about_right() -> None:
    chance = np.random.default_rng(0)
    gaps = np.concatenate([voice(150, 1.0), np.zeros(4_000, np.float32), voice(150, 1.0)])
    for snr_db in (5.0, 10.0, 20.0):
        frames = describe(add_noise(gaps, chance.normal(0, 1, len(gaps)), snr_db))
        assert find_speech(frames).snr_db == pytest.approx(snr_db, abs=3.5)
