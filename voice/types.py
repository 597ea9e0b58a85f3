"""The vocabulary of `voice`: frames, speech, turns and what is recorded of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dialogue.types import ConsentState, Decision, Delivery, HandoffBrief, Purpose
from nlu.types import EmotionEstimate, Transcript, Understanding, Word

RATE_HZ = 16_000
FRAME_MS = 20
FRAME_SAMPLES = RATE_HZ * FRAME_MS // 1000

Pcm = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class HoldTurns:
    """From here on no pause ends a turn, only `EndTurn` does (push-to-talk); or it does again."""

    held: bool


@dataclass(frozen=True, slots=True)
class EndTurn:
    """The caller says that the turn is over."""


@dataclass(frozen=True, slots=True)
class StopSpeaking:
    """The assistant is to stop what it is saying."""


@dataclass(frozen=True, slots=True)
class SetPace:
    """How fast the caller wants to be spoken to: a factor of the pace that is decided."""

    factor: float


@dataclass(frozen=True, slots=True)
class StateConsent:
    """The caller allows a purpose for this call, or takes it back."""

    purpose: Purpose
    state: ConsentState


CallerAct = HoldTurns | EndTurn | StopSpeaking | SetPace | StateConsent
"""What a caller does other than speaking or pressing telephone keys."""


@dataclass(frozen=True, slots=True, eq=False)
class AudioFrame:
    """20 ms of the caller: int16 mono at 16 kHz, `start_ms` in audio time since the call began."""

    samples: Pcm
    start_ms: int
    keys: str = ""
    """Telephone keys pressed since the frame before."""
    acts: tuple[CallerAct, ...] = ()
    """What the caller did since the frame before, in order."""

    @property
    def end_ms(self) -> int:
        """Where the frame ends in audio time."""
        return self.start_ms + len(self.samples) * 1000 // RATE_HZ


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a recogniser may take for granted of the next turn: what was asked for
    (`yes_no`, `order_number`, `email`, ...) and the phrases of the active pack."""

    expects: frozenset[str] = frozenset()


class RecognizerStream(Protocol):
    """One turn of the caller being recognised."""

    def accept(self, frame: AudioFrame) -> None:
        """Take the next frame."""

    def partial(self) -> str:
        """The words so far; may change."""

    def final(self) -> Transcript:
        """The words of everything accepted so far.

        May be called at a pause and again later: frames accepted afterwards extend the turn.
        Empty text when no speech was heard.
        """

    def close(self) -> None:
        """Free what the stream holds; no other method may be called afterwards."""


class Recognizer(Protocol):
    """Speech to words. `name` says engine and model as it stands in records."""

    name: str

    def stream(self, expectation: Expectation = ...) -> RecognizerStream:
        """Begin a turn."""


@dataclass(frozen=True, slots=True)
class AchievedDelivery:
    """What was measured on the rendered audio, relative to the same text at neutral."""

    rate: float
    pitch_st: float
    range: float
    level_db: float
    words_per_minute: float


@dataclass(frozen=True, slots=True, eq=False)
class SpeechChunk:
    """A piece of rendered speech: int16 mono at 16 kHz, and the words that begin in it.

    Word times are relative to the start of the clause. The last chunk of a clause carries
    what was achieved.
    """

    samples: Pcm
    words: tuple[Word, ...] = ()
    achieved: AchievedDelivery | None = None


class Synthesizer(Protocol):
    """Words to sound, clause by clause. `name` says engine and voice as it stands in records."""

    name: str

    def speak(self, text: str, delivery: Delivery) -> Iterator[SpeechChunk]:
        """Render `text` with `delivery` (its pauses are left to the caller of this method)."""

    def close(self) -> None:
        """End worker processes."""


class Channel(Protocol):
    """Where a call comes in and the answer goes out. Samples are int16 mono at 16 kHz.

    `live` says that frames come at the pace of the wall clock; a channel that is not live waits
    for every decision, so that a call replays identically at any speed.
    """

    name: str
    live: bool

    def frames(self) -> AsyncIterator[AudioFrame]:
        """The caller's audio, 20 ms at a time, until the call ends."""

    async def play(self, samples: Pcm) -> None:
        """Queue samples to be heard after what is queued already."""

    async def clear(self) -> None:
        """Drop what is queued and not yet heard (barge-in), fading out where the channel can.

        More may be queued at once: what was dropped is often queued again from where it was.
        """

    def heard_ms(self) -> int:
        """How much of what was ever queued the caller has really heard, in ms. Dropped sound does
        not count; what was on its way when `clear` came and could not be taken back does, at
        once."""

    async def transfer(self, brief: HandoffBrief) -> None:
        """Put the caller through to a human; the brief goes ahead."""

    async def close(self) -> None:
        """Hang up."""


class Speaker(StrEnum):
    """Whose words the caller hears, always in the assistant's voice."""

    ASSISTANT = "assistant"
    AGENT = "agent"


class Hand(StrEnum):
    """In whose hands a call is: the assistant's, the assistant's with every reply shown to a human
    first, nobody's while the caller waits for a person, or a human agent's."""

    ASSISTANT = "assistant"
    ASK_FIRST = "ask_first"
    WAITING = "waiting"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class AgentWords:
    """What a human agent typed for the caller to hear.

    Neither a `Transcript` nor sound: nothing that estimates a feeling accepts it.
    """

    text: str


