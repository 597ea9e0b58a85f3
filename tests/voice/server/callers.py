"""Callers of our own on real sockets: they speak in real time, and listen."""

from __future__ import annotations

import asyncio
import time
import uuid
from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import yaml

from voice.audio import read_audio, to_pcm
from voice.channels.audiosocket_wire import (
    CallId,
    Decoder,
    HangUp,
    Key,
    Sound,
    encode,
)
from voice.types import Pcm

FRAME = 160
FRAME_S = 0.02
LOUD = 300
PAUSE_S = 1.2
"""A pause inside an answer is shorter."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the caller says: 8 kHz samples without silence around them."""

    samples: Pcm
    text: str


def turns_of(recording: Path) -> list[Said]:
    """The turns of a shipped recording, cut where its YAML says."""
    about = yaml.safe_load(recording.with_suffix(".yaml").read_text(encoding="utf-8"))
    sound = to_pcm(read_audio(recording, rate_hz=8_000))
    return [
        Said(sound[turn["start_ms"] * 8 : turn["end_ms"] * 8], turn["text"])
        for turn in about["turns"]
    ]


class Caller(ABC):
    """Sends a frame every 20 ms, speech or silence, and notes when it hears something."""

    def __init__(self) -> None:
        self._mouth: deque[Pcm] = deque()
        self._silent = asyncio.Event()
        self._silent.set()
        self._tasks: list[asyncio.Task[None]] = []
        self.over = asyncio.Event()
        self.loud_at_s: list[float] = []
        self.heard: list[Pcm] = []

    @abstractmethod
    async def connect(self) -> None:
        """Open the line."""

    @abstractmethod
    async def send(self, samples: Pcm) -> None:
        """Send 20 ms."""

    @abstractmethod
    async def listen(self) -> None:
        """Take what comes until the line ends."""

    @abstractmethod
    async def hang_up(self) -> None:
        """Close the line."""

    async def __aenter__(self) -> Self:
        await self.connect()
        self._tasks = [
            asyncio.create_task(self._speak()),
            asyncio.create_task(self._listen()),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(Exception):
            await self.hang_up()

    async def _listen(self) -> None:
        try:
            with suppress(OSError):
                await self.listen()
        finally:
            self.over.set()

    async def _speak(self) -> None:
        silence = np.zeros(FRAME, dtype=np.int16)
        next_s = time.monotonic()
        with suppress(OSError):
            while not self.over.is_set():
                frame = self._mouth.popleft() if self._mouth else silence
                await self.send(frame)
                if not self._mouth:
                    self._silent.set()
                next_s += FRAME_S
                await asyncio.sleep(max(0.0, next_s - time.monotonic()))

    def hear(self, samples: Pcm) -> None:
        """Note a frame that came in."""
        self.heard.append(samples)
        if len(samples) and np.abs(samples.astype(np.int32)).max() > LOUD:
            self.loud_at_s.append(time.monotonic())

    async def say(self, said: Said) -> float:
        """Speak; returns when the last sample went out."""
        samples = np.pad(said.samples, (0, -len(said.samples) % FRAME))
        self._silent.clear()
        self._mouth.extend(samples[i : i + FRAME] for i in range(0, len(samples), FRAME))
        await self._silent.wait()
        return time.monotonic()

    async def hears_something(self, since_s: float, timeout_s: float = 60.0) -> float:
        """When the first sound after `since_s` came; waits for it."""
        async with asyncio.timeout(timeout_s):
            while not self.loud_at_s or self.loud_at_s[-1] <= since_s:
                if self.over.is_set():
                    raise AssertionError("the line ended before an answer")
                await asyncio.sleep(FRAME_S)
        return next(at_s for at_s in self.loud_at_s if at_s > since_s)

    async def hears_all(self, timeout_s: float = 90.0) -> None:
        """Wait until the assistant has been silent for a while, or has hung up."""
        async with asyncio.timeout(timeout_s):
            while not self.over.is_set() and time.monotonic() - self.loud_at_s[-1] < PAUSE_S:
                await asyncio.sleep(FRAME_S)

    async def converse(self, turns: list[Said], *, barge_in: bool = False) -> list[float]:
        """Say every turn, each once the answer to the one before is over; the gaps in seconds.

        With `barge_in` the first turn interrupts the opening.
        """
        gaps: list[float] = []
        await self.hears_something(0.0)
        if barge_in:
            await asyncio.sleep(0.5)
        else:
            await self.hears_all()
        for turn in turns:
            if self.over.is_set():
                break
            ended_s = await self.say(turn)
            gaps.append(await self.hears_something(ended_s) - ended_s)
            await self.hears_all()
        return gaps


class AudioSocketCaller(Caller):
    """A call from an Asterisk box."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self.id = uuid.uuid4()
        self.hung_up = False
        self._reader: Any = None
        self._writer: Any = None

    async def connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writer.write(encode(CallId(self.id)))

    async def send(self, samples: Pcm) -> None:
        self._writer.write(encode(Sound(samples)))
        await self._writer.drain()

    def press(self, keys: str) -> None:
        for key in keys:
            self._writer.write(encode(Key(key)))

    async def listen(self) -> None:
        decoder = Decoder()
        while data := await self._reader.read(4_096):
            for message in decoder.feed(data):
                if isinstance(message, Sound):
                    self.hear(message.samples)
                elif isinstance(message, HangUp):
                    self.hung_up = True
                    return

    async def hang_up(self) -> None:
        self._writer.write(encode(HangUp()))
        await self._writer.drain()
        self._writer.close()
