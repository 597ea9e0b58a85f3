"""The assistant's own voice taken out of the microphone, by what the loudspeaker was given.

A partitioned-block frequency-domain Kalman filter (Kuech, Mabande & Enzner 2014, "State-space
architecture of the partitioned-block-based acoustic echo controller", ICASSP) estimates the path
from loudspeaker to microphone over half a second and subtracts what comes along it: it stays put
while both sides speak, which an NLMS filter does not. What no linear filter reaches (reverberation,
a loudspeaker that distorts) is gated: a frame is silence unless it is clearly louder than what is
usually left of the echo and has nothing of it: what still goes together with the echo, sample by
sample, is the echo along a path that has changed. `benchmarks/echo.py` measures both.
"""

from __future__ import annotations

import itertools
from collections import deque

import numpy as np
import numpy.typing as npt

from voice.types import FRAME_MS, FRAME_SAMPLES, RATE_HZ, Pcm

PATH_MS = 500
SETTLING_MS = 1_200
"""Of the assistant's speech, until the path counts as known; before, nothing passes it."""
MARGIN_DB = 8.0
"""How much louder than the usual remainder of the echo somebody else has to be."""
CLEAR_SHARE = 0.5
"""How much of a frame's power has to be somebody else's."""
LOUDEST_MARGIN_DB = 4.0
"""The same over the loudest remainder of late."""
MOST_ALIKE = 0.4
MOST_OPPOSED = 0.6
"""How far the remainder may correlate with the echo: somebody else's voice does not."""
LOST_MS = 400
"""After so long in which taking the echo out made it louder, the path is learnt afresh."""

_BINS = FRAME_SAMPLES + 1
_PARTITIONS = PATH_MS // FRAME_MS
_FIRST_DOUBT = 1.0
_DOUBT_FADES_OVER = 16.0
_FORGETTING = 0.999
_UNHEARD = FRAME_SAMPLES * 10.0**-5.0
"""Power in a bin of what is too faint to be learnt: -50 dBFS."""
_NOISE_SMOOTHING = 0.8
_SILENT = 1e-7
_TINY = 1e-9
_EDGES_HZ = (150, 400, 700, 1_100, 1_600, 2_300, 3_200, 4_500, 7_800)
_REVERBERATION = 0.85
_USUAL_PERCENTILE = 80
_LOUDEST_PERCENTILE = 95
_USUAL_OVER_MS = 4_000
_LARGEST_RATIO_DB = 12.0
_AUDIBLE_DB = -75.0
_TELLING_SHARE = 0.03
_LOUDEST_FADES = 0.99
_ALIKE_OVER = 4
_NOTABLE_SHARE = 0.2

Sound = npt.NDArray[np.float64]


class EchoPath:
    """The path from loudspeaker to microphone, learnt block by block (20 ms)."""

    def __init__(self) -> None:
        shape = (_PARTITIONS, _BINS)
        fading = np.exp(-np.arange(_PARTITIONS) / _DOUBT_FADES_OVER)[:, np.newaxis]
        self._given = np.zeros(shape, dtype=np.complex128)
        self._path = np.zeros(shape, dtype=np.complex128)
        self._doubt = np.ones(shape) * _FIRST_DOUBT * fading
        self._noise = np.full(_BINS, 1e-3)
        self._last = np.zeros(FRAME_SAMPLES)

    def push(self, heard: Sound, given: Sound) -> tuple[Sound, Sound]:
        """The next 20 ms of both, in [-1, 1]: what is left of what was heard, and the echo that was
        taken out."""
        spectrum = np.fft.rfft(np.concatenate([self._last, given]))
        self._last = given
        self._given = np.concatenate([spectrum[np.newaxis], self._given[:-1]])
        power = np.abs(self._given) ** 2
        if power.sum() < _SILENT:
            return heard, np.zeros(FRAME_SAMPLES)
        echo = np.fft.irfft((self._path * self._given).sum(axis=0))[FRAME_SAMPLES:]
        left = heard - echo
        self._learn(left, power)
        return left, echo

    def _learn(self, left: Sound, power: Sound) -> None:
        error = np.fft.rfft(np.concatenate([np.zeros(FRAME_SAMPLES), left]))
        self._noise += (1.0 - _NOISE_SMOOTHING) * (np.abs(error) ** 2 - self._noise)
        noise = np.maximum(self._noise, _UNHEARD)
        uncertain = (power * self._doubt).sum(axis=0) + 2.0 * noise
        gain = self._doubt / uncertain * self._given.conj()
        step = np.fft.irfft(gain * error, axis=1)
        step[:, FRAME_SAMPLES:] = 0.0
        self._path = _FORGETTING * (self._path + np.fft.rfft(step, axis=1))
        known = 1.0 - 0.5 * (gain * self._given).real
        drift = (1.0 - _FORGETTING**2) * np.abs(self._path) ** 2
        self._doubt = _FORGETTING**2 * known * self._doubt + drift


