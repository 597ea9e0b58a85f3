"""VoiceLoop: the only place where ears, mind and mouth meet.

Frames come in; turns are tracked in audio time; at the first 160 ms of silence the answer is
speculated for generation *g*; when the turn ends the answer is committed and spoken. A generation
number is the only cancellation: whatever belongs to an older one is stale.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import aclosing
from datetime import datetime

from dialogue.types import ConsentState, Purpose
from nlu.errors import AttuneError
from voice.answering import Answer, Answerer, CallerTurn
from voice.background import Background
from voice.calm import Calm
from voice.doubt import Doubt
from voice.ears import KeyedEar, StageClock
from voice.floor import Floor
from voice.hearing import Hearing
from voice.mouth import ListenerPace, Mouth
from voice.speculation import (
    Deadlines,
    Mind,
    Speculator,
    StageFailure,
    Talk,
    without_voice,
)
from voice.supervision import HumanAgent, Patience, Request
from voice.thinking import Thinker
from voice.turns.backchannel import takes_the_turn
from voice.turns.endpointing import UNKNOWN_MS, EndpointPolicy, default_policies
from voice.turns.interruption import LOOKED_BACK_MS, InterruptionDetector
from voice.turns.keypad import Keypad
from voice.turns.presence import SilenceWatch
from voice.turns.suspicion import BargeIn
from voice.turns.tracker import (
    PREROLL_MS,
    TurnEnded,
    TurnEvent,
    TurnPaused,
    TurnResumed,
    TurnStarted,
    TurnTracker,
)
from voice.types import (
    FRAME_MS,
    AudioFrame,
    CallEnded,
    CallerAct,
    CallerFinished,
    CallerSpeaking,
    CallEvent,
    CallStarted,
    Channel,
    EmotionUpdated,
    EndTurn,
    HoldTurns,
    PartialTranscript,
    Recognizer,
    SetPace,
    StateConsent,
    StopSpeaking,
    Synthesizer,
    TurnDropped,
)
from voice.vad import SpeechDetector, VoiceActivity

log = logging.getLogger(__name__)

SHORTEST_UNCLEAR_MS = 600
_TIMED_EVERY = 17
"""Of so many frames one is timed and counts for all: reading the clocks for each costs as much as
some of what is timed. No multiple of 8, the frames after which Silero's windows begin again."""
_THREADS = 4

Observer = Callable[[CallEvent], None]


