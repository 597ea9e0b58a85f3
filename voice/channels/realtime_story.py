"""A call as the events of the Realtime protocol: items, responses, captions, what goes on.

Pure: takes the events of a call and the clock of the call, gives the texts to send. A word of the
assistant is told when it is heard, not when it is rendered.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from dialogue.customers.consent import withdrawals
from dialogue.types import Purpose
from voice.channels.realtime_events import EventWriter
from voice.types import (
    AnswerEnded,
    AssistantHeld,
    AssistantInterrupted,
    AssistantResumed,
    CallEnded,
    CallerFinished,
    CallerSpeaking,
    CallEvent,
    ClauseQueued,
    HandChanged,
    PartialTranscript,
    Pcm,
    TurnDecided,
    TurnDropped,
    TurnFinished,
)

LISTENING, THINKING, SPEAKING = "listening", "thinking", "speaking"
CALLER = "caller"


@dataclass(frozen=True, slots=True)
class _Word:
    due_ms: float
    text: str
    speaker: str


@dataclass(slots=True)
class _Heard:
    """The caller's item under way."""

    item: str
    turn: int
    text: str = ""
    sent: str = ""
    added: bool = False


@dataclass(slots=True)
class _Response:
    """The assistant's response under way; `words` is what was told of it."""

    id: str
    item: str
    previous: str | None = None
    words: str = ""
    speaker: str = "assistant"


