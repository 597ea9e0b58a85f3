"""From the first doubt whether somebody interrupts to the decision: pure, and in audio time.

At the first doubt the assistant falls silent. Whoever talks on is known by the sound of it within
half a second. A single short word is over by then, and sounds too much like a cough, or it is an
"okay" that sounds like the beginning of a sentence: there the recogniser is asked what was said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum

from voice.turns.likeness import Likeness
from voice.types import FRAME_MS

HOLD_ODDS = -0.2
LED_UP_ODDS = -2.0
"""One of the two frames before may not be wholly unlike somebody: what is left of an echo is."""
SURE = 5.5
"""In the mean of the whole doubt, when it has lasted long enough: a cough does not."""
SOON_SURE = 8.0
SILERO_WEIGHT = 1.25
"""Silero's probability counts as much as so many log-odds of the networks."""
HOLES_SILERO = 0.7
HOLES_ODDS = 0.0
GUARDED_MORE_ODDS = 2.0
"""More to fall silent where an `EchoGuard` has left holes of late: what is left of an echo is like
somebody."""
GUARDED_SURE = 4.5
"""In the mean of a whole doubt with such holes."""
ODDS_FRAMES = 5
SILERO_FRAMES = 8
SOONEST_MS = 200
LONGEST_HOLD_MS = 540
GONE_AFTER_MS = 120
GONE = -3.0
WARY_MS = 1_500
"""After a false alarm more is needed: coughs come in rows, and stuttering is worse than either."""
WARY_ODDS = 3.0
"""More with each false alarm, to fall silent again; once, to be sure."""
NO_WORDS_ODDS = 1.5
"""More to be sure where the recogniser has found no words."""
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
LONGEST_SILENCE_MS = 580
"""Where nobody was sure to talk, the answer included."""
ANSWER_MS = 220
"""How long the recogniser's answer is waited for in silence."""
A_WORD_MS = 760
"""Somebody who surely talks, and has not stopped by then, says more than "okay"."""
OVER_MS = 120
"""Of quiet after a word: the "k" of an "okay" is shorter."""
OVER_SILERO = 0.35


class Heard(Enum):
    """What the recogniser made of what it was asked about."""

    WORDS = "words"
    """Words that take the turn."""
    LISTENING = "listening"
    """Nothing but "okay" and the like: somebody listens, and the assistant is to go on."""
    NOTHING = "nothing"
    """No words, or none that can be believed."""


