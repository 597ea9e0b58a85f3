"""Is the caller interrupting, or only coughing, humming along, or is a door slamming?

Two steps, as nobody can tell in 100 ms. At the first doubt the assistant falls silent; within half
a second either it is sure that somebody is talking and the turn is theirs, or it goes on where it
was. What is heard has to stand out from what the line has carried while the assistant spoke: people
talking in the background do not. What still slips through is mended by the words: a bare "okay" or
"right" lets the assistant go on. `benchmarks/barge_in.py` measures all of it, and says on which
sounds the thresholds were chosen.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from voice.turns.likeness import Likeness, SpeechLikeness
from voice.types import FRAME_MS, AudioFrame
from voice.vad import DIGITAL_SILENCE_DB, VoiceActivity

HOLD_ODDS = 1.0
LED_UP_ODDS = 0.0
"""One of the two frames before has to be like somebody too: what is left of an echo is not."""
SURE = 7.8
SOON_SURE = 8.8
SILERO_WEIGHT = 3.0
"""Silero's probability counts as much as so many log-odds of the networks."""
HOLES_SILERO = 0.7
HOLES_ODDS = 0.0
ODDS_FRAMES = 5
SILERO_FRAMES = 8
SOONEST_MS = 200
LONGEST_HOLD_MS = 540
GONE_AFTER_MS = 120
GONE = 0.0
WARY_MS = 1_500
"""After a false alarm more is needed: coughs come in rows, and stuttering is worse than either."""
WARY_ODDS = 3.0
"""More with each false alarm, to fall silent again; once, to be sure."""
LASTING_MS = 1_000
LASTING_ODDS = 6.5
LASTING_SILERO = 0.3
LASTING_SHARE = 0.4
"""Over so long, on average: whoever goes on talking gets the turn, however often they were doubted.
A row of coughs leaves gaps."""
LOOKED_BACK_MS = 2_500
"""What somebody said who was doubted is heard from their first word on, if not from before this."""
STANDS_OUT_SHARE = 0.6
"""Of the frames of late, for the caller to be given the turn."""
ABOVE_NOISE_DB = 9.0
BELOW_CALLER_DB = 12.0
QUIETEST_DBFS = -50.0
BACKGROUND_MS = 3_000
BACKGROUND_KNOWN_MS = 500
"""The background has to be known before anybody can stand out from it: at the start of a call."""
ABOVE_BACKGROUND_DB = 6.0
STANDS_OUT_DB = 4.0
_BACKGROUND_SHARES = (0.25, 0.75)
ONE_TALKER_DB = 6.0
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
    """What is known of a frame: how much like somebody talking it is, Silero's probability of
    speech, whether it stands out from the background, and whether it is a hole: nothing at all, as
    an `EchoGuard` leaves where it hears the assistant."""

    likeness: Likeness
    probability: float
    stands_out: bool
    hole: bool = False


