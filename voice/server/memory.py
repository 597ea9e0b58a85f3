"""Memory that ended calls leave behind goes back to the system.

A call's parts know each other in circles, so what they hold (sound above all) waits for Python's
garbage collector, which a server that is up for long asks ever more seldom: 20 MB for a hundred
calls. And glibc keeps what is freed in the middle of its heaps until it is asked.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

SWEEP_AFTER_S = 15.0
"""After the end of a call; whoever ends until then is swept with it."""


def give_back() -> None:
    """Free what only circles hold, and what the C library keeps where it can be told to.

    With `gc.freeze` done at the start this takes a few milliseconds.
    """
    gc.collect()
    if (trim := _trim()) is not None:
        trim(0)


def _trim() -> Callable[[int], Any] | None:
    """glibc's `malloc_trim`, which lets other threads of Python run; None elsewhere."""
    try:
        found: Callable[[int], Any] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None
    return found


class Sweeping:
    """Calls `sweep` in `executor` some time after calls have ended, once for all of them."""

    def __init__(
        self,
        executor: Executor,
        sweep: Callable[[], None] = give_back,
        after_s: float = SWEEP_AFTER_S,
    ) -> None:
        self._executor = executor
        self._sweep = sweep
        self._after_s = after_s
        self._due: asyncio.TimerHandle | None = None

    def call_ended(self) -> None:
        """Sweep soon, if that is not planned already."""
        if self._due is None:
            loop = asyncio.get_running_loop()
            self._due = loop.call_later(self._after_s, self._begin)

    def _begin(self) -> None:
        self._due = None
        self._executor.submit(self._sweep)

    def cancel(self) -> None:
        """Sweep no more."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
