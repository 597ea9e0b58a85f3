"""Single keys from a terminal, as they are pressed."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_POLL_S = 0.05


@contextmanager
def keys_pressed(pressed: Callable[[str], None]) -> Iterator[None]:
    """Call `pressed` for every key while the block lasts; without a terminal there are none."""
    if not sys.stdin.isatty():
        yield
        return
    try:
        import termios
        import tty
    except ImportError:
        with _windows_keys(pressed):
            yield
        return
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    loop = asyncio.get_running_loop()
    try:
        tty.setcbreak(number)
        loop.add_reader(number, lambda: pressed(os.read(number, 1).decode("ascii", "replace")))
        yield
    finally:
        loop.remove_reader(number)
        termios.tcsetattr(number, termios.TCSADRAIN, before)


@contextmanager
def _windows_keys(pressed: Callable[[str], None]) -> Iterator[None]:
    import importlib

    console = importlib.import_module("msvcrt")

    async def poll() -> None:
        while True:
            while console.kbhit():
                with suppress(UnicodeDecodeError):
                    pressed(console.getwch())
            await asyncio.sleep(_POLL_S)

    polling = asyncio.ensure_future(poll())
    try:
        yield
    finally:
        polling.cancel()
