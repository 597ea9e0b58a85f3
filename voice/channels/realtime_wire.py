"""The OpenAI-Realtime subset as text: pure converters, without sockets.

Every message is one JSON object with a `type`; sound is base64 of int16 little-endian mono PCM at
24 or 16 kHz. What the protocol has no name for stands under `attune.*`.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dialogue.types import ConsentState, Purpose
from voice.channels.wire import WireError
from voice.types import Pcm

LARGEST_MESSAGE = 65_536
LARGEST_SOUND = 24_000
"""Samples in one message: one second at 24 kHz."""
LARGEST_NUMBER = 2**53
RATES_HZ = (24_000, 16_000)
LOWEST_PACE, HIGHEST_PACE = 0.85, 1.15
_LONGEST_NAME = 128


class RequestError(WireError):
    """A message that cannot be followed; the session goes on. `param` is the field at fault,
    `event_id` the client's own name of the message."""

    def __init__(self, problem: str, *, code: str = "invalid_value", param: str = "") -> None:
        super().__init__(f"{param}: {problem}" if param else problem)
        self.code = code
        self.param = param
        self.event_id = ""


@dataclass(frozen=True, slots=True)
class SessionUpdate:
    """How the client wants to talk; None leaves a thing as it is.

    `beta` says that the client uses the protocol's earlier names.
    """

    in_hz: int | None = None
    out_hz: int | None = None
    push_to_talk: bool | None = None
    beta: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Append:
    """A piece of the caller: int16 samples at the session's rate."""

    samples: Pcm


@dataclass(frozen=True, slots=True)
class Commit:
    """The caller's turn is over."""


@dataclass(frozen=True, slots=True)
class Clear:
    """What was sent and not yet worked on is to be dropped."""


@dataclass(frozen=True, slots=True)
class CreateResponse:
    """An answer is asked for; every turn has one anyway."""


@dataclass(frozen=True, slots=True)
class Cancel:
    """The assistant is to stop speaking."""


@dataclass(frozen=True, slots=True)
class Truncate:
    """Of this item only `heard_ms` were heard, and no more will be."""

    item: str
    heard_ms: int


@dataclass(frozen=True, slots=True)
class Played:
    """Of this item `heard_ms` were heard so far."""

    item: str
    heard_ms: int


