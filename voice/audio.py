"""Sound files in and out, resampling, level, and G.711."""

from __future__ import annotations

import logging
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from nlu.errors import AttuneError
from nlu.types import Samples
from voice.fades import faded_out
from voice.types import RATE_HZ, Pcm

CallerChannel = Literal["left", "right", "mono"]
DIGITAL_SILENCE_DB = -120.0
"""The level of sound in which every sample is 0, and of no other."""

MIN_RATE_HZ = 4_000
MAX_RATE_HZ = 192_000
_BLOCK_SECONDS = 2.0
_LEAST_FRAMES = 256

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecordingInfo:
    """What a recording's header says."""

    path: Path
    rate_hz: int
    channels: int
    frames: int

    @property
    def duration_ms(self) -> int:
        """Length in ms according to the header."""
        return self.frames * 1000 // self.rate_hz


def to_pcm(samples: npt.NDArray[np.floating[Any]]) -> Pcm:
    """Float samples in [-1, 1] as int16; NaN becomes silence, what exceeds the range clips."""
    clean = np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0)
    pcm: Pcm = (np.clip(clean, -1.0, 1.0) * 32767.0).round().astype(np.int16)
    return pcm


def to_float(samples: Pcm) -> Samples:
    """int16 samples as float32 in [-1, 1)."""
    return samples.astype(np.float32) / np.float32(32768.0)


def level_dbfs(samples: Pcm) -> float:
    """RMS level in dB relative to full scale; `DIGITAL_SILENCE_DB` where every sample is 0."""
    heard = samples.astype(np.float32)
    power = float(heard.dot(heard)) / max(1, len(samples)) / 32768.0**2
    return 10.0 * math.log10(power + 1e-12) if power else DIGITAL_SILENCE_DB


def inspect(path: Path) -> RecordingInfo:
    """Read a recording's header.

    Raises `AttuneError` for anything that is not one or two channels of sound at
    4-192 kHz in WAV, FLAC, OGG, MP3 or another format of libsndfile.
    """
    if path.is_dir():
        raise AttuneError(f"{path} is a folder; name one recording, or use 'attune evaluate'.")
    if not path.exists():
        raise AttuneError(f"{path} does not exist; check the name.")
    if path.stat().st_size == 0:
        raise AttuneError(f"{path} is empty; record it again.")
    try:
        info = soundfile.info(str(path))
    except (soundfile.LibsndfileError, OSError, RuntimeError) as error:
        reason = str(error).split(": ")[-1].rstrip(".")
        raise AttuneError(
            f"{path} cannot be read as sound ({reason}); give a WAV, FLAC, OGG or MP3 file."
        ) from None
    if info.channels not in (1, 2):
        raise AttuneError(
            f"{path} has {info.channels} channels; give one or two (mix it down first)."
        )
    if not MIN_RATE_HZ <= info.samplerate <= MAX_RATE_HZ:
        raise AttuneError(
            f"{path} has a sampling rate of {info.samplerate} Hz; "
            f"give {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz."
        )
    return RecordingInfo(path, info.samplerate, info.channels, max(0, info.frames))


