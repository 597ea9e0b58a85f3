"""Searching a database for traces of a person: its rows, and the bytes of its files.

A trace may rightly occur in somebody else's rows (two customers of one name). Rows that belong to
another customer therefore explain a trace, in the rows and, copy by copy, in the bytes; whatever
is not explained is left over.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import (
    ColumnElement,
    Connection,
    String,
    Table,
    Text,
    func,
    or_,
    select,
    text,
    type_coerce,
)

from dialogue.customers.database import Database
from dialogue.customers.models import Base, JsonText
from nlu.errors import AttuneError

SHORTEST_FOR_BYTES = 5
"""Shorter traces occur in any file by chance; they are looked for in the rows only."""

_HASHES = {"digest", "key", "previous", "commitment", "salt"}
_PSEUDONYMS = {("customers", "subject"), ("consents", "subject"), ("audit", "subject")}


@dataclass(frozen=True, slots=True)
class ScanReport:
    """Traces left over: in rows and in bytes by kind of trace; `files` were searched."""

    rows: Mapping[str, int]
    bytes: Mapping[str, int]
    files: tuple[str, ...]
    too_short: tuple[str, ...] = ()

    @property
    def left(self) -> int:
        """How many traces are left in all."""
        return sum(self.rows.values()) + sum(self.bytes.values())


def scan(database: Database, traces: Mapping[str, set[str]]) -> ScanReport:
    """Look for every trace, by kind, in all tables and, for SQLite, in all of its files.

    PostgreSQL's files lie with its server: there, the tables alone are searched.
    """
    rows = dict.fromkeys(traces, 0)
    found_bytes = dict.fromkeys(traces, 0)
    too_short: set[str] = set()
    files = _files(database)
    with database.reading() as connection:
        for kind, values in traces.items():
            for value in filter(None, values):
                rows[kind] += _unexplained_rows(connection, value)
                if not files:
                    continue
                if len(value.encode()) < SHORTEST_FOR_BYTES:
                    too_short.add(kind)
                    continue
                seen = sum(_count(path, value.encode()) for path in files)
                if seen:
                    seen -= _explained_copies(connection, value)
                found_bytes[kind] += max(seen, 0)
    names = tuple(path.name for path in files)
    return ScanReport(rows, found_bytes, names, tuple(sorted(too_short)))


def clean_up(database: Database, *, thoroughly: bool) -> None:
    """Bring erased content out of the files: the journal is emptied; thoroughly also rewrites
    the database. Another process that holds the database may prevent it: `scan` then tells."""
    with database.engine.connect() as connection:
        plain = connection.execution_options(isolation_level="AUTOCOMMIT")
        statements = (
            ["PRAGMA wal_checkpoint(TRUNCATE)"]
            + ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"] * thoroughly
            if database.is_sqlite
            else ["VACUUM"]
        )
        with suppress(AttuneError), database.faults_named():
            for statement in statements:
                plain.execute(text(statement))


def _files(database: Database) -> list[Path]:
    if database.path is None:
        return []
    names = [database.path, *(Path(f"{database.path}-{end}") for end in ("wal", "journal"))]
    return [path for path in names if path.exists()]


def _count(path: Path, needle: bytes) -> int:
    if path.stat().st_size == 0:
        return 0
    count = at = 0
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        while (at := content.find(needle, at)) >= 0:
            count += 1
            at += len(needle)
    return count


def _texts(table: Table) -> Iterator[tuple[bool, ColumnElement[str]]]:
    """The columns that hold text, as plain text, and whether each holds hashes only."""
    for column in table.columns:
        if isinstance(column.type, String | Text | JsonText):
            hashed = column.name in _HASHES or (table.name, column.name) in _PSEUDONYMS
            yield hashed, type_coerce(column, Text)


def _contains(
    connection: Connection, column: ColumnElement[str], value: str
) -> ColumnElement[bool]:
    if connection.dialect.name == "sqlite":
        return func.instr(column, value) > 0
    return func.strpos(column, value) > 0


def _unexplained_rows(connection: Connection, value: str) -> int:
    """Rows that hold the trace and belong to no other customer."""
    count = 0
    for table in Base.metadata.sorted_tables:
        if table.name == "customers":
            continue
        matches = [
            column == value if hashed else _contains(connection, column, value)
            for hashed, column in _texts(table)
        ]
        if not matches:
            continue
        statement = select(func.count()).select_from(table).where(or_(*matches))
        if "customer" in table.c:
            statement = statement.where(table.c.customer.is_(None))
        count += connection.execute(statement).scalar_one()
    return count


def _explained_copies(connection: Connection, value: str) -> int:
    """How often the trace stands in the files because of other customers' rows.

    Every value lies once in its table and once in each index over it.
    """
    copies = 0
    for table in Base.metadata.sorted_tables:
        if table.name != "customers" and "customer" not in table.c:
            continue
        indexed = _indexed(connection, table.name)
        for column in table.columns:
            if not isinstance(column.type, String | Text | JsonText):
                continue
            content = type_coerce(column, Text)
            without = func.replace(content, value, "")
            times = func.sum(func.length(content) - func.length(without)) / len(value)
            statement = select(times).where(func.instr(content, value) > 0)
            if table.name != "customers":
                statement = statement.where(table.c.customer.is_not(None))
            found = connection.execute(statement).scalar() or 0
            copies += int(found) * (1 + indexed.count(column.name))
    return copies


def _indexed(connection: Connection, table: str) -> list[str]:
    """The columns of every index of a table, named once for each index they are in."""
    indexes = connection.execute(text(f"PRAGMA index_list({table})")).all()
    return [
        column[2]
        for index in indexes
        for column in connection.execute(text(f"PRAGMA index_info({index[1]})"))
    ]
