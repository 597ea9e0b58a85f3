"""Customers, their history, the consent ledger and the audit chain."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _key() -> sa.Column[int]:
    return sa.Column("pk", _BIG, primary_key=True, autoincrement=True)


def _customer(nullable: bool = False) -> sa.Column[int]:
    return sa.Column(
        "customer",
        _BIG,
        sa.ForeignKey("customers.pk", ondelete="CASCADE"),
        nullable=nullable,
    )


def _text(name: str, length: int, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), nullable=nullable)


def _time(name: str, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def upgrade() -> None:
    """Make every table, its indexes and the triggers of what is append-only."""
    op.create_table(
        "customers",
        _key(),
        _text("id", 100),
        _text("subject", 32),
        _text("name", 200),
        _text("locale", 20),
        _text("jurisdiction", 10),
        sa.Column("flags", sa.Integer(), nullable=False),
        sa.Column("attributes", sa.Text(), nullable=False),
        _time("created_at"),
        sa.UniqueConstraint("id"),
        sa.UniqueConstraint("subject"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "identifiers",
        _key(),
        _customer(),
        _text("kind", 10),
        _text("digest", 64),
        sa.UniqueConstraint("customer", "kind", "digest", name="identifiers_once"),
    )
    op.create_index("identifiers_by_digest", "identifiers", ["digest", "customer"])
    op.create_table(
        "cases",
        _key(),
        _customer(),
        _text("id", 100),
        _text("subject", 300),
        _text("intent", 80),
        _text("status", 10),
        _time("opened_at"),
        _time("closed_at", nullable=True),
        sa.UniqueConstraint("customer", "id", name="cases_once"),
        sa.CheckConstraint("status IN ('open', 'closed')", name="cases_status"),
    )
    op.create_index("cases_of_customer", "cases", ["customer", "opened_at"])
    op.create_table(
        "promises",
        _key(),
        _customer(),
        _text("key", 32),
        _text("case_id", 100),
        _text("text", 500),
        _time("made_at"),
        _time("kept_at", nullable=True),
        sa.UniqueConstraint("key"),
    )
    op.create_index("promises_of_customer", "promises", ["customer", "kept_at"])
    op.create_table(
        "contacts",
        _key(),
        _customer(nullable=True),
        _text("key", 32),
        _time("at"),
        _text("jurisdiction", 10),
        _text("intent", 80),
        _text("channel", 20),
        _text("outcome", 12),
        _text("summary", 1000),
        sa.Column("emotions", sa.Text(), nullable=True),
        sa.UniqueConstraint("key"),
        sa.CheckConstraint(
            "outcome IN ('resolved', 'unresolved', 'escalated', 'abandoned')",
            name="contacts_outcome",
        ),
    )
    op.create_index("contacts_of_customer", "contacts", ["customer", "at", "intent", "outcome"])
    op.create_index("contacts_by_age", "contacts", ["jurisdiction", "at"])
    op.create_table(
        "offers",
        _key(),
        _customer(),
        _text("key", 32),
        _text("offer", 80),
        _time("shown_at"),
        _text("answer", 10),
        _time("answered_at", nullable=True),
        sa.UniqueConstraint("key"),
        sa.CheckConstraint("answer IN ('', 'accepted', 'refused')", name="offers_answer"),
    )
    op.create_index("offers_of_customer", "offers", ["customer", "answer"])
    _ledger_and_audit()


def _ledger_and_audit() -> None:
    op.create_table(
        "consents",
        _key(),
        _text("key", 32),
        _text("subject", 32),
        _text("purpose", 20),
        _text("state", 10),
        _time("at"),
        _text("wording_version", 40),
        _text("channel", 20),
        _text("commitment", 64),
        sa.UniqueConstraint("key"),
    )
    op.create_index("consents_of_subject", "consents", ["subject", "purpose", "at"])
    op.create_table(
        "consent_evidence",
        sa.Column("consent", _BIG, sa.ForeignKey("consents.pk"), primary_key=True),
        _text("salt", 32),
        _text("text", 500),
    )
    op.create_table(
        "audit",
        sa.Column("seq", _BIG, primary_key=True, autoincrement=False),
        _time("at"),
        _text("kind", 30),
        _text("subject", 32),
        sa.Column("detail", sa.Text(), nullable=False),
        _text("previous", 64),
        _text("digest", 64),
    )
    op.create_table(
        "audit_head",
        sa.Column("one", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("seq", _BIG, nullable=False),
        _text("digest", 64),
    )
    op.execute(f"INSERT INTO audit_head (one, seq, digest) VALUES (1, 0, '{'0' * 64}')")  # nosec B608
    op.create_table(
        "forgotten",
        sa.Column("digest", sa.String(64), primary_key=True),
        _time("at"),
    )
    op.create_table(
        "key_check",
        sa.Column("one", sa.Integer(), primary_key=True, autoincrement=False),
        _text("digest", 64),
    )
    for table in ("consents", "audit"):
        _append_only(table)


def _append_only(table: str) -> None:
    """Refuse UPDATE and DELETE in the database itself, whoever asks."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            )
        return
    op.execute(
        f"CREATE FUNCTION {table}_append_only() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_append_only()"
    )
