"""How much like somebody talking: what the network is given, frame by frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from voice.audio import read_audio, to_pcm
from voice.turns.likeness import FrameFeatures
from voice.types import FRAME_MS, FRAME_SAMPLES, RATE_HZ, AudioFrame
from voice.vad import DIGITAL_SILENCE_DB, SpeechDetector

SAMPLES = Path(__file__).parents[2] / "audio_samples"


def test_digital_silence_is_described_as_if_it_had_been_looked_at() -> None:
    speech = to_pcm(read_audio(SAMPLES / "telephone_refund.flac", rate_hz=RATE_HZ))[:32_000]
    silence = np.zeros(16_000, dtype=np.int16)
    sound = np.concatenate([silence, speech, silence, speech[:8_000], silence])
    detector, shortened, looked_at = SpeechDetector(), FrameFeatures(), FrameFeatures()
    silent = 0
    for number in range(len(sound) // FRAME_SAMPLES):
        piece = sound[number * FRAME_SAMPLES : (number + 1) * FRAME_SAMPLES]
        frame = AudioFrame(piece, number * FRAME_MS)
        activity = detector.push(frame)
        silent += activity.level_db == DIGITAL_SILENCE_DB
        assert (activity.level_db == DIGITAL_SILENCE_DB) == (not piece.any())
        not_quite = replace(activity, level_db=activity.level_db + 1e-6)
        found, expected = shortened.push(frame, activity), looked_at.push(frame, not_quite)
        assert np.allclose(found, expected, atol=1e-6)
    assert silent > 100
