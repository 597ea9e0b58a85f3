"""What a customer may ask for: everything held of them in one JSON, and to be forgotten."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, select, update

from dialogue.customers import audit, ledger
from dialogue.customers.context import flags_of
from dialogue.customers.database import insert_once
from dialogue.customers.identifiers import normalise_email, normalise_phone
from dialogue.customers.models import (
    Base,
    CaseRow,
    ContactRow,
    CustomerRow,
    EffectRow,
    ForgottenRow,
    IdentifierRow,
    OfferRow,
    PromiseRow,
    TurnRow,
)
from dialogue.customers.people import is_forgotten
from dialogue.customers.scanning import ScanReport, clean_up, scan
from dialogue.customers.store import CustomerStore
from nlu.errors import AttuneError

_NAMES_SOMEBODY = re.compile(r"@|\d{5}")
"""Attributes such as `owns: coffee machine` name nobody; addresses and numbers do."""


@dataclass(frozen=True, slots=True)
class ForgetReport:
    """What forgetting did: rows erased, by table (none when it was done before), and the proof."""

    erased: dict[str, int]
    proof: ScanReport

    @property
    def done(self) -> bool:
        """Whether nothing is left that names the person."""
        return self.proof.left == 0


def export(store: CustomerStore, customer_id: str, at: datetime | None = None) -> dict[str, Any]:
    """Everything held of a customer, as plain JSON values; that it was asked for is audited.

    Raises `AttuneError` when nothing is held under this id.
    """
    moment = at or datetime.now(UTC)
    with store.database.writing() as connection:
        person = _require(connection, customer_id)
        audit.append(connection, "export", person.subject, moment, {})
        contacts = _rows(connection, ContactRow, person.pk)
        turns = _rows(connection, TurnRow, person.pk)
        for contact in contacts:
            contact["turns"] = [_plain(turn) for turn in turns if turn["contact"] == contact["pk"]]
        return {
            "exported_at": moment.isoformat(),
            "id": person.id,
            "pseudonym": person.subject,
            "name": person.name,
            "locale": person.locale,
            "jurisdiction": person.jurisdiction,
            "flags": [
                name
                for name in ("vulnerable", "prefers_brief", "vip")
                if getattr(flags_of(person.flags), name)
            ],
            "attributes": dict(person.attributes),
            "held_since": person.created_at.isoformat(),
            "identifiers": [
                {"kind": row["kind"], "keyed_hash": row["digest"]}
                for row in _rows(connection, IdentifierRow, person.pk)
            ],
            "consents": ledger.entries(connection, person.subject),
            "cases": [_plain(row) for row in _rows(connection, CaseRow, person.pk)],
            "promises": [_plain(row) for row in _rows(connection, PromiseRow, person.pk)],
            "offers": [_plain(row) for row in _rows(connection, OfferRow, person.pk)],
            "contacts": [_plain(contact) for contact in contacts],
            "effects": [_plain(row) for row in _rows(connection, EffectRow, person.pk)],
            "audit": audit.entries_about(connection, person.subject),
        }


def forget(
    store: CustomerStore,
    customer_id: str,
    *,
    also: tuple[str, ...] = (),
    at: datetime | None = None,
) -> ForgetReport:
    """Erase a customer and prove it.

    Profile, identifiers, cases, promises, offers, contacts, turns and the evidence of consents are
    erased; facts of effects are emptied; ledger and audit entries stay under a pseudonym that
    leads nowhere any more. Then the database and its files are searched for the id, the name, the
    attributes, the keyed hashes and the numbers or addresses in `also`.

    Doing it again only repeats the proof. Raises `AttuneError` for an id that was never known.
    """
    moment = at or datetime.now(UTC)
    with store.database.writing() as connection:
        person = _find(connection, customer_id)
        if person is None:
            if not is_forgotten(connection, store.key, "customer", customer_id):
                raise _unknown(customer_id)
            erased: dict[str, int] = {}
            traces = {"id": {customer_id}}
        else:
            traces = _traces(connection, person)
            erased = _erase(connection, person)
            insert_once(
                connection,
                ForgottenRow,
                digest=store.key.digest("forgotten customer", customer_id),
                at=moment,
            )
            audit.append(connection, "forgotten", person.subject, moment, {})
    traces.setdefault("also", set()).update(_spellings(store, also))
    clean_up(store.database, thoroughly=False)
    proof = scan(store.database, traces)
    if proof.left:
        clean_up(store.database, thoroughly=True)
        proof = scan(store.database, traces)
    return ForgetReport(erased, proof)


def forget_call(store: CustomerStore, call_id: str, at: datetime | None = None) -> bool:
    """Erase what one call left behind and let it leave nothing more; False when it left nothing.

    Cases and promises stay: they are owed to the customer. The entries of the consent ledger stay.
    """
    moment = at or datetime.now(UTC)
    with store.database.writing() as connection:
        contact = connection.execute(
            select(ContactRow.pk).where(ContactRow.key == store.key.short("contact", call_id))
        ).scalar()
        digest = store.key.digest("forgotten call", call_id)
        if insert_once(connection, ForgottenRow, digest=digest, at=moment):
            audit.append(connection, "call_forgotten", "", moment, {})
        if contact is None:
            return False
        connection.execute(update(EffectRow).where(EffectRow.contact == contact).values(facts={}))
        connection.execute(delete(TurnRow).where(TurnRow.contact == contact))
        connection.execute(delete(ContactRow).where(ContactRow.pk == contact))
    clean_up(store.database, thoroughly=False)
    return True


def _erase(connection: Connection, person: Any) -> dict[str, int]:
    erased = {
        "effects": connection.execute(
            update(EffectRow).where(EffectRow.customer == person.pk).values(facts={}, customer=None)
        ).rowcount,
        "consent_evidence": ledger.erase_evidence(connection, person.subject),
    }
    for row in (TurnRow, ContactRow, OfferRow, PromiseRow, CaseRow, IdentifierRow):
        table = _table(row)
        erased[table.name] = connection.execute(
            delete(table).where(table.c.customer == person.pk)
        ).rowcount
    connection.execute(delete(CustomerRow).where(CustomerRow.pk == person.pk))
    erased["customers"] = 1
    return erased


def _traces(connection: Connection, person: Any) -> dict[str, set[str]]:
    """What could still name the person, by kind."""
    return {
        "id": {person.id},
        "name": {person.name} if person.name else set(),
        "attributes": set(filter(_NAMES_SOMEBODY.search, person.attributes.values())),
        "keyed hashes": {row["digest"] for row in _rows(connection, IdentifierRow, person.pk)},
    }


def _spellings(store: CustomerStore, identifiers: tuple[str, ...]) -> set[str]:
    """Each number or address as typed, as normalised, and as the hash it would have."""
    found = set(identifiers)
    for text in identifiers:
        for kind, normalise in (("phone", normalise_phone), ("email", normalise_email)):
            try:
                normal = normalise(text)
            except ValueError:
                continue
            found |= {normal, store.key.digest(kind, normal)}
    return found


def _find(connection: Connection, customer_id: str) -> Any | None:
    return connection.execute(
        select(CustomerRow.__table__).where(CustomerRow.id == customer_id).with_for_update()
    ).one_or_none()


def _require(connection: Connection, customer_id: str) -> Any:
    person = _find(connection, customer_id)
    if person is None:
        raise _unknown(customer_id)
    return person


def _unknown(customer_id: str) -> AttuneError:
    return AttuneError(
        f"Customer '{customer_id}': nothing is held under this id; check its spelling."
    )


def _table(row: type[Base]) -> Table:
    return Base.metadata.tables[row.__tablename__]


def _rows(connection: Connection, row: type[Base], customer: int) -> list[dict[str, Any]]:
    table = _table(row)
    statement = select(table).where(table.c.customer == customer).order_by(*table.primary_key)
    return [dict(found) for found in connection.execute(statement).mappings()]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row without the database's own numbers, with times as ISO 8601."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in row.items()
        if name not in {"pk", "customer", "contact", "key"} and value not in (None, "")
    }
