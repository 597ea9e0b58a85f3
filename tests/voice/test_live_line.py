"""A live line in a time of its own: holes, bursts, dead sockets, pacing, what was heard."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.calm import Calm
from voice.channels.live import AHEAD_MS, HOLE_MS, Arrivals, LineLimits
from voice.channels.pace import BURST, MESSAGES_PER_S, MessagePace
from voice.channels.paced import PacedSpeech, PlayoutByClock
from voice.channels.telephone_rate import Doubler, Halver
from voice.types import FRAME_MS, FRAME_SAMPLES, AudioFrame, EndTurn, Pcm

PACKET = np.full(160, 1_000, dtype=np.int16)


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def arrivals(clock: Hands, **limits: float) -> Arrivals:
    return Arrivals(LineLimits(**limits), clock)


async def rest_of(line: Arrivals) -> list[AudioFrame]:
    line.end()
    return [frame async for frame in line.frames()]


async def test_packets_become_frames_in_audio_time() -> None:
    line = arrivals(Hands())
    for _ in range(5):
        line.push(PACKET)
    frames = await rest_of(line)
    assert [frame.start_ms for frame in frames] == [0, 20, 40, 60, 80]
    assert all(len(frame.samples) == FRAME_SAMPLES for frame in frames)


@given(sizes=st.lists(st.integers(0, 700), max_size=12))
async def test_packets_of_any_size_lose_nothing(sizes: list[int]) -> None:
    line = arrivals(Hands())
    for size in sizes:
        line.push(np.ones(size, dtype=np.int16))
    assert len(await rest_of(line)) == 2 * sum(sizes) // FRAME_SAMPLES


async def test_what_nothing_follows_from_is_gathered_for_100_ms() -> None:
    clock = Hands()
    line = Arrivals(LineLimits(), clock, calm=Calm(below_dbfs=-40.0))
    frames = line.frames()
    quiet = PACKET // 20
    given = asyncio.ensure_future(anext(frames))
    for number in range(4):
        line.push(quiet)
        clock.now_s += 0.02
        for _ in range(3):
            await asyncio.sleep(0)
        assert not given.done(), f"{number + 1} packets"
    line.push(quiet)
    assert (await given).start_ms == 0
    assert [(await anext(frames)).start_ms for _ in range(4)] == [20, 40, 60, 80]


@pytest.mark.parametrize("event", ["loud packet", "key", "act", "end"])
async def test_what_cannot_wait_brings_what_has_waited(event: str) -> None:
    line = Arrivals(LineLimits(), Hands(), calm=Calm(below_dbfs=-40.0))
    for _ in range(3):
        line.push(PACKET // 20)
    match event:
        case "loud packet":
            line.push(PACKET)
        case "key":
            line.press("4")
        case "act":
            line.act(EndTurn())
        case "end":
            line.end()
    frames = line.frames()
    first = [await anext(frames) for _ in range(3)]
    assert [frame.start_ms for frame in first] == [0, 20, 40]
    assert not line.dropped
    if event == "loud packet":
        assert (await anext(frames)).samples.any()


async def test_a_line_that_falls_silent_while_calm_loses_nothing() -> None:
    clock = Hands()
    line = Arrivals(LineLimits(), clock, calm=Calm(below_dbfs=-40.0))
    for _ in range(3):
        line.push(PACKET // 20)
    clock.now_s += 0.5
    frames = line.frames()
    given = [await anext(frames) for _ in range(4)]
    assert [frame.samples.any() for frame in given] == [True, True, True, False]


async def test_a_hole_is_filled_with_silence_and_a_late_burst_is_not_lost() -> None:
    clock = Hands()
    line = arrivals(clock)
    line.push(PACKET)
    frames = line.frames()
    first = await anext(frames)
    assert first.samples.any()
    clock.now_s += 0.4
    filled = []
    while clock() - 100.0 - (len(filled) + 1) * FRAME_MS / 1000 > HOLE_MS / 1000 + 1e-6:
        filled.append(await anext(frames))
    assert 10 <= len(filled) <= 15
    assert not any(frame.samples.any() for frame in filled)
    for _ in range(20):
        line.push(PACKET)
    line.end()
    assert len([frame async for frame in frames]) == 20


async def test_a_stall_of_our_own_is_no_hole() -> None:
    clock = Hands()
    line = arrivals(clock)
    line.push(PACKET)
    frames = line.frames()
    await anext(frames)

    async def read_at_last() -> None:
        await asyncio.sleep(0)
        line.push(PACKET)

    clock.now_s += 0.4
    reading = asyncio.create_task(read_at_last())
    assert (await anext(frames)).samples.any()
    await reading


async def test_a_hole_is_noticed_while_nothing_comes() -> None:
    line = Arrivals(LineLimits())
    line.push(PACKET)
    frames = line.frames()
    await anext(frames)
    async with asyncio.timeout(5):
        assert not (await anext(frames)).samples.any()


async def test_a_flood_is_dropped_beyond_two_seconds_ahead() -> None:
    line = arrivals(Hands())
    for _ in range(1_000):
        line.push(PACKET)
    assert len(await rest_of(line)) == AHEAD_MS // FRAME_MS + 1
    assert line.dropped == 1_000 - AHEAD_MS // FRAME_MS - 1


async def test_a_half_open_socket_ends() -> None:
    clock = Hands()
    line = arrivals(clock, dead_after_s=10)
    clock.now_s += 10.1
    assert [frame async for frame in line.frames()] == []


async def test_a_call_ends_at_its_longest() -> None:
    clock = Hands()
    line = arrivals(clock, longest_s=60)
    clock.now_s += 60.1
    line.push(PACKET)
    assert [frame async for frame in line.frames()] == []


async def test_keys_come_with_the_next_frame() -> None:
    line = arrivals(Hands())
    line.press("4")
    line.press("2")
    line.push(PACKET)
    line.push(PACKET)
    assert [frame.keys for frame in await rest_of(line)] == ["42", ""]


class FarEnd:
    """Runs a paced line for a while of hand-moved time and notes what was sent when."""

    def __init__(self, lead_ms: int = 60, piece_ms: int = FRAME_MS) -> None:
        self.clock = Hands()
        self.speech = PacedSpeech(
            lead_ms, PlayoutByClock(), self.clock, self.sleep, piece_ms=piece_ms
        )
        self.sent_at_s: list[float] = []
        self.sent: list[Pcm] = []
        self._end_s = 0.0

    async def send(self, samples: Pcm) -> None:
        assert len(samples) % 160 == 0
        self.sent.append(samples)
        self.sent_at_s.append(self.clock())

    async def sleep(self, duration_s: float) -> None:
        self.clock.now_s += duration_s
        if self.clock.now_s >= self._end_s:
            await asyncio.Event().wait()

    async def run(self, seconds: float) -> None:
        """Sleeping moves the clock; at the end of the time the far end stands still."""
        self._end_s = self.clock() + seconds
        task = asyncio.ensure_future(self.speech.run(self.send))
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self.clock.now_s = self._end_s


async def test_frames_go_out_at_the_pace_of_the_clock() -> None:
    far = FarEnd()
    far.speech.put(np.zeros(16_000 * 2, dtype=np.int16))
    await far.run(1.0)
    assert 50 <= len(far.sent_at_s) <= 54
    ahead = [100.0 + (i + 1) * FRAME_MS / 1000 - at_s for i, at_s in enumerate(far.sent_at_s)]
    assert max(ahead) <= 0.06 + FRAME_MS / 1000 + 1e-6
    assert far.speech.heard_ms() == pytest.approx(1_000, abs=25)


async def test_after_the_first_frame_several_go_out_together_where_the_far_end_holds_them() -> None:
    far = FarEnd(lead_ms=260, piece_ms=100)
    far.speech.put(np.arange(16_000 * 2, dtype=np.int16) // 4)
    await far.run(1.0)
    sizes_ms = [len(piece) // 8 for piece in far.sent]
    assert sizes_ms[:3] == [20, 100, 100] and set(sizes_ms[1:]) == {100}
    ends_s = 100.0 + np.cumsum(sizes_ms) / 1000.0
    ahead_s = ends_s - np.asarray(far.sent_at_s)
    assert ahead_s.max() <= 0.28 + 1e-6
    run_dry_s = ends_s[:-1] - np.asarray(far.sent_at_s[1:])
    assert run_dry_s[2:].min() >= 0.1, "the far end always has something to play"
    assert far.speech.heard_ms() == pytest.approx(1_000, abs=25)


async def test_what_is_there_is_not_held_back_for_more() -> None:
    far = FarEnd(lead_ms=260, piece_ms=100)
    far.speech.put(np.zeros(16_000 * 70 // 1000, dtype=np.int16))
    await far.run(0.5)
    assert [len(piece) // 8 for piece in far.sent] == [20, 40, 20]
    assert far.speech.heard_ms() == 70


async def test_after_everything_is_played_all_of_it_was_heard() -> None:
    far = FarEnd()
    far.speech.put(np.zeros(16_000 // 2 + 77, dtype=np.int16))
    await far.run(1.0)
    assert far.speech.heard_ms() == pytest.approx(505, abs=1)


async def test_a_barge_in_drops_what_was_not_sent() -> None:
    far = FarEnd()
    far.speech.put(np.zeros(16_000 * 3, dtype=np.int16))
    await far.run(1.0)
    far.speech.clear()
    heard_ms = far.speech.heard_ms()
    assert heard_ms == len(far.sent_at_s) * FRAME_MS, "what was sent ahead is still heard"
    await far.run(1.0)
    assert far.speech.heard_ms() == heard_ms


async def test_the_frame_after_a_barge_in_fades_out() -> None:
    far = FarEnd()
    far.speech.put(np.full(16_000, 8_000, dtype=np.int16))
    await far.run(0.5)
    far.speech.clear()
    sent = len(far.sent)
    await far.run(0.5)
    (last,) = far.sent[sent:]
    assert np.all(np.diff(last.astype(int)) <= 0)
    assert last[0] > 7_000 and not last[80:].any()


async def test_what_was_dropped_can_be_sent_again_from_where_it_was() -> None:
    """A false alarm: nothing is lost and nothing is said twice."""
    far = FarEnd()
    sound = np.arange(16_000, dtype=np.int16)
    far.speech.put(sound)
    await far.run(0.4)
    far.speech.clear()
    heard_ms = far.speech.heard_ms()
    await far.run(0.4)
    sent = len(far.sent)
    far.speech.put(sound[heard_ms * 16 :])
    await far.run(1.0)
    assert far.speech.heard_ms() == 1_000
    before = [frame for frame in far.sent[:sent] if frame[-1] > frame[0]]
    heard = np.concatenate([*before, *far.sent[sent:]]).astype(int)
    middle = heard[40:-40]
    assert np.abs(np.diff(middle)[: len(before) * 160 - 120] - 2).max() <= 2
    assert len(before) * FRAME_MS == heard_ms


def test_a_flood_of_messages_is_read_more_slowly() -> None:
    clock = Hands()
    pace = MessagePace(clock)
    for _ in range(20):
        clock.now_s += 1.0
        assert not any(pace.count() for _ in range(int(MESSAGES_PER_S)))
    assert not any(pace.count() for _ in range(int(BURST - MESSAGES_PER_S)))
    waits_s = [pace.count() for _ in range(int(3 * MESSAGES_PER_S))]
    assert 1.5 <= waits_s[-1] <= 3.0


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(1, 400), min_size=1, max_size=20))
def test_speech_survives_both_rates(cuts: list[int]) -> None:
    n = sum(cuts)
    wave = (8_000 * np.sin(2 * np.pi * 700 * np.arange(n) / 8_000)).astype(np.int16)
    doubler, halver = Doubler(), Halver()
    parts, start = [], 0
    for cut in cuts:
        parts.append(halver.push(doubler.push(wave[start : start + cut])))
        start += cut
    back = np.concatenate(parts)
    assert len(back) == n
    delay = 23
    if n > 200:
        assert np.abs(back[delay + 60 :].astype(int) - wave[60 : n - delay]).max() < 400
