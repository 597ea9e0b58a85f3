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
from voice.channels.connection import Connection
from voice.channels.line import LiveLine
from voice.channels.live import Clock, LineLimits
from voice.channels.paced import PlayoutByClock
from voice.channels.wire import WireError
from voice.types import Pcm

LEAD_MS = 60
FIRST_MESSAGE_S = 5.0


class AudioSocketChannel(LiveLine):
    """The caller behind an Asterisk box. Asterisk plays frames as they come, so it is sent 60 ms
    ahead, and what was heard follows from the clock."""

    name = "audiosocket"

    def __init__(
        self,
        connection: Connection,
        limits: LineLimits,
        clock: Clock = time.monotonic,
    ) -> None:
        super().__init__(limits, LEAD_MS, PlayoutByClock(), clock)
        self._connection = connection
        self._decoder = Decoder()
        loop = asyncio.get_running_loop()
        self._call: asyncio.Future[uuid.UUID] = loop.create_future()
        self._ended: asyncio.Future[None] = loop.create_future()
        connection.hand_to(self._take_in)

    async def call_id(self) -> uuid.UUID:
        """The call's UUID, which comes first.

        Raises `WireError` when something else does, or nothing within 5 s.
        """
        try:
            async with asyncio.timeout(FIRST_MESSAGE_S):
                return await self._call
        except TimeoutError:
            raise WireError(f"no UUID within {FIRST_MESSAGE_S:g} s") from None

    async def _receive(self) -> None:
        await self._ended

    def _take_in(self, data: bytes | Exception) -> None:
        if self._ended.done():
            return
        if isinstance(data, Exception):
            self._end(data)
            return
        try:
            messages = self._decoder.feed(data)
            goes_on = all(map(self._take, messages))
        except WireError as error:
            self._end(error)
            return
        if not (data and goes_on):
            # Closing the socket is as good as a message to hang up, and what Asterisk does.
            self._end(None)
        elif (wait_s := self._pace.count(len(messages))) > 0:
            self._connection.pause()
            asyncio.get_running_loop().call_later(wait_s, self._connection.read_on)

    def _end(self, error: Exception | None) -> None:
        if not self._call.done():
            self._call.set_exception(error or WireError("closed before a UUID came"))
        if error is None:
            self._ended.set_result(None)
        else:
            self._ended.set_exception(error)
            # Looked at here: there may be nobody who has begun to wait for it.
            self._ended.exception()

    def _take(self, message: Message) -> bool:
        """Take a message; False once the call is over. Raises `WireError`."""
        if not self._call.done():
            if not isinstance(message, CallId):
                raise WireError("does not begin with a UUID")
            self._call.set_result(message.id)
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
        await self._connection.send(encode(Sound(samples)))

    async def _put_through(self, brief: HandoffBrief) -> None:
        """Hang up: the dialplan goes on after `AudioSocket()` and dials a person."""
        del brief
        await self.close()

    async def _hang_up(self) -> None:
        try:
            await self._connection.send(encode(HangUp()))
        finally:
            self._connection.close()
