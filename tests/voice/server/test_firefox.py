"""The kiosk and the desk in Firefox, in a room with a real (virtual) microphone and loudspeaker."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.voice import sound_server
from tests.voice.server.callers import turns_of
from tests.voice.server.conftest import running
from tests.voice.server.firefox import FIREFOX, MISSING, firefox
from tests.voice.server.seats import PASSWORD
from tests.voice.sound_server import RoomCaller
from voice.engines import Engines
from voice.server.desk.accounts import Accounts, Role

NAME = "fox.lane"
ENTER = "\ue007"
HEARD = "document.getElementById('captions').textContent"
SCREEN = "document.documentElement.dataset.screen"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(FIREFOX is None, reason=MISSING),
    pytest.mark.skipif(sound_server.missing() is not None, reason=str(sound_server.missing())),
]


async def test_a_visitor_talks_and_an_agent_takes_the_call_over_in_firefox(
    engines: Engines, tmp_path: Path, samples_dir: Path
) -> None:
    accounts = Accounts(engines.store)
    if NAME not in {account.name for account in accounts.all()}:
        accounts.add(NAME, Role.AGENT, PASSWORD)
    first, second, _ = turns_of(samples_dir / "neutral_where_is_my_order.flac")
    profile = tmp_path / "profile"
    profile.mkdir()
    with sound_server.sound_server(tmp_path) as sound:
        async with (
            running(engines, jurisdiction="DE") as served,
            firefox(profile, sound) as browser,
            RoomCaller(sound) as visitor,
        ):
            address = f"http://127.0.0.1:{served.web_port}"
            kiosk = await browser.page(f"{address}/kiosk")
            await kiosk.until("document.documentElement.dataset.ready")
            await kiosk.keys(ENTER, to="start")
            await kiosk.keys(ENTER, to="consent-yes")
            await visitor.hears_something(0.0)
            await visitor.hears_all()
            await visitor.say(first)
            await kiosk.until(f"{HEARD}.includes('where my order is')")
            await kiosk.until(f"{HEARD}.includes('order number?')")

            desk = await browser.page(f"{address}/desk")
            await desk.keys(NAME, to="name")
            await desk.keys(PASSWORD + ENTER, to="password")
            await desk.until("document.getElementById('line')?.dataset.state === 'live'")
            await desk.until("document.querySelector('#calls button')")
            await desk.ask("document.querySelector('#calls button').click()")
            await desk.until("document.querySelector('.bubble.caller')")
            await desk.keys(ENTER, to="take-over")
            await desk.until("!document.getElementById('typing').hidden")
            at_s = visitor.loud_at_s[-1]
            await desk.keys("Hello, a person here." + ENTER, to="words")
            await kiosk.until(f"{HEARD}.includes('a person here.')")
            await visitor.hears_something(at_s)
            await visitor.say(second)
            await desk.until("document.getElementById('transcript').textContent.includes('seven')")

            await desk.keys(ENTER, to="close")
            await desk.ask("document.querySelector('input[value=resolved]').click()")
            await desk.keys(ENTER, to="closing-ok")
            await kiosk.until(f"{SCREEN} === 'over'")
            await kiosk.open("about:blank")
            await kiosk.back()
            await kiosk.until(f"{SCREEN} === 'welcome'")
            assert await kiosk.ask("localStorage.length + sessionStorage.length") == 0
            assert "order is" not in await kiosk.ask("document.body.textContent")
            assert (await served.until_ended()).reason == "closed"
    felt = served.records()[0].understanding["emotion"]["voice"]
    assert felt["abstained"] != "no consent to analyse the voice"
