"""Many recordings on several processors: in this process or in a pool of processes.

Both, and Ray beside them, do the same work with the same code; the models are loaded once in each
worker.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from nlu.errors import AttuneError
from voice.evaluation.analysis import Analyst, Call, Options
from voice.evaluation.call_json import pieces, summarise
from voice.evaluation.folder import RunFolder
from voice.evaluation.inputs import Failure, Job
from voice.evaluation.sound import write_sound

Tick = Callable[[int], None]
"""Told how many more ms of sound have been worked through; also called when nothing happened."""

_POLL_S = 0.25
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """A job with the fingerprint under which its result is kept."""

    job: Job
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a task. `fatal` is a sentence that ends the run: nothing can be written."""

    task: Task
    failure: Failure | None = None
    fatal: str | None = None


def carry_out(
    analyst: Analyst, folder: RunFolder, task: Task, tick: Tick, *, audio: bool = False
) -> Result:
    """Analyse one recording and keep the result, with `audio` its sound where that is allowed.

    Never raises for what an input can cause.
    """
    job = task.job
    try:
        call = analyst.analyse(job, tick)
        summary = summarise(call)
    except AttuneError as error:
        return Result(task, Failure(str(job.path), str(error)))
    except (Exception, MemoryError) as error:
        _log.debug("%s", job.path, exc_info=True)
        reason = f"{type(error).__name__}: {error}".rstrip(".: ")
        return Result(
            task,
            Failure(
                str(job.path),
                f"{job.path} could not be analysed ({reason}); please report this as a fault.",
            ),
        )
    try:
        folder.sound(job.name).unlink(missing_ok=True)
        if audio:
            summary["sound"] = _keep_sound(call, folder)
        folder.keep(job.name, task.fingerprint, pieces(call, summary), summary)
    except AttuneError as error:
        return Result(task, fatal=str(error))
    return Result(task)


def _keep_sound(call: Call, folder: RunFolder) -> dict[str, str]:
    """Where the sound of a call stands, or why there is none."""
    path = folder.sound(call.job.name)
    if call.silent_because is not None:
        return {"why_not": call.silent_because}
    personal = [stretch for turn in call.turns for stretch in turn.personal]
    write_sound(path, call.job.path, personal)
    return {"file": path.relative_to(folder.path).as_posix()}


def in_process(
    tasks: Iterable[Task], options: Options, folder: RunFolder, tick: Tick
) -> Iterator[Result]:
    """One recording after the other, here."""
    analyst = Analyst.open(options)
    try:
        for task in tasks:
            yield carry_out(analyst, folder, task, tick, audio=options.audio)
    finally:
        analyst.close()


# --- a pool of processes ------------------------------------------------------------------------

_worker: _Worker | None = None


@dataclass(frozen=True, slots=True)
class _Worker:
    analyst: Analyst | None
    folder: RunFolder
    done_ms: Synchronized[float]
    audio: bool
    problem: str | None = None


def _begin(options: Options, out: Path, done_ms: Synchronized[float]) -> None:
    """Load the models once; end with the parent, however that ends."""
    global _worker  # noqa: PLW0603
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        _worker = _Worker(Analyst.open(options), RunFolder(out), done_ms, options.audio)
    except AttuneError as error:
        _worker = _Worker(None, RunFolder(out), done_ms, options.audio, str(error))


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


def _work(task: Task) -> Result:
    worker = _worker
    if worker is None or worker.analyst is None:
        return Result(task, fatal=(worker and worker.problem) or "a worker could not start.")

    def tick(done_ms: int) -> None:
        with worker.done_ms.get_lock():
            worker.done_ms.value += done_ms

    return carry_out(worker.analyst, worker.folder, task, tick, audio=worker.audio)


def process_pool(
    tasks: Iterable[Task], options: Options, folder: RunFolder, workers: int, tick: Tick
) -> Iterator[Result]:
    """On `workers` processes, started by *spawn*.

    When a worker dies, what was under way is tried again, each recording alone; the one that
    kills its worker again is a failure, and the rest goes on.
    """
    waiting, suspects = deque(tasks), deque[Task]()
    while waiting or suspects:
        alone = bool(suspects)
        queue = suspects if alone else waiting
        lost = yield from _pooled(queue, options, folder, 1 if alone else workers, tick, alone)
        for task in lost:
            if folder.finished(task.job.name, task.fingerprint):
                yield Result(task)
            elif alone:
                reason = (
                    f"{task.job.path}: the worker that analysed it died; "
                    "it may need more memory than there is."
                )
                yield Result(task, Failure(str(task.job.path), reason))
            else:
                suspects.append(task)


def _pooled(
    queue: deque[Task], options: Options, folder: RunFolder, workers: int, tick: Tick, alone: bool
) -> Generator[Result, None, list[Task]]:
    """Work through `queue` until it is empty or a worker dies; returns what was under way then."""
    context = multiprocessing.get_context("spawn")
    done_ms: Synchronized[float] = context.Value("d", 0.0)
    told_ms = 0.0
    running: dict[Future[Result], Task] = {}
    ahead = 1 if alone else 2 * workers
    executor = ProcessPoolExecutor(workers, context, _begin, (options, folder.path, done_ms))
    try:
        while queue or running:
            while queue and len(running) < ahead:
                running[executor.submit(_work, queue[0])] = queue[0]
                queue.popleft()
            finished, _ = wait(running, _POLL_S, FIRST_COMPLETED)
            now_ms = done_ms.value
            tick(int(now_ms - told_ms))
            told_ms = now_ms
            for future in finished:
                result = future.result()
                del running[future]
                yield result
    except BrokenProcessPool:
        return list(running.values())
    finally:
        processes = list((executor._processes or {}).values())
        executor.shutdown(wait=not running, cancel_futures=True)
        for process in processes if running else ():
            process.terminate()
    return []
