"""The espeak voice, through its worker process: sound, words, delivery, and what may go wrong."""

from __future__ import annotations

import itertools
import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialogue.types import Delivery
from nlu.errors import AttuneError
from voice.speech import open_synthesizer
from voice.speech.prosody import measure
from voice.speech.synthesizer import PooledSynthesizer
from voice.types import RATE_HZ, AchievedDelivery, Pcm, SpeechChunk

CLAUSE = "Your replacement left the warehouse this morning and should be there tomorrow."
NEUTRAL = Delivery()
CALM = Delivery(rate=0.92, pitch_st=-1.5, range=0.85, level_db=-2.5)


@pytest.fixture(scope="module")
def voice() -> Iterator[PooledSynthesizer]:
    synthesizer = open_synthesizer()
    yield synthesizer
    synthesizer.close()


def joined(chunks: list[SpeechChunk]) -> Pcm:
    return np.concatenate([chunk.samples for chunk in chunks])


def rendered(voice: PooledSynthesizer, text: str, delivery: Delivery = NEUTRAL) -> Pcm:
    return joined(list(voice.speak(text, delivery)))


def achieved(chunks: list[SpeechChunk]) -> AchievedDelivery:
    assert chunks[-1].achieved is not None
    return chunks[-1].achieved


def test_a_clause_comes_in_chunks_of_which_only_the_last_is_measured(
    voice: PooledSynthesizer,
) -> None:
    chunks = list(voice.speak(CLAUSE, Delivery()))
    assert len(chunks) > 5
    assert all(chunk.samples.dtype == np.int16 for chunk in chunks)
    assert [chunk.achieved is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    assert 3.0 < len(joined(chunks)) / RATE_HZ < 6.0


def test_words_are_in_order_and_begin_in_the_chunk_that_carries_them(
    voice: PooledSynthesizer,
) -> None:
    given_ms = 0.0
    said = []
    for chunk in voice.speak("We can send a new one, or give the money back.", CALM):
        end_ms = given_ms + len(chunk.samples) / RATE_HZ * 1000
        for word in chunk.words:
            assert given_ms - 1 <= word.start_ms <= end_ms + 1
            assert word.start_ms < word.end_ms
            said.append(word)
        given_ms = end_ms
    assert [word.text for word in said] == "We can send a new one or give the money back".split()
    assert all(a.end_ms <= b.start_ms for a, b in itertools.pairwise(said))
    assert abs(said[-1].end_ms - given_ms) < 120


@pytest.mark.parametrize(
    "asked",
    [CALM, Delivery(rate=1.05, pitch_st=1.25, range=1.2, level_db=0.5), Delivery(rate=0.85)],
    ids=["calm", "bright", "slowest"],
)
def test_what_is_asked_of_the_voice_is_what_comes_out(
    voice: PooledSynthesizer, asked: Delivery
) -> None:
    got = achieved(list(voice.speak(CLAUSE, asked)))
    assert got.rate == pytest.approx(asked.rate, rel=0.03)
    assert got.pitch_st == pytest.approx(asked.pitch_st, abs=0.3)
    assert got.range == pytest.approx(asked.range, rel=0.1)
    assert got.level_db == pytest.approx(asked.level_db, abs=0.7)


def test_what_is_said_to_be_achieved_is_measured_on_the_samples(voice: PooledSynthesizer) -> None:
    chunks = list(voice.speak(CLAUSE, CALM))
    plain = measure(rendered(voice, CLAUSE).astype(np.float32) / 32768, 1)
    spoken = measure(joined(chunks).astype(np.float32) / 32768, 1)
    got = achieved(chunks)
    assert got.rate == pytest.approx(plain.seconds / spoken.seconds, rel=0.01)
    assert got.pitch_st == pytest.approx(spoken.f0_mean_st - plain.f0_mean_st, abs=0.05)
    assert got.level_db == pytest.approx(spoken.loudness - plain.loudness, abs=0.1)


def test_neutral_is_about_160_words_a_minute_with_its_pauses(voice: PooledSynthesizer) -> None:
    text = (
        "I have found your order. It left the depot on Monday and it is with the driver now. "
        "You should have it before six this evening. Would you like a text when it arrives?"
    )
    minutes = len(rendered(voice, text)) / RATE_HZ / 60
    assert 145 < len(text.split()) / minutes < 175


def test_the_same_request_gives_the_same_samples(voice: PooledSynthesizer) -> None:
    first = rendered(voice, CLAUSE, CALM)
    rendered(voice, "Something else in between.")
    again = rendered(voice, CLAUSE, CALM)
    other = open_synthesizer()
    fresh = rendered(other, CLAUSE, CALM)
    other.close()
    assert np.array_equal(first, again)
    assert np.array_equal(first, fresh)


def test_a_clause_begins_and_ends_in_silence_and_stays_under_the_ceiling(
    voice: PooledSynthesizer,
) -> None:
    loud = rendered(voice, CLAUSE, Delivery(pitch_st=2, range=1.3, level_db=3)).astype(float)
    loud /= 32768
    assert np.abs(loud).max() <= 10 ** (-1 / 20)
    assert abs(loud[0]) < 0.002 and abs(loud[-1]) < 0.002
    assert np.abs(loud[: RATE_HZ // 25]).max() > 0.003, "the first sound is not kept waiting"


def test_chunk_borders_cannot_be_heard(voice: PooledSynthesizer) -> None:
    chunks = list(voice.speak(CLAUSE, Delivery()))
    whole = joined(chunks).astype(float)
    bend = np.abs(np.diff(whole, 2))
    borders = np.cumsum([len(chunk.samples) for chunk in chunks])[:-1]
    at_borders = [bend[border - 4 : border + 4].max() for border in borders]
    # A click bends the wave more sharply than speech itself ever does.
    assert max(at_borders) <= np.percentile(bend, 99.9)


def test_commas_and_sentences_are_pauses(voice: PooledSynthesizer) -> None:
    without = len(rendered(voice, "I see the order and the note"))
    comma = len(rendered(voice, "I see the order, and the note"))
    sentence = len(rendered(voice, "I see the order. And the note"))
    assert 0.1 * RATE_HZ < comma - without < 0.6 * RATE_HZ
    assert 0.2 * RATE_HZ < sentence - without < 1.0 * RATE_HZ


@pytest.mark.parametrize("text", ["", "   ", "😀🎉", "...", "\x00\x07", "<break/>", "—"])
def test_a_text_without_words_is_silence(voice: PooledSynthesizer, text: str) -> None:
    assert list(voice.speak(text, Delivery())) == []


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=st.text(max_size=60))
def test_no_text_breaks_the_voice(voice: PooledSynthesizer, text: str) -> None:
    worker = voice.pids
    for chunk in voice.speak(text, Delivery()):
        assert np.abs(chunk.samples.astype(int)).max(initial=0) <= 32767 * 10 ** (-1 / 20) + 1
    assert voice.pids == worker, "the worker survived"


def test_markup_is_not_read_aloud(voice: PooledSynthesizer) -> None:
    marked = "<speak><prosody rate='x-fast'>It left</prosody> the <b>depot</b>.</speak>"
    assert np.array_equal(rendered(voice, marked), rendered(voice, "It left the depot."))


def test_60_000_characters_stream_and_can_be_given_up(voice: PooledSynthesizer) -> None:
    text = "The parcel is late again and nobody has called me back about it. " * 924
    stream = voice.speak(text, CALM)
    first = [next(stream) for _ in range(200)]
    assert sum(len(chunk.samples) for chunk in first) > 20 * RATE_HZ
    stream.close()  # type: ignore[attr-defined]


def test_giving_up_a_clause_leaves_the_worker_free(voice: PooledSynthesizer) -> None:
    worker = voice.pids
    for _ in range(10):
        stream = voice.speak(CLAUSE * 5, CALM)
        next(stream)
        stream.close()  # type: ignore[attr-defined]
    assert len(rendered(voice, "Ready.")) > 0.2 * RATE_HZ
    assert voice.pids == worker


def test_a_stream_left_half_heard_blocks_nobody(voice: PooledSynthesizer) -> None:
    half = voice.speak(CLAUSE, CALM)
    beginning = [next(half)]
    between = rendered(voice, "Another caller.")
    assert len(between) > 0
    assert np.array_equal(joined(beginning + list(half)), rendered(voice, CLAUSE, CALM))


def test_several_callers_get_their_own_words(voice: PooledSynthesizer) -> None:
    texts = [f"This is caller number {name}." for name in ("one", "two", "three", "four", "five")]
    alone = [rendered(voice, text) for text in texts]
    together: dict[int, Pcm] = {}

    def speak(index: int) -> None:
        together[index] = rendered(voice, texts[index])

    threads = [threading.Thread(target=speak, args=(index,)) for index in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(alone[index], together[index]) for index in range(len(texts)))


def test_a_killed_worker_is_replaced_in_the_middle_of_a_clause() -> None:
    synthesizer = open_synthesizer()
    whole = rendered(synthesizer, CLAUSE, CALM)
    stream = synthesizer.speak(CLAUSE, CALM)
    heard = [next(stream)]
    (pid,) = synthesizer.pids
    os.kill(pid, signal.SIGKILL)
    heard += list(stream)
    assert synthesizer.pids != (pid,)
    assert np.array_equal(joined(heard), whole)
    synthesizer.close()


def test_close_ends_the_workers() -> None:
    synthesizer = open_synthesizer(workers=2)
    synthesizer.ready()
    pids = synthesizer.pids
    assert len(set(pids)) == 2
    synthesizer.close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    with pytest.raises(AttuneError, match="closed"):
        list(synthesizer.speak("Hello.", Delivery()))


def test_a_worker_ends_with_its_parent() -> None:
    script = (
        "import os; from voice.speech import open_synthesizer;"
        "s = open_synthesizer(); s.ready(); print(s.pids[0], flush=True); os._exit(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    pid = int(done.stdout)
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("the worker outlived its parent")


def test_the_gpl_engine_is_never_loaded_into_our_process(voice: PooledSynthesizer) -> None:
    rendered(voice, "Hello.")
    assert "espeakng_loader" not in sys.modules
    assert "voice.speech.espeak_library" not in sys.modules


def test_an_unknown_voice_or_engine_is_named() -> None:
    with pytest.raises(AttuneError, match="speech engine 'festival' is not known"):
        open_synthesizer("festival")
    synthesizer = open_synthesizer(voice="en-us+nobody")
    with pytest.raises(AttuneError, match="'en-us\\+nobody' is not an espeak-ng voice"):
        list(synthesizer.speak("Hello.", Delivery()))
    synthesizer.close()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_delivery_that_is_not_a_number_is_refused(voice: PooledSynthesizer, value: float) -> None:
    with pytest.raises(AttuneError, match="rate is not a number"):
        list(voice.speak("Hello.", Delivery(rate=value)))


def test_a_delivery_beyond_the_limits_is_held_to_them(voice: PooledSynthesizer) -> None:
    beyond = rendered(voice, CLAUSE, Delivery(rate=3.0, pitch_st=9.0, level_db=40.0))
    at_limit = rendered(voice, CLAUSE, Delivery(rate=1.15, pitch_st=2.0, level_db=3.0))
    assert np.array_equal(beyond, at_limit)
