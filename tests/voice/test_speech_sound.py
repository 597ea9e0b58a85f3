"""Measuring, mastering and reshaping speech, on sounds whose properties are known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialogue.types import Delivery
from nlu.types import Samples
from voice.audio import to_float
from voice.speech import open_synthesizer
from voice.speech.calibration import load
from voice.speech.master import CEILING, Master, limited, mastered
from voice.speech.prosody import (
    Measurement,
    achieved,
    f0_track_hz,
    loudness,
    measure,
    speech_extent,
    together,
)
from voice.speech.psola import with_melody
from voice.types import RATE_HZ


def buzz(hz: float, seconds: float = 1.0) -> Samples:
    """A voice-like tone: falling harmonics under a slow swell."""
    t = np.arange(int(RATE_HZ * seconds)) / RATE_HZ
    wave = sum(np.sin(2 * np.pi * hz * k * t) / k for k in range(1, 12))
    return (0.1 * wave * (1 + 0.3 * np.sin(2 * np.pi * 3 * t))).astype(np.float32)


@pytest.fixture(scope="module")
def speech() -> Iterator[Samples]:
    synthesizer = open_synthesizer()
    text = "I have sent a new one, and you will have it on Wednesday morning."
    yield to_float(np.concatenate([c.samples for c in synthesizer.speak(text, Delivery())]))
    synthesizer.close()


@settings(max_examples=25, deadline=None)
@given(hz=st.floats(90, 400))
def test_pitch_is_found_to_a_twentieth_of_a_semitone(hz: float) -> None:
    track = f0_track_hz(buzz(hz, 0.5))
    voiced = track[track > 0]
    assert len(voiced) > 0.9 * len(track)
    assert abs(12 * np.log2(np.median(voiced) / hz)) < 0.05


def test_noise_and_silence_have_no_pitch() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, RATE_HZ).astype(np.float32)
    assert (f0_track_hz(noise) > 0).mean() < 0.02
    assert not f0_track_hz(np.zeros(RATE_HZ, dtype=np.float32)).any()
    assert len(f0_track_hz(np.zeros(10, dtype=np.float32))) == 0


def test_silence_around_speech_does_not_count_as_pace() -> None:
    padded = np.pad(buzz(200), (8_000, 4_000)).astype(np.float32)
    first, last = speech_extent(padded)
    assert abs(first - 8_000) < 100
    assert abs(last - 24_000) < 100


def test_twice_as_loud_is_six_decibels_more() -> None:
    tone = buzz(200)
    assert loudness(2 * tone) - loudness(tone) == pytest.approx(6.02, abs=0.02)
    assert loudness(np.zeros(100, dtype=np.float32)) == -70.0


def test_two_halves_measure_as_the_whole() -> None:
    low, high = measure(buzz(180), 3), measure(buzz(220), 4)
    both = together([low, high])
    assert both.words == 7
    assert both.seconds == pytest.approx(low.seconds + high.seconds)
    assert low.f0_mean_st < both.f0_mean_st < high.f0_mean_st
    assert both.f0_variance > max(low.f0_variance, high.f0_variance)


def test_nothing_said_achieves_nothing() -> None:
    silence = Measurement(0.0, 0, 0, 0.0, 0.0, -70.0)
    assert achieved(silence, silence) is None
    assert together([]) == silence


def test_the_master_gives_the_same_sound_whole_and_in_pieces(speech: Samples) -> None:
    whole = mastered(speech, RATE_HZ, 3.0)
    chain = Master(RATE_HZ, 3.0)
    parts = [chain.push(block) for block in np.array_split(speech, 37)]
    parts.append(chain.push(np.zeros(0, dtype=np.float32), last=True))
    assert np.allclose(np.concatenate(parts), whole, atol=1e-5)


def test_the_master_cuts_the_silence_around_and_fades_the_edges() -> None:
    out = mastered(np.pad(buzz(200), (8_000, 8_000)).astype(np.float32), RATE_HZ, 0.0)
    assert len(out) < RATE_HZ * 1.05
    assert abs(out[0]) < 1e-3 and abs(out[-1]) < 1e-3


def test_silence_stays_silence() -> None:
    assert len(mastered(np.zeros(RATE_HZ, dtype=np.float32), RATE_HZ, 20.0)) < RATE_HZ // 100


@given(st.lists(st.floats(-8, 8, width=32), min_size=1, max_size=50))
def test_the_limiter_holds_the_ceiling_and_keeps_the_order(values: list[float]) -> None:
    samples = np.array(sorted(values), dtype=np.float32)
    bent = limited(samples)
    assert np.abs(bent).max() <= CEILING + 1e-6
    assert (np.diff(bent) >= -1e-6).all()
    quiet = np.abs(samples) < 0.7
    assert np.array_equal(bent[quiet], samples[quiet])


@pytest.mark.parametrize(("pitch_st", "spread"), [(2.0, 1.0), (-2.0, 1.0), (1.0, 1.25), (0, 0.8)])
def test_psola_moves_pitch_and_melody_and_leaves_pace_and_level(
    speech: Samples, pitch_st: float, spread: float
) -> None:
    before, after = measure(speech, 14), measure(with_melody(speech, pitch_st, spread), 14)
    got = achieved(after, before)
    assert got is not None
    assert got.pitch_st == pytest.approx(pitch_st, abs=0.15)
    assert got.range == pytest.approx(spread, rel=0.1)
    assert got.rate == pytest.approx(1.0, abs=0.01)
    assert got.level_db == pytest.approx(0.0, abs=1.0)


def test_psola_keeps_the_formants(speech: Samples) -> None:
    def centroid(samples: Samples) -> float:
        power = np.abs(np.fft.rfft(samples)) ** 2
        hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
        band = (hz > 300) & (hz < 4_000)
        return float((hz * power)[band].sum() / power[band].sum())

    moved = 12 * np.log2(centroid(with_melody(speech, 2.0, 1.0)) / centroid(speech))
    assert abs(moved) < 0.8, "plain resampling would move them by two semitones"


def test_neutral_asks_for_the_voice_as_it_is() -> None:
    calibration = load("en-us+f2")
    assert calibration.settings(Delivery()) == calibration.neutral
    assert load("en-gb+f3").neutral == calibration.neutral


@given(st.floats(0.85, 1.15), st.floats(0.85, 1.15), st.floats(-2, 2), st.floats(-2, 2))
def test_more_asked_is_never_less_given(
    pace_a: float, pace_b: float, pitch_a: float, pitch_b: float
) -> None:
    calibration = load("en-us+f2")
    low, high = sorted((pace_a, pace_b))
    assert calibration.rate_for(low) <= calibration.rate_for(high)
    low, high = sorted((pitch_a, pitch_b))
    if high - low > 0.5:
        lower = calibration.settings(Delivery(pitch_st=low))
        assert lower.pitch < calibration.settings(Delivery(pitch_st=high)).pitch