class EchoGuard:
    """The microphone without the assistant.

    Takes 20 ms frames of int16 at 16 kHz. While the assistant is silent the microphone passes
    unchanged.
    """

    def __init__(self) -> None:
        edges = np.asarray(_EDGES_HZ) * FRAME_SAMPLES // RATE_HZ
        self._bands = [slice(low, high) for low, high in itertools.pairwise(edges)]
        self._window = np.hanning(FRAME_SAMPLES)
        self._recent: deque[tuple[float, ...]] = deque(maxlen=_ALIKE_OVER)
        self._since_given_ms = PATH_MS
        self.relearn()

    def relearn(self) -> None:
        """The path has changed (the device stumbled, somebody moved it): nothing is known of it."""
        self._path = EchoPath()
        self._echo = np.zeros(len(self._bands))
        self._left_db: deque[Sound] = deque(maxlen=_USUAL_OVER_MS // FRAME_MS)
        self._usual_db = np.zeros(len(self._bands))
        self._loudest_db = np.zeros(len(self._bands))
        self._loudest_echo = 0.0
        self._settled_ms = 0
        self._lost_ms = 0

    def push(self, heard: Pcm, given: Pcm) -> Pcm:
        """What the microphone heard, less what came from the loudspeaker (`given`: what it was
        playing when the frame was recorded; up to half a second of delay is learnt)."""
        sound = heard / 32_768.0
        left, echo = self._path.push(sound, given / 32_768.0)
        self._echo = np.maximum(self._powers(echo), _REVERBERATION * self._echo)
        pairs = ((left, left), (echo, echo), (left, echo), (sound, sound))
        self._recent.append(tuple(float(a @ b) for a, b in pairs))
        if np.any(given):
            self._settled_ms += FRAME_MS
            self._since_given_ms = 0
        else:
            self._since_given_ms += FRAME_MS
        audible = 10.0 * np.log10(self._echo.sum() + _TINY**2) > _AUDIBLE_DB
        if self._settled_ms < SETTLING_MS:
            audible = self._since_given_ms < PATH_MS
        if not audible:
            return heard
        passes = self._is_louder(self._powers(left), self._powers(echo)) and not self._is_echo()
        if self._settled_ms >= SETTLING_MS and self._is_lost():
            self.relearn()
        if not passes or self._settled_ms < SETTLING_MS:
            return np.zeros_like(heard)
        return np.clip(left * 32_768.0, -32_768, 32_767).astype(np.int16)

    def _powers(self, sound: Sound) -> Sound:
        power = np.abs(np.fft.rfft(sound * self._window)) ** 2 / FRAME_SAMPLES**2
        return np.asarray([power[band].sum() for band in self._bands])

    def _is_louder(self, left: Sound, echo: Sound) -> bool:
        """Whether most of the frame is more than what is usually left of the echo: of an echo as
        loud as this one, or at all."""
        for_this = self._echo * 10.0 ** ((self._usual_db + MARGIN_DB) / 10.0)
        expected = np.minimum(for_this, 10.0 ** ((self._loudest_db + LOUDEST_MARGIN_DB) / 10.0))
        clear = np.maximum(0.0, left - expected).sum() > CLEAR_SHARE * left.sum()
        if echo.sum() > _TELLING_SHARE * self._loudest_echo:
            level_db = 10.0 * np.log10(left + _TINY**2)
            ratio_db = level_db - 10.0 * np.log10(self._echo + _TINY**2)
            ratio_db = np.clip(ratio_db, -60.0, _LARGEST_RATIO_DB)
            self._left_db.append(np.stack([ratio_db, level_db]))
            if len(self._left_db) % 5 == 0:
                kept = np.stack(self._left_db)
                self._usual_db = np.percentile(kept[:, 0], _USUAL_PERCENTILE, axis=0)
                self._loudest_db = np.percentile(kept[:, 1], _LOUDEST_PERCENTILE, axis=0)
        self._loudest_echo = max(echo.sum(), _LOUDEST_FADES * self._loudest_echo)
        return bool(clear)

    def _is_echo(self) -> bool:
        """Whether what is left goes together with what was taken out: too little was (they agree),
        or something else (they are opposed)."""
        left, echo, both, _ = np.sum(self._recent, axis=0)
        alike = both / np.sqrt(left * echo + _TINY**2)
        return bool(alike > MOST_ALIKE or alike < -MOST_OPPOSED)

    def _is_lost(self) -> bool:
        """Whether taking the echo out has made it louder for a while."""
        left, echo, _, sound = np.sum(self._recent, axis=0)
        if sound < _ALIKE_OVER * _UNHEARD:
            return False
        worse = left > sound and echo > _NOTABLE_SHARE * sound
        self._lost_ms = self._lost_ms + FRAME_MS if worse else 0
        return self._lost_ms >= LOST_MS
