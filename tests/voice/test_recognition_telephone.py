from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.recognition.telephone import (
    CEPSTRA,
    CONTEXT,
    HOP,
    SETTLE,
    BandMap,
    BandStream,
    is_telephone_band,
    log_bands,
)
from voice.recognition.training.telephone_line import telephone_line
from voice.types import RATE_HZ, Pcm

CLEAR = (
    "angry_late_delivery",
    "sad_gift_for_funeral",
    "confused_bill",
    "wants_human",
    "neutral_where_is_my_order",
)


def sound(samples_dir: Path, name: str) -> Pcm:
    audio, rate = soundfile.read(samples_dir / f"{name}.flac", dtype="float32")
    wide = soxr.resample(audio, rate, RATE_HZ)
    return np.round(np.clip(wide, -1, 1) * 32_767).astype(np.int16)


@pytest.mark.parametrize("name", CLEAR)
def test_clear_speech_is_not_taken_for_a_telephone(samples_dir: Path, name: str) -> None:
    samples = sound(samples_dir, name)
    assert not is_telephone_band(samples)
    assert not is_telephone_band(samples[: 2 * RATE_HZ]), "the first two seconds are enough"


def test_the_telephone_sample_is_one(samples_dir: Path) -> None:
    samples = sound(samples_dir, "telephone_refund")
    assert is_telephone_band(samples)
    assert is_telephone_band(samples[: 2 * RATE_HZ])


@pytest.mark.parametrize("name", CLEAR)
@pytest.mark.parametrize("snr_db", [15, 30])
def test_clear_speech_over_a_line_is_telephone_speech(
    samples_dir: Path, name: str, snr_db: float
) -> None:
    random = np.random.default_rng(2)
    samples = sound(samples_dir, name)[: 4 * RATE_HZ] / 32_768
    heard = telephone_line(samples, random, band_hz=(300, 3_400), snr_db=snr_db)
    assert is_telephone_band(np.round(heard * 32_767).astype(np.int16))


def test_silence_has_no_band() -> None:
    assert not is_telephone_band(np.zeros(RATE_HZ, np.int16))
    assert not is_telephone_band(np.zeros(3, np.int16))


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 4_000), min_size=1, max_size=12), st.integers(0, 2**31))
def test_every_frame_is_mapped_once_however_the_sound_is_cut(sizes: list[int], seed: int) -> None:
    samples = (np.random.default_rng(seed).standard_normal(sum(sizes)) * 3_000).astype(np.int16)
    stream = BandStream(BandMap.load())
    at, pieces = 0, []
    for size in sizes:
        pieces.append(stream.accept(samples[at : at + size]))
        at += size
    pieces.append(stream.flush())
    mapped = np.concatenate(pieces)
    assert mapped.shape == (len(log_bands(samples.astype(np.float32))), CEPSTRA)
    assert np.isfinite(mapped).all()


def test_what_comes_out_lags_by_no_more_than_the_context() -> None:
    samples = (np.random.default_rng(1).standard_normal(2 * RATE_HZ) * 3_000).astype(np.int16)
    stream = BandStream(BandMap.load())
    settled = SETTLE * HOP + 2 * HOP
    out = len(stream.accept(samples[:settled]))
    assert out > 0
    for start in range(settled, len(samples), 320):
        out += len(stream.accept(samples[start : start + 320]))
        heard = (min(start + 320, len(samples)) - 410) // HOP + 1
        assert out == heard - CONTEXT


def test_the_mapping_brings_telephone_speech_nearer_to_clear_speech(samples_dir: Path) -> None:
    """Loudness over time, the first cepstrum, must follow the speech at any level of the line."""
    clear = sound(samples_dir, "wants_human")[: 4 * RATE_HZ] / 32_768
    energy = log_bands((clear * 32_768).astype(np.float32)).mean(axis=1)
    for level_db in (-30, -15):
        heard = telephone_line(
            clear, np.random.default_rng(3), band_hz=(300, 3_400), snr_db=30, level_db=level_db
        )
        stream = BandStream(BandMap.load())
        pcm = np.round(heard * 32_767).astype(np.int16)
        mapped = np.concatenate([stream.accept(pcm), stream.flush()])
        assert np.corrcoef(mapped[:, 0], energy[: len(mapped)])[0, 1] > 0.85
