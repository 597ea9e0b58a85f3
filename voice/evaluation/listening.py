"""The turns of one call, heard one after the other: words, understanding, what Attune would do.

Only the caller's turns become `CallerAudio`; the agent's become `AgentAudio`, which nothing that
estimates a feeling accepts. What leaves this module is redacted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from dialogue.conversation import Conversation
from dialogue.packs import Pack
from dialogue.types import ConsentState, CustomerContext, Decision, NextBestAction, Purpose
from nlu.redaction import PLACEHOLDERS
from nlu.signals import find_signals
from nlu.types import (
    AgentAudio,
    CallerAudio,
    EmotionEstimate,
    Source,
    Transcript,
    Understanding,
)
from nlu.understand import VOICE, Understander
from voice.answering import Answer
from voice.audio import to_float
from voice.ears import StageClock
from voice.evaluation.inputs import Job
from voice.evaluation.judging import CallerTurn, human_acts, promises
from voice.evaluation.segmenting import SpokenTurn
from voice.evaluation.sound import Stretch, personal_stretches
from voice.evaluation.talk import Party, Span, is_backchannel_span
from voice.records import record_turn
from voice.types import RATE_HZ, Recognizer, TurnRecord

WITHHELD = "[withheld]"
SHARED_CHANNEL = "both parties are on one channel: whose voice it is is not sure enough"


@dataclass(frozen=True, slots=True)
class AnalysedTurn:
    """One turn of either party.

    `record` is what stands of it in the call's file. `estimate`, `judged` and `moves` are the
    caller's alone, `acts` and `promises` the agent's.
    """

    span: Span
    text: str
    confidence: float
    record: Mapping[str, Any]
    redacted: tuple[str, ...] = ()
    estimate: EmotionEstimate | None = None
    judged: CallerTurn | None = None
    moves: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    intent_score: float = 0.0
    voice: str = ""
    """The voice's own label, or why it abstained."""
    words: str = ""
    acts: tuple[str, ...] = ()
    promises: tuple[str, ...] = ()
    personal: tuple[Stretch, ...] = ()
    """Where personal data is said, in ms of the call."""
    reply: str = ""
    """What Attune would have said."""


class Listener:
    """Hears one call. `conversation` decides and is never told to do anything."""

    def __init__(
        self,
        recognizer: Recognizer,
        mind: Understander,
        pack: Pack,
        conversation: Conversation,
        started_at: datetime,
    ) -> None:
        self._recognizer = recognizer
        self._mind = mind
        self._pack = pack
        self._conversation = conversation
        self._started_at = started_at
        self._names = tuple((conversation.context.name or "").split())
        self._turns = 0
        self.next_best_actions: tuple[NextBestAction, ...] = ()

    def caller(self, turn: SpokenTurn, *, audible: bool) -> AnalysedTurn:
        """A turn of the caller. Its voice is judged where that is allowed, and `audible` says
        that nobody else is on the channel."""
        audio = CallerAudio(to_float(turn.pcm), RATE_HZ)
        transcript = self._transcribe(turn, audio)
        understanding = self._understand(transcript, audio if audible else None, turn)
        now = self._started_at + timedelta(milliseconds=turn.end_ms)
        decision = self._conversation.decide(understanding, now=now)
        self._conversation.observe(decision)
        self.next_best_actions = decision.next_best_actions
        self._turns += 1
        record = self._record(turn, transcript, understanding, decision)
        judged = self._judged(understanding, decision)
        return AnalysedTurn(
            self._span("caller", turn, transcript),
            record.transcript.text,
            transcript.confidence,
            _caller_json(record, judged),
            _redacted(record),
            understanding.fused,
            judged,
            decision.moves,
            decision.rules,
            understanding.intent.score,
            _label(understanding.voice),
            _label(understanding.words),
            personal=_personal(record),
            reply=str(record.decision["reply"]),
        )

    def agent(self, turn: SpokenTurn) -> AnalysedTurn:
        """A turn of the agent: words and times, and what was promised."""
        audio = AgentAudio(to_float(turn.pcm), RATE_HZ)
        transcript = self._transcribe(turn, audio)
        record = self._record(turn, transcript)
        text = record.transcript.text
        acts, promised = tuple(human_acts(text)), tuple(promises(text))
        return AnalysedTurn(
            self._span("agent", turn, transcript),
            text,
            transcript.confidence,
            {**_words_json(record), "acts": list(acts), "promises": list(promised)},
            _redacted(record),
            acts=acts,
            promises=promised,
            personal=_personal(record),
        )

    def _transcribe(self, turn: SpokenTurn, audio: CallerAudio | AgentAudio) -> Transcript:
        del audio  # Either party is transcribed; the frames are what the recogniser takes.
        stream = self._recognizer.stream()
        try:
            for frame in turn.frames:
                stream.accept(frame)
            return stream.final()
        finally:
            stream.close()

    def _understand(
        self, transcript: Transcript, audio: CallerAudio | None, turn: SpokenTurn
    ) -> Understanding:
        """A withdrawal takes effect within the turn that voices it."""
        grants = self._conversation.grants_after(find_signals(transcript.text))
        so_far = replace(
            self._conversation.so_far(),
            now=self._started_at + timedelta(milliseconds=turn.start_ms),
        )
        shared = EmotionEstimate.abstain(Source.VOICE, SHARED_CHANNEL)
        return self._mind.understand(
            transcript,
            audio=audio,
            voice=shared if audio is None and VOICE in grants else None,
            so_far=so_far,
            grants=grants,
        )

    def _record(
        self,
        turn: SpokenTurn,
        transcript: Transcript,
        understanding: Understanding | None = None,
        decision: Decision | None = None,
    ) -> TurnRecord:
        answer = Answer(
            self._turns,
            turn.start_ms,
            turn.end_ms,
            StageClock(),
            transcript=transcript,
            understanding=understanding,
            decision=decision,
        )
        return record_turn(self._conversation.call_id, answer, (), {}, names=self._names)

    def _judged(self, understanding: Understanding, decision: Decision) -> CallerTurn:
        entry = self._pack.intents.get(understanding.intent.name)
        fused = understanding.fused
        return CallerTurn(
            understanding.intent.name,
            entry.severity.value if entry is not None else "info",
            understanding.signals,
            decision.strategy.value,
            None if fused.abstained else fused.top.value,
            fused.intensity.value,
            fused.valence,
        )

    @staticmethod
    def _span(party: Party, turn: SpokenTurn, transcript: Transcript) -> Span:
        words = len(transcript.text.split())
        listening = is_backchannel_span(words, transcript.text)
        return Span(party, turn.start_ms, turn.end_ms, turn.talk_ms, words, listening)


