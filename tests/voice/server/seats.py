"""People at the desk, as the page has them: logged in over HTTP, told over the socket."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import httpx
import websockets

PASSWORD = "correct horse battery"


class Seat:
    """Somebody at the desk of a server."""

    def __init__(self, port: int, name: str = "anna.berg", password: str = PASSWORD) -> None:
        self.origin = f"http://127.0.0.1:{port}"
        self._port = port
        self._name = name
        self._password = password
        self.web = httpx.AsyncClient(base_url=self.origin, timeout=30)
        self.csrf = ""
        self.calls: list[dict[str, Any]] = []
        self.entries: list[dict[str, Any]] = []
        self.opened: dict[str, Any] = {}
        self.gone: list[str] = []
        self.run = ""
        self._socket: Any = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        answer = await self.log_in()
        assert answer.status_code == 303, answer.text
        page = (await self.web.get("/desk")).text
        self.csrf = re.search(r'data-csrf="([^"]+)"', page)[1]  # type: ignore[index]
        await self.sit_down()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.get_up()
        await self.web.aclose()

    async def log_in(self, password: str | None = None) -> httpx.Response:
        page = (await self.web.get("/desk")).text
        found = re.search(r'name="form" value="(\w+)"', page)
        fields = {
            "name": self._name,
            "password": self._password if password is None else password,
            "form": found[1] if found else "",
        }
        return await self.web.post("/desk/login", data=fields)

    # --- the socket ----------------------------------------------------------------------------

    async def sit_down(self) -> None:
        """Open the socket."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.web.cookies.items())
        self._socket = await websockets.connect(
            f"ws://127.0.0.1:{self._port}/desk/live",
            additional_headers={"Cookie": cookie, "Origin": self.origin},
            proxy=None,
        )
        self._task = asyncio.create_task(self._listen())

    async def get_up(self) -> None:
        """Close the socket; the session goes on."""
        if self._socket is not None:
            await self._socket.close()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _listen(self) -> None:
        with suppress(websockets.ConnectionClosed):
            async for text in self._socket:
                message = json.loads(text)
                self.run = message["run"]
                match message["kind"]:
                    case "calls":
                        self.calls = message["calls"]
                    case "open":
                        self.opened = message
                    case "entries":
                        self.entries += message["entries"]
                    case "gone":
                        self.gone.append(message["text"])

    async def tells(self, text: str) -> None:
        """Send anything at all."""
        await self._socket.send(text)

    async def watch(self, call: str, since: int = 0) -> None:
        """Open a call, or go on with it."""
        self.opened = {}
        await self._socket.send(json.dumps({"call": call, "since": since, "run": self.run}))
        await self.until(lambda: self.opened or self.gone)

    async def until(self, held: Callable[[], Any], timeout_s: float = 60.0) -> Any:
        """Wait until something holds; returns it."""
        async with asyncio.timeout(timeout_s):
            while not (found := held()):
                await asyncio.sleep(0.02)
        return found

    async def sees(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The newest entry of a kind that has these fields; waits for one."""
        return await self.until(lambda: self.latest(kind, **fields))

    def latest(self, kind: str, **fields: Any) -> dict[str, Any] | None:
        found = [
            entry
            for entry in self.entries
            if entry["kind"] == kind and fields.items() <= entry.items()
        ]
        return found[-1] if found else None

    def said(self, speaker: str) -> str:
        """Everything that this speaker was heard to say."""
        return " ".join(
            e["text"]
            for e in self.entries
            if e.get("speaker") == speaker and "text" in e and e["kind"] == "said"
        )

    # --- commands ------------------------------------------------------------------------------

    async def asks(self, call: str, command: str, **fields: Any) -> httpx.Response:
        """Ask for a change, whatever comes of it."""
        return await self.web.post(
            f"/desk/calls/{call}",
            json={"command": command, **fields},
            headers={"X-CSRF-Token": self.csrf, "Origin": self.origin},
        )

    async def does(self, call: str, command: str, **fields: Any) -> None:
        """Ask for a change that is expected to happen."""
        answer = await self.asks(call, command, **fields)
        assert answer.status_code == 200, answer.text
