"""The door for Twilio: the TwiML that answers a call, and the stream that carries it."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape, quoteattr

from fastapi import APIRouter, Request, Response, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from nlu.errors import AttuneError
from voice.channels import twilio_wire
from voice.channels.telephone_rate import Halver
from voice.channels.twilio import TwilioChannel, read_start
from voice.channels.twilio_rest import TwilioCalls
from voice.channels.twilio_signature import is_signed, is_stream_token, stream_token
from voice.channels.wire import WireError
from voice.engines import CallerIdentity
from voice.server.admission import Refused
from voice.server.switchboard import BUSY, Switchboard
from voice.settings import Settings

POLICY_VIOLATION = 1008

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TwilioAccount:
    """What is needed to answer for an account. `public_url` is where Twilio reaches us, as in
    `https://voice.example.com`; without it the address of each request is believed."""

    auth_token: str
    public_url: str | None = None
    calls: TwilioCalls | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> TwilioAccount | None:
        """The account as set; None where no token is.

        Raises `AttuneError` for a token file that cannot be read and a handoff number without an
        account.
        """
        token = settings.secret("twilio_auth_token")
        if token is None:
            return None
        calls = None
        if settings.handoff_number is not None:
            if settings.twilio_account_sid is None:
                raise AttuneError(
                    "Setting 'twilio_account_sid': missing, and 'handoff_number' needs it; "
                    "set ATTUNE_TWILIO_ACCOUNT_SID."
                )
            calls = TwilioCalls(
                settings.twilio_account_sid, token, settings.twilio_api_url, settings.handoff_number
            )
        public_url = settings.public_url.rstrip("/") if settings.public_url else None
        return cls(token, public_url, calls)


def twilio_router(switchboard: Switchboard, account: TwilioAccount | None) -> APIRouter:
    """`POST /twilio/voice` and the WebSocket `/twilio/media`."""
    router = APIRouter(prefix="/twilio")

    @router.post("/voice")
    async def voice(request: Request) -> Response:
        if account is None:
            return Response("Set ATTUNE_TWILIO_AUTH_TOKEN to take calls from Twilio.\n", 503)
        body = await request.body()
        fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        url = _url(request.url.path, request.url.query, _base(request, account, "http"))
        given = request.headers.get("x-twilio-signature")
        if not is_signed(account.auth_token, url, given, fields):
            switchboard.metrics.refused.labels("signature").inc()
            log.warning("twilio: a request without a valid signature was refused")
            return Response("The signature is not valid.\n", 403)
        refusal = switchboard.admission.refusal()
        if refusal is not None or not switchboard.ready:
            switchboard.metrics.refused.labels(refusal.value if refusal else "warming up").inc()
            return _twiml(f"<Say>{escape(BUSY)}</Say><Hangup/>")
        values = dict(fields)
        call = values.get("CallSid", "")
        token = stream_token(account.auth_token, call, time.time())
        stream = _base(request, account, "ws") + "/twilio/media"
        return _twiml(
            f"<Connect><Stream url={quoteattr(stream)}>"
            f'<Parameter name="token" value={quoteattr(token)}/>'
            f'<Parameter name="from" value={quoteattr(values.get("From", ""))}/>'
            "</Stream></Connect><Hangup/>"
        )

    @router.websocket("/media")
    async def media(websocket: WebSocket) -> None:
        if account is None or not _handshake_is_signed(websocket, account):
            switchboard.metrics.refused.labels("signature").inc()
            await websocket.close(POLICY_VIOLATION)
            return
        await websocket.accept()
        await _Stream(switchboard, account, websocket).hold()

    return router


class _Stream:
    """One stream, from its first message to the hang-up."""

    def __init__(
        self, switchboard: Switchboard, account: TwilioAccount, websocket: WebSocket
    ) -> None:
        self._switchboard = switchboard
        self._account = account
        self._websocket = websocket
        self._socket = StarletteSocket(websocket)
        self._started: twilio_wire.Started | None = None

    async def hold(self) -> None:
        board = self._switchboard
        client = self._websocket.client
        try:
            self._started = started = await read_start(self._socket)
            token = started.parameters.get("token", "")
            if not is_stream_token(self._account.auth_token, started.call, token, time.time()):
                raise WireError("the stream's token is not valid")
            with board.admission.place(client.host if client else "unknown"):
                calls = self._account.calls
                channel = TwilioChannel(
                    self._socket, started, board.limits, calls.put_through if calls else None
                )
                phone = started.parameters.get("from") or None
                await board.hold(channel, CallerIdentity(phone=phone), _call_name(started.call))
                if channel.ended_by is not None:
                    board.metrics.wire_errors.labels("twilio").inc()
        except Refused as refused:
            board.metrics.refused.labels(refused.reason.value).inc()
            await self._say_busy()
        except (WireError, OSError) as error:
            board.metrics.wire_errors.labels("twilio").inc()
            log.warning("twilio: stream closed: %s", error)
        finally:
            await self._socket.close()

    async def _say_busy(self) -> None:
        if self._started is None:
            return
        sound = Halver().push(self._switchboard.busy_sound)
        stream = self._started.stream
        with suppress(OSError, WireError, TimeoutError):
            async with asyncio.timeout(len(sound) / 8_000 + 3.0):
                await self._socket.send(twilio_wire.media(stream, sound))
                await self._socket.send(twilio_wire.mark(stream, "busy"))
                while (text := await self._socket.receive()) is not None:
                    if isinstance(twilio_wire.parse(text), twilio_wire.MarkPlayed):
                        return


class StarletteSocket:
    """A WebSocket of the web framework as a `TextSocket`."""

    def __init__(self, websocket: WebSocket) -> None:
        self._websocket = websocket

    async def receive(self) -> str | bytes | None:
        """The next message; None once it is closed."""
        try:
            message = await self._websocket.receive()
        except (WebSocketDisconnect, RuntimeError):
            return None
        if message["type"] == "websocket.disconnect":
            return None
        text: str | bytes | None = message.get("text")
        return text if text is not None else message.get("bytes", b"")

    async def send(self, text: str) -> None:
        """Send a message. Raises `OSError` when it is closed."""
        try:
            await self._websocket.send_text(text)
        except (WebSocketDisconnect, RuntimeError) as error:
            raise ConnectionError("the stream is closed") from error

    async def close(self) -> None:
        """Close it, once."""
        if self._websocket.application_state is not WebSocketState.DISCONNECTED:
            with suppress(WebSocketDisconnect, RuntimeError, OSError):
                await self._websocket.close()


def _twiml(content: str) -> Response:
    xml = f'<?xml version="1.0" encoding="UTF-8"?><Response>{content}</Response>'
    return Response(xml, media_type="text/xml")


def _base(request: Request | WebSocket, account: TwilioAccount, scheme: str) -> str:
    """Where Twilio reached us, as `http(s)://host` or `ws(s)://host`."""
    public = account.public_url or f"{request.url.scheme}://{request.url.netloc}"
    is_secure = public.startswith(("https:", "wss:"))
    return f"{scheme}{'s' if is_secure else ''}://{public.partition('://')[2]}"


def _url(path: str, query: str, base: str) -> str:
    return f"{base}{path}?{query}" if query else base + path


def _handshake_is_signed(websocket: WebSocket, account: TwilioAccount) -> bool:
    """Twilio signs the address of the stream; with and without a slash at the end is seen."""
    given = websocket.headers.get("x-twilio-signature")
    url = _url(websocket.url.path, websocket.url.query, _base(websocket, account, "ws"))
    return any(is_signed(account.auth_token, each, given) for each in (url, url + "/"))


def _call_name(call: str) -> str | None:
    """Twilio's call id where it is one that a file may be called by."""
    return call if call.isascii() and call.isalnum() and len(call) <= 64 else None
