"""A TCP connection that hands on what comes: real sockets on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from voice.channels.connection import MOST_HELD_BYTES, Connection


@asynccontextmanager
async def connected() -> AsyncIterator[
    tuple[Connection, asyncio.StreamReader, asyncio.StreamWriter]
]:
    """Our side, and both directions of the far end."""
    made: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()

    async def answer(connection: Connection) -> None:
        made.set_result(connection)

    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(answer), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    connection = await made
    try:
        yield connection, reader, writer
    finally:
        connection.close()
        writer.close()
        server.close()


async def come_in(pieces: list[bytes | Exception], count: int) -> None:
    async with asyncio.timeout(5):
        while sum(len(piece) for piece in pieces if isinstance(piece, bytes)) < count:
            await asyncio.sleep(0.01)


async def test_what_came_before_anybody_took_it_is_not_lost() -> None:
    async with connected() as (connection, _, writer):
        writer.write(b"early")
        await asyncio.sleep(0.05)
        pieces: list[bytes | Exception] = []
        connection.hand_to(pieces.append)
        writer.write(b"late")
        await come_in(pieces, 9)
        assert b"".join(pieces) == b"earlylate"


async def test_a_flood_that_nobody_takes_waits_in_the_network() -> None:
    async with connected() as (connection, _, writer):
        flood = bytes(8 * 1024 * 1024)
        writer.write(flood)
        sending = asyncio.ensure_future(writer.drain())
        await asyncio.sleep(0.2)
        assert not sending.done()
        assert connection.held_bytes < MOST_HELD_BYTES + 512 * 1024
        pieces: list[bytes | Exception] = []
        connection.hand_to(pieces.append)
        await come_in(pieces, len(flood))
        await sending


async def test_a_far_end_that_sends_no_more_may_still_listen() -> None:
    async with connected() as (connection, reader, writer):
        pieces: list[bytes | Exception] = []
        connection.hand_to(pieces.append)
        writer.write_eof()
        async with asyncio.timeout(5):
            while not pieces:
                await asyncio.sleep(0.01)
        assert pieces == [b""]
        await connection.send(b"goodbye")
        assert await reader.readexactly(7) == b"goodbye"


async def test_sending_waits_for_a_far_end_that_takes_nothing() -> None:
    async with connected() as (connection, _, writer):
        writer.transport.pause_reading()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                while True:
                    await connection.send(bytes(256 * 1024))
        writer.transport.resume_reading()
        async with asyncio.timeout(5):
            await connection.send(b"more")


async def test_after_the_end_nothing_can_be_sent() -> None:
    async with connected() as (connection, _, writer):
        pieces: list[bytes | Exception] = []
        connection.hand_to(pieces.append)
        # A reset instead of a goodbye.
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0"
        )
        writer.transport.abort()
        async with asyncio.timeout(5):
            while not pieces:
                await asyncio.sleep(0.01)
        assert pieces[-1] == b"" or isinstance(pieces[-1], OSError)
        with pytest.raises(OSError, match="closed"):
            await connection.send(b"more")
