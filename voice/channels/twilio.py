"""A call over Twilio Media Streams: one WebSocket a call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from dialogue.types import HandoffBrief
from voice.channels import twilio_wire as wire
from voice.channels.line import LiveLine
from voice.channels.live import Clock, LineLimits
from voice.channels.twilio_marks import MarkedPlayout
from voice.channels.wire import WireError
from voice.types import Pcm

LEAD_MS = 260
"""Twilio holds what comes early, and `clear` takes it back: the lead covers the way there."""
PIECE_MS = 100
START_S = 10.0


class TextSocket(Protocol):
    """A WebSocket that carries text."""

    async def receive(self) -> str | bytes | None:
        """The next message; None once it is closed."""

    async def send(self, text: str) -> None:
        """Send a message. Raises `OSError` when it is closed."""

    async def close(self) -> None:
        """Close it."""


PutThrough = Callable[[str], Awaitable[None]]
"""Connects the call with this id to a person; raises `TransferError`."""


async def read_start(socket: TextSocket) -> wire.Started:
    """The message with which a stream begins.

    Raises `WireError` when something else comes first, or nothing within 10 s.
    """
    try:
        async with asyncio.timeout(START_S):
            while (text := await socket.receive()) is not None:
                match wire.parse(text):
                    case wire.Started() as started:
                        return started
                    case wire.Connected() | None:
                        continue
                    case _:
                        raise WireError("does not begin with 'start'")
    except TimeoutError:
        raise WireError(f"no 'start' within {START_S:g} s") from None
    raise WireError("closed before 'start'")


class TwilioChannel(LiveLine):
    """The caller behind Twilio. Marks say what was heard; `clear` silences at once."""

    name = "twilio"

    def __init__(
        self,
        socket: TextSocket,
        started: wire.Started,
        limits: LineLimits,
        put_through: PutThrough | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._marks = MarkedPlayout()
        super().__init__(limits, LEAD_MS, self._marks, clock, piece_ms=PIECE_MS)
        self._socket = socket
        self._stream = started.stream
        self._call = started.call
        self._order = wire.ChunkOrder()
        self._put_call_through = put_through
        self._clock = clock

    async def _send(self, samples: Pcm) -> None:
        await self._socket.send(wire.media(self._stream, samples))
        if (name := self._marks.mark_due()) is not None:
            await self._socket.send(wire.mark(self._stream, name))

    async def _receive(self) -> None:
        while (text := await self._socket.receive()) is not None:
            if (wait_s := self._pace.count()) > 0:
                await asyncio.sleep(wait_s)
            match wire.parse(text):
                case wire.Media() as piece:
                    self._arrivals.alive()
                    for samples in self._order.push(piece):
                        self._arrivals.push(samples)
                case wire.Key(key):
                    self._arrivals.press(key)
                case wire.MarkPlayed(name):
                    self._marks.played(name, self._clock())
                case wire.Stopped():
                    return
                case wire.Started():
                    raise WireError("'start' came twice")

    async def clear(self) -> None:
        """Drop what is queued, here and at Twilio."""
        await super().clear()
        try:
            await self._socket.send(wire.clear(self._stream))
        except OSError:
            self._arrivals.end()

    async def _put_through(self, brief: HandoffBrief) -> None:
        """Twilio takes the call out of the stream and dials the agents' number."""
        del brief
        if self._put_call_through is not None:
            await self._put_call_through(self._call)
        await self.close()

    async def _hang_up(self) -> None:
        """The TwiML behind `<Connect>` hangs up once the socket is closed."""
        await self._socket.close()
