"""Which recordings are to be analysed, and what is known of each."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dialogue.types import ConsentState, Purpose
from nlu.errors import AttuneError
from nlu.types import Emotion
from voice.audio import CallerChannel

SOUND = frozenset(
    ".wav .wave .flac .ogg .oga .opus .mp3 .aif .aiff .aifc .au .snd .caf .w64 .rf64".split()
)
"""What counts as a recording when a folder is searched; a file that is named is always tried."""
_SIDECAR = (".yaml", ".yml")
_NOT_IN_NAMES = re.compile(r"[^\w.+@-]+")
_LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class ReferenceTurn:
    """What really happened in a stretch of the call, by somebody who knows."""

    start_ms: int
    end_ms: int
    text: str | None = None
    emotion: Emotion | None = None
    intent: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One recording and what is known of it. `name` is unique in a run and names its files."""

    path: Path
    name: str = ""
    channel: CallerChannel | None = None
    parties: int | None = None
    """2 when one channel holds both parties; None: two channels two, one channel one."""
    customer: str | None = None
    jurisdiction: str | None = None
    consents: Mapping[Purpose, ConsentState] = field(default_factory=dict)
    reference_transcript: str | None = None
    reference_emotion: Emotion | None = None
    reference_turns: tuple[ReferenceTurn, ...] = ()
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """An input that could not be analysed, and why, in one sentence."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """The work of a run, in order of names; `left_aside` counts files that are no recordings."""

    jobs: tuple[Job, ...]
    failures: tuple[Failure, ...] = ()
    left_aside: int = 0


def gather(
    paths: Sequence[str],
    rows: Sequence[Job] = (),
    *,
    defaults: Job | None = None,
    bad_rows: Sequence[Failure] = (),
) -> Gathered:
    """Every recording that `paths` (files, folders, globs) and manifest `rows` name, once.

    What a row leaves open comes from `defaults` (the options), then from the YAML file beside
    the recording. What does not exist becomes a failure. Raises `AttuneError` when there is
    nothing to do at all.
    """
    failures = list(bad_rows)
    refused = {failure.path for failure in bad_rows}
    found: dict[Path, str] = {}
    left_aside = 0
    for text in paths:
        matches = list(_expand(text))
        if not matches:
            failures.append(Failure(text, f"{text} does not exist; check the name."))
        for path in matches:
            if path.is_dir():
                recordings, others = _search(path)
                left_aside += others
                found |= {
                    each.absolute(): _stem(each.relative_to(path)) for each in sorted(recordings)
                }
            elif path.suffix.lower() == ".csv":
                failures.append(Failure(text, f"{path} is a table; give it with --manifest."))
            else:
                found.setdefault(path.absolute(), _stem(Path(path.name)))
    told = {row.path.absolute(): row for row in rows}
    for path, row in told.items():
        if path.exists():
            found.setdefault(path, _stem(Path(path.name)))
        else:
            failures.append(Failure(str(row.path), f"{row.path} does not exist; check the name."))
    for path in [path for path in found if str(path) in refused]:
        del found[path]
    if not found and not failures:
        raise AttuneError(
            f"{', '.join(paths) or 'the manifest'}: no recording was found; "
            "name WAV, FLAC, OGG or MP3 files or a folder with them."
        )
    base = defaults or Job(Path())
    known = ((path, told.get(path, Job(path)), name) for path, name in _named(found))
    jobs = [_completed(path, row, base, name) for path, row, name in known]
    return Gathered(tuple(sorted(jobs, key=lambda job: job.name)), tuple(failures), left_aside)


def _expand(text: str) -> Iterator[Path]:
    path = Path(text).expanduser()
    if path.exists():
        yield path
    elif glob.has_magic(text):
        yield from (Path(each) for each in sorted(glob.glob(str(path), recursive=True)))  # noqa: PTH207


def _search(folder: Path) -> tuple[list[Path], int]:
    """The recordings below a folder, hidden ones left out, and how many other files there are."""
    recordings: list[Path] = []
    others = 0
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if Path(name).suffix.lower() in SOUND and not name.startswith("."):
                recordings.append(Path(where) / name)
            else:
                others += 1
    return recordings, others


def _stem(relative: Path) -> str:
    joined = "__".join(relative.with_suffix("").parts)
    return _NOT_IN_NAMES.sub("_", joined).strip(".")[:_LONGEST_NAME] or "call"


def _named(found: Mapping[Path, str]) -> Iterator[tuple[Path, str]]:
    """Recordings of the same name are told apart by a digest of where they are."""
    count = Counter(name.lower() for name in found.values())
    for path, name in found.items():
        if count[name.lower()] > 1:
            yield path, f"{name}-{hashlib.sha256(str(path).encode()).hexdigest()[:6]}"
        else:
            yield path, name


def _completed(path: Path, row: Job, base: Job, name: str) -> Job:
    beside = _beside(path)
    consents = {**base.consents, **row.consents}
    # A no anywhere beats a yes anywhere.
    consents |= {
        purpose: state for purpose, state in base.consents.items() if state is ConsentState.DENIED
    }
    return replace(
        row,
        path=path,
        name=name,
        channel=row.channel or base.channel,
        parties=row.parties or base.parties,
        customer=row.customer or beside.customer,
        jurisdiction=row.jurisdiction or base.jurisdiction,
        consents=consents,
        reference_turns=beside.reference_turns,
        outcome=row.outcome,
    )


def _beside(recording: Path) -> Job:
    """The customer and the turns in the YAML beside a recording, as in `audio_samples`."""
    import yaml

    for suffix in _SIDECAR:
        sidecar = recording.with_suffix(suffix)
        if not sidecar.is_file():
            continue
        try:
            content = yaml.safe_load(sidecar.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError, OSError):
            return Job(recording)
        if not isinstance(content, dict):
            return Job(recording)
        turns = content.get("turns")
        customer = content.get("customer")
        return Job(
            recording,
            customer=customer if isinstance(customer, str) else None,
            reference_turns=tuple(_reference_turns(turns if isinstance(turns, list) else ())),
        )
    return Job(recording)


def _reference_turns(turns: Iterable[Any]) -> Iterator[ReferenceTurn]:
    for turn in turns:
        if not isinstance(turn, dict):
            continue
        start, end = turn.get("start_ms"), turn.get("end_ms")
        if not (isinstance(start, int) and isinstance(end, int)):
            continue
        feeling = turn.get("feeling")
        yield ReferenceTurn(
            start,
            end,
            str(turn["text"]) if turn.get("text") else None,
            Emotion(feeling) if feeling in set(Emotion) else None,
            str(turn["intent"]) if turn.get("intent") else None,
        )
