"""Telephone speech for a recogniser trained on wide-band speech.

The acoustic model that comes with pocketsphinx has heard 16 kHz speech only. What a telephone line
leaves of it (300-3400 Hz, companded, noisy) is mapped here, frame by frame, to the cepstra that
the model would have seen of the same speech in the clear: a small network learned from pairs of
clean and degraded speech (`voice.recognition.training.telephone_band`), run in numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from voice.types import RATE_HZ, Pcm

Floats = npt.NDArray[np.float32]

HOP = RATE_HZ // 100
WINDOW = 410
BANDS = 24
CONTEXT = 7
"""Frames on each side of the one that is mapped."""
SETTLE = 40
"""Frames heard before the first is mapped, so that the channel's mean is known."""
CEPSTRA = 13

_FFT = 512
_LOW_HZ, _HIGH_HZ = 200.0, 3_600.0
_TELEPHONE_BELOW_DB = -38.0


def is_telephone_band(samples: Pcm) -> bool:
    """Whether speech (int16 at 16 kHz) has nothing above 4 kHz, as after an 8 kHz line.

    Compares 4.3-7.5 kHz with 0.3-3.4 kHz over each 20 ms frame within 30 dB of the loudest; any
    wide-band speech has consonants that are strong up there. False for silence.
    """
    if len(samples) < _FFT:
        return False
    count = (len(samples) - _FFT) // (_FFT // 2) + 1
    at = np.arange(count)[:, None] * (_FFT // 2) + np.arange(_FFT)
    frames = samples.astype(np.float64)[at] * np.hanning(_FFT)
    power = np.abs(np.fft.rfft(frames)) ** 2
    hz = np.fft.rfftfreq(_FFT, 1 / RATE_HZ)
    low = power[:, (hz >= 300) & (hz <= 3_400)].sum(axis=1)
    high = power[:, (hz >= 4_300) & (hz <= 7_500)].sum(axis=1)
    loudest = float((low + high).max())
    if loudest < 1e6:
        return False
    share_db = 10 * np.log10(high.max() / loudest + 1e-12)
    return bool(share_db < _TELEPHONE_BELOW_DB)


def log_bands(samples: npt.NDArray[np.floating]) -> Floats:
    """Log energies [frames, BANDS] of mel bands within the telephone band, one every 10 ms.

    `samples` are at 16 kHz in the scale of int16; frames lie as in pocketsphinx's front end.
    """
    count = max(0, (len(samples) - WINDOW) // HOP + 1)
    at = np.arange(count)[:, None] * HOP + np.arange(WINDOW)
    emphasised = np.empty(len(samples), np.float32)
    emphasised[:1] = samples[:1]
    emphasised[1:] = samples[1:] - 0.97 * samples[:-1]
    frames = emphasised[at] * np.hamming(WINDOW).astype(np.float32)
    power = np.abs(np.fft.rfft(frames, _FFT)).astype(np.float32) ** 2
    bands: Floats = np.log(power @ _filters() + 1e3).astype(np.float32)
    return bands


@dataclass(frozen=True, slots=True, eq=False)
class BandMap:
    """The learned mapping: log bands with context -> cepstra as pocketsphinx sees clean speech."""

    layers: tuple[tuple[Floats, Floats], ...]
    mean: Floats
    """What is added to the output: the usual mean of clean cepstra, to be set as the decoder's."""
    scale: Floats

    @classmethod
    def load(cls) -> BandMap:
        """The shipped mapping."""
        return _shipped()

    def apply(self, normalised: Floats) -> Floats:
        """Cepstra [n, 13] for normalised bands [n + 2 * CONTEXT, BANDS]."""
        count = len(normalised) - 2 * CONTEXT
        hidden = np.concatenate([normalised[k : k + count] for k in range(2 * CONTEXT + 1)], axis=1)
        for number, (weight, bias) in enumerate(self.layers):
            hidden = hidden @ weight + bias
            if number + 1 < len(self.layers):
                hidden = np.maximum(hidden, 0.0)
        out: Floats = (hidden * self.scale + self.mean).astype(np.float32)
        return out


class BandStream:
    """Maps a stream of samples: cepstra come out `CONTEXT` frames late, the first after SETTLE."""

    def __init__(self, band_map: BandMap) -> None:
        self._map = band_map
        self._samples = np.zeros(0, np.float32)
        self._sum = np.zeros(BANDS, np.float64)
        self._count = 0
        self._bands = np.zeros((0, BANDS), np.float32)
        self._started = False

    def accept(self, samples: Pcm) -> Floats:
        """The cepstra [n, 13] that are ready after these samples; n may be 0."""
        self._samples = np.concatenate([self._samples, samples.astype(np.float32)])
        fresh = log_bands(self._samples)
        self._samples = self._samples[len(fresh) * HOP :]
        self._sum += fresh.sum(axis=0)
        self._count += len(fresh)
        self._bands = np.concatenate([self._bands, fresh])
        if self._count < SETTLE:
            return np.zeros((0, CEPSTRA), np.float32)
        return self._ready()

    def flush(self) -> Floats:
        """The cepstra still owed when a segment ends; the channel's mean is kept."""
        if not len(self._bands):
            return np.zeros((0, CEPSTRA), np.float32)
        self._bands = np.concatenate([self._bands, np.repeat(self._bands[-1:], CONTEXT, axis=0)])
        out = self._ready()
        self._samples = np.zeros(0, np.float32)
        self._bands = np.zeros((0, BANDS), np.float32)
        self._started = False
        return out

    def _ready(self) -> Floats:
        if not self._started and len(self._bands):
            self._bands = np.concatenate([np.repeat(self._bands[:1], CONTEXT, axis=0), self._bands])
            self._started = True
        if len(self._bands) <= 2 * CONTEXT:
            return np.zeros((0, CEPSTRA), np.float32)
        mean = (self._sum / max(1, self._count)).astype(np.float32)
        out = self._map.apply(self._bands - mean)
        self._bands = self._bands[len(out) :]
        return out


def running_normalised(bands: Floats) -> Floats:
    """Each frame less the mean of all frames up to it, or of the first SETTLE: what BandStream
    subtracts, for training. [n, BANDS] -> [n, BANDS]."""
    sums = np.cumsum(bands.astype(np.float64), axis=0)
    last = np.minimum(np.maximum(np.arange(len(bands)) + CONTEXT, SETTLE - 1), len(bands) - 1)
    out: Floats = (bands - sums[last] / (last + 1)[:, None]).astype(np.float32)
    return out


@cache
def _filters() -> Floats:
    """Triangular mel filters [_FFT / 2 + 1, BANDS] between the ends of the telephone band."""
    low, high = (2595 * np.log10(1 + f / 700) for f in (_LOW_HZ, _HIGH_HZ))
    edges = 700 * (10 ** (np.linspace(low, high, BANDS + 2) / 2595) - 1)
    hz = np.fft.rfftfreq(_FFT, 1 / RATE_HZ)[:, None]
    rising = (hz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - hz) / (edges[2:] - edges[1:-1])
    filters: Floats = np.maximum(0, np.minimum(rising, falling)).astype(np.float32)
    return filters


@cache
def _shipped() -> BandMap:
    with (files("voice.recognition") / "data" / "telephone_band.npz").open("rb") as file:
        stored = np.load(file)
        count = sum(1 for name in stored.files if name.startswith("weight"))
        layers = tuple(
            (stored[f"weight{i}"].astype(np.float32), stored[f"bias{i}"].astype(np.float32))
            for i in range(count)
        )
        return BandMap(layers, stored["mean"], stored["scale"])
