"""The desk over HTTP: everything that changes something, and what only supervisors see."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError

from nlu.errors import AttuneError
from voice.server.desk.accounts import Role
from voice.server.desk.desk import Desk, Gone, NotYours
from voice.server.desk.entrance import entrance
from voice.server.desk.gate import COOKIE, CSRF_HEADER, PATH, Gate
from voice.server.desk.replies import HEADERS, problem
from voice.server.desk.sessions import Session
from voice.server.desk.socket import desk_socket
from voice.server.switchboard import Switchboard
from voice.supervision import LONGEST_TEXT, NotNow

_AUDIT_ROWS = 200


def _without_controls(text: str) -> str:
    return "".join(each for each in text if each >= " " or each in "\n\t")


Text = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(_without_controls)]
"""What somebody types. Control characters are nothing to be spoken, and PostgreSQL keeps no NUL."""


class AskFirst(BaseModel):
    """Show every reply before it is spoken, or no more."""

    command: Literal["ask_first"]
    wanted: bool


class Rule(BaseModel):
    """What becomes of the reply that waits."""

    command: Literal["rule"]
    turn: int
    verdict: Literal["approve", "edit", "replace"]
    text: Text | None = None


class Editing(BaseModel):
    """The reply that waits is being edited."""

    command: Literal["editing"]
    turn: int


class TakeOver(BaseModel):
    """The call is the agent's."""

    command: Literal["take_over"]


class Say(BaseModel):
    """Words to be spoken."""

    command: Literal["say"]
    text: Text


class GiveBack(BaseModel):
    """The call is the assistant's again."""

    command: Literal["give_back"]


class Transfer(BaseModel):
    """The caller is put through."""

    command: Literal["transfer"]
    text: Text | None = None


class Close(BaseModel):
    """The call is over, and how."""

    command: Literal["close"]
    outcome: Literal["resolved", "unresolved", "escalated", "abandoned"]
    note: Text = ""


Command = Annotated[
    AskFirst | Rule | Editing | TakeOver | Say | GiveBack | Transfer | Close,
    Field(discriminator="command"),
]
_COMMAND: TypeAdapter[Any] = TypeAdapter(Command)


def desk_router(switchboard: Switchboard) -> APIRouter:
    """Everything under `/desk`."""
    gate, desk = Gate(switchboard), Desk(switchboard)
    changes = APIRouter(prefix=PATH)

    @changes.post("/logout")
    async def logout(request: Request) -> Response:
        async def leave(session: Session) -> dict[str, Any]:
            await asyncio.to_thread(gate.sessions.close, session)
            return {}

        response = await _change(gate, request, leave)
        if response.status_code == 200:
            response.delete_cookie(COOKIE, path=PATH)
        return response

    @changes.post("/calls/{call}")
    async def command(call: str, request: Request) -> Response:
        async def act(session: Session) -> dict[str, Any]:
            asked = _COMMAND.validate_json(await request.body())
            await _carry_out(desk, session, call, asked)
            return {}

        return await _change(gate, request, act)

    @changes.get("/audit")
    async def audit(request: Request) -> Response:
        session = await gate.session(request)
        if session is None:
            return problem(401, "Log in first.")
        if session.account.role is not Role.SUPERVISOR:
            return problem(403, "Only a supervisor may see this.")
        store = switchboard.engines.store
        rows = await asyncio.to_thread(store.latest_audit, _AUDIT_ROWS)
        report = await asyncio.to_thread(store.verify_audit)
        chain = {"entries": report.entries, "whole": report.whole, "problem": report.problem}
        return JSONResponse(
            {"chain": chain, "entries": rows, "figures": desk.figures()}, headers=HEADERS
        )

    router = APIRouter()
    for part in (entrance(gate), desk_socket(gate, desk), changes):
        router.include_router(part)
    return router


async def _change(
    gate: Gate, request: Request, act: Callable[[Session], Awaitable[dict[str, Any]]]
) -> Response:
    """Do something for somebody who is logged in and whose page asks for it."""
    session = await gate.session(request)
    if session is None:
        return problem(401, "Log in first.")
    meant = session.accepts(request.headers.get(CSRF_HEADER)) and gate.same_origin(request)
    if not meant:
        return problem(403, "This page has grown old; reload it.")
    try:
        return JSONResponse(await act(session), headers=HEADERS)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "command"
        return problem(422, f"{where}: {first['msg']}.")
    except Gone as error:
        return problem(404, str(error))
    except NotYours as error:
        return problem(403, str(error))
    except NotNow as error:
        return problem(409, str(error))
    except AttuneError as error:
        return problem(503, str(error))


async def _carry_out(desk: Desk, session: Session, call: str, asked: Any) -> None:
    who = session.account
    match asked:
        case AskFirst():
            await desk.ask_first(who, call, wanted=asked.wanted)
        case Rule():
            await desk.rule(who, call, asked.turn, asked.verdict, asked.text)
        case Editing():
            await desk.editing(who, call, asked.turn)
        case TakeOver():
            await desk.take_over(who, call)
        case Say():
            await desk.say(who, call, asked.text)
        case GiveBack():
            await desk.give_back(who, call)
        case Transfer():
            await desk.transfer(who, call, asked.text)
        case Close():
            await desk.close(who, call, asked.outcome, asked.note)
