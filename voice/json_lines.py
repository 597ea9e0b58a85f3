"""Files of JSON objects, one a line, as the operator's commands take them."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from nlu.errors import AttuneError

LONGEST_LINE = 1_000_000
_HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")
"""What neither UTF-8 nor a terminal can write: an escape like `\\ud800` alone, or a byte that is
no text on a command line."""


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
        value = _readable_whole(json.loads(line))
    except (json.JSONDecodeError, RecursionError) as error:
        reason = getattr(error, "msg", "too deeply nested")
        raise AttuneError(f"{where}: is not JSON ({reason}); write one object a line.") from None
    if not isinstance(value, dict):
        raise AttuneError(f"{where}: is no JSON object; write {{...}}.")
    return value


def readable(text: str) -> str:
    """`text` with a replacement character for each half of one, so that it can be written."""
    return _HALF_A_CHARACTER.sub("\ufffd", text)


def _readable_whole(value: Any) -> Any:
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, list):
        return [_readable_whole(item) for item in value]
    if isinstance(value, dict):
        return {readable(name): _readable_whole(item) for name, item in value.items()}
    return value
