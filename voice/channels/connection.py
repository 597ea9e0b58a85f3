"""A TCP connection whose bytes are handed on at once.

A stream that a task reads from wakes that task for each packet, which costs as much as the packet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

MOST_HELD_BYTES = 65_536
"""What may come before anybody takes it; the rest waits in the network."""

Taker = Callable[[bytes | Exception], None]
"""Gets every piece that comes, `b""` once nothing more will, or what broke the connection."""


class Connection(asyncio.Protocol):
    """The server's side of a connection; `answer` runs for as long as it likes from its beginning
    on."""

    def __init__(self, answer: Callable[[Connection], Coroutine[Any, Any, None]]) -> None:
        self._answer = answer
        self._answering: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._taker: Taker | None = None
        self._held: list[bytes | Exception] = []
        self.held_bytes = 0
        """How much came before anybody took it."""
        self._writable = asyncio.Event()
        self._writable.set()

    def hand_to(self, taker: Taker) -> None:
        """What has come so far, and what comes from here on, goes to `taker`."""
        self._taker = taker
        held, self._held = self._held, []
        for piece in held:
            taker(piece)
        self.read_on()

    @property
    def peer(self) -> str:
        """The address of the far end."""
        name = self._transport.get_extra_info("peername") if self._transport else None
        return str(name[0]) if name else "unknown"

    @property
    def _open(self) -> asyncio.Transport | None:
        transport = self._transport
        return None if transport is None or transport.is_closing() else transport

    async def send(self, data: bytes) -> None:
        """Send bytes, and wait while the far end takes none. Raises `OSError` once closed."""
        if (transport := self._open) is None:
            raise ConnectionResetError("the connection is closed")
        transport.write(data)
        if not self._writable.is_set():
            await self._writable.wait()

    def pause(self) -> None:
        """Leave in the network what comes."""
        if (transport := self._open) is not None:
            transport.pause_reading()

    def read_on(self) -> None:
        """Take it again."""
        if (transport := self._open) is not None:
            transport.resume_reading()

    def close(self) -> None:
        """Close the connection; what was sent still goes out."""
        if self._transport is not None:
            self._transport.close()

    # --- what the event loop calls -------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody has connected."""
        self._transport = cast(asyncio.Transport, transport)
        self._answering = asyncio.ensure_future(self._answer(self))

    def data_received(self, data: bytes) -> None:
        """A piece came."""
        self._give(data)

    def eof_received(self) -> bool:
        """The far end sends nothing more; it may still listen."""
        self._give(b"")
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        self._give(exc or b"")
        self._writable.set()

    def pause_writing(self) -> None:
        """The far end takes nothing for now."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._writable.set()

    def _give(self, piece: bytes | Exception) -> None:
        if self._taker is not None:
            self._taker(piece)
            return
        self._held.append(piece)
        self.held_bytes += len(piece) if isinstance(piece, bytes) else 0
        if self.held_bytes > MOST_HELD_BYTES:
            self.pause()
