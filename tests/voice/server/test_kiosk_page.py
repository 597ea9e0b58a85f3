"""The kiosk page in Chromium, whose microphone plays a shipped recording."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.voice.server.callers import turns_of
from tests.voice.server.conftest import Served, running
from voice.engines import Engines
from voice.server.switchboard import BUSY

playwright = pytest.importorskip(
    "playwright.async_api", reason="needs playwright: pip install '.[dev]'"
)
axe = pytest.importorskip("axe_playwright_python.async_playwright", reason="needs axe: '.[dev]'")

CHROMIUM = next(
    (
        path
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (path := shutil.which(name))
    ),
    None,
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")

RATE_HZ = 48_000
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
KEEP_SOCKETS = """
window.sockets = [];
const Real = WebSocket;
WebSocket = class extends Real {
  constructor(...given) { super(...given); sockets.push(this); }
};
"""
"""A cable that is pulled: the page's own socket, closed without a word."""
ASK_FIRST = """
const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
const asked = new Promise((answer) => { window.allow = answer; });
navigator.mediaDevices.getUserMedia = async (wanted) => {
  await asked;
  return window.given = await real(wanted);
};
"""
"""A browser that still asks the visitor whether the page may have the microphone."""
SHOW_TALK = """
for (const each of document.querySelectorAll(".screen")) each.hidden = each.id !== "talk";
document.getElementById("state").textContent = "A state";
document.getElementById("hand").textContent = "A person from our team is with you.";
document.getElementById("button-label").textContent = "A button";
for (const speaker of ["caller", "assistant", "agent"]) {
  const line = document.createElement("p");
  line.className = `said ${speaker} coming`;
  line.innerHTML = "<b>Somebody</b><span>says something</span>";
  document.getElementById("captions").append(line);
}
"""
SMALL = {"width": 390, "height": 780}


def silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE_HZ), dtype=np.int16)


@pytest.fixture(scope="session")
def microphone(tmp_path_factory: pytest.TempPathFactory, samples_dir: Path) -> Path:
    """Two turns of a recording with the pauses of somebody who listens."""
    first, second, _ = turns_of(samples_dir / "neutral_where_is_my_order.flac", RATE_HZ)
    sound = [silence(4.5), first.samples, silence(5.0), second.samples, silence(60)]
    path = tmp_path_factory.mktemp("microphone") / "caller.wav"
    soundfile.write(path, np.concatenate(sound), RATE_HZ)
    return path


@asynccontextmanager
async def browsing(
    served: Served, microphone: Path | None, *, port: int = 0, script: str = "", **options: Any
) -> AsyncIterator[Any]:
    """The kiosk page, loaded. Without `microphone` the browser refuses one."""
    arguments = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
    if microphone is not None:
        arguments += [
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={microphone}%noloop",
        ]
    async with playwright.async_playwright() as engine:
        browser = await engine.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = await browser.new_page(**options)
        page.set_default_timeout(60_000)
        page.problems = []
        await page.add_init_script(KEEP_SOCKETS + script)
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on(
            "console",
            lambda line: page.problems.append(line.text) if "Content Security" in line.text else 0,
        )
        await page.goto(f"http://127.0.0.1:{port or served.web_port}/kiosk")
        await page.locator("html[data-ready]").wait_for()
        try:
            yield page
            assert page.problems == []
        finally:
            await browser.close()


async def accessible(page: Any) -> None:
    """No violation of WCAG 2.2 AA, nor of what axe calls best practice."""
    found = await axe.Axe().run(page, options={"runOnly": WCAG})
    assert found.violations_count == 0, found.generate_report()


