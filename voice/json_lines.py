"""Files of JSON objects, one a line, as the operator's commands take them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from nlu.errors import AttuneError

LONGEST_LINE = 1_000_000


def filled_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of every line that holds something; `-` is standard input.

    Raises `AttuneError` when the file cannot be read or holds no line at all.
    """
    if str(path) == "-":
        yield from _some(sys.stdin, path)
        return
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            yield from _some(file, path)
    except OSError as error:
        raise AttuneError(f"{path}: cannot be read ({error.strerror}); name a file.") from None


def _some(lines: Iterable[str], path: Path) -> Iterator[tuple[int, str]]:
    found = False
    for number, line in enumerate(lines, 1):
        text = line.strip().lstrip("\ufeff")
        if text:
            found = True
            yield number, text
    if not found:
        raise AttuneError(f"{path}: holds no line; write one JSON object a line.")


def json_object(line: str, where: str) -> dict[str, Any]:
    """The object of a line; `where` names the line in what `AttuneError` says."""
    if len(line) > LONGEST_LINE:
        raise AttuneError(f"{where}: is longer than {LONGEST_LINE} characters; shorten it.")
    try:
        value = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        reason = getattr(error, "msg", "too deeply nested")
        raise AttuneError(f"{where}: is not JSON ({reason}); write one object a line.") from None
    if not isinstance(value, dict):
        raise AttuneError(f"{where}: is no JSON object; write {{...}}.")
    return value
