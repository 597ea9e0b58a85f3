"""Importing customers: all of a file or nothing of it, and the same file twice changes nothing."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select, update

from dialogue.customers import audit, ledger
from dialogue.customers.context import bits_of
from dialogue.customers.database import insert_once
from dialogue.customers.identifiers import IdentifierKey
from dialogue.customers.models import (
    Base,
    CaseRow,
    ContactRow,
    CustomerRow,
    IdentifierRow,
    OfferRow,
    PromiseRow,
)
from dialogue.customers.people import is_forgotten
from dialogue.customers.reading import read_customers
from dialogue.customers.records import ConsentRecord
from dialogue.customers.store import CustomerStore
from dialogue.customers.wire import CaseIn, CustomerIn, moment
from dialogue.types import ConsentState


@dataclass(frozen=True, slots=True)
class ImportReport:
    """How many customers were new, changed, as before, or left out because they were forgotten."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    forgotten: int = 0


def import_file(store: CustomerStore, path: Path, now: datetime | None = None) -> ImportReport:
    """Import a CSV, JSON or YAML file in one transaction.

    What is there already is brought up to date: a field of the file wins, what the file does not
    mention stays. A consent is added to the ledger once; an older one never displaces a newer.
    Customers who were forgotten stay forgotten. Raises `AttuneError` naming line and field.
    """
    return import_customers(store, read_customers(path), now)


def import_customers(
    store: CustomerStore, customers: Sequence[CustomerIn], now: datetime | None = None
) -> ImportReport:
    """As `import_file`, for customers that were read already."""
    moment_of_import = now or datetime.now(UTC)
    counts = {"created": 0, "updated": 0, "unchanged": 0, "forgotten": 0}
    with store.database.writing() as connection:
        for customer in customers:
            if is_forgotten(connection, store.key, "customer", customer.id):
                counts["forgotten"] += 1
                continue
            what = _Import(connection, store.key, customer, moment_of_import).carry_out()
            counts[what] += 1
    return ImportReport(**counts)


def seed_demo(store: CustomerStore, path: Path, now: datetime | None = None) -> ImportReport:
    """A pack's demonstration customers; their `days_ago` are counted from `now` each time."""
    return import_file(store, path, now)


