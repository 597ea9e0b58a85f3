"""The policy asked from outside: one described situation in, one decision out as plain values.

This is what `attune decide` prints. A description is checked field by field; what it leaves out
takes the cautious default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from dialogue import regulation
from dialogue.actions import open_connectors
from dialogue.connectors.protocol import Connector
from dialogue.conversation import Conversation
from dialogue.customers.consent import grants_for
from dialogue.packs.format import Pack
from dialogue.plain import plain_decision
from dialogue.question import Question
from dialogue.situations import Given
from dialogue.types import (
    Case,
    CustomerContext,
    Flags,
)
from nlu.types import (
    OTHER_INTENT,
    Conflict,
    ConflictKind,
    Emotion,
    EmotionEstimate,
    Grant,
    Intensity,
    Intent,
    Source,
    Trajectory,
    Transcript,
    Understanding,
)

AT = datetime(2026, 6, 3, 15, 0, tzinfo=UTC)
"""When a described situation takes place: a fixed moment in working hours, so that the same
description always gives the same decision."""

_HIGH_FROM = 0.75
_MEDIUM_FROM = 0.5
_LOUD = {Emotion.ANGRY, Emotion.ANXIOUS, Emotion.HAPPY, Emotion.SURPRISED}
_PLEASANT = {Emotion.HAPPY: 1.0, Emotion.NEUTRAL: 0.0, Emotion.SURPRISED: 0.0}

Understand = Callable[[str, Mapping[str, Grant]], Understanding]
Find = Callable[[str], CustomerContext]


class Asker:
    """Answers questions with one pack; its connectors are opened once, in memory, and only read."""

    def __init__(self, pack: Pack, find: Find, understand: Understand) -> None:
        self.pack = pack
        self._find = find
        self._understand = understand
        self._connectors: dict[str, Connector] = open_connectors(pack, AT)

    def ask(self, question: Question) -> dict[str, Any]:
        """The decision as plain values.

        Raises:
            AttuneError: the customer or the jurisdiction does not exist.
        """
        context = self._context(question)
        code = question.jurisdiction or context.jurisdiction
        row = regulation.load().require(code)
        conversation = Conversation(
            self.pack,
            context,
            self._connectors,
            row,
            "decide",
            consents=question.consent,
            started_at=AT,
        )
        grants = grants_for(context, row, question.consent)
        understanding = self._understanding(question, grants)
        decision = conversation.decide(understanding, given=_given(question))
        answer = plain_decision(decision)
        return answer if question.id is None else {**answer, "id": question.id}

    def close(self) -> None:
        """Close the connectors."""
        for connector in self._connectors.values():
            connector.close()

    def _context(self, question: Question) -> CustomerContext:
        known = self._find(question.customer) if question.customer else CustomerContext()
        flags = {name: on for name, on in question.flags if on is not None}
        history = question.history
        patterns = known.patterns
        if history.prior_escalation is not None:
            patterns = replace(patterns, prior_escalation=history.prior_escalation)
        repeats = history.repeat_contacts_30d
        if isinstance(repeats, Mapping):
            patterns = replace(patterns, repeat_contacts_30d=dict(repeats))
        elif repeats is not None:
            about = dict.fromkeys((question.intent or OTHER_INTENT, OTHER_INTENT), repeats)
            patterns = replace(patterns, repeat_contacts_30d=about)
        cases = known.cases
        if history.open_case is False:
            cases = ()
        elif history.open_case and known.open_case is None:
            about_case = question.intent or OTHER_INTENT
            cases = (Case("given", "an earlier matter", about_case, AT, "open"),)
        all_flags = {
            "vulnerable": known.flags.vulnerable,
            "prefers_brief": known.flags.prefers_brief,
            "vip": known.flags.vip,
        } | flags
        return replace(known, flags=Flags(**all_flags), patterns=patterns, cases=cases)

    def _understanding(self, question: Question, grants: Mapping[str, Grant]) -> Understanding:
        words = question.text or ""
        heard = self._understand(words, grants) if words.strip() else _nothing_heard(words)
        if question.intent is not None:
            heard = replace(heard, intent=Intent(question.intent, 1.0))
        if question.emotion is not None or not words.strip():
            estimate = _estimate(question)
            silent = EmotionEstimate.abstain(Source.VOICE, "no voice was given")
            no_words = EmotionEstimate.abstain(Source.WORDS, "the feeling was stated")
            heard = replace(
                heard,
                voice=silent,
                words=no_words,
                fused=estimate,
                trajectory=Trajectory(estimate),
            )
        elif question.intensity is not None or question.confidence is not None:
            fused = replace(
                heard.fused,
                intensity=question.intensity or heard.fused.intensity,
                confidence=(
                    heard.fused.confidence if question.confidence is None else question.confidence
                ),
            )
            heard = replace(heard, fused=fused, trajectory=Trajectory(fused))
        if question.conflict is not None:
            heard = replace(heard, conflict=_conflict(question))
        return heard


def _given(question: Question) -> Given:
    repeats = question.history.repeat_contacts_30d
    described = question.intent or question.emotion or question.severity or question.fault
    understood: bool | None = None
    if question.intent == OTHER_INTENT:
        understood = False
    elif question.intent is not None:
        understood = True
    elif not (question.text or "").strip():
        understood = bool(described)
    return Given(
        severity=question.severity,
        fault=question.fault,
        failed_turns=question.failed_turns or 0,
        repeat_contacts=repeats if isinstance(repeats, int) else None,
        resolved=question.resolved,
        understood=understood,
        from_outside=True,
    )


def _nothing_heard(text: str) -> Understanding:
    nothing = EmotionEstimate.abstain(Source.FUSED, "no feeling was given")
    return Understanding(
        Transcript(text),
        Intent(OTHER_INTENT, 0.0),
        (),
        EmotionEstimate.abstain(Source.VOICE, "no voice was given"),
        EmotionEstimate.abstain(Source.WORDS, "no words were given"),
        nothing,
        None,
        Trajectory(nothing),
    )


def _conflict(question: Question) -> Conflict | None:
    if question.conflict is None or question.conflict is False:
        return None
    kind = ConflictKind.OTHER if question.conflict is True else question.conflict
    return Conflict(kind, Emotion.NEUTRAL, Emotion.NEUTRAL)


def _estimate(question: Question) -> EmotionEstimate:
    """The stated feeling. What the probabilities leave open is spread evenly; without an
    intensity it follows the top probability; without a confidence that is the confidence."""
    given = question.emotion or {}
    total = sum(given.values())
    if total <= 0:
        return EmotionEstimate.abstain(Source.FUSED, "no feeling was given")
    rest = max(0.0, 1.0 - total) / len(Emotion)
    scale = max(total, 1.0)
    probabilities = {emotion: given.get(emotion, 0.0) / scale + rest for emotion in Emotion}
    top = max(Emotion, key=lambda emotion: given.get(emotion, 0.0))
    sure = given[top] / scale
    intensity = question.intensity or _intensity(top, sure)
    return EmotionEstimate(
        probabilities,
        valence=_PLEASANT.get(top, -1.0) * sure,
        arousal=sure if top in _LOUD else -sure / 2,
        intensity=intensity,
        confidence=sure if question.confidence is None else question.confidence,
        source=Source(question.source),
    )


def _intensity(top: Emotion, sure: float) -> Intensity:
    if top is Emotion.NEUTRAL:
        return Intensity.NONE
    if sure >= _HIGH_FROM:
        return Intensity.HIGH
    return Intensity.MEDIUM if sure >= _MEDIUM_FROM else Intensity.LOW
