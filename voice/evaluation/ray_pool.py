"""Many recordings on the nodes of a Ray cluster, or on a local one: the pool's work, elsewhere."""

from __future__ import annotations

import logging
import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from nlu.errors import AttuneError
from voice.audio import inspect
from voice.evaluation.analysis import Analyst, Options
from voice.evaluation.folder import RunFolder
from voice.evaluation.inputs import Failure
from voice.evaluation.pool import Result, Task, Tick, carry_out

_POLL_S = 0.25
_TRIES = 2
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_worker_niceness": "0",
}
"""Nothing of a run is reported to anybody; workers use the Python that is running here; and they
yield to nobody: at Ray's own niceness of 15 a busy machine never comes to them."""


def ray_pool(
    tasks: Iterable[Task],
    options: Options,
    folder: RunFolder,
    workers: int,
    address: str,
    tick: Tick,
) -> Iterator[Result]:
    """On `workers` actors of a Ray cluster, or of a local one for the address `local`.

    Every node must see recordings and folder under the same paths. A recording whose worker dies
    is tried once more; a second time it is a failure. Raises `AttuneError` when Ray is not
    installed or the cluster does not answer.
    """
    ray = _connected(address, workers)
    try:
        actor = ray.remote(num_cpus=1, max_restarts=-1)(RayWorker)
        idle = [actor.remote(options, folder.path.absolute()) for _ in range(workers)]
        waiting = deque(tasks)
        running: dict[Any, tuple[Any, Task]] = {}
        deaths: Counter[str] = Counter()
        while waiting or running:
            while waiting and idle:
                one, task = idle.pop(), waiting.popleft()
                running[one.work.remote(task)] = (one, task)
            ready, _ = ray.wait(list(running), timeout=_POLL_S)
            tick(0)
            for reference in ready:
                one, task = running.pop(reference)
                idle.append(one)
                try:
                    result: Result = ray.get(reference)
                except ray.exceptions.RayError as error:
                    deaths[task.job.name] += 1
                    if deaths[task.job.name] < _TRIES:
                        waiting.append(task)
                        continue
                    result = _died(task, error)
                tick(_length_ms(task))
                yield result
    finally:
        ray.shutdown()


def _connected(address: str, workers: int) -> Any:
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError:
        raise AttuneError(
            "--ray: Ray is not installed; install it with: pip install 'attune[ray]'."
        ) from None
    logging.getLogger("ray").setLevel(logging.ERROR)
    told: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address == "local":
            ray.init(address="local", num_cpus=workers, include_dashboard=False, **told)
        else:
            ray.init(address=address, **told)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise AttuneError(f"--ray {address}: no cluster there ({error}); check it.") from None
    return ray


class RayWorker:
    """An `Analyst` on a node of a Ray cluster."""

    def __init__(self, options: Options, out: Path) -> None:
        self._folder = RunFolder(out)
        self._audio = options.audio
        self._problem: str | None = None
        self._analyst: Analyst | None = None
        try:
            self._analyst = Analyst.open(options)
        except AttuneError as error:
            self._problem = str(error)

    def work(self, task: Task) -> Result:
        """As in a local worker."""
        if self._analyst is None:
            return Result(task, fatal=self._problem)
        return carry_out(self._analyst, self._folder, task, lambda _: None, audio=self._audio)


def _died(task: Task, error: Exception) -> Result:
    path = str(task.job.path)
    reason = (
        f"{path}: the worker that analysed it died ({type(error).__name__}); "
        "it may need more memory than there is."
    )
    return Result(task, Failure(path, reason))


def _length_ms(task: Task) -> int:
    try:
        return inspect(task.job.path).duration_ms
    except AttuneError:
        return 0
