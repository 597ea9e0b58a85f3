"""`attune say`, as it is called."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import soundfile


def say(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "voice.cli", "say", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_a_strategy_is_spoken_and_what_came_out_is_printed(tmp_path: Path) -> None:
    out = tmp_path / "calm.wav"
    done = say("Your $5 is on its way.", "--strategy", "DE_ESCALATE_FIX", "--out", str(out))
    assert done.returncode == 0, done.stderr
    info = soundfile.info(out)
    assert (info.samplerate, info.channels, info.subtype) == (16_000, 1, "PCM_16")
    assert 1.0 < info.duration < 4.0
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if line.strip())
    assert lines["said"] == "Your five dollars is on its way."
    asked, got = (float(value) for value in lines["rate"].split()[:2])
    assert asked == pytest.approx(0.92, abs=0.03)
    assert got == pytest.approx(asked, rel=0.05)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["", "--out", "x.wav"], "nothing that can be spoken"),
        (["😀", "--out", "x.wav"], "nothing that can be spoken"),
        (["Hi.", "--out", "x.wav", "--rate", "nan"], "--rate nan cannot be used"),
        (["Hi.", "--out", "x.wav", "--rate", "2"], "give 0.85 to 1.15"),
        (["Hi.", "--out", "x.wav", "--pitch", "-9"], "--pitch -9 cannot be used"),
        (["Hi.", "--out", "x.wav", "--level", "inf"], "give -3 to 3"),
        (["Hi.", "--out", "x.wav", "--strategy", "SHOUT"], "'SHOUT' is not a strategy"),
        (["Hi.", "--out", "."], "is a folder"),
        (["Hi.", "--out", "/proc/none/x.wav"], "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    arguments: list[str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from voice.cli import main

    arguments = [str(tmp_path / part) if part == "x.wav" else part for part in arguments]
    with pytest.raises(SystemExit) as ended:
        main(["say", *arguments])
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert problem in message
    assert message.count("\n") == 1
    assert not (tmp_path / "x.wav").exists()


def test_every_strategy_of_the_policy_has_a_delivery() -> None:
    from dialogue.types import Strategy
    from voice.commands.say import _of_strategy

    slowest = min(Strategy, key=lambda strategy: _of_strategy(strategy.value).rate)
    assert slowest in (Strategy.SUPPORT, Strategy.SAFETY)
    assert _of_strategy("direct").rate == 1.0