@dataclass(frozen=True, slots=True)
class Consent:
    """The caller allows a purpose, or takes it back."""

    purpose: Purpose
    state: ConsentState


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast the caller wants to be spoken to."""

    factor: float


@dataclass(frozen=True, slots=True)
class WantPerson:
    """The caller wants to speak to a person."""


Message = (
    SessionUpdate
    | Append
    | Commit
    | Clear
    | CreateResponse
    | Cancel
    | Truncate
    | Played
    | Consent
    | Pace
    | WantPerson
)


def parse(text: str | bytes) -> Message:
    """A client's message.

    Raises `RequestError` naming the field that is wrong; the session may go on.
    """
    if len(text) > LARGEST_MESSAGE:
        raise RequestError(f"{len(text)} characters are too many (at most {LARGEST_MESSAGE})")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise RequestError("not JSON", code="invalid_json") from None
    if not isinstance(content, dict):
        raise RequestError("not a JSON object", code="invalid_json")
    try:
        kind = _text(content, "type")
        if (read := _MESSAGES.get(kind)) is None:
            raise RequestError("not known here", code="unknown_event", param="type")
        return read(content)
    except RequestError as error:
        event_id = content.get("event_id")
        error.event_id = event_id[:_LONGEST_NAME] if isinstance(event_id, str) else ""
        raise


_BETA_FIELDS = {"modalities", "input_audio_format", "output_audio_format", "turn_detection"}


def _session(content: Mapping[str, Any]) -> SessionUpdate:
    session = _object(content, "session", "session")
    if session.get("type", "realtime") != "realtime":
        raise RequestError("only realtime sessions are held here", param="session.type")
    audio = _object(session, "audio", "session.audio", optional=True)
    heard = _object(audio, "input", "session.audio.input", optional=True)
    spoken = _object(audio, "output", "session.audio.output", optional=True)
    for name in ("input_audio_format", "output_audio_format"):
        if session.get(name, "pcm16") != "pcm16":
            raise RequestError("only pcm16 is spoken here", param=f"session.{name}")
    manual: bool | None = None
    for place, where in ((session, "session"), (heard, "session.audio.input")):
        if "turn_detection" in place:
            detection = place["turn_detection"]
            if detection is not None and not isinstance(detection, dict):
                raise RequestError("neither an object nor null", param=f"{where}.turn_detection")
            manual = detection is None
    return SessionUpdate(
        in_hz=_rate(heard, "session.audio.input.format"),
        out_hz=_rate(spoken, "session.audio.output.format"),
        push_to_talk=manual,
        beta="audio" not in session and bool(_BETA_FIELDS & session.keys()),
    )


def _rate(place: Mapping[str, Any], where: str) -> int | None:
    form = _object(place, "format", where, optional=True)
    if not form:
        return None
    if form.get("type", "audio/pcm") != "audio/pcm":
        raise RequestError("only audio/pcm is spoken here", param=f"{where}.type")
    rate = form.get("rate", RATES_HZ[0])
    if isinstance(rate, bool) or rate not in RATES_HZ:
        raise RequestError("24000 or 16000 are spoken here", param=f"{where}.rate")
    return int(rate)


def _append(content: Mapping[str, Any]) -> Append:
    try:
        sound = base64.b64decode(_text(content, "audio", LARGEST_MESSAGE), validate=True)
    except (binascii.Error, ValueError):
        raise RequestError("not base64", param="audio") from None
    if len(sound) % 2:
        raise RequestError("half a sample at the end", param="audio")
    if len(sound) > 2 * LARGEST_SOUND:
        raise RequestError(f"more than {LARGEST_SOUND} samples", param="audio")
    return Append(np.frombuffer(sound, dtype="<i2").astype(np.int16, copy=False))


def _truncate(content: Mapping[str, Any]) -> Truncate:
    return Truncate(_text(content, "item_id"), _number(content, "audio_end_ms"))


def _played(content: Mapping[str, Any]) -> Played:
    return Played(_text(content, "item_id"), _number(content, "audio_end_ms"))


def _consent(content: Mapping[str, Any]) -> Consent:
    try:
        return Consent(Purpose(_text(content, "purpose")), ConsentState(_text(content, "state")))
    except ValueError:
        raise RequestError("no such purpose or state", param="purpose") from None


def pace_of(value: object) -> float:
    """A pace within the limits. Raises `RequestError` for what is no number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RequestError("not a number", param="factor")
    return min(max(float(value), LOWEST_PACE), HIGHEST_PACE)


_MESSAGES: Mapping[str, Callable[[Mapping[str, Any]], Message]] = {
    "session.update": _session,
    "input_audio_buffer.append": _append,
    "input_audio_buffer.commit": lambda _: Commit(),
    "input_audio_buffer.clear": lambda _: Clear(),
    "response.create": lambda _: CreateResponse(),
    "response.cancel": lambda _: Cancel(),
    "output_audio_buffer.clear": lambda _: Cancel(),
    "conversation.item.truncate": _truncate,
    "attune.playback": _played,
    "attune.consent.update": _consent,
    "attune.pace.update": lambda content: Pace(pace_of(content.get("factor"))),
    "attune.person.request": lambda _: WantPerson(),
}


def _object(
    content: Mapping[str, Any], name: str, where: str, *, optional: bool = False
) -> Mapping[str, Any]:
    value = content.get(name)
    if value is None and optional:
        return {}
    if not isinstance(value, dict):
        raise RequestError("not an object", param=where)
    return value


def _text(content: Mapping[str, Any], name: str, longest: int = _LONGEST_NAME) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not value:
        raise RequestError("missing", code="missing_required_parameter", param=name)
    if len(value) > longest:
        raise RequestError("too long", param=name)
    return value


def _number(content: Mapping[str, Any], name: str) -> int:
    value = content.get(name)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < LARGEST_NUMBER:
        raise RequestError("not a number", param=name)
    return value
