"""Import files to validated customers, or to one sentence that names the line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from dialogue.customers.wire import CustomerIn
from dialogue.types import Flags, Purpose
from nlu.errors import AttuneError

_PLAIN_COLUMNS = ("id", "name", "locale", "jurisdiction")
_LIST_COLUMNS = {"phone": "phones", "email": "emails"}
_CONSENT_COLUMNS = {f"consent_{purpose.value}": purpose for purpose in Purpose}
_CONSENT_DETAILS = ("consent_at", "consent_channel", "consent_wording")
_FLAG_COLUMNS = tuple(Flags.__dataclass_fields__)
_ATTRIBUTE = "attribute:"
_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False, "": False}

_SHOWN_MISTAKES = 5

Place = tuple[int | str, ...]


class _Mistakes:
    """Every mistake of a file, told in one sentence."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._found: list[tuple[int, str]] = []

    def add(self, line: int, what: str) -> None:
        self._found.append((line, what))

    def raise_if_any(self) -> None:
        if not self._found:
            return
        (line, what), *more = sorted(self._found)
        others = ""
        if more:
            lines = sorted({place for place, _ in more})
            named = ", ".join(str(place) for place in lines[:_SHOWN_MISTAKES])
            dots = ", ..." if len(lines) > _SHOWN_MISTAKES else ""
            others = f" ({len(more)} more, in line {named}{dots})"
        raise AttuneError(
            f"{self._file}, line {line}: {what}; correct it, nothing was imported{others}."
        )


