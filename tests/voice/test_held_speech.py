"""The assistant falls silent, goes on at the sample, and knows what of it was heard."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogue.types import Clause, Delivery, Reply
from voice.fades import FADE_MS, faded_in, faded_out, quiet_point_ms
from voice.mouth import Mouth
from voice.track import Track
from voice.types import FRAME_MS, RATE_HZ, Pcm, SpeechChunk
from voice.utterance import Utterance


def sound(duration_ms: int, first: int = 1) -> Pcm:
    """Samples that differ from their neighbours, nowhere quiet: a place is told by its sound."""
    return (np.arange(duration_ms * 16) % 9_973 + 10_000 + first).astype(np.int16)


class Line:
    """A listener, in audio time: notes every sample that was really heard."""

    name, live = "line", False

    def __init__(self) -> None:
        self.now_ms = 0
        self.queue: Pcm = np.zeros(0, dtype=np.int16)
        self.heard: Pcm = np.zeros(0, dtype=np.int16)
        self.silent_ms = 0

    async def play(self, samples: Pcm) -> None:
        self.queue = np.concatenate([self.queue, samples])

    async def clear(self) -> None:
        self.queue = self.queue[:0]

    def heard_ms(self) -> int:
        return len(self.heard) // 16

    def listen(self, duration_ms: int) -> None:
        self.now_ms += duration_ms
        self.heard = np.concatenate([self.heard, self.queue[: duration_ms * 16]])
        self.silent_ms += max(0, duration_ms - len(self.queue) // 16)
        self.queue = self.queue[duration_ms * 16 :]


class Counting:
    """A voice whose clauses have all different samples, in chunks of no whole milliseconds."""

    name = "counting"

    def __init__(self, clause_ms: int = 400) -> None:
        self.clause_ms = clause_ms
        self.spoken: list[str] = []

    def speak(self, text: str, delivery: Delivery) -> Iterator[SpeechChunk]:
        self.spoken.append(text)
        for part in np.array_split(sound(self.clause_ms, 1 + 100 * len(self.spoken)), 7):
            yield SpeechChunk(part)

    def close(self) -> None:
        pass


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.fixture
def mouth(line: Line) -> Iterator[Mouth]:
    with ThreadPoolExecutor(1) as threads:
        yield Mouth(Counting(), line, lambda: line.now_ms, threads, 5.0)  # type: ignore[arg-type]


def reply(*texts: str) -> Reply:
    return Reply(tuple(Clause(text, Delivery()) for text in texts))


def whole_of(mouth: Mouth) -> Pcm:
    return mouth.track.sound(0, mouth.track.end_ms)


@given(cut_ms=st.integers(0, 799), silent_ms=st.integers(0, 600))
async def test_after_a_false_alarm_every_sample_is_heard_once(cut_ms: int, silent_ms: int) -> None:
    line = Line()
    with ThreadPoolExecutor(1) as threads:
        mouth = Mouth(Counting(), line, lambda: line.now_ms, threads, 5.0)  # type: ignore[arg-type]
        await mouth.say(reply("One.", "Two."))
    everything = line.queue
    line.listen(cut_ms)
    await mouth.hold()
    line.listen(silent_ms)
    await mouth.go_on()
    line.listen(900)
    assert mouth.finished
    assert len(line.heard) == len(everything)
    fade = FADE_MS * 16
    same = line.heard == everything
    assert same[: cut_ms * 16].all() and same[cut_ms * 16 + fade :].all()


async def test_what_is_rendered_while_it_is_held_comes_after_what_was_held(
    mouth: Mouth, line: Line
) -> None:
    said = await mouth.say(reply("One."))
    line.listen(100)
    await mouth.hold()
    await mouth.say(reply("One.", "Two."), utterance=said)
    line.listen(300)
    assert not len(line.queue)
    await mouth.go_on()
    line.listen(700)
    assert mouth.finished
    assert [(each.start_ms, each.end_ms, each.heard_ms) for each in said.records()] == [
        (0, 700, 400),
        (700, 1_100, 400),
    ]


async def test_a_reply_that_is_ready_while_it_is_held_waits(mouth: Mouth, line: Line) -> None:
    await mouth.hold()
    said = await mouth.say(reply("One."))
    line.listen(200)
    assert not len(line.heard)
    assert not mouth.finished
    assert await mouth.go_on() == 200
    assert said.first_ms == 200
    line.listen(400)
    assert said.records()[0].start_ms == 200


async def test_an_interruption_after_a_hold_counts_from_the_moment_of_silence(
    mouth: Mouth, line: Line
) -> None:
    said = await mouth.say(reply("One.", "Two."))
    line.listen(500)
    await mouth.hold()
    line.listen(360)
    assert await mouth.stop(said) == 500
    assert [each.heard_ms for each in said.records(line.now_ms)] == [400, 100]
    assert mouth.finished


async def test_two_false_alarms_in_one_clause_are_two_pauses_in_it(
    mouth: Mouth, line: Line
) -> None:
    said = await mouth.say(reply("One."))
    for _ in range(2):
        line.listen(100)
        await mouth.hold()
        line.listen(240)
        await mouth.go_on()
    line.listen(100)
    assert [each.heard_ms for each in said.records(line.now_ms)] == [300]
    line.listen(100)
    assert [(each.start_ms, each.end_ms, each.heard_ms) for each in said.records()] == [
        (0, 880, 400)
    ]


async def test_what_was_stopped_by_mistake_is_taken_up_where_it_was(
    mouth: Mouth, line: Line
) -> None:
    """The words of the turn were only "okay": seconds later the answer goes on."""
    said = await mouth.say(reply("One.", "Two."))
    everything = line.queue
    line.listen(500)
    await mouth.stop(said)
    line.listen(2_000)
    assert await mouth.take_up(said)
    line.listen(300)
    assert mouth.finished
    assert len(line.heard) == len(everything)
    assert [each.heard_ms for each in said.records()] == [400, 400]
    assert said.records()[1].end_ms == 2_800


async def test_a_clause_that_was_half_rendered_is_said_again(line: Line) -> None:
    voice = Counting()
    with ThreadPoolExecutor(1) as threads:
        mouth = Mouth(voice, line, lambda: line.now_ms, threads, 5.0)  # type: ignore[arg-type]
        said = Utterance()
        left = iter([True] * 10)
        await mouth.say(reply("One.", "Two."), alive=lambda: next(left, False), utterance=said)
        line.listen(200)
        await mouth.stop(said)
        line.listen(1_000)
        assert await mouth.take_up(said)
        await mouth.say(reply("One.", "Two."), utterance=said)
    line.listen(600)
    assert mouth.finished
    assert voice.spoken == ["One.", "Two.", "Two."]
    assert [each.heard_ms for each in said.records()] == [400, 400]
    assert len(line.heard) == 800 * 16


async def test_after_something_else_was_said_nothing_is_taken_up(mouth: Mouth, line: Line) -> None:
    said = await mouth.say(reply("One."))
    line.listen(100)
    await mouth.stop(said)
    await mouth.say(reply("Two."))
    line.listen(400)
    assert not await mouth.take_up(said)
    assert mouth.finished


def test_speech_is_taken_up_at_the_last_quiet_point() -> None:
    loud = np.full(RATE_HZ // 10, 6_000, dtype=np.int16)
    pause = np.full(10 * 16, 20, dtype=np.int16)
    assert quiet_point_ms(np.concatenate([loud, pause, loud[: 40 * 16]])) == 45
    assert quiet_point_ms(loud) == 0
    assert quiet_point_ms(np.concatenate([pause, loud])) == 0, "too far back"
    assert quiet_point_ms(loud[:0]) == 0


def test_going_on_at_a_quiet_point_repeats_no_more_than_what_came_after_it() -> None:
    track = Track()
    loud = np.full(100 * 16, 6_000, dtype=np.int16)
    track.put(np.concatenate([loud, np.zeros(20 * 16, dtype=np.int16), loud, loud]), 1_000)
    track.cut(150)
    place_ms = track.take_up_place(150)
    assert place_ms == 115
    assert len(track.go_on(place_ms, 2_000)) == (320 - 115) * 16
    assert track.time_of(100) == 1_100, "heard before the pause"
    assert track.time_of(149) == 1_149, "heard for the first time before the pause"
    assert track.time_of(150) == 2_035
    assert track.place_at(2_100) == 215


@given(samples=st.lists(st.integers(-30_000, 30_000), max_size=400))
def test_a_fade_changes_eight_milliseconds_and_clicks_nowhere(samples: list[int]) -> None:
    sounds = np.asarray(samples, dtype=np.int16)
    count = FADE_MS * 16
    risen, fallen = faded_in(sounds), faded_out(sounds)
    assert (risen[count:] == sounds[count:]).all()
    assert not fallen[count:].any()
    assert (np.abs(risen.astype(int)) <= np.abs(sounds.astype(int))).all()
    assert (np.abs(fallen.astype(int)) <= np.abs(sounds.astype(int))).all()


def test_the_timetable_knows_pauses_of_the_stream() -> None:
    track = Track()
    track.put(sound(300), 0)
    track.put(sound(100), 120)
    assert track.time_of(300) == 300, "what is put early is heard when its turn comes"
    track.put(sound(100), 900)
    assert track.time_of(400) == 900
    assert track.time_of(400, ending=True) == 400
    assert track.place_at(950) == 450


def test_only_what_may_be_wanted_again_is_kept() -> None:
    track = Track()
    for number in range(50):
        track.put(sound(100), number * 100)
        track.forget(number * 100)
    assert len(track.sound(0, track.end_ms)) <= (400 + FRAME_MS) * 16


def said(*clauses: tuple[str, int]) -> Utterance:
    """An utterance of clauses of so many ms, from place 0 on."""
    utterance, place_ms = Utterance(), 0
    for text, duration_ms in clauses:
        clause = utterance.begin(Clause(text, Delivery()), place_ms)
        place_ms += duration_ms
        clause.to_ms = place_ms
    return utterance


def test_a_question_is_asked_when_most_of_it_has_been_heard() -> None:
    utterance = said(("Your parcel left on Monday.", 2_000), ("Shall I send another?", 1_000))
    assert [utterance.asked(at_ms) for at_ms in (500, 1_999, 2_300, 2_700, 3_000)] == [
        *(False, False, False),
        *(True, True),
    ]


def test_a_question_is_still_asked_when_the_next_clause_begins() -> None:
    utterance = said(("Shall I send another?", 1_000), ("It takes two days.", 1_500))
    assert utterance.asked(1_300)
    assert not utterance.asked(2_000)


def test_who_has_heard_nothing_was_asked_nothing() -> None:
    assert not Utterance().asked(0)
