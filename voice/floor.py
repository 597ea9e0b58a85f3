"""The assistant's side of the floor: the answer under way, the one that was cut off, the one that
an agent still owes, and how the call is to end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from dialogue.types import HandoffBrief, Reply
from voice.answering import NOBODY_THERE, STILL_THERE, Answer, Answerer, owed, spoken
from voice.ears import StageClock
from voice.mouth import Mouth, SpeechFailure, plain
from voice.speculation import Prepared, StageFailure, Talk
from voice.supervision import (
    STILL_WAITING,
    Close,
    GiveBack,
    HumanAgent,
    NobodyCame,
    Plan,
    Reassure,
    Request,
    Ruling,
    Say,
    TakeOver,
    Transfer,
    Verdict,
)
from voice.turns.interruption import InterruptionDetector
from voice.turns.presence import Absence
from voice.types import (
    AgentWords,
    AnswerEnded,
    CallEvent,
    Hand,
    Speaker,
)
from voice.underway import AnswerUnderWay

log = logging.getLogger(__name__)


class Floor(AnswerUnderWay):
    """Begins, silences and ends answers, whoever gives them.

    `count_turn` gives the number of a turn that nobody but the agent speaks in. `ending` is why the
    call is to end once nothing is being said; `brief` goes ahead of a caller who is put through.
    """

    def __init__(
        self,
        *,
        call: str,
        engines: Mapping[str, str],
        names: Sequence[str],
        talk: Talk,
        answerer: Answerer,
        mouth: Mouth,
        interruption: InterruptionDetector,
        agent: HumanAgent,
        tell: Callable[[CallEvent], None],
        now_ms: Callable[[], int],
        count_turn: Callable[[], int],
    ) -> None:
        super().__init__(
            call=call,
            engines=engines,
            names=names,
            answerer=answerer,
            mouth=mouth,
            interruption=interruption,
            tell=tell,
            now_ms=now_ms,
        )
        self._talk = talk
        self._agent = agent
        self._count_turn = count_turn
        self._check: Answer | None = None
        self._owed: Answer | None = None
        self._waiting_with: HandoffBrief | None = None
        self._ending_then: str | None = None
        self.ending: str | None = None
        self.brief: HandoffBrief | None = None

    @property
    def done(self) -> bool:
        """Whether the call is to end now."""
        return self.ending is not None and self.answer is None

    def still(self, answer: Answer) -> Callable[[], bool]:
        """Whether an answer may go on: nobody has interrupted it, nor taken the call over. The
        opening says what the law wants said, and is finished in any hand."""

        def alive() -> bool:
            theirs = answer.speaker is Speaker.ASSISTANT and answer is not self._opening
            taken = self._agent.hand is Hand.AGENT
            return self.answer is answer and not (theirs and taken)

        return alive

    # --- answers -------------------------------------------------------------------------------

    async def open(self) -> None:
        """Say the opening."""
        opening = Answer(0, 0, 0, StageClock(), decision=self._talk.opening())
        self._opening = self.answer = opening
        if opening.decision is not None:
            await self._say(opening, opening.decision.reply)

    async def check_presence(self, due: Absence) -> None:
        """Ask a silent line whether anybody is there; the second time, say goodbye."""
        now_ms = self._now_ms()
        self._check = self.answer = check = Answer(0, now_ms, now_ms, StageClock())
        self.listen_afresh()
        if due is Absence.END:
            self.ending = "silence"
        await self._say(check, plain(STILL_THERE if due is Absence.ASK else NOBODY_THERE))

    async def give(self, answer: Answer, prepared: Prepared, declared_ms: int) -> None:
        """Answer a turn as planned, as far as a human who wants to be asked lets it go.

        Raises `StageFailure`.
        """
        self.settle()
        alive = self.still(answer)
        answer.plan, answer.reply = prepared.decision, owed(prepared.decision)
        understanding = answer.understanding or prepared.understanding
        plan = Plan(answer.number, understanding, prepared.decision)
        verdict = await self._agent.verdict(plan, lambda: self._answerer.hold(answer, alive))
        await self._answerer.settle_and_say(answer, prepared, verdict, declared_ms, alive)
        self._settled(answer, verdict)

    async def give_up(self, answer: Answer, failure: StageFailure) -> None:
        """A turn cannot be answered as planned: say so, unless an agent has the call."""
        self.settle()
        if self._agent.speaks:
            answer.fallback = str(failure)
            self._leave_to_agent(answer)
        else:
            await self._answerer.fall_back(answer, failure, self.still(answer))

    def _settled(self, answer: Answer, verdict: Verdict) -> None:
        """A plan was carried out as far as the verdict let it go: what follows for the call."""
        decision = answer.decision
        if verdict.ruling is Ruling.TAKEN:
            self._leave_to_agent(answer)
        elif verdict.ruling.carries_out and decision is not None:
            if decision.handoff is not None and self._agent.attended():
                self._waiting_with = decision.handoff
                self._agent.wait_for_person()
                return
            if decision.handoff is not None or decision.ends_call:
                self.ending = "closed" if decision.handoff is None else "handoff"
            self.brief = decision.handoff or self.brief

    def _leave_to_agent(self, answer: Answer) -> None:
        """The agent answers this turn when they like."""
        if self.answer is answer:
            self.answer = None
            self._owed = answer
            self.listen_afresh()
            answer.speaker = Speaker.AGENT
            self._latest = answer.decision or self._latest
            self._tell(AnswerEnded(answer.number, self._now_ms(), interrupted=False))

    def move_on(self) -> None:
        """The caller goes on: what was owed until now stays without an answer of its own."""
        answer, self._owed = self._owed, None
        if answer is not None:
            self.record(answer)

    # --- silence -------------------------------------------------------------------------------

    async def silence(self) -> None:
        """Stop speaking: somebody else has the turn."""
        answer = self.answer
        if answer is not None:
            self._withdraw(answer)
            await self.stop(answer)
            self.finish(interrupted=True)

    async def interrupt(self) -> None:
        """The caller speaks into the answer; it may turn out to be nothing."""
        answer, self._ending_then = self.answer, self.ending
        if answer is None or answer is self._check:
            await self.silence()
            return
        self._withdraw(answer)
        await self.set_aside(answer)

    def _withdraw(self, answer: Answer) -> None:
        """What was not said yet is not carried out, and the call does not end."""
        if not answer.speaking:
            answer.decision = answer.decision or answer.plan
            answer.review = Ruling.DROPPED.value if self._agent.held else answer.review
        self._agent.drop()
        if self.ending in ("closed", "silence"):
            self.ending = None

    async def resume(self) -> None:
        """It was nothing after all: go on where the interruption came."""
        answer = self.cut_off
        if answer is None:
            return
        if await self.take_up(answer):
            self.ending = self.ending or self._ending_then
            answer.task = asyncio.ensure_future(self._say(answer, answer.reply))
            await answer.task
        elif not answer.speaking:
            now_ms = self._now_ms()
            instead = Answer(0, now_ms, now_ms, answer.clock, speaker=answer.speaker)
            self._begin(instead, answer.reply)
            await asyncio.wait([instead.task] if instead.task else [])

    async def _say(self, answer: Answer, reply: Reply) -> None:
        with suppress(SpeechFailure):
            await self._answerer.say(answer, reply, self.still(answer))

    # --- the human agent -----------------------------------------------------------------------

    async def serve(self, request: Request) -> None:
        """Do what the agent asks for."""
        match request:
            case TakeOver():
                # Whoever was being put through has a person now.
                self.ending = self.brief = None
                speaking = self.answer is not None and self.answer.speaking
                if speaking and self.answer is not self._opening:
                    await self.silence()
            case Say(words):
                self._speak_for(words)
            case Transfer(words):
                self.brief = self._talk.brief("agent", "an agent puts the caller through")
                self.ending = "handoff"
                self._speak_for(words)
            case Close():
                self.ending = "closed"
            case Reassure():
                now_ms = self._now_ms()
                self._begin(Answer(0, now_ms, now_ms, StageClock()), plain(STILL_WAITING))
            case NobodyCame():
                self.ending, self.brief = "handoff", self._waiting_with
            case GiveBack():
                answer, self._owed = self._owed, None
                if answer is not None:
                    answer.speaker = Speaker.ASSISTANT
                    self._begin(answer, owed(answer.decision))

    def _speak_for(self, words: AgentWords) -> None:
        now_ms = self._now_ms()
        answer = self._owed or Answer(self._count_turn(), now_ms, now_ms, StageClock())
        self._owed = None
        answer.speaker = Speaker.AGENT
        self._begin(answer, spoken(words, self._latest))

    def _begin(self, answer: Answer, reply: Reply) -> None:
        self.answer = answer
        self.listen_afresh()
        answer.task = asyncio.ensure_future(self._say(answer, reply))
