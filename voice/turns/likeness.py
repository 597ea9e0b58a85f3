"""How much like somebody talking is what is heard, frame by frame? Four small recurrent networks.

Silero alone needs 230 ms (telephone 440 ms) until 95 of 100 people who begin to talk are above one
half, and takes many coughs and hums for speech. These hear more of a frame: 16 bands over their own
background, periodicity, flatness, and Silero's probability. All are gated recurrent units (Cho et
al. 2014) of 40 cells with one output, trained by `benchmarks/barge_in_training.py`, which says on
what: two to remember that somebody has begun to talk, two to tell whether somebody talks now. They
err on different sounds.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import fft

from voice.audio import DIGITAL_SILENCE_DB
from voice.types import FRAME_SAMPLES, RATE_HZ, AudioFrame
from voice.vad import VoiceActivity

FEATURES = 20
KINDS = ("begun", "talking")
NETWORKS = (*KINDS, *(f"{kind}2" for kind in KINDS))
BANDS = 16
_WEIGHTS = Path(__file__).with_name("likeness.npz")
_EDGES_HZ = (
    *(100, 200, 300, 400, 520, 660, 820, 1_000, 1_220, 1_480),
    *(1_780, 2_140, 2_560, 3_040, 3_600, 5_200, 7_600),
)
_QUIETEST_DB = -20.0
"""Of a band, in the scale of `_bands_db`: about -95 dBFS."""
_QUIET_LINE_DB = 15.0
"""The same of a quiet line: white noise at -70 dBFS, as in training."""
_RISE_DB = 0.04
_LOUDEST_DB = 45.0
_SCALE_DB = 15.0
_MOST_OVER_NOISE_DB = 60.0
_INNER_BANDS = 14
_LAGS = slice(RATE_HZ // 400, RATE_HZ // 70)

Floats = npt.NDArray[np.float32]
Judged = tuple[AudioFrame, VoiceActivity]


class FrameFeatures:
    """The features of one line's frames, in order: float32, (frames, 20), each within about ±3."""

    def __init__(self) -> None:
        self._before: Floats | None = None
        self._floor_db: npt.NDArray[np.float64] | None = None

    def push(self, frame: AudioFrame, activity: VoiceActivity) -> Floats:
        """The features of the next frame: shape (20,)."""
        features: Floats = self.follow([(frame, activity)])[0]
        return features

    def follow(self, heard: Sequence[Judged]) -> Floats:
        """The features of the next frames, each of 40 ms: the frame and the one before it."""
        found = np.zeros((len(heard), FEATURES), dtype=np.float32)
        start = 0
        for silent, group in itertools.groupby(heard, key=_is_silent):
            stretch = list(group)
            rows = found[start : start + len(stretch)]
            start += len(stretch)
            if silent:
                self._silence()
            else:
                self._sound([frame for frame, _ in stretch], rows)
            for row, (_, activity) in zip(rows, stretch, strict=True):
                over_noise_db = activity.level_db - activity.noise_floor_db
                row[BANDS] = 2.0 * activity.probability
                row[BANDS + 1] = min(max(over_noise_db, 0.0), _MOST_OVER_NOISE_DB) / _SCALE_DB
        return found

    def _silence(self) -> None:
        """Frames in which every sample is 0 say nothing of the background: an echo guard leaves
        such holes, and some lines send nothing while nobody talks."""
        self._before = None
        if self._floor_db is None:
            self._floor_db = np.full(BANDS, _QUIET_LINE_DB)

    def _sound(self, frames: Sequence[AudioFrame], rows: Floats) -> None:
        samples = np.zeros((len(frames) + 1, FRAME_SAMPLES), dtype=np.float32)
        for row, frame in zip(samples[1:], frames, strict=True):
            row[: len(frame.samples)] = frame.samples
        samples[0] = samples[1] if self._before is None else self._before
        self._before = samples[-1]
        spectrum = fft.rfft(_pairs(samples) * _window(), 4 * FRAME_SAMPLES)
        power = spectrum.real * spectrum.real
        power += spectrum.imag * spectrum.imag
        bands_db = np.add.reduceat(power, _starts(), axis=1, dtype=np.float64)[:, :-1]
        bands_db *= _shares()
        bands_db += 1e-9
        np.log10(bands_db, out=bands_db)
        bands_db *= 10.0
        np.maximum(bands_db, _QUIETEST_DB, out=bands_db)
        over_db = bands_db - self._floors(bands_db)
        rows[:, :BANDS] = np.minimum(over_db, _LOUDEST_DB) / _SCALE_DB
        rows[:, BANDS + 2] = 2.0 * _periodicity(power)
        rows[:, BANDS + 3] = _flatness(bands_db)

    def _floors(self, bands_db: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The background of each band: it falls at once and rises slowly."""
        floor_db = bands_db[0] if self._floor_db is None else self._floor_db
        risen_db = _RISE_DB * np.arange(len(bands_db) + 1)[:, np.newaxis]
        floors_db = np.concatenate((floor_db[np.newaxis], bands_db)) - risen_db
        found: npt.NDArray[np.float64] = np.minimum.accumulate(floors_db) + risen_db
        self._floor_db = found[-1]
        return found[1:]


def _is_silent(judged: Judged) -> bool:
    return judged[1].level_db <= DIGITAL_SILENCE_DB


def _pairs(samples: Floats) -> Floats:
    """Each row together with the one after it: shape (rows - 1, twice as many samples)."""
    step = samples.strides[0]
    return np.lib.stride_tricks.as_strided(
        samples, (len(samples) - 1, 2 * samples.shape[1]), (step, samples.itemsize), writeable=False
    )


def _periodicity(power: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """The highest peak of the normalised autocorrelation between 70 and 400 Hz, for each row."""
    lags = fft.irfft(power)
    whole = lags[:, 0]
    peaks = (lags[:, _LAGS] * _untapered()).max(axis=1)
    return np.where(whole > 0.0, peaks / np.maximum(whole, 1e-9), 0.0)


def _flatness(bands_db: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How even the bands up to 3.6 kHz are, for each row: 0 for white noise, less for a tone."""
    inner = bands_db[:, :_INNER_BANDS]
    found: npt.NDArray[np.float64] = inner.mean(axis=1) - inner.max(axis=1)
    return found / _SCALE_DB


@functools.cache
def _window() -> Floats:
    return np.hanning(2 * FRAME_SAMPLES).astype(np.float32)


@functools.cache
def _untapered() -> Floats:
    """One over the window's autocorrelation (1 at lag 0), where pitch is looked for."""
    power = np.abs(np.fft.rfft(_window(), 4 * FRAME_SAMPLES)) ** 2
    lags = np.fft.irfft(power)
    return np.asarray(1.0 / np.maximum(lags / lags[0], 0.1), dtype=np.float32)[_LAGS]


@functools.cache
def _starts() -> npt.NDArray[np.intp]:
    """The first bin of the spectrum in each band, and the first one above the last band."""
    return np.searchsorted(np.fft.rfftfreq(4 * FRAME_SAMPLES, 1.0 / RATE_HZ), _EDGES_HZ)


@functools.cache
def _shares() -> npt.NDArray[np.float64]:
    """What makes a band's sum its mean, for each sample."""
    return 1.0 / (np.diff(_starts()) * 2 * FRAME_SAMPLES)


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """The trained weights. Shapes: `inputs` (3·n, 20), `recurrent` (3·n, n), biases (3·n,), `out`
    (n,); the three parts are reset gate, update gate and candidate, as PyTorch orders them."""

    inputs: Floats
    recurrent: Floats
    input_bias: Floats
    recurrent_bias: Floats
    out: Floats
    out_bias: float | Floats

    @classmethod
    @functools.cache
    def load(cls) -> tuple[Network, ...]:
        """The shipped networks."""
        with np.load(_WEIGHTS) as stored:
            return tuple(
                cls(
                    inputs=stored[f"{name}_inputs"].astype(np.float32),
                    recurrent=stored[f"{name}_recurrent"].astype(np.float32),
                    input_bias=stored[f"{name}_input_bias"].astype(np.float32),
                    recurrent_bias=stored[f"{name}_recurrent_bias"].astype(np.float32),
                    out=stored[f"{name}_out"].astype(np.float32),
                    out_bias=float(stored[f"{name}_out_bias"]),
                )
                for name in NETWORKS
            )

    def follow(self, features: Floats, state: Floats) -> Iterator[Floats]:
        """The states after each of the next frames; `features` are (frames, 20)."""
        size = len(state)
        for given in features @ self.inputs.T + self.input_bias:
            kept = self.recurrent @ state
            kept += self.recurrent_bias
            gates = 1.0 / (1.0 + np.exp(-(given[: 2 * size] + kept[: 2 * size])))
            reset, update = gates[:size], gates[size:]
            fresh = np.tanh(given[2 * size :] + reset * kept[2 * size :])
            state = (1.0 - update) * fresh + update * state
            yield state


@functools.cache
def _side_by_side() -> Network:
    """The shipped networks as one, which costs little more than any of them: `out` (kinds, n) and
    `out_bias` (kinds,) give the mean odds of each kind."""
    networks = Network.load()
    ends = np.cumsum([len(network.out) for network in networks])
    whole, share = int(ends[-1]), np.float32(len(KINDS) / len(networks))
    inputs = np.zeros((3, whole, FEATURES), np.float32)
    recurrent = np.zeros((3, whole, whole), np.float32)
    input_bias, recurrent_bias = np.zeros((2, 3, whole), np.float32)
    out, out_bias = np.zeros((len(KINDS), whole), np.float32), np.zeros(len(KINDS), np.float32)
    for number, (network, end) in enumerate(zip(networks, ends, strict=True)):
        size, kind = len(network.out), number % len(KINDS)
        own = slice(end - size, end)
        inputs[:, own] = network.inputs.reshape(3, size, -1)
        recurrent[:, own, own] = network.recurrent.reshape(3, size, size)
        input_bias[:, own] = network.input_bias.reshape(3, size)
        recurrent_bias[:, own] = network.recurrent_bias.reshape(3, size)
        out[kind, own] = share * network.out
        out_bias[kind] += share * network.out_bias
    return Network(
        inputs=inputs.reshape(3 * whole, -1),
        recurrent=recurrent.reshape(3 * whole, whole),
        input_bias=input_bias.ravel(),
        recurrent_bias=recurrent_bias.ravel(),
        out=out,
        out_bias=out_bias,
    )


@dataclass(frozen=True, slots=True)
class Likeness:
    """The log-odds that somebody is talking, from everything heard so far: what the networks say
    in the mean, and what those of the more doubtful kind say."""

    likely: float
    surely: float


class SpeechLikeness:
    """Follows one line."""

    def __init__(self) -> None:
        self._features = FrameFeatures()
        self._networks = _side_by_side()
        self._state = np.zeros(self._networks.out.shape[1], np.float32)

    def follow(self, heard: Sequence[Judged]) -> list[Likeness]:
        """What each of the next frames makes of it. Many at once cost a quarter of what each costs
        by itself, and give the same."""
        networks = self._networks
        found = []
        for state in networks.follow(self._features.follow(heard), self._state):
            self._state = state
            kinds = (networks.out @ state + networks.out_bias).tolist()
            found.append(Likeness(sum(kinds) / len(kinds), min(kinds)))
        return found
