"""The door for visitors: the kiosk page, tokens, and the socket that carries a session.

The socket speaks the OpenAI-Realtime subset, under `/kiosk/socket` and, for clients that know that
address, under `/v1/realtime`.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import uuid
from contextlib import suppress
from dataclasses import replace
from typing import Literal

from fastapi import APIRouter, Request, Response, WebSocket
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dialogue.consent_question import voice_question
from dialogue.customers.consent import grants_for
from dialogue.regulation import load as load_regulations
from dialogue.types import ConsentState, CustomerContext, Purpose
from voice.channels.browser import BrowserChannel, Wishes
from voice.channels.line import LiveLine
from voice.channels.live import LineLimits
from voice.channels.realtime_events import EventWriter, SessionState
from voice.channels.realtime_story import Story
from voice.channels.realtime_wire import HIGHEST_PACE, LOWEST_PACE
from voice.channels.wideband_rate import WidebandConverter
from voice.channels.wire import WireError
from voice.engines import CallerIdentity
from voice.server.admission import Refused
from voice.server.kiosk_page import add_page
from voice.server.kiosk_tokens import VALID_S, KioskTokens
from voice.server.origins import Origins
from voice.server.switchboard import BUSY, SORRY, Switchboard
from voice.server.twilio import POLICY_VIOLATION, StarletteSocket
from voice.types import RATE_HZ

TRY_AGAIN_LATER = 1013
_KEY_IN_PROTOCOL = "openai-insecure-api-key."
_BETA_PROTOCOL = "openai-beta.realtime-v1"
_BUSY_PIECE = RATE_HZ // 2

log = logging.getLogger(__name__)


class _NotAdmitted(Exception):
    def __init__(self, reason: str, status: int, answer: str) -> None:
        super().__init__(answer)
        self.reason = reason
        self.status = status


class TokenRequest(BaseModel):
    """What a session is to begin with."""

    model_config = ConfigDict(extra="forbid")

    consent: dict[Literal["emotion_voice"], ConsentState] = Field(default_factory=dict)
    pace: float = Field(default=1.0, ge=LOWEST_PACE, le=HIGHEST_PACE, allow_inf_nan=False)


class Kiosk:
    """What the kiosk's routes share."""

    def __init__(self, switchboard: Switchboard) -> None:
        settings = switchboard.engines.settings
        self.switchboard = switchboard
        self.tokens = KioskTokens()
        self.origins = Origins(
            [*settings.kiosk_origins, *([settings.public_url] if settings.public_url else [])]
        )
        self.key = settings.secret("kiosk_key")
        self.regulation = load_regulations().row(settings.jurisdiction)
        self.limits = LineLimits(
            dead_after_s=settings.kiosk_longest_s, longest_s=settings.kiosk_longest_s
        )
        self.may_analyse_voice = Purpose.EMOTION_VOICE in grants_for(
            CustomerContext(), self.regulation, {Purpose.EMOTION_VOICE: ConsentState.GRANTED}
        )

    def about(self) -> dict[str, object]:
        """What the page has to know before a session."""
        engines = self.switchboard.engines
        question = voice_question(self.regulation) if self.may_analyse_voice else None
        return {
            "company": engines.pack.company,
            "assistant": engines.pack.assistant,
            "consent": None
            if question is None
            else {
                "question": question.question,
                "explanation": question.explanation,
                "yes": question.yes,
                "no": question.no,
            },
            "pace": {"lowest": LOWEST_PACE, "highest": HIGHEST_PACE},
            "idle_s": engines.settings.kiosk_idle_s,
            "needs_key": self.key is not None,
        }

    def wishes(self, asked: TokenRequest) -> Wishes:
        """What is asked for, as far as it may be had: a yes that does not count here is a no."""
        granted = asked.consent.get("emotion_voice") is ConsentState.GRANTED
        return Wishes(
            emotion_voice=granted and self.may_analyse_voice,
            pace=asked.pace,
            may_analyse_voice=self.may_analyse_voice,
        )

    async def token(self, request: Request) -> Response:
        """A token for one session. Raises `_NotAdmitted`."""
        if not self.origins.allow(request.headers.get("origin"), request.headers.get("host")):
            raise _NotAdmitted("origin", 403, "This page may not ask for tokens here.")
        if not self._knows_key(request.headers.get("authorization")):
            raise _NotAdmitted("key", 401, "The kiosk's key is missing or wrong.")
        try:
            asked = TokenRequest.model_validate_json(await request.body() or b"{}")
        except ValidationError as error:
            field = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise _NotAdmitted("request", 422, f"{field or 'body'}: not valid.") from None
        if not self.switchboard.ready:
            raise _NotAdmitted("not ready", 503, "This server is starting or stopping.")
        given = self.tokens.issue(_address(request), self.wishes(asked))
        if given is None:
            raise _NotAdmitted("rate", 429, "Too many sessions were asked for; wait a minute.")
        return JSONResponse(
            {"token": given, "expires_in_s": int(VALID_S)}, headers={"Cache-Control": "no-store"}
        )

    def wishes_of(self, websocket: WebSocket) -> Wishes:
        """What the session of a socket begins with; its token is used up. Raises `_NotAdmitted`."""
        headers, offered = websocket.headers, _offered(websocket)
        if not self.origins.allow(headers.get("origin"), headers.get("host")):
            raise _NotAdmitted("origin", 403, "not a page of ours")
        wishes = self.tokens.redeem(_token(websocket, offered), _address(websocket))
        if wishes is None:
            raise _NotAdmitted("token", 403, "no valid token")
        beta = _BETA_PROTOCOL in offered or "realtime=v1" in headers.get("openai-beta", "")
        return replace(wishes, beta=beta)

    def refused(self, reason: str) -> None:
        """Count and log a visitor who was not let in; never who."""
        self.switchboard.metrics.refused.labels(reason).inc()
        log.warning("kiosk: refused: %s", reason)

    def _knows_key(self, authorization: str | None) -> bool:
        if self.key is None:
            return True
        return secrets.compare_digest(f"Bearer {self.key}".encode(), (authorization or "").encode())


