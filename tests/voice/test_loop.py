"""The loop on real audio with the real engines: answers, interruptions, failures, replays."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dialogue.types import ConsentState, Delivery, HandoffBrief, Purpose
from voice import engines as engines_module
from voice.answering import NOT_HEARD, NOT_POSSIBLE
from voice.audio import StereoWriter, inspect, level_dbfs, read_audio, to_pcm
from voice.calm import Calm
from voice.channels.recording import RecordingChannel
from voice.engines import CallerIdentity, Engines, open_loop
from voice.fades import FADE_MS
from voice.loop import Observer
from voice.records import plain_json
from voice.settings import Settings
from voice.turns.suspicion import LONGEST_HOLD_MS
from voice.types import (
    FRAME_SAMPLES,
    RATE_HZ,
    AnswerEnded,
    AssistantHeld,
    AssistantInterrupted,
    AssistantResumed,
    AudioFrame,
    CallerFinished,
    CallerSpeaking,
    CallEvent,
    ClauseQueued,
    Pcm,
    SpeechChunk,
    TurnFinished,
    TurnRecord,
)

START = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)
GRANTED = {Purpose.EMOTION_VOICE: ConsentState.GRANTED}


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"), recognizer="sphinx")
    opened = Engines.open(settings)
    yield opened
    opened.close()


def hold(
    engines: Engines,
    channel,
    identity: CallerIdentity = CallerIdentity(),
    call: str = "test",
    *,
    watch: Observer = lambda event: None,
    calm: Calm | None = None,
) -> list[CallEvent]:
    events: list[CallEvent] = []
    observers = [events.append, watch]
    loop, conversation = open_loop(
        engines, channel, identity, observers=observers, call=call, started_at=START, calm=calm
    )
    try:
        asyncio.run(loop.run())
    finally:
        conversation.close()
    return events


def records(events: list[CallEvent]) -> list[TurnRecord]:
    return [event.record for event in events if isinstance(event, TurnFinished)]


def recording(path: Path, out: Path | None = None) -> RecordingChannel:
    writer = StereoWriter(out) if out else None
    return RecordingChannel(inspect(path), "mono", writer)


@pytest.fixture(scope="module")
def neutral_call(engines: Engines, samples_dir: Path, tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("call") / "conversation.wav"
    channel = recording(samples_dir / "neutral_where_is_my_order.flac", out)
    identity = CallerIdentity(customer="C1005", consents=GRANTED)
    return records(hold(engines, channel, identity)), out


def test_every_turn_of_a_recorded_caller_is_answered(neutral_call) -> None:
    turns, _ = neutral_call
    assert len(turns) >= 2
    assert [record.turn for record in turns] == list(range(1, len(turns) + 1))
    for record in turns:
        assert record.transcript.text
        assert record.decision["strategy"]
        assert record.decision["rules"]
        assert record.spoken
        assert record.fallback is None


def test_the_first_turn_records_what_was_disclosed(neutral_call) -> None:
    turns, _ = neutral_call
    assert "assistant" in turns[0].extra["opening"].lower()


def test_both_channels_lie_where_the_record_says(neutral_call) -> None:
    turns, out = neutral_call
    sound, rate_hz = soundfile.read(out, dtype="int16")
    assert rate_hz == RATE_HZ
    for record in turns:
        caller = sound[record.start_ms * 16 : record.end_ms * 16, 0].astype(float)
        assert np.sqrt(np.mean(caller**2)) > 200
        for clause in record.spoken:
            before = sound[max(0, clause.start_ms - 60) * 16 : (clause.start_ms - 20) * 16, 1]
            during = sound[clause.start_ms * 16 : clause.end_ms * 16, 1].astype(float)
            assert np.sqrt(np.mean(during**2)) > 200
            if clause is record.spoken[0]:
                assert np.abs(before.astype(int)).max(initial=0) < 50


def test_the_caller_and_the_assistant_do_not_overlap_on_a_recording(neutral_call) -> None:
    _, out = neutral_call
    sound, _ = soundfile.read(out, dtype="float32")
    frames = sound[: len(sound) // 320 * 320].reshape(-1, 320, 2)
    loud = np.sqrt((frames**2).mean(axis=1)) > 0.02
    assert (loud[:, 0] & loud[:, 1]).sum() == 0


def test_delivery_is_recorded_as_requested_and_achieved(neutral_call) -> None:
    turns, _ = neutral_call
    clauses = [clause for record in turns for clause in record.spoken]
    assert all(clause.achieved is not None for clause in clauses)
    assert all(0.7 < clause.achieved.rate < 1.3 for clause in clauses if clause.achieved)


def test_the_gap_is_the_silence_plus_the_computing_left(neutral_call) -> None:
    turns, _ = neutral_call
    for record in turns:
        latency = record.latency_ms
        assert latency["gap"] >= latency["silence"]
        assert latency["after_end"] >= 0


def test_a_record_is_one_line_of_json(neutral_call) -> None:
    turns, _ = neutral_call
    for record in turns:
        line = json.dumps(plain_json(record))
        back = json.loads(line)
        assert {"transcript", "understanding", "decision", "latency_ms"} <= back.keys()
        assert set(back["understanding"]["emotion"]) == {"voice", "words", "fused"}


def test_a_replay_decides_the_same(engines: Engines, samples_dir: Path) -> None:
    path = samples_dir / "wants_human.flac"
    first = records(hold(engines, recording(path), call="one"))
    again = records(hold(engines, recording(path), call="one"))
    assert [r.transcript for r in first] == [r.transcript for r in again]
    assert [r.decision for r in first] == [r.decision for r in again]


def test_a_caller_who_asks_for_a_human_is_put_through(engines: Engines, samples_dir: Path) -> None:
    turns = records(hold(engines, recording(samples_dir / "wants_human.flac")))
    last = turns[-1].decision
    assert last["strategy"] == "HANDOFF"
    assert last["handoff"]["problem"]


@pytest.mark.parametrize("kind", ["silence", "hiss", "tone"])
def test_without_words_nothing_is_understood(engines: Engines, tmp_path: Path, kind: str) -> None:
    n = RATE_HZ * 6
    noise = np.random.default_rng(3).normal(0, 0.01, n)
    sound = {
        "silence": np.zeros(n),
        "hiss": noise,
        "tone": 0.2 * np.sin(2 * np.pi * 440 * np.arange(n) / RATE_HZ),
    }[kind]
    path = tmp_path / f"{kind}.wav"
    soundfile.write(path, sound, RATE_HZ)
    assert all(not r.transcript.text for r in records(hold(engines, recording(path))))


class OverlappingChannel:
    """A caller who talks on whatever the assistant does: sound placed at given times."""

    live = False
    name = "overlapping"

    def __init__(self, length_ms: int, sounds: list[tuple[int, Pcm]]) -> None:
        self._caller = np.zeros(length_ms * 16, dtype=np.int16)
        for at_ms, samples in sounds:
            self._caller[at_ms * 16 : at_ms * 16 + len(samples)] = samples
        self._now = self._end = self._queued = 0
        self.cleared_at_ms: list[int] = []

    async def frames(self) -> AsyncIterator[AudioFrame]:
        for start in range(0, len(self._caller) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
            self._now = start + FRAME_SAMPLES
            yield AudioFrame(self._caller[start : start + FRAME_SAMPLES], start // 16)

    async def play(self, samples: Pcm) -> None:
        self._end = max(self._end, self._now) + len(samples)
        self._queued += len(samples)

    async def clear(self) -> None:
        lost = max(0, self._end - self._now)
        self._end, self._queued = self._end - lost, self._queued - lost
        self.cleared_at_ms.append(self._now // 16)

    def heard_ms(self) -> int:
        return (self._queued - max(0, self._end - self._now)) // 16

    async def transfer(self, brief: HandoffBrief) -> None:
        pass

    async def close(self) -> None:
        pass


def speech(samples_dir: Path, seconds: float) -> Pcm:
    samples = to_pcm(read_audio(samples_dir / "neutral_where_is_my_order.flac"))
    start = int(np.flatnonzero(np.abs(samples.astype(int)) > 1500)[0])
    return samples[start : start + int(seconds * RATE_HZ)]


def test_real_speech_stops_the_assistant_soon(engines: Engines, samples_dir: Path) -> None:
    at_ms = 1_500
    channel = OverlappingChannel(9_000, [(at_ms, speech(samples_dir, 2.0))])
    events = hold(engines, channel)
    interruptions = [event for event in events if isinstance(event, AssistantInterrupted)]
    assert interruptions
    assert interruptions[0].at_ms - at_ms <= 200
    assert channel.cleared_at_ms[0] - at_ms <= 200


def test_a_hum_and_a_knock_do_not_stop_the_assistant(engines: Engines) -> None:
    n = RATE_HZ // 2
    time_s = np.arange(n) / RATE_HZ
    envelope = np.hanning(n)
    hum = (5000 * envelope * np.sin(2 * np.pi * 170 * time_s)).astype(np.int16)
    knock = (9000 * np.exp(-time_s * 60) * np.random.default_rng(0).normal(0, 1, n)).clip(
        -32767, 32767
    )
    channel = OverlappingChannel(5_000, [(1_000, hum), (2_500, knock.astype(np.int16))])
    events = hold(engines, channel)
    assert not [event for event in events if isinstance(event, AssistantInterrupted)]


class HeardChannel(OverlappingChannel):
    """The same, and keeps what the caller heard, sample by sample."""

    def __init__(self, length_ms: int, sounds: list[tuple[int, Pcm]]) -> None:
        super().__init__(length_ms, sounds)
        self.heard = np.zeros(2 * length_ms * 16, dtype=np.int16)

    async def play(self, samples: Pcm) -> None:
        await super().play(samples)
        self.heard[self._end - len(samples) : self._end] = samples

    async def clear(self) -> None:
        await super().clear()
        self.heard[self._now :] = 0


class CalmLine(OverlappingChannel):
    """The same; notes of every frame whether it might have waited for others."""

    def __init__(self, length_ms: int, sounds: list[tuple[int, Pcm]]) -> None:
        super().__init__(length_ms, sounds)
        self.calm = Calm()
        self.waits: list[bool] = []

    async def frames(self) -> AsyncIterator[AudioFrame]:
        async for frame in super().frames():
            self.waits.append(self.calm.covers(level_dbfs(frame.samples)))
            yield frame


def test_nothing_follows_from_a_frame_that_may_wait(engines: Engines, samples_dir: Path) -> None:
    said = speech(samples_dir, 2.4)
    noise = np.random.default_rng(4).normal(0, 12, 20_000 * 16).astype(np.int16)
    noise[1_500 * 16 : 1_500 * 16 + len(said)] += said
    noise[12_000 * 16 : 12_000 * 16 + len(said)] += said // 2
    channel = CalmLine(20_000, [(0, noise)])
    followed: list[tuple[type[CallEvent], bool]] = []
    urgent = (CallerSpeaking, CallerFinished, AssistantHeld, AssistantInterrupted)
    hold(
        engines,
        channel,
        watch=lambda event: (
            followed.append((type(event), channel.waits[-1])) if isinstance(event, urgent) else None
        ),
        calm=channel.calm,
    )
    assert {kind for kind, _ in followed} == set(urgent)
    assert not [kind for kind, waited in followed if waited]
    assert np.mean(channel.waits) > 0.6


@pytest.fixture(scope="module")
def false_alarm(engines: Engines, samples_dir: Path) -> tuple[HeardChannel, list[CallEvent]]:
    """Somebody in the room begins a word, 1.5 s into the opening, and says no more."""
    syllable = speech(samples_dir, 0.16).copy()
    syllable[-320:] = np.rint(syllable[-320:] * np.linspace(1, 0, 320))
    channel = HeardChannel(12_000, [(1_500, syllable)])
    return channel, hold(engines, channel)


def test_a_false_alarm_is_a_pause_and_no_interruption(false_alarm) -> None:
    _, events = false_alarm
    kinds = [type(event) for event in events]
    assert kinds.count(AssistantHeld) == kinds.count(AssistantResumed) == 1
    assert AssistantInterrupted not in kinds and CallerSpeaking not in kinds
    held = next(event for event in events if isinstance(event, AssistantHeld))
    resumed = next(event for event in events if isinstance(event, AssistantResumed))
    assert 0 < held.at_ms - 1_500 <= 200
    assert 0 < resumed.at_ms - held.at_ms <= LONGEST_HOLD_MS
    assert resumed.held_at_ms == held.at_ms


def test_after_a_false_alarm_it_goes_on_at_the_sample(engines: Engines, false_alarm) -> None:
    channel, events = false_alarm
    undisturbed = HeardChannel(12_000, [])
    hold(engines, undisturbed)
    held = next(event for event in events if isinstance(event, AssistantHeld))
    resumed = next(event for event in events if isinstance(event, AssistantResumed))
    first, last = held.at_ms * 16, resumed.at_ms * 16
    assert (channel.heard[:first] == undisturbed.heard[:first]).all()
    assert not channel.heard[first:last].any()
    back = (resumed.at_ms - held.at_ms - resumed.later_ms) * 16
    assert back <= 0 or back <= 80 * 16
    expected = undisturbed.heard[first - back :]
    rest = channel.heard[last : last + len(expected)]
    fade = FADE_MS * 16
    assert (rest[fade:] == expected[fade : len(rest)]).all()
    ends = next(event.at_ms for event in events if isinstance(event, AnswerEnded))
    assert ends == pytest.approx(
        np.flatnonzero(undisturbed.heard)[-1] // 16 + resumed.later_ms, abs=500
    )


def test_an_interruption_is_heard_from_its_first_word(engines: Engines, samples_dir: Path) -> None:
    """What the caller said while it was being decided belongs to the turn."""
    said = speech(samples_dir, 2.4)
    channel = OverlappingChannel(12_000, [(1_500, said)])
    events = hold(engines, channel)
    held = next(event for event in events if isinstance(event, AssistantHeld))
    stopped = next(event for event in events if isinstance(event, AssistantInterrupted))
    begun = next(event for event in events if isinstance(event, CallerSpeaking))
    assert stopped.at_ms == held.at_ms, "silent from the first doubt on"
    assert begun.at_ms <= 1_500
    assert stopped.heard_ms == pytest.approx(held.at_ms, abs=40)


def test_one_short_word_over_the_assistant_is_a_turn(engines: Engines, samples_dir: Path) -> None:
    """By its sound "hello" could be a cough: the recogniser is asked while it is silent."""
    samples = to_pcm(read_audio(samples_dir / "confused_bill.flac"))
    first = int(np.flatnonzero(np.abs(samples.astype(int)) > 700)[0])
    events = hold(engines, OverlappingChannel(7_000, [(1_500, samples[first : first + 7_200])]))
    held = [event.at_ms for event in events if isinstance(event, AssistantHeld)]
    stopped = [event.at_ms for event in events if isinstance(event, AssistantInterrupted)]
    assert held[:1] == stopped == [pytest.approx(1_500, abs=300)]
    assert not [event for event in events if isinstance(event, AssistantResumed)]
    assert records(events)[-1].transcript.words


@pytest.fixture(scope="module")
def okay(engines: Engines) -> Pcm:
    """ "Okay", as the assistant's own engine says it, at the level of a caller."""
    chunks = engines.synthesizer.speak("okay", Delivery(rate=1.25))
    said = np.concatenate([each.samples for each in chunks])
    loud = np.flatnonzero(np.abs(said.astype(int)) > 500)
    return said[loud[0] : loud[-1]]