class VoiceLoop:
    """One call from the first word to the last.

    `started_at` is the wall clock at the start of the call: the clock of the conversation is that
    plus audio time, so a replay decides the same. Observers are told every `CallEvent`.
    Blocking work runs in `executor`, which calls may share; in threads of its own otherwise.
    `pace` is how fast the caller wants to be spoken to, a factor of what is decided. After each
    frame `calm` says what may be gathered before the next has to come. `guarded` says that an
    `EchoGuard` takes the assistant's own voice out of what comes.
    """

    def __init__(
        self,
        *,
        call: str,
        channel: Channel,
        recognizer: Recognizer,
        mind: Mind,
        talk: Talk,
        synthesizer: Synthesizer,
        started_at: datetime,
        observers: Sequence[Observer] = (),
        deadlines: Deadlines | None = None,
        policies: Sequence[EndpointPolicy] | None = None,
        known_names: Sequence[str] = (),
        patience: Patience | None = None,
        executor: Executor | None = None,
        pace: float = 1.0,
        calm: Calm | None = None,
        guarded: bool = False,
    ) -> None:
        self._call = call
        self._calm = calm or Calm()
        self._now_ms = 0
        self._turns = 0
        self._channel = channel
        self._talk = talk
        self._synthesizer = synthesizer
        self._observers = tuple(observers)
        deadlines = deadlines or Deadlines()
        self._opening_deadline_s = 8 * deadlines.speech_s
        self._own_threads = executor is None
        self._executor = executor or ThreadPoolExecutor(_THREADS, thread_name_prefix="attune-call")
        self._pace = ListenerPace(pace)
        self._speculator = speculator = Speculator(
            mind, talk, synthesizer, self._executor, deadlines, self._pace
        )
        self._mouth = Mouth(
            synthesizer,
            channel,
            lambda: self._now_ms,
            self._executor,
            deadlines.speech_s,
            self._pace,
        )
        self._answerer = Answerer(channel, speculator, self._mouth, self._tell)
        self._detector = SpeechDetector()
        self._interruption = InterruptionDetector(asks=True, guarded=guarded)
        self._tracker = TurnTracker(UNKNOWN_MS)
        self._keypad = Keypad()
        self._silence = SilenceWatch()
        self.agent = HumanAgent(self._tell, patience)
        self._floor = Floor(
            call=call,
            engines={
                "recognition": recognizer.name,
                "speech": synthesizer.name,
                "channel": channel.name,
            },
            names=tuple(known_names),
            talk=talk,
            answerer=self._answerer,
            mouth=self._mouth,
            interruption=self._interruption,
            agent=self.agent,
            tell=self._tell,
            now_ms=lambda: self._now_ms,
            count_turn=self._count_turn,
        )
        self._work = Background(live=channel.live)
        self._thinker = Thinker(
            speculator=speculator,
            talk=talk,
            work=self._work,
            tracker=self._tracker,
            policies=list(policies) if policies is not None else default_policies(),
            started_at=started_at,
            recognition_deadline_s=deadlines.recognition_s,
        )
        self._hearing = Hearing(recognizer, mind, talk, self._executor, PREROLL_MS + LOOKED_BACK_MS)
        self._doubt = Doubt(
            self._hearing, self._interruption, self._work, lambda: self._floor.asked
        )
        self._turn: CallerTurn | None = None
        self.overhead = StageClock()

    async def run(self) -> str:
        """Hold the call; returns why it ended (see `CallEnded`)."""
        self._tell(CallStarted(self._call, self._channel.name))
        reason = "error"
        try:
            await self._open()
            async with aclosing(self._channel.frames()) as frames:  # type: ignore[type-var]
                async for frame in frames:
                    activity = self._judge(frame)
                    await self._hear(frame, activity)
                    self._say_what_may_wait(activity)
                    if self._floor.done:
                        break
            await self._last_words()
            if self._floor.brief is not None:
                await self._channel.transfer(self._floor.brief)
            reason = self._floor.ending or "hangup"
        finally:
            await self._shut(reason)
        return reason

    async def _open(self) -> None:
        """Render the fallbacks and say the opening.

        Raises `AttuneError` when there is no voice at all: a call without one helps nobody.
        """
        try:
            await self._answerer.prepare_fallbacks(
                self._synthesizer, self._executor, self._opening_deadline_s
            )
        except StageFailure as failure:
            raise AttuneError(
                f"{self._synthesizer.name} cannot speak ({failure.reason}); run 'attune doctor'."
            ) from failure
        await self._floor.open()

    async def _last_words(self) -> None:
        """The line went dead in the middle of a turn: what was said still counts."""
        self.agent.line_ended()
        await self._dispatch(self._tracker.finish(self._now_ms))
        if self._floor.answer is not None and self._floor.answer.task is not None:
            await self._floor.answer.task

    async def _shut(self, reason: str) -> None:
        self._floor.finish(interrupted=not self._mouth.finished)
        self._floor.settle()
        self._floor.move_on()
        if self._turn is not None:
            await self._turn.ear.close()
        self._work.cancel()
        if self._own_threads:
            self._executor.shutdown(wait=False, cancel_futures=True)
        self._tell(CallEnded(self._call, self._now_ms, reason))

    def _tell(self, event: CallEvent) -> None:
        for observer in self._observers:
            observer(event)

    def _count_turn(self) -> int:
        self._turns += 1
        return self._turns

    # --- hearing -----------------------------------------------------------------------------

    async def _hear(self, frame: AudioFrame, activity: VoiceActivity) -> None:
        self._now_ms = frame.end_ms
        self._hearing.keep(frame)
        await self._take(frame.acts)
        if (request := self._asked_by_agent()) is not None:
            await self._floor.serve(request)
        if frame.keys or self._keypad.waiting:
            await self._keys(frame)
            return
        if self._floor.answer is not None:
            self._silence.active()
            await self._listen_over(frame, activity)
            return
        if self._turn is not None:
            if activity.speech:
                self._interruption.learn(activity.level_db)
            self._turn.ear.hear(frame)
            if self._turn.ear.due:
                await self._work.start(self._listen(self._turn))
        is_speech = activity.speech and (
            self._turn is not None or self._interruption.stands_out(activity)
        )
        if events := self._tracker.push(frame.end_ms, is_speech):
            await self._dispatch(events)
        if self._turn is not None or self._floor.answer is not None or self.agent.speaks:
            self._silence.active()
        elif self._channel.live and (due := self._silence.quiet(frame.end_ms)):
            await self._floor.check_presence(due)

    def _judge(self, frame: AudioFrame) -> VoiceActivity:
        turn = self._turn is not None
        if frame.start_ms // FRAME_MS % _TIMED_EVERY:
            return self._detector.push(frame, turn=turn)
        return self.overhead.timed(
            "vad", lambda: self._detector.push(frame, turn=turn), _TIMED_EVERY
        )

    def _say_what_may_wait(self, activity: VoiceActivity) -> None:
        """While the caller talks that they talk on, while nobody does that nobody does."""
        calm = self._calm
        calm.below_dbfs, calm.above_dbfs = -math.inf, math.inf
        if self._turn is not None:
            if activity.speech and not self._tracker.paused:
                calm.above_dbfs = self._detector.loud_db
        elif not activity.speech and (self._floor.answer is None or self._interruption.calm):
            calm.below_dbfs = self._detector.quiet_db

    async def _listen_over(self, frame: AudioFrame, activity: VoiceActivity) -> None:
        """While an answer is made or spoken: does the caller interrupt?"""
        match self._interruption.push(frame, activity):
            case BargeIn.HOLD:
                await self._floor.hold()
            case BargeIn.ASK:
                await self._doubt.ask()
            case BargeIn.RESUME:
                await self._floor.go_on()
            case BargeIn.CONFIRM:
                await self._interrupt(frame)
            case None if self._floor.over:
                self._floor.finish()

    def _asked_by_agent(self) -> Request | None:
        """What a human agent has asked for, if its moment has come."""
        self.agent.tick(self._now_ms)
        return self.agent.next_request(
            caller_speaks=self._turn is not None, answering=self._floor.answer is not None
        )

    async def _take(self, acts: Sequence[CallerAct]) -> None:
        """The caller did something other than speak."""
        for act in acts:
            match act:
                case HoldTurns(held):
                    self._tracker.held = held
                case EndTurn():
                    await self._dispatch(self._tracker.finish(self._now_ms))
                case StopSpeaking():
                    await self._floor.silence()
                case SetPace(factor):
                    self._pace.factor = factor
                case StateConsent(purpose, state):
                    self._talk.state_consent(purpose, state)
                    if purpose is Purpose.EMOTION_VOICE and state is not ConsentState.GRANTED:
                        self._forget_voice()

    def _forget_voice(self) -> None:
        """The voice is not analysed from here on: not in the turn under way, nor is anything kept
        that was made of it."""
        self._thinker.move_on()
        self._speculator.forget_voice()
        if self._turn is not None:
            self._turn.ear.forget_voice()
            self._turn.work = None
        answer = self._floor.answer
        if answer is not None:
            answer.course = ()
            if answer.understanding is not None:
                answer.understanding = without_voice(answer.understanding)

    async def _keys(self, frame: AudioFrame) -> None:
        """Keys take the turn at once, from the assistant and from what was being said."""
        words = self._keypad.push(frame.end_ms, frame.keys)
        if words or self._keypad.waiting:
            await self._floor.silence()
        if self._turn is not None:
            self._thinker.move_on()
            await self._turn.ear.close()
            self._tell(TurnDropped(self._turn.number))
            self._turn = None
            self._turns -= 1
            self._tracker.finish(frame.end_ms)
        if words is None:
            return
        self._silence.answered()
        self._thinker.move_on()
        self._floor.move_on()
        self._turn = CallerTurn(self._count_turn(), frame.start_ms, KeyedEar(words), StageClock())
        await self._end_turn(TurnEnded(frame.start_ms, frame.end_ms, frame.end_ms))

    async def _dispatch(self, events: list[TurnEvent]) -> None:
        for event in events:
            match event:
                case TurnStarted(start_ms):
                    self._begin_turn(start_ms)
                case TurnPaused(speech_end_ms):
                    await self._pause(speech_end_ms)
                case TurnResumed():
                    self._thinker.move_on()
                case TurnEnded():
                    await self._end_turn(event)

    def _begin_turn(self, start_ms: int, *, interrupts: bool = False, asked: bool = False) -> None:
        self._thinker.move_on()
        self._floor.move_on()
        clock = StageClock()
        heard_from_ms = start_ms if interrupts else self._now_ms - PREROLL_MS
        ear = self._hearing.open(heard_from_ms, clock)
        self._turn = CallerTurn(self._count_turn(), start_ms, ear, clock, interrupts, asked)
        self._tell(CallerSpeaking(self._turns, start_ms))

    async def _listen(self, turn: CallerTurn) -> None:
        before = turn.ear.partial
        await turn.ear.flush()
        for at_ms, estimate in turn.ear.course[turn.told :]:
            self._tell(EmotionUpdated(turn.number, at_ms, estimate))
        turn.told = len(turn.ear.course)
        if turn.ear.partial != before:
            self._tell(PartialTranscript(turn.number, turn.ear.partial))

    # --- thinking while the silence runs -------------------------------------------------------

    async def _pause(self, speech_end_ms: int) -> None:
        if self._turn is not None:
            self._thinker.move_on()
            await self._thinker.speculate(self._turn, self._now_ms, speech_end_ms)

    # --- answering -----------------------------------------------------------------------------

    async def _end_turn(self, ended: TurnEnded) -> None:
        turn, self._turn = self._turn, None
        if turn is None:
            return
        answer = Answer(turn.number, ended.start_ms, ended.speech_end_ms, turn.clock)
        self._floor.answer = answer
        self._tell(CallerFinished(turn.number, ended.speech_end_ms))
        self._interruption.reset()
        answer.task = asyncio.ensure_future(self._answer_turn(turn, answer, ended.declared_ms))
        if not self._channel.live:
            await answer.task

    async def _answer_turn(self, turn: CallerTurn, answer: Answer, declared_ms: int) -> None:
        declared_at_s = time.perf_counter()
        try:
            prepared = await self._thinker.prepared(turn, answer, self._now_ms)
            if self._nothing_said(turn, answer):
                await self._ignore(turn)
                return
            self._silence.answered()
            await self._floor.give(answer, prepared, declared_ms)
        except StageFailure as failure:
            answer.transcript = turn.transcript
            await self._floor.give_up(answer, failure)
        finally:
            await self._work.start(turn.ear.close())
        self._answerer.book_latency(turn, answer, declared_at_s, declared_ms)

    def _nothing_said(self, turn: CallerTurn, answer: Answer) -> bool:
        text = answer.transcript.text.strip()
        if turn.interrupts and self._floor.cut_off and not takes_the_turn(text, asked=turn.asked):
            return True
        return not text and answer.end_ms - answer.start_ms < SHORTEST_UNCLEAR_MS

    async def _ignore(self, turn: CallerTurn) -> None:
        """A cough or a hum: nothing was said; go on with what it had interrupted."""
        self._floor.answer = None
        self._turns -= 1
        self._tell(TurnDropped(turn.number))
        if turn.interrupts:
            await self._floor.resume()

    async def _interrupt(self, frame: AudioFrame) -> None:
        start_ms = max(0, self._interruption.spoken_from_ms - PREROLL_MS)
        asked = self._floor.asked
        await self._floor.interrupt()
        self._tracker.begin(start_ms, frame.end_ms)
        self._begin_turn(start_ms, interrupts=True, asked=asked)
