from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import yaml

from nlu.errors import AttuneError
from nlu.types import Language
from voice.recognition import choose, sphinx
from voice.recognition.silence import VoicedCounter, has_speech, is_hallucination
from voice.recognition.sphinx import SphinxRecognizer, frames_of
from voice.recognition.training.telephone_line import telephone_line
from voice.types import RATE_HZ, Expectation, Pcm, RecognizerStream

LANGUAGE = Language(
    intents={
        "where_is_my_order": ("where is my order", "I want to know when my order arrives"),
        "refund": ("I would like a refund", "the order number is four two"),
    }
)


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SphinxRecognizer]:
    cache = tmp_path_factory.getbasetemp().parent / "recognition-cache"
    chosen = choose("sphinx", LANGUAGE, cache_dir=cache)
    assert isinstance(chosen, SphinxRecognizer)
    yield chosen


def turn_of(samples_dir: Path, name: str, number: int) -> tuple[str, Pcm]:
    """The words of a sample's turn, and its sound at 16 kHz with silence around it."""
    record = yaml.safe_load((samples_dir / f"{name}.yaml").read_text())
    audio, rate = soundfile.read(samples_dir / record["audio"], dtype="float32")
    wide = soxr.resample(audio, rate, RATE_HZ)
    turn = record["turns"][number]
    piece = wide[(turn["start_ms"] - 300) * 16 : (turn["end_ms"] + 500) * 16]
    return turn["text"], np.round(piece * 32_767).astype(np.int16)


def hear(stream: RecognizerStream, samples: Pcm, start_ms: int = 0) -> None:
    for frame in frames_of(samples, start_ms):
        stream.accept(frame)


def wrong_words(said: str, heard: str) -> float:
    import jiwer

    plain = "".join(c for c in said.lower() if c.isalpha() or c in " '")
    return float(jiwer.wer(plain, heard or "-"))


def noise(seconds: float, level: float, seed: int = 1) -> Pcm:
    random = np.random.default_rng(seed)
    hiss = random.standard_normal(int(seconds * RATE_HZ)) * level
    return np.round(np.clip(hiss, -1, 1) * 32_767).astype(np.int16)


def test_a_turn_is_recognised_with_times_and_confidence(
    recognizer: SphinxRecognizer, samples_dir: Path
) -> None:
    said, samples = turn_of(samples_dir, "neutral_where_is_my_order", 1)
    stream = recognizer.stream()
    hear(stream, samples, start_ms=5_000)
    heard = stream.final()
    stream.close()
    assert wrong_words(said, heard.text) <= 0.2
    assert heard.text == " ".join(word.text for word in heard.words)
    assert heard.engine == recognizer.name
    assert 0.0 < heard.confidence <= 1.0
    assert all(0.0 <= word.confidence <= 1.0 for word in heard.words)
    ends = [0, *(word.end_ms for word in heard.words)]
    assert all(
        before <= word.start_ms < word.end_ms
        for before, word in zip(ends, heard.words, strict=False)
    )
    assert 5_200 <= heard.words[0].start_ms <= 5_600
    assert heard.words[-1].end_ms <= 5_000 + len(samples) / 16


