"""The decoder through the library: what the wheel's own binding gives, with Python free."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pocketsphinx
import pytest
import soundfile
import soxr
import webrtcvad

from voice.recognition.sphinx_library import (
    Decoder,
    Library,
    LibraryDecoder,
    Segment,
    _BoundDecoder,
    _library,
    open_decoder,
)
from voice.recognition.telephone import CEPSTRA
from voice.types import RATE_HZ

FILES = {
    "hmm": Path(pocketsphinx.get_model_path("en-us/en-us")),
    "lm": Path(pocketsphinx.get_model_path("en-us/en-us.lm.bin")),
    "dict": Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict")),
}


@pytest.fixture(scope="module")
def speech(samples_dir: Path) -> bytes:
    """Three seconds of a caller, native int16 at 16 kHz."""
    audio, rate_hz = soundfile.read(samples_dir / "neutral_where_is_my_order.flac", dtype="float32")
    mono = audio if audio.ndim == 1 else audio[:, 0]
    wide = soxr.resample(mono, rate_hz, RATE_HZ)
    begins = int(np.argmax(np.abs(wide) > 0.1))
    return bytes((wide[begins : begins + 3 * RATE_HZ] * 32_767).astype(np.int16).tobytes())


@pytest.fixture(scope="module")
def decoder() -> Iterator[LibraryDecoder]:
    library = _library()
    if library is None:
        pytest.skip("this wheel of pocketsphinx hides its library")
    yield LibraryDecoder(library, FILES)


def decoded(decoder: Decoder, pcm: bytes) -> tuple[str, list[Segment]]:
    decoder.start_stream()
    decoder.set_cmn("40,3,-1")
    decoder.start_utt()
    for start in range(0, len(pcm), 6_400):
        decoder.process_raw(pcm[start : start + 6_400])
    decoder.end_utt()
    return decoder.words(), list(decoder.seg())


def test_words_times_and_probabilities_are_those_of_the_wheels_own_binding(
    decoder: LibraryDecoder, speech: bytes
) -> None:
    bound = _BoundDecoder(FILES)
    words, segments = decoded(decoder, speech)
    bound_words, bound_segments = decoded(bound, speech)
    assert words == bound_words
    assert len(words.split()) >= 3
    assert segments == bound_segments


def test_cepstra_are_taken_as_the_binding_takes_them(decoder: LibraryDecoder) -> None:
    frames = np.random.default_rng(0).normal(0, 8, (60, CEPSTRA)).astype(np.float32)
    results = []
    for one in (decoder, _BoundDecoder(FILES)):
        one.set_cmn(",".join(["0"] * CEPSTRA))
        one.start_utt()
        one.process_cep(frames.tobytes())
        one.end_utt()
        results.append((one.get_cmn(), list(one.seg())))
    assert results[0] == results[1]


def test_decoders_at_work_at_once_give_what_each_gives_alone(
    decoder: LibraryDecoder, speech: bytes
) -> None:
    alone = decoded(decoder, speech)
    others = [open_decoder(FILES["hmm"], FILES["lm"], FILES["dict"]) for _ in range(2)]
    found: dict[int, list[tuple[str, list[Segment]]]] = {}

    def work(number: int, one: Decoder) -> None:
        found[number] = [decoded(one, speech) for _ in range(3)]

    threads = [
        threading.Thread(target=work, args=(number, one))
        for number, one in enumerate([decoder, *others])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [alone] * 3 for number in range(3)}


def test_python_goes_on_while_a_decoder_is_at_work(decoder: LibraryDecoder, speech: bytes) -> None:
    """With a switch interval of minutes nobody is made to let go: only who lets go lets others."""
    over = threading.Event()

    def work() -> None:
        decoder.start_utt()
        decoder.process_raw(speech)
        decoder.end_utt()
        over.set()

    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(300.0)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        turns = 0
        while not over.is_set():
            time.sleep(0.001)
            turns += 1
        thread.join()
    finally:
        sys.setswitchinterval(usual_s)
    assert turns > 10


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"cannot load .*nothing\.lm"):
        open_decoder(FILES["hmm"], tmp_path / "nothing.lm", FILES["dict"])


def test_a_search_that_was_never_added_is_refused(decoder: LibraryDecoder) -> None:
    with pytest.raises(RuntimeError, match="unheard"):
        decoder.activate_search("unheard")


def test_a_module_without_the_functions_is_not_taken_for_the_library() -> None:
    with pytest.raises(AttributeError):
        Library(webrtcvad._webrtcvad.__file__)
