"""The tables of a run: `turns.csv`, `turns.parquet`, `metrics.json`, `failures.csv`."""

from __future__ import annotations

import csv
import importlib.util
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from voice.audio import replacing
from voice.evaluation.inputs import Failure

_TEXTS = (
    "call party text redacted emotion intensity emotion_voice emotion_words intent severity "
    "signals strategy rules answer_differs human_acts"
).split()
_WHOLE = "turn start_ms end_ms talk_ms words words_per_minute".split()
_REAL = "confidence emotion_confidence valence arousal intent_score".split()
COLUMNS = (
    "call",
    "turn",
    "party",
    "start_ms",
    "end_ms",
    "talk_ms",
    "text",
    "words",
    "confidence",
    "words_per_minute",
    "interrupts",
    "emotion",
    "intensity",
    "emotion_confidence",
    "valence",
    "arousal",
    "emotion_voice",
    "emotion_words",
    "intent",
    "intent_score",
    "severity",
    "signals",
    "strategy",
    "rules",
    "answer_differs",
    "human_acts",
    "redacted",
)
_ROWS_AT_ONCE = 20_000


def write_turns(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """One line for each turn, as CSV in UTF-8. Raises `AttuneError` when it cannot be written."""
    with replacing(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", restval="")
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _cell(row.get(name)) for name in COLUMNS})


def _cell(value: Any) -> Any:
    """A spreadsheet takes what begins so for a formula; a quote in front makes it text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t"):
        return f"'{value}"
    return value


def parquet_is_there() -> bool:
    """Whether pyarrow (extra `parquet`) is installed."""
    return importlib.util.find_spec("pyarrow") is not None


def write_parquet(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """The same table as Parquet, some thousand rows at a time."""
    import pyarrow as arrow
    import pyarrow.parquet

    kinds = (
        dict.fromkeys(_TEXTS, arrow.string())
        | dict.fromkeys(_WHOLE, arrow.int64())
        | dict.fromkeys(_REAL, arrow.float64())
        | {"interrupts": arrow.bool_()}
    )
    schema = arrow.schema([(name, kinds[name]) for name in COLUMNS])
    with replacing(path) as draft, pyarrow.parquet.ParquetWriter(draft, schema) as writer:
        for some in _chunks(rows):
            plain = [{name: row.get(name) for name in COLUMNS} for row in some]
            writer.write_table(arrow.Table.from_pylist(plain, schema))


def _chunks(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    some: list[Mapping[str, Any]] = []
    for row in rows:
        some.append(row)
        if len(some) == _ROWS_AT_ONCE:
            yield some
            some = []
    if some:
        yield some


def write_metrics(path: Path, metrics: Mapping[str, Any]) -> None:
    """Totals, distributions and figures against references."""
    with replacing(path) as draft:
        draft.write_text(json.dumps(metrics, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def write_failures(path: Path, failures: Sequence[Failure]) -> None:
    """What could not be analysed, and why; only the header when all went well."""
    with replacing(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "reason"])
        writer.writerows(
            [_cell(failure.path), _cell(failure.reason)]
            for failure in sorted(failures, key=lambda each: (each.path, each.reason))
        )
