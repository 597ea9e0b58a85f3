"""The whole examination of a pack, with its SQL tried on a freshly seeded database."""

from __future__ import annotations

import sqlite3
from datetime import date
from pathlib import Path

from dialogue.connectors.sqlite import parameters, seed
from dialogue.packs.format import ALWAYS_KNOWN, Pack, SqliteConnector
from dialogue.packs.loader import read_pack
from dialogue.packs.source import Mistake

_SEEDING_DAY = date(2026, 1, 15)


def inspect(directory: Path) -> tuple[Pack | None, tuple[Mistake, ...]]:
    """Everything wrong with a pack, its SQL included; the pack is None when it cannot be used."""
    pack, mistakes = read_pack(directory)
    if pack is None or mistakes:
        return pack, mistakes
    found: list[Mistake] = []
    for name, connector in pack.connectors.items():
        if isinstance(connector, SqliteConnector):
            found += _try_sql(pack, name, connector)
    return pack, tuple(found)


def _try_sql(pack: Pack, name: str, connector: SqliteConnector) -> list[Mistake]:
    database = sqlite3.connect(":memory:", isolation_level=None)
    try:
        seed(
            database,
            (pack.directory / connector.seed).read_text(encoding="utf-8"),
            _SEEDING_DAY,
        )
    except (OSError, sqlite3.Error, UnicodeDecodeError) as error:
        return [
            Mistake(connector.seed, 1, "", f"is not valid SQL ({error})", "correct the statement")
        ]
    slots = {slot.name for intent in pack.intents.values() for slot in intent.slots}
    known = {*pack.facts, *pack.constants, *ALWAYS_KNOWN, *slots, "reference"}
    found = []
    for action_name, action in pack.actions.items():
        if action.connector != name or action.sql is None:
            continue
        for statement in (*action.sql.change, action.sql.select):
            if statement is None:
                continue
            wrong = _wrong_with(database, statement, known)
            if wrong is not None:
                place = _line_of(pack.directory / "actions.yaml", action_name)
                found.append(Mistake("actions.yaml", place, f"actions.{action_name}.sql", *wrong))
    database.close()
    return found


def _wrong_with(
    database: sqlite3.Connection, statement: str, known: set[str]
) -> tuple[str, str] | None:
    strange = sorted(parameters(statement) - known)
    if strange:
        return f":{strange[0]} is no slot or fact", "declare it under `facts:` or correct it"
    try:
        database.execute(f"EXPLAIN {statement}", dict.fromkeys(parameters(statement)))
    except sqlite3.Error as error:
        return f"is not valid SQL ({error})", "correct the statement"
    return None


def _line_of(path: Path, action: str) -> int:
    """Where an action begins in its file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((n for n, line in enumerate(lines, 1) if line.startswith(f"{action}:")), 1)
