"""`attune call` and `attune doctor` as their users run them."""

from __future__ import annotations

import json
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile


def attune(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "voice.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


class Page(HTMLParser):
    """Collects what a page loads and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def finished(samples_dir: Path, tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("call")
    sample = samples_dir / "angry_late_delivery.flac"
    done = attune("call", sample, "--recognizer", "sphinx", "--out", out, "--json")
    return done, out


def test_json_prints_one_object_a_turn_and_nothing_else(finished) -> None:
    done, out = finished
    assert done.returncode == 0, done.stderr
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    kept = [json.loads(line) for line in (out / "turns.jsonl").read_text().splitlines()]
    assert printed == kept
    assert [record["turn"] for record in printed] == [1, 2, 3]


def test_an_angry_caller_whose_parcel_is_late_gets_the_facts_and_a_choice(finished) -> None:
    done, _ = finished
    first = json.loads(done.stdout.splitlines()[0])
    assert first["understanding"]["intent"]["name"] == "where_is_my_order"
    assert first["decision"]["strategy"] in {
        "DE_ESCALATE_FIX",
        "ACKNOWLEDGE_FIX",
        "OWN_THE_HISTORY",
    }
    assert "44172" in first["decision"]["reply"]
    assert "angry" not in first["decision"]["reply"]


def test_the_report_stands_alone_and_tells_the_reasons(finished) -> None:
    _, out = finished
    page = Page()
    page.feed((out / "report.html").read_text(encoding="utf-8"))
    assert all(load.startswith("data:") for load in page.loads)
    text = " ".join(page.text)
    for part in ("Why this answer", "What was felt", "Delivery: requested and achieved", "Latency"):
        assert part in text


def test_conversation_holds_both_sides(finished) -> None:
    _, out = finished
    sound, rate_hz = soundfile.read(out / "conversation.wav")
    assert rate_hz == 16_000
    assert sound.shape[1] == 2
    assert np.abs(sound).max(axis=0).min() > 0.05


def write(path: Path, samples: np.ndarray, rate_hz: int = 16_000) -> Path:
    soundfile.write(path, samples, rate_hz)
    return path


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["missing.wav"], "missing.wav"),
        (["{noise}", "--customer", "NOBODY"], "NOBODY"),
        (["{noise}", "--phone", "nobody"], "not a telephone number"),
        (["{noise}", "--pack", "nowhere"], "nowhere"),
        (["{noise}", "--consent", "emotion_voice=maybe"], "emotion_voice"),
        (["{stereo}"], "--caller-channel"),
        (["{noise}", "--out", "/proc/nowhere"], "/proc/nowhere"),
    ],
)
def test_what_cannot_work_is_said_in_one_sentence(
    tmp_path: Path, arguments: list[str], named: str
) -> None:
    noise = np.random.default_rng(0).normal(0, 0.001, 16_000)
    files = {
        "noise": write(tmp_path / "noise.wav", noise),
        "stereo": write(tmp_path / "stereo.wav", np.stack([noise, noise], axis=1)),
    }
    done = attune("call", *(argument.format(**files) for argument in arguments))
    assert done.returncode == 2
    assert named in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_silent_recording_gives_no_turns_and_no_error(tmp_path: Path) -> None:
    path = write(tmp_path / "silence.wav", np.zeros(32_000))
    done = attune("call", path, "--recognizer", "sphinx", "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert "No speech was heard" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


def test_doctor_names_every_part() -> None:
    done = attune("doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    for part in ("recognition", "voice activity", "speech", "acoustic weights", "customers"):
        assert part in done.stdout


def test_help_is_quick_and_lists_the_commands() -> None:
    done = attune("--help")
    assert "call" in done.stdout
    heavy = "{'numpy', 'librosa', 'onnxruntime'}"
    probe = f"import voice.cli, sys; print(sorted({heavy} & set(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"
