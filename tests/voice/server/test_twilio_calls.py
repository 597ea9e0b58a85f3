"""Calls as Twilio carries them, over HTTP and WebSocket."""

from __future__ import annotations

import asyncio
import base64
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import ClassVar
from urllib.parse import parse_qs

import httpx
import pytest
import websockets

from tests.voice.server.callers import TwilioCaller, form
from tests.voice.server.conftest import TOKEN, Served, running
from voice.channels.twilio_signature import signature
from voice.engines import Engines


async def post(served: Served, fields: dict[str, str], **changes: str) -> httpx.Response:
    url = f"http://127.0.0.1:{served.web_port}/twilio/voice"
    async with httpx.AsyncClient() as client:
        request = form(TOKEN, url, fields)
        request["headers"] |= changes
        return await client.post(url, **request)


async def test_only_what_twilio_signed_is_answered(served: Served) -> None:
    assert (await post(served, {"CallSid": "CA1"})).status_code == 200
    forged = await post(served, {"CallSid": "CA1"}, **{"X-Twilio-Signature": "bm8="})
    assert forged.status_code == 403
    address = f"ws://127.0.0.1:{served.web_port}/twilio/media"
    with pytest.raises(websockets.InvalidStatus):
        await websockets.connect(address, proxy=None)


async def test_a_stream_without_a_token_of_ours_is_closed(served: Served) -> None:
    caller = TwilioCaller(served.web_port, TOKEN)
    caller.call = "CA1"
    address = f"ws://127.0.0.1:{served.web_port}/twilio/media"
    headers = {"X-Twilio-Signature": signature(TOKEN, address)}
    async with websockets.connect(address, additional_headers=headers, proxy=None) as socket:
        await socket.send(
            '{"event":"start","streamSid":"MZ1","start":{"callSid":"CA1","mediaFormat":'
            '{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1},'
            '"customParameters":{"token":"1.a"}}}'
        )
        async with asyncio.timeout(30):
            await socket.wait_closed()
    assert not served.events


@pytest.mark.parametrize("text", ["", "[]", "{", '{"event":"media"}', "[" * 30_000, "1" * 9_000])
async def test_nonsense_closes_the_stream_and_nothing_else(served: Served, text: str) -> None:
    address = f"ws://127.0.0.1:{served.web_port}/twilio/media"
    headers = {"X-Twilio-Signature": signature(TOKEN, address)}
    async with websockets.connect(address, additional_headers=headers, proxy=None) as socket:
        await socket.send(text)
        async with asyncio.timeout(30):
            await socket.wait_closed()
    assert served.switchboard.admission.taken == 0
    assert (await post(served, {"CallSid": "CA1"})).status_code == 200


async def test_a_call_too_many_and_a_draining_server_answer_politely(served: Served) -> None:
    with served.switchboard.admission.place("a"), served.switchboard.admission.place("b"):
        full = await post(served, {"CallSid": "CA1"})
        async with httpx.AsyncClient() as client:
            ready = await client.get(f"http://127.0.0.1:{served.web_port}/readyz")
            head = await client.head(f"http://127.0.0.1:{served.web_port}/readyz")
    assert "<Say>" in full.text
    assert "<Hangup/>" in full.text
    assert "<Stream" not in full.text
    assert (ready.status_code, ready.json()["status"]) == (503, "full")
    assert head.status_code == 503, "a load balancer may ask so"


async def test_a_body_that_is_too_large_is_refused(served: Served) -> None:
    answer = await post(served, {"CallSid": "C" * 70_000})
    assert answer.status_code == 413


async def test_without_a_token_twilio_is_told_what_is_missing(engines: Engines) -> None:
    async with running(engines, twilio_auth_token=None) as served:
        answer = await post(served, {"CallSid": "CA1"})
    assert answer.status_code == 503
    assert "ATTUNE_TWILIO_AUTH_TOKEN" in answer.text


class Rest(BaseHTTPRequestHandler):
    """Twilio's call resource, as far as it is used."""

    requests: ClassVar[list[tuple[str, str, str]]] = []
    status = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.requests.append((self.path, self.headers["Authorization"], parse_qs(body)["Twiml"][0]))
        self.send_response(self.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def rest():
    Rest.requests.clear()
    server = HTTPServer(("127.0.0.1", 0), Rest)
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("status", [200, 404])
async def test_zero_puts_the_caller_through_by_a_call_update(
    engines: Engines, rest: HTTPServer, status: int
) -> None:
    Rest.status = status
    order: list[str] = []

    async def take(call: str, brief) -> None:
        order.append(f"brief, {len(Rest.requests)} requests so far")

    async with running(
        engines,
        twilio_account_sid="AC1",
        handoff_number="+15550123",
        twilio_api_url=f"http://127.0.0.1:{rest.server_port}",
    ) as served:
        served.switchboard.brief_takers.append(take)
        async with TwilioCaller(served.web_port, TOKEN) as caller:
            await caller.hears_something(0.0)
            await caller.press("0#")
            async with asyncio.timeout(60):
                await caller.over.wait()
        assert (await served.until_ended(caller.call)).reason == "handoff"
        figures = await served.figures("twilio")
    result = "done" if status == 200 else "failed"
    assert f'attune_handoffs_total{{result="{result}"}} 1.0' in figures
    assert order == ["brief, 0 requests so far"]
    [(path, authorization, twiml)] = Rest.requests
    assert path == f"/2010-04-01/Accounts/AC1/Calls/{caller.call}.json"
    assert base64.b64decode(authorization.split()[1]).decode() == f"AC1:{TOKEN}"
    assert twiml == "<Response><Dial>+15550123</Dial></Response>"
