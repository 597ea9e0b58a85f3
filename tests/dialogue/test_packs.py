"""Packs: the shipped ones hold together, mistakes are told exactly, and the how-to works."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dialogue.actions import Actions
from dialogue.frames import Heard, TaskState
from dialogue.packs import Pack, holds, load_pack, shipped_packs
from dialogue.packs.facts import say_facts, standing_facts
from dialogue.packs.format import Test as FactTest
from dialogue.packs.format import placeholders
from dialogue.packs.inspection import inspect
from dialogue.packs.loader import find_pack, read_pack
from dialogue.packs.whole import policy_moves
from dialogue.tasks import advance, finish
from dialogue.types import CustomerContext, Strategy
from nlu.encoder import Encoder
from nlu.errors import AttuneError
from nlu.intents import IntentClassifier
from nlu.types import OTHER_INTENT

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 6, 4, 15, 0, tzinfo=UTC)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the retail pack, to be broken."""
    shutil.copytree(find_pack("retail"), tmp_path / "mine")
    return tmp_path / "mine"


def change(folder: Path, file: str, before: str, after: str) -> int:
    """Replace the first `before`; returns the line it stands on."""
    path = folder / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))
    return text[: text.index(before)].count("\n") + 1


@pytest.mark.parametrize("name", ["retail", "bank"])
def test_the_shipped_packs_are_in_order_with_their_sql(name: str) -> None:
    pack, mistakes = inspect(find_pack(name))
    assert mistakes == ()
    assert pack is not None
    assert len(pack.intents) >= 14
    assert all(len(intent.examples) >= 12 for intent in pack.intents.values())
    assert set(pack.phrase_bank) == {
        "angry", "anxious", "sad", "happy", "confused", "surprised", "neutral"
    }  # fmt: skip


@pytest.mark.parametrize("name", ["retail", "bank"])
def test_every_strategy_can_say_each_of_its_moves_about_every_intent(name: str) -> None:
    pack = load_pack(name)
    worked_out = {"answer", "act", "question", "options", "confirm_done"}
    for move, strategies in policy_moves().items():
        if move in worked_out:
            continue
        for intent in pack.intents:
            facts = say_facts(standing_facts(pack, CustomerContext(), NOW, intent), pack)
            for strategy in strategies or {None}:
                said = pack.phrases_for(
                    move,
                    strategy=None if strategy is None else Strategy(strategy),
                    intent=intent,
                    facts=facts,
                )
                assert len(said) >= 3, (move, strategy, intent)
                for text in said:
                    assert "{" not in text.format_map(facts)


def test_nothing_of_the_shop_or_the_bank_stands_in_the_code() -> None:
    names = {
        name
        for shipped in shipped_packs()
        for pack in [load_pack(shipped)]
        for name in (*pack.intents, *pack.actions)
    } - {"thanks", "goodbye", "hello", "talk_to_human", "refund", "exchange", "balance",
         "complaint", "bereavement"}  # fmt: skip
    for path in [*ROOT.glob("dialogue/*.py"), *ROOT.glob("dialogue/packs/*.py"),
                 *ROOT.glob("dialogue/connectors/*.py")]:  # fmt: skip
        code = path.read_text()
        assert not {name for name in names if re.search(rf"\b{name}\b", code)}, path.name


def test_a_pack_s_language_is_plain_values_for_nlu() -> None:
    language = load_pack("bank").language()
    assert "I lost my card" in language.intents["card_lost"]
    assert language.locale == "en-GB"
    assert "nobody ever rang me back" in language.phrase_bank["angry"]


@pytest.mark.parametrize("name", ["retail", "bank"])
def test_demo_customers_have_something_in_the_seeded_systems(name: str) -> None:
    pack = load_pack(name)
    shop = Actions.open(pack, NOW)
    listed = {"retail": "recent_orders", "bank": "list_accounts"}[name]
    customers = yaml.safe_load((pack.directory / "customers.yaml").read_text())
    assert len(customers) == {"retail": 12, "bank": 4}[name]
    for customer in customers:
        context = CustomerContext(id=customer["id"])
        assert shop.read(listed, {}, context, NOW).facts["candidates"], customer["id"]


