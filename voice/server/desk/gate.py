"""The desk's gate: who asks, from where, and whether they meant it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from urllib.parse import urlsplit

from fastapi import Request, Response, WebSocket
from starlette.requests import HTTPConnection

from voice.server.desk.accounts import LONGEST_PASSWORD, Account, Accounts
from voice.server.desk.sessions import LONGEST, Attempts, Session, Sessions
from voice.server.switchboard import Switchboard

COOKIE = "attune_desk"
FORM_COOKIE = "attune_desk_form"
PATH = "/desk"
CSRF_HEADER = "x-csrf-token"


class Locked(Exception):
    """Too many failed logins; `wait_s` says for how long."""

    def __init__(self, wait_s: float) -> None:
        super().__init__()
        self.wait_s = wait_s


class Gate:
    """Lets people in, and says who somebody is."""

    def __init__(self, switchboard: Switchboard) -> None:
        store = switchboard.engines.store
        public = switchboard.engines.settings.public_url
        self._public = urlsplit(public) if public else None
        self._form_key = secrets.token_bytes(32)
        self._one_guess = asyncio.Lock()
        self._accounts_exist = False
        self.accounts = Accounts(store)
        self.sessions = Sessions(store)
        self.attempts = Attempts()

    async def accounts_exist(self) -> bool:
        """Whether anybody could log in."""
        if not self._accounts_exist:
            self._accounts_exist = await asyncio.to_thread(self.accounts.exist)
        return self._accounts_exist

    async def session(self, connection: HTTPConnection) -> Session | None:
        """The session that a request or socket belongs to."""
        return await asyncio.to_thread(self.sessions.find, connection.cookies.get(COOKIE))

    async def log_in(self, name: str, password: str, address: str) -> Account | None:
        """The account of a name and its password; None where they do not fit. Raises `Locked`.

        One guess at a time: the hash is costly by design, and the count stays exact.
        """
        async with self._one_guess:
            wait_s = self.attempts.wait_s(name, address)
            if wait_s > 0:
                raise Locked(wait_s)
            account = None
            if len(password) <= LONGEST_PASSWORD:
                account = await asyncio.to_thread(self.accounts.verified, name, password)
            if account is None:
                self.attempts.failed(name, address)
            else:
                self.attempts.succeeded(name)
            return account

    # --- where a request comes from ------------------------------------------------------------

    def same_origin(self, connection: HTTPConnection, *, required: bool = False) -> bool:
        """Whether a request comes from a page of this server. Browsers say so with every change
        and every socket; others may leave it out where it is not `required`."""
        origin = connection.headers.get("origin")
        if origin is None:
            return not required
        try:
            place = urlsplit(origin).netloc
        except ValueError:
            return False
        hosts = {connection.headers.get("host", "")}
        if self._public is not None:
            hosts.add(self._public.netloc)
        return bool(place) and place in hosts

    def secure(self, connection: HTTPConnection) -> bool:
        """Whether the browser reaches us over TLS, here or at a proxy in front."""
        public = self._public is not None and self._public.scheme == "https"
        return public or connection.url.scheme in ("https", "wss")

    # --- cookies and forms ---------------------------------------------------------------------

    def give_cookie(self, response: Response, request: Request, name: str, value: str) -> None:
        """A cookie that no script reads and no other site sends."""
        response.set_cookie(
            name,
            value,
            max_age=int(LONGEST.total_seconds()),
            path=PATH,
            secure=self.secure(request),
            httponly=True,
            samesite="strict",
        )

    def form_word(self, seed: str) -> str:
        """The word that goes with a form before anybody is logged in."""
        return hmac.new(self._form_key, seed.encode(), hashlib.sha256).hexdigest()

    def form_is_ours(self, request: Request, word: str) -> bool:
        """Whether a form was given out to this browser."""
        seed = request.cookies.get(FORM_COOKIE)
        expected = self.form_word(seed or "")
        return seed is not None and hmac.compare_digest(expected.encode(), word.encode())


def address_of(connection: Request | WebSocket) -> str:
    """Where a request comes from, for counting."""
    return connection.client.host if connection.client else "unknown"
