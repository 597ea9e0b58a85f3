"""The C library inside the `pocketsphinx` wheel, through ctypes: decoding without Python's lock.

The wheel's own binding keeps the lock while it decodes, so that calls wait for one another on one
core and everything else waits for them. Decoding itself touches one decoder only; what reads
numbers from text (loading, setting a mean) goes through static memory in the library's `dtoa.c`
and is done by one thread at a time.
"""

from __future__ import annotations

import ctypes
import functools
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple, Protocol

from voice.recognition.telephone import CEPSTRA

_Pointer = ctypes.c_void_p
_Text = ctypes.c_char_p
_Int = ctypes.c_int
_IntOut = ctypes.POINTER(ctypes.c_int32)

_RELEASING: dict[str, tuple[Any, list[Any]]] = {
    "ps_init": (_Pointer, [_Pointer]),
    "ps_add_lm_file": (_Int, [_Pointer, _Text, _Text]),
    "ps_add_keyphrase": (_Int, [_Pointer, _Text, _Text]),
    "ps_free": (_Int, [_Pointer]),
    "ps_start_utt": (_Int, [_Pointer]),
    "ps_process_raw": (_Int, [_Pointer, _Text, ctypes.c_size_t, _Int, _Int]),
    "ps_process_cep": (_Int, [_Pointer, ctypes.POINTER(_Pointer), _Int, _Int, _Int]),
    "ps_end_utt": (_Int, [_Pointer]),
    "ps_get_hyp": (_Text, [_Pointer, _IntOut]),
    "ps_seg_iter": (_Pointer, [_Pointer]),
}
"""What may take long: Python goes on meanwhile."""
_BRIEF: dict[str, tuple[Any, list[Any]]] = {
    "ps_config_init": (_Pointer, [_Pointer]),
    "ps_config_set_str": (_Pointer, [_Pointer, _Text, _Text]),
    "ps_config_free": (_Int, [_Pointer]),
    "ps_start_stream": (_Int, [_Pointer]),
    "ps_activate_search": (_Int, [_Pointer, _Text]),
    "ps_current_search": (_Text, [_Pointer]),
    "ps_get_cmn": (_Text, [_Pointer, _Int]),
    "ps_set_cmn": (_Int, [_Pointer, _Text]),
    "ps_get_logmath": (_Pointer, [_Pointer]),
    "logmath_exp": (ctypes.c_double, [_Pointer, _Int]),
    "ps_seg_next": (_Pointer, [_Pointer]),
    "ps_seg_free": (None, [_Pointer]),
    "ps_seg_word": (_Text, [_Pointer]),
    "ps_seg_frames": (None, [_Pointer, _IntOut, _IntOut]),
    "ps_seg_prob": (ctypes.c_int32, [_Pointer, _IntOut, _IntOut, _IntOut]),
}
"""What costs less than handing the lock over."""

_one_at_a_time = threading.Lock()


class Segment(NamedTuple):
    """A word of the result: its frames of 10 ms, the last one included, and its probability."""

    word: str
    start_frame: int
    end_frame: int
    prob: float


class Decoder(Protocol):
    """A pocketsphinx decoder with one language model for all and others by name."""

    def add_lm_file(self, name: str, path: str) -> None:
        """Read a language model, to be activated by name."""

    def add_keyphrase(self, name: str, keyphrase: str) -> object:
        """Add the search for one phrase, to be activated by name."""

    def activate_search(self, name: str | None = None) -> None:
        """Use this search from here on; that of the decoder itself without a name."""

    def current_search(self) -> str:
        """The name of the search in use."""

    def start_stream(self) -> None:
        """Forget the noise statistics of what was heard before."""

    def get_cmn(self, update: bool = False) -> str:
        """The cepstral mean in use as numbers with commas; `update` takes in what was heard."""

    def set_cmn(self, cmn: str) -> None:
        """Start from this cepstral mean."""

    def start_utt(self) -> None:
        """Open a segment."""

    def process_raw(self, data: bytes) -> None:
        """Decode native int16 at 16 kHz."""

    def process_cep(self, data: bytes) -> None:
        """Decode float32 cepstra, 13 a frame."""

    def end_utt(self) -> None:
        """Close the segment."""

    def words(self) -> str:
        """The best words so far, variants marked; empty when there are none."""

    def seg(self) -> Iterator[Segment]:
        """The words of the segment that was closed."""


def open_decoder(acoustic_model: Path, language_model: Path, dictionary: Path) -> Decoder:
    """A decoder that leaves Python's lock alone, or the wheel's own where it hides the library.

    Raises `RuntimeError` where pocketsphinx cannot read the files.
    """
    files = {"hmm": acoustic_model, "lm": language_model, "dict": dictionary}
    library = _library()
    return _BoundDecoder(files) if library is None else LibraryDecoder(library, files)


class Library(SimpleNamespace):
    """The functions of the library that are used here. Raises `AttributeError` where the wheel
    does not show them, as on Windows."""

    def __init__(self, path: str) -> None:
        super().__init__()
        releasing, brief = ctypes.CDLL(path), ctypes.PyDLL(path)
        for loaded, functions in ((releasing, _RELEASING), (brief, _BRIEF)):
            for name, (result, arguments) in functions.items():
                function = getattr(loaded, name)
                function.restype, function.argtypes = result, arguments
                setattr(self, name, function)


