"""Random and mutated messages against the three wires of live calls.

    python benchmarks/fuzz_wires.py [--messages 100000] [--sockets 2000] [--seed 1]

First every wire's channel is fed with so many messages in memory, in a time of its own: whatever
is not the protocol's own error, takes longer than 5 s, or is logged with a trace counts as failed.
Then `--sockets` messages go to each wire of a real server over real sockets, and afterwards a
client has to be greeted on each. Prints a line a wire; exits with 1 when anything failed.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import logging
import random
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import numpy as np
import websockets
from pydantic import SecretStr

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.voice.server.callers import (  # noqa: E402
    AudioSocketCaller,
    Caller,
    KioskCaller,
    TwilioCaller,
)
from voice.channels import twilio_wire  # noqa: E402
from voice.channels.audiosocket import AudioSocketChannel  # noqa: E402
from voice.channels.audiosocket_wire import CallId, HangUp, Key, Sound, encode  # noqa: E402
from voice.channels.browser import BrowserChannel, Wishes  # noqa: E402
from voice.channels.connection import Connection  # noqa: E402
from voice.channels.line import LiveLine  # noqa: E402
from voice.channels.live import LineLimits  # noqa: E402
from voice.channels.twilio import TwilioChannel  # noqa: E402
from voice.engines import Engines  # noqa: E402
from voice.server import kiosk_tokens  # noqa: E402
from voice.server.serving import Listening, Serving  # noqa: E402
from voice.server.switchboard import Switchboard  # noqa: E402
from voice.settings import Settings  # noqa: E402
from voice.types import (  # noqa: E402
    AnswerEnded,
    CallerFinished,
    CallerSpeaking,
    ClauseQueued,
    PartialTranscript,
)

TOKEN = "fuzz"
A_LINE = 400
"""Messages on one line before the next is opened."""
HANG_S = 5.0
PCM = base64.b64encode(bytes(640)).decode()
TWILIO: list[dict[str, Any]] = [
    {"event": "connected"},
    {"event": "media", "streamSid": "MZ1", "media": {"chunk": "7", "payload": PCM}},
    {"event": "dtmf", "dtmf": {"digit": "5"}},
    {"event": "mark", "mark": {"name": "heard-1"}},
    {"event": "stop", "stop": {}},
]
REALTIME: list[dict[str, Any]] = [
    {"type": "input_audio_buffer.append", "audio": PCM},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {"type": "response.cancel", "event_id": "mine"},
    {"type": "conversation.item.truncate", "item_id": "item_2", "audio_end_ms": 500},
    {"type": "attune.playback", "item_id": "item_2", "audio_end_ms": 100},
    {"type": "attune.consent.update", "purpose": "emotion_voice", "state": "granted"},
    {"type": "attune.pace.update", "factor": 0.9},
    {
        "type": "session.update",
        "session": {
            "audio": {
                "input": {"format": {"type": "audio/pcm", "rate": 16000}, "turn_detection": None},
                "output": {"format": {"type": "audio/pcm", "rate": 24000}},
            }
        },
    },
]
AUDIOSOCKET = [
    encode(Sound(np.zeros(160, dtype=np.int16))),
    encode(Key("5")),
    encode(CallId(uuid.UUID(int=1))),
    encode(HangUp()),
    bytes.fromhex("ff000102"),
]
ODD = [None, True, -1, 2**63, 1e308, float("nan"), "", "\ud800", "x" * 5_000, [], {}, [[]] * 50]


def odd_value(chance: random.Random, depth: int = 0) -> Any:
    if depth < 4 and chance.random() < 0.3:
        return {chance.choice(["rate", "format", "type"]): odd_value(chance, depth + 1)}
    return chance.choice(ODD)


def mutated_bytes(chance: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(out) + 1)
        match chance.randrange(4):
            case 0:
                out[at:at] = chance.randbytes(chance.randint(1, 8))
            case 1:
                del out[at : at + chance.randint(1, 8)]
            case 2 if out:
                out[at % len(out)] = chance.randrange(256)
            case 3:
                out += out[at : at + 40]
    return bytes(out)


def mutated_text(chance: random.Random, content: dict[str, Any]) -> str | bytes:
    match chance.randrange(6):
        case 0:
            return json.dumps(content)
        case 1:
            return chance.randbytes(chance.randint(0, 200))
        case 2:
            return "[" * chance.randint(1, 30_000)
        case 3:
            data = mutated_bytes(chance, json.dumps(content).encode())
            return data.decode("utf-8", "replace")
    changed = json.loads(json.dumps(content))
    place = changed
    while chance.random() < 0.5:
        inner = [value for value in place.values() if isinstance(value, dict) and value]
        if not inner:
            break
        place = chance.choice(inner)
    place[chance.choice([*place, "event", "type"])] = odd_value(chance)
    return json.dumps(changed)


def texts(chance: random.Random, golden: list[dict[str, Any]]) -> Iterator[str | bytes]:
    while True:
        yield mutated_text(chance, chance.choice(golden))


def packets(chance: random.Random) -> Iterator[bytes]:
    while True:
        data = chance.choice(AUDIOSOCKET)
        yield data if chance.random() < 0.3 else mutated_bytes(chance, data)


class Clock:
    """Goes on by 10 ms for every message."""

    now_s = 0.0

    def __call__(self) -> float:
        """Now, in seconds."""
        return self.now_s


class Memory:
    """A socket without a network: gives the next messages, swallows what is sent."""

    def __init__(self, source: Iterator[str | bytes], count: int, clock: Clock) -> None:
        self._source = source
        self.left = count
        self._clock = clock

    async def receive(self) -> str | bytes | None:
        """The next message; None after the last."""
        if self.left <= 0:
            return None
        self.left -= 1
        self._clock.now_s += 0.01
        await asyncio.sleep(0)
        return next(self._source)

    async def send(self, text: str) -> None:
        """Whatever is sent has to be text that can be sent."""
        text.encode("utf-8")

    async def close(self) -> None:
        """Nothing more comes."""
        self.left = 0


class MemoryTransport(asyncio.Transport):
    """The same as a TCP connection, which calls what it is connected to."""

    def __init__(self, memory: Memory, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._memory = memory
        self._protocol = protocol
        self._may_read = asyncio.Event()
        self._may_read.set()
        protocol.connection_made(self)
        self._reading = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        while (data := await self._memory.receive()) is not None:
            await self._may_read.wait()
            self._protocol.data_received(bytes(data))  # type: ignore[arg-type]
        self._protocol.eof_received()
        self._protocol.connection_lost(None)

    def pause_reading(self) -> None:
        """Give nothing more."""
        self._may_read.clear()

    def resume_reading(self) -> None:
        """Give again."""
        self._may_read.set()

    def is_closing(self) -> bool:
        """Whether it is closed."""
        return self._memory.left <= 0

    def write(self, data: bytes) -> None:
        """Swallowed."""

    def close(self) -> None:
        """Nothing more comes."""
        self._memory.left = 0


LIMITS = LineLimits(1e9, 1e9)


def audiosocket_line(memory: Memory, clock: Clock) -> LiveLine:
    async def answer(_: Connection) -> None:
        return

    connection = Connection(answer)
    MemoryTransport(memory, connection)
    connection.data_received(encode(CallId(uuid.UUID(int=1))))
    return AudioSocketChannel(connection, LIMITS, clock)


def twilio_line(memory: Memory, clock: Clock) -> LiveLine:
    return TwilioChannel(memory, twilio_wire.Started("MZ1", "CA1"), LIMITS, clock=clock)  # type: ignore[arg-type]


def realtime_line(memory: Memory, clock: Clock) -> LiveLine:
    wishes = Wishes(may_analyse_voice=True)
    return BrowserChannel(memory, LIMITS, "sess_1", wishes, clock=clock)  # type: ignore[arg-type]


async def one_line(line: LiveLine) -> None:
    """The call around a line: hears its frames, speaks, is told what happens, is interrupted."""
    carrying = asyncio.ensure_future(line.carry())
    number = 0
    async for frame in line.frames():
        number += 1
        if number % 10 == 1:
            line.told(CallerSpeaking(number, frame.start_ms))
            line.told(PartialTranscript(number, "my order"))
        if number % 10 == 5:
            line.told(CallerFinished(number, frame.start_ms))
            await line.play(np.zeros(3_200, dtype=np.int16))
            line.told(ClauseQueued(number, "one moment", frame.start_ms, frame.start_ms + 200))
        if number % 10 == 9:
            await line.clear()
            line.told(AnswerEnded(number, frame.start_ms, True))
        line.heard_ms()
    await carrying


async def in_memory(
    make: Callable[[Memory, Clock], LiveLine], source: Iterator[str | bytes], count: int
) -> tuple[int, int]:
    """How many messages were taken and how many lines they ended."""
    done = lines = 0
    while done < count:
        clock = Clock()
        given = min(A_LINE, count - done)
        memory = Memory(source, given, clock)
        async with asyncio.timeout(HANG_S):
            await one_line(make(memory, clock))
        done += given - max(0, memory.left)
        lines += 1
    return done, lines


class Traces(logging.Handler):
    """Counts what is logged as an error or with a trace."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note what should not be there."""
        if record.exc_info or record.levelno >= logging.ERROR:
            self.seen.append(f"{record.name}: {record.getMessage()} {record.exc_info}")


