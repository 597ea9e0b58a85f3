"""The machine's microphone and loudspeaker through PortAudio, both in one stream.

PortAudio calls back in a thread of its own with what was recorded and wants what is to be played:
one stream for both keeps the two in step, which taking the echo out depends on.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlu.errors import AttuneError
from voice.fades import FADE_MS, faded_out
from voice.types import FRAME_MS, RATE_HZ, Pcm

LATENCY_S = 0.05
"""What PortAudio is asked for; it says itself what it gives."""

Listener = Callable[[Pcm, Pcm], None]
"""Is told what was recorded and what was played meanwhile, int16 at 16 kHz, in PortAudio's
thread."""


@dataclass(frozen=True, slots=True)
class Device:
    """A sound device as PortAudio lists it."""

    number: int
    name: str
    inputs: int
    outputs: int
    is_default_input: bool
    is_default_output: bool


def portaudio() -> Any:
    """The `sounddevice` module. Raises `AttuneError` where it or PortAudio is not installed."""
    try:
        import sounddevice
    except ImportError:
        raise AttuneError(
            "sounddevice is not installed; install it with: pip install sounddevice."
        ) from None
    except OSError:
        raise AttuneError(
            "PortAudio is not on this machine; "
            "install it with: apt-get install libportaudio2 (dnf: portaudio)."
        ) from None
    return sounddevice


def devices() -> list[Device]:
    """Every sound device. Raises `AttuneError` as `portaudio` does."""
    library = portaudio()
    default_input, default_output = library.default.device
    return [
        Device(
            number,
            str(about["name"]),
            int(about["max_input_channels"]),
            int(about["max_output_channels"]),
            number == default_input,
            number == default_output,
        )
        for number, about in enumerate(library.query_devices())
    ]


class SoundCard:
    """Records and plays, both int16 mono at 16 kHz, whatever rate the device has.

    `play` queues; the listener is told block by block. `ended` is set when the device has gone.
    """

    def __init__(self, input_device: str | None = None, output_device: str | None = None) -> None:
        """Open the devices, by number or by a part of their name; the system's where None.

        Raises `AttuneError` where there is no such device or it cannot be opened.
        """
        self._library = portaudio()
        self._found = (
            self._find("input", input_device),
            self._find("output", output_device),
        )
        self._queue: deque[Pcm] = deque()
        self._lock = threading.Lock()
        self._sounding_until_s = 0.0
        self._latency_s = LATENCY_S
        self._listener: Listener | None = None
        self._recorder, self._player = Rate(RATE_HZ, RATE_HZ), Rate(RATE_HZ, RATE_HZ)
        self.ended = threading.Event()
        self.hiccups = 0
        """Blocks that came too late for the device."""
        self._stream = self._open()

    def _find(self, side: str, wanted: str | None) -> Any:
        what = "microphone" if side == "input" else "loudspeaker"
        device = int(wanted) if wanted is not None and wanted.isdecimal() else wanted
        try:
            found: Any = self._library.query_devices(device, side)
        except (ValueError, self._library.PortAudioError) as error:
            if wanted is None:
                raise AttuneError(
                    f"This machine has no {what}; plug one in and look with: "
                    "attune talk --list-devices."
                ) from None
            reason = str(error).splitlines()[0].rstrip(".:")
            raise AttuneError(
                f"--{side}-device {wanted}: {reason}; choose one of: attune talk --list-devices."
            ) from None
        return found

    @property
    def name(self) -> str:
        """Both devices, for people."""
        recorder, player = self._found
        return f"{recorder['name']} → {player['name']}"

    def _open(self) -> Any:
        pair = tuple(about["index"] for about in self._found)
        reason: Exception | None = None
        for rate_hz in (RATE_HZ, int(self._found[0]["default_samplerate"])):
            try:
                stream = self._library.Stream(
                    samplerate=rate_hz,
                    blocksize=rate_hz * FRAME_MS // 1000,
                    device=pair,
                    channels=1,
                    dtype="int16",
                    latency=LATENCY_S,
                    callback=self._exchange,
                    finished_callback=self.ended.set,
                )
            except self._library.PortAudioError as error:
                reason = error
                continue
            self._recorder, self._player = Rate(rate_hz, RATE_HZ), Rate(RATE_HZ, rate_hz)
            return stream
        raise AttuneError(
            f"{self.name} cannot be opened ({reason}); close what else uses it, or choose another "
            "device of: attune talk --list-devices."
        )

    def start(self, listener: Listener) -> None:
        """Begin to record and play; blocks until the device runs. Raises `AttuneError`."""
        self._listener = listener
        try:
            self._stream.start()
        except self._library.PortAudioError as error:
            raise AttuneError(
                f"{self.name} cannot be started ({error}); choose another device of: "
                "attune talk --list-devices."
            ) from None
        self._latency_s = float(self._stream.latency[1])

    def close(self) -> None:
        """Stop and release the devices."""
        self._listener = None
        self._stream.close(ignore_errors=True)
        self.ended.set()

    def play(self, samples: Pcm) -> None:
        """Queue samples."""
        with self._lock:
            self._queue.append(samples)

    def silence(self) -> float:
        """Drop what is queued, but for a fade; what the device already holds still sounds.

        Returns how many ms were dropped.
        """
        with self._lock:
            queued = np.concatenate([np.zeros(0, dtype=np.int16), *self._queue])
            self._queue.clear()
            if len(queued):
                self._queue.append(faded_out(queued[: RATE_HZ * FADE_MS // 1000]))
        return len(queued) * 1000.0 / RATE_HZ

    def unplayed_ms(self) -> float:
        """How much of what was queued has not sounded yet."""
        with self._lock:
            queued = sum(len(samples) for samples in self._queue)
            sounding_s = max(0.0, self._sounding_until_s - time.monotonic())
        return queued * 1000.0 / RATE_HZ + sounding_s * 1000.0

    def _exchange(self, recorded: Any, wanted: Any, count: int, times: Any, status: Any) -> None:
        del times
        if status:
            self.hiccups += 1
        # PortAudio may call while the queue is long: whole samples only, at the rate of the queue.
        playing = self._take(self._player.needed(count))
        wanted[:, 0] = self._player.exactly(playing, count)
        heard = self._recorder.push(recorded[:, 0].copy())
        if self._listener is not None:
            self._listener(heard, playing)

    def _take(self, count: int) -> Pcm:
        taken: list[Pcm] = []
        with self._lock:
            missing = count
            while missing and self._queue:
                first = self._queue.popleft()
                taken.append(first[:missing])
                if len(first) > missing:
                    self._queue.appendleft(first[missing:])
                missing -= len(taken[-1])
            if taken:
                self._sounding_until_s = time.monotonic() + self._latency_s
        taken.append(np.zeros(missing, dtype=np.int16))
        return np.concatenate(taken)


class Rate:
    """int16 from one rate to another as it comes (soxr, low quality: 6 to 20 ms of delay)."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        import soxr

        self._ratio = to_hz / from_hz
        self._same = from_hz == to_hz
        self._stream = soxr.ResampleStream(from_hz, to_hz, 1, dtype="int16", quality="LQ")
        self._rest: Pcm = np.zeros(0, dtype=np.int16)
        self._owed = 0.0

    def push(self, samples: Pcm) -> Pcm:
        """The next samples."""
        if self._same:
            return samples
        return np.asarray(self._stream.resample_chunk(samples), dtype=np.int16)

    def needed(self, count: int) -> int:
        """How many samples have to go in for `count` to come out, on the long run exactly."""
        self._owed += count / self._ratio
        whole = int(self._owed)
        self._owed -= whole
        return whole

    def exactly(self, samples: Pcm, count: int) -> Pcm:
        """The next samples, `count` of them; what is missing while the delay fills is silence."""
        if self._same:
            return samples
        self._rest = np.concatenate([self._rest, self.push(samples)])
        missing = max(0, count - len(self._rest))
        given = np.concatenate([np.zeros(missing, dtype=np.int16), self._rest[:count]])
        self._rest = self._rest[count:]
        return given
