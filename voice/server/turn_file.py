"""The finished turns of a live call, kept in a folder where one is set and the caller allows it."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Self

from nlu.errors import AttuneError
from voice.records import record_line
from voice.types import CallEvent, TurnFinished

log = logging.getLogger(__name__)


def check_folder(folder: Path) -> None:
    """Make the folder for turns. Raises `AttuneError` where nothing can be written there: better
    said at the start than once for every turn."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        problem = "" if os.access(folder, os.W_OK) else "no right to write"
    except OSError as error:
        problem = error.strerror or type(error).__name__
    if problem:
        raise AttuneError(
            f"{folder}: turns cannot be kept there ({problem}); setting 'turns_dir' has to name a "
            "folder that can be written to."
        )


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