class BargeIn(Enum):
    """What the assistant is to do."""

    HOLD = "hold"
    """Fall silent: somebody may have begun to speak."""
    ASK = "ask"
    """Stay silent, and have the recogniser say what was said."""
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

    `asks` says that there is a recogniser to be asked, `guarded` that the line has an `EchoGuard`.
    """

    def __init__(self, *, asks: bool = False, guarded: bool = False) -> None:
        self._asks = asks
        self._guarded = guarded
        self._heard: list[Evidence] | None = None
        self._before: deque[float] = deque(maxlen=2)
        self._lately: deque[Evidence] = deque(maxlen=LASTING_MS // FRAME_MS)
        self._wary_frames = 0
        self._alarms = 0
        self._sure = False
        self._asked_frames: int | None = None
        self._open = False
        self._answer: Heard | None = None
        self.question = 0
        """The number of the question that was asked last."""
        self.lasted = False
        """Whether what was decided last was decided because somebody went on talking."""

    @property
    def idle(self) -> bool:
        """Whether nobody is doubted, and no words take the turn."""
        return self._heard is None and self._answer is None

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
        self._sure = False
        self._close()

    def told(self, question: int, heard: Heard) -> None:
        """The recogniser's answer to what was asked. Words may come too late for the silence and
        count all the same, but not after `reset`."""
        if self._open and question == self.question:
            self._open = False
            self._answer = heard

    def push(self, frame: Evidence) -> BargeIn | None:
        """What the next frame makes of it."""
        self._lately.append(frame)
        goes_on = len(self._lately) == self._lately.maxlen and lasts(self._lately)
        if self._answer is Heard.WORDS:
            self.lasted = False
            return self._decided(BargeIn.CONFIRM)
        if self._heard is None:
            return self._doubt(frame, goes_on)
        self._heard.append(frame)
        more = WARY_ODDS if self._alarms else 0.0
        if self._answer is Heard.NOTHING:
            more += NO_WORDS_ODDS
        found = decided(self._heard, more, guarded=self._guarded)
        self.lasted = goes_on and found is not BargeIn.CONFIRM
        if self.lasted:
            found = BargeIn.CONFIRM
        elif self._asks and (self._sure or found is BargeIn.CONFIRM):
            found = self._by_sound()
        elif self._asks:
            found = self._asked(found)
        return found if found in (None, BargeIn.ASK) else self._decided(found)

    def _by_sound(self) -> BargeIn | None:
        """Somebody surely talks: is it more than a word, or an "okay"?"""
        self._sure = True
        over = self._over()
        if not over:
            # They go on: what was asked about was not all.
            self._asked_frames, self._open, self._answer = None, False, None
        if self._asked_frames is None:
            if self._since_ms() >= A_WORD_MS:
                return BargeIn.CONFIRM
            return self._ask() if over else None
        self._asked_frames += 1
        if self._open and self._asked_frames * FRAME_MS < ANSWER_MS:
            return None
        return BargeIn.RESUME if self._answer is Heard.LISTENING else BargeIn.CONFIRM

    def _over(self) -> bool:
        """Whether a word has just ended."""
        late = (self._heard or [])[-OVER_MS // FRAME_MS :]
        return all(not each.stands_out or each.probability < OVER_SILERO for each in late)

    def _asked(self, found: BargeIn | None) -> BargeIn | None:
        """What follows where it is not sure that somebody talks; the recogniser may know more."""
        if self._asked_frames is None:
            due = found is not None or self._since_ms() >= ASK_LATEST_MS
            return self._ask() if due and not self._open and self._may_be_words() else found
        self._asked_frames += 1
        waits = self._open and self._asked_frames * FRAME_MS < ANSWER_MS
        return None if waits and self._since_ms() < LONGEST_SILENCE_MS else found

    def _ask(self) -> BargeIn:
        self._asked_frames, self._open, self._answer = 0, True, None
        self.question += 1
        return BargeIn.ASK

    def _since_ms(self) -> int:
        return (len(self._heard or ()) - 1) * FRAME_MS

    def _may_be_words(self) -> bool:
        speech = sum(frame.probability >= ASK_SILERO for frame in self._lately)
        return speech * FRAME_MS >= ASK_SPEECH_MS

    def _decided(self, found: BargeIn) -> BargeIn:
        self._heard = self._asked_frames = self._answer = None
        self._sure = False
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
        if self._guarded and any(each.hole for each in self._lately):
            enough += GUARDED_MORE_ODDS
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
        self._asked_frames = self._answer = None
        self._open = False


def decided(
    heard: Sequence[Evidence], more: float = 0.0, *, guarded: bool = False
) -> BargeIn | None:
    """What follows from everything heard since the assistant fell silent, while it is so, with so
    much `more` needed to be sure; None as long as it has to be waited for. `guarded`: holes are an
    `EchoGuard`'s."""
    since_ms = (len(heard) - 1) * FRAME_MS
    certainty = sure_of(heard)
    last = since_ms >= LONGEST_HOLD_MS
    out = [frame.stands_out for frame in heard[-SILERO_FRAMES:] if not frame.hole]
    sure = certainty >= SOON_SURE + more or (last and sure_of(heard, len(heard)) >= SURE + more)
    if guarded and any(frame.hole for frame in heard):
        # The networks were never trained on what is left of an echo,
        sure = heard_through_holes(heard) and sure_of(heard, len(heard)) >= GUARDED_SURE + more
    elif len(out) < len(heard[-SILERO_FRAMES:]):
        # nor on speech with holes, which Silero bears.
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


def sure_of(heard: Sequence[Evidence], frames: int = 0) -> float:
    """How sure it is that somebody is talking, in log-odds: what all the networks said of late, or
    in so many frames."""
    odds = [frame.likeness.surely for frame in heard[-max(frames, ODDS_FRAMES) :]]
    silero = [frame.probability for frame in heard[-max(frames, SILERO_FRAMES) :]]
    return sum(odds) / len(odds) + SILERO_WEIGHT * sum(silero) / len(silero)
