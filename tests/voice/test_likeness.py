"""How much like somebody talking: what the network is given, frame by frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.audio import DIGITAL_SILENCE_DB, read_audio, to_pcm
from voice.turns.likeness import BANDS, KINDS, FrameFeatures, Judged, Network, SpeechLikeness
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


def noisy_frames(count: int, seed: int) -> list[Judged]:
    random = np.random.default_rng(seed)
    frames = []
    for number in range(count):
        samples = random.normal(0, 3_000, FRAME_SAMPLES).astype(np.int16)
        activity = VoiceActivity(random.uniform(), True, -20.0, -60.0)
        if random.uniform() < 0.2:
            samples, activity = samples * 0, VoiceActivity(0.0, False, DIGITAL_SILENCE_DB, -60.0)
        frames.append((AudioFrame(samples, number * FRAME_MS), activity))
    return frames


def test_the_networks_side_by_side_say_what_each_says_alone() -> None:
    frames = noisy_frames(50, 5)
    features, networks = FrameFeatures().follow(frames), Network.load()
    states = [network.follow(features, np.zeros_like(network.out)) for network in networks]
    said = SpeechLikeness().follow(frames)
    for each, *alone in zip(said, *states, strict=True):
        odds = [
            float(network.out @ state) + network.out_bias
            for network, state in zip(networks, alone, strict=True)
        ]
        assert each.likely == pytest.approx(np.mean(odds), abs=1e-4)
        kinds = [np.mean(odds[kind :: len(KINDS)]) for kind in range(len(KINDS))]
        assert each.surely == pytest.approx(min(kinds), abs=1e-4)


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(1, 20), max_size=12), seed=st.integers(0, 99))
def test_frames_are_the_same_together_and_one_by_one(cuts: list[int], seed: int) -> None:
    frames = noisy_frames(sum(cuts), seed)
    alone, together = SpeechLikeness(), SpeechLikeness()
    expected = [said for frame in frames for said in alone.follow([frame])]
    found, start = [], 0
    for cut in cuts:
        found += together.follow(frames[start : start + cut])
        start += cut
    assert [each.likely for each in found] == pytest.approx(
        [each.likely for each in expected], abs=1e-3
    )