class Story:
    """Keeps whose item is under way and what of it was told."""

    def __init__(self, writer: EventWriter) -> None:
        self.writer = writer
        self.state = ""
        self.voice_withdrawn = False
        self.spoken: set[str] = set()
        """The assistant's items so far."""
        self._count = 0
        self._last_item: str | None = None
        self._heard: _Heard | None = None
        self._response: _Response | None = None
        self._words: deque[_Word] = deque()
        self._held = False

    @property
    def response_item(self) -> str | None:
        """The item of the response under way."""
        return self._response.item if self._response else None

    @property
    def waiting(self) -> bool:
        """Whether words are to be told later."""
        return bool(self._words)

    def told(self, event: CallEvent) -> list[str]:
        """What to send at an event of the call."""
        return [*self._of_caller(event), *self._of_assistant(event)]

    def _of_caller(self, event: CallEvent) -> list[str]:
        match event:
            case CallerSpeaking(turn, at_ms):
                return self._caller_speaks(turn, at_ms)
            case PartialTranscript(text=text):
                return self._caller_said(text)
            case CallerFinished(turn, at_ms):
                return self._caller_finished(turn, at_ms)
            case TurnDropped():
                return [*self._caller_heard(""), *self._now(LISTENING)]
            case TurnDecided(understanding=understanding):
                if Purpose.EMOTION_VOICE in withdrawals(understanding.signals):
                    self.voice_withdrawn = True
                return self._caller_heard(understanding.transcript.text)
            case TurnFinished(record) if self._heard and self._heard.turn == record.turn:
                return self._caller_heard(record.transcript.text)
        return []

    def _of_assistant(self, event: CallEvent) -> list[str]:
        match event:
            case ClauseQueued():
                self._queue(event)
            case AssistantHeld():
                self._held = True
            case AssistantResumed(held_at_ms=held_at_ms, later_ms=later_ms):
                self._held = False
                self._delay(held_at_ms, later_ms)
            case AssistantInterrupted():
                self._held = False
            case HandChanged(hand=hand):
                return [self.writer.event("attune.hand", hand=hand.value)]
            case AnswerEnded(interrupted=interrupted):
                return [*self.response_ends(interrupted=interrupted), *self._now(LISTENING)]
            case CallEnded():
                return self.response_ends(interrupted=False)
        return []

    # --- the caller ----------------------------------------------------------------------------

    def _caller_speaks(self, turn: int, at_ms: int) -> list[str]:
        self._heard = _Heard(self._new("item"), turn)
        started = self.writer.event(
            "input_audio_buffer.speech_started", audio_start_ms=at_ms, item_id=self._heard.item
        )
        return [started, *self._now(LISTENING)]

    def _caller_said(self, text: str) -> list[str]:
        heard = self._heard
        if heard is None or text == heard.text:
            return []
        heard.text = text
        told = [self._caption(CALLER, heard.item, text, final=False)]
        if text.startswith(heard.sent):
            told.append(self.writer.hearing(heard.item, text[len(heard.sent) :]))
            heard.sent = text
        return told

    def _caller_finished(self, turn: int, at_ms: int) -> list[str]:
        told = []
        if self._heard is None or self._heard.added:
            self._heard = _Heard(self._new("item"), turn)
        else:
            told.append(
                self.writer.event(
                    "input_audio_buffer.speech_stopped",
                    audio_end_ms=at_ms,
                    item_id=self._heard.item,
                )
            )
        item, previous = self._heard.item, self._last_item
        self._heard.added = True
        self._last_item = item
        return [
            *told,
            self.writer.event(
                "input_audio_buffer.committed", item_id=item, previous_item_id=previous
            ),
            *self.writer.caller_item(item, previous),
            *self._now(THINKING),
        ]

    def _caller_heard(self, text: str) -> list[str]:
        heard, self._heard = self._heard, None
        if heard is None:
            return []
        told = [self._caption(CALLER, heard.item, text, final=True)]
        if heard.added:
            told.append(self.writer.heard(heard.item, text))
        return told

    # --- the assistant -------------------------------------------------------------------------

    def sound(self, samples: Pcm) -> list[str]:
        """20 ms of the assistant's voice, with everything that has to stand before it."""
        told = self._response_begins()
        response = self._response
        if response is not None:
            told.append(self.writer.sound(response.id, response.item, samples))
        return told

    def due(self, now_ms: float) -> list[str]:
        """The words that are heard by now, in audio time."""
        told: list[str] = []
        while self._words and not self._held and self._words[0].due_ms <= now_ms:
            told += self._tell(self._words.popleft())
        return told

    def says(self, text: str, speaker: str = "assistant") -> list[str]:
        """Words that no clause of the call stands behind, told at once."""
        return self._tell(_Word(0.0, text, speaker))

    def _queue(self, clause: ClauseQueued) -> None:
        text = clause.text if clause.written is None else clause.written
        words = text.split()
        length = sum(map(len, words)) or 1
        before = 0
        for word in words:
            at_ms = clause.start_ms + (clause.end_ms - clause.start_ms) * before / length
            self._words.append(_Word(at_ms, word, clause.speaker.value))
            before += len(word)

    def _delay(self, from_ms: float, later_ms: float) -> None:
        """Words that were due after this moment are heard later."""
        self._words = deque(
            replace(word, due_ms=word.due_ms + later_ms) if word.due_ms >= from_ms else word
            for word in self._words
        )

    def _tell(self, word: _Word) -> list[str]:
        told = self._response_begins()
        response = self._response
        if response is None:
            return told
        delta = f" {word.text}" if response.words else word.text
        response.words += delta
        response.speaker = word.speaker
        return [
            *told,
            self.writer.words(response.id, response.item, delta),
            self._caption(word.speaker, response.item, response.words, final=False),
        ]

    def _response_begins(self) -> list[str]:
        if self._response is not None:
            return []
        previous = self._last_item
        response = self._response = _Response(self._new("resp"), self._new("item"), previous)
        self._last_item = response.item
        self.spoken.add(response.item)
        begins = self.writer.response_begins(response.id, response.item, previous)
        return [*begins, *self._now(SPEAKING)]

    def response_ends(self, *, interrupted: bool) -> list[str]:
        """The response under way is over: heard to its end, or silenced."""
        told: list[str] = []
        while self._words and not interrupted:
            told += self._tell(self._words.popleft())
        self._words.clear()
        response, self._response = self._response, None
        if response is None:
            return told
        if response.words:
            told.append(self._caption(response.speaker, response.item, response.words, final=True))
        return told + self.writer.response_ends(
            response.id, response.item, response.words, response.previous, interrupted=interrupted
        )

    # --- both ----------------------------------------------------------------------------------

    def _caption(self, speaker: str, item: str, text: str, *, final: bool) -> str:
        return self.writer.event(
            "attune.caption", speaker=speaker, item_id=item, text=text, final=final
        )

    def _now(self, state: str) -> list[str]:
        if state == self.state:
            return []
        self.state = state
        return [self.writer.event("attune.state", state=state)]

    def _new(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count}"
