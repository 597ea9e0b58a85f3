"""YAML with memory: plain data, and the line that each part of it stands on."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

Location = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with a pack: where, and what to do about it. Lines count from 1."""

    file: str
    line: int
    field: str
    wrong: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.file}, line {self.line}"
        subject = f"{self.field}: " if self.field else ""
        return f"{place}: {subject}{self.wrong}; {self.fix}."


@dataclass(slots=True)
class Source:
    """The parsed files of one pack: `data` as one mapping, and where everything stands."""

    data: dict[str, Any] = field(default_factory=dict)
    places: dict[Location, tuple[str, int]] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def place(self, location: Location) -> tuple[str, int, str]:
        """File, line and field name of the nearest part that exists.

        Parts of a location that do not stand in the file (a validator's own tags) are skipped.
        """
        found: Location = ()
        for part in location:
            if (*found, part) in self.places:
                found = (*found, part)
        file, line = self.places.get(found, ("pack.yaml", 1))
        return file, line, dotted(found)

    def complain(self, location: Location, wrong: str, fix: str, name: str = "") -> None:
        """Note a mistake at a location; `name` is a field that is missing there."""
        file, line, where = self.place(location)
        subject = ".".join(part for part in (where, name) if part)
        self.mistakes.append(Mistake(file, line, subject, wrong, fix))


def dotted(location: Location) -> str:
    """A location as an author reads it: `intents.refund.slots[0].ask`."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


class _PlainLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML 1.2's core schema: `yes`, `no` and dates stay words."""


_PlainLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|false)$", "tf"),
    ("null", r"^(?:null|~|)$", ["n", "~", ""]),
    ("int", r"^-?(?:0|[1-9][0-9]*)$", "-0123456789"),
    ("float", r"^-?(?:0|[1-9][0-9]*)\.[0-9]+$", "-0123456789"),
):
    _PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


def read_yaml(path: Path, under: str | None, source: Source) -> None:
    """Add a file to `source`: its mapping itself, or below the key `under`.

    Mistakes (unreadable file, invalid YAML, a key written twice) are noted, not raised.
    """
    base: Location = () if under is None else (under,)
    source.places.setdefault(base, (path.name, 1))
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=_PlainLoader)
    except OSError as error:
        reason = error.strerror or "cannot be read"
        source.mistakes.append(Mistake(path.name, 1, "", reason, "make the file readable"))
        return
    except UnicodeDecodeError:
        source.mistakes.append(Mistake(path.name, 1, "", "is not UTF-8", "save it as UTF-8"))
        return
    except yaml.YAMLError as error:
        source.mistakes.append(_syntax_mistake(path.name, error))
        return
    value = None if root is None else _build(root, base, path.name, source)
    if value is None:
        return
    if under is not None:
        source.data[under] = value
    elif isinstance(value, dict):
        source.data.update(value)
    else:
        source.mistakes.append(
            Mistake(path.name, 1, "", "is no mapping", "write `key: value` lines")
        )


def _syntax_mistake(file: str, error: yaml.YAMLError) -> Mistake:
    mark = getattr(error, "problem_mark", None)
    line = 1 if mark is None else mark.line + 1
    problem = getattr(error, "problem", None) or "cannot be parsed"
    return Mistake(
        file, line, "", f"is not valid YAML ({problem})", "check indentation, colons and quotes"
    )


_DEEPEST = 20
_MOST_VALUES = 100_000
"""Thirty times a large pack; anchors that repeat anchors would make billions."""

_CONSTRUCT: dict[str, Callable[[str], Any]] = {
    "tag:yaml.org,2002:bool": lambda text: text == "true",
    "tag:yaml.org,2002:null": lambda _: None,
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": float,
}


def _build(node: yaml.Node, location: Location, file: str, source: Source) -> Any:
    if len(source.places) >= _MOST_VALUES:
        wrong = "holds too many values"
        if not any(mistake.wrong == wrong for mistake in source.mistakes):
            source.mistakes.append(Mistake(file, 1, "", wrong, "repeat less by `&` and `*`"))
        return None
    source.places[location] = (file, node.start_mark.line + 1)
    if len(location) > _DEEPEST:
        wrong = "is nested too deeply, or contains itself"
        source.mistakes.append(
            Mistake(file, node.start_mark.line + 1, "", wrong, "write it out flat")
        )
        return None
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(node, location, file, source)
    if isinstance(node, yaml.SequenceNode):
        return [
            _build(item, (*location, index), file, source) for index, item in enumerate(node.value)
        ]
    return _CONSTRUCT.get(node.tag, str)(node.value)


def _build_mapping(
    node: yaml.MappingNode, location: Location, file: str, source: Source
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    merged: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = str(key_node.value)
        here = (*location, key)
        line = key_node.start_mark.line + 1
        if key in result:
            first = source.places[here][1]
            wrong = f"is written twice (first on line {first})"
            source.mistakes.append(Mistake(file, line, dotted(here), wrong, "remove or rename one"))
            continue
        if key == "<<" and isinstance(value_node, yaml.MappingNode):
            merged = _build(value_node, location, file, source) or {}
            continue
        result[key] = _build(value_node, here, file, source)
        source.places[here] = (file, line)
    return {**merged, **result}
