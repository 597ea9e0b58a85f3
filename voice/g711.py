"""G.711: 8-bit logarithmic telephone audio, mu-law and A-law (ITU-T G.711)."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from voice.types import Pcm

_BIAS = 0x84
_CLIP = 32_635


def _mulaw_table() -> Pcm:
    code = ~np.arange(256, dtype=np.int32) & 0xFF
    exponent = (code >> 4) & 0x07
    magnitude = ((((code & 0x0F) << 3) + _BIAS) << exponent) - _BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_table() -> Pcm:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    exponent = (code >> 4) & 0x07
    mantissa = (code & 0x0F) << 4
    magnitude = np.where(
        exponent == 0, mantissa + 8, (mantissa + 0x108) << np.maximum(exponent - 1, 0)
    )
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


_MULAW = _mulaw_table()
_ALAW = _alaw_table()


@functools.cache
def _mulaw_codes() -> npt.NDArray[np.uint8]:
    """The byte for each int16, read as uint16."""
    value = np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)
    sign = np.where(value < 0, 0x80, 0)
    magnitude = np.minimum(np.abs(value), _CLIP) + _BIAS
    exponent = np.floor(np.log2(magnitude)).astype(np.int32) - 7
    mantissa = (magnitude >> (exponent + 3)) & 0x0F
    codes: npt.NDArray[np.uint8] = (~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8)
    return codes


def decode_mulaw(data: bytes) -> Pcm:
    """mu-law bytes to int16 samples, one for each byte."""
    return _MULAW[np.frombuffer(data, dtype=np.uint8)]


def decode_alaw(data: bytes) -> Pcm:
    """A-law bytes to int16 samples, one for each byte."""
    return _ALAW[np.frombuffer(data, dtype=np.uint8)]


def encode_mulaw(samples: Pcm) -> bytes:
    """int16 samples to mu-law bytes."""
    return _mulaw_codes()[samples.view(np.uint16)].tobytes()


def encode_alaw(samples: Pcm) -> bytes:
    """int16 samples to A-law bytes."""
    value = samples.astype(np.int32)
    sign = np.where(value >= 0, 0x80, 0)
    magnitude = np.where(value >= 0, value, -value - 1)
    exponent = np.maximum(np.floor(np.log2(np.maximum(magnitude, 1))).astype(np.int32) - 7, 0)
    mantissa = np.where(exponent == 0, magnitude >> 4, magnitude >> (exponent + 3)) & 0x0F
    return bytes(((sign | (exponent << 4) | mantissa) ^ 0x55).astype(np.uint8))
