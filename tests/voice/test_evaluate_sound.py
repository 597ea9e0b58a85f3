"""What is silenced in the sound of a call."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nlu.types import Transcript, Word
from voice.evaluation.sound import AROUND_MS, personal_stretches, without

STRETCH = st.tuples(st.integers(-300, 4_000), st.integers(0, 900)).map(lambda s: (s[0], sum(s)))


@given(st.lists(STRETCH, max_size=6), st.lists(st.integers(1, 20_000), max_size=8))
def test_every_stretch_is_silent_and_all_else_is_as_it_was(
    stretches: list[tuple[int, int]], sizes: list[int]
) -> None:
    blocks = [np.ones(size, np.float32) for size in sizes]

    found = list(without(iter(blocks), stretches))

    sound = np.ones(sum(sizes), np.float32)
    for start, end in stretches:
        sound[max(0, start * 16) : max(0, end * 16)] = 0.0
    assert [len(block) for block in found] == sizes
    assert np.array_equal(np.concatenate([*found, np.zeros(0)]), sound)
    assert all(block.all() for block in blocks)


def transcript(text: str, *words: tuple[str, int, int]) -> Transcript:
    return Transcript(text, tuple(Word(*word, 0.9) for word in words), 0.9, "test")


def test_the_words_of_personal_data_are_silenced_with_a_margin() -> None:
    said = transcript(
        "my email is [EMAIL]", ("my", 0, 200), ("email", 200, 500), ("is", 500, 700),
        ("[EMAIL]", 900, 1_200), ("[EMAIL]", 1_200, 1_500),
    )  # fmt: skip

    assert personal_stretches(said, 0, 1_600) == (
        (900 - AROUND_MS, 1_200 + AROUND_MS),
        (1_200 - AROUND_MS, 1_500 + AROUND_MS),
    )


def test_a_turn_whose_words_do_not_tell_where_is_silenced_whole() -> None:
    said = transcript("my email is [EMAIL]", ("my", 0, 200), ("anna at example", 200, 1_500))

    assert personal_stretches(said, 100, 1_600) == ((100, 1_600),)


def test_a_turn_without_personal_data_is_heard() -> None:
    assert personal_stretches(transcript("hello", ("hello", 0, 300)), 0, 400) == ()
