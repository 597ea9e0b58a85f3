"""The finished turns of a live call, kept in a folder where one is set and the caller allows it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Self

from voice.records import record_line
from voice.types import CallEvent, TurnFinished

log = logging.getLogger(__name__)


class TurnFile:
    """One JSON line for each finished, redacted turn of a call."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def of(cls, folder: Path | None, call: str) -> Self | None:
        """The file of a call; None where nothing is to be kept."""
        return cls(folder / f"{call}.jsonl") if folder is not None else None

    def __call__(self, event: CallEvent) -> None:
        """Append a finished turn; other events pass. A full disk costs the record, not the call."""
        if not isinstance(event, TurnFinished):
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(record_line(event.record) + "\n")
        except OSError as error:
            log.error("a turn could not be kept: %s", error.strerror)
