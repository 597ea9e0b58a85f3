"""`attune train`: what it says when it cannot begin."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from voice.cli import main


def refusal(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as exit_:
        main(["train", *arguments])
    assert exit_.value.code == 2
    return capsys.readouterr().err.strip()


def test_without_a_folder_it_names_both_ways_to_give_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ATTUNE_DATA", raising=False)
    said = refusal(["acoustic"], capsys)
    assert "--data" in said and "ATTUNE_DATA" in said
    assert len(said.splitlines()) == 1


def test_a_folder_that_is_not_there_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = refusal(["text", "--data", str(tmp_path / "gone")], capsys)
    assert str(tmp_path / "gone") in said


@pytest.mark.skipif(
    importlib.util.find_spec("torch") is not None, reason="the training extra is installed"
)
@pytest.mark.parametrize("model", ["acoustic", "text", "encoder"])
def test_without_the_training_extra_it_says_how_to_get_it(
    model: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said = refusal([model, "--data", str(tmp_path)], capsys)
    assert "pip install attune[train]" in said
    assert len(said.splitlines()) == 1