def test_final_at_a_pause_keeps_its_words_and_more_speech_adds_to_them(
    recognizer: SphinxRecognizer, samples_dir: Path
) -> None:
    first_said, first = turn_of(samples_dir, "happy_quick_delivery", 1)
    second_said, second = turn_of(samples_dir, "angry_damaged_item", 1)
    stream = recognizer.stream()
    hear(stream, first)
    at_pause = stream.final()
    assert stream.final() == at_pause, "nothing was said in between"
    pause = np.zeros(RATE_HZ * 3 // 2, np.int16)
    hear(stream, np.concatenate([pause, second]), start_ms=len(first) // 16)
    both = stream.final()
    stream.close()
    assert both.words[: len(at_pause.words)] == at_pause.words
    assert wrong_words(f"{first_said} {second_said}", both.text) <= 0.3
    assert both.words[len(at_pause.words)].start_ms >= len(first) // 16


def test_the_words_so_far_are_there_before_the_turn_ends(
    recognizer: SphinxRecognizer, samples_dir: Path
) -> None:
    _, samples = turn_of(samples_dir, "neutral_where_is_my_order", 0)
    stream = recognizer.stream()
    seen = set()
    for frame in frames_of(samples):
        stream.accept(frame)
        seen.add(stream.partial())
    stream.close()
    assert len(seen) >= 3
    assert any("good" in text for text in seen)


def test_the_same_turn_is_heard_the_same_after_other_callers(
    recognizer: SphinxRecognizer, samples_dir: Path
) -> None:
    _, samples = turn_of(samples_dir, "wants_human", 1)
    _, other = turn_of(samples_dir, "telephone_refund", 1)
    heard = []
    for _ in range(2):
        stream = recognizer.stream()
        hear(stream, samples)
        heard.append(stream.final())
        stream.close()
        between = recognizer.stream()
        hear(between, other)
        between.final()
        between.close()
    assert heard[0] == heard[1]


def test_two_turns_at_once_do_not_mix(recognizer: SphinxRecognizer, samples_dir: Path) -> None:
    _, order = turn_of(samples_dir, "neutral_where_is_my_order", 1)
    _, person = turn_of(samples_dir, "wants_human", 1)
    one, other = recognizer.stream(), recognizer.stream()
    length = min(len(order), len(person))
    for mine, theirs in zip(frames_of(order[:length]), frames_of(person[:length]), strict=True):
        one.accept(mine)
        other.accept(theirs)
    assert "number" in one.final().text
    assert "person" in other.final().text
    one.close()
    other.close()


@pytest.mark.parametrize(
    "sound",
    [
        pytest.param(np.zeros(3 * RATE_HZ, np.int16), id="digital silence"),
        pytest.param(noise(3, 0.0005), id="a quiet room"),
        pytest.param(noise(3, 0.05), id="hiss"),
        pytest.param(noise(1, 0.3), id="loud hiss"),
        pytest.param(
            np.round(8_000 * np.sin(np.arange(3 * RATE_HZ) * 2 * np.pi * 350 / RATE_HZ)).astype(
                np.int16
            ),
            id="a dial tone",
        ),
        pytest.param(noise(0.02, 0.1), id="a click"),
    ],
)
def test_silence_and_noise_are_never_words(recognizer: SphinxRecognizer, sound: Pcm) -> None:
    stream = recognizer.stream()
    hear(stream, sound)
    heard = stream.final()
    stream.close()
    assert (heard.text, heard.words, heard.confidence) == ("", (), 0.0)


def test_an_expected_number_with_a_pause_in_it_is_heard_as_one(
    recognizer: SphinxRecognizer, samples_dir: Path
) -> None:
    """The loop asks at every pause; what follows soon is the same number, decoded anew."""
    said, samples = turn_of(samples_dir, "neutral_where_is_my_order", 1)
    middle = len(samples) * 2 // 3 // 320 * 320
    stream = recognizer.stream(Expectation(frozenset({"order_number"})))
    hear(stream, samples[:middle])
    early = stream.final()
    hear(stream, samples[middle:], start_ms=middle // 16)
    late = stream.final()
    stream.close()
    assert 0 < len(early.words) < len(late.words)
    assert wrong_words(said, late.text) <= 0.2
    starts = [word.start_ms for word in late.words]
    assert starts == sorted(starts)


def test_an_order_number_is_heard_better_when_it_was_asked_for(
    recognizer: SphinxRecognizer, samples_dir: Path
) -> None:
    said, samples = turn_of(samples_dir, "telephone_refund", 1)
    heard = {}
    for asked in (frozenset[str](), frozenset({"order_number"})):
        stream = recognizer.stream(Expectation(asked))
        hear(stream, samples)
        heard[bool(asked)] = wrong_words(said, stream.final().text)
        stream.close()
    assert heard[True] <= heard[False]
    assert heard[True] <= 0.3


@pytest.mark.data
def test_digits_of_real_people_are_heard_better_when_they_were_asked_for(
    recognizer: SphinxRecognizer, corpora: Path
) -> None:
    words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    wrong = {}
    for asked in (frozenset[str](), frozenset({"digits"})):
        scores = []
        for speaker in ("george", "jackson", "theo"):
            digits = [9, 5, 7, 1, 4]
            pieces = [np.zeros(2_000)]
            for digit in digits:
                clip, rate = soundfile.read(corpora / "digits" / f"{digit}_{speaker}_3.flac")
                pieces += [clip, np.zeros(900)]
            wide = soxr.resample(np.concatenate([*pieces, np.zeros(3_000)]), rate, RATE_HZ)
            stream = recognizer.stream(Expectation(asked))
            hear(stream, np.round(wide * 32_767).astype(np.int16))
            said = " ".join(words[d] for d in digits)
            scores.append(wrong_words(said, stream.final().text))
            stream.close()
        wrong[bool(asked)] = float(np.mean(scores))
    assert wrong[True] < wrong[False]


def test_a_minute_without_a_pause_is_heard_in_pieces(
    recognizer: SphinxRecognizer, samples_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sphinx, "_LONGEST_SEGMENT_FRAMES", 350)
    one, first = turn_of(samples_dir, "angry_late_delivery", 1)
    other, second = turn_of(samples_dir, "angry_damaged_item", 1)
    stream = recognizer.stream()
    hear(stream, np.concatenate([first, second]))
    assert len(stream._segment) < 350
    heard = stream.final()
    stream.close()
    assert wrong_words(f"{one} {other}", heard.text) <= 0.4
    assert heard.words[-1].start_ms > 8_000


def test_a_stream_that_hears_nothing_at_all_says_nothing(recognizer: SphinxRecognizer) -> None:
    stream = recognizer.stream()
    assert stream.partial() == ""
    assert stream.final().text == ""
    stream.close()
    stream.close()


@pytest.mark.data
def test_most_noises_of_the_corpus_are_not_words(
    recognizer: SphinxRecognizer, corpora: Path
) -> None:
    files = sorted((corpora / "noise").glob("*onspeech_n*.ogg"))[::9]
    texts = []
    for path in files:
        audio, _ = soundfile.read(path, dtype="float32")
        stream = recognizer.stream()
        hear(stream, np.round(audio[: 2 * RATE_HZ] * 32_000).astype(np.int16))
        texts.append(stream.final().text)
        stream.close()
    assert sum(1 for text in texts if text) <= len(texts) * 0.3


@pytest.mark.parametrize("snr_db", [15, 30])
def test_speech_on_a_thin_line_is_still_speech(samples_dir: Path, snr_db: float) -> None:
    random = np.random.default_rng(6)
    _, speech = turn_of(samples_dir, "neutral_spelled_email", 2)
    heard = telephone_line(speech / 32_768, random, band_hz=(300, 3_400), snr_db=snr_db, order=6)
    assert has_speech(np.round(heard * 32_767).astype(np.int16), telephone=True)
    assert not has_speech(noise(4, 0.1), telephone=True)


def test_speech_is_told_from_noise_whatever_its_level(samples_dir: Path) -> None:
    _, speech = turn_of(samples_dir, "wants_human", 0)
    assert has_speech(speech)
    assert has_speech((speech * 0.1).astype(np.int16))
    assert not has_speech(noise(4, 0.1))
    assert not has_speech(np.zeros(100, np.int16))
    counter = VoicedCounter()
    for frame in frames_of(speech):
        counter.accept(frame.samples)
    assert 0.4 * len(speech) / 16 < counter.voiced_ms < len(speech) / 16


@pytest.mark.parametrize("text", ["Thank you.", " thanks for watching!", "you", "MUSIC"])
def test_what_recognisers_make_of_silence_is_known(text: str) -> None:
    assert is_hallucination(text)
    assert not is_hallucination(f"{text} but my order is late")


def test_an_engine_that_does_not_exist_is_named() -> None:
    with pytest.raises(AttuneError, match="no 'siri'; use auto, whisper or sphinx"):
        choose("siri", LANGUAGE)  # type: ignore[arg-type]


def test_pocketsphinx_says_that_it_speaks_english_only() -> None:
    with pytest.raises(AttuneError, match=r"locale is de-DE"):
        choose("sphinx", Language(intents={}, locale="de-DE"))
