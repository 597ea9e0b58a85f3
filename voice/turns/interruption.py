"""Is the caller interrupting, or only coughing, humming along, or is a door slamming?

Stopping needs most of 100 ms judged speech and articulated: a hum ("mm-hm") keeps its energy
below 1 kHz, a cough or a slam is a burst that Silero drops within two windows. It has to stand out
from what the line has carried while the assistant spoke: people talking in the background do not.
What still slips through is mended by the words: a bare "okay" or "right" lets the assistant go on.
`benchmarks/barge_in.py` measures all of it.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence

import numpy as np

from voice.types import FRAME_MS, RATE_HZ, AudioFrame
from voice.vad import VoiceActivity

WINDOW_MS = 100
SPEECH_SHARE = 0.75
ARTICULATED_SHARE = 0.5
SURE = 0.7
ABOVE_NOISE_DB = 9.0
BELOW_CALLER_DB = 12.0
QUIETEST_DBFS = -50.0
BACKGROUND_MS = 3_000
BACKGROUND_KNOWN_MS = 500
"""The background has to be known before anybody can stand out from it: at the start of a call."""
ABOVE_BACKGROUND_DB = 6.0
STANDS_OUT_DB = 4.0
_BACKGROUND_SHARES = (0.25, 0.75)
ONE_TALKER_DB = 8.0
"""One voice falls silent between its words, people in the background never all at once: what a line
carries is not taken to be louder than this above its quiet moments."""
_BACKGROUND_EVERY = 5
HUM_TILT_DB = -16.0
_SPLIT_HZ = 1_000
_LEARNING = 0.05

_BACKCHANNEL = re.compile(
    r"^((mm|mhm|hm+|mm hm+|uh huh|uh|ah|oh|yeah|yes|yep|ok|okay|right|sure|i see|got it|alright|"
    r"all right|fine|good|great)\s*)+$"
)


class InterruptionDetector:
    """Watches the caller's frames while the assistant speaks."""

    def __init__(self) -> None:
        self._speech: deque[bool] = deque(maxlen=WINDOW_MS // FRAME_MS)
        self._articulated: deque[bool] = deque(maxlen=WINDOW_MS // FRAME_MS)
        self._levels_db: deque[float] = deque(maxlen=BACKGROUND_MS // FRAME_MS)
        self._background_db: float | None = None
        self._frames = 0
        self._caller_db: float | None = None

    def learn(self, level_db: float) -> None:
        """The caller is speaking at this level: people in the background are quieter."""
        known = self._caller_db if self._caller_db is not None else level_db
        self._caller_db = known + _LEARNING * (level_db - known)

    def reset(self) -> None:
        """The assistant begins a new stretch of speech."""
        self._speech.clear()
        self._articulated.clear()

    def stands_out(self, activity: VoiceActivity) -> bool:
        """Whether this is louder than what the line carried while the assistant last spoke."""
        background_db = self._background_db
        return background_db is None or activity.level_db > background_db + STANDS_OUT_DB

    def push(self, frame: AudioFrame, activity: VoiceActivity) -> bool:
        """Whether the caller has, with this frame, clearly begun to interrupt."""
        background_db = self._background(activity.level_db)
        if background_db is None:
            return False
        quietest_db = max(QUIETEST_DBFS, background_db + ABOVE_BACKGROUND_DB)
        if self._caller_db is not None:
            quietest_db = max(quietest_db, self._caller_db - BELOW_CALLER_DB)
        loud = activity.level_db > max(quietest_db, activity.noise_floor_db + ABOVE_NOISE_DB)
        speech = activity.probability >= SURE and loud
        self._speech.append(speech)
        self._articulated.append(speech and spectral_tilt_db(frame) > HUM_TILT_DB)
        size = self._speech.maxlen or 1
        return (
            sum(self._speech) >= SPEECH_SHARE * size
            and sum(self._articulated) >= ARTICULATED_SHARE * size
        )

    def _background(self, level_db: float) -> float | None:
        """How loud the line has been while the assistant spoke; None until that is known.

        What comes while the caller has the turn does not count: their own voice is no background.
        """
        self._levels_db.append(level_db)
        self._frames += 1
        if len(self._levels_db) * FRAME_MS < BACKGROUND_KNOWN_MS:
            return None
        if self._frames % _BACKGROUND_EVERY == 0 or self._background_db is None:
            ordered = sorted(self._levels_db)
            low_db, high_db = (quantile(ordered, share) for share in _BACKGROUND_SHARES)
            self._background_db = min(high_db, low_db + ONE_TALKER_DB)
        return self._background_db


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of the ordered values lie, as `numpy.quantile` interpolates.

    numpy's own takes twenty times as long for a hundred values.
    """
    place = share * (len(ordered) - 1)
    below = int(place)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    beyond = place - below
    if beyond < 0.5:
        return low + (high - low) * beyond
    return high - (high - low) * (1.0 - beyond)


def spectral_tilt_db(frame: AudioFrame) -> float:
    """Energy above 1 kHz relative to the energy below, in dB."""
    power = np.abs(np.fft.rfft(frame.samples.astype(np.float32))) ** 2
    split = _SPLIT_HZ * len(frame.samples) // RATE_HZ
    return 10.0 * float(np.log10((power[split:].sum() + 1.0) / (power[:split].sum() + 1.0)))


def is_backchannel(text: str) -> bool:
    """Whether the words only say "I am listening"."""
    return bool(_BACKCHANNEL.match(text.strip().lower()))
