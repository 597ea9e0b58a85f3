"""The one door to everything kept of customers."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path

import platformdirs
from sqlalchemy import select

from dialogue.customers.context import read_context
from dialogue.customers.database import BUSY_TIMEOUT_MS, Database, insert_once
from dialogue.customers.identifiers import IdentifierKey, load_key, normalise_phone
from dialogue.customers.models import KeyCheckRow
from dialogue.types import CustomerContext
from nlu.errors import AttuneError


class CustomerStore:
    """Customers in SQLite or PostgreSQL. Safe to use from several processes at once.

    Every write is one transaction and carries a key: the same key written twice changes nothing
    the second time. Whatever the database refuses comes out as an `AttuneError` in one sentence.
    """

    def __init__(self, database: Database, key: IdentifierKey) -> None:
        self.database = database
        self.key = key
        self._check_key()

    @classmethod
    def open(
        cls,
        url: str,
        *,
        data_dir: Path | None = None,
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
    ) -> CustomerStore:
        """Open a database by URL, making or upgrading its schema where needed.

        The key of the identifiers comes from `ATTUNE_IDENTIFIER_KEY`, else from the folder of a
        SQLite file, else from `data_dir` (by default the user's). Raises `AttuneError` for a
        database that cannot be opened, is newer than this program or has another key.
        """
        database = Database(url, busy_timeout_ms)
        folder = database.path.resolve().parent if database.path else None
        if not database.is_sqlite:
            folder = data_dir or Path(platformdirs.user_data_dir("attune"))
        return cls(database, load_key(folder))

    def close(self) -> None:
        """Give the connections back."""
        self.database.close()

    def context(
        self,
        customer_id: str | None = None,
        phone: str | None = None,
        now: datetime | None = None,
        *,
        but_call: str | None = None,
    ) -> CustomerContext:
        """Who is calling, by id or else by telephone number, as of `now`.

        Nobody, or a forgotten customer: a stranger. A number that several customers share: a
        stranger with `attributes["record"] == "several"`. `but_call` leaves the contact of the
        call at hand out of its own history.
        """
        digest: str | None = None
        if customer_id is None and phone is not None:
            with contextlib.suppress(ValueError):
                digest = self.key.digest("phone", normalise_phone(phone))
        with self.database.reading() as connection:
            return read_context(
                connection,
                now=now or datetime.now(UTC),
                customer_id=customer_id,
                phone_digest=digest,
                but_contact=self.key.short("contact", but_call) if but_call else "",
            )

    def _check_key(self) -> None:
        """Notice another key than the one that the identifiers were hashed with."""
        digest = self.key.digest("key_check", "attune")
        stored = select(KeyCheckRow.digest)
        with self.database.reading() as connection:
            known = connection.execute(stored).scalar()
        if known is None:
            with self.database.writing() as connection:
                insert_once(connection, KeyCheckRow, one=1, digest=digest)
                known = connection.execute(stored).scalar()
        if known != digest:
            self.close()
            raise AttuneError(
                f"Database {self.database.name}: its identifiers were hashed with another key; "
                "set ATTUNE_IDENTIFIER_KEY or put back the identifier.key that belongs to it."
            )
