"""How much like somebody talking: what the network is given, frame by frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from voice.audio import read_audio, to_pcm
from voice.turns.likeness import BANDS, KINDS, FrameFeatures, Network, SpeechLikeness
from voice.types import FRAME_MS, FRAME_SAMPLES, RATE_HZ, AudioFrame
from voice.vad import SpeechDetector, VoiceActivity

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


def test_the_networks_side_by_side_say_what_each_says_alone() -> None:
    random = np.random.default_rng(5)
    likeness, features = SpeechLikeness(), FrameFeatures()
    networks = Network.load()
    states = [np.zeros_like(network.out) for network in networks]
    for number in range(50):
        samples = random.normal(0, 3_000, FRAME_SAMPLES).astype(np.int16)
        frame = AudioFrame(samples, number * FRAME_MS)
        activity = VoiceActivity(random.uniform(), True, -20.0, -60.0)
        heard = features.push(frame, activity)
        states = [
            network.step(heard, state) for network, state in zip(networks, states, strict=True)
        ]
        odds = [
            float(network.out @ state) + network.out_bias
            for network, state in zip(networks, states, strict=True)
        ]
        said = likeness.push(frame, activity)
        assert said.likely == pytest.approx(np.mean(odds), abs=1e-4)
        kinds = [np.mean(odds[kind :: len(KINDS)]) for kind in range(len(KINDS))]
        assert said.surely == pytest.approx(min(kinds), abs=1e-4)
