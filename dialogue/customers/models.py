"""The tables of the customer store (SQLAlchemy 2), the same on SQLite and PostgreSQL.

What names a person stands in as few places as possible: the business's own id, the name and the
attributes in `customers` alone; telephone numbers and e-mail addresses only as keyed hashes in
`identifiers`. Everything else points to `customers.pk`, a number that means nothing outside. The
consent ledger and the audit log know a person only by `customers.subject`, a random pseudonym:
when the row in `customers` is gone, nothing leads from them to anybody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

_BIG = BigInteger().with_variant(Integer, "sqlite")


class UtcTime(TypeDecorator[datetime]):
    """A moment as milliseconds since 1970 in UTC; a naive `datetime` is taken as UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> int | None:  # noqa: ARG002
        """The moment as a number."""
        return None if value is None else to_ms(value)

    def process_result_value(self, value: int | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        """The number as a moment."""
        return None if value is None else from_ms(value)


class JsonText(TypeDecorator[Any]):
    """JSON kept as text with sorted keys, so that equal values are equal bytes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> str | None:  # noqa: ARG002
        """The value as text."""
        return None if value is None else canonical(value)

    def process_result_value(self, value: str | None, dialect: Any) -> Any:  # noqa: ARG002
        """The text as a value."""
        return None if value is None else json.loads(value)


def canonical(value: Any) -> str:
    """JSON in one spelling: sorted keys, no spaces, no escapes that are not needed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 in UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)


def from_ms(milliseconds: int) -> datetime:
    """The moment, in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


class Base(DeclarativeBase):
    """The metadata that the migrations are checked against."""


class CustomerRow(Base):
    """A person: profile, flags and the pseudonym under which ledger and audit know them."""

    __tablename__ = "customers"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    pk: Mapped[int] = mapped_column(_BIG, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(100), unique=True)
    subject: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    locale: Mapped[str] = mapped_column(String(20), default="en-US")
    jurisdiction: Mapped[str] = mapped_column(String(10), default="unknown")
    flags: Mapped[int] = mapped_column(Integer, default=0)
    attributes: Mapped[Mapping[str, str]] = mapped_column(JsonText, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcTime)


class IdentifierRow(Base):
    """A telephone number or e-mail address as a keyed hash; two customers may share one."""

    __tablename__ = "identifiers"
    __table_args__ = (
        UniqueConstraint("customer", "kind", "digest", name="identifiers_once"),
        Index("identifiers_by_digest", "digest", "customer"),
    )

    pk: Mapped[int] = mapped_column(_BIG, primary_key=True, autoincrement=True)
    customer: Mapped[int] = mapped_column(ForeignKey("customers.pk", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(10))
    digest: Mapped[str] = mapped_column(String(64))


class CaseRow(Base):
    """A matter that takes more than one contact."""

    __tablename__ = "cases"
    __table_args__ = (
        UniqueConstraint("customer", "id", name="cases_once"),
        CheckConstraint("status IN ('open', 'closed')", name="cases_status"),
        Index("cases_of_customer", "customer", "opened_at"),
    )

    pk: Mapped[int] = mapped_column(_BIG, primary_key=True, autoincrement=True)
    customer: Mapped[int] = mapped_column(ForeignKey("customers.pk", ondelete="CASCADE"))
    id: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(300))
    intent: Mapped[str] = mapped_column(String(80))
    status: Mapped[str] = mapped_column(String(10), default="open")
    opened_at: Mapped[datetime] = mapped_column(UtcTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcTime)


class PromiseRow(Base):
    """Something that was promised to the customer, until it is kept."""

    __tablename__ = "promises"
    __table_args__ = (Index("promises_of_customer", "customer", "kept_at"),)

    pk: Mapped[int] = mapped_column(_BIG, primary_key=True, autoincrement=True)
    customer: Mapped[int] = mapped_column(ForeignKey("customers.pk", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(32), unique=True)
    case_id: Mapped[str] = mapped_column(String(100), default="")
    text: Mapped[str] = mapped_column(String(500))
    made_at: Mapped[datetime] = mapped_column(UtcTime)
    kept_at: Mapped[datetime | None] = mapped_column(UtcTime)


class ContactRow(Base):
    """One call, as it stands after its latest turn. A stranger's has no customer."""

    __tablename__ = "contacts"
    __table_args__ = (
        CheckConstraint(
            "outcome IN ('resolved', 'unresolved', 'escalated', 'abandoned')",
            name="contacts_outcome",
        ),
        Index("contacts_of_customer", "customer", "at", "intent", "outcome"),
        Index("contacts_by_age", "jurisdiction", "at"),
    )

    pk: Mapped[int] = mapped_column(_BIG, primary_key=True, autoincrement=True)
    customer: Mapped[int | None] = mapped_column(ForeignKey("customers.pk", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(32), unique=True)
    at: Mapped[datetime] = mapped_column(UtcTime)
    jurisdiction: Mapped[str] = mapped_column(String(10))
    intent: Mapped[str] = mapped_column(String(80))
    channel: Mapped[str] = mapped_column(String(20))
    outcome: Mapped[str] = mapped_column(String(12))
    summary: Mapped[str] = mapped_column(String(1000), default="")
    emotions: Mapped[list[Mapping[str, Any]] | None] = mapped_column(JsonText)


class OfferRow(Base):
    """An offer that was made, and what the customer said to it."""

    __tablename__ = "offers"
    __table_args__ = (
        CheckConstraint("answer IN ('', 'accepted', 'refused')", name="offers_answer"),
        Index("offers_of_customer", "customer", "answer"),
    )

    pk: Mapped[int] = mapped_column(_BIG, primary_key=True, autoincrement=True)
    customer: Mapped[int] = mapped_column(ForeignKey("customers.pk", ondelete="CASCADE"))
    key: Mapped[str] = mapped_column(String(32), unique=True)
    offer: Mapped[str] = mapped_column(String(80))
    shown_at: Mapped[datetime] = mapped_column(UtcTime)
    answer: Mapped[str] = mapped_column(String(10), default="")
    answered_at: Mapped[datetime | None] = mapped_column(UtcTime)


class ConsentRow(Base):
    """One entry of the consent ledger; triggers refuse to change or delete it.

    The words of the evidence stand in `consent_evidence`, where they can be erased;
    `commitment` binds them to this entry without telling anything of them.
    """

    __tablename__ = "consents"
    __table_args__ = (Index("consents_of_subject", "subject", "purpose", "at"),)

    pk: Mapped[int] = mapped_column(_BIG, primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(String(32), unique=True)
    subject: Mapped[str] = mapped_column(String(32))
    purpose: Mapped[str] = mapped_column(String(20))
    state: Mapped[str] = mapped_column(String(10))
    at: Mapped[datetime] = mapped_column(UtcTime)
    wording_version: Mapped[str] = mapped_column(String(40))
    channel: Mapped[str] = mapped_column(String(20))
    commitment: Mapped[str] = mapped_column(String(64))


class EvidenceRow(Base):
    """What was said or signed when consent was given, and the salt of its commitment."""

    __tablename__ = "consent_evidence"

    consent: Mapped[int] = mapped_column(ForeignKey("consents.pk"), primary_key=True)
    salt: Mapped[str] = mapped_column(String(32))
    text: Mapped[str] = mapped_column(String(500))


class TurnRow(Base):
    """One finished turn. `text` is redacted and kept by grant only, as is the feeling."""

    __tablename__ = "turns"
    __table_args__ = (
        Index("turns_of_customer", "customer", "at"),
        Index("turns_by_age", "jurisdiction", "at"),
    )

    pk: Mapped[int] = mapped_column(_BIG, primary_key=True, autoincrement=True)
    key: Mapped[str] = mapped_column(String(32), unique=True)
    contact: Mapped[int] = mapped_column(ForeignKey("contacts.pk", ondelete="CASCADE"), index=True)
    customer: Mapped[int | None] = mapped_column(ForeignKey("customers.pk", ondelete="CASCADE"))
    turn: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime] = mapped_column(UtcTime)
    jurisdiction: Mapped[str] = mapped_column(String(10))
    intent: Mapped[str] = mapped_column(String(80))
    strategy: Mapped[str] = mapped_column(String(30))
    text: Mapped[str | None] = mapped_column(Text)
    emotion: Mapped[Mapping[str, Any] | None] = mapped_column(JsonText)


class EffectRow(Base):
    """A change that was made in the world, under the keyed hash of its idempotency key.

    The row outlives a forgotten customer without its facts, so that a late retry of the same
    effect still finds that it was done.
    """

    __tablename__ = "effects"

    key: Mapped[str] = mapped_column(String(32), primary_key=True)
    customer: Mapped[int | None] = mapped_column(
        ForeignKey("customers.pk", ondelete="SET NULL"), index=True
    )
    contact: Mapped[int | None] = mapped_column(
        ForeignKey("contacts.pk", ondelete="SET NULL"), index=True
    )
    action: Mapped[str] = mapped_column(String(80))
    succeeded: Mapped[bool]
    at: Mapped[datetime] = mapped_column(UtcTime)
    facts: Mapped[Mapping[str, Any]] = mapped_column(JsonText, default=dict)


class AuditRow(Base):
    """One link of the audit chain; triggers refuse to change or delete it."""

    __tablename__ = "audit"

    seq: Mapped[int] = mapped_column(_BIG, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcTime)
    kind: Mapped[str] = mapped_column(String(30))
    subject: Mapped[str] = mapped_column(String(32))
    detail: Mapped[str] = mapped_column(Text)
    previous: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))


