"""What is said again and again is rendered twice, and sounds the same every time."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import numpy as np
import pytest

from dialogue.types import Delivery
from voice.speech import open_synthesizer
from voice.speech.engine import Ending
from voice.speech.memory import Part, PieceMemory
from voice.speech.prosody import measure
from voice.speech.synthesizer import PooledSynthesizer
from voice.speech.wire import Sound
from voice.types import RATE_HZ

NEUTRAL = Delivery()
SECOND = np.zeros(RATE_HZ, dtype=np.int16)
MEASURED = measure(SECOND.astype(np.float32), 1)


class Renderer:
    """Renders a second of silence for whatever it is asked, and counts."""

    def __init__(self) -> None:
        self.rendered = 0

    def __call__(self) -> Generator[Part]:
        self.rendered += 1
        yield Sound(0, SECOND.tobytes(), ())
        yield Ending(SECOND[:0], MEASURED, MEASURED)


def ask(
    memory: PieceMemory, renderer: Renderer, text: str, delivery: Delivery = NEUTRAL
) -> list[Part]:
    return list(memory.through(text, delivery, True, renderer()))


def test_a_piece_is_rendered_twice_and_then_remembered() -> None:
    memory, renderer = PieceMemory(2**20), Renderer()
    parts = [ask(memory, renderer, "Hello.") for _ in range(5)]
    assert renderer.rendered == 2
    assert all(len(each) == 2 for each in parts)


def test_another_delivery_is_another_piece_and_pauses_are_none() -> None:
    memory, renderer = PieceMemory(2**20), Renderer()
    for _ in range(2):
        ask(memory, renderer, "Hello.")
    ask(memory, renderer, "Hello.", Delivery(pause_after_ms=500))
    assert renderer.rendered == 2
    ask(memory, renderer, "Hello.", Delivery(rate=0.9))
    assert renderer.rendered == 3


def test_what_was_not_heard_to_its_end_is_not_kept() -> None:
    memory, renderer = PieceMemory(2**20), Renderer()
    for _ in range(3):
        parts = memory.through("Hello.", NEUTRAL, True, renderer())
        next(parts)
        parts.close()
    assert renderer.rendered == 3


def test_memory_has_a_limit_and_forgets_what_was_used_longest_ago() -> None:
    memory, renderer = PieceMemory(2 * SECOND.nbytes), Renderer()
    for text in ("One.", "Two.", "Three."):
        ask(memory, renderer, text)
        ask(memory, renderer, text)
    before = renderer.rendered
    ask(memory, renderer, "Three.")
    ask(memory, renderer, "Two.")
    assert renderer.rendered == before
    ask(memory, renderer, "One.")
    assert renderer.rendered == before + 1


@pytest.fixture(scope="module")
def voice() -> Iterator[PooledSynthesizer]:
    synthesizer = open_synthesizer(remembered_mib=4)
    yield synthesizer
    synthesizer.close()


def test_it_sounds_the_same_every_time(voice: PooledSynthesizer) -> None:
    text = "I'm sorry, I didn't catch that. Could you say it again?"
    times = [list(voice.speak(text, NEUTRAL)) for _ in range(4)]
    sounds = [np.concatenate([chunk.samples for chunk in each]) for each in times]
    assert all(np.array_equal(sound, sounds[0]) for sound in sounds)
    assert times[3][-1].achieved == times[1][-1].achieved
    assert [word for chunk in times[3] for word in chunk.words] == [
        word for chunk in times[0] for word in chunk.words
    ]
