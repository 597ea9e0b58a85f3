"""The desk over real sockets: an agent sees a call, helps, takes it over, and says how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import websockets
from sqlalchemy import select

from dialogue.customers.models import ContactRow
from tests.voice.server.callers import AudioSocketCaller, KioskCaller, TwilioCaller
from tests.voice.server.conftest import TOKEN, Served, running
from tests.voice.server.seats import PASSWORD, Seat
from voice.engines import Engines
from voice.server.desk.accounts import Accounts, Role
from voice.supervision import HOLD
from voice.types import Hand

REED = "+12125550101"
PETROV = "+493055550109"


class ListeningMind:
    """Notes every text that is understood, as everything that feels does."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.texts: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def understand(self, transcript: Any, **named: Any) -> Any:
        self.texts.append(transcript.text)
        return self._real.understand(transcript, **named)


@pytest.fixture(scope="module")
def staffed(engines: Engines) -> Engines:
    """Engines whose store knows an agent, a second one and a supervisor."""
    accounts = Accounts(engines.store)
    names = {account.name for account in accounts.all()}
    for name, role in (
        ("anna.berg", Role.AGENT),
        ("ben.ode", Role.AGENT),
        ("sue.pervis", Role.SUPERVISOR),
    ):
        if name not in names:
            accounts.add(name, role, PASSWORD)
    return replace(engines, mind=ListeningMind(engines.mind))


@pytest.fixture
async def desk(staffed: Engines) -> AsyncIterator[Served]:
    async with running(staffed) as served:
        yield served


def audited(engines: Engines, kind: str) -> list[dict[str, Any]]:
    return [row for row in engines.store.latest_audit(100) if row["kind"] == kind]


def outcome(engines: Engines, call: str) -> tuple[str, str]:
    key = engines.store.key.short("contact", call)
    with engines.store.database.reading() as connection:
        row = connection.execute(
            select(ContactRow.outcome, ContactRow.summary).where(ContactRow.key == key)
        ).one()
    return row.outcome, row.summary


def captions(visitor: KioskCaller) -> str:
    return str([event for event in visitor.events if event["type"] == "attune.caption"])


async def under_way(served: Served, call: str) -> None:
    async with asyncio.timeout(60):
        while call not in served.switchboard.calls:
            await asyncio.sleep(0.02)


# --- getting in ------------------------------------------------------------------------------


async def test_there_is_no_desk_until_there_is_an_account(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Accounts, "exist", lambda _: False)
    async with running(engines) as served, httpx.AsyncClient() as web:
        answer = await web.get(f"http://127.0.0.1:{served.web_port}/desk")
    assert answer.status_code == 503
    assert "attune desk add" in answer.text


async def test_getting_in_and_staying_out(desk: Served) -> None:
    seat = Seat(desk.web_port)
    refused = await seat.log_in("not the password")
    assert refused.status_code == 401
    assert "Name or password is not right" in refused.text
    without_form = await seat.web.post(
        "/desk/login", data={"name": "anna.berg", "password": PASSWORD}
    )
    assert without_form.status_code == 403
    elsewhere = await seat.web.post(
        "/desk/login", data={"name": "anna.berg"}, headers={"Origin": "https://evil.example"}
    )
    assert elsewhere.status_code == 403

    let_in = await seat.log_in()
    cookie = next(
        value for value in let_in.headers.get_list("set-cookie") if value.startswith("attune_desk=")
    )
    assert {"HttpOnly", "SameSite=strict", "Path=/desk"} <= set(cookie.split("; "))
    page = await seat.web.get("/desk")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert 'data-name="anna.berg"' in page.text

    unmeant = await seat.web.post("/desk/calls/x", json={"command": "take_over"})
    assert unmeant.status_code == 403
    assert unmeant.json() == {"problem": "This page has grown old; reload it."}
    assert (await seat.web.get("/desk/audit")).status_code == 403
    stranger = await httpx.AsyncClient(base_url=seat.origin).post(
        "/desk/calls/x", json={"command": "take_over"}
    )
    assert stranger.status_code == 401
    for headers in ({"Origin": seat.origin}, {"Origin": "https://evil.example"}, {}):
        socket = await websockets.connect(
            f"ws://127.0.0.1:{desk.web_port}/desk/live", additional_headers=headers, proxy=None
        )
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4401
    await seat.web.aclose()


