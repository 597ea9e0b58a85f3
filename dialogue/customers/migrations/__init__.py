"""The schema of the customer store, step by step (Alembic, run by `database.py`)."""