def may_keep_text(context: CustomerContext, job: Job, forget: bool) -> bool:
    """Whether words may be written: nobody has said no, before the call, for it or during it."""
    states = (
        context.consents.get(Purpose.STORE_TEXT),
        job.consents.get(Purpose.STORE_TEXT),
    )
    return not forget and ConsentState.DENIED not in states


def without_words(turn: AnalysedTurn) -> AnalysedTurn:
    """The same turn with nothing of what was said in it."""
    kept = {
        name: value for name, value in turn.record.items() if name in ("start_ms", "end_ms")
    } | {"withheld": True}
    if turn.judged is not None:
        kept |= {
            "emotion": turn.record["emotion"],
            "severity": turn.judged.severity,
            "attune": {"strategy": turn.judged.strategy},
        }
    return replace(turn, text=WITHHELD, record=kept, promises=(), reply="")


def _personal(record: TurnRecord) -> tuple[Stretch, ...]:
    return personal_stretches(record.transcript, record.start_ms, record.end_ms)


def _redacted(record: TurnRecord) -> tuple[str, ...]:
    """What was taken out of the words that were said; the reply's is another matter."""
    said = record.transcript.text
    named = {entity["type"] for entity in record.understanding.get("entities", ())}
    return tuple(
        kind for kind in record.redacted if kind in named or PLACEHOLDERS.get(kind, "[]") in said
    )


def _words_json(record: TurnRecord) -> dict[str, Any]:
    words = [
        [word.text, word.start_ms, word.end_ms, round(word.confidence, 2)]
        for word in record.transcript.words
    ]
    return {
        "start_ms": record.start_ms,
        "end_ms": record.end_ms,
        "words": words,
        "confidence": round(record.transcript.confidence, 4),
        "redacted": list(_redacted(record)),
    }


def _caller_json(record: TurnRecord, judged: CallerTurn) -> dict[str, Any]:
    understanding, decision = record.understanding, record.decision
    return {
        **_words_json(record),
        "intent": understanding["intent"],
        "entities": understanding["entities"],
        "emotion": understanding["emotion"],
        "conflict": understanding["conflict"],
        "trend": understanding["trajectory"]["trend"],
        "signals": understanding["signals"],
        "severity": judged.severity,
        "attune": {
            name: decision[name]
            for name in ("strategy", "rules", "moves", "reply", "effects", "next_best_actions")
        }
        | {"reasons": decision["reasons"], "handoff": decision["handoff"] is not None},
    }


def _label(estimate: EmotionEstimate) -> str:
    return f"abstained: {estimate.abstained}" if estimate.abstained else estimate.top.value


__all__ = ["AnalysedTurn", "Listener", "may_keep_text", "without_words"]
