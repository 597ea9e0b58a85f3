"""A business in an SQLite file: seeded by the pack's SQL, read and changed by its statements."""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from dialogue.connectors.protocol import UNAVAILABLE, UNKNOWN_RESULT, reference_of
from dialogue.frames import ReadResult
from dialogue.packs.format import Action, Sql
from dialogue.types import Effect, EffectResult
from nlu.errors import AttuneError

_PARAMETER = re.compile(r"(?<![\w:']):([a-z_][a-z0-9_]*)")
_LEDGER = """
CREATE TABLE attune_seed (day TEXT NOT NULL, seed TEXT NOT NULL);
CREATE TABLE attune_effects (
    key TEXT PRIMARY KEY, action TEXT NOT NULL, arguments TEXT NOT NULL,
    succeeded INTEGER NOT NULL, facts TEXT NOT NULL, problem TEXT
);
"""

_REFERENCES = 3
"""How many reference numbers are tried when one is taken already."""


def parameters(statement: str) -> frozenset[str]:
    """The `:name` parameters of a statement (text in single quotes is not looked at)."""
    return frozenset(_PARAMETER.findall(re.sub(r"'[^']*'", "''", statement)))


def seed(connection: sqlite3.Connection, script: str, today: date) -> None:
    """Run a seed into an empty database; `day(n)` in it is `today` plus n days.

    Statement by statement, within the transaction that may be open.

    Raises:
        sqlite3.Error: the script is wrong.
    """
    connection.create_function(
        "day", 1, lambda days: (today + timedelta(days=days)).isoformat(), deterministic=True
    )
    for statement in _statements(_LEDGER + script):
        connection.execute(statement)
    connection.execute("INSERT INTO attune_seed VALUES (?, ?)", (today.isoformat(), _mark(script)))


def _statements(script: str) -> Iterator[str]:
    waiting = ""
    for line in script.splitlines(keepends=True):
        waiting += line
        if sqlite3.complete_statement(waiting):
            yield waiting
            waiting = ""
    if waiting.strip():
        yield waiting