class Resampler:
    """Streaming conversion of mono float32 to another rate, seamless across blocks (soxr)."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._same = from_hz == to_hz
        self._stream = None if self._same else soxr.ResampleStream(from_hz, to_hz, 1, "float32")

    def push(self, samples: Samples, *, last: bool = False) -> Samples:
        """The next block converted; with `last` also what the filter still holds."""
        if self._stream is None:
            return samples
        block: Samples = self._stream.resample_chunk(np.ascontiguousarray(samples), last=last)
        return block


def resample(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """A whole mono float32 signal at another rate."""
    if from_hz == to_hz:
        return samples
    return np.asarray(soxr.resample(samples, from_hz, to_hz), dtype=np.float32)


def pick_channel(info: RecordingInfo, caller: CallerChannel | None) -> CallerChannel:
    """Which channel holds the caller.

    Raises `AttuneError` when a stereo recording comes without `--caller-channel`: there is no
    standard order, and a wrong guess would analyse the agent.
    """
    if info.channels == 1:
        return "mono"
    if caller is None:
        raise AttuneError(
            f"{info.path} has two channels; "
            "say which holds the caller with --caller-channel left|right|mono."
        )
    return caller


def stream_channel(
    info: RecordingInfo, channel: CallerChannel, rate_hz: int = RATE_HZ
) -> Iterator[Samples]:
    """Blocks of one channel as float32 at `rate_hz`, in flat memory however long the file.

    `mono` mixes two channels. A file cut short ends where its sound ends.
    """
    resampler = Resampler(info.rate_hz, rate_hz)
    size = int(info.rate_hz * _BLOCK_SECONDS)
    for block in _blocks(info, size):
        yield resampler.push(np.nan_to_num(_one_channel(block, channel)))
    tail = resampler.push(np.zeros(0, dtype=np.float32), last=True)
    if len(tail):
        yield tail


def _blocks(info: RecordingInfo, size: int) -> Iterator[npt.NDArray[np.float32]]:
    """The recording in blocks of `size` frames, [frames, channels].

    What a damaged file still holds is read in small pieces: a decoder that fails within a block
    gives nothing of it.
    """
    whole = 0
    for step in (size, _LEAST_FRAMES):
        read = 0
        try:
            with soundfile.SoundFile(str(info.path)) as file:
                while len(block := file.read(step, dtype="float32", always_2d=True)):
                    read += len(block)
                    if read > whole:
                        yield block[whole - read :]
                        whole = read
            return
        except soundfile.LibsndfileError:
            continue
    log.warning(
        "%s is damaged: %.1f of %.1f s could be read; record or copy it again.",
        info.path,
        whole / info.rate_hz,
        info.duration_ms / 1000,
    )


def _one_channel(block: npt.NDArray[np.float32], channel: CallerChannel) -> Samples:
    if block.shape[1] == 1:
        return block[:, 0]
    if channel == "mono":
        return np.asarray(block.mean(axis=1), dtype=np.float32)
    return np.ascontiguousarray(block[:, 0 if channel == "left" else 1])


def read_audio(path: Path, channel: CallerChannel | None = None, rate_hz: int = RATE_HZ) -> Samples:
    """A whole recording as mono float32 at `rate_hz` (see `inspect` for what it raises).

    Two channels need `channel` (see `pick_channel`).
    """
    info = inspect(path)
    blocks = list(stream_channel(info, pick_channel(info, channel), rate_hz))
    return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary neighbour of `path` that takes its place only when the block succeeds.

    Raises `AttuneError` when the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".writing-", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise AttuneError(
            f"{path} cannot be written ({error.strerror}); choose another folder with --out."
        ) from None
    draft = Path(name)
    try:
        yield draft
        draft.chmod(0o644)
        draft.replace(path)
    except OSError as error:
        raise AttuneError(
            f"{path} cannot be written ({error.strerror}); free space or choose another folder."
        ) from None
    finally:
        draft.unlink(missing_ok=True)


def write_wav(path: Path, samples: Pcm, rate_hz: int = RATE_HZ) -> None:
    """Write int16 samples, shape (n,) or (n, channels), as 16-bit WAV."""
    with replacing(path) as draft:
        try:
            soundfile.write(str(draft), samples, rate_hz, subtype="PCM_16", format="WAV")
        except (soundfile.LibsndfileError, RuntimeError) as error:
            raise AttuneError(f"{path} cannot be written ({error}); free some space.") from None


class StereoWriter:
    """Writes a conversation as it happens: left the caller, right the assistant, in sync.

    Each side is placed at its own position in samples; what is missing is silence. Only the
    part in which either side may still write is held in memory.
    """

    def __init__(self, path: Path, rate_hz: int = RATE_HZ) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = soundfile.SoundFile(
                str(path), "w", samplerate=rate_hz, channels=2, subtype="PCM_16", format="WAV"
            )
        except (soundfile.LibsndfileError, OSError, RuntimeError):
            raise AttuneError(
                f"{path} cannot be written; choose another folder with --out."
            ) from None
        self._base = 0
        self._buffer: npt.NDArray[np.int16] = np.zeros((0, 2), dtype=np.int16)

    def put(self, side: Literal["caller", "assistant"], position: int, samples: Pcm) -> None:
        """Place `samples` of one side at `position` (samples since the call began)."""
        offset = position - self._base
        if offset < 0:
            samples, offset = samples[-offset:], 0
        end = offset + len(samples)
        if end > len(self._buffer):
            grown = np.zeros((end + RATE_HZ, 2), dtype=np.int16)
            grown[: len(self._buffer)] = self._buffer
            self._buffer = grown
        self._buffer[offset:end, 0 if side == "caller" else 1] = samples

    def silence(self, side: Literal["caller", "assistant"], position: int) -> None:
        """From `position` on one side falls silent, whatever was placed there."""
        column = self._buffer[max(0, position - self._base) :, 0 if side == "caller" else 1]
        column[:] = faded_out(column)

    def settle(self, position: int) -> None:
        """Everything before `position` is final: write it out."""
        count = position - self._base
        if count <= 0:
            return
        if count > len(self._buffer):
            missing = np.zeros((count - len(self._buffer), 2), dtype=np.int16)
            self._buffer = np.concatenate([self._buffer, missing])
        self._file.write(self._buffer[:count])
        self._buffer = self._buffer[count:]
        self._base = position

    def close(self, position: int) -> None:
        """Write everything up to `position` and close the file."""
        self.settle(position)
        self._file.close()
