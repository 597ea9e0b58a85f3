from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nlu.errors import AttuneError
from voice.commands.understand import app

SAMPLE = Path(__file__).parents[2] / "audio_samples" / "angry_late_delivery.flac"


def run(*arguments: str | Path) -> tuple[int, list[dict], str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, AttuneError):
        raise result.exception
    lines = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    return result.exit_code, lines, result.stderr


def test_a_text_is_understood_as_one_object() -> None:
    code, [found], _ = run("--text", "where is my order 4 5 1 7, I am furious", "--json")
    assert code == 0
    assert found["transcript"] == "where is my order 4 5 1 7, I am furious"
    assert set(found["intent"]) >= {"name", "score", "alternatives"}
    assert [(one["type"], one["value"]) for one in found["entities"]] == [("order_number", "4517")]
    assert set(found["emotion"]) == {"voice", "words", "fused"}
    assert found["emotion"]["voice"]["abstained"]
    assert found["emotion"]["words"]["top"] == "angry"
    assert found["conflict"] is None
    assert isinstance(found["signals"], list)


def test_text_and_recording_together_need_no_recogniser() -> None:
    code, [found], _ = run("--text", "where is my parcel", "--audio", SAMPLE, "--json")
    assert code == 0
    assert found["transcript"] == "where is my parcel"
    assert found["recognition"]["engine"] == "given"
    voice = found["emotion"]["voice"]
    assert voice["source"] == "voice"
    assert sum(voice["probabilities"].values()) == pytest.approx(1.0, abs=0.01)


def test_lines_come_out_in_order_and_errors_stop_nothing(tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_text(
        '{"text": "thanks, bye"}\n\nnot json\n{"audio": "missing.wav"}\n{"text": 5}\n[]\n{}\n'
        '{"text": "get me a human"}\n',
        encoding="utf-8",
    )
    code, found, errors = run("--jsonl", lines, "--json")
    assert code == 1
    assert [line.get("line") for line in found] == [None, 3, 4, 5, 6, 7, None]
    assert found[-1]["signals"] == ["asks_human"]
    for number in (3, 4, 5, 6, 7):
        assert f"lines.jsonl line {number}" in errors
    assert "Traceback" not in errors


def test_a_recording_is_looked_for_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "one.flac").write_bytes(SAMPLE.read_bytes())
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"text": "hello", "audio": "one.flac"}\n', encoding="utf-8")
    code, [found], _ = run("--jsonl", lines, "--json")
    assert (code, found["transcript"]) == (0, "hello")


def test_the_same_input_gives_the_same_output() -> None:
    arguments = ("--text", "I was charged twice", "--audio", SAMPLE, "--json")
    assert run(*arguments) == run(*arguments)


def test_without_json_people_can_read_it() -> None:
    result = CliRunner().invoke(app, ["--text", "get me a human"])
    assert result.exit_code == 0
    assert "asks_human" in result.stdout
    assert "no sound was given" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ([], "nothing to understand"),
        (["--text", "hi", "--jsonl", "x.jsonl"], "--jsonl"),
        (["--jsonl", "no_such_file.jsonl"], "no_such_file.jsonl"),
        (["--audio", "no_such.wav"], "no_such.wav"),
        (["--text", "hi", "--pack", "no_such_pack"], "no_such_pack"),
        (["--text", "hi", "--caller-channel", "middle"], "--caller-channel"),
    ],
)
def test_wrong_usage_is_one_sentence(arguments: list[str], named: str) -> None:
    with pytest.raises(AttuneError, match=named):
        run(*arguments)


def test_the_help_says_for_whom_it_acts() -> None:
    result = CliRunner().invoke(app, ["--help"])
    assert "operator" in result.stdout


def test_half_a_character_is_no_end_of_everything(tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    lines.write_text('{"text": "\\ud800 hello"}\n{"text": "get me a human"}\n', encoding="utf-8")
    code, found, _ = run("--jsonl", lines, "--json")
    assert code == 0
    assert [one["transcript"] for one in found] == ["\ufffd hello", "get me a human"]


def test_an_unknown_recogniser_is_wrong_usage_even_where_none_is_needed() -> None:
    code, found, _ = run("--text", "hello", "--recognizer", "parrot", "--json")
    assert (code, found) == (2, [])
