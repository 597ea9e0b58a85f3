"""Pieces of speech that are said again and again: greetings, questions, fallbacks.

The same request gives the same samples, so what is remembered is what would be rendered again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Generator
from contextlib import closing

from dialogue.types import Delivery
from voice.speech.engine import Ending
from voice.speech.wire import Sound

Part = Sound | Ending
Request = tuple[str, float, float, float, float, bool]
_MOST_ASKED = 4_096


class PieceMemory:
    """Keeps the sound of pieces that were asked for twice, up to `most_bytes` of samples; the one
    used longest ago goes first. Of what is said once only a hash is kept. Thread-safe."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._asked: OrderedDict[int, None] = OrderedDict()
        self._kept: OrderedDict[Request, tuple[Part, ...]] = OrderedDict()
        self._bytes = 0

    def through(
        self, text: str, delivery: Delivery, opens: bool, rendered: Generator[Part]
    ) -> Generator[Part]:
        """The parts of a piece: from memory, or those of `rendered`, which may then be kept."""
        # What `speak` leaves to its caller, the pauses, is no part of a piece.
        shape = (delivery.rate, delivery.pitch_st, delivery.range, delivery.level_db)
        request = (text, *shape, opens)
        kept, again = self._ask(request)
        if kept is not None:
            rendered.close()
            yield from kept
            return
        parts: list[Part] = []
        with closing(rendered):
            for part in rendered:
                if again:
                    parts.append(part)
                yield part
        if parts and isinstance(parts[-1], Ending):
            self._keep(request, tuple(parts))

    def _ask(self, request: Request) -> tuple[tuple[Part, ...] | None, bool]:
        """What is kept of a request, and whether it was made before."""
        with self._lock:
            if request in self._kept:
                self._kept.move_to_end(request)
                return self._kept[request], True
            key = hash(request)
            again = key in self._asked
            self._asked[key] = None
            self._asked.move_to_end(key)
            if len(self._asked) > _MOST_ASKED:
                self._asked.popitem(last=False)
            return None, again

    def _keep(self, request: Request, parts: tuple[Part, ...]) -> None:
        with self._lock:
            if request not in self._kept:
                self._kept[request] = parts
                self._bytes += _size(parts)
            while self._bytes > self._most_bytes:
                self._bytes -= _size(self._kept.popitem(last=False)[1])


def _size(parts: tuple[Part, ...]) -> int:
    return sum(len(part.pcm) if isinstance(part, Sound) else part.samples.nbytes for part in parts)
