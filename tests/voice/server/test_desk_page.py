"""The whole story in Chromium: a visitor talks to the kiosk through a microphone that plays a
recording, and an agent at the desk sees that call, helps, takes it over and closes it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.voice.server.conftest import Served, running
from tests.voice.server.seats import PASSWORD
from tests.voice.server.test_kiosk_page import (
    CHROMIUM,
    accessible,
    has,
    microphone,
    playwright,
    until,
)
from voice.engines import Engines
from voice.server.desk.accounts import Accounts, Role

__all__ = ["microphone"]

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
    pytest.mark.slow,
]

NAME = "cleo.desk"
WIDE = {"width": 1440, "height": 900}


@pytest.fixture
def staffed(engines: Engines) -> Engines:
    accounts = Accounts(engines.store)
    if NAME not in {account.name for account in accounts.all()}:
        accounts.add(NAME, Role.SUPERVISOR, PASSWORD)
    return engines


@asynccontextmanager
async def two_pages(served: Served, microphone: Path) -> AsyncIterator[tuple[Any, Any]]:
    """The kiosk, and the desk with somebody logged in."""
    arguments = [
        "--no-sandbox",
        "--autoplay-policy=no-user-gesture-required",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={microphone}%noloop",
    ]
    address = f"http://127.0.0.1:{served.web_port}"
    problems: list[str] = []
    async with playwright.async_playwright() as engine:
        browser = await engine.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            kiosk = await (await browser.new_context()).new_page()
            desk = await (await browser.new_context(viewport=WIDE)).new_page()
            for page in (kiosk, desk):
                page.on("pageerror", lambda error: problems.append(str(error)))
                page.on(
                    "console",
                    lambda line: (
                        problems.append(line.text) if "Content Security" in line.text else None
                    ),
                )
            await kiosk.goto(f"{address}/kiosk")
            await kiosk.locator("html[data-ready]").wait_for()
            await desk.goto(f"{address}/desk")
            await accessible(desk)
            await desk.fill("#name", NAME)
            await desk.fill("#password", PASSWORD)
            await desk.press("#password", "Enter")
            await desk.locator("#line[data-state=live]").wait_for()
            yield kiosk, desk
            assert problems == []
        finally:
            await browser.close()


async def test_a_visitor_at_the_kiosk_is_seen_helped_and_taken_over_at_the_desk(
    staffed: Engines, microphone: Path
) -> None:
    words = "Hello, this is Cleo. I am looking at your order now."
    async with (
        running(staffed, jurisdiction="DE") as served,
        two_pages(served, microphone) as (kiosk, desk),
    ):
        await accessible(desk)
        await kiosk.locator("#start").click()
        await kiosk.locator("#consent-yes").click()

        # The desk sees the call come in, and reads along.
        await desk.locator("#calls button").click()
        transcript = desk.locator("#transcript")
        await desk.locator(".bubble.assistant").first.wait_for()
        await desk.locator(".bubble.caller").first.wait_for()
        await desk.locator(".bubble.caller:not(.partial)").first.wait_for()
        await until(lambda: has(transcript, "order"))
        await desk.locator("#why .strategy").wait_for()
        assert await desk.locator("#why .reasons li").count() >= 1
        assert re.search(r"sure|No reading", await desk.locator("#mood").inner_text())
        await accessible(desk)

        # A reply is shown first, and edited.
        await desk.locator("#ask-first").click()
        await desk.locator("#ask-first[aria-pressed=true]").wait_for()
        await desk.locator("#plan").wait_for(timeout=60_000)
        await accessible(desk)
        await desk.locator("#plan-text").fill("One question first: which town do you live in?")
        await desk.locator("[data-verdict=edit]").click()
        await desk.locator(".bubble.agent").first.wait_for()
        await until(lambda: has(kiosk.locator("#captions"), "which town"))

        # The agent takes the call over, and is heard and read at the kiosk.
        await desk.locator("#take-over").click()
        await desk.locator("#words").fill(words)
        await desk.locator("#words").press("Enter")
        await until(lambda: has(kiosk.locator("#captions"), "looking at your order now"))
        await until(lambda: has(transcript, words))
        assert await desk.locator("#brief dt").count() >= 2
        await accessible(desk)
        await desk.emulate_media(color_scheme="dark")
        await accessible(desk)

        # A page loaded anew shows the whole call.
        before = await desk.locator(".bubble").all_inner_texts()
        await desk.reload()
        await until(lambda: has(transcript, words))
        assert await desk.locator(".bubble").all_inner_texts() == before

        # Closed with an outcome: the session ends at the kiosk as well.
        await desk.locator("#close").click()
        await accessible(desk)
        await desk.locator("input[value=resolved]").check()
        await desk.locator("#closing-ok").click()
        await kiosk.locator("#talk").wait_for(state="hidden")
        assert (await served.until_ended()).reason == "closed"

        await desk.locator("#audit").click()
        await until(lambda: has(desk.locator("#entries"), "desk take over"))
        assert "is whole" in await desk.locator("#chain").inner_text()
        await accessible(desk)
    by_agent = [record for record in served.records() if record.speaker == "agent"]
    assert by_agent[0].review == "edited"
    # What is kept is redacted, the agent's own name included.
    kept = " ".join(clause.text for clause in by_agent[-1].spoken)
    assert kept == words.replace("Cleo", "[NAME]")


async def test_the_audit_log_that_cannot_be_had_is_said_and_an_ended_session_leads_to_the_login(
    staffed: Engines, microphone: Path
) -> None:
    async with running(staffed) as served, two_pages(served, microphone) as (_, desk):
        await desk.route("**/desk/audit", lambda route: route.abort())
        await desk.locator("#audit").click()
        await until(lambda: has(desk.locator("#problem"), "cannot be reached"))
        await desk.unroute("**/desk/audit")
        await desk.context.clear_cookies()
        await desk.locator("#audit").click()
        await desk.locator("#password").wait_for()
