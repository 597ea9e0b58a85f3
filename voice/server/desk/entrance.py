"""The desk's entrance: its page, and logging in."""

from __future__ import annotations

import asyncio
import secrets
from html import escape
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from voice.server.desk.gate import COOKIE, FORM_COOKIE, PATH, Gate, Locked, address_of
from voice.server.desk.replies import ASSETS, HEADERS, html, page, problem


def entrance(gate: Gate) -> APIRouter:
    """`/desk`, `/desk/assets/...` and `/desk/login`."""
    router = APIRouter(prefix=PATH)

    @router.get("")
    async def desk(request: Request) -> Response:
        if not await gate.accounts_exist():
            return html(page("no-accounts.html"), 503)
        session = await gate.session(request)
        if session is None:
            return _login_page(gate, request)
        return html(
            page("index.html")
            .replace("{{name}}", escape(session.account.name))
            .replace("{{role}}", session.account.role.value)
            .replace("{{csrf}}", escape(session.csrf))
        )

    @router.get("/assets/{name}")
    async def asset(name: str) -> Response:
        kind = ASSETS.get(name)
        if kind is None:
            return problem(404, "There is no such file.")
        return Response(page(name), media_type=kind, headers=HEADERS)

    @router.post("/login")
    async def login(request: Request) -> Response:
        # The body is of 64 KiB at most, which bounds the fields too.
        fields = parse_qs((await request.body()).decode("utf-8", "replace"))
        name, password, word = (fields.get(key, [""])[0] for key in ("name", "password", "form"))
        if not gate.same_origin(request) or not gate.form_is_ours(request, word):
            return _login_page(gate, request, "This page had grown old. Please try again.", 403)
        try:
            account = await gate.log_in(name, password, address_of(request))
        except Locked as locked:
            minutes = max(1, round(locked.wait_s / 60))
            text = f"Too many failed attempts. Try again in {minutes} min."
            answer = _login_page(gate, request, text, 429)
            answer.headers["Retry-After"] = str(int(locked.wait_s) + 1)
            return answer
        if account is None:
            return _login_page(gate, request, "Name or password is not right.", 401)
        token, _ = await asyncio.to_thread(gate.sessions.open, account)
        response = RedirectResponse(PATH, 303, headers=HEADERS)
        gate.give_cookie(response, request, COOKIE, token)
        return response

    return router


def _login_page(gate: Gate, request: Request, told: str = "", status: int = 200) -> Response:
    seed = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(24)
    shown = f'<p class="problem" role="alert">{escape(told)}</p>' if told else ""
    text = page("login.html").replace("{{form}}", gate.form_word(seed))
    response = html(text.replace("{{problem}}", shown), status)
    gate.give_cookie(response, request, FORM_COOKIE, seed)
    return response
