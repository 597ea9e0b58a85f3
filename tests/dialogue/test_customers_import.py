"""Importing customers: exact about mistakes, all or nothing, and idempotent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialogue.customers import rights
from dialogue.customers.importing import ImportReport, import_file, seed_demo
from dialogue.customers.reading import read_customers
from dialogue.customers.records import ConsentRecord
from dialogue.customers.store import CustomerStore
from dialogue.types import ConsentState, Flags, Purpose
from nlu.errors import AttuneError
from tests.dialogue.customer_fixtures import NOW, days_ago, open_store

CSV = """\
id,name,phone,email,locale,jurisdiction,vip,consent_offers,consent_at,attribute:plan
C1,Marcus Reed,+1 212 555 0101;+12125550102,m@example.com,en-US,US-NY,yes,granted,2026-01-02,gold
"C2","Fischer, Ellen",,,,DE,,,,
"""

RETAIL = Path(__file__).parents[2] / "dialogue" / "packs" / "retail" / "customers.yaml"


@pytest.fixture
def store(tmp_path: Path) -> CustomerStore:
    return open_store(tmp_path)


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_a_csv_becomes_customers(store: CustomerStore, tmp_path: Path) -> None:
    report = import_file(store, written(tmp_path, "c.csv", CSV), NOW)
    assert report == ImportReport(created=2)
    context = store.context(phone="+12125550102")
    assert (context.id, context.name, context.flags) == ("C1", "Marcus Reed", Flags(vip=True))
    assert context.consents == {Purpose.OFFERS: ConsentState.GRANTED}
    assert context.attributes == {"plan": "gold"}
    assert store.context("C2").name == "Fischer, Ellen"
    assert store.context("C2").jurisdiction == "DE"


def test_the_same_file_again_changes_nothing(store: CustomerStore, tmp_path: Path) -> None:
    path = written(tmp_path, "c.csv", CSV)
    import_file(store, path, NOW)
    before, entries = rights.export(store, "C1", NOW), store.verify_audit().entries
    assert import_file(store, path, NOW) == ImportReport(unchanged=2)
    assert store.verify_audit().entries == entries
    after = rights.export(store, "C1", NOW)
    assert {**after, "audit": None} == {**before, "audit": None}


def test_a_changed_file_brings_up_to_date_and_keeps_what_it_does_not_mention(
    store: CustomerStore, tmp_path: Path
) -> None:
    import_file(store, written(tmp_path, "c.csv", CSV), NOW)
    newer = written(tmp_path, "n.json", json.dumps([{"id": "C1", "locale": "es-US"}]))
    assert import_file(store, newer, NOW) == ImportReport(updated=1)
    context = store.context("C1")
    assert (context.locale, context.name, context.flags.vip) == ("es-US", "Marcus Reed", True)


def test_days_ago_move_along_without_doubling(store: CustomerStore, tmp_path: Path) -> None:
    contacts = [{"days_ago": 5, "intent": "refund", "outcome": "unresolved"}]
    path = written(tmp_path, "c.json", json.dumps([{"id": "C1", "contacts": contacts}]))
    import_file(store, path, days_ago(60))
    assert import_file(store, path, NOW) == ImportReport(unchanged=1)
    (contact,) = store.context("C1", now=NOW).contacts
    assert contact.at == days_ago(5)


def test_an_imported_yes_never_overrules_a_later_no(store: CustomerStore, tmp_path: Path) -> None:
    path = written(tmp_path, "c.csv", CSV)
    undated = [{"id": "C1", "consents": {"offers": "granted"}}]
    import_file(store, path, NOW)
    store.record_consent("C1", ConsentRecord("no", Purpose.OFFERS, ConsentState.DENIED, NOW))
    import_file(store, path, NOW)
    import_file(store, written(tmp_path, "u.json", json.dumps(undated)), NOW)
    assert store.context("C1").consents == {Purpose.OFFERS: ConsentState.DENIED}


def test_who_asked_to_be_forgotten_does_not_come_back(store: CustomerStore, tmp_path: Path) -> None:
    path = written(tmp_path, "c.csv", CSV)
    import_file(store, path, NOW)
    rights.forget(store, "C1")
    assert import_file(store, path, NOW) == ImportReport(unchanged=1, forgotten=1)
    assert store.context("C1").id is None


def test_the_example_of_the_documentation_is_imported_as_it_stands(
    store: CustomerStore, tmp_path: Path
) -> None:
    page = (RETAIL.parents[3] / "docs" / "customers.md").read_text(encoding="utf-8")
    example = page.partition("```yaml\n")[2].partition("```")[0]
    import_file(store, written(tmp_path, "c.yaml", example), NOW)
    context = store.context(phone="+12125550101", now=NOW)
    assert context.name == "Marcus Reed" and context.patterns.prior_escalation is False
    assert context.open_case is not None
    assert context.open_case.promise == "delivery by Friday"


def test_an_id_of_digits_is_taken_as_written(store: CustomerStore, tmp_path: Path) -> None:
    import_file(store, written(tmp_path, "c.yaml", "- id: 1001\n  name: Ann\n"), NOW)
    assert store.context("1001").name == "Ann"


YAML_HEAD = "# customers\n- id: C1\n  name: Ann\n"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("c.csv", "name,phone\nAnn,1\n", "line 1: no column 'id'"),
        ("c.csv", "id,colour\nC1,red\n", "line 1: unknown column 'colour'"),
        ("c.csv", "id,id\nC1,C1\n", "line 1: column 'id' stands twice"),
        ("c.csv", "id,name\nC1,Ann\nC2\n", "line 3: 1 columns instead of 2"),
        ("c.csv", "id,phone\nC1,\nC2,12\n", "line 3: phones: '12' is"),
        ("c.csv", 'id,name\nC1,"Ann\nLee"\nC2,"Bob" x\n', "line 4: not valid CSV"),
        ("c.csv", "id,vip\nC1,maybe\n", "line 2: vip: 'maybe' is neither yes nor no"),
        ("c.csv", "id,consent_offers\nC1,granted\n", "line 2: consent_at: missing"),
        ("c.csv", "id,name\nC1,Ann\n\nC1,Bob\n", "line 4: id: 'C1' stands in line 2 too"),
        ("c.csv", b"id,name\nC1,Ann\nC2,J\xfcrgen\n", "line 3: not UTF-8"),
        ("c.json", '[\n {"id": "C1"},\n {"id": }\n]', "line 3: not valid JSON"),
        ("c.json", '[\n {"id": "C1"},\n {"id": "C2",\n  "flag": []}\n]', "line 4: flag: Extra"),
        (
            "c.json",
            '{"customers": [\n\t{"id": "C1",\n\t "phones": [\n\t  "+12125550101",\n\t  "12"]}]}',
            "line 3: phones: '12' is",
        ),
        ("c.json", '{"id": "C1"}', "line 1: not a list"),
        ("c.json", '[\n {"id": "C1"},\n 7]', "line 3: customer: "),
        ("c.yaml", YAML_HEAD + "  jurisdiction: Mars!\n", "line 4: jurisdiction: 'Mars!' is no"),
        ("c.yaml", YAML_HEAD + "  flags: [kind]\n", "line 4: flags: 'kind' is no flag"),
        ("c.yaml", YAML_HEAD + "  emails: [ann]\n", "line 4: emails: 'ann' is not an e-mail"),
        (
            "c.yaml",
            YAML_HEAD + "  contacts:\n    - days_ago: 1\n      outcome: great\n",
            "line 6: contacts.0.outcome: Input should be 'resolved'",
        ),
        (
            "c.yaml",
            YAML_HEAD + "  contacts:\n    - {outcome: resolved}\n",
            "line 5: contacts.0: give either 'at'",
        ),
        (
            "c.yaml",
            YAML_HEAD + "  consents: {tracking: granted}\n",
            "line 4: consents.tracking",
        ),
        ("c.yaml", YAML_HEAD + "  name: [\n", "line 5: not valid YAML"),
        ("c.yaml", "[" * 5000, "nested too deeply"),
        ("c.json", "[" * 50000, "nested too deeply"),
        ("c.txt", "", "unknown kind of file"),
    ],
)
def test_a_mistake_is_named_by_line_and_field_and_nothing_is_imported(
    store: CustomerStore, tmp_path: Path, name: str, content: str | bytes, says: str
) -> None:
    path = written(tmp_path, name, content)
    with pytest.raises(AttuneError) as refusal:
        import_file(store, path, NOW)
    assert str(refusal.value).startswith(str(path))
    assert says in str(refusal.value)
    assert "\n" not in str(refusal.value).replace("Ann\nLee", "")
    assert store.context("C1").id is None
    assert store.verify_audit().entries == 0


def test_every_wrong_line_is_named_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "c.csv", "id,phone\nC1,1\nC2,\nC3,2\nC4,3\n")
    with pytest.raises(AttuneError, match=r"line 2: .* \(2 more, in line 4, 5\)\.$"):
        read_customers(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AttuneError, match=r"none\.csv: cannot be read"):
        read_customers(tmp_path / "none.csv")


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.binary(max_size=200), st.sampled_from([".csv", ".json", ".yaml"]))
def test_no_file_content_ends_in_a_traceback(tmp_path: Path, content: bytes, ending: str) -> None:
    path = written(tmp_path, f"any{ending}", content)
    try:
        read_customers(path)
    except AttuneError as error:
        assert str(path) in str(error)


@pytest.mark.skipif(not RETAIL.exists(), reason="the retail pack has no customers yet")
def test_the_demonstration_customers_can_be_seeded_any_number_of_times(
    store: CustomerStore,
) -> None:
    first = seed_demo(store, RETAIL, days_ago(30))
    again = seed_demo(store, RETAIL, NOW)
    assert first.created == again.unchanged > 0
    assert (again.created, again.updated) == (0, 0)


@dataclass(frozen=True)
class _Pack:
    directory: Path


def test_a_pack_brings_its_customers_if_it_has_some(store: CustomerStore, tmp_path: Path) -> None:
    store.seed_pack(_Pack(tmp_path), NOW)
    assert store.verify_audit().entries == 0
    written(tmp_path, "customers.yaml", "- id: C1\n  name: Ann\n")
    store.seed_pack(_Pack(tmp_path), NOW)
    assert store.context("C1").name == "Ann"
