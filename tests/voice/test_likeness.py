"""How much like somebody talking: what the network is given, frame by frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from voice.audio import read_audio, to_pcm
from voice.turns.likeness import BANDS, FrameFeatures
from voice.types import FRAME_MS, FRAME_SAMPLES, RATE_HZ, AudioFrame
from voice.vad import SpeechDetector

SAMPLES = Path(__file__).parents[2] / "audio_samples"


def described(sound: np.ndarray) -> list[np.ndarray]:
    detector, features = SpeechDetector(), FrameFeatures()
    frames = [
        AudioFrame(sound[at : at + FRAME_SAMPLES], at * FRAME_MS // FRAME_SAMPLES)
        for at in range(0, len(sound) - FRAME_SAMPLES + 1, FRAME_SAMPLES)
    ]
    return [features.push(frame, detector.push(frame)) for frame in frames]


def test_a_hole_says_nothing_of_the_background() -> None:
    """An echo guard leaves nothing at all where it hears the assistant: the noise of the room that
    comes back after it is no louder than before."""
    noise = np.random.default_rng(1).normal(0, 50, 32_000).astype(np.int16)
    holed = noise.copy()
    holed[8_000:20_000] = 0
    whole, found = described(noise), described(holed)
    assert not np.any(found[40][:BANDS]), "in the hole"
    assert np.allclose(found[-30:], whole[-30:], atol=0.35)


def test_a_line_that_begins_with_nothing_is_a_quiet_one() -> None:
    speech = to_pcm(read_audio(SAMPLES / "telephone_refund.flac", rate_hz=RATE_HZ))[:32_000]
    first = int(np.flatnonzero(np.abs(speech.astype(int)) > 1_000)[0])
    found = described(np.concatenate([np.zeros(16_000, dtype=np.int16), speech[first:]]))
    assert not any(np.any(each[:BANDS]) for each in found[:50])
    assert max(float(each[:BANDS].max()) for each in found[50:55]) > 1.5, "far above it"