MISTAKES = [
    ("intents.yaml", "severity: info", "severity: tiny", "'tiny' is not possible here"),
    ("intents.yaml", "entity: date", "entity: datum", "'datum' is not possible here"),
    ("intents.yaml", "does: [reschedule_delivery]", "does: [rescedule_delivery]",
     "did you mean 'reschedule_delivery'"),
    ("intents.yaml", "title: your delivery date", "titel: your delivery date",
     "is no key of this entry"),
    ("intents.yaml", "    - can you deliver it on another day\n", "    - 4571\n",
     "put it in quotes"),
    ("intents.yaml", "    - I will not be home tomorrow can it come later\n",
     "    - where is my order\n", "stands under where_is_my_order too"),
    ("intents.yaml", '"[0-9]{4,6}"', '"[0-9"', "is no regular expression"),
    ("intents.yaml", "again: &again_order\n",
     'again: &again_order\n        - "{item} {nonsense}"\n',
     "'nonsense' is no fact of this pack"),
    ("intents.yaml", "ours: {order_status: [late, lost]}", "ours: {order_stats: [late, lost]}",
     "did you mean 'order_status'"),
    ("actions.yaml", "connector: shop", "connector: warehouse", "no connector of this pack"),
    ("actions.yaml", "kind: read", "kind: reed", "'reed' is not possible here"),
    ("actions.yaml", "otherwise: not_late", "otherwise: too_soon", "too_soon has no wording"),
    ("actions.yaml", "  irreversible: true\n", "  irreversible: maybe\n", "valid boolean"),
    ("actions.yaml", "FROM orders o JOIN", "FROM orderz o JOIN", "no such table: orderz"),
    ("actions.yaml", "WHERE o.number = :order_number", "WHERE o.number = :order_nmber",
     ":order_nmber is no slot or fact"),
    ("phrases.yaml", "- move: condolence", "- move: condolences", "did you mean 'condolence'"),
    ("phrases.yaml", "intent: [where_is_my_order]", "intent: [where_is_my_parcel]",
     "no intent of this pack"),
    ("phrases.yaml", "Your safety comes first.", "Your {safety comes first.", "safety comes first"),
    ("phrases.yaml", '    - "Is that clear so far?"\n', "", "write at least 3"),
    ("pack.yaml", "company: Hollis Home\n", "", "company: is missing"),
    ("pack.yaml", "currency: USD", "currency: dollars", "has the wrong form"),
    ("pack.yaml", 'monday: "08:00-20:00"', 'monday: "8-20"', "has the wrong form"),
    ("pack.yaml", "seed: shop.sql", "seed: ../shop.sql", "is no file of the pack"),
    ("pack.yaml", "locale: en-US", "locale: en-US\nlocale: en-GB", "is written twice"),
    ("pack.yaml", "title: Online shop", "title: Online: shop", "is not valid YAML"),
    ("shop.sql", "CREATE TABLE customers", "CREATE TABEL customers", "is not valid SQL"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "before", "after", "told"), MISTAKES)
def test_a_mistake_is_told_with_file_line_and_fix(
    copy: Path, file: str, before: str, after: str, told: str
) -> None:
    line = change(copy, file, before, after)
    _, mistakes = inspect(copy)
    found = [mistake for mistake in mistakes if told in str(mistake)]
    assert found, [str(mistake) for mistake in mistakes]
    assert found[0].file == file
    if file not in {"shop.sql"} and "sql" not in found[0].field and found[0].field != "company":
        assert abs(found[0].line - line) <= 2
    assert found[0].fix


def test_two_entries_that_tie_are_both_named(copy: Path) -> None:
    text = (copy / "phrases.yaml").read_text()
    double = '\n- move: check\n  say: ["Okay?", "All right?", "Is that clear?"]\n'
    (copy / "phrases.yaml").write_text(text + double)
    _, mistakes = inspect(copy)
    first = text[: text.index("- move: check\n")].count("\n") + 1
    assert [f"on line {first}" in mistake.wrong for mistake in mistakes] == [True]
    assert mistakes[0].line == text.count("\n") + 2


def test_an_intent_without_any_answer_and_an_entry_for_a_strategy_that_never_says_it(
    copy: Path,
) -> None:
    path = copy / "phrases.yaml"
    entries = yaml.safe_load(path.read_text())
    kept = [e for e in entries if "delivery_question" not in e.get("intent", [])]
    kept.append({"move": "condolence", "strategy": ["DIRECT"], "say": ["a", "b", "c"]})
    path.write_text(yaml.safe_dump(kept))
    told = " ".join(str(mistake) for mistake in inspect(copy)[1])
    assert "delivery_question has nothing to answer with" in told.replace(":", "")
    assert "DIRECT never makes the move condolence" in told