class _Import:
    """One customer on their way in."""

    def __init__(
        self, connection: Connection, key: IdentifierKey, customer: CustomerIn, now: datetime
    ) -> None:
        self._connection = connection
        self._key = key
        self._customer = customer
        self._now = now
        self._pk = 0
        self._subject = ""
        self._changed = False

    def carry_out(self) -> str:
        """`created`, `updated` or `unchanged`."""
        created = self._profile()
        self._identifiers()
        self._consents()
        for case in self._customer.cases:
            self._case(case)
        self._history()
        if created or self._changed:
            kind = "created" if created else "updated"
            audit.append(self._connection, "import", self._subject, self._now, {"what": kind})
            return kind
        return "unchanged"

    def _profile(self) -> bool:
        customer = self._customer
        given = {
            "name": customer.name,
            "locale": customer.locale,
            "jurisdiction": customer.jurisdiction,
            "flags": bits_of(customer.flags),
            "attributes": customer.attributes,
        }
        created = insert_once(
            self._connection,
            CustomerRow,
            id=customer.id,
            subject=secrets.token_hex(16),
            created_at=self._now,
            **given,
        )
        row = self._connection.execute(
            select(CustomerRow.__table__).where(CustomerRow.id == customer.id).with_for_update()
        ).one()
        self._pk, self._subject = row.pk, row.subject
        mentioned = {name: given[name] for name in given if name in customer.model_fields_set}
        if "attributes" in mentioned:
            mentioned["attributes"] = {**row.attributes, **customer.attributes}
        changed = {name: value for name, value in mentioned.items() if getattr(row, name) != value}
        if changed:
            self._connection.execute(
                update(CustomerRow).where(CustomerRow.pk == self._pk).values(**changed)
            )
            self._changed = True
        return created

    def _identifiers(self) -> None:
        named = [("phone", value) for value in self._customer.phones]
        named += [("email", value) for value in self._customer.emails]
        for kind, value in named:
            self._changed |= insert_once(
                self._connection,
                IdentifierRow,
                customer=self._pk,
                kind=kind,
                digest=self._key.digest(kind, value),
            )

    def _consents(self) -> None:
        recorded = {entry["purpose"] for entry in ledger.entries(self._connection, self._subject)}
        seen: Counter[str] = Counter()
        for entry in self._customer.ledger():
            undated = entry.at is None and not entry.days_ago
            if undated and entry.state is ConsentState.GRANTED and entry.purpose in recorded:
                # Without a date there is no knowing whether this yes is older than a recorded no.
                continue
            stamp = entry.at.isoformat() if entry.at else "relative"
            name = f"{entry.purpose}:{entry.state}:{entry.wording_version}:{stamp}"
            seen[name] += 1
            key = self._own("consent", f"{name}:{seen[name]}")
            record = ConsentRecord(
                key,
                entry.purpose,
                entry.state,
                entry.moment(self._now),
                entry.wording_version,
                entry.channel,
                entry.evidence,
            )
            self._changed |= ledger.append(self._connection, key, self._subject, record)

    def _case(self, case: CaseIn) -> None:
        opened_at = moment(case.opened_at, case.opened_days_ago, self._now)
        closed_at = None
        if case.closed_at is not None or case.closed_days_ago is not None:
            closed_at = moment(case.closed_at, case.closed_days_ago, self._now)
        values = {
            "subject": case.subject,
            "intent": case.intent,
            "opened_at": opened_at,
            "closed_at": closed_at,
            "status": "closed" if closed_at else "open",
        }
        self._put(CaseRow, {"customer": self._pk, "id": case.id}, values)
        if case.promise:
            self._promise(case.promise, case.id, opened_at, closed_at)

    def _history(self) -> None:
        customer = self._customer
        for contact in customer.contacts:
            values: dict[str, Any] = {
                "at": contact.moment(self._now),
                "outcome": contact.outcome,
                "summary": contact.summary,
                "customer": self._pk,
                "jurisdiction": customer.jurisdiction,
                "intent": contact.intent,
                "channel": contact.channel,
            }
            key = self._own("contact", f"{contact.stamp}:{contact.intent}:{contact.channel}")
            self._put(ContactRow, {"key": key}, values)
        for promise in customer.promises:
            made_at = promise.moment(self._now)
            kept_at = self._now if promise.kept else None
            self._promise(promise.text, promise.case, made_at, kept_at)
        for offer in customer.offers:
            shown_at = offer.moment(self._now)
            values = {
                "shown_at": shown_at,
                "answer": offer.answer,
                "answered_at": shown_at if offer.answer else None,
                "customer": self._pk,
                "offer": offer.offer,
            }
            self._put(OfferRow, {"key": self._own("offer", f"{offer.stamp}:{offer.offer}")}, values)

    def _promise(self, text: str, case: str, at: datetime, kept_at: datetime | None) -> None:
        key = self._own("promise", f"{case}:{text}")
        values = {"customer": self._pk, "case_id": case, "text": text, "made_at": at}
        self._put(PromiseRow, {"key": key}, {**values, "kept_at": kept_at})

    def _put(self, row: type[Base], identity: dict[str, Any], values: dict[str, Any]) -> None:
        """Insert under `identity`, or bring what is there up to date.

        A moment given in days before the import moves along without counting as a change.
        """
        if insert_once(self._connection, row, **identity, **values):
            self._changed = True
            return
        table = Base.metadata.tables[row.__tablename__]
        found = [table.c[name] == value for name, value in identity.items()]
        before = self._connection.execute(select(table).where(*found)).one()._mapping
        if all(before[name] == value for name, value in values.items()):
            return
        moments = {"at", "opened_at", "closed_at", "made_at", "kept_at", "shown_at", "answered_at"}
        self._changed |= any(
            before[name] != value
            if name not in moments
            else (before[name] is None) != (value is None)
            for name, value in values.items()
        )
        self._connection.execute(update(table).where(*found).values(**values))

    def _own(self, kind: str, name: str) -> str:
        return self._key.short(f"imported {kind}", f"{self._subject}:{name}")