async def over_sockets(settings: Settings, count: int, chance: random.Random) -> None:
    kiosk_tokens.PER_MINUTE = 10**9
    with closing(Engines.open(settings)) as engines:
        serving = Serving(Switchboard(engines), Listening(port=0, audiosocket_port=0))
        task = asyncio.ensure_future(serving.run())
        while not serving.listening and not task.done():
            await asyncio.sleep(0.05)
        for name, attack in (
            ("audiosocket", attack_audiosocket),
            ("twilio", attack_twilio),
            ("realtime", attack_realtime),
        ):
            began_s, sent, lines = time.monotonic(), 0, 0
            while sent < count:
                async with asyncio.timeout(60):
                    sent += await attack(serving, chance, min(A_LINE, count - sent))
                lines += 1
            print(f"{name}: {sent} messages to a real server on {lines} sockets", end="")
            print(f" in {time.monotonic() - began_s:.0f} s")
        callers: list[Caller] = [
            AudioSocketCaller(serving.audiosocket_port or 0),
            TwilioCaller(serving.web_port, TOKEN),
            KioskCaller(serving.web_port),
        ]
        for caller in callers:
            async with caller:
                await caller.hears_something(0.0)
        print("afterwards a caller was greeted on each")
        serving.stop()
        serving.stop()
        await task


