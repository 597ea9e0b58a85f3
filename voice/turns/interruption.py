"""Is the caller interrupting, or only coughing, humming along, or is a door slamming?

Stopping needs most of 140 ms judged speech and articulated: a hum ("mm-hm") keeps its energy
below 1 kHz, a cough or a slam is a burst that Silero drops within two windows. What still slips
through is mended by the words: a bare "okay" or "right" lets the assistant go on.
"""

from __future__ import annotations

import re
from collections import deque

import numpy as np

from voice.types import FRAME_MS, RATE_HZ, AudioFrame
from voice.vad import VoiceActivity

WINDOW_MS = 140
SPEECH_SHARE = 0.75
ARTICULATED_SHARE = 0.4
SURE = 0.6
ABOVE_NOISE_DB = 9.0
BELOW_CALLER_DB = 12.0
QUIETEST_DBFS = -50.0
HUM_TILT_DB = -17.0
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
        self._caller_db: float | None = None

    def learn(self, level_db: float) -> None:
        """The caller is speaking at this level: people in the background are quieter."""
        known = self._caller_db if self._caller_db is not None else level_db
        self._caller_db = known + _LEARNING * (level_db - known)

    def reset(self) -> None:
        """The assistant begins a new stretch of speech."""
        self._speech.clear()
        self._articulated.clear()

    def push(self, frame: AudioFrame, activity: VoiceActivity) -> bool:
        """Whether the caller has, with this frame, clearly begun to interrupt."""
        quietest_db = QUIETEST_DBFS
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


def spectral_tilt_db(frame: AudioFrame) -> float:
    """Energy above 1 kHz relative to the energy below, in dB."""
    power = np.abs(np.fft.rfft(frame.samples.astype(np.float32))) ** 2
    split = _SPLIT_HZ * len(frame.samples) // RATE_HZ
    return 10.0 * float(np.log10((power[split:].sum() + 1.0) / (power[:split].sum() + 1.0)))


def is_backchannel(text: str) -> bool:
    """Whether the words only say "I am listening"."""
    return bool(_BACKCHANNEL.match(text.strip().lower()))
