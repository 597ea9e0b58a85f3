"""One turn of the caller being heard: recognition and voice features, off the event loop."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np

from nlu.types import EmotionEstimate, Samples, VoiceEvidence
from voice.audio import to_float
from voice.turns.prosody import PhraseEnd, phrase_end
from voice.types import FRAME_MS, AudioFrame, Expectation, Recognizer, RecognizerStream, Transcript

BATCH_MS = 100
EMOTION_EVERY_MS = 250
_TAIL_MS = 3_000

T = TypeVar("T")
log = logging.getLogger(__name__)


class VoiceStream(Protocol):
    """What accumulates a caller's voice features (see `nlu.emotion.acoustic`)."""

    def accept(self, samples: Samples) -> None:
        """Take the next samples."""

    def estimate(self) -> EmotionEstimate:
        """The feeling in what was accepted so far."""

    def quality(self) -> Mapping[str, float]:
        """How good the sound is."""

    def features_summary(self) -> Mapping[str, float]:
        """What shows change within a call."""


@dataclass(slots=True)
class StageClock:
    """Wall and CPU milliseconds by stage, added up over a turn."""

    wall_ms: dict[str, float] = field(default_factory=dict)
    cpu_ms: dict[str, float] = field(default_factory=dict)

    def timed(self, stage: str, work: Callable[[], T], stands_for: int = 1) -> T:
        """Run `work` in this thread and book its time on `stage`, as often as it stands for."""
        wall, cpu = time.perf_counter(), time.thread_time()
        try:
            return work()
        finally:
            wall_s, cpu_s = time.perf_counter() - wall, time.thread_time() - cpu
            self.add(stage, stands_for * wall_s, stands_for * cpu_s)

    def add(self, stage: str, wall_s: float, cpu_s: float) -> None:
        """Book seconds on a stage."""
        self.wall_ms[stage] = self.wall_ms.get(stage, 0.0) + wall_s * 1000.0
        self.cpu_ms[stage] = self.cpu_ms.get(stage, 0.0) + cpu_s * 1000.0


class TurnEar:
    """Takes the frames of one turn in order and hands them to the recogniser and the voice model.

    `hear` only stores; `flush` works in `executor`, where the recogniser's stream is opened too:
    it may have to load a decoder. The lock keeps batches in order.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        expectation: Expectation,
        voice: VoiceStream | None,
        executor: Executor,
        clock: StageClock,
    ) -> None:
        self._recognizer = recognizer
        self._expectation = expectation
        self._stream: RecognizerStream | None = None
        self._voice = voice
        self._executor = executor
        self._clock = clock
        self._lock = asyncio.Lock()
        self._pending: list[AudioFrame] = []
        self._tail: deque[AudioFrame] = deque(maxlen=_TAIL_MS // FRAME_MS)
        self._since_estimate_ms = 0
        self._broken: Exception | None = None
        self.partial = ""
        self.course: list[tuple[int, EmotionEstimate]] = []

    @property
    def due(self) -> bool:
        """Whether a batch is waiting."""
        return len(self._pending) * FRAME_MS >= BATCH_MS

    def hear(self, frame: AudioFrame) -> None:
        """Store the next frame."""
        self._pending.append(frame)
        self._tail.append(frame)

    async def flush(self) -> None:
        """Work through what is stored."""
        await self._lock.acquire()
        batch, self._pending = self._pending, []
        if batch:
            await self._locked(lambda: self._work(batch))
        else:
            self._lock.release()

    async def _alone(self, work: Callable[[], T]) -> T:
        """Run `work` in the executor, nothing else of this turn beside it."""
        await self._lock.acquire()
        return await self._locked(work)

    async def _locked(self, work: Callable[[], T]) -> T:
        """Run `work` and give the lock back when it has really ended.

        Whoever waits for it may give up; but a decoder that is still at work can neither be used
        nor given back.
        """

        def ended(done: asyncio.Future[T]) -> None:
            self._lock.release()
            if not done.cancelled():
                done.exception()

        running = asyncio.get_running_loop().run_in_executor(self._executor, work)
        running.add_done_callback(ended)
        return await asyncio.shield(running)

    def _work(self, batch: list[AudioFrame]) -> None:
        def recognise() -> None:
            stream = self._opened()
            for frame in batch:
                stream.accept(frame)
            self.partial = stream.partial()

        if self._broken is None:
            try:
                self._clock.timed("recognition", recognise)
            except Exception as error:
                self._broken = error
        if self._voice is not None:
            try:
                self._clock.timed("voice_emotion", lambda: self._feel(batch))
            except Exception:
                log.exception("the voice is not analysed any further in this turn")
                self.forget_voice()

    def _opened(self) -> RecognizerStream:
        if self._stream is None:
            self._stream = self._recognizer.stream(self._expectation)
        return self._stream

    def _final(self) -> Transcript:
        return self._opened().final()

    def _feel(self, batch: list[AudioFrame]) -> None:
        if self._voice is None:
            return
        self._voice.accept(to_float(np.concatenate([frame.samples for frame in batch])))
        self._since_estimate_ms += len(batch) * FRAME_MS
        if self._since_estimate_ms >= EMOTION_EVERY_MS:
            self._since_estimate_ms = 0
            self.course.append((batch[-1].end_ms, self._voice.estimate()))

    async def transcript(self) -> Transcript:
        """The words of everything heard so far. Raises what broke the recogniser, if it broke."""
        await self.flush()
        if self._broken is not None:
            raise self._broken
        return await self._alone(lambda: self._clock.timed("recognition_final", self._final))

    async def feeling(self) -> VoiceEvidence | None:
        """What the voice said so far; None without a grant."""
        voice = self._voice
        if voice is None:
            return None

        def evidence() -> VoiceEvidence:
            return VoiceEvidence(voice.estimate(), voice.quality(), voice.features_summary())

        try:
            return await self._alone(lambda: self._clock.timed("voice_emotion", evidence))
        except Exception:
            log.exception("the voice could not be judged in this turn")
            return None

    def forget_voice(self) -> None:
        """Drop every acoustic value of this turn."""
        self._voice = None
        self.course.clear()

    def ending(self, speech_end_ms: int) -> PhraseEnd:
        """The melody of the last 3 s up to where speech ended."""
        frames = [frame.samples for frame in self._tail if frame.start_ms < speech_end_ms]
        if not frames:
            return PhraseEnd()
        return self._clock.timed("endpointing", lambda: phrase_end(np.concatenate(frames)))

    async def close(self) -> None:
        """Free the recogniser's stream once its batch is done: it may have a segment to end."""
        await self._alone(self._free)

    def _free(self) -> None:
        if self._stream is not None:
            self._stream.close()


class KeyedEar:
    """A turn that was keyed, not spoken: its words are known and it has no voice."""

    due = False
    partial = ""

    def __init__(self, text: str) -> None:
        self._transcript = Transcript(text, engine="keypad")
        self.course: list[tuple[int, EmotionEstimate]] = []

    def hear(self, frame: AudioFrame) -> None:
        """Keys have no sound."""

    async def flush(self) -> None:
        """Nothing is stored."""

    async def transcript(self) -> Transcript:
        """What was keyed."""
        return self._transcript

    async def feeling(self) -> VoiceEvidence | None:
        """None: keys feel nothing."""
        return None

    def forget_voice(self) -> None:
        """No voice was heard."""

    def ending(self, speech_end_ms: int) -> PhraseEnd:
        """No melody."""
        del speech_end_ms
        return PhraseEnd()

    async def close(self) -> None:
        """Nothing is held."""
