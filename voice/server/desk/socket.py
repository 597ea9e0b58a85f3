"""What the desk's page is told as it happens: the list of calls, and the entries of the open one.

The page says which call it has open and the number of the last entry it has; it is sent what came
after. So a page that lost its connection, or was loaded anew, misses nothing.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, WebSocket
from pydantic import BaseModel, Field, ValidationError
from starlette.websockets import WebSocketDisconnect, WebSocketState

from nlu.errors import AttuneError
from voice.server.desk.desk import Desk, Gone, NotYours
from voice.server.desk.gate import PATH, Gate
from voice.server.desk.sessions import Session

NOT_ALLOWED = 4_401
"""Close code: nobody is logged in (any more)."""
_PACE_S = 0.1
"""At most ten messages a second: what happens in between goes together."""
_LOOK_AGAIN_S = 20.0
_MOST_SOCKETS = 200

_RUN = secrets.token_hex(8)
"""Names this process: numbers of entries of another one mean nothing here."""


class Watching(BaseModel):
    """The call that the page has open (none), and the last entry it has of it."""

    call: str | None = Field(default=None, max_length=100)
    since: int = Field(default=0, ge=0)
    run: str = Field(default="", max_length=40)


def desk_socket(gate: Gate, desk: Desk) -> APIRouter:
    """The WebSocket `/desk/live`."""
    router = APIRouter(prefix=PATH)
    open_sockets: set[WebSocket] = set()

    @router.websocket("/live")
    async def live(websocket: WebSocket) -> None:
        allowed = gate.same_origin(websocket, required=True) and len(open_sockets) < _MOST_SOCKETS
        session = await gate.session(websocket) if allowed else None
        if session is None:
            # Accepted first, so that the page is told why.
            await websocket.accept()
            await websocket.close(NOT_ALLOWED)
            return
        await websocket.accept()
        open_sockets.add(websocket)
        try:
            await _Page(websocket, gate, desk, session).serve()
        finally:
            open_sockets.discard(websocket)

    return router


class _Page:
    """One open page."""

    def __init__(self, websocket: WebSocket, gate: Gate, desk: Desk, session: Session) -> None:
        self._websocket = websocket
        self._gate = gate
        self._desk = desk
        self._session = session
        self._news = desk.listen()
        self._call: str | None = None
        self._since = 0
        self._viewed: set[str] = set()
        self._listed = ""

    async def serve(self) -> None:
        tasks = {
            asyncio.ensure_future(self._listen()),
            asyncio.ensure_future(self._tell()),
            asyncio.ensure_future(self._guard()),
        }
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._desk.leave(self._news)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._websocket.application_state is not WebSocketState.DISCONNECTED:
                with suppress(WebSocketDisconnect, RuntimeError, OSError):
                    await self._websocket.close()

    async def _send(self, kind: str, **fields: Any) -> None:
        text = json.dumps({"kind": kind, "run": _RUN, "now": time.time(), **fields})
        try:
            await self._websocket.send_text(text)
        except RuntimeError as error:
            raise WebSocketDisconnect from error

    async def _guard(self) -> None:
        """The page goes dark once its session has ended, elsewhere or by age."""
        while True:
            await asyncio.sleep(_LOOK_AGAIN_S)
            if await self._gate.session(self._websocket) is None:
                await self._websocket.close(NOT_ALLOWED)
                return

    async def _listen(self) -> None:
        with suppress(WebSocketDisconnect):
            while True:
                text = await self._websocket.receive_text()
                try:
                    await self._watch(Watching.model_validate_json(text))
                except ValidationError:
                    await self._send("problem", text="That was not understood.")
                await asyncio.sleep(_PACE_S)

    async def _watch(self, asked: Watching) -> None:
        """The page opens a call, or goes on with one after a lost connection."""
        self._call = None
        if asked.call is None:
            return
        since = asked.since if asked.run == _RUN else 0
        try:
            if since and asked.call in self._viewed:
                story = self._desk.story(self._session.account, asked.call)
            else:
                story = await self._desk.look(self._session.account, asked.call)
                self._viewed.add(asked.call)
        except AttuneError as error:
            await self._send("gone", call=asked.call, text=str(error))
            return
        await self._send("open", fresh=since == 0, **self._desk.about(story))
        self._call, self._since = asked.call, since
        self._news.set()

    async def _tell(self) -> None:
        with suppress(WebSocketDisconnect):
            while True:
                await self._news.wait()
                self._news.clear()
                await self._tell_list()
                await self._tell_call()
                await asyncio.sleep(_PACE_S)

    async def _tell_list(self) -> None:
        calls = self._desk.calls(self._session.account)
        listed = json.dumps(calls)
        if listed != self._listed:
            self._listed = listed
            await self._send("calls", calls=calls)

    async def _tell_call(self) -> None:
        if self._call is None:
            return
        call = self._call
        try:
            story = self._desk.story(self._session.account, call)
        except (Gone, NotYours) as error:
            self._call = None
            await self._send("gone", call=call, text=str(error))
            return
        entries = story.after(self._since)
        if entries:
            self._since = story.seq
            await self._send("entries", call=call, entries=entries)
