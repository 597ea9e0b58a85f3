"""Silence is never words: what must be heard before any recogniser's text is believed.

Three gates, each cheap enough for its place: a counter over every frame as it comes, Silero's
network once over a segment that has closed, and a list of what recognisers are known to make of
silence and music.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import webrtcvad

from voice.audio import level_dbfs
from voice.types import RATE_HZ, Pcm

MIN_VOICED_MS = 140
"""Less voiced sound than this in a turn is no word: "no" spoken fast by flite has 160 ms."""
MIN_SPEECH_MS = 128
"""Less of this in a segment, by Silero, is no word. Of 112 recordings of noise it lets
through 13 (86 without it); of 186 turns and 100 single digits it loses none."""
_SPEECH = 0.5
_TELEPHONE_SPEECH = 0.15
"""On a line that takes everything under 300 Hz away Silero is far less sure: at 0.5 it misses 14 of
24 numbers spoken over one, at 0.15 none, and lets 7 of 112 noises through."""
_SILERO_SAMPLES = 512
_SILERO_AT_ONCE = 2 * RATE_HZ
_FLOOR_DBFS = -62.0
_OVER_NOISE_DB = 6.0

_HALLUCINATIONS = frozenset(
    (
        "thank you", "thank you very much", "thanks for watching", "thank you for watching",
        "thanks", "you", "bye", "bye bye", "please subscribe", "subscribe", "so", "the", "oh",
        "subtitles by the amara org community", "music", "applause", "silence", "the end",
        "i'll see you next time", "see you next time", "see you in the next video", "okay",
    )
)  # fmt: skip


class VoicedCounter:
    """Counts how much of the audio so far sounds voiced and stands out of the noise."""

    def __init__(self) -> None:
        self._vad = webrtcvad.Vad(2)
        self._noise_db = -50.0
        self.voiced_ms = 0

    def accept(self, samples: Pcm) -> bool:
        """Take 20 ms of int16 at 16 kHz; whether this frame is counted as voice."""
        level_db = level_dbfs(samples)
        if level_db < self._noise_db:
            self._noise_db = max(_FLOOR_DBFS - 20, 0.7 * self._noise_db + 0.3 * level_db)
        else:
            self._noise_db = min(-30.0, self._noise_db + 0.02)
        if level_db < max(_FLOOR_DBFS, self._noise_db + _OVER_NOISE_DB):
            return False
        if len(samples) != RATE_HZ // 50 or not self._vad.is_speech(samples.tobytes(), RATE_HZ):
            return False
        self.voiced_ms += 20
        return True


def has_speech(samples: Pcm, *, telephone: bool = False) -> bool:
    """Whether int16 samples at 16 kHz hold MIN_SPEECH_MS of speech by Silero's network.

    `telephone` says that they came over a narrow-band line. Looks at two seconds at a time and
    stops when it has heard enough: 2-4 ms of CPU as a rule.
    """
    speech_ms, bar = 0, _TELEPHONE_SPEECH if telephone else _SPEECH
    for start in range(0, len(samples), _SILERO_AT_ONCE):
        piece = samples[start : start + _SILERO_AT_ONCE]
        padded = np.pad(piece, (0, -len(piece) % _SILERO_SAMPLES)).astype(np.float32) / 32_768
        probabilities: npt.NDArray[np.float32] = _silero()(padded)
        speech_ms += int((probabilities > bar).sum()) * _SILERO_SAMPLES * 1000 // RATE_HZ
        if speech_ms >= MIN_SPEECH_MS:
            return True
    return False


@cache
def _silero() -> Any:
    from faster_whisper.vad import get_vad_model

    return get_vad_model()


def is_hallucination(text: str) -> bool:
    """Whether a whole transcript is something that recognisers say when they hear nothing.

    True of "thank you" as well, which callers do say: believe it only with other evidence.
    """
    plain = "".join(c for c in text.lower() if c.isalpha() or c in " '")
    return " ".join(plain.split()) in _HALLUCINATIONS