@functools.cache
def _library() -> Library | None:
    from pocketsphinx import _pocketsphinx

    try:
        return Library(_pocketsphinx.__file__)
    except (AttributeError, OSError):
        return None


class LibraryDecoder:
    """A decoder of the library; one thread at a time may use it."""

    def __init__(self, library: Library, files: dict[str, Path]) -> None:
        self._c = library
        self._ps: int | None = None
        config = library.ps_config_init(None)
        try:
            for name, value in ({"loglevel": "FATAL"} | files).items():
                library.ps_config_set_str(config, name.encode(), str(value).encode())
            with _one_at_a_time:
                self._ps = library.ps_init(config)
        finally:
            library.ps_config_free(config)
        if not self._ps:
            raise RuntimeError(f"pocketsphinx cannot load {', '.join(map(str, files.values()))}")

    def __del__(self) -> None:
        if self._ps:
            self._c.ps_free(self._ps)
            self._ps = None

    def add_lm_file(self, name: str, path: str) -> None:
        """Read a language model, to be activated by name."""
        with _one_at_a_time:
            _checked(self._c.ps_add_lm_file(self._ps, name.encode(), path.encode()), path)

    def add_keyphrase(self, name: str, keyphrase: str) -> None:
        """Add the search for one phrase, to be activated by name."""
        with _one_at_a_time:
            _checked(
                self._c.ps_add_keyphrase(self._ps, name.encode(), keyphrase.encode()), keyphrase
            )

    def activate_search(self, name: str | None = None) -> None:
        """Use this search from here on; that of the decoder itself without a name."""
        _checked(self._c.ps_activate_search(self._ps, name.encode() if name else None), str(name))

    def current_search(self) -> str:
        """The name of the search in use."""
        return str(self._c.ps_current_search(self._ps).decode())

    def start_stream(self) -> None:
        """Forget the noise statistics of what was heard before."""
        _checked(self._c.ps_start_stream(self._ps), "the stream")

    def get_cmn(self, update: bool = False) -> str:
        """The cepstral mean in use as numbers with commas; `update` takes in what was heard."""
        return str(self._c.ps_get_cmn(self._ps, int(update)).decode())

    def set_cmn(self, cmn: str) -> None:
        """Start from this cepstral mean."""
        with _one_at_a_time:
            _checked(self._c.ps_set_cmn(self._ps, cmn.encode()), cmn)

    def start_utt(self) -> None:
        """Open a segment."""
        _checked(self._c.ps_start_utt(self._ps), "the segment")

    def process_raw(self, data: bytes) -> None:
        """Decode native int16 at 16 kHz."""
        _checked(self._c.ps_process_raw(self._ps, data, len(data) // 2, 0, 0), "the samples")

    def process_cep(self, data: bytes) -> None:
        """Decode float32 cepstra, 13 a frame."""
        size = CEPSTRA * ctypes.sizeof(ctypes.c_float)
        count = len(data) // size
        held = ctypes.create_string_buffer(data, len(data))
        first = ctypes.addressof(held)
        rows = (_Pointer * count)(*range(first, first + count * size, size))
        _checked(self._c.ps_process_cep(self._ps, rows, count, 0, 0), "the cepstra")

    def end_utt(self) -> None:
        """Close the segment."""
        _checked(self._c.ps_end_utt(self._ps), "the segment")

    def words(self) -> str:
        """The best words so far, variants marked; empty when there are none."""
        found = self._c.ps_get_hyp(self._ps, ctypes.c_int32())
        return found.decode() if found else ""

    def seg(self) -> Iterator[Segment]:
        """The words of the segment that was closed."""
        scale = self._c.ps_get_logmath(self._ps)
        start, end, ignored = ctypes.c_int32(), ctypes.c_int32(), ctypes.c_int32()
        at = self._c.ps_seg_iter(self._ps)
        try:
            while at:
                self._c.ps_seg_frames(at, start, end)
                prob = self._c.ps_seg_prob(at, ignored, ignored, ignored)
                word = self._c.ps_seg_word(at).decode()
                yield Segment(word, start.value, end.value, self._c.logmath_exp(scale, prob))
                at = self._c.ps_seg_next(at)
        finally:
            if at:
                self._c.ps_seg_free(at)


class _BoundDecoder:
    """A decoder through the wheel's own binding: the same results, Python's lock held."""

    def __init__(self, files: dict[str, Path]) -> None:
        import pocketsphinx

        named = {name: str(path) for name, path in files.items()}
        self._decoder: Any = pocketsphinx.Decoder(**named, loglevel="FATAL")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._decoder, name)

    def words(self) -> str:
        """The best words so far, variants marked; empty when there are none."""
        found = self._decoder.hyp()
        return str(found.hypstr) if found else ""

    def seg(self) -> Iterator[Segment]:
        """The words of the segment that was closed."""
        for one in self._decoder.seg() or ():
            yield Segment(one.word, one.start_frame, one.end_frame, float(one.prob))


def _checked(status: int, what: str) -> None:
    if status < 0:
        raise RuntimeError(f"pocketsphinx refused {what}")
