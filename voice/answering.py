"""The assistant's side of a turn: commit, speak, fall back honestly, book what it took."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from dialogue.honesty import sentences
from dialogue.types import Clause, Decision, Delivery, Reply
from nlu.types import EmotionEstimate, Transcript, Understanding
from voice.ears import KeyedEar, StageClock, TurnEar
from voice.mouth import Mouth, RenderedClause, SpeechFailure, plain, render
from voice.speculation import Prepared, Speculator, StageFailure, staged
from voice.supervision import HOLD, Verdict
from voice.turns.endpointing import UNKNOWN_MS, StopSilence
from voice.types import (
    AgentWords,
    CallEvent,
    Channel,
    ClauseQueued,
    ClauseRecord,
    Speaker,
    Synthesizer,
    TurnDecided,
)
from voice.utterance import Utterance

log = logging.getLogger(__name__)

NOT_HEARD = "I didn't catch that. Could you say it once more?"
NOT_POSSIBLE = (
    "I can't get that done right now. Could you ask me again, or say that you'd like a person?"
)
STILL_THERE = "Are you still there?"
NOBODY_THERE = "I can't hear anyone, so I'll end the call now. Goodbye."


@dataclass(slots=True)
class CallerTurn:
    """What is known of the turn that the caller is speaking.

    `paused_ms` is where in audio time the last speculation began, `speculated_in_s` how long it
    took by the wall clock.
    """

    number: int
    start_ms: int
    ear: TurnEar | KeyedEar
    clock: StageClock
    interrupts: bool = False
    asked: bool = False
    """Whether what it interrupts had just asked something."""
    work: asyncio.Task[Prepared] | None = None
    paused_ms: int = 0
    speculated_in_s: float = 0.0
    verdict: StopSilence = StopSilence(UNKNOWN_MS, "no pause")
    transcript: Transcript = field(default_factory=lambda: Transcript(""))
    told: int = 0


@dataclass(slots=True)
class Answer:
    """What the assistant is saying, and what the record of the turn needs."""

    number: int
    start_ms: int
    end_ms: int
    clock: StageClock
    verdict: StopSilence | None = None
    transcript: Transcript = field(default_factory=lambda: Transcript(""))
    understanding: Understanding | None = None
    decision: Decision | None = None
    reply: Reply = Reply()
    utterance: Utterance = field(default_factory=Utterance)
    latency_ms: dict[str, float] = field(default_factory=dict)
    fallback: str | None = None
    course: tuple[tuple[int, EmotionEstimate], ...] = ()
    task: asyncio.Task[None] | None = None
    speaker: Speaker = Speaker.ASSISTANT
    plan: Decision | None = None
    """What is to be decided on, before anything of it has happened."""
    speaking: bool = False
    """Whether anything but a request for patience may have been heard."""
    review: str | None = None
    before: list[Utterance] = field(default_factory=list)
    """What was said to keep the caller company while a human looked at the plan."""

    @property
    def first_ms(self) -> int | None:
        """Where in audio time the first sound came."""
        return next((each.first_ms for each in self.before), self.utterance.first_ms)

    def clauses(self, now_ms: int | None = None) -> tuple[ClauseRecord, ...]:
        """What was said and how much of it was heard: by `now_ms`, or in the end."""
        said = (*self.before, self.utterance)
        return tuple(record for each in said for record in each.records(now_ms))


class Answerer:
    """Carries an ended turn from the speculated answer to queued sound."""

    def __init__(
        self,
        channel: Channel,
        speculator: Speculator,
        mouth: Mouth,
        tell: Callable[[CallEvent], None],
    ) -> None:
        self._channel = channel
        self._speculator = speculator
        self._mouth = mouth
        self._tell = tell
        self._ready: Mapping[str, RenderedClause] = {}

    async def prepare_fallbacks(
        self, synthesizer: Synthesizer, executor: Executor, deadline_s: float
    ) -> None:
        """Render the fallbacks while nothing hurries. Raises `StageFailure`."""
        self._ready = {
            text: await staged(
                executor, "speech", deadline_s, partial(render, synthesizer, plain(text).clauses[0])
            )
            for text in (NOT_HEARD, NOT_POSSIBLE)
        }

    async def say(
        self,
        answer: Answer,
        reply: Reply,
        alive: Callable[[], bool],
        *,
        waited_ms: int = 0,
        prepared: RenderedClause | None = None,
    ) -> None:
        """Queue a reply as this answer's, or what is left of one that was taken up again."""
        if reply is not answer.reply:
            answer.reply, answer.utterance = reply, Utterance()
        answer.speaking = True
        await self._mouth.say(
            reply,
            waited_ms=waited_ms,
            prepared=prepared,
            alive=alive,
            on_clause=lambda text, start_ms, end_ms: self.tell_clause(
                answer, text, start_ms, end_ms
            ),
            utterance=answer.utterance,
        )

    def tell_clause(self, answer: Answer, text: str, start_ms: int, end_ms: int) -> None:
        """A clause of an answer is about to be heard."""
        written = {clause.text: clause.written for clause in answer.reply.clauses}
        self._tell(
            ClauseQueued(answer.number, text, start_ms, end_ms, written.get(text), answer.speaker)
        )

    async def hold(self, answer: Answer, alive: Callable[[], bool]) -> None:
        """Ask for patience while a human looks at the plan."""
        with suppress(SpeechFailure):
            said = Utterance()
            answer.before.append(said)
            await self._mouth.say(
                plain(HOLD),
                alive=alive,
                on_clause=lambda text, start_ms, end_ms: self._tell(
                    ClauseQueued(answer.number, text, start_ms, end_ms)
                ),
                utterance=said,
            )

    async def settle_and_say(
        self,
        answer: Answer,
        prepared: Prepared,
        verdict: Verdict,
        declared_ms: int,
        alive: Callable[[], bool],
    ) -> None:
        """Carry out the effects, then speak what really happened: as far as the verdict lets the
        plan go, and in the agent's words where it has some. Raises `StageFailure`."""
        settle = self._speculator.commit if verdict.ruling.carries_out else self._speculator.observe
        answer.decision = decision = await settle(prepared.decision, answer.clock)
        answer.review = verdict.ruling.value if verdict.asked else None
        if verdict.words is not None or not verdict.ruling.carries_out:
            answer.speaker = Speaker.AGENT
        self._tell(
            TurnDecided(
                answer.number,
                answer.understanding or prepared.understanding,
                decision,
                answer.speaker,
            )
        )
        if verdict.words is None and not verdict.ruling.carries_out:
            return
        try:
            await self.say(
                answer,
                decision.reply if verdict.words is None else spoken(verdict.words, decision),
                alive,
                waited_ms=declared_ms - answer.end_ms,
                prepared=prepared.first,
            )
        except SpeechFailure as failure:
            raise StageFailure("speech", str(failure)) from failure

    async def fall_back(
        self, answer: Answer, failure: StageFailure, alive: Callable[[], bool]
    ) -> None:
        """Say honestly that it did not work, with sound that was rendered at the start."""
        log.warning("turn %d: %s; a fallback was spoken.", answer.number, failure)
        answer.fallback = str(failure)
        deaf = failure.stage in ("recognition", "understanding")
        text = NOT_HEARD if deaf else NOT_POSSIBLE
        await self.say(answer, plain(text), alive, prepared=self._ready.get(text))

    def book_latency(
        self, turn: CallerTurn, answer: Answer, declared_at_s: float, declared_ms: int
    ) -> None:
        """The gap from the end of speech to the first sound: audio time plus computing.

        A live channel's audio time contains the computing already.
        """
        first_at_s = answer.utterance.first_sound_at_s or time.perf_counter()
        first_ms = answer.first_ms or declared_ms
        late_ms = max(0.0, turn.speculated_in_s * 1000.0 - (declared_ms - turn.paused_ms))
        after_end_ms = (first_at_s - declared_at_s) * 1000.0
        gap_ms = float(first_ms - answer.end_ms)
        if not self._channel.live:
            after_end_ms += late_ms
            gap_ms += after_end_ms
        answer.latency_ms |= {
            "silence": float(declared_ms - answer.end_ms),
            "speculation": turn.speculated_in_s * 1000.0,
            "after_end": after_end_ms,
            "gap": gap_ms,
        }


def spoken(words: AgentWords, decision: Decision | None) -> Reply:
    """An agent's words as the assistant would speak to this caller at this moment: the delivery is
    that of the decision, and owes nothing to the words."""
    first = next(iter(decision.reply.clauses), None) if decision is not None else None
    delivery = replace(
        first.delivery if first is not None else Delivery(), pause_before_ms=0, pause_after_ms=300
    )
    return Reply(tuple(Clause(text, delivery) for text in sentences(words.text)))


def owed(decision: Decision | None) -> Reply:
    """What is said of a plan that was not carried out, should nobody else answer."""
    if decision is None or decision.effects or decision.handoff is not None:
        return plain(NOT_HEARD)
    return decision.reply
