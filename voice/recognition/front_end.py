"""How a segment's samples reach the decoder: as they are in the clear, mapped on a telephone line.

Either way the decoder is first told the channel's mean. Left alone it would start every call from
a constant and need seconds to learn better: on `audio_samples` 16 % of words wrong instead of 13 %.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from voice.recognition.sphinx_library import Decoder
from voice.recognition.telephone import BandMap, BandStream, Floats, is_telephone_band
from voice.types import Pcm

Mean = npt.NDArray[np.float64]
CHANNEL_SEARCH = "channel"
"""Name of the cheap search under which a decoder only looks at the channel."""
_USUAL_MEAN = np.array([44.0, 4.0, 5.5, 5.0, 2.5, 1.8, 1.5, 1.9, 1.5, 2.4, 1.4, 4.0, 3.5])
_USUAL_FRAMES = 10
_HOP = 160
_SPHINX_WINDOW = 500


class FrontEnd(Protocol):
    """Feeds one decoder for one turn; a turn may have several segments. `telephone` says
    whether the line is narrow-band."""

    telephone: bool

    def begin(self) -> None:
        """Make the decoder ready for a segment."""

    def feed(self, samples: Pcm) -> None:
        """Pass samples on."""

    def flush(self) -> None:
        """Pass on what is still held back, before the segment is closed."""


def open_front_end(decoder: Decoder, heard: Pcm, telephone: bool | None) -> FrontEnd:
    """The front end for a turn that begins with `heard` (about a second, int16 at 16 kHz)."""
    if is_telephone_band(heard) if telephone is None else telephone:
        return TelephoneFrontEnd(decoder, BandMap.load())
    return ClearFrontEnd(decoder, heard)


class ClearFrontEnd:
    """Wide-band speech: pocketsphinx's own front end."""

    telephone = False

    def __init__(self, decoder: Decoder, heard: Pcm) -> None:
        self._decoder = decoder
        decoder.set_cmn(_written(_channel_mean(decoder, heard)))

    def begin(self) -> None:
        """Start a segment; the decoder goes on from the mean that it has learned."""
        self._decoder.start_utt()

    def feed(self, samples: Pcm) -> None:
        """Pass samples on."""
        self._decoder.process_raw(samples.tobytes())

    def flush(self) -> None:
        """Nothing is held back."""


class TelephoneFrontEnd:
    """Narrow-band speech: mapped to the cepstra of clear speech."""

    telephone = True

    def __init__(self, decoder: Decoder, band_map: BandMap) -> None:
        self._decoder = decoder
        self._stream = BandStream(band_map)
        self._mean = _written(band_map.mean)

    def begin(self) -> None:
        """Start a segment; the mapping has taken the channel's mean off already."""
        self._decoder.set_cmn(self._mean)
        self._decoder.start_utt()

    def feed(self, samples: Pcm) -> None:
        """Map samples and pass on what is ready."""
        self._pass(self._stream.accept(samples))

    def flush(self) -> None:
        """Pass on the last frames."""
        self._pass(self._stream.flush())

    def _pass(self, cepstra: Floats) -> None:
        if len(cepstra):
            self._decoder.process_cep(np.ascontiguousarray(cepstra).tobytes())


def _channel_mean(decoder: Decoder, heard: Pcm) -> Mean:
    """The mean cepstrum of `heard`, drawn a little to the usual one."""
    usual = decoder.current_search()
    decoder.activate_search(CHANNEL_SEARCH)
    decoder.set_cmn(_written(_USUAL_MEAN))
    decoder.start_utt()
    decoder.process_raw(heard.tobytes())
    mixed = np.array([float(value) for value in decoder.get_cmn(True).split(",")])
    decoder.end_utt()
    decoder.activate_search(usual)
    # pocketsphinx gives the mean that it started from the weight of 500 frames: taken off here.
    frames = max(1, len(heard) // _HOP - 2)
    own = (mixed * (_SPHINX_WINDOW + frames) - _USUAL_MEAN * _SPHINX_WINDOW) / frames
    drawn: Mean = (own * frames + _USUAL_MEAN * _USUAL_FRAMES) / (frames + _USUAL_FRAMES)
    return drawn


def _written(mean: npt.NDArray[np.floating]) -> str:
    return ",".join(f"{float(value):.4f}" for value in mean)
