"""Work that goes on beside the frames of a call."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Background:
    """Starts work and keeps it until it is done. A line that is not live waits for each piece, so
    that a replay is the same at any speed."""

    def __init__(self, *, live: bool) -> None:
        self._live = live
        self._running: set[asyncio.Future[Any]] = set()

    async def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
        """Begin; on a line that is not live, return when it is done."""
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        if not self._live:
            await asyncio.wait([task])
        return task

    def cancel(self) -> None:
        """Stop what is still going on."""
        for task in self._running:
            task.cancel()