async def test_what_makes_no_sense_is_refused_in_one_sentence(desk: Served) -> None:
    async with Seat(desk.web_port) as anna:
        headers = {"X-CSRF-Token": anna.csrf}
        for body in (b"", b"[]", b"{", b'{"command": "fire"}', b'{"command": "say"}', b"\xff\xfe"):
            answer = await anna.web.post("/desk/calls/x", content=body, headers=headers)
            assert answer.status_code == 422, body
            assert answer.json()["problem"].endswith(".")
        huge = await anna.web.post("/desk/calls/x", content=b"x" * 70_000, headers=headers)
        assert huge.status_code == 413
        gone = await anna.asks("../../etc/passwd", "take_over")
        assert gone.status_code == 404
        for path in ("index.html", "..%2findex.html", "%2e%2e/desk.css", "login.html"):
            assert (await anna.web.get(f"/desk/assets/{path}")).status_code == 404
        for text in ("nonsense", "[]", '{"since": -1}', '{"call": 7}'):
            await anna.tells(text)
        await anna.watch("no such call")
        assert anna.gone == ["This call has ended and is no longer shown."]
        left = await anna.web.post("/desk/logout", headers=headers)
        assert left.status_code == 200
        assert (await anna.asks("x", "take_over")).status_code == 401


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ("form=%C3%A9&name=anna.berg", {}),
        ("&".join(f"field{n}=1" for n in range(50)), {}),
        ("name=anna.berg", {"Origin": "http://["}),
    ],
)
async def test_a_login_that_no_page_of_ours_sends_is_turned_away(
    desk: Served, body: str, headers: dict[str, str]
) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{desk.web_port}") as web:
        await web.get("/desk")
        form = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        answer = await web.post("/desk/login", content=body, headers=form)
    assert answer.status_code == 403