def test_a_pack_in_another_language_must_word_every_move_itself(copy: Path) -> None:
    change(copy, "pack.yaml", "locale: en-US", "locale: de-DE")
    entries = yaml.safe_load((copy / "phrases.yaml").read_text())
    (copy / "phrases.yaml").write_text(
        yaml.safe_dump([entry for entry in entries if entry["move"] != "boundary"])
    )
    assert ["the move boundary has no wording" in str(m) for m in inspect(copy)[1]] == [True]


def test_loading_names_the_first_mistake_and_counts_the_rest(copy: Path) -> None:
    change(copy, "intents.yaml", "severity: info", "severity: tiny")
    change(copy, "actions.yaml", "kind: read", "kind: reed")
    with pytest.raises(AttuneError, match=r"actions\.yaml, line 4: .*reed.*\(1 more: attune packs"):
        load_pack(copy)


def test_a_mended_pack_loads_without_a_new_process(copy: Path) -> None:
    change(copy, "pack.yaml", "currency: USD", "currency: dollars")
    with pytest.raises(AttuneError):
        load_pack(copy)
    change(copy, "pack.yaml", "currency: dollars", "currency: EUR")
    assert load_pack(copy).currency == "EUR"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff\xfe\x00", "is not UTF-8"),
        (b"- just\n- a list\n", "is no mapping"),
        (b"name: &a [*a]\n", "contains itself"),
        (b"name: [unclosed\n", "is not valid YAML"),
        (b"", "is missing"),
        (b"name: !!python/object:os.system x\n", "is missing"),
    ],
)
def test_a_file_that_is_no_pack_is_a_sentence(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "pack.yaml").write_bytes(content)
    pack, mistakes = read_pack(tmp_path)
    assert pack is None
    assert any(told in str(mistake) for mistake in mistakes)


def test_anchors_that_repeat_anchors_are_told_off_and_not_written_out(copy: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    for name, before in zip("bcdefghi", "abcdefgh", strict=True):
        lines.append(f"{name}: &{name} [{', '.join(['*' + before] * 9)}]")
    (copy / "intents.yaml").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(AttuneError, match=r"intents\.yaml, line 1: holds too many values"):
        load_pack(copy)


def test_an_unknown_pack_lists_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(AttuneError, match="bank, retail"):
        load_pack("retial")
    with pytest.raises(AttuneError, match=r"holds no pack\.yaml"):
        load_pack(tmp_path)


@settings(max_examples=60, deadline=None)
@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["name", "intents", "say", "move", "x"]), inner, max_size=3),
))  # fmt: skip
def test_any_yaml_is_told_off_and_never_crashes(
    tmp_path_factory: pytest.TempPathFactory, value: object
) -> None:
    folder = tmp_path_factory.mktemp("pack")
    pack = {**load_pack("bank").model_dump(mode="json", include={"title", "company"}), "name": "x"}
    (folder / "pack.yaml").write_text(yaml.safe_dump(pack))
    for part in ("intents", "phrases", "actions"):
        (folder / f"{part}.yaml").write_text(yaml.safe_dump(value))
    found, mistakes = read_pack(folder)
    assert found is None
    assert mistakes
    assert all(mistake.fix and mistake.line >= 1 for mistake in mistakes)


def test_the_narrowest_wording_whose_facts_are_known_is_used() -> None:
    pack = load_pack("retail")
    known = {"item": "lamp"}
    own = pack.phrases_for("own_fault", intent="wrong_or_damaged_item", facts=known)
    assert "{item}" in own[0]
    unknown = pack.phrases_for("own_fault", intent="wrong_or_damaged_item")
    assert unknown
    assert all(placeholders(text) == frozenset() for text in unknown)
    late = {
        "order_status": "late",
        "item": "lamp",
        "carrier": "Swift",
        "expected_date": "2026-06-05",
        "days_late": 4,
    }
    said = pack.phrases_for("answer", intent="where_is_my_order", facts=late)
    assert len(said) == 2
    assert all(placeholders(text) <= late.keys() for text in said)


