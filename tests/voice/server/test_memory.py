"""What ended calls leave behind goes back to the system, once for all calls that ended together."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from voice.server.memory import Sweeping, give_back


class Part:
    """Knows itself by way of another, as the parts of a call do."""

    def __init__(self) -> None:
        self.other = [self]
        self.sound = np.ones(16_000)


def test_what_only_a_circle_holds_is_freed() -> None:
    gc.disable()
    try:
        part = Part()
        gone = weakref.ref(part)
        del part
        assert gone() is not None
        give_back()
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the resident memory")
def test_what_was_freed_between_what_is_kept_goes_back_to_the_system() -> None:
    def resident_mib() -> float:
        status = Path("/proc/self/status").read_text().split("RssAnon:")[1]
        return int(status.split()[0]) / 1024

    # Smaller than what the C library maps by itself, so they lie in its heap side by side.
    pieces = [np.ones(8_000) for _ in range(2_000)]
    kept = pieces[::20]
    del pieces
    before_mib = resident_mib()
    give_back()
    assert resident_mib() < before_mib - 40
    assert len(kept) == 100


async def test_calls_that_end_together_are_swept_once() -> None:
    swept: list[None] = []
    with ThreadPoolExecutor(1) as threads:
        sweeping = Sweeping(threads, lambda: swept.append(None), after_s=0.05)
        for _ in range(3):
            sweeping.call_ended()
        await asyncio.sleep(0.2)
    assert len(swept) == 1


async def test_a_call_that_ends_later_is_swept_too_and_none_after_the_end() -> None:
    swept: list[None] = []
    with ThreadPoolExecutor(1) as threads:
        sweeping = Sweeping(threads, lambda: swept.append(None), after_s=0.05)
        sweeping.call_ended()
        await asyncio.sleep(0.2)
        sweeping.call_ended()
        await asyncio.sleep(0.2)
        sweeping.call_ended()
        sweeping.cancel()
        await asyncio.sleep(0.2)
    assert len(swept) == 2
