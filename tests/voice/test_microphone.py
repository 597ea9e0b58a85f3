"""The microphone's channel on a sound card that is only a queue, and the rates of real ones."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.audio import StereoWriter
from voice.channels.live import LineLimits
from voice.channels.microphone import MicrophoneChannel
from voice.channels.sound_card import Rate
from voice.types import FRAME_SAMPLES, RATE_HZ, AudioFrame, EndTurn, HoldTurns, StopSpeaking


class Card:
    """Plays into nothing; `record` is the device's thread calling back."""

    name = "microphone → loudspeaker"
    hiccups = 0

    def __init__(self) -> None:
        self.queue: list[np.ndarray] = []
        self.listener = None

    def start(self, listener) -> None:
        self.listener = listener

    def play(self, samples: np.ndarray) -> None:
        self.queue.append(samples)

    def silence(self) -> float:
        dropped_ms = self.unplayed_ms()
        self.queue.clear()
        return dropped_ms

    def unplayed_ms(self) -> float:
        return sum(len(samples) for samples in self.queue) * 1000 / RATE_HZ

    def close(self) -> None:
        pass


def tone(level: int, frames: int = 1) -> np.ndarray:
    return np.full(frames * FRAME_SAMPLES, level, dtype=np.int16)


async def heard(channel: MicrophoneChannel, card: Card, blocks) -> list[AudioFrame]:
    """The frames of a call in which the device recorded `blocks`."""
    await channel.start()
    frames: list[AudioFrame] = []
    running = channel.frames()
    for recorded, played in blocks:
        await asyncio.to_thread(card.listener, recorded, played)
        frames.append(await anext(running))
    await running.aclose()
    return frames


async def test_what_is_recorded_is_heard_and_both_sides_are_kept_in_step(tmp_path: Path) -> None:
    card = Card()
    writer = StereoWriter(tmp_path / "conversation.wav")
    channel = MicrophoneChannel(
        card, LineLimits(), headphones=True, writer=writer, clock=lambda: 0.0
    )
    blocks = [(tone(100 + i), tone(-100 - i)) for i in range(10)]
    frames = await heard(channel, card, blocks)
    for frame, (recorded, _) in zip(frames, blocks, strict=True):
        assert np.array_equal(frame.samples, recorded)
    sound, _ = soundfile.read(tmp_path / "conversation.wav", dtype="int16")
    assert len(sound) == 10 * FRAME_SAMPLES
    assert np.array_equal(sound[:, 0], -sound[:, 1])


async def test_push_to_talk_opens_the_microphone_and_ends_the_turn() -> None:
    card = Card()
    channel = MicrophoneChannel(
        card, LineLimits(), headphones=True, push_to_talk=True, clock=lambda: 0.0
    )
    closed = await heard(channel, card, [(tone(500), tone(0))])
    assert not closed[0].samples.any()
    assert closed[0].acts == (HoldTurns(True),)
    channel.talk(True)
    opened = await heard(channel, card, [(tone(500), tone(0))])
    assert opened[0].samples.any()
    assert opened[0].acts == (StopSpeaking(),)
    channel.talk(False)
    ended = await heard(channel, card, [(tone(500), tone(0))])
    assert not ended[0].samples.any()
    assert ended[0].acts == (EndTurn(),)


async def test_what_was_not_played_was_not_heard() -> None:
    card = Card()
    channel = MicrophoneChannel(card, LineLimits(), headphones=True)
    line = asyncio.ensure_future(channel._speech.run(channel._send))
    await channel.play(tone(7, frames=50))
    await asyncio.sleep(0.05)
    assert channel.heard_ms() < 100
    await channel.clear()
    assert not card.queue
    assert channel.heard_ms() < 100
    line.cancel()


@pytest.mark.parametrize("device_hz", [44_100, 48_000, 8_000])
@settings(max_examples=20, deadline=None)
@given(counts=st.lists(st.integers(64, 1_200), min_size=1, max_size=20))
def test_a_device_gets_as_many_samples_as_it_asks_for(device_hz: int, counts: list[int]) -> None:
    rate = Rate(RATE_HZ, device_hz)
    taken = 0
    for count in counts:
        needed = rate.needed(count)
        assert len(rate.exactly(np.zeros(needed, dtype=np.int16), count)) == count
        taken += needed
    assert abs(taken / RATE_HZ - sum(counts) / device_hz) < 0.001