def test_an_okay_over_the_assistant_is_a_pause(engines: Engines, okay: Pcm) -> None:
    """It begins like a sentence; its words say that somebody listens."""
    channel = HeardChannel(12_000, [(1_500, okay)])
    events = hold(engines, channel)
    kinds = [type(event) for event in events]
    assert kinds.count(AssistantHeld) == kinds.count(AssistantResumed) == 1
    assert AssistantInterrupted not in kinds and not records(events)


def test_an_okay_to_what_was_just_asked_is_a_turn(engines: Engines, okay: Pcm) -> None:
    """Over the last word of "How can I help you today?"."""
    clauses = [e for e in hold(engines, HeardChannel(12_000, [])) if isinstance(e, ClauseQueued)]
    question = clauses[-1]
    assert question.text.endswith("?")
    channel = HeardChannel(question.end_ms + 4_000, [(question.end_ms - 300, okay)])
    (record,) = records(hold(engines, channel))
    assert record.transcript.text == "okay"


class Watched:
    """A recogniser that notes in which thread its streams are opened."""

    name = "watched"

    def __init__(self, recognizer) -> None:
        self._recognizer = recognizer
        self.threads: list[str] = []

    def stream(self, expectation):
        self.threads.append(threading.current_thread().name)
        return self._recognizer.stream(expectation)


