"""What a scenario may say, and how a mistake in it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from dialogue import policy as policies
from nlu.errors import AttuneError
from voice.evaluation.rehearsal import reading
from voice.evaluation.rehearsal.scenario import Bounds

GOOD = """\
name: a try
customer: C1005
turns:
  - say: "Where is my order?"
    heard: where is my order
    feels: {emotion: neutral}
    expect:
      strategy: DIRECT
      delivery: {rate: {at_least: 0.9, at_most: 1.1}}
expect: {turns: 1}
"""


def written(folder: Path, text: str, name: str = "try.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_scenario_is_read_with_what_it_states(tmp_path: Path) -> None:
    scenario = reading.read(written(tmp_path, GOOD))
    assert scenario.name == "a try"
    assert scenario.stated == ("words", "feelings")
    assert scenario.path == tmp_path / "try.yaml"


def test_a_scenario_without_a_name_is_named_after_its_file(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD.replace("name: a try\n", ""), "late_parcel.yaml")
    assert reading.read(path).name == "late parcel"


@pytest.mark.parametrize(
    ("before", "after", "line", "told"),
    [
        ("customer:", "costumer:", 2, "costumer: is no key here"),
        ("strategy: DIRECT", "strategy: DIREKT", 8, "turns[0].expect.strategy"),
        ("emotion: neutral", "emotion: grumpy", 6, "turns[0].feels.emotion: cannot be 'grumpy'"),
        ("emotion: neutral", "intensity: high", 6, "needs either `emotion` or `abstained`"),
        ('say: "Where is my order?"', "wait_ms: 3", 4, "needs one of `say`, `recording` or"),
        ('say: "Where is my order?"', "recording: no.wav", 4, "there is no file no.wav"),
        ("strategy: DIRECT", "forbidden_acts: [ofer]", 8, "there is no 'ofer'"),
        ("strategy: DIRECT", "rules: ['99']", 8, "there is no '99'"),
        ("strategy: DIRECT", "intent: parcel", 8, "there is no 'parcel'"),
        ("strategy: DIRECT", "effects: [refund]", 8, "there is no 'refund'"),
        ("{at_least: 0.9, at_most: 1.1}", "{}", 9, "gives no limit"),
        ("customer: C1005", "pack: shoes", 2, "pack: there is no pack 'shoes'"),
        ("customer: C1005", "jurisdiction: Bavaria!", 2, "jurisdiction: "),
        ("turns: 1}", "turns: many}", 10, "expect.turns: "),
        ("    feels:", "   feels:", 6, "is not valid YAML"),
    ],
)
def test_a_mistake_is_told_with_file_line_field_and_fix(
    tmp_path: Path, before: str, after: str, line: int, told: str
) -> None:
    path = written(tmp_path, GOOD.replace(before, after, 1))
    with pytest.raises(AttuneError) as error:
        reading.read(path)
    message = str(error.value)
    assert message.startswith(f"{path}, line {line}: ")
    assert told in message
    assert "; " in message
    assert "\n" not in message


@pytest.mark.parametrize("content", ["", "- a list\n", "name: x\n"])
def test_what_is_no_scenario_is_told(tmp_path: Path, content: str) -> None:
    with pytest.raises(AttuneError, match=r"try\.yaml, line 1"):
        reading.read(written(tmp_path, content))


def test_files_folders_and_shipped_names_are_found_once(tmp_path: Path) -> None:
    first = written(tmp_path, GOOD, "a.yaml")
    second = written(tmp_path, GOOD, "b.yml")
    found = reading.find([str(tmp_path), str(first), "silence"])
    assert found == (first, second, reading.SHIPPED / "silence.yaml")


def test_a_name_that_is_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(AttuneError, match=r"silense.*--list"):
        reading.find(["silense"])
    with pytest.raises(AttuneError, match=r"holds no \.yaml"):
        reading.find([str(tmp_path)])


def test_at_least_thirty_scenarios_are_shipped_each_with_its_purpose() -> None:
    scenarios = [reading.read(path) for path in reading.find([reading.ALL])]
    assert len(scenarios) >= 30
    assert len({scenario.name for scenario in scenarios}) == len(scenarios)
    assert all(scenario.shows and scenario.covers for scenario in scenarios)


def test_the_shipped_scenarios_cover_rules_lines_and_privacy() -> None:
    scenarios = [reading.read(path) for path in reading.find([reading.ALL])]
    covered = {tag for scenario in scenarios for tag in scenario.covers}
    policy = policies.load()
    rules = {f"rule {entry.id}" for entry in (*policy.rules, *policy.gates)}
    conditions = {
        "wideband", "telephone", "noise", "long pauses", "interruption", "backchannel", "silence",
    }  # fmt: skip
    privacy = {"withdrawal", "forgetting", "jurisdiction", "disclosure", "redaction", "privacy"}
    assert covered >= rules | conditions | privacy


@pytest.mark.parametrize(
    ("bounds", "value", "missed"),
    [
        (Bounds(at_most=2), 2, None),
        (Bounds(at_most=2), 2.5, "2.5 is over 2"),
        (Bounds(at_least=1, at_most=2), 0.5, "0.5 is under 1"),
    ],
)
def test_bounds_say_how_they_are_missed(bounds: Bounds, value: float, missed: str | None) -> None:
    assert bounds.missed_by(value) == missed
