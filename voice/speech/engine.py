"""What a speech engine is: something that runs in a worker process and hands over sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from dialogue.types import Delivery
from voice.speech.prosody import Measurement
from voice.types import Pcm, Word

Emit = Callable[[Pcm, tuple[Word, ...]], bool]
"""Takes the next samples (int16 mono 16 kHz) and the words that begin in them, with times from
the start of the piece; returns False when nobody listens any more."""


@dataclass(frozen=True, slots=True, eq=False)
class Ending:
    """The last few milliseconds of a piece, and what was measured: on the piece, and on the same
    text at neutral. They are kept back so that the last samples can carry the measurement."""

    samples: Pcm
    spoken: Measurement
    neutral: Measurement


class Engine(Protocol):
    """One voice, loaded. Not thread-safe: a worker asks for one piece after the other."""

    name: str

    def speak(self, text: str, delivery: Delivery, emit: Emit, *, opens: bool) -> Ending | None:
        """Render one piece (a sentence). `opens` says that a listener waits for the first sample.

        None when cancelled. Raises `AttuneError` for a text or voice that cannot be spoken.
        """