async def focused(page: Any) -> str:
    return str(await page.evaluate("document.activeElement.id"))


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_a_visitor_consents_talks_reads_along_takes_it_back_and_leaves_nothing(
    engines: Engines, microphone: Path
) -> None:
    async with (
        running(engines, jurisdiction="DE") as served,
        browsing(served, microphone, viewport={"width": 1280, "height": 800}) as page,
    ):
        await accessible(page)
        await page.locator("#start").click()
        assert "tone of voice" in await page.locator("#ask-title").inner_text()
        assert await focused(page) == "ask-title"
        await accessible(page)
        await page.locator("#consent-yes").click()
        assert await focused(page) == "button"

        talk, said = page.locator("#talk"), page.locator("#captions p")
        await page.locator("#talk[data-state=speaking]").wait_for()
        assert await page.locator("#state").inner_text() == "Speaking"
        assert await page.locator("#tone").get_attribute("aria-checked") == "true"
        await page.locator("#captions .caller").first.wait_for()
        coming = page.locator("#captions .caller.coming")
        first_words = await coming.first.inner_text()
        await until(lambda: grown(coming, first_words))
        await accessible(page)
        await page.locator("#captions .assistant").nth(1).wait_for()

        await page.locator("#tone").click()
        await page.locator("#tone[aria-checked=false]").wait_for()
        await page.locator("label[for=pace-slower]").click()
        for _ in range(3):
            await page.locator("#text-larger").click()
        assert await page.locator("#text-larger").is_disabled()
        await page.locator("#captions .caller:not(.coming)").nth(1).wait_for()
        await page.locator("#captions .assistant").nth(2).wait_for()
        await until(lambda: has(said.last, "November"))
        await accessible(page)
        everything = " ".join(await said.all_inner_texts())
        assert "order" in everything
        assert "seven one three zero eight" in everything

        await page.locator("#end").click()
        await page.locator("#welcome").wait_for()
        assert not await talk.is_visible()
        assert await said.count() == 0
        assert "seven" not in await page.content()
        assert await page.evaluate("localStorage.length + sessionStorage.length") == 0
        assert await page.evaluate("document.cookie") == ""
        assert await page.locator("html").get_attribute("data-size") == "1"
        assert (await served.until_ended()).reason == "hangup"
        first, second = served.records()[:2]
    denied = "no consent to analyse the voice"
    assert first.understanding["emotion"]["voice"]["abstained"] != denied
    assert second.understanding["emotion"]["voice"]["abstained"] == denied
    assert second.spoken[0].requested.rate == 0.85


async def grown(line: Any, before: str) -> bool:
    texts = await line.all_inner_texts()
    return bool(texts) and len(texts[0]) > len(before)


async def has(line: Any, text: str) -> bool:
    return text in await line.inner_text()


@pytest.mark.slow
async def test_push_to_talk_by_keyboard_alone_then_the_goodbye_is_kept_and_cleared(
    engines: Engines, microphone: Path
) -> None:
    async def take(call: str, brief: object) -> None:
        pass

    async with (
        running(engines, jurisdiction="US-IL") as served,
        browsing(served, microphone, viewport=SMALL, reduced_motion="reduce") as page,
    ):
        served.switchboard.brief_takers.append(take)
        await page.locator("#settings-toggle").press("Enter")
        await page.locator("#mode-free").focus()
        await page.keyboard.press("ArrowRight")
        assert await page.locator("#mode-hold").is_checked()
        await page.keyboard.press("Tab")
        assert await focused(page) == "start"
        await page.keyboard.press("Enter")
        assert await focused(page) == "button"
        await page.locator("#talk[data-state=speaking]").wait_for()
        assert not await page.locator("#tone").is_visible()
        await page.locator("#captions .assistant").first.wait_for()
        await page.keyboard.down(" ")
        await page.locator("#talk[data-held=true]").wait_for()
        await accessible(page)
        await page.locator("#captions .caller").first.wait_for()
        await until(lambda: has(page.locator("#captions .caller").first, "order"))
        await page.keyboard.up(" ")
        await page.locator("#captions .caller:not(.coming)").first.wait_for()
        await page.locator("#captions .assistant").nth(1).wait_for()
        await page.locator("#person").focus()
        await page.keyboard.press("Enter")
        await page.locator("#over").wait_for()
        assert "colleague" in await page.locator("#over-title").inner_text()
        assert await page.locator("#kept p").count() > 2
        await accessible(page)
        await page.locator("#clear").press("Enter")
        await page.locator("#welcome").wait_for()
        assert await page.locator("#kept p").count() == 0


