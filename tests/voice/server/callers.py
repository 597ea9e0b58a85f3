"""Callers of our own on real sockets: they speak in real time, and listen."""

from __future__ import annotations

import asyncio
import base64
import json
import time
import uuid
import xml.etree.ElementTree as ET
from abc import ABC, abstractmethod
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx
import numpy as np
import websockets
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
from voice.channels.twilio_signature import signature
from voice.g711 import decode_mulaw, encode_mulaw
from voice.types import Pcm

FRAME = 160
FRAME_S = 0.02
LOUD = 300
PAUSE_S = 1.2
"""A pause inside an answer is shorter."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the caller says: samples at the wire's rate, without silence around them."""

    samples: Pcm
    text: str


def turns_of(recording: Path, rate_hz: int = 8_000) -> list[Said]:
    """The turns of a shipped recording, cut where its YAML says."""
    about = yaml.safe_load(recording.with_suffix(".yaml").read_text(encoding="utf-8"))
    sound = to_pcm(read_audio(recording, rate_hz=rate_hz))
    per_ms = rate_hz // 1000
    return [
        Said(sound[turn["start_ms"] * per_ms : turn["end_ms"] * per_ms], turn["text"])
        for turn in about["turns"]
    ]


class Caller(ABC):
    """Sends a frame every 20 ms, speech or silence, and notes when it hears something."""

    frame = FRAME

    def __init__(self) -> None:
        self._mouth: deque[Pcm] = deque()
        self._silent = asyncio.Event()
        self._silent.set()
        self._tasks: list[asyncio.Task[None]] = []
        self.over = asyncio.Event()
        self.loud_at_s: list[float] = []
        self.talked_over = 0
        """Turns that the assistant did not fall silent for: what was heard after them was no answer
        to them."""
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
        self._tasks += [
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
        silence = np.zeros(self.frame, dtype=np.int16)
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
        size = self.frame
        samples = np.pad(said.samples, (0, -len(said.samples) % size))
        self._silent.clear()
        self._mouth.extend(samples[i : i + size] for i in range(0, len(samples), size))
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

        With `barge_in` the first turn interrupts the opening. A turn that the assistant talks over
        has no gap.
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
            began_s = time.monotonic()
            ended_s = await self.say(turn)
            late_s = max(ended_s - PAUSE_S, (began_s + ended_s) / 2)
            if self.loud_at_s[-1] > late_s:
                self.talked_over += 1
            else:
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


def form(token: str, url: str, fields: dict[str, str]) -> dict[str, Any]:
    """A form as Twilio posts it: the fields, and their signature."""
    signed = signature(token, url, fields.items())
    return {"data": fields, "headers": {"X-Twilio-Signature": signed}}


class TwilioCaller(Caller):
    """A call as Twilio carries it: asks for TwiML, opens the stream, plays in its own time, sends
    marks back. With `messy` pieces come twice, out of order, or not at all."""

    def __init__(self, port: int, token: str, *, phone: str = "", messy: bool = False) -> None:
        super().__init__()
        self._base = f"127.0.0.1:{port}"
        self._token = token
        self._messy = messy
        self._phone = phone
        self._chunk = 0
        self._late: str | None = None
        self._line: deque[Pcm | str] = deque()
        self._socket: Any = None
        self.call = "CA" + uuid.uuid4().hex
        self.stream = "MZ" + uuid.uuid4().hex
        self.cleared = 0
        self.played_ms = 0
        self.twiml = ""

    async def connect(self) -> None:
        url = f"http://{self._base}/twilio/voice"
        fields = {"CallSid": self.call, "From": self._phone, "To": "+15550100"}
        async with httpx.AsyncClient(timeout=30) as client:
            answer = await client.post(url, **form(self._token, url, fields))
        self.twiml = answer.text
        stream = ET.fromstring(answer.text).find("Connect/Stream")
        if stream is None:
            return
        address = stream.attrib["url"]
        parameters = {p.attrib["name"]: p.attrib["value"] for p in stream}
        self._socket = await websockets.connect(
            address,
            additional_headers={"X-Twilio-Signature": signature(self._token, address)},
            proxy=None,
        )
        await self._say({"event": "connected", "protocol": "Call", "version": "1.0.0"})
        await self._say(
            {
                "event": "start",
                "sequenceNumber": "1",
                "streamSid": self.stream,
                "start": {
                    "accountSid": "AC0",
                    "streamSid": self.stream,
                    "callSid": self.call,
                    "tracks": ["inbound"],
                    "mediaFormat": {
                        "encoding": "audio/x-mulaw",
                        "sampleRate": 8000,
                        "channels": 1,
                    },
                    "customParameters": parameters,
                },
            }
        )
        self._tasks.append(asyncio.create_task(self._play()))

    async def _say(self, message: dict[str, Any]) -> None:
        try:
            await self._socket.send(json.dumps(message))
        except websockets.ConnectionClosed as closed:
            raise ConnectionError from closed

    async def send(self, samples: Pcm) -> None:
        self._chunk += 1
        payload = base64.b64encode(encode_mulaw(samples)).decode()
        media = {
            "track": "inbound",
            "chunk": str(self._chunk),
            "timestamp": str(self._chunk * 20),
            "payload": payload,
        }
        message = {"event": "media", "streamSid": self.stream, "media": media}
        if self._messy and self._chunk % 10 == 3:
            self._late = json.dumps(message)
            return
        if self._messy and self._chunk % 50 == 27:
            return
        await self._say(message)
        if self._messy and self._chunk % 7 == 0:
            await self._say(message)
        if self._late is not None:
            late, self._late = self._late, None
            await self._say(json.loads(late))

    async def press(self, keys: str) -> None:
        for key in keys:
            await self._say({"event": "dtmf", "streamSid": self.stream, "dtmf": {"digit": key}})

    async def listen(self) -> None:
        if self._socket is None:
            return
        try:
            async for text in self._socket:
                await self._take(json.loads(text))
        except websockets.ConnectionClosed:
            return

    async def _take(self, message: dict[str, Any]) -> None:
        assert message["streamSid"] == self.stream
        match message["event"]:
            case "media":
                sound = decode_mulaw(base64.b64decode(message["media"]["payload"]))
                self._line.extend(sound[i : i + FRAME] for i in range(0, len(sound), FRAME))
            case "mark":
                self._line.append(message["mark"]["name"])
            case "clear":
                self.cleared += 1
                held = [item for item in self._line if isinstance(item, str)]
                self._line.clear()
                for name in held:
                    await self._mark(name)

    async def _mark(self, name: str) -> None:
        await self._say({"event": "mark", "streamSid": self.stream, "mark": {"name": name}})

    async def _play(self) -> None:
        next_s = time.monotonic()
        with suppress(OSError):
            while True:
                while self._line and isinstance(self._line[0], str):
                    await self._mark(str(self._line.popleft()))
                if self._line:
                    item = self._line.popleft()
                    assert not isinstance(item, str)
                    self.hear(item)
                    self.played_ms += 20
                next_s = max(next_s, time.monotonic() - 0.1) + FRAME_S
                await asyncio.sleep(max(0.0, next_s - time.monotonic()))

    async def hang_up(self) -> None:
        if self._socket is not None:
            await self._say({"event": "stop", "streamSid": self.stream, "stop": {}})
            await self._socket.close()


KIOSK_HZ = 24_000


class KioskCaller(Caller):
    """A client of the Realtime protocol: asks for a token, opens the socket, plays in its own time
    and, with `reports`, says how much it has played."""

    frame = KIOSK_HZ * 20 // 1000

    def __init__(
        self, port: int, *, consent: str | None = None, pace: float = 1.0, reports: bool = True
    ) -> None:
        super().__init__()
        self._base = f"127.0.0.1:{port}"
        self._wanted: dict[str, Any] = {"pace": pace}
        if consent is not None:
            self._wanted["consent"] = {"emotion_voice": consent}
        self._reports = reports
        self._line: deque[Pcm] = deque()
        self._socket: Any = None
        self._item = ""
        self._item_ms = 0
        self.events: list[dict[str, Any]] = []

    async def token(self) -> str:
        """A token for one socket."""
        async with httpx.AsyncClient() as client:
            answer = await client.post(f"http://{self._base}/kiosk/token", json=self._wanted)
        return str(answer.json()["token"])

    async def connect(self) -> None:
        self._socket = await websockets.connect(
            f"ws://{self._base}/v1/realtime?model=attune",
            additional_headers={"Authorization": f"Bearer {await self.token()}"},
            proxy=None,
        )
        self._tasks.append(asyncio.create_task(self._play()))

    async def tell(self, kind: str, **fields: object) -> None:
        """Send a message."""
        try:
            await self._socket.send(json.dumps({"type": kind, **fields}))
        except websockets.ConnectionClosed as closed:
            raise ConnectionError from closed

    async def send(self, samples: Pcm) -> None:
        payload = base64.b64encode(samples.astype("<i2").tobytes()).decode()
        await self.tell("input_audio_buffer.append", audio=payload)

    async def listen(self) -> None:
        try:
            async for text in self._socket:
                await self._take(json.loads(text))
        except websockets.ConnectionClosed:
            return

    async def _take(self, message: dict[str, Any]) -> None:
        self.events.append(message)
        match message["type"]:
            case "response.output_audio.delta" | "response.audio.delta":
                if message["item_id"] != self._item:
                    self._item, self._item_ms = message["item_id"], 0
                sound = np.frombuffer(base64.b64decode(message["delta"]), dtype="<i2")
                size = self.frame
                self._line.extend(sound[i : i + size] for i in range(0, len(sound), size))
            case "output_audio_buffer.cleared" | "input_audio_buffer.speech_started":
                if self._line:
                    self._line.clear()
                    if self._reports:
                        await self._heard("conversation.item.truncate", content_index=0)

    async def _heard(self, kind: str, **fields: object) -> None:
        await self.tell(kind, item_id=self._item, audio_end_ms=self._item_ms, **fields)

    async def _play(self) -> None:
        next_s = time.monotonic()
        with suppress(OSError):
            while True:
                if self._line:
                    self.hear(self._line.popleft())
                    self._item_ms += 20
                    if self._reports and (self._item_ms % 100 == 0 or not self._line):
                        await self._heard("attune.playback")
                next_s = max(next_s, time.monotonic() - 0.1) + FRAME_S
                await asyncio.sleep(max(0.0, next_s - time.monotonic()))

    async def hang_up(self) -> None:
        await self._socket.close()

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of a kind so far."""
        return [event for event in self.events if event["type"] == kind]

    async def gets(self, kind: str, after: int = 0, timeout_s: float = 60.0) -> dict[str, Any]:
        """The next event of a kind, `after` of which had come before; waits for it."""
        async with asyncio.timeout(timeout_s):
            while len(self.of(kind)) <= after:
                if self.over.is_set():
                    raise AssertionError(f"the session ended without {kind}")
                await asyncio.sleep(FRAME_S)
        return self.of(kind)[after]

    @property
    def told(self) -> str:
        """Every word of the assistant so far."""
        deltas = self.of("response.output_audio_transcript.delta")
        return "".join(each["delta"] for each in deltas)

    async def says(self, words: str, timeout_s: float = 60.0) -> None:
        """Wait until the assistant has said this."""
        async with asyncio.timeout(timeout_s):
            while words not in self.told:
                if self.over.is_set():
                    raise AssertionError(f"the session ended without '{words}'")
                await asyncio.sleep(FRAME_S)
