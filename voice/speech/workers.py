"""Worker processes that hold the speech engines, seen from our side.

The engines stay out of our process: espeak-ng and Piper are GPL, keep one global state a process,
and may crash on a strange text. A worker that dies is started again.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dialogue.types import Delivery
from nlu.errors import AttuneError
from voice.speech.engine import Ending
from voice.speech.wire import Cancel, Failed, Finished, Ready, Sound, Speak, receive, send

START_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 20.0
"""A whole piece takes milliseconds with espeak-ng and seconds with Piper on a busy machine."""

_ROOT = Path(__file__).resolve().parents[2]


class WorkerDiedError(Exception):
    """The process ended, or fell silent, before the piece was complete."""


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """Which engine class a worker loads (`module:Class`) and with what (JSON values)."""

    target: str
    options: Mapping[str, Any]


class Worker:
    """One process. Several callers may render at a time; it serves them one after the other."""

    def __init__(self, choice: EngineChoice) -> None:
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        paths = [str(_ROOT), environment.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "voice.speech.worker_process",
                choice.target,
                json.dumps(dict(choice.options)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        self._send_lock = threading.Lock()
        self._answers: dict[int, queue.SimpleQueue[Any]] = {}
        self._answers_lock = threading.Lock()
        self._alive = True
        self._started: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._greeting: Ready | Failed | None = None
        self._greeting_lock = threading.Lock()
        threading.Thread(target=self._read, daemon=True, name="attune-speech").start()

    @property
    def alive(self) -> bool:
        """False once the process has ended."""
        return self._alive and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def waiting(self) -> int:
        """How many pieces are under way."""
        return len(self._answers)

    def ready(self) -> None:
        """Wait until the engine is loaded. Raises `AttuneError` when it cannot be."""
        with self._greeting_lock:
            if self._greeting is None:
                try:
                    self._greeting = self._started.get(timeout=START_TIMEOUT_S)
                except queue.Empty:
                    self._greeting = None
                if self._greeting is None:
                    self.close()
                    self._greeting = Failed(
                        -1, "the speech engine did not start: run `attune doctor`."
                    )
        if isinstance(self._greeting, Failed):
            raise AttuneError(self._greeting.problem)

    def render(
        self, number: int, text: str, delivery: Delivery, *, opens: bool
    ) -> Generator[Sound | Ending]:
        """The sound of one piece, then its ending. Closing the iterator cancels it.

        Raises `AttuneError` for a text that cannot be spoken, `WorkerDiedError` when the process
        ends first.
        """
        self.ready()
        answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        with self._answers_lock:
            if not self._alive:
                raise WorkerDiedError
            self._answers[number] = answers
        finished = False
        try:
            self._send(Speak(number, text, delivery, opens))
            while True:
                try:
                    answer = answers.get(timeout=ANSWER_TIMEOUT_S)
                except queue.Empty:
                    self.close()
                    raise WorkerDiedError from None
                if isinstance(answer, Sound):
                    yield answer
                    continue
                finished = True
                if answer is None:
                    raise WorkerDiedError
                if isinstance(answer, Failed):
                    raise AttuneError(answer.problem)
                if answer.ending is not None:
                    yield answer.ending
                return
        finally:
            with self._answers_lock:
                self._answers.pop(number, None)
            if not finished and self.alive:
                try:
                    self._send(Cancel(number))
                except WorkerDiedError:
                    self._alive = False

    def close(self) -> None:
        """End the process."""
        self._alive = False
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        with self._send_lock:
            for pipe in (self._process.stdin,):
                if pipe is not None and not pipe.closed:
                    try:
                        pipe.close()
                    except OSError:
                        continue

    def _send(self, message: Any) -> None:
        assert self._process.stdin is not None
        try:
            with self._send_lock:
                send(self._process.stdin, message)
        except (OSError, ValueError):
            raise WorkerDiedError from None

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            while (message := receive(stream)) is not None:
                if isinstance(message, Ready) or (
                    isinstance(message, Failed) and message.number < 0
                ):
                    self._started.put(message)
                    continue
                with self._answers_lock:
                    waiting = self._answers.get(message.number)
                if waiting is not None:
                    waiting.put(message)
        with self._answers_lock:
            self._alive = False
            for waiting in self._answers.values():
                waiting.put(None)
        self._started.put(None)


class WorkerPool:
    """`count` workers of one engine, started at once, replaced when they die."""

    def __init__(self, choice: EngineChoice, count: int = 1) -> None:
        self._choice = choice
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._closed = False
        self._workers = [Worker(choice) for _ in range(count)]

    def ready(self) -> None:
        """Wait until the engine is loaded. Raises `AttuneError` when it cannot be."""
        self._idlest().ready()

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of the workers."""
        return tuple(worker.pid for worker in self._workers)

    def render(self, text: str, delivery: Delivery, *, opens: bool) -> Generator[Sound | Ending]:
        """One piece by the worker with the least to do; see `Worker.render`.

        When the worker dies the piece is rendered again by a new one, and what was handed over
        already is left out: the same request gives the same samples.
        """
        handed_over = 0
        for attempt in range(3):
            try:
                seen = 0
                number = next(self._numbers)
                parts = self._idlest().render(number, text, delivery, opens=opens)
                with contextlib.closing(parts):
                    for part in parts:
                        if isinstance(part, Sound):
                            seen += 1
                            if seen <= handed_over:
                                continue
                            handed_over = seen
                        yield part
                return
            except WorkerDiedError:
                if attempt == 2:
                    raise AttuneError(
                        f"the speech engine ended three times on {text[:40]!r}; "
                        "try another wording or another voice."
                    ) from None

    def close(self) -> None:
        """End all workers."""
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.close()

    def _idlest(self) -> Worker:
        with self._lock:
            if self._closed:
                raise AttuneError("the synthesizer is closed: open another one.")
            for index, worker in enumerate(self._workers):
                if not worker.alive:
                    worker.close()
                    self._workers[index] = Worker(self._choice)
            return min(self._workers, key=lambda worker: worker.waiting)


__all__ = ["EngineChoice", "Finished", "Worker", "WorkerDiedError", "WorkerPool"]
