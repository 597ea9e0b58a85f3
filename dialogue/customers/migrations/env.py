"""Run by Alembic inside the transaction that `database.py` has opened."""

from __future__ import annotations

from alembic import context

from dialogue.customers.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
)
context.run_migrations()
