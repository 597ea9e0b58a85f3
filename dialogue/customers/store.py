"""The one door to everything kept of customers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import platformdirs
from sqlalchemy import select

from dialogue.customers.audit import AuditReport, append, latest, verify
from dialogue.customers.context import read_context
from dialogue.customers.database import BUSY_TIMEOUT_MS, Database, insert_once
from dialogue.customers.identifiers import IdentifierKey, load_key, normalise_phone
from dialogue.customers.models import ContactRow, EffectRow, KeyCheckRow
from dialogue.customers.people import find_person
from dialogue.customers.records import (
    CaseRecord,
    ConsentRecord,
    ContactRecord,
    EffectRecord,
    OfferRecord,
    PromiseRecord,
    Record,
    TurnWrites,
)
from dialogue.customers.writing import Writer
from dialogue.types import CustomerContext, Purpose
from nlu.errors import AttuneError
from nlu.types import Grant


class PackFolder(Protocol):
    """What the store needs to know of a pack."""

    @property
    def directory(self) -> Path:
        """The folder that the pack was read from."""


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

    def knows_call(self, call_id: str) -> bool:
        """Whether a call of this name has left anything behind."""
        statement = select(ContactRow.pk).where(
            ContactRow.key == self.key.short("contact", call_id)
        )
        with self.database.reading() as connection:
            return connection.execute(statement).first() is not None

    def record_turn(self, turn: TurnWrites, grants: Mapping[str, Grant]) -> bool:
        """Everything a finished turn leaves behind, in one transaction; False when it is there.

        Without a grant to store text neither words nor feelings are kept. A customer who was
        forgotten in the meantime leaves nothing but the keys of effects already carried out.
        """
        with self._writing_for(turn.customer_id) as writer:
            return writer.turn(turn, grants)

    def record_outcome(self, contact: TurnWrites, grants: Mapping[str, Grant], by: str) -> bool:
        """How a call ended, as `by` says (audited); False where the call was forgotten.

        Of `contact` only the call, the person and what describes the whole call are looked at.
        """
        with self._writing_for(contact.customer_id) as writer:
            return writer.outcome(contact, grants, by)

    def record_contact(
        self, customer_id: str, contact: ContactRecord, grants: Mapping[str, Grant]
    ) -> bool:
        """A whole call at once; its summary and emotions are kept by grant only."""
        if Purpose.STORE_TEXT not in grants:
            contact = replace(contact, summary="", emotions=())
        elif not {Purpose.EMOTION_VOICE, Purpose.EMOTION_WORDS} & set(grants):
            contact = replace(contact, emotions=())
        with self._writing_for(customer_id) as writer:
            return writer.record(contact)

    def record(self, customer_id: str | None, *records: Record) -> int:
        """Consents, offers, promises, cases, effects: how many of them were new.

        All in one transaction. Raises `AttuneError` for a contact, which needs grants.
        """
        if any(isinstance(record, ContactRecord) for record in records):
            raise AttuneError("A contact is recorded with record_contact, which asks for grants.")
        with self._writing_for(customer_id) as writer:
            return sum(writer.record(record) for record in records)

    def record_consent(self, customer_id: str, consent: ConsentRecord) -> bool:
        """One entry of the ledger; False when it is there already."""
        return self.record(customer_id, consent) > 0

    def record_offer(self, customer_id: str, offer: OfferRecord) -> bool:
        """An offer shown, or its answer; False when nothing new."""
        return self.record(customer_id, offer) > 0

    def open_case(self, customer_id: str, case: CaseRecord) -> bool:
        """Open a case; False when it is there already."""
        return self.record(customer_id, case) > 0

    def close_case(self, customer_id: str, case_id: str, at: datetime) -> bool:
        """Close a case; False when it is closed or does not exist."""
        with self._writing_for(customer_id) as writer:
            return writer.close_case(case_id, at)

    def record_promise(self, customer_id: str, promise: PromiseRecord) -> bool:
        """Write down what was promised; False when it is there already."""
        return self.record(customer_id, promise) > 0

    def keep_promise(self, customer_id: str, key: str, at: datetime) -> bool:
        """Mark a promise as kept; False when it was, or does not exist."""
        with self._writing_for(customer_id) as writer:
            return writer.keep_promise(key, at)

    def effect(self, key: str) -> EffectRecord | None:
        """What came of an effect, if it was ever carried out under this key."""
        statement = select(EffectRow).where(EffectRow.key == self.key.short("effect", key))
        with self.database.reading() as connection:
            row = connection.execute(statement).one_or_none()
        return (
            None if row is None else EffectRecord(key, row.action, row.succeeded, row.at, row.facts)
        )

    def note_access(
        self, kind: str, customer_id: str | None, at: datetime, detail: Mapping[str, str | int]
    ) -> None:
        """Who looked at what, in the audit log: under the customer's pseudonym, if there is one.

        Raises `AttuneError` when it cannot be written: what cannot be noted is not to be shown.
        """
        with self.database.writing() as connection:
            person = find_person(connection, self.key, customer_id)
            append(connection, kind, person.subject, at, detail)

    def latest_audit(self, most: int) -> list[dict[str, object]]:
        """The newest entries of the audit log, newest first."""
        with self.database.reading() as connection:
            return latest(connection, most)

    def verify_audit(self) -> AuditReport:
        """Walk the audit chain from its first entry to its last."""
        with self.database.reading() as connection:
            return verify(connection)

    def seed_pack(self, pack: PackFolder, now: datetime | None = None) -> None:
        """Import the demonstration customers of a pack that has some (`customers.yaml`).

        Their `days_ago` are counted from `now` each time; who was forgotten stays forgotten.
        """
        from dialogue.customers.importing import seed_demo

        path = pack.directory / "customers.yaml"
        if path.is_file():
            seed_demo(self, path, now)

    @contextmanager
    def _writing_for(self, customer_id: str | None) -> Iterator[Writer]:
        with self.database.writing() as connection:
            person = find_person(connection, self.key, customer_id)
            yield Writer(connection, self.key, person)

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
