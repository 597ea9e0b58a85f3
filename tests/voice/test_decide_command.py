"""`attune decide`, as scripts call it: fields, defaults, exit codes, mistakes by name."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nlu.errors import AttuneError
from voice.commands.decide import app
from voice.commands.options import warn_of_jurisdiction

FIELDS = ["strategy", "rules", "moves", "reply", "delivery", "effects", "offer", "handoff"]


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch) -> None:
    from voice import settings

    monkeypatch.setenv("ATTUNE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("ATTUNE_IDENTIFIER_KEY", "k" * 64)
    monkeypatch.chdir(tmp_path)
    settings.load.cache_clear()
    yield
    settings.load.cache_clear()


def run(*arguments: str, input: str | None = None) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments), input=input)
    if isinstance(result.exception, AttuneError):
        raise result.exception
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout


def decided(*arguments: str) -> dict:
    code, printed = run(*arguments, "--json")
    assert code == 0
    return json.loads(printed)


def lines(tmp_path: Path, *rows: object) -> Path:
    path = tmp_path / "cases.jsonl"
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def test_one_decision_has_all_its_fields_first_and_in_order() -> None:
    answer = decided("--emotion", "angry=0.9", "--fault", "ours", "--severity", "major")
    assert list(answer)[: len(FIELDS)] == FIELDS
    assert answer["strategy"] == "DE_ESCALATE_FIX"
    assert answer["rules"] == ["G4", "1"]
    assert isinstance(answer["reply"], str)
    assert answer["delivery"]["rate"] < 1
    assert {"rate", "pitch_st", "range", "level_db"} <= set(answer["delivery"]["clauses"][0])
    assert answer["offer"] is None
    assert answer["handoff"] is None


def test_it_can_be_read_by_people_too() -> None:
    code, printed = run("--emotion", "sad=0.8", "--intent", "cancel_order")
    assert code == 0
    assert printed.startswith("SUPPORT  (rules G4, 6)\n")


@pytest.mark.parametrize(
    ("probability", "strategy"),
    [("0.9", "DE_ESCALATE_OPTIONS"), ("0.6", "ACKNOWLEDGE_FIX"), ("0.45", "DIRECT")],
)
def test_without_an_intensity_it_follows_the_probability(probability, strategy) -> None:
    answer = decided("--emotion", f"angry={probability}", "--intent", "where_is_my_order")
    assert answer["strategy"] == strategy


def test_a_voice_needs_consent_where_the_place_asks_for_it() -> None:
    base = ("--emotion", "angry=0.9", "--jurisdiction", "DE")
    assert "G4" in decided(*base)["rules"]
    assert "G4" not in decided(*base, "--consent", "emotion_voice=granted")["rules"]
    illinois = ("--emotion", "angry=0.9", "--jurisdiction", "US-IL")
    assert "G4" in decided(*illinois, "--consent", "emotion_voice=granted")["rules"]


def test_consents_may_be_yes_and_no(tmp_path) -> None:
    base = {"emotion": {"neutral": 0.9}, "jurisdiction": "DE"}
    states = (True, False, None, "granted")
    path = lines(tmp_path, *(base | {"consent": {"emotion_voice": state}} for state in states))
    _, printed = run("--jsonl", str(path))
    rules = [json.loads(row)["rules"] for row in printed.splitlines()]
    assert ["G4" in each for each in rules] == [False, True, True, False]


def test_an_estimate_of_a_forbidden_voice_is_dropped(tmp_path) -> None:
    line = {"emotion": {"angry": 0.9}, "source": "voice", "intensity": "high", "intent": "refund"}
    path = lines(tmp_path, line, line | {"consent": {"emotion_voice": "granted"}})
    _, printed = run("--jsonl", str(path))
    without, granted = (json.loads(row) for row in printed.splitlines())
    assert without["strategy"] == "DIRECT"
    assert "11" in without["rules"]
    assert granted["strategy"] == "DE_ESCALATE_OPTIONS"


def test_a_file_gives_one_line_for_each_line_in_order(tmp_path) -> None:
    path = lines(
        tmp_path,
        {"emotion": {"neutral": 0.9}, "severity": "minor"},
        {"emotion": {"sad": 0.9}, "intensity": "high"},
        {"failed_turns": 2},
        {"emotion": {"happy": 0.9}, "conflict": "positive_words_agitated_voice"},
        {"emotion": {"happy": 0.9}, "conflict": {"kind": "other", "voice": "angry"}},
        {"emotion": None, "severity": "major", "fault": "ours"},
        {},
    )
    code, printed = run("--jsonl", str(path))
    assert code == 0
    assert [json.loads(row)["strategy"] for row in printed.splitlines()] == [
        "DIRECT", "SUPPORT", "HANDOFF", "CLARIFY", "CLARIFY", "ACKNOWLEDGE_FIX", "CLARIFY",
    ]  # fmt: skip


def test_a_file_decided_twice_is_the_same_byte_for_byte(tmp_path) -> None:
    rows = [{"emotion": {"angry": p / 10}, "fault": "ours"} for p in range(1, 10)]
    path = lines(tmp_path, *rows)
    assert run("--jsonl", str(path)) == run("--jsonl", str(path))


def test_offers_pass_the_gate_only_when_everything_holds(tmp_path) -> None:
    good = {
        "emotion": {"happy": 0.9},
        "intent": "thanks",
        "resolved": True,
        "consent": {"offers": "granted"},
        "jurisdiction": "DE",
    }
    worse = [
        {"resolved": False},
        {"consent": {"offers": "denied"}},
        {"consent": {}},
        {"flags": {"vulnerable": True}},
        {"history": {"open_case": True}},
        {"emotion": {"angry": 0.9}},
        {"emotion": {"happy": 0.3}, "confidence": 0.1},
    ]
    path = lines(tmp_path, good, *(good | change for change in worse))
    _, printed = run("--jsonl", str(path))
    first, *others = (json.loads(row) for row in printed.splitlines())
    assert "G8" in first["rules"]
    assert first["offer"]["refuse"]
    assert [other["offer"] for other in others] == [None] * len(worse)


def test_words_give_signals_intent_and_feeling(tmp_path) -> None:
    path = lines(
        tmp_path,
        {"text": "I want to speak to a real person right now"},
        {"text": "I am thinking of killing myself"},
        {"text": "how long does delivery take"},
        {"text": "please get me a human", "emotion": {"happy": 0.9}},
    )
    _, printed = run("--jsonl", str(path))
    human, danger, question, happy = (json.loads(row) for row in printed.splitlines())
    assert human["strategy"] == happy["strategy"] == "HANDOFF"
    assert human["handoff"]["text"]
    assert danger["strategy"] == "SAFETY"
    assert "911" in danger["reply"]
    assert question["strategy"] == "DIRECT"
    assert "working days" in question["reply"]


def test_a_bad_line_is_named_and_the_rest_is_finished(tmp_path) -> None:
    path = lines(
        tmp_path,
        {"emotion": {"neutral": 0.9}},
        "{not json",
        "[1, 2]",
        {"emotion": {"cross": 0.9}},
        {"emotion": {"angry": 7}},
        {"severity": "huge"},
        {"wether": "bad"},
        {"failed_turns": -1},
        {"jurisdiction": "the moon"},
        {"customer": "NOBODY"},
        {"emotion": {"neutral": 0.9}},
    )
    code, printed = run("--jsonl", str(path))
    rows = [json.loads(row) for row in printed.splitlines()]
    assert code == 1
    assert len(rows) == 11
    assert rows[0]["strategy"] == rows[-1]["strategy"] == "DIRECT"
    said = [row["error"] for row in rows[1:-1]]
    for number, (error, word) in enumerate(
        zip(
            said,
            ["not JSON", "no JSON object", "cross", "emotion.angry", "severity", "wether",
             "failed_turns", "the moon", "NOBODY"],
            strict=True,
        ),
        2,
    ):  # fmt: skip
        assert word in error
        assert "\n" not in error
        if number <= 8:
            assert f"cases.jsonl line {number}" in error


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "nothing to decide"),
        (["--emotion", "angry=much"], "'much' is no number"),
        (["--emotion", "angry=1.5"], "emotion.angry"),
        (["--emotion", "grumpy=0.5"], "grumpy"),
        (["--consent", "offers"], "PURPOSE=STATE"),
        (["--emotion", "angry=0.5", "--jurisdiction", "??"], "not a code"),
        (["--emotion", "angry=0.5", "--customer", "C9"], "no such customer"),
        (["--emotion", "angry=0.5", "--pack", "nowhere"], "nowhere"),
        (["--jsonl", "absent.jsonl"], "absent.jsonl"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str], says: str) -> None:
    with pytest.raises(AttuneError) as refused:
        run(*arguments)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_customers_history_and_consents_count() -> None:
    words = ("--emotion", "angry=0.6", "--intent", "where_is_my_order")
    known, stranger = decided(*words, "--customer", "C1001"), decided(*words)
    assert "own_history" in known["moves"]
    assert "own_history" not in stranger["moves"]
    assert "G4" not in known["rules"]
    assert "G4" in stranger["rules"]


def test_an_empty_file_is_nothing_to_do(tmp_path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n\n")
    with pytest.raises(AttuneError, match="holds no line"):
        run("--jsonl", "empty.jsonl")


def test_lines_may_come_through_a_pipe() -> None:
    result = CliRunner().invoke(app, ["--jsonl", "-"], input='{"emotion": {"sad": 0.9}}\n')
    assert json.loads(result.stdout)["strategy"] == "SUPPORT"


def test_a_lines_id_comes_back(tmp_path) -> None:
    _, printed = run("--jsonl", str(lines(tmp_path, {"id": "case 7", "severity": "minor"})))
    assert json.loads(printed)["id"] == "case 7"


def test_options_stand_for_every_line_that_does_not_say_otherwise(tmp_path) -> None:
    path = lines(
        tmp_path, {"emotion": {"angry": 0.9}}, {"emotion": {"angry": 0.9}, "fault": "none"}
    )
    _, printed = run("--jsonl", str(path), "--fault", "ours")
    assert [json.loads(row)["strategy"] for row in printed.splitlines()] == [
        "DE_ESCALATE_FIX", "DE_ESCALATE_OPTIONS",
    ]  # fmt: skip


def test_a_code_that_is_in_no_table_is_named_and_closes_every_gate(
    capsys: pytest.CaptureFixture[str],
) -> None:
    warn_of_jurisdiction("GB")
    assert capsys.readouterr().err == ""
    warn_of_jurisdiction("XX")
    assert "strictest" in capsys.readouterr().err
    with pytest.raises(AttuneError, match="not a code"):
        warn_of_jurisdiction("!!")