class SqliteConnector:
    """One database, one connection, one lock: a kiosk's or a demonstration's load.

    With `path` None the database lives in memory and is gone with the connector, so that a
    replayed call finds the world as it was.

    Raises:
        AttuneError: the seed is wrong, or the file cannot be opened or belongs to another pack.
    """

    def __init__(
        self,
        script: str,
        path: Path | None,
        today: date,
        *,
        reseed_daily: bool = False,
        busy_timeout_s: float = 2.0,
    ) -> None:
        self._name = "the shop in memory" if path is None else str(path)
        self._lock = threading.RLock()
        try:
            if path is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(
                ":memory:" if path is None else path,
                timeout=busy_timeout_s,
                isolation_level=None,
                check_same_thread=False,
            )
            self._database.row_factory = sqlite3.Row
            self._prepare(script, today, reseed_daily)
        except (OSError, sqlite3.Error) as error:
            raise AttuneError(
                f"{self._name}: the pack's database cannot be opened or seeded ({error});"
                " check the seed file, or name a writable data folder"
            ) from error

    def read(self, action: Action, values: Mapping[str, Any]) -> ReadResult:
        """See `Connector.read`."""
        if action.sql is None or action.sql.select is None:
            return ReadResult(problem=UNAVAILABLE)
        try:
            with self._lock:
                rows = self._rows(action.sql.select, values)
        except sqlite3.Error:
            return ReadResult(problem=UNAVAILABLE)
        return _told(action.sql, rows)

    def carry_out(self, action: Action, effect: Effect, values: Mapping[str, Any]) -> EffectResult:
        """See `Connector.carry_out`. Statements and ledger entry are one transaction."""
        operation = action.sql
        if operation is None:
            return EffectResult(effect, False, problem=UNAVAILABLE)
        for attempt in range(_REFERENCES):
            bound = {**values, "reference": reference_of(effect.key, attempt)}
            try:
                with self._lock, self._transaction():
                    if before := self._entry(effect):
                        return before
                    result = self._change(operation, effect, bound)
                    if not result.succeeded:
                        raise _UndoneError(result)
                    self._record(effect, result)
                    return result
            except _UndoneError as undone:
                return undone.result
            except sqlite3.IntegrityError:
                continue
            except sqlite3.Error:
                break
        return self._after_failure(effect)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()

    def _prepare(self, script: str, today: date, reseed_daily: bool) -> None:
        """Seed a new or outdated database; another process may be doing the same just now."""
        if self._is_ready(script, today, reseed_daily):
            return
        with self._transaction():
            if self._is_ready(script, today, reseed_daily):
                return
            for table in self._tables():
                self._database.execute(f'DROP TABLE "{table}"')
            seed(self._database, script, today)

    def _is_ready(self, script: str, today: date, reseed_daily: bool) -> bool:
        tables = self._tables()
        if not tables:
            return False
        if "attune_seed" not in tables:
            raise sqlite3.DatabaseError("it holds tables of something else")
        day, mark = self._database.execute("SELECT day, seed FROM attune_seed").fetchone()
        fresh = mark == _mark(script) and day == today.isoformat()
        return fresh or not reseed_daily

    def _tables(self) -> set[str]:
        found = self._database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
        return {row[0] for row in found}

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        self._database.execute("COMMIT")

    def _rows(self, statement: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        bound = {name: values.get(name) for name in parameters(statement)}
        return [dict(row) for row in self._database.execute(statement, bound).fetchall()]

    def _change(self, operation: Sql, effect: Effect, bound: Mapping[str, Any]) -> EffectResult:
        for number, statement in enumerate(operation.change):
            values = {name: bound.get(name) for name in parameters(statement)}
            changed = self._database.execute(statement, values).rowcount
            if number == 0 and changed == 0 and operation.nothing:
                return EffectResult(effect, False, problem=operation.nothing)
        if operation.select is None:
            return EffectResult(effect, True)
        told = _told(operation, self._rows(operation.select, bound))
        return EffectResult(effect, told.problem is None, told.facts, told.problem)

    def _entry(self, effect: Effect) -> EffectResult | None:
        row = self._database.execute(
            "SELECT action, succeeded, facts, problem FROM attune_effects WHERE key = ?",
            (effect.key,),
        ).fetchone()
        if row is None:
            return None
        if row["action"] != effect.action:
            return EffectResult(effect, False, problem=UNKNOWN_RESULT)
        return EffectResult(
            effect, bool(row["succeeded"]), json.loads(row["facts"]), row["problem"]
        )

    def _record(self, effect: Effect, result: EffectResult) -> None:
        self._database.execute(
            "INSERT INTO attune_effects VALUES (?, ?, ?, ?, ?, ?)",
            (
                effect.key,
                effect.action,
                json.dumps(dict(effect.arguments), sort_keys=True, default=str),
                result.succeeded,
                json.dumps(dict(result.facts), sort_keys=True, default=str),
                result.problem,
            ),
        )

    def _after_failure(self, effect: Effect) -> EffectResult:
        """Whether a failed transaction left its entry behind tells what happened."""
        try:
            with self._lock:
                if before := self._entry(effect):
                    return before
        except sqlite3.Error:
            pass
        return EffectResult(effect, False, problem=UNAVAILABLE)


class _UndoneError(Exception):
    """Rolls a transaction back with a result."""

    def __init__(self, result: EffectResult) -> None:
        super().__init__(result.problem)
        self.result = result


def _told(operation: Sql, rows: list[dict[str, Any]]) -> ReadResult:
    if operation.many:
        return ReadResult({"candidates": tuple(_known(row) for row in rows)})
    if not rows:
        return ReadResult(problem=operation.nothing) if operation.nothing else ReadResult()
    return ReadResult(_known(rows[0]))


def _known(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _mark(script: str) -> str:
    return f"{len(script)}:{reference_of(script)}"
