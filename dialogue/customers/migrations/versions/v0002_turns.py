"""Single turns and the effects that were carried out, so that a retry doubles nothing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add `turns` and `effects`."""
    op.create_table(
        "turns",
        sa.Column("pk", _BIG, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(32), nullable=False, unique=True),
        sa.Column(
            "contact", _BIG, sa.ForeignKey("contacts.pk", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("customer", _BIG, sa.ForeignKey("customers.pk", ondelete="CASCADE")),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("jurisdiction", sa.String(10), nullable=False),
        sa.Column("intent", sa.String(80), nullable=False),
        sa.Column("strategy", sa.String(30), nullable=False),
        sa.Column("text", sa.Text()),
        sa.Column("emotion", sa.Text()),
    )
    op.create_index("ix_turns_contact", "turns", ["contact"])
    op.create_index("turns_of_customer", "turns", ["customer", "at"])
    op.create_index("turns_by_age", "turns", ["jurisdiction", "at"])
    op.create_table(
        "effects",
        sa.Column("key", sa.String(32), primary_key=True),
        sa.Column("customer", _BIG, sa.ForeignKey("customers.pk", ondelete="SET NULL")),
        sa.Column("contact", _BIG, sa.ForeignKey("contacts.pk", ondelete="SET NULL")),
        sa.Column("action", sa.String(80), nullable=False),
        sa.Column("succeeded", sa.Boolean(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
    )
    op.create_index("ix_effects_customer", "effects", ["customer"])
    op.create_index("ix_effects_contact", "effects", ["contact"])