async def test_what_goes_wrong_is_said_in_one_sentence(engines: Engines, microphone: Path) -> None:
    message = "#message:not(:empty)"
    async with running(engines) as served:
        async with browsing(served, None) as page:
            await page.locator("#start").click()
            await page.locator("#consent-no").click()
            await page.locator(message).wait_for()
            assert "microphone" in await page.locator(message).inner_text()
            await accessible(page)
        async with browsing(served, microphone) as page:
            admission = served.switchboard.admission
            with admission.place("a"), admission.place("b"):
                await page.locator("#start").click()
                await page.locator("#consent-no").click()
                await page.locator(message).wait_for()
            assert await page.locator(message).inner_text() == BUSY
            await page.locator("#start").click()
            await page.locator("#consent-no").click()
            await page.locator("#talk[data-state=speaking]").wait_for()
            await page.evaluate("sockets.at(-1).close()")
            await page.locator("#welcome").wait_for()
            assert "connection was lost" in await page.locator(message).inner_text()
            assert await page.locator("#captions p").count() == 0
            await page.locator("#start").click()
            await page.locator("#consent-no").click()
            await page.locator("#talk[data-state=speaking]").wait_for()
            served.serving.stop()
            served.serving.stop()
            await page.locator("#welcome").wait_for()
            assert "went wrong" in await page.locator(message).inner_text()


async def test_no_microphone_stays_open_for_a_visitor_who_left_while_it_was_asked_for(
    served: Served, microphone: Path
) -> None:
    async with browsing(served, microphone, script=ASK_FIRST) as page:
        await page.locator("#start").click()
        await page.locator("#consent-no").click()
        await page.locator("#end").click()
        await page.evaluate("allow()")
        ended = "window.given?.getTracks()[0].readyState === 'ended'"
        await until(lambda: page.evaluate(ended), 10)
        assert await page.locator("#welcome").is_visible()


class Cable:
    """Between the browser and the server; once it is cut, nothing comes through and nobody is
    told."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._never = asyncio.Event()
        self.cut = False

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(self._copy(reader, far[1]), self._copy(far[0], writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while (data := await reader.read(65_536)) and not self.cut:
                writer.write(data)
        if self.cut:
            await self._never.wait()
        writer.close()


async def test_a_cable_that_is_pulled_is_noticed(served: Served, microphone: Path) -> None:
    cable = Cable(served.web_port)
    server = await asyncio.start_server(cable.carry, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with browsing(served, microphone, port=port) as page:
        await page.locator("#start").click()
        await page.locator("#consent-no").click()
        await page.locator("#talk[data-state=speaking]").wait_for()
        cable.cut = True
        await page.locator("#welcome").wait_for()
        assert "connection was lost" in await page.locator("#message").inner_text()
    server.close()


async def test_a_screen_that_was_left_resets_itself(engines: Engines) -> None:
    async with running(engines, kiosk_idle_s=1.0) as served, browsing(served, None) as page:
        await page.locator("#text-larger").click()
        await page.locator("#start").click()
        await page.locator("#ask").wait_for()
        await page.locator("#welcome").wait_for()
        assert await page.locator("html").get_attribute("data-size") == "1"


async def test_every_state_is_accessible_on_every_screen(engines: Engines) -> None:
    async with (
        running(engines) as served,
        browsing(served, None, viewport=SMALL) as page,
    ):
        await page.locator("#settings-toggle").click()
        await accessible(page)
        await page.evaluate(SHOW_TALK)
        for state in ("connecting", "listening", "thinking", "speaking"):
            await page.evaluate(f"document.getElementById('talk').dataset.state = '{state}'")
            await accessible(page)
        await page.set_viewport_size({"width": 1280, "height": 800})
        await page.evaluate("document.getElementById('talk').dataset.held = 'true'")
        await accessible(page)
