"""The door for Asterisk: a TCP port that takes AudioSocket calls."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from voice.channels.audiosocket import AudioSocketChannel
from voice.channels.audiosocket_wire import FRAME_SAMPLES, HangUp, Sound, encode
from voice.channels.connection import Connection
from voice.channels.telephone_rate import Halver
from voice.channels.wire import WireError
from voice.engines import CallerIdentity
from voice.server.admission import Refused
from voice.server.switchboard import Switchboard
from voice.types import FRAME_MS

log = logging.getLogger(__name__)


class AudioSocketDoor:
    """Listens until it is closed. A call too many hears that all lines are busy."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard
        self._server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> int:
        """Listen; returns the port (0 asks for a free one). Raises `OSError`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self._answer), host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Take no more connections."""
        if self._server is not None:
            self._server.close()

    async def _answer(self, connection: Connection) -> None:
        board = self._switchboard
        try:
            with board.admission.place(connection.peer):
                channel = AudioSocketChannel(connection, board.limits)
                call = await channel.call_id()
                await board.hold(channel, CallerIdentity(), call.hex)
                if channel.ended_by is not None:
                    board.metrics.wire_errors.labels("audiosocket").inc()
        except Refused as refused:
            board.metrics.refused.labels(refused.reason.value).inc()
            await self._say_busy(connection)
        except (WireError, OSError) as error:
            board.metrics.wire_errors.labels("audiosocket").inc()
            log.warning("audiosocket: connection closed: %s", error)
        finally:
            connection.close()

    async def _say_busy(self, connection: Connection) -> None:
        sound = Halver().push(self._switchboard.busy_sound)
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(2 * len(sound) / 8_000 + 2.0):
                for start in range(0, len(sound) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
                    await connection.send(encode(Sound(sound[start : start + FRAME_SAMPLES])))
                    await asyncio.sleep(FRAME_MS / 1000.0)
                await connection.send(encode(HangUp()))
