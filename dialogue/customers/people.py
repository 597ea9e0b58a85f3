"""Who a record is about: a customer, a stranger, or somebody who was forgotten."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, select

from dialogue.customers.identifiers import IdentifierKey
from dialogue.customers.models import CustomerRow, ForgottenRow
from nlu.errors import AttuneError


@dataclass(frozen=True, slots=True)
class Person:
    """A customer as the tables know them; a stranger has neither number nor pseudonym."""

    pk: int | None = None
    subject: str = ""
    jurisdiction: str = "unknown"
    forgotten: bool = False


def find_person(connection: Connection, key: IdentifierKey, customer_id: str | None) -> Person:
    """The person behind an id, held fast against being forgotten until the transaction ends.

    Raises `AttuneError` when the id was never known; a forgotten one gives a forgotten person.
    """
    if customer_id is None:
        return Person()
    row = connection.execute(
        select(CustomerRow.pk, CustomerRow.subject, CustomerRow.jurisdiction)
        .where(CustomerRow.id == customer_id)
        .with_for_update(read=True)
    ).one_or_none()
    if row is not None:
        return Person(row.pk, row.subject, row.jurisdiction)
    if is_forgotten(connection, key, "customer", customer_id):
        return Person(forgotten=True)
    raise AttuneError(
        f"Customer '{customer_id}': not known; import them first (attune customers import)."
    )


def is_forgotten(connection: Connection, key: IdentifierKey, kind: str, name: str) -> bool:
    """Whether a customer or call of this name was forgotten."""
    digest = key.digest(f"forgotten {kind}", name)
    found = select(ForgottenRow.digest).where(ForgottenRow.digest == digest)
    return connection.execute(found).first() is not None
