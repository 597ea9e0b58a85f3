"""Sound files, resampling and G.711."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from nlu.errors import AttuneError
from voice import audio, g711


def tone(rate_hz: int, seconds: float = 1.0, frequency_hz: float = 440.0) -> np.ndarray:
    return (
        0.4 * np.sin(2 * np.pi * frequency_hz * np.arange(int(rate_hz * seconds)) / rate_hz)
    ).astype(np.float32)


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100, 48000])
def test_every_format_and_rate_is_heard_at_its_pitch(
    tmp_path: Path, extension: str, rate_hz: int
) -> None:
    path = tmp_path / f"tone.{extension}"
    soundfile.write(path, tone(rate_hz), rate_hz)
    heard = audio.read_audio(path)
    assert abs(len(heard) - 16000) < 16000 * 0.12
    spectrum = np.abs(np.fft.rfft(heard[2000:14000] * np.hanning(12000)))
    assert abs(np.argmax(spectrum) * 16000 / 12000 - 440) < 3


@pytest.mark.parametrize("law", ["ULAW", "ALAW"])
def test_g711_wav_files_are_read(tmp_path: Path, law: str) -> None:
    path = tmp_path / "call.wav"
    soundfile.write(path, tone(8000), 8000, subtype=law)
    assert audio.level_dbfs(audio.to_pcm(audio.read_audio(path))) == pytest.approx(-11, abs=0.5)


def test_stereo_is_never_guessed(tmp_path: Path) -> None:
    path = tmp_path / "two.wav"
    soundfile.write(path, np.stack([tone(16000), tone(16000) * 0.1], axis=1), 16000)
    with pytest.raises(AttuneError, match="--caller-channel"):
        audio.read_audio(path)
    left, right = audio.read_audio(path, "left"), audio.read_audio(path, "right")
    assert np.abs(left).max() > 5 * np.abs(right).max()


def make_text(path: Path) -> None:
    path.write_text("this is not sound")


def make_empty(path: Path) -> None:
    path.touch()


def make_three_channels(path: Path) -> None:
    soundfile.write(path, np.zeros((100, 3)), 16000)


def make_one_hertz(path: Path) -> None:
    soundfile.write(path, np.zeros(100), 1)


def make_384_khz(path: Path) -> None:
    soundfile.write(path, np.zeros(100), 384_000)


def make_nothing(path: Path) -> None:
    pass


@pytest.mark.parametrize(
    "make",
    [
        make_text,
        make_empty,
        make_three_channels,
        make_one_hertz,
        make_384_khz,
        make_nothing,
        Path.mkdir,
    ],
)
def test_what_is_no_recording_is_named_in_one_sentence(tmp_path: Path, make) -> None:
    path = tmp_path / "odd.wav"
    make(path)
    with pytest.raises(AttuneError) as problem:
        audio.read_audio(path)
    assert "odd.wav" in str(problem.value)
    assert "\n" not in str(problem.value)


def test_a_truncated_wav_gives_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "cut.wav"
    soundfile.write(path, tone(16000, 2.0), 16000)
    path.write_bytes(path.read_bytes()[: 44 + 32000])
    assert len(audio.read_audio(path)) == pytest.approx(16000, abs=10)


@pytest.mark.parametrize("share", [0.15, 0.5, 0.9])
def test_a_truncated_flac_gives_what_it_holds_and_says_so(
    tmp_path: Path, samples_dir: Path, share: float, caplog: pytest.LogCaptureFixture
) -> None:
    whole = samples_dir / "wants_human.flac"
    cut = tmp_path / "cut.flac"
    cut.write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])
    expected = audio.read_audio(whole)
    got = audio.read_audio(cut)
    assert len(got) > 0.5 * share * len(expected)
    assert np.array_equal(got[:-2000], expected[: len(got) - 2000])
    assert "cut.flac is damaged" in caplog.text


@given(st.lists(st.integers(1, 700), min_size=1, max_size=12))
def test_streaming_resampling_has_no_seams(sizes: list[int]) -> None:
    signal = tone(8000, 0.6)
    stream = audio.Resampler(8000, 16000)
    blocks, start = [], 0
    for size in sizes:
        blocks.append(stream.push(signal[start : start + size]))
        start += size
    blocks.append(stream.push(signal[start:], last=True))
    joined = np.concatenate(blocks)
    whole = audio.resample(signal, 8000, 16000)
    assert np.abs(joined[: len(whole)] - whole[: len(joined)]).max() < 1e-3


def test_g711_golden_bytes() -> None:
    samples = np.array([0, 1, -1, 1000, -1000, 8031, -8031, 32767, -32768], dtype=np.int16)
    assert g711.encode_mulaw(samples).hex() == "ffff7fce4ea0208000"
    assert g711.decode_mulaw(bytes([0x00, 0x80, 0xFF, 0x7F])).tolist() == [-32124, 32124, 0, 0]
    assert g711.decode_alaw(bytes([0xD5, 0x55, 0xAA, 0x2A])).tolist() == [8, -8, 32256, -32256]


@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=200))
def test_g711_keeps_a_sample_within_the_step_of_its_segment(values: list[int]) -> None:
    samples = np.array(values, dtype=np.int16)
    for encode, decode in (
        (g711.encode_mulaw, g711.decode_mulaw),
        (g711.encode_alaw, g711.decode_alaw),
    ):
        back = decode(encode(samples)).astype(int)
        assert np.all(
            np.abs(back - samples) <= np.maximum(16, np.abs(samples.astype(int)) / 16 + 16)
        )
        assert encode(decode(encode(samples))) == encode(samples) or 0 in back


def test_stereo_writer_keeps_both_sides_in_place(tmp_path: Path) -> None:
    path = tmp_path / "conversation.wav"
    writer = audio.StereoWriter(path)
    writer.put("caller", 0, np.full(1000, 7, np.int16))
    writer.settle(900)
    writer.put("assistant", 2000, np.full(500, 9, np.int16))
    writer.close(3000)
    sound, _ = soundfile.read(path, dtype="int16")
    assert sound.shape == (3000, 2)
    assert np.flatnonzero(sound[:, 0])[[0, -1]].tolist() == [0, 999]
    assert np.flatnonzero(sound[:, 1])[[0, -1]].tolist() == [2000, 2499]


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("in the way")
    with pytest.raises(AttuneError, match="cannot be written"):
        audio.write_wav(blocker / "out.wav", np.zeros(10, np.int16))