async def test_guessing_is_stopped_for_the_right_password_too(desk: Served) -> None:
    seat = Seat(desk.web_port, name="ben.ode")
    statuses = [(await seat.log_in("a wrong password")).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    assert (await seat.log_in()).status_code == 429
    await seat.web.aclose()


# --- a call ----------------------------------------------------------------------------------


async def test_a_call_seen_helped_taken_over_given_back_and_closed(
    desk: Served, staffed: Engines
) -> None:
    async with (
        TwilioCaller(desk.web_port, TOKEN, phone=REED) as caller,
        Seat(desk.web_port) as anna,
    ):
        call = caller.call
        await caller.hears_something(0.0)
        await anna.until(lambda: anna.calls)
        assert anna.calls[0]["known"]
        assert "Reed" not in str(anna.calls)
        await anna.watch(call)
        assert anna.opened["customer"]["name"] == "Marcus Reed"
        assert anna.opened["customer"]["promises"] == ["the desk chair within three days"]

        # Edit: the plan's reply in other words.
        await anna.does(call, "ask_first", wanted=True)
        await caller.press("44172#")
        plan = await anna.sees("plan")
        assert plan["reply"]
        assert plan["reasons"]
        assert not desk.records(call)
        stale = await anna.asks(call, "rule", turn=plan["turn"] + 7, verdict="approve")
        assert stale.status_code == 409
        words = "Your chair comes tomorrow, before noon."
        await anna.does(call, "rule", turn=plan["turn"], verdict="edit", text=words)
        await anna.sees("said", speaker="agent")
        assert (await anna.sees("decided", turn=plan["turn"]))["speaker"] == "agent"
        await anna.sees("finished", turn=plan["turn"], review="edited")
        record = desk.records(call)[0]
        assert (record.speaker, record.review) == ("agent", "edited")
        assert " ".join(clause.text for clause in record.spoken).endswith(words)

        # Take over: the assistant is silent, the caller is still understood.
        await anna.does(call, "take_over")
        assert (await anna.sees("brief"))["about"]
        await caller.press("1#")
        suggestion = await anna.sees("decided", speaker="agent", turn=plan["turn"] + 1)
        assert suggestion["strategy"]
        typed = "I am so angry and sad, this is Anna herself."
        heard_so_far = len(caller.loud_at_s)
        await anna.does(call, "say", text=typed)
        await anna.sees("said", speaker="agent", turn=plan["turn"] + 1)
        await anna.until(lambda: len(caller.loud_at_s) > heard_so_far)
        assert typed in anna.said("agent")
        await anna.sees("finished", turn=plan["turn"] + 1)

        # Give back, then close.
        await anna.does(call, "give_back")
        assert desk.switchboard.calls[call].agent.hand is Hand.ASK_FIRST
        await anna.does(call, "ask_first", wanted=False)
        assert (await anna.asks(call, "say", text="hello")).status_code == 409
        await caller.press("2#")
        await anna.sees("said", speaker="assistant", turn=plan["turn"] + 2)
        await anna.does(call, "close", outcome="resolved", note="Sent \0again. Mail: a@b.com")
        ended = await desk.until_ended(call)
    assert ended.reason == "closed"
    assert outcome(staffed, call) == ("resolved", "Sent again. Mail: [EMAIL]")
    told = {kind: audited(staffed, kind) for kind in ("desk_view", "desk_take_over", "outcome")}
    for rows in told.values():
        assert rows[0]["subject"], "the customer's pseudonym"
    assert told["desk_view"][0]["detail"] == {"name": "anna.berg", "role": "agent"}
    assert told["outcome"][0]["detail"] == {"by": "anna.berg", "outcome": "resolved"}
    assert staffed.store.verify_audit().whole

    # Nothing that estimates a feeling has ever seen what the agent typed.
    assert isinstance(staffed.mind, ListeningMind)
    assert staffed.mind.texts
    assert not any("angry" in text or "noon" in text for text in staffed.mind.texts)
    spoken = [record for record in desk.records(call) if record.speaker == "agent"]
    assert all(not record.extra["emotion_course"] for record in spoken)


async def test_roles_reconnecting_and_putting_through(desk: Served, staffed: Engines) -> None:
    briefs: list[str] = []

    async def take(_: str, brief: Any) -> None:
        briefs.append(brief.reason)

    desk.switchboard.brief_takers.append(take)
    async with (
        AudioSocketCaller(desk.port) as caller,
        Seat(desk.web_port) as anna,
        Seat(desk.web_port, "ben.ode") as ben,
        Seat(desk.web_port, "sue.pervis") as sue,
    ):
        call = caller.id.hex
        await under_way(desk, call)
        await anna.watch(call)
        await anna.does(call, "take_over")
        await ben.until(lambda: ben.calls and ben.calls[0]["holder"] == "anna.berg")
        assert not ben.calls[0]["open"]
        await ben.watch(call)
        assert ben.gone == ["anna.berg has this call in hand."]
        assert (await ben.asks(call, "say", text="mine")).status_code == 403
        assert (await ben.web.get("/desk/audit")).status_code == 403
        await sue.watch(call)
        assert sue.opened["holder"] == "anna.berg"
        seen = (await sue.web.get("/desk/audit")).json()
        assert seen["figures"]["with_agents"] == 1
        assert seen["chain"]["whole"]
        assert seen["entries"][0]["detail"]["name"] == "sue.pervis"

        # What was missed while the line was down comes with the next connection, and only that.
        await anna.sees("hand", hand="agent")
        last = max(entry["seq"] for entry in anna.entries)
        before = list(anna.entries)
        await anna.get_up()
        caller.press("1#")
        await sue.sees("decided")
        await anna.sit_down()
        await anna.watch(call, since=last)
        await anna.sees("decided")
        fresh = anna.entries[len(before) :]
        assert fresh
        assert all(entry["seq"] > last for entry in fresh)

        # A page loaded anew shows the whole call.
        anna.entries.clear()
        await anna.watch(call)
        await anna.sees("decided")
        assert anna.latest("started")
        assert anna.said("assistant")

        await anna.does(call, "transfer")
        await anna.sees("ended", reason="handoff")
        async with asyncio.timeout(30):
            await caller.over.wait()
        assert caller.hung_up
    assert briefs == ["agent: an agent puts the caller through"]
    assert "through" in desk.records(call)[-1].spoken[0].text
    assert audited(staffed, "desk_transfer")


async def test_a_plan_that_nobody_looks_at_goes_ahead(staffed: Engines) -> None:
    async with (
        running(staffed, ask_first_wait_ms=1_500) as desk,
        AudioSocketCaller(desk.port) as caller,
        Seat(desk.web_port) as anna,
    ):
        call = caller.id.hex
        await under_way(desk, call)
        await anna.watch(call)
        await anna.does(call, "ask_first", wanted=True)
        await caller.hears_something(0.0)
        caller.press("1#")
        plan = await anna.sees("plan")
        assert plan["left_ms"] == 1_500
        finished = await anna.sees("finished", turn=plan["turn"])
        assert finished["review"] == "unanswered"
        spoken = [clause.text for clause in desk.records(call)[0].spoken]
    assert spoken[0] == HOLD
    assert len(spoken) > 1


async def test_without_consent_nothing_of_a_voice_is_shown(desk: Served) -> None:
    async with (
        TwilioCaller(desk.web_port, TOKEN, phone=PETROV) as caller,
        Seat(desk.web_port) as anna,
    ):
        await caller.hears_something(0.0)
        await anna.watch(caller.call)
        assert not (await anna.sees("consent"))["emotion_voice"]
        await caller.press("1#")
        await anna.sees("decided")
        assert anna.latest("voice") is None
        assert anna.calls[0]["open"]


async def test_a_visitor_who_wants_a_person_waits_on_the_line_for_one_at_the_desk(
    desk: Served,
) -> None:
    async with KioskCaller(desk.web_port) as visitor, Seat(desk.web_port) as anna:
        await visitor.hears_something(0.0)
        await anna.until(lambda: anna.calls)
        call = anna.calls[0]["call"]
        await anna.watch(call)
        await visitor.tell("attune.person.request")
        brief = await anna.sees("brief")
        assert brief["consents"]
        await anna.sees("hand", hand="waiting")
        await anna.until(lambda: anna.calls[0]["wants_human"])
        assert (await anna.asks(call, "ask_first", wanted=True)).status_code == 409
        await anna.does(call, "take_over")
        await anna.does(call, "say", text="Good morning, what can I do for you?")
        await anna.until(lambda: "what can I do for you" in captions(visitor))
        assert not visitor.over.is_set()
        assert not anna.calls[0]["wants_human"]