def read_customers(path: Path) -> list[CustomerIn]:
    """The customers of a `.csv`, `.json`, `.yaml` or `.yml` file, in order.

    Raises `AttuneError` naming the file, the line and the field of the first mistake and the lines
    of the others; two customers with one id are a mistake.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise AttuneError(f"{path}, line {line}: not UTF-8; save the file as UTF-8.") from None
    except OSError as error:
        raise AttuneError(f"{path}: cannot be read ({error.strerror}); check the path.") from None
    match path.suffix.lower():
        case ".csv":
            records = _from_csv(path, text)
        case ".json":
            records = _from_json(path, text)
        case ".yaml" | ".yml":
            records = _from_yaml(path, text)
        case _:
            raise AttuneError(f"{path}: unknown kind of file; use .csv, .json or .yaml.")
    return _validated(path, records)


class _Record:
    """A raw customer and where it stands in its file."""

    def __init__(self, raw: Any, line: int, node: yaml.Node | None = None) -> None:
        self.raw = raw
        self.line = line
        self._node = node

    def line_of(self, place: Place) -> int:
        """The line of a field within the record, or of what holds it."""
        node, line = self._node, self.line
        for step in place:
            node = _child(node, step)
            if node is None:
                break
            line = node.start_mark.line + 1
        return line


def _child(node: yaml.Node | None, step: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        found: yaml.Node = node.value[step]
        return found
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                # An empty block value is marked where the next thing begins.
                return value if value.start_mark.line == key.start_mark.line else _at(value, key)
    return None


def _at(value: yaml.Node, key: yaml.Node) -> yaml.Node:
    return value if isinstance(value, yaml.CollectionNode) and value.value else key


def _validated(path: Path, records: Iterable[_Record]) -> list[CustomerIn]:
    mistakes = _Mistakes(path)
    customers: list[CustomerIn] = []
    lines: dict[str, int] = {}
    for record in records:
        try:
            customer = CustomerIn.model_validate(record.raw)
        except ValidationError as error:
            for item in error.errors():
                place = tuple(part for part in item["loc"] if not _is_union_arm(part))
                field = ".".join(str(part) for part in place) or "customer"
                what = item["msg"].removeprefix("Value error, ")
                mistakes.add(record.line_of(place), f"{field}: {what}")
            continue
        if customer.id in lines:
            mistakes.add(
                record.line_of(("id",)),
                f"id: '{customer.id}' stands in line {lines[customer.id]} too",
            )
        lines.setdefault(customer.id, record.line)
        customers.append(customer)
    mistakes.raise_if_any()
    return customers


def _is_union_arm(part: int | str) -> bool:
    """Pydantic names the alternatives of a union in the path of a mistake."""
    return isinstance(part, str) and ("[" in part or part in {"dict", "tuple"})


def _listed(path: Path, content: Any) -> Sequence[Any]:
    if isinstance(content, dict) and set(content) == {"customers"}:
        content = content["customers"]
    if not isinstance(content, list):
        raise AttuneError(f"{path}, line 1: not a list of customers; begin with a list.")
    return content


def _from_yaml(path: Path, text: str) -> Iterable[_Record]:
    try:
        content = yaml.safe_load(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise AttuneError(
            f"{path}, line {line}: not valid YAML ({error.problem}); correct it."
        ) from None
    except RecursionError:
        raise AttuneError(f"{path}: nested too deeply to be a list of customers.") from None
    except (yaml.YAMLError, ValueError) as error:
        raise AttuneError(f"{path}: not valid YAML ({error}); correct it.") from None
    return _placed(_listed(path, content), root)


def _from_json(path: Path, text: str) -> Iterable[_Record]:
    try:
        content = _listed(path, json.loads(text))
    except json.JSONDecodeError as error:
        raise AttuneError(
            f"{path}, line {error.lineno}: not valid JSON ({error.msg}); correct it."
        ) from None
    except RecursionError:
        raise AttuneError(f"{path}: nested too deeply to be a list of customers.") from None
    if _all_valid(content):
        return [_Record(raw, 1) for raw in content]
    try:
        # JSON without tabs is YAML, whose parser remembers where everything stood.
        root = yaml.compose(text.replace("\t", " "), Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        root = None
    return _placed(content, root)


def _all_valid(content: Sequence[Any]) -> bool:
    """Whether no line will have to be named: spares a large file the slower parser."""
    seen: set[str] = set()
    for raw in content:
        try:
            customer = CustomerIn.model_validate(raw)
        except ValueError:
            return False
        if customer.id in seen:
            return False
        seen.add(customer.id)
    return True


def _placed(content: Sequence[Any], root: yaml.Node | None) -> list[_Record]:
    nodes = root
    if isinstance(root, yaml.MappingNode):
        nodes = root.value[0][1]
    found = []
    for index, raw in enumerate(content):
        node = _child(nodes, index)
        found.append(_Record(raw, node.start_mark.line + 1 if node else 1, node))
    return found


def _from_csv(path: Path, text: str) -> Iterable[_Record]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [column.strip() for column in next(reader, [])]
        _check_header(path, header)
        records = []
        start = reader.line_num + 1
        for row in reader:
            if any(cell.strip() for cell in row):
                if len(row) != len(header):
                    raise AttuneError(
                        f"{path}, line {start}: {len(row)} columns instead of {len(header)}; "
                        "correct it, nothing was imported."
                    )
                cells = {name: cell.strip() for name, cell in zip(header, row, strict=True)}
                records.append(_Record(_unflattened(path, start, cells), start))
            start = reader.line_num + 1
    except csv.Error as error:
        raise AttuneError(
            f"{path}, line {reader.line_num}: not valid CSV ({error}); correct it."
        ) from None
    return records


def _check_header(path: Path, header: list[str]) -> None:
    known = {
        *_PLAIN_COLUMNS,
        *_LIST_COLUMNS,
        *_CONSENT_COLUMNS,
        *_CONSENT_DETAILS,
        *_FLAG_COLUMNS,
    }
    if "id" not in header:
        raise AttuneError(f"{path}, line 1: no column 'id'; add a header line that has it.")
    for column in header:
        if column not in known and not column.startswith(_ATTRIBUTE):
            raise AttuneError(
                f"{path}, line 1: unknown column '{column}'; use {', '.join(sorted(known))} or "
                f"{_ATTRIBUTE}NAME."
            )
        if header.count(column) > 1:
            raise AttuneError(f"{path}, line 1: column '{column}' stands twice; keep one.")


def _unflattened(path: Path, line: int, cells: dict[str, str]) -> dict[str, Any]:
    """The record of a row; an empty cell is a field that was not given."""
    record: dict[str, Any] = {name: cells[name] for name in _PLAIN_COLUMNS if cells.get(name)}
    for column, name in _LIST_COLUMNS.items():
        record[name] = [part.strip() for part in cells.get(column, "").split(";") if part.strip()]
    flags = {}
    for name in _FLAG_COLUMNS:
        answer = cells.get(name, "").lower()
        if answer not in _YES_NO:
            raise AttuneError(f"{path}, line {line}: {name}: '{answer}' is neither yes nor no.")
        flags[name] = _YES_NO[answer]
    record["flags"] = flags
    record["attributes"] = {
        name.removeprefix(_ATTRIBUTE): cell
        for name, cell in cells.items()
        if name.startswith(_ATTRIBUTE) and cell
    }
    consents = {
        purpose: cells[column] for column, purpose in _CONSENT_COLUMNS.items() if cells.get(column)
    }
    if consents:
        if not cells.get("consent_at"):
            raise AttuneError(
                f"{path}, line {line}: consent_at: missing; a consent needs the time it was given."
            )
        record["consents"] = consents
    record |= {name: cells[name] for name in _CONSENT_DETAILS if cells.get(name)}
    return record
