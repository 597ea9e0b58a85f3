"""The web application: one router for each kind of visitor."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from voice.server.health import health_router
from voice.server.kiosk import kiosk_router
from voice.server.switchboard import Switchboard
from voice.server.twilio import TwilioAccount, twilio_router

LARGEST_BODY = 65_536


def create_app(
    switchboard: Switchboard,
    *,
    twilio: TwilioAccount | None = None,
    routers: Iterable[APIRouter] = (),
) -> FastAPI:
    """Health and metrics, the kiosk, the telephone where an account is given, further routers."""
    app = FastAPI(title="Attune", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(health_router(switchboard))
    app.include_router(twilio_router(switchboard, twilio))
    app.include_router(kiosk_router(switchboard))
    for router in routers:
        app.include_router(router)
    app.add_middleware(BodyLimit)
    return app


class BodyLimit:
    """Refuses requests with a body over 64 KiB, whatever their header says."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the body as it comes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > LARGEST_BODY:
                await send({"type": "http.response.start", "status": 413, "headers": []})
                await send({"type": "http.response.body", "body": b"Too large.\n"})
                return
        given = False

        async def whole() -> dict[str, object]:
            nonlocal given
            if given:
                return dict(await receive())
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, whole, send)