def test_a_decoder_is_never_loaded_where_the_other_calls_are_served(
    engines: Engines, samples_dir: Path
) -> None:
    watched = Watched(engines.recognizer)
    channel = recording(samples_dir / "neutral_where_is_my_order.flac")
    turns = records(hold(replace(engines, recognizer=watched), channel))
    assert len(watched.threads) >= len(turns) >= 2
    assert all(name.startswith("attune-call") for name in watched.threads)


class Stalling:
    """A part of the machine that hangs or breaks, around a real one."""

    def __init__(self, real: object, method: str, seconds: float) -> None:
        self._real, self._method, self._seconds = real, method, seconds

    def __getattr__(self, name: str) -> object:
        found = getattr(self._real, name)
        if name != self._method:
            return found

        def stalled(*arguments: object, **named: object) -> object:
            time.sleep(self._seconds)
            if self._seconds == 0:
                raise RuntimeError("broken")
            return found(*arguments, **named)

        return stalled


@pytest.mark.parametrize("seconds", [0.0, 1.5])
def test_a_mind_that_breaks_or_stalls_is_answered_honestly(
    engines: Engines, samples_dir: Path, seconds: float
) -> None:
    settings = engines.settings.model_copy(update={"understanding_deadline_ms": 300})
    broken = replace(engines, mind=Stalling(engines.mind, "understand", seconds), settings=settings)
    turns = records(hold(broken, recording(samples_dir / "wants_human.flac")))
    assert turns
    assert all(record.fallback for record in turns)
    assert all(record.spoken[0].text == NOT_HEARD for record in turns)
    assert all(record.transcript.text for record in turns)


class BreakingVoice:
    """A synthesiser whose worker dies after the fallbacks were rendered."""

    def __init__(self, real, good: int) -> None:
        self._real, self._good = real, good
        self.name = real.name

    def speak(self, text: str, delivery: Delivery) -> Iterator[SpeechChunk]:
        self._good -= 1
        if self._good < 0:
            raise RuntimeError("the worker died")
        return self._real.speak(text, delivery)

    def close(self) -> None:
        pass


def test_a_voice_that_dies_leaves_no_dead_air(engines: Engines, samples_dir: Path) -> None:
    broken = replace(engines, synthesizer=BreakingVoice(engines.synthesizer, good=12))
    turns = records(hold(broken, recording(samples_dir / "angry_late_delivery.flac")))
    assert turns
    assert all(record.spoken for record in turns)
    assert turns[-1].fallback
    assert turns[-1].spoken[0].text in (NOT_POSSIBLE, NOT_HEARD)


def test_an_unknown_customer_is_named(engines: Engines, samples_dir: Path) -> None:
    channel = recording(samples_dir / "wants_human.flac")
    with pytest.raises(engines_module.AttuneError, match="NOBODY"):
        open_loop(engines, channel, CallerIdentity(customer="NOBODY"))
