"""The folder of a run: one run at a time, every finished call kept, a killed run taken up again."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nlu.errors import AttuneError
from voice.audio import replacing
from voice.evaluation.inputs import Job
from voice.records import plain_json

FORMAT = 2
"""Part of every fingerprint: raise it when the same recording gives another result."""


class RunFolder:
    """Where a run writes: `calls/NAME.json`, and `.state/NAME.json` once that is complete.

    Every file takes its place in one step, so that a run that is killed leaves whole files only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.calls = path / "calls"
        self.state = path / ".state"
        self.sounds = path / "audio"

    def sound(self, name: str) -> Path:
        """Where a call's sound stands, if it was asked for and may be kept."""
        return self.sounds / f"{name}.mp3"

    def prepare(self) -> None:
        """Make the folders and clear what a killed run was in the middle of writing.

        Raises `AttuneError` when they cannot be made.
        """
        try:
            for folder in (self.calls, self.state):
                folder.mkdir(parents=True, exist_ok=True)
            for folder in (self.path, self.calls, self.state, self.sounds):
                for draft in folder.glob(".writing-*"):
                    draft.unlink(missing_ok=True)
        except OSError as error:
            raise AttuneError(
                f"{self.path} cannot be written ({error.strerror}); choose another with --out."
            ) from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs out for as long as this one lasts, however it ends.

        Raises `AttuneError` when another run is at work in the folder.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = (self.path / ".lock").open("a+", encoding="utf-8")
        except OSError as error:
            raise AttuneError(
                f"{self.path} cannot be written ({error.strerror}); choose another with --out."
            ) from None
        with file:
            if not _lock(file.fileno()):
                file.seek(0)
                owner = file.read().strip() or "?"
                raise AttuneError(
                    f"{self.path} is being written by another run (process {owner}); "
                    "wait for it or choose another folder with --out."
                )
            file.seek(0)
            file.truncate()
            file.write(str(os.getpid()))
            file.flush()
            yield

    def finished(self, name: str, fingerprint: str) -> bool:
        """Whether this very input has been analysed with these options."""
        if not (self.calls / f"{name}.json").exists():
            return False
        try:
            with (self.state / f"{name}.json").open(encoding="utf-8") as file:
                # What was kept comes first, so that a long call's file is not read whole.
                known, sound = json.loads(file.readline())
        except (OSError, ValueError):
            return False
        return bool(known == fingerprint and (sound is None or (self.path / sound).exists()))

    def keep(
        self, name: str, fingerprint: str, call: Iterator[str], summary: Mapping[str, Any]
    ) -> None:
        """Write a call's file from its pieces, and then the summary that says it is complete.

        Raises `AttuneError` when the disk is full or the folder is gone.
        """
        with (
            replacing(self.calls / f"{name}.json") as draft,
            draft.open("w", encoding="utf-8") as file,
        ):
            file.writelines(call)
        with replacing(self.state / f"{name}.json") as draft:
            body = json.dumps(summary, ensure_ascii=False, separators=(",", ":"))
            first = json.dumps([fingerprint, summary.get("sound", {}).get("file")])
            draft.write_text(f"{first}\n{body}\n", encoding="utf-8")

    def summary(self, name: str) -> dict[str, Any]:
        """The summary of a finished call. Raises `AttuneError` when it was damaged."""
        path = self.state / f"{name}.json"
        try:
            _, _, body = path.read_text(encoding="utf-8").partition("\n")
            found = json.loads(body)
        except (OSError, ValueError) as error:
            raise AttuneError(f"{path} is damaged ({error}); delete it and run again.") from None
        return dict(found)


def fingerprint(job: Job, common: Mapping[str, Any]) -> str:
    """What a call's result depends on: the file's size and time, everything that is known of it,
    `common` (options, the customer's consents) and the program's version."""
    try:
        status = job.path.stat()
        file = [status.st_size, status.st_mtime_ns]
    except OSError:
        file = []
    told = [FORMAT, importlib.metadata.version("attune"), file, plain_json(job), plain_json(common)]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _lock(descriptor: int) -> bool:
    """Take the lock that the system gives back when the process ends; False when it is taken."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
