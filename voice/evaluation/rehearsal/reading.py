"""Scenarios from files, folders and by the names of the shipped ones, checked to the line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dialogue import policy as policies
from dialogue.packs.format import Pack
from dialogue.packs.loader import load_pack
from dialogue.packs.source import Source, read_yaml
from dialogue.regulation import load as load_regulations
from nlu.errors import AttuneError
from nlu.types import OTHER_INTENT
from voice.evaluation.rehearsal.scenario import CallExpectations, Scenario, TurnExpectations

SHIPPED = Path(__file__).parents[1] / "scenarios"
ALL = "all"
ACTS = frozenset({"offer", "offer_why", "offer_refuse", "handoff", "effect", "apology"})
"""What may be expected or forbidden besides moves and actions."""

_RAISED = {"value_error", "assertion_error"}


def shipped() -> tuple[str, ...]:
    """The names of the scenarios that come with Attune."""
    return tuple(sorted(path.stem for path in SHIPPED.glob("*.yaml")))


def find(names: Sequence[str]) -> tuple[Path, ...]:
    """The files meant by paths of files or folders, shipped names, or `all`, each once.

    Raises `AttuneError` for what is none of these, and for a folder without a scenario.
    """
    found: dict[Path, None] = {}
    for name in names:
        for path in _files(name):
            found.setdefault(path)
    return tuple(found)


def _files(name: str) -> Iterable[Path]:
    path = Path(name)
    if path.is_dir():
        inside = sorted((*path.rglob("*.yaml"), *path.rglob("*.yml")))
        if not inside:
            raise AttuneError(f"{path}: the folder holds no .yaml file; name another or a file.")
        return inside
    if path.is_file():
        return (path,)
    if name == ALL:
        return sorted(SHIPPED.glob("*.yaml"))
    if name in shipped():
        return (SHIPPED / f"{name}.yaml",)
    raise AttuneError(
        f"{name}: neither a file nor a folder nor a shipped scenario; "
        "'attune rehearse --list' names those that are shipped."
    )


def read(path: Path) -> Scenario:
    """The scenario in a file.

    Raises `AttuneError` naming file, line, field and fix of the first mistake.
    """
    source = Source()
    read_yaml(path, None, source)
    _raise_first(path, source)
    source.data.setdefault("name", path.stem.replace("_", " "))
    try:
        scenario = Scenario.model_validate(source.data)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            _explain(detail, source)
        _raise_first(path, source)
        raise
    scenario._path = path
    _check(scenario, source)
    _raise_first(path, source)
    return scenario


def _raise_first(path: Path, source: Source) -> None:
    if not source.mistakes:
        return
    # Every arm of a union complains of the same place; the first in the file is the one to mend.
    first = min(source.mistakes, key=lambda mistake: mistake.line)
    lines = {mistake.line for mistake in source.mistakes}
    more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
    raise AttuneError(f"{replace(first, file=str(path))}{more}")


def _explain(detail: Any, source: Source) -> None:
    location, kind = tuple(detail["loc"]), detail["type"]
    if kind == "missing":
        source.complain(location[:-1], "is missing", "add it", str(location[-1]))
    elif kind == "extra_forbidden":
        source.complain(location, "is no key here", "remove it or correct its spelling")
    elif kind in {"enum", "literal_error"}:
        wanted = detail["ctx"]["expected"]
        source.complain(location, f"cannot be {detail['input']!r}", f"use {wanted}")
    elif kind == "too_short":
        # Pydantic also says so of a list whose items are all wrong: they have been told already.
        if not detail["input"]:
            source.complain(location, "is empty", "write at least one")
    elif kind in _RAISED:
        source.complain(location, str(detail["ctx"]["error"]), "correct it")
    else:
        message = str(detail["msg"])
        source.complain(location, message[0].lower() + message[1:], "correct the value")


# --- what the format alone cannot see -----------------------------------------------------------


def _check(scenario: Scenario, source: Source) -> None:
    try:
        pack = load_pack(scenario.pack)
    except AttuneError as error:
        source.complain(("pack",), str(error).rstrip("."), "correct it")
        return
    if scenario.jurisdiction is not None:
        try:
            load_regulations().require(scenario.jurisdiction)
        except AttuneError as error:
            source.complain(("jurisdiction",), str(error).rstrip("."), "correct it")
    names = _Names(pack)
    for field, wrong in names.unknown(scenario.expect):
        source.complain(("expect", field), wrong, "correct its spelling")
    for place, line in enumerate(scenario.turns):
        for field, wrong in names.unknown(line.expect) if line.expect is not None else ():
            where = ("turns", place, "expect", field)
            source.complain(where, wrong, "correct its spelling")
        _check_file(line.recording, ("turns", place, "recording"), scenario, source)
    noise = scenario.caller.noise
    _check_file(noise.file if noise else None, ("caller", "noise", "file"), scenario, source)


def _check_file(
    name: str | None, where: tuple[str | int, ...], scenario: Scenario, source: Source
) -> None:
    if name is not None and not (scenario.path.parent / name).is_file():
        source.complain(where, f"there is no file {name}", "correct the path")


class _Names:
    """The names that expectations may use; an unknown one would be met by every call."""

    def __init__(self, pack: Pack) -> None:
        policy = policies.load()
        rules = {rule.id for rule in policy.rules} | {gate.id for gate in policy.gates}
        acts = ACTS | set(policy.moves) | set(policy.asides) | set(pack.actions)
        self._known = {
            "rules": rules,
            "not_rules": rules,
            "acts": acts,
            "forbidden_acts": acts,
            "effects": set(pack.actions),
            "intent": {*pack.intents, OTHER_INTENT},
        }

    def unknown(
        self, expectations: TurnExpectations | CallExpectations
    ) -> Iterator[tuple[str, str]]:
        """Fields with a name that does not exist, and what is wrong."""
        for field, known in self._known.items():
            for name in getattr(expectations, field, None) or ():
                if name not in known:
                    yield field, f"there is no {name!r}"
