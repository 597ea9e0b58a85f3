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
from dataclasses import dataclass
from enum import Enum

from voice.turns.likeness import SpeechLikeness
from voice.types import FRAME_MS, AudioFrame
from voice.vad import VoiceActivity

HOLD_ODDS = 1.5
HOLD_FRAMES = 2
HOLD_OF_FRAMES = 3
SILERO_WEIGHT = 8.5
"""One of Silero's probability counts as much as so many log-odds."""
ODDS_FRAMES = 5
SILERO_FRAMES = 8
SOONEST_MS = 200
SOON_SURE = 15.5
DECIDE_MS = 400
SURE = 13.5
LONGEST_HOLD_MS = 560
GOES_ON_DB = 15.0
"""A voice that is still sounding is this close to its own loudest."""
GONE_MS = 120
GONE = 0.0
WARY_MS = 1_500
"""After a false alarm more is needed: coughs come in rows, and stuttering is worse than either."""
WARY_ODDS = 3.0
WARY_MORE = 1.5
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
_LEARNING = 0.05

_BACKCHANNEL = re.compile(
    r"^((mm|mhm|hm+|mm hm+|uh huh|uh|ah|oh|yeah|yes|yep|ok|okay|right|sure|i see|got it|alright|"
    r"all right|fine|good|great)\s*)+$"
)


class BargeIn(Enum):
    """What the assistant is to do."""

    HOLD = "hold"
    """Fall silent: somebody may have begun to speak."""
    RESUME = "resume"
    """Go on: it was nobody."""
    CONFIRM = "confirm"
    """Somebody has: the turn is theirs."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a frame: the log-odds that somebody is talking (`SpeechLikeness`), Silero's
    probability, how loud it is, and whether that stands out from the background."""

    odds: float
    probability: float
    level_db: float
    stands_out: bool


class Suspicion:
    """From the first doubt to the decision, in frames of 20 ms: pure, and in audio time."""

    def __init__(self) -> None:
        self._recent: deque[bool] = deque(maxlen=HOLD_OF_FRAMES)
        self._heard: list[Evidence] | None = None
        self._wary_frames = 0
        self._wary = False

    def reset(self) -> None:
        """Another stretch of speech begins: nothing is suspected."""
        self._recent.clear()
        self._heard = None
        self._wary_frames = 0

    def push(self, frame: Evidence) -> BargeIn | None:
        """What the next frame makes of it."""
        if self._heard is None:
            return self._doubt(frame)
        self._heard.append(frame)
        found = self._decided(self._heard, WARY_MORE if self._wary else 0.0)
        if found is not None:
            self._heard = None
            self._wary_frames = WARY_MS // FRAME_MS
        return found

    def _doubt(self, frame: Evidence) -> BargeIn | None:
        wary = self._wary = self._wary_frames > 0
        self._wary_frames = max(0, self._wary_frames - 1)
        self._recent.append(frame.stands_out and frame.odds >= (WARY_ODDS if wary else HOLD_ODDS))
        if sum(self._recent) < (HOLD_OF_FRAMES if wary else HOLD_FRAMES):
            return None
        self._recent.clear()
        self._heard = [frame]
        return BargeIn.HOLD

    @staticmethod
    def _decided(heard: list[Evidence], more: float) -> BargeIn | None:
        since_ms = (len(heard) - 1) * FRAME_MS
        certainty = sure_of(heard) - more
        if since_ms >= DECIDE_MS:
            if certainty >= SURE:
                return BargeIn.CONFIRM
            return None if since_ms < LONGEST_HOLD_MS and sounds_on(heard) else BargeIn.RESUME
        if since_ms >= SOONEST_MS and certainty >= SOON_SURE:
            return BargeIn.CONFIRM
        return BargeIn.RESUME if since_ms >= GONE_MS and certainty < GONE else None


def sure_of(heard: Sequence[Evidence]) -> float:
    """How sure it is that somebody is talking, in log-odds: what both networks said of late."""
    odds = [frame.odds for frame in heard[-ODDS_FRAMES:]]
    silero = [frame.probability for frame in heard[-SILERO_FRAMES:]]
    return sum(odds) / len(odds) + SILERO_WEIGHT * sum(silero) / len(silero)


def sounds_on(heard: Sequence[Evidence]) -> bool:
    """Whether the sound still goes on: most of the last 160 ms is about as loud as it ever was."""
    loudest_db = max(frame.level_db for frame in heard)
    late = heard[-SILERO_FRAMES:]
    on = sum(frame.stands_out and frame.level_db > loudest_db - GOES_ON_DB for frame in late)
    return 2 * on > len(late)


class InterruptionDetector:
    """Watches the caller's frames while the assistant speaks."""

    def __init__(self) -> None:
        self._likeness = SpeechLikeness()
        self._suspicion = Suspicion()
        self._levels_db: deque[float] = deque(maxlen=BACKGROUND_MS // FRAME_MS)
        self._background_db: float | None = None
        self._frames = 0
        self._caller_db: float | None = None
        self.held_at_ms = 0
        """When the assistant last had to fall silent."""

    def learn(self, level_db: float) -> None:
        """The caller is speaking at this level: people in the background are quieter."""
        known = self._caller_db if self._caller_db is not None else level_db
        self._caller_db = known + _LEARNING * (level_db - known)

    def reset(self) -> None:
        """The assistant begins a new stretch of speech."""
        self._suspicion.reset()

    def stands_out(self, activity: VoiceActivity) -> bool:
        """Whether this is louder than what the line carried while the assistant last spoke."""
        background_db = self._background_db
        return background_db is None or activity.level_db > background_db + STANDS_OUT_DB

    def push(self, frame: AudioFrame, activity: VoiceActivity) -> BargeIn | None:
        """What to do after this frame; mostly nothing."""
        odds = self._likeness.push(frame, activity)
        background_db = self._background(activity.level_db)
        if background_db is None:
            return None
        quietest_db = max(QUIETEST_DBFS, background_db + ABOVE_BACKGROUND_DB)
        if self._caller_db is not None:
            quietest_db = max(quietest_db, self._caller_db - BELOW_CALLER_DB)
        loud = activity.level_db > max(quietest_db, activity.noise_floor_db + ABOVE_NOISE_DB)
        found = self._suspicion.push(Evidence(odds, activity.probability, activity.level_db, loud))
        if found is BargeIn.HOLD:
            self.held_at_ms = frame.end_ms
        return found

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


def is_backchannel(text: str) -> bool:
    """Whether the words only say "I am listening"."""
    return bool(_BACKCHANNEL.match(text.strip().lower()))
