"""A simulated telephone line: band, hiss, hum, companding."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import soxr
from scipy.signal import butter, sosfiltfilt

from voice.types import RATE_HZ

Floats = npt.NDArray[np.floating]
_LINE_HZ = 8_000


def telephone_line(
    samples: Floats,
    random: np.random.Generator,
    *,
    band_hz: tuple[float, float],
    snr_db: float,
    order: int = 4,
    level_db: float | None = None,
    noise: Floats | None = None,
    noise_snr_db: float = 20.0,
    hum_hz: float | None = None,
    hum_snr_db: float = 20.0,
) -> npt.NDArray[np.float32]:
    """Speech in [-1, 1] at 16 kHz over an 8 kHz mu-law line, back at 16 kHz.

    `level_db` sets the RMS of the speech (None keeps it); `noise` is float at 16 kHz and is
    repeated as needed; hiss, noise and hum are set relative to the speech.
    """
    sos = butter(order, band_hz, "bandpass", fs=RATE_HZ, output="sos")
    narrow = soxr.resample(sosfiltfilt(sos, samples), RATE_HZ, _LINE_HZ, quality="VHQ")
    rms = float(np.sqrt(np.mean(narrow**2))) + 1e-9
    if level_db is not None:
        narrow = narrow * (10 ** (level_db / 20) / rms)
        rms = 10 ** (level_db / 20)
    narrow = narrow + random.standard_normal(len(narrow)) * rms * 10 ** (-snr_db / 20)
    if noise is not None:
        other = np.resize(soxr.resample(noise, RATE_HZ, _LINE_HZ), len(narrow))
        other = other / (np.sqrt(np.mean(other**2)) + 1e-9)
        narrow = narrow + other * rms * 10 ** (-noise_snr_db / 20)
    if hum_hz is not None:
        wave = np.sin(2 * np.pi * hum_hz * np.arange(len(narrow)) / _LINE_HZ)
        narrow = narrow + wave * rms * 10 ** (-hum_snr_db / 20)
    wide: npt.NDArray[np.float32] = soxr.resample(_companded(narrow), _LINE_HZ, RATE_HZ)
    return wide.astype(np.float32)


def _companded(samples: Floats) -> Floats:
    """Through mu-law with 8 bits and back."""
    mu = 255.0
    bounded = np.clip(samples, -1, 1)
    coded = np.round(np.sign(bounded) * np.log1p(mu * np.abs(bounded)) / np.log1p(mu) * 127) / 127
    out: Floats = np.sign(coded) * np.expm1(np.abs(coded) * np.log1p(mu)) / mu
    return out
