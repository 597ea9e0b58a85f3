"""Is somebody interrupting? From the first doubt to the decision: plain values, real sounds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.types import Transcript, Word
from voice.audio import read_audio
from voice.thinking import only_listens
from voice.turns.backchannel import is_backchannel, takes_the_turn, were_words, what_was_said
from voice.turns.endpointing import Pause
from voice.turns.interruption import InterruptionDetector, quantile
from voice.turns.likeness import FEATURES, Likeness, Network
from voice.turns.suspicion import (
    A_WORD_MS,
    ANSWER_MS,
    LONGEST_HOLD_MS,
    BargeIn,
    Evidence,
    Heard,
    Suspicion,
)
from voice.types import FRAME_MS, FRAME_SAMPLES, AudioFrame
from voice.vad import SpeechDetector

TALKING = Evidence(Likeness(9.0, 8.0), probability=0.95, stands_out=True)
NOTHING = Evidence(Likeness(-6.0, -7.0), probability=0.0, stands_out=False)
PERHAPS = Evidence(Likeness(5.0, 3.0), probability=0.5, stands_out=True)
FAINTLY = Evidence(Likeness(2.0, 0.0), probability=0.5, stands_out=True)


def moves(frames: list[Evidence]) -> list[tuple[int, BargeIn]]:
    """What is done, and with which frame."""
    suspicion = Suspicion()
    found = [(number, suspicion.push(frame)) for number, frame in enumerate(frames)]
    return [(number, move) for number, move in found if move is not None]


def test_somebody_who_talks_is_let_in_a_quarter_of_a_second_after_the_first_doubt() -> None:
    (first, hold), (sure, confirm) = moves([NOTHING] * 20 + [TALKING] * 40)[:2]
    assert (hold, confirm) == (BargeIn.HOLD, BargeIn.CONFIRM)
    assert first == 21, "silent with the second frame that is like somebody"
    assert (sure - first) * FRAME_MS <= 240


def test_a_sound_that_stops_at_once_costs_little() -> None:
    (first, hold), (over, resume) = moves([TALKING] * 3 + [NOTHING] * 40)
    assert (hold, resume) == (BargeIn.HOLD, BargeIn.RESUME)
    assert (over - first) * FRAME_MS <= 300


def test_what_an_echo_guard_leaves_of_an_echo_is_not_let_in_as_a_voice_would_be() -> None:
    """A second of holes, a stretch that is somewhat like somebody, and a hole in it."""
    hole = replace(NOTHING, hole=True)
    weak = Evidence(Likeness(5.0, 3.0), probability=0.85, stands_out=True)

    def let_in(sound: Evidence, guarded: bool) -> bool:
        suspicion = Suspicion(guarded=guarded)
        line = [hole] * 50 + [sound] * 9 + [hole] + [sound] * 25
        return BargeIn.CONFIRM in [suspicion.push(frame) for frame in line]

    assert let_in(weak, guarded=False)
    assert not let_in(weak, guarded=True)
    assert let_in(TALKING, guarded=True)


def test_what_does_not_stand_out_from_the_background_is_never_anybody() -> None:
    assert not moves([replace(TALKING, stands_out=False)] * 100)


def test_a_doubtful_sound_has_half_a_second_to_become_somebody() -> None:
    (first, _), (over, resume) = moves([PERHAPS] * 40)[:2]
    assert resume is BargeIn.RESUME
    assert (over - first) * FRAME_MS == LONGEST_HOLD_MS <= 600
    found = moves([PERHAPS] * 16 + [TALKING] * 10)
    assert [move for _, move in found][:2] == [BargeIn.HOLD, BargeIn.CONFIRM]


def test_after_each_false_alarm_more_is_needed() -> None:
    """Coughs come in rows."""
    cough, faint = ([frame] * 4 + [NOTHING] * 20 for frame in (PERHAPS, FAINTLY))
    assert len(moves(faint)) == 2
    assert len(moves(cough + faint)) == 2
    assert len(moves(cough * 5)) == 4
    assert len(moves(cough + [NOTHING] * 100 + faint)) == 4, "but not for ever"


def test_one_false_alarm_does_not_keep_anybody_out() -> None:
    found = moves([PERHAPS] * 4 + [NOTHING] * 20 + [replace(TALKING, probability=1.0)] * 40)
    assert [move for _, move in found][1:4] == [BargeIn.RESUME, BargeIn.HOLD, BargeIn.CONFIRM]


def test_whoever_goes_on_talking_gets_the_turn_however_often_they_were_doubted() -> None:
    unclear = Evidence(Likeness(6.0, 4.0), probability=0.35, stands_out=True)
    talking = Evidence(Likeness(7.5, 7.0), probability=0.35, stands_out=True)
    found = moves([unclear] * 30 + [talking] * 55)
    first = [move for _, move in found].index(BargeIn.CONFIRM)
    assert BargeIn.RESUME in [move for _, move in found[:first]], "doubted first"
    assert (found[first][0] - 30) * FRAME_MS <= 1_100


def test_coughs_in_a_row_are_no_talking() -> None:
    cough = [Evidence(Likeness(7.5, 6.6), probability=0.35, stands_out=True)] * 12 + [NOTHING] * 25
    assert BargeIn.CONFIRM not in [move for _, move in moves(cough * 6)]


def test_a_voice_that_comes_through_the_echo_guard_in_pieces_is_let_in() -> None:
    """Where it hears the assistant the guard leaves nothing; Silero hears a voice all the same."""
    piece = Evidence(Likeness(3.0, 1.0), probability=0.9, stands_out=True)
    gap = replace(piece, stands_out=False, hole=True)
    assert [move for _, move in moves([piece, piece, piece, gap] * 8)][:2] == [
        BargeIn.HOLD,
        BargeIn.CONFIRM,
    ]
    assert BargeIn.CONFIRM not in [move for _, move in moves([piece] * 32)]


WORD = [replace(PERHAPS, probability=0.9)] * 12 + [NOTHING] * 30
"""Over before it is sure what it was."""


def asked(frames: list[Evidence], answer: Heard | None, after: int) -> list[tuple[int, BargeIn]]:
    """The same, where a question is answered so many frames later, or never."""
    suspicion = Suspicion(asks=True)
    found: list[tuple[int, BargeIn]] = []
    due = -1
    for number, frame in enumerate(frames):
        if number == due and answer is not None:
            suspicion.told(suspicion.question, answer)
        move = suspicion.push(frame)
        if move is not None:
            found.append((number, move))
        if move is BargeIn.ASK:
            due = number + after
    return found


def test_a_short_word_is_asked_about_and_has_the_turn() -> None:
    assert [move for _, move in moves(WORD)] == [BargeIn.HOLD, BargeIn.RESUME]
    (_, hold), (ask_at, ask), (sure_at, confirm) = asked(WORD, Heard.WORDS, 8)
    assert (hold, ask, confirm) == (BargeIn.HOLD, BargeIn.ASK, BargeIn.CONFIRM)
    assert sure_at - ask_at == 8


def test_a_cough_is_asked_about_once_and_gone_on_after() -> None:
    (_, hold), (ask_at, ask), (over, resume) = asked(WORD, Heard.NOTHING, 8)
    assert (hold, ask, resume) == (BargeIn.HOLD, BargeIn.ASK, BargeIn.RESUME)
    assert over - ask_at == 8


def test_what_has_little_of_speech_is_not_asked_about() -> None:
    knock = [replace(PERHAPS, probability=0.3)] * 12 + [NOTHING] * 30
    assert [move for _, move in asked(knock, Heard.WORDS, 1)] == [BargeIn.HOLD, BargeIn.RESUME]


def test_an_answer_is_waited_for_so_long_and_counts_when_it_is_late() -> None:
    (_, _), (ask_at, _), (over, resume), (sure_at, confirm) = asked(WORD, Heard.WORDS, 20)
    assert resume is BargeIn.RESUME
    assert (over - ask_at) * FRAME_MS == ANSWER_MS
    assert (sure_at - ask_at, confirm) == (20, BargeIn.CONFIRM)
    assert [move for _, move in asked(WORD, None, 0)] == [
        move for _, move in asked(WORD, Heard.NOTHING, 1)
    ]


SURELY = [replace(TALKING, probability=1.0)] * 20
"""As long as an "okay", and as sure as a sentence."""


@pytest.mark.parametrize(
    ("answer", "then"),
    [
        (Heard.LISTENING, BargeIn.RESUME),
        (Heard.WORDS, BargeIn.CONFIRM),
        (Heard.NOTHING, BargeIn.CONFIRM),
        (None, BargeIn.CONFIRM),
    ],
)
def test_what_is_over_so_soon_is_asked_about_however_sure(
    answer: Heard | None, then: BargeIn
) -> None:
    """An "okay" begins like a sentence; nothing but its words tells that it was none."""
    (_, hold), (ask_at, ask), (decided_at, last) = asked(SURELY + [NOTHING] * 30, answer, 5)
    assert (hold, ask, last) == (BargeIn.HOLD, BargeIn.ASK, then)
    assert 20 < ask_at <= 20 + 8, "once it is over"
    assert (decided_at - ask_at) * FRAME_MS <= ANSWER_MS


def test_whoever_says_more_than_a_word_is_not_asked_about() -> None:
    (first, hold), (sure, confirm) = asked([*SURELY * 3], Heard.LISTENING, 1)[:2]
    assert (hold, confirm) == (BargeIn.HOLD, BargeIn.CONFIRM)
    assert (sure - first) * FRAME_MS == A_WORD_MS


def test_the_k_of_an_okay_is_not_its_end() -> None:
    okay = SURELY[:12] + [NOTHING] * 4 + SURELY[:10] + [NOTHING] * 20
    assert [move for _, move in asked(okay, Heard.LISTENING, 5)] == [
        BargeIn.HOLD,
        BargeIn.ASK,
        BargeIn.RESUME,
    ]


def test_an_okay_that_goes_on_is_a_turn() -> None:
    """ "Okay, but ...": the answer about its first word comes when they talk again."""
    but = SURELY[:14] + [NOTHING] * 8 + SURELY * 2
    assert [move for _, move in asked(but, Heard.LISTENING, 5)][:3] == [
        BargeIn.HOLD,
        BargeIn.ASK,
        BargeIn.CONFIRM,
    ]


def test_an_answer_about_another_stretch_of_speech_is_nothing() -> None:
    suspicion = Suspicion(asks=True)
    for frame in WORD:
        suspicion.push(frame)
    suspicion.reset()
    suspicion.told(suspicion.question, Heard.WORDS)
    assert not any(suspicion.push(NOTHING) for _ in range(5))


@given(
    st.lists(
        st.builds(
            Evidence,
            likeness=st.builds(Likeness, st.floats(-12, 12), st.floats(-12, 12)),
            probability=st.floats(0, 1),
            stands_out=st.booleans(),
        ),
        max_size=200,
    )
)
def test_every_silence_is_decided_in_time_and_the_same_again(frames: list[Evidence]) -> None:
    found = moves(frames)
    assert found == moves(frames)
    for place, (number, move) in enumerate(found):
        assert (move is BargeIn.HOLD) == (place % 2 == 0)
        if place % 2:
            assert (number - found[place - 1][0]) * FRAME_MS <= LONGEST_HOLD_MS
    if len(found) % 2:
        assert (len(frames) - 1 - found[-1][0]) * FRAME_MS <= LONGEST_HOLD_MS


def heard_on_a_line(sound: np.ndarray, lead_s: float = 1.0) -> list[BargeIn]:
    """What is done when a sound (full scale 1.0) comes on a quiet line."""
    line = np.random.default_rng(1).normal(0, 3e-4, int(lead_s * 16_000) + len(sound) + 8_000)
    begin = int(lead_s * 16_000)
    line[begin : begin + len(sound)] += sound
    samples = np.clip(line * 32_768, -32_768, 32_767).astype(np.int16)
    vad, detector = SpeechDetector(), InterruptionDetector()
    frames = [
        AudioFrame(samples[at : at + FRAME_SAMPLES], at // 16)
        for at in range(0, len(samples) - FRAME_SAMPLES, FRAME_SAMPLES)
    ]
    found = (detector.push(frame, vad.push(frame)) for frame in frames)
    return [move for move in found if move is not None]


def spoken(samples_dir: Path, name: str, seconds: float) -> np.ndarray:
    speech = read_audio(samples_dir / f"{name}.flac", "mono").astype(np.float64)
    first = int(np.flatnonzero(np.abs(speech) > 0.02)[0])
    return speech[first : first + int(seconds * 16_000)]


@pytest.mark.parametrize("name", ["angry_late_delivery", "confused_bill", "wants_human"])
@pytest.mark.parametrize("level", [0.2, 0.5, 1.0])
def test_people_who_interrupt_are_let_in(samples_dir: Path, name: str, level: float) -> None:
    assert BargeIn.CONFIRM in heard_on_a_line(level * spoken(samples_dir, name, 2.0))


def test_what_a_doubted_caller_said_is_heard_from_the_first_words_on(samples_dir: Path) -> None:
    """A syllable, taken for a cough, and half a second later the rest."""
    word = spoken(samples_dir, "confused_bill", 0.25)
    speech = spoken(samples_dir, "angry_late_delivery", 1.75)
    line = np.random.default_rng(1).normal(0, 3e-4, 56_000)
    line[16_000 : 16_000 + len(word)] += word
    line[28_000 : 28_000 + len(speech)] += speech
    samples = np.clip(line * 32_768, -32_768, 32_767).astype(np.int16)
    detector, interruption = SpeechDetector(), InterruptionDetector(asks=True)
    found = []
    for start in range(0, len(samples) - FRAME_SAMPLES + 1, FRAME_SAMPLES):
        frame = AudioFrame(samples[start : start + FRAME_SAMPLES], start // 16)
        move = interruption.push(frame, detector.push(frame))
        found += [move] if move else []
        if move is BargeIn.ASK:
            interruption.told(interruption.question, Heard.NOTHING)
        if move is BargeIn.CONFIRM:
            break
    assert found[:3] == [BargeIn.HOLD, BargeIn.ASK, BargeIn.RESUME]
    assert found[-1] is BargeIn.CONFIRM
    assert 1_000 <= interruption.spoken_from_ms <= 1_200, "they began after a second"


def test_hums_knocks_and_tones_are_nobody() -> None:
    n = 8_000
    time_s = np.arange(n) / 16_000
    random = np.random.default_rng(2)
    hum = 0.2 * np.hanning(n) * np.sin(2 * np.pi * 180 * time_s)
    knock = 0.5 * np.exp(-60 * time_s) * random.normal(0, 1, n)
    tone = 0.1 * np.sin(2 * np.pi * 440 * time_s) + 0.1 * np.sin(2 * np.pi * 554 * time_s)
    hiss = 0.05 * random.normal(0, 1, n)
    for sound in (hum, knock, tone, hiss):
        assert BargeIn.CONFIRM not in heard_on_a_line(np.concatenate([sound, np.zeros(8_000)]))


def test_a_quiet_line_looked_into_late_gives_the_same_decisions_in_the_same_frames(
    samples_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speech = [spoken(samples_dir, name, 1.5) for name in ("confused_bill", "wants_human")]
    line = np.random.default_rng(1).normal(0, 3e-4, 16_000 * 12)
    for number, (at_s, sound) in enumerate([(2.31, speech[0]), (6.0, speech[1]), (9.1, speech[0])]):
        line[int(at_s * 16_000) :][: len(sound)] += (0.4 + 0.2 * number) * sound
    samples = np.clip(line * 32_768, -32_768, 32_767).astype(np.int16)

    def decisions() -> list[tuple[int, BargeIn]]:
        vad, detector, found = SpeechDetector(), InterruptionDetector(), []
        for at in range(0, len(samples) - FRAME_SAMPLES, FRAME_SAMPLES):
            frame = AudioFrame(samples[at : at + FRAME_SAMPLES], at // 16)
            if at == 8 * 16_000:
                detector.reset()
            if (move := detector.push(frame, vad.push(frame))) is not None:
                found.append((frame.end_ms, move))
        return found

    late = decisions()
    monkeypatch.setattr("voice.turns.interruption._AT_ONCE_MS", FRAME_MS)
    assert late == decisions()
    assert [move for _, move in late].count(BargeIn.CONFIRM) >= 3


def test_a_caller_is_let_in_over_talk_in_the_background(samples_dir: Path) -> None:
    """Two people far off do not stop the assistant; somebody 18 dB louder does."""
    far = np.tile(spoken(samples_dir, "neutral_where_is_my_order", 2.0), 4)
    far = 0.1 * (far + np.roll(np.tile(spoken(samples_dir, "confused_bill", 2.0), 4), 7_000))
    assert BargeIn.CONFIRM not in heard_on_a_line(far, lead_s=0.0)
    far[-40_000:] += 0.8 * spoken(samples_dir, "angry_late_delivery", 2.5)
    assert BargeIn.CONFIRM in heard_on_a_line(far, lead_s=0.0)


def test_somebody_far_quieter_than_the_caller_does_not_interrupt(samples_dir: Path) -> None:
    sound = 0.05 * spoken(samples_dir, "angry_late_delivery", 2.0)
    line = np.concatenate([np.random.default_rng(1).normal(0, 3e-4, 16_000), sound])
    samples = np.clip(line * 32_768, -32_768, 32_767).astype(np.int16)
    vad, detector = SpeechDetector(), InterruptionDetector()
    for _ in range(100):
        detector.learn(-16.0)
    frames = [
        AudioFrame(samples[at : at + FRAME_SAMPLES], at // 16)
        for at in range(0, len(samples) - FRAME_SAMPLES, FRAME_SAMPLES)
    ]
    assert not any(detector.push(frame, vad.push(frame)) for frame in frames)


def test_what_the_network_says_is_what_its_trainer_computes() -> None:
    """One step of a gated recurrent unit, written out."""
    random = np.random.default_rng(3)
    network = Network.load()[0]
    size, features = len(network.out), random.normal(0, 1, FEATURES).astype(np.float32)
    state = random.normal(0, 1, size).astype(np.float32)

    def part(number: int, scale: np.ndarray | float = 1.0) -> np.ndarray:
        rows = slice(number * size, (number + 1) * size)
        kept = network.recurrent[rows] @ state + network.recurrent_bias[rows]
        return network.inputs[rows] @ features + network.input_bias[rows] + scale * kept

    reset, update = (1 / (1 + np.exp(-part(number))) for number in (0, 1))
    expected = (1 - update) * np.tanh(part(2, reset)) + update * state
    (stepped,) = network.follow(features[np.newaxis], state)
    assert stepped == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("begun_s", [0.2, 0.3, 0.5, 1.0])
def test_a_caller_who_speaks_from_the_first_moment_on_is_no_background(
    samples_dir: Path, begun_s: float
) -> None:
    speech = read_audio(samples_dir / "angry_late_delivery.flac", "mono")
    first = int(np.flatnonzero(np.abs(speech) > 0.02)[0])
    line = np.random.default_rng(1).normal(0, 3e-4, int(begun_s * 16_000) + 64_000)
    line[int(begun_s * 16_000) :] += speech[first : first + 64_000]
    samples = np.clip(line * 32_768, -32_768, 32_767).astype(np.int16)
    vad, detector = SpeechDetector(), InterruptionDetector()
    frames = [
        AudioFrame(samples[at : at + FRAME_SAMPLES], at // 16)
        for at in range(0, len(samples) - FRAME_SAMPLES, FRAME_SAMPLES)
    ]
    assert any(detector.push(frame, vad.push(frame)) for frame in frames)


@pytest.mark.parametrize("text", ["mm hm", "okay", "yeah right", "uh huh", "I see", "yes"])
def test_words_that_only_say_i_am_listening(text: str) -> None:
    assert is_backchannel(text)


@pytest.mark.parametrize("text", ["okay but wait", "no", "stop", "yes i want a human", ""])
def test_words_that_say_more(text: str) -> None:
    assert not is_backchannel(text)


@pytest.mark.parametrize("text", ["no", "stop", "Wait", "agent", "yes", "okay yes", "hello"])
def test_what_callers_say_to_stop_the_assistant(text: str) -> None:
    assert takes_the_turn(text)


@pytest.mark.parametrize("text", ["okay", "mm hm", "uh huh", "right", "", "  "])
def test_what_they_say_while_they_listen(text: str) -> None:
    assert not takes_the_turn(text)


@pytest.mark.parametrize("text", ["okay", "right", "mm hm", "yes"])
def test_after_a_question_they_are_answers(text: str) -> None:
    assert takes_the_turn(text, asked=True)
    assert not takes_the_turn("", asked=True)
    assert not only_listens(Pause(text, speech_ms=500), asked=True)


def test_what_a_recogniser_has_heard_in_answer_to_a_question() -> None:
    assert what_was_said(recognised(("okay", 0.9))) is Heard.LISTENING
    assert what_was_said(recognised(("okay", 0.9)), asked=True) is Heard.WORDS
    assert what_was_said(recognised(("okay", 0.9), ("stop", 0.9))) is Heard.WORDS
    assert what_was_said(recognised(("yes", 0.9))) is Heard.WORDS
    assert what_was_said(recognised(("the", 0.9))) is Heard.NOTHING
    assert what_was_said(recognised()) is Heard.NOTHING


def test_after_a_cough_or_an_okay_the_assistant_need_not_wait_as_for_a_sentence() -> None:
    assert only_listens(Pause("okay", speech_ms=700))
    assert only_listens(Pause("", speech_ms=700))
    assert not only_listens(Pause("no", speech_ms=700))
    assert not only_listens(Pause("", speech_ms=2_000)), "somebody said something"


def recognised(*words: tuple[str, float]) -> Transcript:
    return Transcript(
        " ".join(text for text, _ in words),
        tuple(Word(text, 0, 200, confidence) for text, confidence in words),
    )


def test_what_a_recogniser_makes_of_a_cough_is_no_word() -> None:
    assert were_words(recognised(("no", 0.45)))
    assert were_words(recognised(("take", 0.3)))
    assert not were_words(recognised(("take", 0.3)), wary=True)
    assert not were_words(recognised(("edit", 0.18)))
    assert were_words(recognised(("hello", 0.02)))
    assert not were_words(recognised(("no", 0.1), ("big", 0.09)))
    assert not were_words(recognised(("the", 0.85)))
    assert not were_words(recognised(("what", 0.6)))
    assert not were_words(recognised())


@given(
    values=st.lists(st.floats(-120.0, 0.0), min_size=1, max_size=150),
    share=st.floats(0.0, 1.0),
)
def test_a_quantile_is_what_numpy_says_it_is(values: list[float], share: float) -> None:
    assert quantile(sorted(values), share) == pytest.approx(np.quantile(values, share), abs=1e-9)