def kiosk_router(switchboard: Switchboard) -> APIRouter:
    """`/kiosk` and what belongs to it.

    Raises `AttuneError` for a key file that cannot be read.
    """
    kiosk = Kiosk(switchboard)
    router = APIRouter()

    @router.get("/kiosk/about")
    async def about() -> dict[str, object]:
        return kiosk.about()

    @router.post("/kiosk/token")
    async def token(request: Request) -> Response:
        try:
            return await kiosk.token(request)
        except _NotAdmitted as refusal:
            kiosk.refused(refusal.reason)
            return Response(f"{refusal}\n", refusal.status)

    @router.websocket("/kiosk/socket")
    @router.websocket("/v1/realtime")
    async def socket(websocket: WebSocket) -> None:
        try:
            wishes = kiosk.wishes_of(websocket)
        except _NotAdmitted as refusal:
            kiosk.refused(refusal.reason)
            await websocket.close(POLICY_VIOLATION)
            return
        await websocket.accept("realtime" if "realtime" in _offered(websocket) else None)
        await _Session(kiosk, websocket, wishes).hold()

    add_page(router)
    return router


class _Session:
    """One visitor, from the first message to the goodbye."""

    def __init__(self, kiosk: Kiosk, websocket: WebSocket, wishes: Wishes) -> None:
        self._kiosk = kiosk
        self._websocket = websocket
        self._socket = StarletteSocket(websocket)
        self._wishes = wishes
        self._call = uuid.uuid4().hex

    async def hold(self) -> None:
        board = self._kiosk.switchboard
        state = ConsentState.GRANTED if self._wishes.emotion_voice else ConsentState.DENIED
        try:
            with board.admission.place(_address(self._websocket)):
                channel: LiveLine = BrowserChannel(
                    self._socket,
                    self._kiosk.limits,
                    f"sess_{self._call}",
                    self._wishes,
                    staffed=lambda: bool(board.brief_takers),
                    sorry=SORRY,
                )
                identity = CallerIdentity(
                    consents={Purpose.EMOTION_VOICE: state}, pace=self._wishes.pace
                )
                await board.hold(channel, identity, self._call)
                if channel.ended_by is not None:
                    board.metrics.wire_errors.labels("kiosk").inc()
        except Refused as refused:
            board.metrics.refused.labels(refused.reason.value).inc()
            await self._say_busy()
        except (WireError, OSError) as error:
            board.metrics.wire_errors.labels("kiosk").inc()
            log.warning("kiosk: session closed: %s", error)
        finally:
            await self._socket.close()

    async def _say_busy(self) -> None:
        """All lines are busy: shown, and heard."""
        sound = self._kiosk.switchboard.busy_sound
        writer = EventWriter(beta=self._wishes.beta)
        state = SessionState(f"sess_{self._call}")
        story = Story(writer)
        converter = WidebandConverter(RATE_HZ, state.out_hz)
        texts = [
            writer.session("session.created", state),
            writer.problem("busy", BUSY, kind="server_error"),
        ]
        for start in range(0, len(sound), _BUSY_PIECE):
            texts += story.sound(converter.push(sound[start : start + _BUSY_PIECE]))
        texts += [*story.says(BUSY), *story.response_ends(interrupted=False)]
        heard_s = len(sound) / RATE_HZ
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(heard_s + 3.0):
                for text in texts:
                    await self._socket.send(text)
                async with asyncio.timeout(heard_s + 0.5):
                    while await self._socket.receive() is not None:
                        pass


def _offered(websocket: WebSocket) -> list[str]:
    given = websocket.headers.get("sec-websocket-protocol", "")
    return [part.strip() for part in given.split(",")]


def _token(websocket: WebSocket, offered: list[str]) -> str:
    """Where clients of the protocol put their key: a subprotocol, a header, or the address."""
    for part in offered:
        if part.startswith(_KEY_IN_PROTOCOL):
            return part.removeprefix(_KEY_IN_PROTOCOL)
    scheme, _, given = websocket.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and given:
        return given
    return websocket.query_params.get("token", "")


def _address(connection: Request | WebSocket) -> str:
    return connection.client.host if connection.client else "unknown"
