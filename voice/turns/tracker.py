"""The state of the caller's turn, frame by frame, in audio time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from voice.types import FRAME_MS

START_WINDOW_MS = 120
START_SHARE = 0.8
PREROLL_MS = 300
SPECULATE_AFTER_MS = 160
RESUME_MS = 60
LONGEST_TURN_MS = 90_000


@dataclass(frozen=True, slots=True)
class TurnStarted:
    """The caller began to speak at `start_ms`."""

    start_ms: int


@dataclass(frozen=True, slots=True)
class TurnPaused:
    """The caller has been silent for 160 ms since `speech_end_ms`: time to speculate."""

    speech_end_ms: int


@dataclass(frozen=True, slots=True)
class TurnResumed:
    """The caller went on after a pause of `pause_ms`: what was speculated is stale."""

    pause_ms: int


@dataclass(frozen=True, slots=True)
class TurnEnded:
    """The caller has finished: speech ended at `speech_end_ms`, declared at `declared_ms`."""

    start_ms: int
    speech_end_ms: int
    declared_ms: int


TurnEvent = TurnStarted | TurnPaused | TurnResumed | TurnEnded


class _State(Enum):
    IDLE = "idle"
    SPEAKING = "speaking"
    PAUSED = "paused"


class TurnTracker:
    """Start, pause, resumption and end of the caller's turn.

    A turn starts when 80 % of 120 ms are speech. After 160 ms of silence it pauses; it ends when
    the silence reaches `stop_ms`, which the loop sets from the endpoint policies.
    """

    def __init__(self, stop_ms: int) -> None:
        self.held = False
        """No silence ends a turn; `finish` does."""
        self._default_stop_ms = stop_ms
        self.stop_ms = stop_ms
        self.pauses_ms: list[int] = []
        self._state = _State.IDLE
        self._recent: deque[bool] = deque(maxlen=START_WINDOW_MS // FRAME_MS)
        self._start_ms = 0
        self._speech_end_ms = 0
        self._speech_run_ms = 0

    @property
    def speaking(self) -> bool:
        """Whether a turn is under way (spoken or paused)."""
        return self._state is not _State.IDLE

    @property
    def paused(self) -> bool:
        """Whether the caller has been silent for so long that the turn may be over."""
        return self._state is _State.PAUSED

    def push(self, end_ms: int, speech: bool) -> list[TurnEvent]:
        """Take the next frame, which ends at `end_ms` of audio time."""
        self._recent.append(speech)
        self._speech_run_ms = self._speech_run_ms + FRAME_MS if speech else 0
        if self._state is _State.IDLE:
            return self._idle(end_ms)
        if self._state is _State.SPEAKING:
            return self._speaking(end_ms, speech)
        return self._paused(end_ms, speech)

    def _idle(self, end_ms: int) -> list[TurnEvent]:
        window = self._recent
        if len(window) < (window.maxlen or 0) or sum(window) < START_SHARE * len(window):
            return []
        self._state = _State.SPEAKING
        self._start_ms = max(0, end_ms - len(window) * FRAME_MS)
        self._speech_end_ms = end_ms
        self.stop_ms = self._default_stop_ms
        return [TurnStarted(self._start_ms)]

    def _speaking(self, end_ms: int, speech: bool) -> list[TurnEvent]:
        if speech:
            self._speech_end_ms = end_ms
        if end_ms - self._start_ms >= LONGEST_TURN_MS:
            return self._end(end_ms)
        if end_ms - self._speech_end_ms >= SPECULATE_AFTER_MS:
            self._state = _State.PAUSED
            self.stop_ms = self._default_stop_ms
            return [TurnPaused(self._speech_end_ms)]
        return []

    def _paused(self, end_ms: int, speech: bool) -> list[TurnEvent]:
        if self._speech_run_ms >= RESUME_MS:
            pause_ms = end_ms - self._speech_run_ms - self._speech_end_ms
            self.pauses_ms.append(pause_ms)
            self._state = _State.SPEAKING
            self._speech_end_ms = end_ms
            return [TurnResumed(pause_ms)]
        # Speech that has just begun may go on: whether it does is known in 60 ms.
        if not (self.held or speech) and end_ms - self._speech_end_ms >= self.stop_ms:
            return self._end(end_ms)
        return []

    def begin(self, start_ms: int, end_ms: int) -> list[TurnEvent]:
        """The caller has interrupted: a turn is under way since `start_ms`."""
        self._state = _State.SPEAKING
        self._start_ms, self._speech_end_ms = start_ms, end_ms
        self.stop_ms = self._default_stop_ms
        return [TurnStarted(start_ms)]

    def _end(self, end_ms: int) -> list[TurnEvent]:
        self._state = _State.IDLE
        self._recent.clear()
        return [TurnEnded(self._start_ms, self._speech_end_ms, end_ms)]

    def finish(self, end_ms: int) -> list[TurnEvent]:
        """The recording or the line ended: whatever was being said is the turn."""
        return self._end(end_ms) if self.speaking else []
