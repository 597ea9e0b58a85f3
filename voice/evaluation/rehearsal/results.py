"""The result of a rehearsal: each scenario, each time it was performed; as JUnit XML and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from voice.audio import replacing
from voice.evaluation.rehearsal.checking import Miss
from voice.evaluation.rehearsal.performance import Performance
from voice.evaluation.rehearsal.scenario import Scenario
from voice.records import plain_json

# What XML 1.0 cannot hold, however it is escaped.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One performance of a scenario and what was missed in it. `run` counts from 1."""

    scenario: Scenario
    run: int
    performance: Performance
    misses: tuple[Miss, ...]

    @property
    def passed(self) -> bool:
        """Whether everything came true."""
        return not self.misses

    @property
    def failed(self) -> bool:
        """Whether something was missed that is not a known weakness."""
        return bool(self.misses) and not self.scenario.known_weakness

    @property
    def outcome(self) -> str:
        """`passed`, `failed`, or `known` for a known weakness that showed."""
        return "passed" if self.passed else "failed" if self.failed else "known"

    @property
    def gaps_ms(self) -> tuple[float, ...]:
        """The gap to each answer, computing included; empty without sound."""
        if not self.performance.sound:
            return ()
        records = self.performance.records
        return tuple(r.latency_ms["gap"] for r in records if "gap" in r.latency_ms)


def write_junit(path: Path, results: Sequence[Result]) -> None:
    """One test case for each performance, for the test view of a CI. Raises `AttuneError` when
    the file cannot be written."""
    failed = sum(result.failed for result in results)
    known = sum(result.outcome == "known" for result in results)
    time_s = sum(result.performance.wall_s for result in results)
    counts = {
        "tests": str(len(results)),
        "failures": str(failed),
        "errors": "0",
        "skipped": str(known),
        "time": f"{time_s:.3f}",
    }
    root = ElementTree.Element("testsuites", counts)
    suite = ElementTree.SubElement(root, "testsuite", {"name": "attune rehearse", **counts})
    repeated = any(result.run > 1 for result in results)
    for result in results:
        scenario = result.scenario
        name = f"{scenario.name} (run {result.run})" if repeated else scenario.name
        case = ElementTree.SubElement(
            suite,
            "testcase",
            {
                "classname": _xml(scenario.path.stem),
                "name": _xml(name),
                "file": _xml(str(scenario.path)),
                "time": f"{result.performance.wall_s:.3f}",
            },
        )
        if result.outcome == "known":
            why = _xml(f"known weakness: {result.scenario.known_weakness}")
            ElementTree.SubElement(case, "skipped", {"message": why})
        if result.failed:
            text = "\n".join(map(str, result.misses))
            failure = {"message": _xml(str(result.misses[0])), "type": result.misses[0].field}
            ElementTree.SubElement(case, "failure", failure).text = _xml(text)
        ElementTree.SubElement(case, "system-out").text = _xml(_script(result.performance))
    ElementTree.indent(root)
    with replacing(path) as draft:
        ElementTree.ElementTree(root).write(draft, encoding="utf-8", xml_declaration=True)


def write_json(path: Path, results: Sequence[Result]) -> None:
    """Every result with its turns' records, for scripts."""
    content = [
        {
            "scenario": result.scenario.name,
            "file": str(result.scenario.path),
            "run": result.run,
            "passed": result.passed,
            "outcome": result.outcome,
            "misses": [
                {"turn": miss.turn, "field": miss.field, "wrong": miss.wrong}
                for miss in result.misses
            ],
            "stated": result.scenario.stated,
            "ended": result.performance.ended,
            "wall_s": round(result.performance.wall_s, 3),
            "audio_s": result.performance.audio_s,
            "turns": [plain_json(record) for record in result.performance.records],
        }
        for result in results
    ]
    with replacing(path) as draft:
        draft.write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Said:
    """A line of the call as a script; the assistant's with what was decided."""

    who: str
    text: str
    strategy: str = ""
    rules: tuple[str, ...] = ()
    interrupted: bool = False


def as_script(performance: Performance) -> tuple[Said, ...]:
    """Who said what, from the opening on."""
    lines = [Said("assistant", performance.opening)]
    for record in performance.records:
        decision = record.decision
        reply = " ".join(clause.text for clause in record.spoken)
        strategy = str(decision.get("strategy") or record.fallback or "")
        rules = tuple(decision.get("rules", ()))
        lines.append(Said("caller", record.transcript.text))
        lines.append(Said("assistant", reply, strategy, rules, record.interrupted))
    return tuple(lines)


def _script(performance: Performance) -> str:
    return "\n".join(
        f"{line.who}: {line.text}"
        + (f"  ({line.strategy}: {', '.join(line.rules)})" if line.strategy else "")
        for line in as_script(performance)
    )


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
