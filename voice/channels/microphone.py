"""A call through the machine's own microphone and loudspeaker.

Through loudspeakers the assistant hears itself: `EchoGuard` takes its voice out of the microphone
and lets through only what is clearly somebody else. With headphones nothing is taken out.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator

import numpy as np

from dialogue.types import HandoffBrief
from voice.audio import StereoWriter
from voice.channels.echo import EchoGuard
from voice.channels.line import LiveLine
from voice.channels.live import Clock, LineLimits
from voice.channels.sound_card import SoundCard
from voice.channels.wire import WireError
from voice.types import (
    FRAME_SAMPLES,
    RATE_HZ,
    AudioFrame,
    EndTurn,
    HoldTurns,
    Pcm,
    StopSpeaking,
)

LEAD_MS = 40
_HELD_FRAMES = 250
_LEVEL_FALLS = 0.8


class CardPlayout:
    """What the sound card has played of what it was given: it is asked."""

    def __init__(self, card: SoundCard) -> None:
        self._card = card

    def sent(self, piece_ms: int, now_s: float) -> None:
        """The card counts itself."""
        del piece_ms, now_s

    def unplayed_ms(self, now_s: float) -> float:
        """How much has not been heard yet."""
        del now_s
        return self._card.unplayed_ms()

    def cleared(self, now_s: float) -> float:
        """Take back what the card has not been given yet; returns how much that is, in ms."""
        del now_s
        return self._card.silence()


class MicrophoneChannel(LiveLine):
    """The caller in front of this machine.

    `headphones` says that the microphone does not hear the assistant. With `push_to_talk` the
    microphone is deaf until `talk(True)`. `writer` gets both sides as the loop heard them.
    """

    name = "microphone"

    def __init__(
        self,
        card: SoundCard,
        limits: LineLimits,
        *,
        headphones: bool = False,
        push_to_talk: bool = False,
        writer: StereoWriter | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        super().__init__(limits, LEAD_MS, CardPlayout(card), clock, rate_hz=RATE_HZ)
        self._card = card
        self._guard = None if headphones else EchoGuard()
        self._writer = writer
        self._heard: Pcm = np.zeros(0, dtype=np.int16)
        self._given: Pcm = np.zeros(0, dtype=np.int16)
        self._played: deque[Pcm] = deque(maxlen=_HELD_FRAMES)
        self._levels = [0.0, 0.0]
        self._hiccups = 0
        self._push_to_talk = push_to_talk
        self.open = not push_to_talk
        """Whether the microphone is listened to."""
        if push_to_talk:
            self._arrivals.act(HoldTurns(True))

    @property
    def levels(self) -> tuple[float, float]:
        """How loud microphone and assistant are now, from 0 to 1 (full scale); falls slowly."""
        return self._levels[0], self._levels[1]

    def talk(self, is_open: bool) -> None:
        """Push-to-talk: open the microphone, which silences the assistant, or end the turn."""
        if not self._push_to_talk or is_open == self.open:
            return
        self.open = is_open
        self._arrivals.act(StopSpeaking() if is_open else EndTurn())

    def press(self, key: str) -> None:
        """A telephone key."""
        self._arrivals.press(key)

    async def start(self) -> None:
        """Begin to listen. Raises `AttuneError` where the device does not start."""
        loop = asyncio.get_running_loop()

        def take(heard: Pcm, given: Pcm) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._take, heard, given)

        await asyncio.to_thread(self._card.start, take)

    def _take(self, heard: Pcm, given: Pcm) -> None:
        if self._guard is not None and self._card.hiccups != self._hiccups:
            # What was lost in the device has moved the echo.
            self._guard.relearn()
        self._hiccups = self._card.hiccups
        self._heard = np.concatenate([self._heard, heard])
        self._given = np.concatenate([self._given, given])
        while min(len(self._heard), len(self._given)) >= FRAME_SAMPLES:
            frame, self._heard = self._heard[:FRAME_SAMPLES], self._heard[FRAME_SAMPLES:]
            playing, self._given = self._given[:FRAME_SAMPLES], self._given[FRAME_SAMPLES:]
            self._levels = [
                max(_peak(sound), _LEVEL_FALLS * level)
                for sound, level in zip((frame, playing), self._levels, strict=True)
            ]
            if self._guard is not None:
                frame = self._guard.push(frame, playing)
            self._arrivals.push(frame if self.open else np.zeros_like(frame))
            self._played.append(playing)

    async def frames(self) -> AsyncIterator[AudioFrame]:
        """The caller's audio until either side hangs up."""
        position = 0
        try:
            async for frame in super().frames():
                position = frame.end_ms * RATE_HZ // 1000
                if self._writer is not None:
                    self._record(self._writer, frame)
                elif self._played:
                    self._played.popleft()
                yield frame
        finally:
            if self._writer is not None:
                self._writer.close(position)

    def _record(self, writer: StereoWriter, frame: AudioFrame) -> None:
        start = frame.start_ms * RATE_HZ // 1000
        writer.put("caller", start, frame.samples)
        if self._played:
            writer.put("assistant", start, self._played.popleft())
        writer.settle(start)

    async def _receive(self) -> None:
        while not await asyncio.to_thread(self._card.ended.wait, 0.5):
            pass
        raise WireError("the sound device stopped")

    async def _send(self, samples: Pcm) -> None:
        self._card.play(samples)

    async def _put_through(self, brief: HandoffBrief) -> None:
        """There is nobody to put through to; the brief stands in the turn's record."""
        del brief
        await self.close()

    async def _hang_up(self) -> None:
        await asyncio.to_thread(self._card.close)


def _peak(samples: Pcm) -> float:
    return float(np.abs(samples.astype(np.int32)).max(initial=0)) / 32_768.0
