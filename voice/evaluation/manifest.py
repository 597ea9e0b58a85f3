"""The manifest of a run: one CSV line for each recording, with what is known of it."""

from __future__ import annotations

import csv
import logging
from collections.abc import Mapping
from pathlib import Path

from dialogue.customers.consent import parse_consents
from nlu.errors import AttuneError
from nlu.types import Emotion
from voice.audio import CallerChannel
from voice.evaluation.inputs import Failure, Job

COLUMNS = (
    "path",
    "caller_channel",
    "parties",
    "customer",
    "jurisdiction",
    "consent",
    "reference_transcript",
    "reference_emotion",
    "outcome",
)
_CHANNELS: Mapping[str, CallerChannel] = {"left": "left", "right": "right", "mono": "mono"}
_log = logging.getLogger(__name__)


def read_manifest(path: Path) -> tuple[list[Job], list[Failure]]:
    """The rows of a manifest, and those that cannot be used, each with its line.

    Only `path` is needed; a relative one is looked for beside the manifest. Raises `AttuneError`
    for a file that is no CSV in UTF-8, lacks that column or names a recording twice.
    """
    jobs: list[Job] = []
    failures: list[Failure] = []
    lines: dict[Path, int] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            _check_header(path, reader.fieldnames or ())
            for row in reader:
                cells = {
                    name: value.strip()
                    for name, value in row.items()
                    if isinstance(name, str) and isinstance(value, str) and value.strip()
                }
                if "path" not in cells:
                    continue
                where = f"{path.name} line {reader.line_num}"
                recording = path.parent / Path(cells["path"]).expanduser()
                earlier = lines.setdefault(recording.absolute(), reader.line_num)
                if earlier != reader.line_num:
                    raise AttuneError(
                        f"{where}: {cells['path']} stands on line {earlier} too; keep one of them."
                    )
                try:
                    jobs.append(_job(recording, cells, where))
                except AttuneError as error:
                    failures.append(Failure(str(recording.absolute()), str(error)))
    except UnicodeDecodeError:
        raise AttuneError(f"{path}: is not UTF-8; save the manifest as CSV in UTF-8.") from None
    except csv.Error as error:
        raise AttuneError(f"{path}: is not CSV ({error}); save it as CSV in UTF-8.") from None
    except OSError as error:
        raise AttuneError(f"{path}: cannot be read ({error.strerror}); check the name.") from None
    return jobs, failures


def _check_header(path: Path, names: object) -> None:
    header = [str(name).strip() for name in names] if isinstance(names, list | tuple) else []
    if len(header) == 1 and "path;" in f"{header[0]};" and ";" in header[0]:
        raise AttuneError(f"{path}: is separated by ';'; save it as CSV with commas.")
    if "path" not in header:
        raise AttuneError(
            f"{path}: has no column 'path'; its first line names the columns: {', '.join(COLUMNS)}."
        )
    unknown = [name for name in header if name and name not in COLUMNS]
    if unknown:
        _log.warning(
            "%s: column %s is not used; known are %s.", path, ", ".join(unknown), ", ".join(COLUMNS)
        )


def _job(recording: Path, cells: Mapping[str, str], where: str) -> Job:
    side = cells.get("caller_channel")
    if side is not None and side not in _CHANNELS:
        raise AttuneError(f"{where}: caller_channel '{side}' is none; write left, right or mono.")
    parties = cells.get("parties")
    if parties not in (None, "1", "2"):
        raise AttuneError(f"{where}: parties '{parties}' is neither 1 nor 2; correct it.")
    feeling = cells.get("reference_emotion")
    if feeling is not None and feeling not in set(Emotion):
        raise AttuneError(
            f"{where}: reference_emotion '{feeling}' is unknown; use one of {', '.join(Emotion)}."
        )
    stated = [item for item in cells.get("consent", "").replace(",", ";").split(";") if item]
    try:
        consents = parse_consents(stated)
    except AttuneError as error:
        raise AttuneError(f"{where}: {error}") from None
    return Job(
        recording,
        channel=_CHANNELS[side] if side else None,
        parties=int(parties) if parties else None,
        customer=cells.get("customer"),
        jurisdiction=cells.get("jurisdiction"),
        consents=dict(consents),
        reference_transcript=cells.get("reference_transcript"),
        reference_emotion=Emotion(feeling) if feeling else None,
        outcome=cells.get("outcome"),
    )
