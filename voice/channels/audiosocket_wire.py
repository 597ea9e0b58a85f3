"""Asterisk's AudioSocket as bytes: a pure converter, without sockets.

Each message is a header (type u8, length u16 big-endian) and a payload. Sound is signed linear
16-bit little-endian, 8 kHz mono; 320 bytes are 20 ms.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from voice.channels.wire import WireError
from voice.types import Pcm

RATE_HZ = 8_000
FRAME_SAMPLES = 160
LARGEST_PAYLOAD = 8_192
"""Half a second; Asterisk sends 20 ms."""

CALLER_HUNG_UP = 0x01
"""The `Problem` that is none."""
OTHER_RATES = range(0x11, 0x19)
"""Kinds of sound at 12 to 192 kHz."""

_HEADER = struct.Struct(">BH")
_LITTLE = np.dtype("<i2")


class Kind(IntEnum):
    """The types of a message."""

    HANG_UP = 0x00
    CALL_ID = 0x01
    KEY = 0x03
    SOUND = 0x10
    PROBLEM = 0xFF


@dataclass(frozen=True, slots=True)
class HangUp:
    """The call is over."""


@dataclass(frozen=True, slots=True)
class CallId:
    """The first message of a call: the UUID that the dialplan gave it."""

    id: uuid.UUID


@dataclass(frozen=True, slots=True)
class Key:
    """A key was pressed: 0-9, `*`, `#`, A-D."""

    key: str


@dataclass(frozen=True, slots=True, eq=False)
class Sound:
    """int16 samples at 8 kHz."""

    samples: Pcm


@dataclass(frozen=True, slots=True)
class Problem:
    """Asterisk reports an error by its code."""

    code: int


Message = HangUp | CallId | Key | Sound | Problem


def encode(message: Message) -> bytes:
    """A message as bytes."""
    match message:
        case HangUp():
            return _HEADER.pack(Kind.HANG_UP, 0)
        case CallId(id):
            return _HEADER.pack(Kind.CALL_ID, 16) + id.bytes
        case Key(key):
            return _HEADER.pack(Kind.KEY, 1) + key.encode("ascii")
        case Sound(samples):
            payload = samples.astype(_LITTLE).tobytes()
            return _HEADER.pack(Kind.SOUND, len(payload)) + payload
        case Problem(code):
            return _HEADER.pack(Kind.PROBLEM, 1) + bytes([code])


class Decoder:
    """Bytes as they come in, messages as they are complete. Unknown types are skipped."""

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[Message]:
        """Take the next bytes. Raises `WireError` for a message that the protocol forbids."""
        held = self._held + data if self._held else data
        messages: list[Message] = []
        position = 0
        while len(held) - position >= _HEADER.size:
            kind, length = _HEADER.unpack_from(held, position)
            if length > LARGEST_PAYLOAD:
                raise WireError(f"a payload of {length} bytes (at most {LARGEST_PAYLOAD})")
            start = position + _HEADER.size
            if len(held) < start + length:
                break
            position = start + length
            message = _message(kind, held[start:position])
            if message is not None:
                messages.append(message)
        self._held = held[position:]
        return messages


def _message(kind: int, payload: bytes) -> Message | None:
    match kind:
        case Kind.HANG_UP:
            return HangUp()
        case Kind.CALL_ID:
            if len(payload) != 16:
                raise WireError(f"a call id of {len(payload)} bytes (16)")
            return CallId(uuid.UUID(bytes=payload))
        case Kind.KEY:
            if len(payload) != 1 or payload not in b"0123456789*#ABCDabcd":
                raise WireError("a key that no telephone has")
            return Key(payload.decode("ascii").upper())
        case Kind.SOUND:
            if len(payload) % 2:
                raise WireError(f"sound of {len(payload)} bytes (an even number)")
            return Sound(np.frombuffer(payload, dtype=_LITTLE).astype(np.int16, copy=False))
        case Kind.PROBLEM:
            return Problem(payload[0] if payload else 0)
    if kind in OTHER_RATES:
        raise WireError(
            f"sound of kind {kind:#04x}, which is not at 8 kHz; let the dialplan use slin"
        )
    return None