async def attack_audiosocket(serving: Serving, chance: random.Random, most: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", serving.audiosocket_port)
    source, sent = packets(chance), 0
    writer.write(encode(CallId(uuid.uuid4())))
    with suppress(OSError):
        while sent < most and not reader.at_eof():
            writer.write(next(source))
            await writer.drain()
            sent += 1
            with suppress(TimeoutError):
                async with asyncio.timeout(0.002):
                    await reader.read(65_536)
    writer.close()
    return max(1, sent)


async def attack_twilio(serving: Serving, chance: random.Random, most: int) -> int:
    caller = TwilioCaller(serving.web_port, TOKEN)
    await caller.connect()
    return await attack(caller._socket, texts(chance, TWILIO), most)


async def attack_realtime(serving: Serving, chance: random.Random, most: int) -> int:
    caller = KioskCaller(serving.web_port)
    await caller.connect()
    return await attack(caller._socket, texts(chance, REALTIME), most)


async def attack(socket: Any, source: Iterator[str | bytes], most: int) -> int:
    async def swallow() -> None:
        with suppress(websockets.ConnectionClosed):
            async for _ in socket:
                pass

    swallowing, sent = asyncio.ensure_future(swallow()), 0
    with suppress(websockets.ConnectionClosed, UnicodeEncodeError):
        while sent < most:
            await socket.send(next(source))
            sent += 1
            await asyncio.sleep(0.001)
    await socket.close()
    await swallowing
    return max(1, sent)


async def measure(options: argparse.Namespace, settings: Settings) -> int:
    traces = Traces()
    logging.getLogger().addHandler(traces)
    chance = random.Random(options.seed)
    for name, make, source in (
        ("audiosocket", audiosocket_line, packets(chance)),
        ("twilio", twilio_line, texts(chance, TWILIO)),
        ("realtime", realtime_line, texts(chance, REALTIME)),
    ):
        began_s = time.monotonic()
        done, lines = await in_memory(make, source, options.messages)
        print(f"{name}: {done} messages on {lines} lines in {time.monotonic() - began_s:.0f} s")
    if options.sockets:
        await over_sockets(settings, options.sockets, chance)
    print(f"{len(traces.seen)} errors or traces in the log")
    for line in traces.seen[:10]:
        print(f"  {line}")
    return 1 if traces.seen else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--sockets", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            data_dir=Path(folder),
            recognizer="sphinx",
            most_calls=8,
            twilio_auth_token=SecretStr(TOKEN),
        )
        sys.exit(asyncio.run(measure(options, settings)))


if __name__ == "__main__":
    main()
