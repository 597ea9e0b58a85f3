"""An ear for each turn of the caller, with what was heard just before it."""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import Executor

from voice.ears import StageClock, TurnEar, VoiceStream
from voice.speculation import Mind, Talk
from voice.types import FRAME_MS, RATE_HZ, AudioFrame, Expectation, Recognizer

log = logging.getLogger(__name__)


class Hearing:
    """Keeps the last `kept_ms` of a line and opens ears on it."""

    def __init__(
        self, recognizer: Recognizer, mind: Mind, talk: Talk, executor: Executor, kept_ms: int
    ) -> None:
        self._recognizer = recognizer
        self._mind = mind
        self._talk = talk
        self._executor = executor
        self._frames: deque[AudioFrame] = deque(maxlen=kept_ms // FRAME_MS)

    def keep(self, frame: AudioFrame) -> None:
        """The next frame of the line."""
        self._frames.append(frame)

    def open(self, from_ms: int, clock: StageClock) -> TurnEar:
        """An ear that has heard everything from this moment on, as far as it is kept."""
        expectation = Expectation(self._talk.expects)
        ear = TurnEar(self._recognizer, expectation, self._voice(), self._executor, clock)
        return self._told(ear, from_ms)

    def words_since(self, from_ms: int) -> TurnEar:
        """An ear for the words alone, whatever they are about."""
        ear = TurnEar(self._recognizer, Expectation(), None, self._executor, StageClock())
        return self._told(ear, from_ms)

    def _told(self, ear: TurnEar, from_ms: int) -> TurnEar:
        for frame in self._frames:
            if frame.start_ms >= from_ms:
                ear.hear(frame)
        return ear

    def _voice(self) -> VoiceStream | None:
        try:
            return self._mind.listen(RATE_HZ, self._talk.grants)
        except Exception:
            log.exception("the voice is not analysed in this turn")
            return None