class AuditHeadRow(Base):
    """The one row that says where the chain ends: a cut-off tail is noticed."""

    __tablename__ = "audit_head"

    one: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(_BIG)
    digest: Mapped[str] = mapped_column(String(64))


class ForgottenRow(Base):
    """The keyed hash of the id of a forgotten customer or call: nothing brings them back."""

    __tablename__ = "forgotten"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcTime)


class DeskAccountRow(Base):
    """Somebody who may sit at the desk; `password` is an argon2 hash."""

    __tablename__ = "desk_accounts"
    __table_args__ = (
        CheckConstraint("role IN ('agent', 'supervisor')", name="desk_accounts_role"),
    )

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    role: Mapped[str] = mapped_column(String(12))
    password: Mapped[str] = mapped_column(String(200))
    made_at: Mapped[datetime] = mapped_column(UtcTime)


class DeskSessionRow(Base):
    """Somebody who sits at the desk: the hash of their cookie, and the word that goes with every
    change they ask for."""

    __tablename__ = "desk_sessions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    account: Mapped[str] = mapped_column(
        ForeignKey("desk_accounts.name", ondelete="CASCADE"), index=True
    )
    csrf: Mapped[str] = mapped_column(String(64))
    made_at: Mapped[datetime] = mapped_column(UtcTime)
    seen_at: Mapped[datetime] = mapped_column(UtcTime)


class KeyCheckRow(Base):
    """A keyed hash of a constant: says whether the key at hand is the one of this database."""

    __tablename__ = "key_check"

    one: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(String(64))
