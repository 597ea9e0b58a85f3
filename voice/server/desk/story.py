"""One call as the desk tells it: numbered entries, so that a page that missed some can ask for
those after the last one it has."""

from __future__ import annotations

import time
from typing import Any

from dialogue.packs.format import Pack
from dialogue.types import HandoffBrief, Purpose
from voice.server.desk import showing
from voice.server.switchboard import LiveCall
from voice.types import (
    AssistantInterrupted,
    CallEnded,
    CallerFinished,
    CallerSpeaking,
    CallEvent,
    CallStarted,
    ClauseQueued,
    EmotionUpdated,
    Hand,
    HandChanged,
    PartialTranscript,
    PlanHeld,
    Speaker,
    TurnDecided,
    TurnDropped,
    TurnFinished,
)

MOST_ENTRIES = 5_000

Entry = dict[str, Any]


class CallStory:
    """What happened in a call, in order. An entry with a key replaces the one that had it.

    A feeling gets in only while the caller allows it; what the voice has shown is taken out again
    as soon as that is taken back.
    """

    def __init__(self, live: LiveCall, pack: Pack) -> None:
        self.live = live
        self._pack = pack
        self._entries: list[Entry] = []
        self._keys: dict[tuple[str, Any], Entry] = {}
        self._unmasked: dict[int, Entry] = {}
        self._consents: dict[str, bool] = {}
        self._seq = 0
        self.holder: str | None = None
        """Who at the desk has the call in hand."""
        self.ended: str | None = None
        self.ended_s = 0.0
        self.outcome: str | None = None
        self.intent: str | None = None
        self.mood: str | None = None
        self.wants_human = False
        self.state = "opening"

    @property
    def seq(self) -> int:
        """The number of the newest entry."""
        return self._seq

    def after(self, seq: int) -> list[Entry]:
        """The entries after this number, oldest first."""
        for entry in self._unmasked.values():
            entry["text"] = showing.masked(entry["text"])
        self._unmasked.clear()
        return [entry for entry in self._entries if entry["seq"] > seq]

    def summary(self) -> dict[str, Any]:
        """The call as it stands in the list; names nobody."""
        return {
            "call": self.live.name,
            "channel": self.live.channel.split()[0],
            "began_at": self.live.began_at.timestamp(),
            "known": self.live.conversation.context.id is not None,
            "intent": self.intent,
            "mood": self.mood,
            "hand": self.live.agent.hand.value,
            "holder": self.holder,
            "held": self.live.agent.held is not None,
            "wants_human": self.wants_human,
            "state": self.state,
            "ended": self.ended,
            "outcome": self.outcome,
        }

    # --- what is told --------------------------------------------------------------------------

    def tell(self, event: CallEvent) -> None:
        """Take an event of the call."""
        self._look_at_consents()
        match event:
            case CallStarted():
                self._add("started", at_ms=0)
            case CallerSpeaking(turn, at_ms):
                self.state = "caller speaks"
                self._add("speaking", ("turn", turn), turn=turn, at_ms=at_ms)
            case PartialTranscript(turn, text):
                # Ten times a second and call: masked once somebody looks.
                self._unmasked[turn] = self._add("heard", ("heard", turn), turn=turn, text=text)
            case EmotionUpdated(turn, at_ms, estimate):
                if self._consents[Purpose.EMOTION_VOICE]:
                    shown = showing.feeling(estimate)
                    self._add("voice", ("voice", turn), turn=turn, at_ms=at_ms, feeling=shown)
            case CallerFinished(turn, at_ms):
                self.state = "thinking"
                self._add("finished speaking", ("turn", turn), turn=turn, at_ms=at_ms)
            case TurnDropped(turn):
                self.state = "listening"
                self._unmasked.pop(turn, None)
                self._add("dropped", ("heard", turn), turn=turn)
            case PlanHeld(turn, understanding, decision, until_ms):
                shown = self._turn(understanding, decision)
                left_ms = until_ms - self.live.agent.now_ms
                self._add("plan", ("plan", turn), turn=turn, left_ms=left_ms, **shown)
            case TurnDecided():
                self._tell_decision(event)
            case _:
                self._tell_of_answer(event)

    def _tell_decision(self, event: TurnDecided) -> None:
        shown = self._turn(event.understanding, event.decision)
        self.intent = shown["intent"]
        self.mood = shown["feeling"].get("top")
        turn, speaker = event.turn, event.speaker.value
        self._add("decided", ("plan", turn), turn=turn, speaker=speaker, **shown)
        if event.decision.handoff is not None:
            self.wants_human = True
            self.brief(event.decision.handoff)

    def _tell_of_answer(self, event: CallEvent) -> None:
        match event:
            case ClauseQueued(turn, text, start_ms, end_ms, written, speaker):
                self.state = "answering"
                self._add(
                    "said",
                    turn=turn,
                    speaker=speaker.value,
                    by=self.holder if speaker is Speaker.AGENT else None,
                    text=showing.masked(text if written is None else written),
                    start_ms=start_ms,
                    end_ms=end_ms,
                )
            case AssistantInterrupted(turn, at_ms, heard_ms):
                self._add("interrupted", turn=turn, at_ms=at_ms, heard_ms=heard_ms)
            case HandChanged(hand, at_ms):
                self._add("hand", hand=hand.value, by=self.holder, at_ms=at_ms)
                self.wants_human = hand is Hand.WAITING
            case TurnFinished(record):
                # An interrupted turn is over when the next one is decided on.
                if self.state != "thinking":
                    self.state = "listening"
                self._add(
                    "finished",
                    turn=record.turn,
                    at_ms=record.end_ms,
                    gap_ms=record.latency_ms.get("gap"),
                    fallback=record.fallback,
                    review=record.review,
                    interrupted=record.interrupted,
                )
            case CallEnded(_, at_ms, reason):
                self.ended, self.ended_s, self.state = reason, time.monotonic(), "ended"
                self._add("ended", reason=reason, at_ms=at_ms)

    def brief(self, value: HandoffBrief) -> None:
        """Take the brief of a handoff."""
        self._add("brief", ("brief", ""), **showing.brief(value, self._pack))

    def concluded(self, outcome: str, by: str) -> None:
        """Somebody says how the call ended."""
        self.outcome = outcome
        self._add("outcome", outcome=outcome, by=by)

    def waits(self, turn: int, left_ms: int) -> None:
        """A plan waits so much longer."""
        self._add("waiting", ("waiting", turn), turn=turn, left_ms=left_ms)

    # --- entries -------------------------------------------------------------------------------

    def _turn(self, understanding: Any, decision: Any) -> dict[str, Any]:
        facts = showing.facts(self.live.conversation)
        shown = showing.turn(understanding, decision, self._pack, facts)
        if not self._consents[Purpose.EMOTION_VOICE]:
            shown["feeling"] = shown["words"]
        if not self._consents[Purpose.EMOTION_WORDS]:
            shown["words"] = {"abstained": "no consent"}
            if not self._consents[Purpose.EMOTION_VOICE]:
                shown["feeling"] = shown["words"]
        return shown

    def _look_at_consents(self) -> None:
        now = showing.consents(self.live.conversation)
        if now == self._consents:
            return
        taken_back = self._consents.get(Purpose.EMOTION_VOICE) and not now[Purpose.EMOTION_VOICE]
        self._consents = now
        if taken_back:
            self._entries = [entry for entry in self._entries if entry["kind"] != "voice"]
            for entry in self._entries:
                if "words" in entry:
                    entry["feeling"] = entry["words"]
            self.mood = None
        self._add("consent", ("consent", ""), **now)

    def _add(self, kind: str, key: tuple[str, Any] | None = None, **fields: Any) -> Entry:
        self._seq += 1
        entry = {"seq": self._seq, "kind": kind, "at": time.time(), **fields}
        if key is not None:
            old = self._keys.get(key)
            self._entries = [each for each in self._entries if each is not old]
            self._keys[key] = entry
        self._entries.append(entry)
        del self._entries[:-MOST_ENTRIES]
        return entry
