"""Keys and silence as turns, in audio time: the policies, and the loop that follows them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogue.types import HandoffBrief
from nlu.signals import find_signals
from voice.answering import NOBODY_THERE, STILL_THERE
from voice.engines import CallerIdentity, Engines, open_loop
from voice.settings import Settings
from voice.turns.keypad import GATHER_MS, MOST_KEYS, PERSON, Keypad
from voice.turns.presence import ASK_AFTER_MS, END_AFTER_MS, Absence, SilenceWatch
from voice.types import (
    FRAME_MS,
    FRAME_SAMPLES,
    AudioFrame,
    CallEnded,
    CallEvent,
    ClauseQueued,
    Pcm,
    TurnFinished,
)


def keyed(keys: dict[int, str], until_ms: int) -> list[tuple[int, str]]:
    """The words that a keypad gives when `keys` come at these times."""
    pad = Keypad()
    pushed = (
        (end_ms, pad.push(end_ms, keys.get(end_ms, "")))
        for end_ms in range(FRAME_MS, until_ms + 1, FRAME_MS)
    )
    return [(end_ms, text) for end_ms, text in pushed if text is not None]


def test_digits_are_complete_after_a_pause() -> None:
    keys = {1_000: "4", 1_400: "4", 2_600: "1", 3_000: "7", 3_200: "2"}
    assert keyed(keys, 6_000) == [(3_200 + GATHER_MS, "4 4 1 7 2")]


def test_hash_completes_at_once_and_star_starts_afresh() -> None:
    assert keyed({1_000: "99", 1_200: "*", 1_400: "17#"}, 4_000) == [(1_400, "1 7")]


def test_what_follows_a_hash_is_the_next_entry() -> None:
    assert keyed({1_000: "12#34"}, 4_000) == [(1_000, "1 2"), (1_000 + GATHER_MS, "3 4")]


def test_zero_alone_asks_for_a_person_and_zero_in_a_number_does_not() -> None:
    assert keyed({1_000: "0#"}, 3_000) == [(1_000, PERSON)]
    assert "asks_human" in find_signals(PERSON)
    assert keyed({1_000: "50#"}, 3_000) == [(1_000, "5 0")]


@given(st.dictionaries(st.integers(1, 100).map(lambda n: n * 20), st.text("0123456789*#ABCD")))
def test_any_keys_give_digits_or_a_wish(keys: dict[int, str]) -> None:
    for _, text in keyed(keys, 5_000):
        assert text == PERSON or (text.replace(" ", "").isdigit() and len(text) < 2 * MOST_KEYS)


def test_a_silent_line_is_asked_once_and_ended_once() -> None:
    watch = SilenceWatch()
    due = [(at, watch.quiet(at)) for at in range(0, ASK_AFTER_MS + END_AFTER_MS + 1, FRAME_MS)]
    assert next(what for _, what in due if what) is Absence.ASK
    assert due[ASK_AFTER_MS // FRAME_MS][1] is Absence.ASK
    assert due[-1][1] is Absence.END
    assert sum(what is Absence.ASK for _, what in due) == 1


def test_a_caller_who_answers_may_be_asked_again_later() -> None:
    watch = SilenceWatch()
    assert watch.quiet(0) is None
    assert watch.quiet(ASK_AFTER_MS) is Absence.ASK
    watch.answered()
    assert watch.quiet(ASK_AFTER_MS + 20) is None
    assert watch.quiet(2 * ASK_AFTER_MS + 20) is Absence.ASK


class KeyedLine:
    """A silent caller who presses keys, on a line in audio time that calls itself live."""

    live = True
    name = "keyed"

    def __init__(self, length_ms: int, keys: dict[int, str]) -> None:
        self._length_ms = length_ms
        self._keys = keys
        self._now_ms = self._queue_end_ms = self._queued_ms = 0

    async def frames(self) -> AsyncIterator[AudioFrame]:
        while self._now_ms < self._length_ms:
            start_ms, self._now_ms = self._now_ms, self._now_ms + FRAME_MS
            sound = np.zeros(FRAME_SAMPLES, dtype=np.int16)
            yield AudioFrame(sound, start_ms, self._keys.get(start_ms, ""))
            await asyncio.sleep(0.0005)

    async def play(self, samples: Pcm) -> None:
        length_ms = len(samples) // 16
        self._queue_end_ms = max(self._queue_end_ms, self._now_ms) + length_ms
        self._queued_ms += length_ms

    async def clear(self) -> None:
        lost = max(0, self._queue_end_ms - self._now_ms)
        self._queue_end_ms -= lost
        self._queued_ms -= lost

    def heard_ms(self) -> int:
        return self._queued_ms - max(0, self._queue_end_ms - self._now_ms)

    async def transfer(self, brief: HandoffBrief) -> None:
        pass

    async def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    opened = Engines.open(Settings(data_dir=tmp_path_factory.mktemp("keys"), recognizer="sphinx"))
    yield opened
    opened.close()


def hold(engines: Engines, line: KeyedLine) -> list[CallEvent]:
    events: list[CallEvent] = []
    loop, conversation = open_loop(engines, line, CallerIdentity(), observers=[events.append])
    try:
        asyncio.run(loop.run())
    finally:
        conversation.close()
    return events


def test_keyed_digits_are_a_turn_that_stops_the_assistant(engines: Engines) -> None:
    events = hold(engines, KeyedLine(8_000, {1_000: "7", 1_200: "1308#"}))
    record = next(event.record for event in events if isinstance(event, TurnFinished))
    assert record.transcript.engine == "keypad"
    assert record.understanding["entities"][0]["value"] == "71308"
    assert record.spoken
    assert record.spoken[0].start_ms >= 1_200


def test_a_minute_of_silence_ends_the_call_politely(engines: Engines) -> None:
    events = hold(engines, KeyedLine(120_000, {}))
    spoken = [event.text for event in events if isinstance(event, ClauseQueued)]
    assert spoken.count(STILL_THERE) == 1
    assert spoken[-1] == NOBODY_THERE
    assert spoken.index(STILL_THERE) == len(spoken) - 2
    ended = events[-1]
    assert isinstance(ended, CallEnded)
    assert ended.reason == "silence"
    assert ended.at_ms < 90_000
