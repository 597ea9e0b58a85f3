"""A run from inputs to files: what is finished is kept, the rest is worked through."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dialogue.packs import load_pack
from nlu.errors import AttuneError
from voice.audio import inspect
from voice.evaluation.analysis import Options, open_store
from voice.evaluation.folder import RunFolder, fingerprint
from voice.evaluation.inputs import Failure, Gathered, Job
from voice.evaluation.metrics import Metrics
from voice.evaluation.outputs import (
    parquet_is_there,
    write_failures,
    write_metrics,
    write_parquet,
    write_turns,
)
from voice.evaluation.pool import Result, Task, in_process, process_pool
from voice.evaluation.report import write_report
from voice.settings import load as load_settings

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is left to do: longest recordings first, so that the workers end together."""

    tasks: tuple[Task, ...]
    kept: tuple[Task, ...]
    failures: tuple[Failure, ...]
    duration_ms: int
    """Of `tasks` together, by their headers."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to."""

    calls: int
    resumed: int
    failures: tuple[Failure, ...]
    files: tuple[Path, ...]


class Watcher:
    """Told how a run goes. This one is silent; the command's shows progress."""

    def planned(self, plan: Plan) -> None:
        """The work is known."""

    def advanced(self, done_ms: int) -> None:
        """So much more sound has been worked through."""

    def finished(self, result: Result) -> None:
        """A recording is done, or has failed."""


def evaluate(
    gathered: Gathered,
    out: Path,
    options: Options,
    *,
    workers: int | None = None,
    ray: str | None = None,
    watcher: Watcher | None = None,
) -> Report:
    """Analyse every recording and write the files of a run into `out`.

    The result does not depend on `workers`, nor on how often the run was broken off. Raises
    `AttuneError` for an unknown pack or engine and for a folder that cannot be written or is in
    use.
    """
    watcher = watcher or Watcher()
    folder = RunFolder(out)
    with folder.locked():
        folder.prepare()
        plan = _plan(gathered, folder, options)
        watcher.planned(plan)
        failures = [*gathered.failures, *plan.failures]
        done = [task.job.name for task in plan.kept]
        for result in _results(plan.tasks, options, folder, workers, ray, watcher.advanced):
            if result.fatal is not None:
                raise AttuneError(result.fatal)
            if result.failure is not None:
                failures.append(result.failure)
            else:
                done.append(result.task.job.name)
            watcher.finished(result)
        files = _write(folder, sorted(done), failures, gathered.left_aside)
    return Report(len(done), len(plan.kept), tuple(failures), files)


def _plan(gathered: Gathered, folder: RunFolder, options: Options) -> Plan:
    settings = load_settings()
    pack = load_pack(options.pack or settings.pack)
    common = {
        "pack": _digest(pack.directory),
        "audio": options.audio,
        "recognizer": options.recognizer or settings.recognizer,
        "model": settings.whisper_model,
        "jurisdiction": settings.jurisdiction,
    }
    store = open_store(pack)
    tasks: list[tuple[int, Task]] = []
    kept: list[Task] = []
    failures: list[Failure] = []
    try:
        for job in gathered.jobs:
            known = _known(store, job)
            task = Task(job, fingerprint(job, common | {"customer": known}))
            if folder.finished(job.name, task.fingerprint):
                kept.append(task)
                continue
            try:
                tasks.append((inspect(job.path).duration_ms, task))
            except AttuneError as error:
                failures.append(Failure(str(job.path), str(error)))
    finally:
        store.close()
    tasks.sort(key=lambda each: (-each[0], each[1].job.name))
    return Plan(
        tuple(task for _, task in tasks),
        tuple(kept),
        tuple(failures),
        sum(duration_ms for duration_ms, _ in tasks),
    )


def _digest(folder: Path) -> str:
    """A pack that was edited makes results stale."""
    found = hashlib.sha256(folder.name.encode())
    for path in sorted(folder.rglob("*.yaml")):
        found.update(path.read_bytes())
    return found.hexdigest()


def _known(store: Any, job: Job) -> Any:
    """What the store says of the customer: a consent that changed makes a result stale."""
    if job.customer is None:
        return None
    try:
        now = datetime.fromtimestamp(job.path.stat().st_mtime, UTC)
    except OSError:
        return None
    context = store.context(job.customer, now=now, but_call=job.name)
    return {"id": context.id, "jurisdiction": context.jurisdiction} | {
        purpose.value: state.value for purpose, state in context.consents.items()
    }


def _results(
    tasks: Sequence[Task],
    options: Options,
    folder: RunFolder,
    workers: int | None,
    ray: str | None,
    tick: Callable[[int], None],
) -> Iterator[Result]:
    if not tasks:
        return iter(())
    # Each worker is one thread: more of them would only take turns.
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")
    count = max(1, min(workers or os.cpu_count() or 1, len(tasks)))
    if ray is not None:
        from voice.evaluation.ray_pool import ray_pool

        return ray_pool(tasks, options, folder, count, ray, tick)
    if count == 1:
        return in_process(tasks, options, folder, tick)
    return process_pool(tasks, options, folder, count, tick)


def _write(
    folder: RunFolder, names: Sequence[str], failures: Sequence[Failure], left_aside: int
) -> tuple[Path, ...]:
    """The tables, from the summaries one after the other."""
    metrics = Metrics()

    def rows() -> Iterator[Mapping[str, Any]]:
        for name in names:
            yield from folder.summary(name)["rows"]

    for name in names:
        metrics.add(folder.summary(name))
    result = metrics.result(failures, left_aside)
    path = folder.path
    files = [path / "turns.csv", path / "metrics.json", path / "failures.csv"]
    write_turns(files[0], rows())
    write_metrics(files[1], result)
    write_failures(files[2], failures)
    if parquet_is_there():
        files.insert(1, path / "turns.parquet")
        write_parquet(files[1], rows())
    return (*files, write_report(folder, names, result, failures))
