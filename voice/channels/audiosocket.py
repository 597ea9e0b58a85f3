"""A call over Asterisk's AudioSocket: one TCP connection a call."""

from __future__ import annotations

import asyncio
import time
import uuid

from dialogue.types import HandoffBrief
from voice.channels.audiosocket_wire import (
    CALLER_HUNG_UP,
    CallId,
    Decoder,
    HangUp,
    Key,
    Message,
    Problem,
    Sound,
    encode,
)
from voice.channels.line import LiveLine
from voice.channels.live import Clock, LineLimits
from voice.channels.paced import PlayoutByClock
from voice.channels.wire import WireError
from voice.types import Pcm

LEAD_MS = 60
FIRST_MESSAGE_S = 5.0
_READ_BYTES = 4_096


class AudioSocketChannel(LiveLine):
    """The caller behind an Asterisk box. Asterisk plays frames as they come, so it is sent 60 ms
    ahead, and what was heard follows from the clock."""

    name = "audiosocket"

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        limits: LineLimits,
        clock: Clock = time.monotonic,
    ) -> None:
        super().__init__(limits, LEAD_MS, PlayoutByClock(), clock)
        self._reader = reader
        self._writer = writer
        self._decoder = Decoder()
        self._early: list[Message] = []

    async def call_id(self) -> uuid.UUID:
        """The call's UUID, which comes first.

        Raises `WireError` when something else does, or nothing within 5 s.
        """
        try:
            async with asyncio.timeout(FIRST_MESSAGE_S):
                while not self._early:
                    if not (data := await self._reader.read(_READ_BYTES)):
                        raise WireError("closed before a UUID came")
                    self._early = self._decoder.feed(data)
        except TimeoutError:
            raise WireError(f"no UUID within {FIRST_MESSAGE_S:g} s") from None
        first, *self._early = self._early
        if not isinstance(first, CallId):
            raise WireError("does not begin with a UUID")
        return first.id

    async def _receive(self) -> None:
        messages, self._early = self._early, []
        while self._take(messages):
            if (wait_s := self._pace.count(len(messages))) > 0:
                await asyncio.sleep(wait_s)
            if not (data := await self._reader.read(_READ_BYTES)):
                # Closing the socket is as good as the message, and what Asterisk does.
                return
            messages = self._decoder.feed(data)

    def _take(self, messages: list[Message]) -> bool:
        for message in messages:
            match message:
                case Sound(samples):
                    self._arrivals.push(samples)
                case Key(key):
                    self._arrivals.press(key)
                case HangUp():
                    return False
                case Problem(code):
                    if code == CALLER_HUNG_UP:
                        return False
                    raise WireError(f"Asterisk reports error {code:#04x}")
        return True

    async def _send(self, samples: Pcm) -> None:
        self._writer.write(encode(Sound(samples)))
        await self._writer.drain()

    async def _put_through(self, brief: HandoffBrief) -> None:
        """Hang up: the dialplan goes on after `AudioSocket()` and dials a person."""
        del brief
        await self.close()

    async def _hang_up(self) -> None:
        try:
            self._writer.write(encode(HangUp()))
            await self._writer.drain()
        finally:
            self._writer.close()
