"""What one turn brings to the policy: the estimate to go by, the conflict, the situation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from dialogue.frames import Heard, Step
from dialogue.packs.format import Pack
from dialogue.regulation import Regulation
from dialogue.state import CallState
from dialogue.strategy import Situation, feeling_of
from dialogue.types import CustomerContext, Fault, Purpose, Severity
from nlu.types import (
    OTHER_INTENT,
    ConflictKind,
    Emotion,
    EmotionEstimate,
    Grant,
    Intensity,
    Source,
    Understanding,
)

HUMAN_INTENT = "talk_to_human"
THANKS_INTENT = "thanks"
GOODBYE_INTENT = "goodbye"
"""Intents of these names have a meaning of their own in every pack."""

_HISTORY = 2
"""Earlier contacts about the same thing from which on happy words alone are not taken at face
value (evidence, section 3)."""
_MILD = frozenset({Emotion.NEUTRAL, Emotion.SURPRISED})
_SURE = 0.4
_TOLD_SADNESS = 0.7
"""How sure the sadness of a caller is taken to be who tells of a death or of hardship."""


@dataclass(frozen=True, slots=True)
class Given:
    """What is stated from outside instead of being derived: for `attune decide` and tests."""

    severity: Severity | None = None
    fault: Fault | None = None
    failed_turns: int | None = None
    repeat_contacts: int | None = None
    resolved: bool | None = None
    understood: bool | None = None
    from_outside: bool = False
    """The estimate and its conflict are stated, and nothing was said before: the delivery does
    not start from a neutral greeting."""


@dataclass(frozen=True, slots=True)
class TurnInput:
    """One turn of the caller's as the conversation takes it."""

    understanding: Understanding
    heard: Heard
    estimate: EmotionEstimate
    now: datetime
    grants: Mapping[str, Grant]
    given: Given

    @property
    def says_thanks(self) -> bool:
        """Whether the words thank, whatever the feeling."""
        return "thanks" in self.heard.signals or self.heard.intent == THANKS_INTENT

    @property
    def says_goodbye(self) -> bool:
        """Whether the caller is leaving."""
        return "goodbye" in self.heard.signals or self.heard.intent == GOODBYE_INTENT


def estimate_for(understanding: Understanding, grants: Mapping[str, Grant]) -> EmotionEstimate:
    """The feeling that the policy goes by.

    Without a grant the voice does not exist, and what it took part in does not either. Negative
    words in a flat voice are believed. Otherwise the course over the turns, where it is known.
    """
    if Purpose.EMOTION_VOICE not in grants:
        if understanding.voice.abstained is None:
            return understanding.words
        if understanding.fused.source is Source.VOICE:
            return EmotionEstimate.abstain(Source.FUSED, "no consent to the analysis of the voice")
    conflict = understanding.conflict
    if conflict is not None and conflict.kind is ConflictKind.NEGATIVE_WORDS_FLAT_VOICE:
        return understanding.words if understanding.words.abstained is None else understanding.fused
    smoothed = understanding.trajectory.smoothed
    if understanding.fused.abstained is None and smoothed.abstained is None:
        return smoothed
    return understanding.fused


def with_circumstance(
    estimate: EmotionEstimate, heard: Heard, pack: Pack, grants: Mapping[str, Grant]
) -> EmotionEstimate:
    """The estimate, or sadness where a circumstance such as a death was told and no stronger
    feeling was read: what has happened is in the words, whatever a model made of them."""
    told = any(
        pack.intents[name].circumstance
        for name in (heard.intent, *heard.also)
        if name in pack.intents
    )
    mild = estimate.abstained is not None or estimate.top in _MILD or estimate.confidence < _SURE
    low_sadness = estimate.top is Emotion.SAD and estimate.intensity is Intensity.LOW
    if not told or not (mild or low_sadness) or Purpose.EMOTION_WORDS not in grants:
        return estimate
    rest = (1.0 - _TOLD_SADNESS) / (len(Emotion) - 1)
    spread = {each: _TOLD_SADNESS if each is Emotion.SAD else rest for each in Emotion}
    return EmotionEstimate(spread, -0.6, -0.3, Intensity.MEDIUM, _TOLD_SADNESS, Source.WORDS)


def plain_thanks(understanding: Understanding, heard: Heard, state: CallState) -> bool:
    """Thanks after something was settled are thanks, in whatever voice: nobody is questioned
    about them, and nobody's voice is read into them."""
    conflict = understanding.conflict
    return (
        conflict is not None
        and conflict.kind is ConflictKind.POSITIVE_WORDS_AGITATED_VOICE
        and ("thanks" in heard.signals or heard.intent == THANKS_INTENT)
        and bool(state.matters or state.tried)
    )


def situation(
    turn: TurnInput,
    step: Step,
    state: CallState,
    context: CustomerContext,
    pack: Pack,
    regulation: Regulation,
    channel: str,
) -> Situation:
    """What the policy looks at."""
    heard, given = turn.heard, turn.given
    entry = pack.intents.get(heard.intent)
    only_talk = heard.intent == OTHER_INTENT or (entry is not None and entry.small_talk)
    repeats = (
        context.patterns.repeat_contacts_30d.get(step.intent, 0)
        if given.repeat_contacts is None
        else given.repeat_contacts
    )
    return Situation(
        estimate=turn.estimate,
        conflict=_conflict(turn, step, state, repeats),
        signals=heard.signals,
        asks_human="asks_human" in heard.signals or HUMAN_INTENT in {heard.intent, *heard.also},
        gratitude=turn.says_thanks and (only_talk or step.resolved),
        understood=step.understood if given.understood is None else given.understood,
        severity=given.severity or step.severity,
        fault=given.fault or step.fault,
        repeat_contacts=repeats,
        prior_escalation=context.patterns.prior_escalation,
        failed_turns=(
            step.state.failed_turns if given.failed_turns is None else given.failed_turns
        ),
        # Who is calling is not part of a described situation, so nobody lacks a record in it.
        needs_human=step.needs_human and not given.from_outside,
        abuse_before=state.abuse_turns,
        turns_with_feeling=state.turns_with(feeling_of(turn.estimate)),
        flags=context.flags,
        voice_allowed=Purpose.EMOTION_VOICE in turn.grants,
        jurisdiction=regulation.code,
        channel=channel,
    )


def _conflict(turn: TurnInput, step: Step, state: CallState, repeats: int) -> ConflictKind | None:
    """The conflict of the turn. Happy words that no voice confirms, from somebody who calls about
    the same thing again and again with nothing solved, are possibly sarcasm."""
    understanding = turn.understanding
    voice_allowed = Purpose.EMOTION_VOICE in turn.grants
    if plain_thanks(understanding, turn.heard, state):
        return None
    if understanding.conflict is not None and (voice_allowed or turn.given.from_outside):
        return understanding.conflict.kind
    words = understanding.words
    happy_words = words.abstained is None and words.top is Emotion.HAPPY
    unconfirmed = understanding.voice.abstained is not None
    settled = step.resolved or bool(state.matters)
    if happy_words and unconfirmed and repeats >= _HISTORY and not settled:
        return ConflictKind.POSITIVE_WORDS_AGITATED_VOICE
    return None
