"""The Whisper path, run for real on a tiny model of the real architecture.

`data/tiny_whisper` was made by `make_tiny_whisper.py`; `data/tiny_whisper_speech.flac` holds its
phrases in a pace and pitch that it was not trained on, one second of silence between them.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from nlu.errors import AttuneError
from nlu.types import Language
from tests.voice.make_tiny_whisper import OUT, PHRASES
from voice import recognition
from voice.recognition import choose, whisper
from voice.recognition.sphinx import frames_of
from voice.recognition.whisper import FILES, WhisperRecognizer, believed, find_weights
from voice.types import RATE_HZ, Pcm

LANGUAGE = Language(intents={"refund": ("I want a refund",)})


@pytest.fixture(scope="module")
def recognizer() -> WhisperRecognizer:
    chosen = choose("whisper", LANGUAGE, model=str(OUT))
    assert isinstance(chosen, WhisperRecognizer)
    return chosen


@pytest.fixture(scope="module")
def spoken() -> dict[str, Pcm]:
    samples, _ = soundfile.read(OUT.parent / "tiny_whisper_speech.flac", dtype="int16")
    pieces = np.array_split(samples, len(PHRASES))
    return dict(zip(PHRASES, pieces, strict=True))


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(whisper, "hub_answers", lambda: False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    yield


@pytest.mark.parametrize("phrase", PHRASES)
def test_the_right_words_for_each_phrase(
    recognizer: WhisperRecognizer, spoken: dict[str, Pcm], phrase: str
) -> None:
    stream = recognizer.stream()
    for frame in frames_of(spoken[phrase], start_ms=10_000):
        stream.accept(frame)
    heard = stream.final()
    assert heard.text == phrase
    assert [word.text for word in heard.words] == phrase.split()
    assert heard.engine == "whisper tiny_whisper"
    assert 0 < heard.confidence <= 1
    assert all(10_000 <= w.start_ms <= w.end_ms <= 13_000 for w in heard.words)
    assert stream.partial() == phrase


def test_the_text_is_ready_at_the_pause_and_silence_after_it_costs_nothing(
    recognizer: WhisperRecognizer, spoken: dict[str, Pcm], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = recognizer.stream()
    for frame in frames_of(spoken["i want a refund"]):
        stream.accept(frame)
    at_pause = stream.final()
    for frame in frames_of(np.zeros(RATE_HZ, np.int16), start_ms=4_000):
        stream.accept(frame)
    monkeypatch.setattr(recognizer, "decode", lambda *_: pytest.fail("decoded silence again"))
    assert stream.final() == at_pause


@pytest.mark.parametrize("level", [0.0, 0.001, 0.03, 0.3])
def test_noise_is_never_words_though_the_model_would_say_some(
    recognizer: WhisperRecognizer, level: float
) -> None:
    random = np.random.default_rng(4)
    hiss = (random.standard_normal(3 * RATE_HZ) * level).clip(-1, 1)
    stream = recognizer.stream()
    for frame in frames_of(np.round(hiss * 32_767).astype(np.int16)):
        stream.accept(frame)
    assert stream.final().text == ""


def test_without_the_gate_the_model_does_make_words_of_noise() -> None:
    from faster_whisper import WhisperModel

    model = WhisperModel(str(OUT), device="cpu", compute_type="int8", cpu_threads=1)
    random = np.random.default_rng(4)
    said = []
    for level in (0.3, 0.5):
        hiss = (random.standard_normal(3 * RATE_HZ) * level).astype(np.float32)
        segments, _ = model.transcribe(
            hiss, beam_size=1, temperature=0.0, no_speech_threshold=None, log_prob_threshold=None
        )
        said += [segment.text for segment in segments if segment.text.strip()]
    assert said, "the gate would have nothing to do"


@pytest.mark.parametrize(
    ("text", "no_speech", "log_probability", "compression", "kept"),
    [
        ("Where is my order?", 0.05, -0.3, 1.1, True),
        ("Where is my order?", 0.9, -0.8, 1.1, False),
        ("Where is my order?", 0.1, -1.4, 1.1, False),
        ("no no no no no no no no", 0.1, -0.3, 3.0, False),
        ("Thank you.", 0.02, -0.2, 0.8, True),
        ("Thank you.", 0.4, -0.3, 0.8, False),
        ("Thanks for watching!", 0.1, -0.7, 0.8, False),
    ],
)
def test_what_is_believed_of_a_segment(
    text: str, no_speech: float, log_probability: float, compression: float, kept: bool
) -> None:
    segment = SimpleNamespace(
        text=text,
        no_speech_prob=no_speech,
        avg_logprob=log_probability,
        compression_ratio=compression,
    )
    assert believed(segment) is kept


def test_a_folder_that_lacks_a_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    for name in FILES[:-1]:
        shutil.copy(OUT / name, tmp_path)
    with pytest.raises(AttuneError, match=r"tokenizer\.json missing; convert it"):
        choose("whisper", LANGUAGE, model=str(tmp_path))


def test_a_folder_with_a_broken_model_is_named(tmp_path: Path) -> None:
    for name in FILES:
        shutil.copy(OUT / name, tmp_path)
    (tmp_path / "model.bin").write_bytes(b"not a model")
    with pytest.raises(AttuneError, match="does not load as a Whisper model"):
        choose("whisper", LANGUAGE, model=str(tmp_path))


@pytest.mark.parametrize("model", ["./nowhere", "/no/such/folder"])
def test_a_folder_that_is_not_there_is_named(model: str) -> None:
    with pytest.raises(AttuneError, match="no such folder"):
        find_weights(model)


def test_auto_takes_weights_that_are_on_disk() -> None:
    chosen = choose("auto", LANGUAGE, model=str(OUT))
    assert chosen.name == "whisper tiny_whisper"
    assert "a local folder" in chosen.reason


@pytest.mark.usefixtures("no_hub")
def test_auto_without_weights_or_hub_is_pocketsphinx_and_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        recognition, "_sphinx", lambda *given: SimpleNamespace(name="sphinx", reason=given[-1])
    )
    chosen = choose("auto", LANGUAGE, cache_dir=tmp_path)
    assert chosen.reason == (
        "Whisper's weights (base.en) are not on this machine and the model hub does not answer"
    )


@pytest.mark.usefixtures("no_hub")
def test_whisper_by_name_without_weights_or_hub_is_an_error() -> None:
    with pytest.raises(AttuneError, match=r"tiny\.en: its weights are not on this machine"):
        choose("whisper", LANGUAGE, model="tiny.en")


def test_a_hub_that_never_answers_is_waited_for_once_and_three_seconds_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import httpx

    asked = []

    def silent(*_: object, **__: object) -> None:
        asked.append(1)
        time.sleep(30)

    monkeypatch.setattr(httpx, "head", silent)
    monkeypatch.setattr(whisper, "NETWORK_WAIT_S", 0.05)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    whisper.hub_answers.cache_clear()
    try:
        assert whisper.hub_answers() is False
        assert whisper.hub_answers() is False
    finally:
        whisper.hub_answers.cache_clear()
    assert len(asked) == 1
