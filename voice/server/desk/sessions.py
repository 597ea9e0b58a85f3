"""Who sits at the desk: a session for each login, and a limit on guessing."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, or_, select, update

from dialogue.customers import audit
from dialogue.customers.database import insert_once
from dialogue.customers.models import DeskAccountRow, DeskSessionRow
from dialogue.customers.store import CustomerStore
from voice.server.desk.accounts import Account, Role

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
_SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody at the desk. `csrf` goes with every change they ask for; `digest` names the
    session without opening it."""

    account: Account
    csrf: str
    digest: str

    def accepts(self, csrf: str | None) -> bool:
        """Whether a request carries this session's word."""
        return csrf is not None and hmac.compare_digest(self.csrf.encode(), csrf.encode())


class Sessions:
    """Sessions in the database, by the hash of their cookie: they outlive the server, and hold at
    every server of an installation. Half an hour without a sign of life ends one, as do 12 hours.
    """

    def __init__(self, store: CustomerStore) -> None:
        self._database = store.database

    def open(self, account: Account) -> tuple[str, Session]:
        """A new session, and what the cookie holds."""
        token, csrf, now = secrets.token_urlsafe(32), secrets.token_urlsafe(32), datetime.now(UTC)
        digest = _digest(token)
        with self._database.writing() as connection:
            connection.execute(
                delete(DeskSessionRow).where(
                    or_(DeskSessionRow.seen_at < now - IDLE, DeskSessionRow.made_at < now - LONGEST)
                )
            )
            insert_once(
                connection,
                DeskSessionRow,
                digest=digest,
                account=account.name,
                csrf=csrf,
                made_at=now,
                seen_at=now,
            )
            audit.append(
                connection,
                "desk_login",
                "",
                now,
                {"name": account.name, "role": account.role.value},
            )
        return token, Session(account, csrf, digest)

    def find(self, token: str | None) -> Session | None:
        """The session of a cookie, if it holds; that it is in use is noted."""
        if not token:
            return None
        digest, now = _digest(token), datetime.now(UTC)
        statement = (
            select(DeskSessionRow, DeskAccountRow.role)
            .join(DeskAccountRow, DeskAccountRow.name == DeskSessionRow.account)
            .where(
                DeskSessionRow.digest == digest,
                DeskSessionRow.seen_at >= now - IDLE,
                DeskSessionRow.made_at >= now - LONGEST,
            )
        )
        with self._database.reading() as connection:
            row = connection.execute(statement).one_or_none()
        if row is None:
            return None
        if now - row.seen_at > _SEEN_EVERY:
            with self._database.writing() as connection:
                connection.execute(
                    update(DeskSessionRow)
                    .where(DeskSessionRow.digest == digest)
                    .values(seen_at=now)
                )
        return Session(Account(row.account, Role(row.role)), row.csrf, digest)

    def close(self, session: Session) -> None:
        """Log out."""
        with self._database.writing() as connection:
            connection.execute(
                delete(DeskSessionRow).where(DeskSessionRow.digest == session.digest)
            )
            audit.append(
                connection, "desk_logout", "", datetime.now(UTC), {"name": session.account.name}
            )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class Attempts:
    """Counts failed logins: so many in a quarter of an hour for a name and for an address."""

    WINDOW_S = 900.0
    MOST_BY_NAME = 5
    MOST_BY_ADDRESS = 20

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: defaultdict[str, deque[float]] = defaultdict(deque)

    def wait_s(self, name: str, address: str) -> float:
        """How long nobody may try this name, or from this address; 0 when they may."""
        now_s = self._clock()
        waits = [0.0]
        for key, most in ((f"n:{name}", self.MOST_BY_NAME), (f"a:{address}", self.MOST_BY_ADDRESS)):
            times = self._failed.get(key)
            while times and times[0] <= now_s - self.WINDOW_S:
                times.popleft()
            if times is not None and not times:
                del self._failed[key]
            elif times and len(times) >= most:
                waits.append(times[-most] + self.WINDOW_S - now_s)
        return max(waits)

    def failed(self, name: str, address: str) -> None:
        """Somebody has guessed wrong."""
        for key in (f"n:{name}", f"a:{address}"):
            self._failed[key].append(self._clock())

    def succeeded(self, name: str) -> None:
        """The right password: earlier mistakes under this name are forgiven."""
        self._failed.pop(f"n:{name}", None)
