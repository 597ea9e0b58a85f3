"""Opening the database: SQLite or PostgreSQL, its schema brought up to date, its faults named."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import StaticPool

from dialogue.customers.models import Base
from nlu.errors import AttuneError

SCHEMA = "0003"
"""The newest revision in `migrations/versions`, which this code reads and writes."""

_MIGRATIONS = Path(__file__).with_name("migrations")
_MIGRATION_LOCK = 0x61747475
BUSY_TIMEOUT_MS = 5_000


class Database:
    """An engine with a schema that is known to fit. `name` stands in messages: no password."""

    def __init__(self, url: str, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
        parsed = _parse(url)
        self.url = parsed
        self.name = parsed.render_as_string(hide_password=True)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.path = _sqlite_path(parsed)
        try:
            if self.path is not None and "mode=ro" not in str(parsed.query):
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self.engine = _engine(parsed, busy_timeout_ms)
        except (ModuleNotFoundError, NoSuchModuleError):
            raise AttuneError(
                f"Database {self.name}: the driver is not installed; "
                'run: pip install "attune[postgres]".'
            ) from None
        except OSError as error:
            raise AttuneError(
                f"Database {self.name}: its folder cannot be made ({error.strerror}); "
                "correct the path."
            ) from None
        with self.faults_named():
            self._bring_up_to_date()

    @contextmanager
    def faults_named(self) -> Iterator[None]:
        """Turn the database's own errors into one sentence each."""
        try:
            yield
        except DBAPIError as error:
            raise AttuneError(f"Database {self.name}: {_fault(error)}") from None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that has the right to write from its start; all of it or nothing."""
        options = {"attune_begin": "BEGIN IMMEDIATE"}
        with self.faults_named(), self.engine.connect() as plain:
            connection = plain.execution_options(**options)
            with connection.begin():
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view."""
        options = {} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self.faults_named(), self.engine.connect() as plain:
            connection = plain.execution_options(**options)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()

    def _bring_up_to_date(self) -> None:
        with self.engine.connect() as connection:
            found = _version(connection)
        if found == SCHEMA:
            return
        if found is None or found < SCHEMA:
            self._migrate()
            return
        raise AttuneError(
            f"Database {self.name}: its schema {found} is newer than this program's {SCHEMA}; "
            "upgrade attune."
        )

    def _migrate(self) -> None:
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        with self.writing() as connection:
            if not self.is_sqlite:
                connection.execute(
                    text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK}
                )
            # Another process may have migrated while this one waited for the lock.
            if _version(connection) == SCHEMA:
                return
            if (
                _version(connection) is None
                and "customers" in inspect(connection).get_table_names()
            ):
                raise AttuneError(
                    f"Database {self.name}: has a table 'customers' that is not Attune's; "
                    "give Attune a database of its own."
                )
            config.attributes["connection"] = connection
            command.upgrade(config, SCHEMA)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    known = {"sqlite", "postgresql", "postgres"}
    if parsed is None or parsed.drivername.partition("+")[0] not in known:
        raise AttuneError(
            f"Database URL '{_without_password(url)}': not understood; write "
            "sqlite:///PATH or postgresql://USER@HOST/NAME."
        )
    if parsed.drivername in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _without_password(url: str) -> str:
    head, at, tail = url.rpartition("@")
    return f"{head.partition('://')[0]}://...@{tail}" if at else url


def _sqlite_path(url: URL) -> Path | None:
    if url.get_backend_name() != "sqlite" or url.database in {None, "", ":memory:"}:
        return None
    return Path(str(url.database).removeprefix("file:"))


def _engine(url: URL, busy_timeout_ms: int) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 10})
    in_memory = _sqlite_path(url) is None
    options: dict[str, Any] = {"poolclass": StaticPool} if in_memory else {}
    engine = create_engine(url, connect_args={"check_same_thread": False}, **options)

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        # The driver's own BEGIN comes too late for DDL and for reading before writing.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout={busy_timeout_ms}")
        connection.execute("PRAGMA foreign_keys=ON")
        # Deleted content is overwritten with zeros at once, not when its page is reused.
        connection.execute("PRAGMA secure_delete=ON")
        connection.execute("PRAGMA temp_store=MEMORY")
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                connection.execute("PRAGMA journal_mode=WAL")
            except sqlite3.OperationalError as error:
                if "readonly" not in str(error):
                    raise

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        connection.exec_driver_sql(options.get("attune_begin", "BEGIN"))

    return engine


def insert_once(connection: Connection, table: type[Base], **values: Any) -> bool:
    """Insert a row unless its key is there already; says whether it was inserted."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    key = inspect(table).primary_key
    statement = dialect.insert(table).values(**values).on_conflict_do_nothing().returning(*key)
    return connection.execute(statement).first() is not None


def _version(connection: Connection) -> str | None:
    """The schema's revision, or None for an empty database."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


_FAULTS = (
    (("database is locked", "lock timeout", "deadlock"),
     "another process has held it too long; close that process or try again."),
    (("readonly database", "read-only transaction"),
     "it is read-only; give this user the right to write, or open another."),
    (("disk is full", "no space left", "could not extend"),
     "its disk is full, nothing of this change was kept; free some space and try again."),
    (("unable to open",), "it cannot be opened; check the path and its permissions."),
    (("not a database", "malformed", "disk image"),
     "the file is damaged or is no SQLite database; restore it from a backup or name another."),
    (("no such table", "does not exist", "no such column"),
     "a table or the database itself is missing; check the URL or restore a backup."),
    (("password authentication", "no password supplied"),
     "the server refuses the user or the password; correct the URL."),
    (("connection refused", "connection failed", "could not translate", "timeout expired",
      "server closed", "terminating connection", "failed to resolve"),
     "the server does not answer; start it or correct the URL."),
)  # fmt: skip


def _fault(error: DBAPIError) -> str:
    said = " ".join(str(error.orig).split())
    for signs, sentence in _FAULTS:
        if any(sign in said.lower() for sign in signs):
            return sentence
    return f"it refused the request ({said}); report this if it happens again."
