"""What goes between us and a worker process: pickled tuples, each behind its length.

Only our own child is at the other end, so pickle is safe here.
"""

from __future__ import annotations

import pickle
import struct
from dataclasses import dataclass
from typing import IO, Any

from dialogue.types import Delivery
from voice.speech.engine import Ending
from voice.types import Word


@dataclass(frozen=True, slots=True)
class Speak:
    """Render a piece. The answer is `Sound`s and one `Finished` or `Failed` of the same number."""

    number: int
    text: str
    delivery: Delivery
    opens: bool


@dataclass(frozen=True, slots=True)
class Cancel:
    """Nobody listens to this piece any more."""

    number: int


@dataclass(frozen=True, slots=True)
class Ready:
    """The engine is loaded."""

    name: str


@dataclass(frozen=True, slots=True)
class Sound:
    """The next samples of a piece: int16 bytes, and the words that begin in them."""

    number: int
    pcm: bytes
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """A piece is complete; `ending` is None when it was cancelled."""

    number: int
    ending: Ending | None


@dataclass(frozen=True, slots=True)
class Failed:
    """A piece (or, numbered -1, the engine itself) cannot be had: a sentence for the user."""

    number: int
    problem: str


def send(stream: IO[bytes], message: Any) -> None:
    """Write one message and flush. Raises `OSError` when the other end has gone."""
    body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
    stream.write(struct.pack("<I", len(body)) + body)
    stream.flush()


def receive(stream: IO[bytes]) -> Any | None:
    """Read one message; None when the other end has gone."""
    header = stream.read(4)
    if len(header) < 4:
        return None
    size = struct.unpack("<I", header)[0]
    body = stream.read(size)
    return pickle.loads(body) if len(body) == size else None  # nosec B301: our own worker
