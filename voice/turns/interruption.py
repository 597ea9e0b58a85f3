"""Is the caller interrupting, or only coughing, humming along, or is a door slamming?

Two steps, as nobody can tell in 100 ms. At the first doubt the assistant falls silent; within half
a second either it is sure that somebody is talking and the turn is theirs, or it goes on where it
was (`suspicion`). What is heard has to stand out from what the line has carried while the assistant
spoke: people talking in the background do not. What still slips through is mended by the words: a
bare "okay" or "right" lets the assistant go on (`backchannel`). `benchmarks/barge_in.py` measures
all of it, and says on which sounds the thresholds were chosen.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from voice.audio import DIGITAL_SILENCE_DB
from voice.turns.likeness import Judged, SpeechLikeness
from voice.turns.suspicion import (
    LASTING_MS,
    LASTING_SHARE,
    BargeIn,
    Evidence,
    Heard,
    Suspicion,
)
from voice.types import FRAME_MS, AudioFrame
from voice.vad import VoiceActivity

LOOKED_BACK_MS = 2_500
"""What somebody said who was doubted is heard from their first word on, if not from before this."""
ABOVE_NOISE_DB = 9.0
BELOW_CALLER_DB = 12.0
QUIETEST_DBFS = -54.0
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
_LASTING_FRAMES = LASTING_SHARE * LASTING_MS / FRAME_MS
_AT_ONCE_MS = 500
"""How much of a quiet line is looked into together: a frame by itself costs four times as much."""


class InterruptionDetector:
    """Watches the caller's frames while the assistant speaks. `asks` says that there is somebody to
    answer its questions (`BargeIn.ASK`) with `told`, `guarded` that an `EchoGuard` leaves holes in
    what comes."""

    def __init__(self, *, asks: bool = False, guarded: bool = False) -> None:
        self._likeness = SpeechLikeness()
        self._suspicion = Suspicion(asks=asks, guarded=guarded)
        self._unjudged: list[tuple[Judged, bool]] = []
        self._stood_out: deque[bool] = deque(maxlen=LASTING_MS // FRAME_MS)
        self._levels_db: deque[float] = deque(maxlen=BACKGROUND_MS // FRAME_MS)
        self._background_db: float | None = None
        self._frames = 0
        self._caller_db: float | None = None
        self._first_doubt_ms = 0
        self._maybe_words_ms: int | None = None
        self.spoken_from_ms = 0
        """Since when somebody has been talking, once that is sure."""

    def learn(self, level_db: float) -> None:
        """The caller is speaking at this level: people in the background are quieter."""
        known = self._caller_db if self._caller_db is not None else level_db
        self._caller_db = known + _LEARNING * (level_db - known)

    def reset(self) -> None:
        """The assistant begins a new stretch of speech."""
        self._catch_up()
        self._suspicion.reset()
        self._stood_out.clear()

    @property
    def question(self) -> int:
        """The number of what was asked last; it is about what was heard since `spoken_from_ms`."""
        return self._suspicion.question

    @property
    def wary(self) -> bool:
        """Whether there has just been a false alarm."""
        self._catch_up()
        return self._suspicion.wary

    def told(self, question: int, heard: Heard) -> None:
        """The answer: what was said."""
        self._catch_up()
        self._suspicion.told(question, heard)

    def stands_out(self, activity: VoiceActivity) -> bool:
        """Whether this is louder than what the line carried while the assistant last spoke."""
        background_db = self._background_db
        return background_db is None or activity.level_db > background_db + STANDS_OUT_DB

    def push(self, frame: AudioFrame, activity: VoiceActivity) -> BargeIn | None:
        """What to do after this frame; mostly nothing."""
        stands_out = self._is_loud(activity)
        self._unjudged.append(((frame, activity), stands_out))
        self._stood_out.append(stands_out)
        if not stands_out and self.calm and len(self._unjudged) * FRAME_MS < _AT_ONCE_MS:
            return None
        found = self._catch_up()
        if found is not None:
            self._date(found, frame.end_ms)
        return found

    def _is_loud(self, activity: VoiceActivity) -> bool:
        """Whether this stands out from the background; nothing does before that is known."""
        background_db = self._background(activity.level_db)
        if background_db is None:
            return False
        quietest_db = max(QUIETEST_DBFS, background_db + ABOVE_BACKGROUND_DB)
        if self._caller_db is not None:
            quietest_db = max(quietest_db, self._caller_db - BELOW_CALLER_DB)
        return activity.level_db > max(quietest_db, activity.noise_floor_db + ABOVE_NOISE_DB)

    @property
    def calm(self) -> bool:
        """Whether nothing can follow from a frame that does not stand out: nobody is doubted, or
        has been heard for long enough of late to be let in for that."""
        return self._suspicion.idle and sum(self._stood_out) < _LASTING_FRAMES

    def _catch_up(self) -> BargeIn | None:
        """Look into what was left; what follows from the last frame."""
        unjudged, self._unjudged = self._unjudged, []
        found = None
        likenesses = self._likeness.follow([judged for judged, _ in unjudged])
        for ((_, activity), stands_out), likeness in zip(unjudged, likenesses, strict=True):
            hole = activity.level_db <= DIGITAL_SILENCE_DB
            found = self._suspicion.push(Evidence(likeness, activity.probability, stands_out, hole))
        return found

    def _date(self, found: BargeIn, now_ms: int) -> None:
        """Keep `spoken_from_ms`: what was said and doubted is a part of what is said after all."""
        match found:
            case BargeIn.HOLD:
                self.spoken_from_ms = now_ms
                if not self._suspicion.wary:
                    self._first_doubt_ms, self._maybe_words_ms = now_ms, None
            case BargeIn.ASK if self._maybe_words_ms is None:
                self._maybe_words_ms = self.spoken_from_ms
            case BargeIn.CONFIRM:
                from_ms = self.spoken_from_ms
                if self._suspicion.lasted:
                    from_ms = min(self._first_doubt_ms, now_ms - LASTING_MS)
                elif self._maybe_words_ms is not None:
                    from_ms = self._maybe_words_ms
                self.spoken_from_ms = max(from_ms, now_ms - LOOKED_BACK_MS)

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
