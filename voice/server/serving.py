"""One server process: web and AudioSocket on the same switchboard, until it is told to stop.

The first SIGTERM or SIGINT drains: no new calls, those under way are held to their end. The second
one ends them.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import logging
import os
import signal
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from nlu.errors import AttuneError
from voice.server.app import create_app
from voice.server.audiosocket import AudioSocketDoor
from voice.server.desk.routes import desk_router
from voice.server.switchboard import Switchboard
from voice.server.twilio import TwilioAccount

LARGEST_SOCKET_MESSAGE = 65_536

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listening:
    """Where to listen. Without `audiosocket_port` there is no AudioSocket; 0 asks for any port."""

    host: str = "127.0.0.1"
    port: int = 8_080
    audiosocket_port: int | None = 9_092
    certificate: Path | None = None
    key: Path | None = None


class _Uvicorn(uvicorn.Server):
    """Leaves the signals to us: uvicorn would close every call at the first one."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Serving:
    """A running server. `stop` is what a signal calls."""

    def __init__(self, switchboard: Switchboard, listening: Listening) -> None:
        self._switchboard = switchboard
        self._listening = listening
        self._account = TwilioAccount.from_settings(switchboard.engines.settings)
        self._door = AudioSocketDoor(switchboard)
        app = create_app(switchboard, twilio=self._account, routers=[desk_router(switchboard)])
        self._web = _Uvicorn(self._config(app))
        self._stop = asyncio.Event()
        self._end_now = asyncio.Event()
        self.audiosocket_port: int | None = None

    def _config(self, app: FastAPI) -> uvicorn.Config:
        listening = self._listening
        if listening.certificate is not None:
            _check_certificate(listening.certificate, listening.key)
        return uvicorn.Config(
            app,
            host=listening.host,
            port=listening.port,
            ssl_certfile=listening.certificate,
            ssl_keyfile=listening.key,
            ws="websockets-sansio",
            ws_max_size=LARGEST_SOCKET_MESSAGE,
            # Sound hardly gets smaller, and the desk's messages are few.
            ws_per_message_deflate=False,
            ws_ping_interval=20.0,
            ws_ping_timeout=20.0,
            timeout_graceful_shutdown=2,
            log_config=None,
            access_log=False,
            server_header=False,
        )

    @property
    def web_port(self) -> int:
        """The port of the web server, once it listens."""
        return int(self._web.servers[0].sockets[0].getsockname()[1])

    @property
    def listening(self) -> bool:
        """Whether calls can come in."""
        return self._switchboard.ready and self._web.started

    def stop(self) -> None:
        """Drain; called again, end at once."""
        if self._stop.is_set():
            self._end_now.set()
        self._stop.set()

    async def run(self) -> None:
        """Serve until `stop`. Raises `AttuneError` when a port is taken."""
        self._take_signals()
        web = asyncio.ensure_future(self._listen())
        try:
            await self._switchboard.warm_up()
            # What is loaded stays: looking for garbage in it would hold every call up for 150 ms.
            gc.collect()
            gc.freeze()
            if self.listening:
                self._say_where()
            stopped = asyncio.ensure_future(self._stop.wait())
            await asyncio.wait({web, stopped}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            if not web.done():
                await self._drain()
        finally:
            gc.unfreeze()
            await self._switchboard.close()
            await self._door.close()
            self._web.should_exit = True
            await web

    def _say_where(self) -> None:
        scheme = "https" if self._listening.certificate else "http"
        at = f"{scheme}://{self._listening.host}:{self.web_port}"
        log.info("ready: %s/kiosk for visitors, %s/desk for agents", at, at)
        if self.audiosocket_port is not None:
            log.info("ready: AudioSocket on %s:%d", self._listening.host, self.audiosocket_port)

    async def _listen(self) -> None:
        listening = self._listening
        if listening.audiosocket_port is not None:
            try:
                self.audiosocket_port = await self._door.open(
                    listening.host, listening.audiosocket_port
                )
            except OSError as error:
                raise AttuneError(_cannot_listen(listening, error)) from None
        try:
            await self._web.serve()
        except SystemExit:
            raise AttuneError(
                f"--port {listening.port}: cannot listen there; choose another port or host."
            ) from None

    async def _drain(self) -> None:
        ended_now = asyncio.ensure_future(self._end_now.wait())
        drained = asyncio.ensure_future(
            self._switchboard.drain(self._switchboard.engines.settings.drain_s)
        )
        await asyncio.wait({ended_now, drained}, return_when=asyncio.FIRST_COMPLETED)
        for task in (ended_now, drained):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _take_signals(self) -> None:
        """Until the event loop is closed: a signal that comes while things are put away must not
        cut that short."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, self.stop)


def _cannot_listen(listening: Listening, error: OSError) -> str:
    unknown = isinstance(error, socket.gaierror)
    why = error.strerror or str(error)
    if error.errno is not None and not unknown:
        why = os.strerror(error.errno)
    if unknown or error.errno == errno.EADDRNOTAVAIL:
        return f"--host {listening.host}: no address of this machine ({why}); choose another."
    return (
        f"--audiosocket-port {listening.audiosocket_port}: cannot listen there ({why}); "
        "choose another port."
    )


def _check_certificate(certificate: Path, key: Path | None) -> None:
    """Raises `AttuneError` where the files are no certificate and the key that belongs to it."""
    for path in (certificate, key):
        if path is not None and not path.is_file():
            raise AttuneError(f"{path} does not exist; name the certificate and its key.")
    try:
        # A password is not asked for: nobody sits in front of a server.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, lambda: "")
    except OSError as error:
        why = getattr(error, "reason", None) or error.strerror or str(error)
        raise AttuneError(
            f"--certificate {certificate} and --key {key}: not a certificate and its key in PEM "
            f"({str(why).lower().replace('_', ' ')}); give both without a password, and the key "
            "that the certificate was made with."
        ) from None