@dataclass(frozen=True, slots=True)
class ClauseRecord:
    """One spoken clause: the words, what was asked of the voice, and what came out."""

    text: str
    requested: Delivery
    achieved: AchievedDelivery | None
    start_ms: int
    end_ms: int
    heard_ms: int


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """One finished turn: the single source for logs, reports, the desk and evaluation.

    All times are audio time in ms since the call began, except `latency_ms`, which holds
    wall-clock milliseconds by stage and the gap to the first sound.
    """

    call: str
    turn: int
    start_ms: int
    end_ms: int
    transcript: Transcript
    understanding: Mapping[str, Any]
    decision: Mapping[str, Any]
    spoken: tuple[ClauseRecord, ...]
    latency_ms: Mapping[str, float]
    engines: Mapping[str, str]
    redacted: tuple[str, ...] = ()
    interrupted: bool = False
    fallback: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    speaker: Speaker = Speaker.ASSISTANT
    """Who answered. An agent's turn holds what the assistant would have done as its decision."""
    review: str | None = None
    """What a human said to the plan, where one was asked (see `voice.supervision.Ruling`)."""


@dataclass(frozen=True, slots=True)
class CallStarted:
    """The line is open; the assistant is about to speak first."""

    call: str
    channel: str


@dataclass(frozen=True, slots=True)
class CallerSpeaking:
    """The caller began (or went on) to speak."""

    turn: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class PartialTranscript:
    """The caller's words so far; they may still change."""

    turn: int
    text: str


@dataclass(frozen=True, slots=True)
class EmotionUpdated:
    """The voice estimate while the caller speaks (only with a grant)."""

    turn: int
    at_ms: int
    estimate: EmotionEstimate


@dataclass(frozen=True, slots=True)
class CallerFinished:
    """The caller's turn is over, speech ended at `at_ms`; the answer is being made."""

    turn: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class TurnDropped:
    """What had begun as a turn was none: a cough, a hum, a key pressed instead."""

    turn: int


@dataclass(frozen=True, slots=True)
class TurnDecided:
    """The caller's turn is over and the answer is decided.

    With an agent as `speaker` the decision is a suggestion: nothing of it was carried out.
    """

    turn: int
    understanding: Understanding
    decision: Decision
    speaker: Speaker = Speaker.ASSISTANT


@dataclass(frozen=True, slots=True)
class PlanHeld:
    """A plan waits for a human until `until_ms` of audio time; nothing of it has happened."""

    turn: int
    understanding: Understanding
    decision: Decision
    until_ms: int


@dataclass(frozen=True, slots=True)
class HandChanged:
    """The call is in other hands from `at_ms` on."""

    hand: Hand
    at_ms: int


@dataclass(frozen=True, slots=True)
class ClauseQueued:
    """The assistant is about to be heard saying `text`, from `start_ms` of audio time."""

    turn: int
    text: str
    start_ms: int
    end_ms: int
    written: str | None = None
    """The same for the eye, where it differs; see `dialogue.types.Clause`."""
    speaker: Speaker = Speaker.ASSISTANT


@dataclass(frozen=True, slots=True)
class AssistantInterrupted:
    """The caller barged in: the assistant was silent from `at_ms` on, when `heard_ms` of the answer
    had been heard."""

    turn: int
    at_ms: int
    heard_ms: int


@dataclass(frozen=True, slots=True)
class AssistantHeld:
    """The assistant has fallen silent at `at_ms` because somebody may be interrupting: it goes on
    (`AssistantResumed`) or has been interrupted (`AssistantInterrupted`) within half a second."""

    turn: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class AssistantResumed:
    """Nobody was interrupting: the assistant goes on where it was. Of the clauses that were told,
    what was not heard by `held_at_ms` is heard `later_ms` later than told."""

    turn: int
    at_ms: int
    held_at_ms: int
    later_ms: int


@dataclass(frozen=True, slots=True)
class AnswerEnded:
    """The assistant has finished speaking, or was silenced. `turn` is 0 for what answers none: the
    opening, a question whether anybody is there."""

    turn: int
    at_ms: int
    interrupted: bool


@dataclass(frozen=True, slots=True)
class TurnFinished:
    """A turn is over for both sides; `record` is redacted."""

    record: TurnRecord


@dataclass(frozen=True, slots=True)
class CallEnded:
    """The line is closed. `reason` is `hangup`, `handoff`, `closed`, `silence` or `error`."""

    call: str
    at_ms: int
    reason: str


CallEvent = (
    CallStarted
    | CallerSpeaking
    | PartialTranscript
    | EmotionUpdated
    | CallerFinished
    | TurnDropped
    | TurnDecided
    | PlanHeld
    | HandChanged
    | ClauseQueued
    | AssistantHeld
    | AssistantResumed
    | AssistantInterrupted
    | AnswerEnded
    | TurnFinished
    | CallEnded
)


__all__ = [
    "FRAME_MS",
    "FRAME_SAMPLES",
    "RATE_HZ",
    "AchievedDelivery",
    "AgentWords",
    "AnswerEnded",
    "AssistantHeld",
    "AssistantInterrupted",
    "AssistantResumed",
    "AudioFrame",
    "CallEnded",
    "CallEvent",
    "CallStarted",
    "CallerAct",
    "CallerFinished",
    "CallerSpeaking",
    "Channel",
    "ClauseQueued",
    "ClauseRecord",
    "EmotionUpdated",
    "EndTurn",
    "Expectation",
    "Hand",
    "HandChanged",
    "HoldTurns",
    "PartialTranscript",
    "Pcm",
    "PlanHeld",
    "Recognizer",
    "RecognizerStream",
    "SetPace",
    "Speaker",
    "SpeechChunk",
    "StateConsent",
    "StopSpeaking",
    "Synthesizer",
    "Transcript",
    "TurnDecided",
    "TurnDropped",
    "TurnFinished",
    "TurnRecord",
    "Word",
]
