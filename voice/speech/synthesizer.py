"""The one door: text and delivery in, a stream of samples with word times out."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace

import numpy as np

from dialogue.types import Delivery
from voice.speech.engine import Ending
from voice.speech.limits import within_limits
from voice.speech.memory import PieceMemory
from voice.speech.normalise import sentences, spoken
from voice.speech.prosody import achieved, together
from voice.speech.wire import Sound
from voice.speech.workers import EngineChoice, WorkerPool
from voice.types import RATE_HZ, AchievedDelivery, SpeechChunk, Word

SENTENCE_PAUSE_MS = 300
"""Between sentences of one text at neutral pace; the middle of 250-350 ms."""


class PooledSynthesizer:
    """A `Synthesizer` whose engine runs in worker processes. Safe to use from several threads.

    With `memory` a piece that is asked for again and again is rendered twice, not every time.
    """

    def __init__(
        self,
        name: str,
        choice: EngineChoice,
        workers: int = 1,
        memory: PieceMemory | None = None,
    ) -> None:
        self.name = name
        self._pool = WorkerPool(choice, workers)
        self._memory = memory

    def ready(self) -> None:
        """Wait until the engine is loaded. Raises `AttuneError` when it cannot be."""
        self._pool.ready()

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of the workers."""
        return self._pool.pids

    def speak(self, text: str, delivery: Delivery) -> Iterator[SpeechChunk]:
        """Render `text`, handing over samples as they are made.

        The pauses of `delivery` are left to the caller; within `limits` it is
        met exactly, beyond them it is held to them. A text without a word yields nothing.
        Closing the iterator stops the rendering. The last chunk carries what was achieved.
        Raises `AttuneError` when a value is not a number or the engine cannot speak.
        """
        held = within_limits(delivery)
        pieces = sentences(spoken(text))
        pause = np.zeros(round(RATE_HZ * SENTENCE_PAUSE_MS / 1000 / held.rate), dtype=np.int16)
        endings: list[Ending] = []
        given = 0
        for index, piece in enumerate(pieces):
            start_ms = given * 1000 // RATE_HZ
            for part in self._render(piece, held, opens=index == 0):
                if isinstance(part, Sound):
                    chunk = SpeechChunk(
                        np.frombuffer(part.pcm, dtype=np.int16), _later(part.words, start_ms)
                    )
                elif index < len(pieces) - 1:
                    endings.append(part)
                    chunk = SpeechChunk(np.concatenate([part.samples, pause]))
                else:
                    endings.append(part)
                    chunk = SpeechChunk(part.samples, achieved=_overall(endings))
                given += len(chunk.samples)
                yield chunk

    def _render(self, piece: str, held: Delivery, *, opens: bool) -> Generator[Sound | Ending]:
        rendered = self._pool.render(piece, held, opens=opens)
        if self._memory is None:
            return rendered
        return self._memory.through(piece, held, opens, rendered)

    def close(self) -> None:
        """End the worker processes."""
        self._pool.close()


def _later(words: tuple[Word, ...], start_ms: int) -> tuple[Word, ...]:
    if start_ms == 0:
        return words
    return tuple(
        replace(word, start_ms=word.start_ms + start_ms, end_ms=word.end_ms + start_ms)
        for word in words
    )


def _overall(endings: list[Ending]) -> AchievedDelivery | None:
    return achieved(
        together(ending.spoken for ending in endings),
        together(ending.neutral for ending in endings),
    )
