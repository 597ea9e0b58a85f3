"""Twilio Media Streams as text: pure converters, without sockets.

Every message is one JSON object; sound is base64 of mu-law at 8 kHz, numbers come as strings.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from voice.channels.wire import WireError
from voice.g711 import decode_mulaw, encode_mulaw
from voice.types import Pcm

LARGEST_MESSAGE = 32_768
LARGEST_SOUND = 8_000
"""One second; Twilio sends 20 ms."""
LARGEST_NUMBER = 2**53
_MOST_PARAMETERS = 32


@dataclass(frozen=True, slots=True)
class Connected:
    """The socket is open."""


@dataclass(frozen=True, slots=True)
class Started:
    """The stream begins: its ids, and what the TwiML passed along."""

    stream: str
    call: str
    account: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Media:
    """A piece of the caller: int16 samples at 8 kHz; `chunk` counts from 1."""

    chunk: int
    samples: Pcm


@dataclass(frozen=True, slots=True)
class Key:
    """A key was pressed."""

    key: str


@dataclass(frozen=True, slots=True)
class MarkPlayed:
    """What was sent before this mark has been played, or cleared."""

    name: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The call left the stream."""


Message = Connected | Started | Media | Key | MarkPlayed | Stopped


def parse(text: str | bytes) -> Message | None:
    """A message; None for an event that does not concern us (a later version's, another track's).

    Raises `WireError` naming the field that is wrong.
    """
    if len(text) > LARGEST_MESSAGE:
        raise WireError(f"a message of {len(text)} characters (at most {LARGEST_MESSAGE})")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise WireError("a message that is not JSON") from None
    if not isinstance(content, dict):
        raise WireError("a message that is not a JSON object")
    event = content.get("event")
    if not isinstance(event, str):
        raise WireError("event: missing")
    read = _EVENTS.get(event)
    return read(content) if read is not None else None


def _started(content: Mapping[str, Any]) -> Started:
    start = _object(content, "start")
    sound = _object(start, "mediaFormat")
    if (sound.get("encoding"), _number(sound, "sampleRate"), _number(sound, "channels")) != (
        "audio/x-mulaw",
        8_000,
        1,
    ):
        raise WireError("start.mediaFormat: not mono mu-law at 8000 Hz")
    parameters = start.get("customParameters") or {}
    if not isinstance(parameters, dict) or len(parameters) > _MOST_PARAMETERS:
        raise WireError("start.customParameters: not a small object")
    return Started(
        stream=_text(content if "streamSid" in content else start, "streamSid"),
        call=_text(start, "callSid"),
        account=str(start.get("accountSid", "")),
        parameters={str(name): str(value) for name, value in parameters.items()},
    )


def _media(content: Mapping[str, Any]) -> Media | None:
    media = _object(content, "media")
    if media.get("track", "inbound") != "inbound":
        return None
    try:
        sound = base64.b64decode(_text(media, "payload"), validate=True)
    except (binascii.Error, ValueError):
        raise WireError("media.payload: not base64") from None
    if len(sound) > LARGEST_SOUND:
        raise WireError(f"media.payload: {len(sound)} samples (at most {LARGEST_SOUND})")
    return Media(_number(media, "chunk"), decode_mulaw(sound))


def _key(content: Mapping[str, Any]) -> Key:
    key = _text(_object(content, "dtmf"), "digit")
    if len(key) != 1 or key not in "0123456789*#ABCDabcd":
        raise WireError("dtmf.digit: no key of a telephone")
    return Key(key.upper())


def _played(content: Mapping[str, Any]) -> MarkPlayed:
    return MarkPlayed(_text(_object(content, "mark"), "name"))


_EVENTS: Mapping[str, Callable[[Mapping[str, Any]], Message | None]] = {
    "connected": lambda _: Connected(),
    "start": _started,
    "media": _media,
    "dtmf": _key,
    "mark": _played,
    "stop": lambda _: Stopped(),
}


def _object(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = content.get(name)
    if not isinstance(value, dict):
        raise WireError(f"{name}: missing")
    return value


def _text(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str):
        raise WireError(f"{name}: missing")
    return value


def _number(content: Mapping[str, Any], name: str) -> int:
    value = content.get(name)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 17:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < LARGEST_NUMBER:
        raise WireError(f"{name}: not a number")
    return value


def media(stream: str, samples: Pcm) -> str:
    """int16 samples at 8 kHz to be heard after what was sent before."""
    payload = base64.b64encode(encode_mulaw(samples)).decode("ascii")
    return json.dumps({"event": "media", "streamSid": stream, "media": {"payload": payload}})


def mark(stream: str, name: str) -> str:
    """Asks to be told when everything sent so far has been played."""
    return json.dumps({"event": "mark", "streamSid": stream, "mark": {"name": name}})


def clear(stream: str) -> str:
    """Drops what was sent and not played yet."""
    return json.dumps({"event": "clear", "streamSid": stream})


class ChunkOrder:
    """Puts the caller's pieces in order by their number.

    A piece that is missing is waited for while at most 5 later ones (100 ms) are held, then it
    becomes silence; one that comes twice, or too late, is dropped.
    """

    HELD = 5
    MOST_SILENT = 50

    def __init__(self) -> None:
        self._next: int | None = None
        self._held: dict[int, Pcm] = {}
        self.lost = 0
        self.dropped = 0

    def push(self, piece: Media) -> list[Pcm]:
        """Take a piece; what can be heard now, in order."""
        if self._next is None:
            self._next = piece.chunk
        if piece.chunk < self._next or piece.chunk in self._held:
            self.dropped += 1
            return []
        self._held[piece.chunk] = piece.samples
        ready = self._in_order()
        if len(self._held) > self.HELD:
            first = min(self._held)
            missing = first - self._next
            self.lost += missing
            silence = np.zeros(len(self._held[first]), dtype=np.int16)
            ready += [silence] * min(missing, self.MOST_SILENT)
            self._next = first
            ready += self._in_order()
        return ready

    def _in_order(self) -> list[Pcm]:
        ready = []
        while self._next is not None and self._next in self._held:
            ready.append(self._held.pop(self._next))
            self._next += 1
        return ready
