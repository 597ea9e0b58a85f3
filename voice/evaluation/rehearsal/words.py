"""A scenario's words with the dialogue alone: no sound, no loop, nothing measured."""

from __future__ import annotations

import re
from datetime import timedelta

from dialogue.conversation import Conversation
from dialogue.types import Decision
from nlu.types import Transcript, Understanding
from voice.answering import Answer
from voice.channels.simulated import SpokenSpan
from voice.ears import StageClock
from voice.evaluation.rehearsal.cues import Cue, CuedMind, stated_voice
from voice.evaluation.rehearsal.performance import Performance
from voice.evaluation.rehearsal.scenario import Line, Scenario
from voice.records import record_turn
from voice.speculation import Mind, takes_voice_back
from voice.types import ClauseRecord, TurnRecord

_LINE_MS = 2_000


def perform_words(conversation: Conversation, mind: Mind, scenario: Scenario) -> Performance:
    """Every line with words is a turn, taken at its word, until the call ends.

    Times are as if each line took two seconds; what is measured on sound is not there.
    """
    return _Words(conversation, mind, scenario).perform()


def words_of(line: Line) -> str:
    """What a line says when nothing comes between: the words heard, else those of the voice."""
    if line.heard is not None:
        return line.heard
    return " ".join(re.sub(r"\[\d+\]", " ", line.say or "").split())


class _Words:
    def __init__(self, conversation: Conversation, mind: Mind, scenario: Scenario) -> None:
        self._talk = conversation
        self._scenario = scenario
        self._line: Line | None = None
        self._mind = CuedMind(mind, self._cue)
        self._names = tuple((conversation.context.name or "").split())

    def _cue(self) -> Cue | None:
        return None if self._line is None else Cue(self._line, lambda _at_ms: 1.0)

    def perform(self) -> Performance:
        opening = self._talk.opening().reply.text
        records: list[TurnRecord] = []
        spans: list[SpokenSpan] = []
        ended = "hangup"
        for place, line in enumerate(self._scenario.turns):
            span = SpokenSpan(2 * place * _LINE_MS, (2 * place + 1) * _LINE_MS)
            spans.append(span)
            text = words_of(line)
            if not text or (line.expect is not None and not line.expect.answered):
                continue
            record, decided = self._turn(line, text, span, len(records) + 1)
            records.append(record)
            if decided is not None and (decided.handoff or decided.ends_call):
                ended = "handoff" if decided.handoff else "closed"
                break
        return Performance(
            self._scenario, tuple(records), tuple(spans), ended, opening, sound=False
        )

    def _turn(
        self, line: Line, text: str, span: SpokenSpan, number: int
    ) -> tuple[TurnRecord, Decision | None]:
        self._line = line
        answer = Answer(number, span.start_ms, span.end_ms, StageClock())
        answer.transcript = Transcript(text, (), line.heard_confidence, "stated")
        try:
            answer.understanding = self._understood(line, answer.transcript)
            now = self._scenario.at + timedelta(milliseconds=span.end_ms)
            decision = self._talk.decide(answer.understanding, now=now)
            answer.decision = self._talk.commit(decision)
        except (LookupError, RuntimeError, StopIteration) as error:
            # As in the loop: a mind that breaks leaves a turn without a decision.
            answer.fallback = f"decision: {type(error).__name__}: {error}"
        clauses = answer.decision.reply.clauses if answer.decision else ()
        spoken = tuple(
            ClauseRecord(clause.text, clause.delivery, None, span.end_ms, span.end_ms, 0)
            for clause in clauses
        )
        record = record_turn(self._talk.call_id, answer, spoken, {}, names=self._names)
        return record, answer.decision

    def _understood(self, line: Line, transcript: Transcript) -> Understanding:
        talk = self._talk
        voice = stated_voice(line, talk.grants)
        understood = self._mind.understand(
            transcript, voice=voice, so_far=talk.so_far(), grants=talk.grants
        )
        if takes_voice_back(understood):
            understood = self._mind.understand(transcript, so_far=talk.so_far(), grants=talk.grants)
        return understood
