"""Sessions of the Realtime protocol over real sockets, in real time."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import websockets
from pydantic import SecretStr

from tests.voice.server.callers import KIOSK_HZ, KioskCaller, Said, turns_of
from tests.voice.server.conftest import Served, running
from voice.engines import Engines
from voice.server.switchboard import BUSY
from voice.types import AssistantInterrupted


@pytest.fixture(scope="module")
def turns(request: pytest.FixtureRequest) -> list[Said]:
    samples = Path(__file__).parents[3] / "audio_samples"
    return turns_of(samples / "neutral_where_is_my_order.flac", KIOSK_HZ)


@pytest.mark.slow
async def test_a_whole_conversation_with_captions_interruption_pace_and_consent(
    engines: Engines, turns: list[Said]
) -> None:
    async with (
        running(engines, jurisdiction="DE") as served,
        KioskCaller(served.web_port, consent="granted", pace=0.85) as visitor,
    ):
        created = await visitor.gets("session.created")
        assert created["session"]["attune"]["consent"] == {"emotion_voice": "granted"}
        await visitor.hears_something(0.0)
        await asyncio.sleep(0.5)
        await visitor.say(turns[0])
        await visitor.gets("response.created", after=1)
        await visitor.gets("response.done", after=1)
        await visitor.tell("attune.pace.update", factor=1.15)
        speaking = asyncio.ensure_future(visitor.say(turns[1]))
        await visitor.gets("input_audio_buffer.speech_started", after=1)
        await asyncio.sleep(1.0)
        await visitor.tell("attune.consent.update", purpose="emotion_voice", state="denied")
        await visitor.gets("attune.consent.updated")
        await speaking
        await visitor.says("bookshelf.")
        await visitor.hang_up()
        assert (await served.until_ended()).reason == "hangup"
        first, second = served.records()
        interruption = served.of(AssistantInterrupted)[0]

    cut = visitor.of("conversation.item.truncated")[0]
    assert interruption.heard_ms == pytest.approx(cut["audio_end_ms"], abs=40)
    done = visitor.of("response.done")
    assert [each["response"]["status"] for each in done] == ["cancelled", "completed"]

    heard = visitor.of("conversation.item.input_audio_transcription.completed")
    assert "order" in heard[0]["transcript"]
    assert "seven one three zero eight" in heard[1]["transcript"]
    spoken = visitor.of("response.output_audio_transcript.done")
    assert spoken[1]["transcript"] == "What's the order number?"
    assert visitor.told.startswith("".join(each["transcript"] for each in spoken))
    assert visitor.told.endswith("Swift Parcel has your bookshelf.")
    captions = visitor.of("attune.caption")
    assert {each["speaker"] for each in captions} == {"caller", "assistant"}
    states = [each["state"] for each in visitor.of("attune.state")]
    assert states[:4] == ["speaking", "listening", "thinking", "speaking"]

    voice = [record.understanding["emotion"]["voice"] for record in (first, second)]
    assert voice[0]["abstained"] != "no consent to analyse the voice"
    assert voice[1]["abstained"] == "no consent to analyse the voice"
    assert not second.extra["emotion_course"]
    assert {clause.requested.rate for clause in first.spoken} == {0.85}
    assert second.spoken[0].requested.rate == 1.15
    assert second.spoken[0].achieved is not None
    assert second.spoken[0].achieved.rate > 1.05


@pytest.mark.slow
async def test_push_to_talk_ends_a_turn_at_commit_and_a_button_asks_for_a_person(
    engines: Engines, turns: list[Said]
) -> None:
    briefs: list[str] = []

    async def take(call: str, brief: object) -> None:
        briefs.append(call)

    async with running(engines) as served:
        served.switchboard.brief_takers.append(take)
        async with KioskCaller(served.web_port, reports=False) as visitor:
            await visitor.tell(
                "session.update",
                session={"modalities": ["audio", "text"], "turn_detection": None},
            )
            updated = await visitor.gets("session.updated")
            assert updated["session"]["turn_detection"] is None
            await visitor.hears_something(0.0)
            await visitor.tell("response.cancel")
            await visitor.gets("response.done")
            await visitor.say(turns[0])
            await asyncio.sleep(1.4)
            assert not visitor.of("input_audio_buffer.committed")
            await visitor.tell("input_audio_buffer.commit")
            await visitor.gets("input_audio_buffer.committed", timeout_s=2.0)
            await visitor.gets("response.audio.delta", after=1)
            await visitor.tell("attune.person.request")
            ended = await visitor.gets("attune.session.ended")
            await visitor.over.wait()
        assert (await served.until_ended()).reason == "handoff"
    assert ended["reason"] == "handoff"
    assert len(briefs) == 1


async def test_what_makes_no_sense_is_answered_and_the_session_goes_on(served: Served) -> None:
    async with KioskCaller(served.web_port) as visitor:
        await visitor.gets("session.created")
        for kind in ("nonsense", "session.update", "conversation.item.truncate"):
            await visitor.tell(kind, event_id="mine")
        error = await visitor.gets("error", after=2)
        assert error["error"]["event_id"] == "mine"
        assert visitor.of("error")[0]["error"]["code"] == "unknown_event"
        await visitor.tell("conversation.item.truncate", item_id="of nobody", audio_end_ms=5)
        error = await visitor.gets("error", after=3)
        assert error["error"]["param"] == "item_id"
        await visitor.gets("attune.state")
        for _ in range(60):
            await visitor.tell("nonsense")
        async with asyncio.timeout(30):
            await visitor.over.wait()
    assert served.switchboard.admission.taken <= 1


async def post(served: Served, **options: Any) -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.post(f"http://127.0.0.1:{served.web_port}/kiosk/token", **options)


async def test_tokens_are_for_our_pages_and_sockets_need_one(served: Served) -> None:
    assert (await post(served, headers={"Origin": "https://evil.example"})).status_code == 403
    assert (await post(served, content=b'{"pace": 9}')).status_code == 422
    assert (await post(served, content=b"[")).status_code == 422
    token = (await post(served)).json()["token"]
    address = f"ws://127.0.0.1:{served.web_port}/kiosk/socket"
    offered = ["realtime", f"openai-insecure-api-key.{token}"]
    for protocols, origin in (
        (["realtime"], None),
        (["realtime", "openai-insecure-api-key.wrong"], None),
        (offered, "https://evil.example"),
    ):
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(address, subprotocols=protocols, origin=origin, proxy=None)
    async with websockets.connect(address, subprotocols=offered, proxy=None) as socket:
        assert socket.subprotocol == "realtime"
        assert json.loads(await socket.recv())["type"] == "session.created"
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(address, subprotocols=offered, proxy=None)


async def test_with_a_key_only_devices_that_know_it_get_tokens(engines: Engines) -> None:
    async with running(engines, kiosk_key=SecretStr("of the foyer")) as served:
        assert (await post(served)).status_code == 401
        given = await post(served, headers={"Authorization": "Bearer of the foyer"})
        assert given.status_code == 200


async def test_a_visitor_too_many_reads_and_hears_that_all_lines_are_busy(served: Served) -> None:
    admission = served.switchboard.admission
    with admission.place("a"), admission.place("b"):
        async with KioskCaller(served.web_port) as visitor:
            error = await visitor.gets("error")
            await visitor.gets("response.done")
            await visitor.hears_something(0.0)
    assert (error["error"]["code"], error["error"]["message"]) == ("busy", BUSY)
    sound = np.concatenate([served.switchboard.busy_sound])
    assert len(sound) > 16_000
    assert visitor.of("response.output_audio_transcript.done")[0]["transcript"] == BUSY


async def test_the_page_allows_nothing_from_elsewhere(served: Served) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{served.web_port}") as client:
        page = await client.get("/kiosk")
        assert (await client.get("/")).headers["location"] == "/kiosk"
        policy = page.headers["content-security-policy"]
        for name in ("kiosk.css", "kiosk.js", "sound.js", "worklet.js", "icon.svg"):
            file = await client.get(f"/kiosk/{name}")
            assert file.status_code == 200
            assert "http://" not in file.text.replace("http://www.w3.org/2000/svg", "")
            assert "https://" not in file.text
        for name in ("..%2fkiosk.py", "index.htm", "%00"):
            assert (await client.get(f"/kiosk/{name}")).status_code == 404
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "<style" not in page.text
    assert 'style="' not in page.text


async def test_where_a_button_cannot_allow_it_the_voice_is_not_analysed(engines: Engines) -> None:
    async with running(engines, jurisdiction="US-IL") as served:
        async with httpx.AsyncClient() as client:
            about = await client.get(f"http://127.0.0.1:{served.web_port}/kiosk/about")
        assert about.json()["consent"] is None
        async with KioskCaller(served.web_port, consent="granted") as visitor:
            created = await visitor.gets("session.created")
            await visitor.tell("attune.consent.update", purpose="emotion_voice", state="granted")
            updated = await visitor.gets("attune.consent.updated")
    assert created["session"]["attune"]["consent"] == {"emotion_voice": "denied"}
    assert updated["state"] == "denied"
