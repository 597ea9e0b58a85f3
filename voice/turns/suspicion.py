"""From the first doubt whether somebody interrupts to the decision: pure, and in audio time.

At the first doubt the assistant falls silent. Whoever talks on is known by the sound of it within
half a second. A single short word is over by then, and sounds too much like a cough: there the
recogniser is asked what was said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from voice.turns.likeness import Likeness
from voice.types import FRAME_MS

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
STANDS_OUT_SHARE = 0.6
"""Of the frames of late, for the caller to be given the turn."""
ASK_LATEST_MS = 360
"""Whatever is not sure by then is asked about, over or not."""
ASK_SPEECH_MS = 120
"""So much speech within the last second, by Silero, may have been a word."""
ASK_SILERO = 0.5
ANSWER_MS = 220
"""How long the recogniser's answer is waited for in silence."""


class BargeIn(Enum):
    """What the assistant is to do."""

    HOLD = "hold"
    """Fall silent: somebody may have begun to speak."""
    ASK = "ask"
    """Stay silent, and have the recogniser say whether there were words."""
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
    """Takes frames of 20 ms, and the recogniser's answer when it was asked.

    `asks` says that there is a recogniser to be asked.
    """

    def __init__(self, *, asks: bool = False) -> None:
        self._asks = asks
        self._heard: list[Evidence] | None = None
        self._before: deque[float] = deque(maxlen=2)
        self._lately: deque[Evidence] = deque(maxlen=LASTING_MS // FRAME_MS)
        self._wary_frames = 0
        self._alarms = 0
        self._asked_frames: int | None = None
        self._open = False
        self._words: bool | None = None
        self.question = 0
        """The number of the question that was asked last."""
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
        self._close()

    def told(self, question: int, words: bool) -> None:
        """The recogniser's answer: whether what was asked about takes the turn. It may come too
        late for the silence and count all the same, but not after `reset`."""
        if self._open and question == self.question:
            self._open = False
            self._words = words

    def push(self, frame: Evidence) -> BargeIn | None:
        """What the next frame makes of it."""
        self._lately.append(frame)
        goes_on = len(self._lately) == self._lately.maxlen and lasts(self._lately)
        if self._words:
            self.lasted = False
            return self._decided(BargeIn.CONFIRM)
        if self._heard is None:
            return self._doubt(frame, goes_on)
        self._heard.append(frame)
        found = decided(self._heard, WARY_ODDS if self._alarms else 0.0)
        self.lasted = goes_on and found is not BargeIn.CONFIRM
        if self.lasted:
            found = BargeIn.CONFIRM
        if found is not BargeIn.CONFIRM and self._asks:
            found = self._asked(found)
        return found if found in (None, BargeIn.ASK) else self._decided(found)

    def _asked(self, found: BargeIn | None) -> BargeIn | None:
        """What follows where it is not sure that somebody talks; the recogniser may know more."""
        heard = self._heard or []
        if self._asked_frames is None:
            due = found is not None or (len(heard) - 1) * FRAME_MS >= ASK_LATEST_MS
            if self._open or not (due and self._may_be_words()):
                return found
            self._asked_frames, self._open, self._words = 0, True, None
            self.question += 1
            return BargeIn.ASK
        self._asked_frames += 1
        waits = self._open and self._asked_frames * FRAME_MS < ANSWER_MS
        return None if waits else found

    def _may_be_words(self) -> bool:
        speech = sum(frame.probability >= ASK_SILERO for frame in self._lately)
        return speech * FRAME_MS >= ASK_SPEECH_MS

    def _decided(self, found: BargeIn) -> BargeIn:
        self._heard = self._asked_frames = self._words = None
        if found is BargeIn.CONFIRM:
            self._close()
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

    def _close(self) -> None:
        """No answer is waited for any longer."""
        self._asked_frames = self._words = None
        self._open = False


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
