"""The answer to a turn, made while the silence is still running.

A result belongs to a generation. When the caller goes on, the generation moves and the result is
stale: one integer comparison decides.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol, TypeVar

from dialogue.customers.consent import withdrawals
from dialogue.types import ConsentState, Decision, HandoffBrief, Purpose, Reply
from nlu.types import (
    ConversationSoFar,
    EmotionEstimate,
    Grant,
    Source,
    Transcript,
    Understanding,
    VoiceEvidence,
)
from voice.ears import StageClock, VoiceStream
from voice.mouth import ListenerPace, RenderedClause, render
from voice.types import Synthesizer

T = TypeVar("T")


class Mind(Protocol):
    """What `nlu.understand.Understander` is to the loop."""

    def understand(
        self,
        transcript: Transcript,
        *,
        voice: VoiceEvidence | None = None,
        so_far: ConversationSoFar = ...,
        grants: Mapping[str, Grant],
    ) -> Understanding:
        """What was meant and felt."""

    def listen(self, rate_hz: int, grants: Mapping[str, Grant]) -> VoiceStream | None:
        """A voice stream, or None without a grant for the voice."""


class Talk(Protocol):
    """What `dialogue.conversation.Conversation` is to the loop."""

    @property
    def grants(self) -> Mapping[str, Grant]:
        """What the caller allows at this moment."""

    @property
    def expects(self) -> frozenset[str]:
        """What the last reply asked for."""

    def so_far(self) -> ConversationSoFar:
        """What understanding may know of earlier turns."""

    def state_consent(self, purpose: Purpose, state: ConsentState) -> None:
        """The caller allows a purpose for this call, or takes it back."""

    def opening(self) -> Decision:
        """The assistant's first words."""

    def decide(self, understanding: Understanding, *, now: datetime) -> Decision:
        """What to do; changes nothing."""

    def commit(self, decision: Decision) -> Decision:
        """The turn has ended: carry out effects, word what really happened."""

    def observe(self, decision: Decision) -> None:
        """A person answers the turn: go on from it with nothing carried out."""

    def brief(self, rule: str, why: str) -> HandoffBrief:
        """What a human needs who takes the call at this moment."""


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long each stage may take before the caller hears an honest fallback, in seconds."""

    recognition_s: float = 2.5
    understanding_s: float = 1.0
    decision_s: float = 1.0
    speech_s: float = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A speculated answer of one generation."""

    generation: int
    transcript: Transcript
    understanding: Understanding
    decision: Decision
    first: RenderedClause | None


class StageFailure(Exception):
    """A stage was too slow or broke; `stage` names it."""

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(f"{stage}: {reason}")
        self.stage = stage
        self.reason = reason


async def staged(executor: Executor, stage: str, deadline_s: float, work: Callable[[], T]) -> T:
    """Run blocking work with a deadline; whatever goes wrong becomes a `StageFailure`."""
    running = asyncio.get_running_loop().run_in_executor(executor, work)
    try:
        return await asyncio.wait_for(running, deadline_s)
    except TimeoutError:
        raise StageFailure(stage, f"no result within {deadline_s:g} s") from None
    except Exception as error:
        raise StageFailure(stage, f"{type(error).__name__}: {error}") from error


class Speculator:
    """Understands, decides and renders the first clause, each stage with its deadline."""

    def __init__(
        self,
        mind: Mind,
        talk: Talk,
        synthesizer: Synthesizer,
        executor: Executor,
        deadlines: Deadlines,
        pace: ListenerPace | None = None,
    ) -> None:
        self._mind = mind
        self._pace = pace or ListenerPace()
        self._talk = talk
        self._synthesizer = synthesizer
        self._executor = executor
        self._deadlines = deadlines
        self._baseline: Mapping[str, float] = {}
        self._features: Mapping[str, float] = {}

    async def prepare(
        self,
        generation: int,
        transcript: Transcript,
        feeling: Callable[[], Any],
        now: datetime,
        clock: StageClock,
    ) -> Prepared:
        """Everything up to the first clause's sound.

        `feeling` is awaited for the voice estimate. Raises `StageFailure`.
        """
        voice: VoiceEvidence | None = await feeling()
        self._features = voice.features if voice is not None else {}
        understanding = await self._understand(transcript, voice, clock)
        if takes_voice_back(understanding):
            understanding = await self._understand(transcript, None, clock)
        decision = await self._run(
            "decision",
            self._deadlines.decision_s,
            clock,
            functools.partial(self._talk.decide, understanding, now=now),
        )
        return Prepared(
            generation, transcript, understanding, decision, await self._first(decision, clock)
        )

    async def _understand(
        self, transcript: Transcript, voice: VoiceEvidence | None, clock: StageClock
    ) -> Understanding:
        work = functools.partial(
            self._mind.understand,
            transcript,
            voice=voice,
            so_far=replace(self._talk.so_far(), baseline=self._baseline),
            grants=self._talk.grants,
        )
        return await self._run("understanding", self._deadlines.understanding_s, clock, work)

    async def _first(self, decision: Decision, clock: StageClock) -> RenderedClause | None:
        first = next((c for c in decision.reply.clauses if c.text.strip()), None)
        if first is None:
            return None
        try:
            return await self._run(
                "speech",
                self._deadlines.speech_s,
                clock,
                functools.partial(render, self._synthesizer, self._pace.applied(first)),
            )
        except StageFailure:
            return None

    async def commit(self, decision: Decision, clock: StageClock) -> Decision:
        """Carry out what was decided, now that the turn has ended.

        The first turn with a voice becomes the baseline against which later change is shown.
        """
        self._baseline = self._baseline or self._features
        return await self._act(functools.partial(self._talk.commit, decision), clock)

    async def observe(self, decision: Decision, clock: StageClock) -> Decision:
        """The turn has ended and a person answers it; returns the decision as a suggestion."""
        self._baseline = self._baseline or self._features
        await self._act(functools.partial(self._talk.observe, decision), clock)
        return decision

    async def _act(self, work: Callable[[], T], clock: StageClock) -> T:
        return await self._run("actions", self._deadlines.decision_s * 4, clock, work)

    def forget_voice(self) -> None:
        """Drop what earlier turns showed of the voice."""
        self._baseline = self._features = {}

    async def _run(
        self, stage: str, deadline_s: float, clock: StageClock, work: Callable[[], T]
    ) -> T:
        return await staged(
            self._executor, stage, deadline_s, functools.partial(clock.timed, stage, work)
        )


def takes_voice_back(understanding: Understanding) -> bool:
    """Whether the caller has just taken back that the voice is analysed: the turn that says so is
    understood from its words alone."""
    return Purpose.EMOTION_VOICE in withdrawals(understanding.signals)


def without_voice(understanding: Understanding) -> Understanding:
    """What the words alone said."""
    if understanding.voice.abstained is not None:
        return understanding
    voice = EmotionEstimate.abstain(Source.VOICE, "taken back by the caller")
    words = understanding.words
    course = replace(understanding.trajectory, smoothed=words, change={})
    return replace(understanding, voice=voice, fused=words, conflict=None, trajectory=course)


def first_words(reply: Reply) -> str:
    """The text of the first clause, for logs."""
    return next((clause.text for clause in reply.clauses if clause.text.strip()), "")