@given(st.one_of(st.none(), st.integers(-5, 5), st.sampled_from(["a", "b"])))
def test_conditions_hold_of_what_they_say(value: object) -> None:
    facts = {} if value is None else {"x": value}
    assert holds({}, facts)
    assert holds({"x": ("a", 3)}, facts) == (value in ("a", 3))
    assert holds({"x": FactTest(known=False)}, facts) == (value is None)
    assert holds({"x": FactTest(at_least=0, at_most=2)}, facts) == (value in (0, 1, 2))
    assert holds({"x": FactTest.model_validate({"not": "a"})}, facts) == (value != "a")


def test_the_schema_accepts_the_shipped_packs_as_written() -> None:
    schema = Pack.model_json_schema()
    for name in shipped_packs():
        folder = find_pack(name)
        data = yaml.safe_load((folder / "pack.yaml").read_text())
        for part in ("intents", "actions", "phrases", "offers", "phrase_bank"):
            data[part] = yaml.safe_load((folder / f"{part}.yaml").read_text())
        jsonschema.validate(json.loads(json.dumps(data)), schema)


def attune(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "voice.cli", *arguments],
        capture_output=True, text=True, cwd=cwd, check=False,
        env={"PYTHONPATH": str(ROOT), "ATTUNE_DATA_DIR": str(cwd), "HOME": str(cwd)},
    )  # fmt: skip


def test_the_how_to_followed_to_the_letter_gives_a_pack_that_works(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "packs.md").read_text()
    (tmp_path / "library").mkdir()
    for name, content in re.findall(r"`library/([\w.]+)`:\n\n```\w+\n(.*?)```", page, re.S):
        (tmp_path / "library" / name).write_text(content)
    checked = attune("packs", "check", "library", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout.strip() in page
    for command in re.findall(r"^\$ attune (.+)$", page, re.M)[1:]:
        run = attune(*command.split(), cwd=tmp_path)
        assert run.returncode == 0, run.stderr
    assert "The Long Winter" in run.stdout

    pack = load_pack(tmp_path / "library")
    actions, context = Actions.open(pack, NOW), CustomerContext(id="L1")
    read = actions.reader(context, NOW)
    state, said, done = TaskState(), "", ""
    script = page[page.index("A call goes like this") :]
    lines = re.findall(r"^([>=<]) (.+)$", script, re.M)
    assert len(lines) == 5
    for turn, (kind, text) in enumerate(lines):
        if kind == "<":
            assert text in said
        elif kind == "=":
            assert text == done
        else:
            intent, words = re.fullmatch(r"\((\w+)\) (.+)", text).groups()
            heard = Heard(intent, 0.9, (), (), words)
            step = advance(state, heard, pack, context, NOW, read, f"call:{turn}")
            results = [actions.carry_out(effect, context, NOW) for effect in step.effects]
            done = " ".join(result.effect.action for result in results if result.succeeded)
            step = finish(step, results, pack, context, NOW, read)
            state = step.state
            said = " ".join(
                wording.format_map(say_facts(part.facts, pack))
                for part in step.parts
                for wording in pack.phrases_for(
                    part.move, intent=part.intent, slot=part.slot, action=part.action,
                    problem=part.problem, facts=part.facts,
                )
            )  # fmt: skip


def test_the_mistake_shown_in_the_how_to_is_what_is_told(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "packs.md").read_text()
    (tmp_path / "library").mkdir()
    for name, content in re.findall(r"`library/([\w.]+)`:\n\n```\w+\n(.*?)```", page, re.S):
        (tmp_path / "library" / name).write_text(content)
    change(tmp_path / "library", "intents.yaml", "does: [renew_loan]", "does: [renew_laon]")
    checked = attune("packs", "check", "library", cwd=tmp_path)
    assert checked.returncode == 1
    assert checked.stdout.strip() in page


def test_the_command_prints_the_schema_and_every_shipped_pack(tmp_path: Path) -> None:
    printed = attune("packs", "schema", cwd=tmp_path)
    assert json.loads(printed.stdout)["title"] == "Pack"
    told = attune("packs", "check", "nowhere", cwd=tmp_path)
    assert told.returncode == 2
    assert "there is no pack 'nowhere'" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize("text", ["tell me a joke", "how old are you", "sing me a song"])
def test_small_talk_is_no_wish_that_a_pack_serves(text: str) -> None:
    for name in ("retail", "bank"):
        classifier = IntentClassifier(load_pack(name).language(), Encoder.load())
        assert classifier.classify(text).name == OTHER_INTENT, name
