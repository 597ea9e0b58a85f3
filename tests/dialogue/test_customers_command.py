"""`attune customers`, as it is typed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from nlu.errors import AttuneError
from tests.dialogue.test_customers_import import CSV
from voice import settings
from voice.commands.customers import app


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "customers.db"
    monkeypatch.setenv("ATTUNE_DATABASE_URL", f"sqlite:///{path}")
    monkeypatch.chdir(tmp_path)
    settings.load.cache_clear()
    yield path
    settings.load.cache_clear()


def attune(*arguments: str) -> Result:
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, AttuneError):
        raise result.exception
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    path = tmp_path / "customers.csv"
    path.write_text(CSV, encoding="utf-8")
    assert attune("import", str(path)).output.endswith("2 new, 0 changed, 0 as before.\n")
    return path


def test_importing_again_says_that_nothing_changed(imported: Path) -> None:
    assert "0 new, 0 changed, 2 as before" in attune("import", str(imported)).output


def test_show_gives_what_a_call_would_know(imported: Path) -> None:
    by_id = json.loads(attune("show", "C1").output)
    assert by_id["name"] == "Marcus Reed" and by_id["flags"]["vip"] is True
    assert by_id["consents"] == {"offers": "granted"}
    assert json.loads(attune("show", "--phone", "212 555 0101").output) == by_id


def test_show_names_who_is_not_known(imported: Path) -> None:
    with pytest.raises(AttuneError, match="Customer 'C9': nobody is known"):
        attune("show", "C9")
    with pytest.raises(AttuneError, match="either an ID or --phone"):
        attune("show")


def test_export_writes_one_json_for_the_owner_alone(imported: Path, tmp_path: Path) -> None:
    out = tmp_path / "held.json"
    attune("export", "C1", "--out", str(out))
    assert json.loads(out.read_text(encoding="utf-8"))["id"] == "C1"
    assert out.stat().st_mode & 0o777 == 0o600
    assert json.loads(attune("export", "C1").output)["id"] == "C1"


def test_consent_is_recorded_and_listed(imported: Path) -> None:
    said = attune("consent", "C1", "offers=denied", "emotion_voice=granted", "--channel", "web")
    assert "offers: denied" in said.output and "emotion_voice: granted" in said.output
    ledger = json.loads(attune("consent", "C1").output)
    assert [entry["state"] for entry in ledger if entry["purpose"] == "offers"] == [
        "granted",
        "denied",
    ]
    with pytest.raises(AttuneError, match="'perhaps' is no state"):
        attune("consent", "C1", "offers=perhaps")


def test_forget_proves_what_it_did(imported: Path, database: Path) -> None:
    said = attune("forget", "C1", "--also", "+12125550101").output
    assert "Identifiers left: 0 (searched customers.db" in said
    assert "Audit chain: whole" in said
    assert b"Marcus" not in database.read_bytes()
    assert "Erased: nothing more to erase." in attune("forget", "C1").output
    assert "1 left out because they asked" in attune("import", str(imported)).output


def test_forget_fails_loudly_when_something_is_left(imported: Path, database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute(
            "INSERT INTO contacts (customer, key, at, jurisdiction, intent, channel, outcome, "
            "summary) VALUES (NULL, 'k', 0, 'US', 'x', 'phone', 'resolved', 'Marcus Reed')"
        )
    connection.close()
    result = attune("forget", "C1")
    assert result.exit_code == 1
    assert "name in rows" in result.output


def test_sweep_and_audit_report(imported: Path, database: Path) -> None:
    assert "nothing; all is within its time" in attune("sweep").output
    assert "whole" in attune("audit").output
    with sqlite3.connect(database) as connection:
        connection.execute("DROP TRIGGER audit_no_update")
        connection.execute("UPDATE audit SET kind = 'nothing' WHERE seq = 1")
    connection.close()
    broken = attune("audit")
    assert broken.exit_code == 1 and "BROKEN after 0 entries: entry 1 was changed" in broken.output


def test_another_database_can_be_named(imported: Path, tmp_path: Path) -> None:
    other = f"sqlite:///{tmp_path / 'other' / 'o.db'}"
    with pytest.raises(AttuneError, match="nobody is known"):
        attune("show", "C1", "--database", other)
    with pytest.raises(AttuneError, match="not understood"):
        attune("show", "C1", "--database", "other.db")
