"""A stock Firefox, driven over WebDriver BiDi, the protocol that it speaks by itself."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import websockets

FIREFOX = next((path for name in ("firefox", "firefox-esr") if (path := shutil.which(name))), None)
MISSING = "needs Firefox: apt-get install firefox-esr"

_PREFERENCES = {
    "media.navigator.permission.disabled": True,
    "media.autoplay.default": 0,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "focusmanager.testmode": True,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "toolkit.telemetry.enabled": False,
}


class Browser:
    """A running Firefox. Commands are given one after the other."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self._count = 0

    async def command(self, method: str, **parameters: object) -> Any:
        """Carry out a command of the protocol; what it answers."""
        self._count += 1
        number = self._count
        await self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while (answer := json.loads(await self._socket.recv())).get("id") != number:
            pass
        assert answer["type"] == "success", answer
        return answer["result"]

    async def page(self, address: str) -> Page:
        """A new window, with this page in it."""
        made = await self.command("browsingContext.create", type="window")
        page = Page(self, made["context"])
        await page.open(address)
        return page


class Page:
    """One window. Whatever is asked of it is JavaScript or keys."""

    def __init__(self, browser: Browser, window: str) -> None:
        self._browser = browser
        self._window = window

    async def _command(self, method: str, **parameters: object) -> Any:
        return await self._browser.command(method, context=self._window, **parameters)

    async def open(self, address: str) -> None:
        """Load a page."""
        await self._command("browsingContext.navigate", url=address, wait="complete")

    async def back(self) -> None:
        """As the browser's button does."""
        await self._command("browsingContext.traverseHistory", delta=-1)

    async def ask(self, expression: str) -> Any:
        """The value of an expression, as JSON."""
        answer = await self._browser.command(
            "script.evaluate",
            expression=f"Promise.resolve({expression}).then((value) => JSON.stringify(value))",
            target={"context": self._window},
            awaitPromise=True,
        )
        assert answer["type"] == "success", answer
        value = answer["result"].get("value")
        return None if value is None else json.loads(value)

    async def until(self, expression: str, seconds: float = 60.0) -> None:
        """Wait until an expression holds."""
        async with asyncio.timeout(seconds):
            while not await self.ask(f"Boolean({expression})"):
                await asyncio.sleep(0.05)

    async def keys(self, keys: str, to: str = "") -> None:
        """Press and let go of keys one after the other, at the element with this id."""
        await self._command("browsingContext.activate")
        if to:
            await self.ask(f"document.getElementById('{to}').focus()")
        pressed = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        await self._command(
            "input.performActions",
            actions=[{"type": "key", "id": "keyboard", "actions": pressed}],
        )


@asynccontextmanager
async def firefox(folder: Path, environment: dict[str, str]) -> AsyncIterator[Browser]:
    """A Firefox with a new profile in `folder`."""
    assert FIREFOX is not None
    lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in _PREFERENCES.items()]
    (folder / "user.js").write_text("".join(lines), encoding="utf-8")
    browser = await asyncio.create_subprocess_exec(
        FIREFOX,
        "--headless",
        "--no-remote",
        "--remote-debugging-port=0",
        "--profile",
        str(folder),
        env=environment | {"HOME": str(folder)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            address = await _listening(browser)
        async with websockets.connect(f"{address}/session", max_size=None, proxy=None) as socket:
            driven = Browser(socket)
            await driven.command("session.new", capabilities={})
            yield driven
    finally:
        with suppress(ProcessLookupError):
            browser.terminate()
        try:
            await asyncio.wait_for(browser.wait(), 10)
        except TimeoutError:
            browser.kill()
            await browser.wait()


async def _listening(browser: asyncio.subprocess.Process) -> str:
    assert browser.stderr is not None
    while line := await browser.stderr.readline():
        if found := re.search(rb"BiDi listening on (ws://\S+)", line):
            return found[1].decode()
    raise AssertionError("Firefox does not start")
