"""The espeak-ng C library of the `espeakng-loader` wheel, through ctypes.

Only worker processes import this module: the library is GPL, keeps one global state a process,
and calls `exit(1)` when its data folder is wrong.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import espeakng_loader

from nlu.errors import AttuneError

RATE, VOLUME, PITCH, RANGE = 1, 2, 3, 4
WORD_GAP = 7

EVENT_END_OF_LIST = 0
EVENT_WORD = 1
EVENT_CLAUSE_END = 5

_OUTPUT_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_CHARS_UTF8 = 1
_POSITION_CHARACTER = 1

CONTINUE, ABORT = 0, 1


class _Identifier(ctypes.Union):
    _fields_ = (("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8))


class Event(ctypes.Structure):
    """`espeak_EVENT` of speak_lib.h."""

    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Identifier),
    )


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event)
)


class Mark(NamedTuple):
    """A word's beginning or a clause's end: `offset` and `length` in characters of the text,
    `sample` counted from the start of the synthesis."""

    kind: int
    offset: int
    length: int
    sample: int


OnSamples = Callable[[bytes, list[Mark]], bool]
"""Takes native int16 PCM and the marks that fall in it; returns False to stop."""


class EspeakLibrary:
    """One initialised espeak-ng. There may be only one in a process.

    Synthesis is synchronous: `synthesize` returns when all samples have been handed over.
    """

    def __init__(self, buffer_ms: int = 30) -> None:
        data = Path(espeakng_loader.get_data_path())
        if not (data / "phontab").is_file():
            raise AttuneError(
                f"espeak-ng's data folder {data} is incomplete: reinstall espeakng-loader."
            )
        os.environ["ESPEAK_DATA_PATH"] = str(data)
        self._c: Any = ctypes.CDLL(espeakng_loader.get_library_path())
        self._c.espeak_SetVoiceByName.argtypes = [ctypes.c_char_p]
        self._c.espeak_Synth.argtypes = [
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.c_uint,
            ctypes.c_int,
            ctypes.c_uint,
            ctypes.c_uint,
            ctypes.c_void_p,
            ctypes.c_void_p,
        ]
        self.rate_hz = int(
            self._c.espeak_Initialize(
                _OUTPUT_SYNCHRONOUS, buffer_ms, str(data).encode(), _DONT_EXIT
            )
        )
        if self.rate_hz <= 0:
            raise AttuneError("espeak-ng did not start: reinstall espeakng-loader.")
        self._on_samples: OnSamples | None = None
        self._callback = _Callback(self._receive)
        self._c.espeak_SetSynthCallback(self._callback)

    def set_voice(self, name: str) -> bool:
        """Choose a voice such as `en-us+f2`; False when there is none of that name."""
        return int(self._c.espeak_SetVoiceByName(name.encode())) == 0

    def set_voice_file(self, path: Path) -> bool:
        """Choose the voice that a voice file describes; this also clears the generator's state."""
        return int(self._c.espeak_SetVoiceByFile(str(path).encode())) == 0

    def seed(self, seed: int) -> None:
        """Start the generator's noise from a known place."""
        self._c.espeak_ng_SetRandSeed(ctypes.c_long(seed))

    def set_parameter(self, parameter: int, value: int) -> None:
        """Set one of RATE, VOLUME, PITCH, RANGE, WORD_GAP."""
        self._c.espeak_SetParameter(parameter, value, 0)

    def parameter(self, parameter: int) -> int:
        """The value in force."""
        return int(self._c.espeak_GetParameter(parameter, 1))

    def synthesize(self, text: str, on_samples: OnSamples) -> None:
        """Speak `text`, handing over samples at `rate_hz` as they are made."""
        self._on_samples = on_samples
        encoded = text.encode("utf-8", "ignore")
        try:
            self._c.espeak_Synth(
                encoded, len(encoded) + 1, 0, _POSITION_CHARACTER, 0, _CHARS_UTF8, None, None
            )
        finally:
            self._on_samples = None

    def _receive(self, samples: Any, count: int, events: Any) -> int:
        if self._on_samples is None or not samples:
            return CONTINUE
        marks = []
        index = 0
        while (event := events[index]).type != EVENT_END_OF_LIST:
            if event.type in (EVENT_WORD, EVENT_CLAUSE_END):
                marks.append(Mark(event.type, event.text_position - 1, event.length, event.sample))
            index += 1
        pcm = ctypes.string_at(samples, count * 2)
        return CONTINUE if self._on_samples(pcm, marks) else ABORT
