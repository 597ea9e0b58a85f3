"""Engines that render a whole piece before its first sample can be heard.

They know at most a pace. Pitch and melody are laid on afterwards (TD-PSOLA), level by a gain, and
word times are shared out by the words' lengths, with a confidence of one half.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

import numpy as np

from dialogue.types import Delivery
from nlu.types import Samples
from voice.audio import resample
from voice.speech.engine import Emit, Ending
from voice.speech.master import TARGET_LUFS, mastered, pcm_of
from voice.speech.prosody import loudness, measure, speech_extent
from voice.speech.psola import with_melody
from voice.types import RATE_HZ, Word

_CHUNK = RATE_HZ // 5
_TAIL = RATE_HZ // 100
_REMEMBERED = 64
_PACE_TOLERANCE = 0.01
_WORD_CONFIDENCE = 0.5


class Source(Protocol):
    """A voice that renders a text at a pace (1 is its neutral)."""

    name: str

    def render(self, text: str, pace: float) -> tuple[Samples, int]:
        """float32 samples and their rate in Hz."""


class WholePieceEngine:
    """An `Engine` around a `Source`."""

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self._source = source
        self._neutral: OrderedDict[str, Samples] = OrderedDict()

    def speak(self, text: str, delivery: Delivery, emit: Emit, *, opens: bool) -> Ending | None:
        """Render one piece; see `Engine`."""
        del opens
        neutral = self._at_neutral(text)
        base = neutral if delivery.rate == 1 else self._at_pace(text, delivery.rate, neutral)
        moved = with_melody(base, delivery.pitch_st, delivery.range)
        # The voice's level is not known beforehand: each piece is brought to the target itself.
        plain = mastered(neutral, RATE_HZ, TARGET_LUFS - loudness(neutral))
        speech = mastered(moved, RATE_HZ, TARGET_LUFS + delivery.level_db - loudness(moved))
        words = _shared_out(text, len(speech))
        body = max(0, len(speech) - _TAIL)
        for start in range(0, body, _CHUNK):
            end = min(body, start + _CHUNK)
            here = tuple(
                word
                for word in words
                if start * 1000 // RATE_HZ <= word.start_ms < end * 1000 // RATE_HZ
            )
            if not emit(pcm_of(speech[start:end]), here):
                return None
        measured = measure(speech, len(words))
        same = delivery == Delivery(
            pause_before_ms=delivery.pause_before_ms, pause_after_ms=delivery.pause_after_ms
        )
        reference = measured if same else measure(plain, len(words))
        return Ending(pcm_of(speech[body:]), measured, reference)

    def _at_pace(self, text: str, pace: float, neutral: Samples) -> Samples:
        """One try, measured, and one more when it missed by more than 1 %."""
        first = self._rendered(text, pace)
        got = _seconds(neutral) / max(1e-3, _seconds(first))
        if abs(got / pace - 1) <= _PACE_TOLERANCE or not 0.5 < got < 2:
            return first
        return self._rendered(text, pace * pace / got)

    def _at_neutral(self, text: str) -> Samples:
        if text not in self._neutral:
            self._neutral[text] = self._rendered(text, 1.0)
            while len(self._neutral) > _REMEMBERED:
                self._neutral.popitem(last=False)
        return self._neutral[text]

    def _rendered(self, text: str, pace: float) -> Samples:
        samples, rate_hz = self._source.render(text, pace)
        return resample(np.ascontiguousarray(samples, dtype=np.float32), rate_hz, RATE_HZ)


def _seconds(samples: Samples) -> float:
    first, last = speech_extent(samples)
    return (last - first) / RATE_HZ


def _shared_out(text: str, samples: int) -> tuple[Word, ...]:
    said = [word for word in (part.strip(".,!?:;\"'()") for part in text.split()) if word]
    ends = np.cumsum([len(word) + 1 for word in said])
    total = ends[-1] if len(ends) else 1
    places = [0, *(int(end * samples * 1000 / total / RATE_HZ) for end in ends)]
    return tuple(
        Word(word, start, end, _WORD_CONFIDENCE)
        for word, start, end in zip(said, places, places[1:], strict=False)
    )