class Suspicion:
    """From the first doubt to the decision, in frames of 20 ms: pure, and in audio time."""

    def __init__(self) -> None:
        self._heard: list[Evidence] | None = None
        self._before: deque[float] = deque(maxlen=2)
        self._lately: deque[Evidence] = deque(maxlen=LASTING_MS // FRAME_MS)
        self._wary_frames = 0
        self._alarms = 0
        self.lasted = False
        """Whether what was decided last was decided because somebody went on talking."""

    @property
    def wary(self) -> bool:
        """Whether there has just been a false alarm."""
        return self._alarms > 0

    def reset(self) -> None:
        """Another stretch of speech begins: nothing is suspected."""
        self._heard = None
        self._before.clear()
        self._lately.clear()
        self._wary_frames = self._alarms = 0

    def push(self, frame: Evidence) -> BargeIn | None:
        """What the next frame makes of it."""
        self._lately.append(frame)
        goes_on = len(self._lately) == self._lately.maxlen and lasts(self._lately)
        if self._heard is None:
            return self._doubt(frame, goes_on)
        self._heard.append(frame)
        found = decided(self._heard, WARY_ODDS if self._alarms else 0.0)
        self.lasted = goes_on and found is not BargeIn.CONFIRM
        if self.lasted:
            found = BargeIn.CONFIRM
        if found is not None:
            self._heard = None
            self._wary_frames = WARY_MS // FRAME_MS
            self._alarms += 1
        return found

    def _doubt(self, frame: Evidence, goes_on: bool) -> BargeIn | None:
        self._wary_frames -= 1
        if self._wary_frames <= 0:
            self._alarms = 0
        enough = HOLD_ODDS + self._alarms * WARY_ODDS
        led_up = max(self._before, default=LED_UP_ODDS - 1.0) >= LED_UP_ODDS
        self._before.append(frame.likeness.likely)
        begins = led_up and frame.stands_out and frame.likeness.likely >= enough
        if not (begins or goes_on):
            return None
        self._heard = [frame]
        self._before.clear()
        return BargeIn.HOLD


def decided(heard: Sequence[Evidence], more: float = 0.0) -> BargeIn | None:
    """What follows from everything heard since the assistant fell silent, while it is so, with so
    much `more` needed to be sure; None as long as it has to be waited for."""
    since_ms = (len(heard) - 1) * FRAME_MS
    certainty = sure_of(heard)
    last = since_ms >= LONGEST_HOLD_MS
    out = [frame.stands_out for frame in heard[-SILERO_FRAMES:] if not frame.hole]
    sure = certainty >= (SURE if last else SOON_SURE) + more
    if len(out) < len(heard[-SILERO_FRAMES:]):
        # The networks were never trained on speech with holes, Silero bears them.
        sure = sure or heard_through_holes(heard)
    if since_ms >= SOONEST_MS and sure and sum(out) >= STANDS_OUT_SHARE * max(1, len(out)):
        return BargeIn.CONFIRM
    gone = since_ms >= GONE_AFTER_MS and certainty < GONE + more
    return BargeIn.RESUME if last or gone else None


def lasts(lately: Collection[Evidence]) -> bool:
    """Whether somebody has been talking all the while, an assistant's own echo aside.

    Asked of every frame: what is mostly missing comes first, and the rest is not looked at.
    """
    count = len(lately)
    return (
        sum(frame.likeness.surely for frame in lately) / count >= LASTING_ODDS
        and sum(frame.probability for frame in lately) / count >= LASTING_SILERO
        and sum(frame.stands_out for frame in lately) / count >= LASTING_SHARE
        and not any(frame.hole for frame in lately)
    )


def heard_through_holes(heard: Sequence[Evidence]) -> bool:
    """Whether Silero is sure, and the networks do not object."""
    late = heard[-SILERO_FRAMES:]
    likely = sum(frame.likeness.likely for frame in late) / len(late)
    silero = sum(frame.probability for frame in late) / len(late)
    return silero >= HOLES_SILERO and likely >= HOLES_ODDS


def sure_of(heard: Sequence[Evidence]) -> float:
    """How sure it is that somebody is talking, in log-odds: what all the networks said of late."""
    odds = [frame.likeness.surely for frame in heard[-ODDS_FRAMES:]]
    silero = [frame.probability for frame in heard[-SILERO_FRAMES:]]
    return sum(odds) / len(odds) + SILERO_WEIGHT * sum(silero) / len(silero)


class InterruptionDetector:
    """Watches the caller's frames while the assistant speaks."""

    def __init__(self) -> None:
        self._likeness = SpeechLikeness()
        self._suspicion = Suspicion()
        self._levels_db: deque[float] = deque(maxlen=BACKGROUND_MS // FRAME_MS)
        self._background_db: float | None = None
        self._frames = 0
        self._caller_db: float | None = None
        self._first_doubt_ms = 0
        self.spoken_from_ms = 0
        """Since when somebody has been talking, once that is sure."""

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
        likeness = self._likeness.push(frame, activity)
        background_db = self._background(activity.level_db)
        if background_db is None:
            return None
        quietest_db = max(QUIETEST_DBFS, background_db + ABOVE_BACKGROUND_DB)
        if self._caller_db is not None:
            quietest_db = max(quietest_db, self._caller_db - BELOW_CALLER_DB)
        loud = activity.level_db > max(quietest_db, activity.noise_floor_db + ABOVE_NOISE_DB)
        evidence = Evidence(
            likeness, activity.probability, loud, activity.level_db <= DIGITAL_SILENCE_DB
        )
        found = self._suspicion.push(evidence)
        if found is BargeIn.HOLD:
            self.spoken_from_ms = frame.end_ms
            if not self._suspicion.wary:
                self._first_doubt_ms = frame.end_ms
        elif found is BargeIn.CONFIRM and self._suspicion.lasted:
            from_ms = min(self._first_doubt_ms, frame.end_ms - LASTING_MS)
            self.spoken_from_ms = max(from_ms, frame.end_ms - LOOKED_BACK_MS)
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
