"""Which strategy answers a turn: the empathy policy applied to one situation.

A pure function of its inputs. The rules and their order stand in `strategies.yaml`; what they mean
and why is in `docs/policy.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dialogue.policy import ABSTAINED, Policy, Rule, failing, holds
from dialogue.types import Fault, Flags, Reason, Severity, Strategy
from nlu.types import ConflictKind, Emotion, EmotionEstimate, Intensity, Source

NEGATIVE = frozenset({Emotion.SAD, Emotion.ANGRY, Emotion.ANXIOUS, Emotion.CONFUSED})
"""Feelings in which nobody is offered anything."""

DANGER = frozenset({"self_harm", "threat", "medical_danger"})

_NO_ESTIMATE = EmotionEstimate.abstain(Source.FUSED, "nothing was heard")


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that the policy looks at. The defaults are the cautious ones."""

    estimate: EmotionEstimate = _NO_ESTIMATE
    conflict: ConflictKind | None = None
    signals: frozenset[str] = frozenset()
    asks_human: bool = False
    gratitude: bool = False
    understood: bool = True
    """What the caller wants is known."""
    severity: Severity = Severity.MINOR
    fault: Fault = Fault.NONE
    repeat_contacts: int = 0
    prior_escalation: bool = False
    failed_turns: int = 0
    needs_human: bool = False
    """Only a person can take this further, whatever the number of failed turns."""
    abuse_before: int = 0
    """Earlier turns of this call with abuse."""
    turns_with_feeling: int = 1
    """Consecutive turns with the feeling of this one, this one included."""
    flags: Flags = Flags()
    voice_allowed: bool = False
    """A grant for the voice estimate exists."""
    jurisdiction: str = "unknown"
    channel: str = "voice"


@dataclass(frozen=True, slots=True)
class Choice:
    """The strategy that the policy chose, and every reason."""

    rule: str
    strategy: Strategy
    moves: tuple[str, ...]
    profile: str
    profile_scale: float
    handoff: bool
    feeling: str
    """An emotion's name, or `abstained`."""
    intensity: Intensity
    empathy_factor: float
    """What is left of the empathy budget: 1 is all of it."""
    reasons: tuple[Reason, ...]
    confirm_understanding: bool = False
    again: bool = False
    """The rule has fired before in this call (abuse)."""


def choose(situation: Situation, policy: Policy) -> Choice:
    """The one strategy for a situation: the first rule that holds.

    Never raises on a valid policy: every situation meets a rule (tested over all of them).
    """
    fields = _fields(situation, policy)
    place, winner = _first(policy.rules, fields, 0)
    reasons = list(_gate_of_voice(situation, policy))
    shown = _modifiers(situation)
    reasons.append(_reason(winner, fields, shown))
    rule = winner
    if winner.strategy is None:
        rule = policy.rule(next(way.rule for way in winner.instead if holds(way.when, fields)))
        reasons.append(_reason(rule, fields, {}, f"in place of rule {winner.id}"))
    reasons.append(_runner_up(policy, place, winner, rule, fields))
    assert rule.strategy is not None
    again = bool(rule.again_moves) and situation.abuse_before > 0
    feeling = fields["feeling"]
    return Choice(
        rule=rule.id,
        strategy=rule.strategy,
        moves=_moves(rule, situation, again, policy),
        profile=_profile(rule, feeling),
        profile_scale=rule.delivery.scale,
        handoff=rule.handoff,
        feeling=feeling,
        intensity=Intensity(fields["intensity"]),
        empathy_factor=policy.empathy.factor(
            situation.turns_with_feeling, situation.flags.prefers_brief
        ),
        reasons=tuple(reasons),
        confirm_understanding=situation.flags.vulnerable,
        again=again,
    )


def feeling_of(estimate: EmotionEstimate) -> str:
    """The feeling that an estimate stands for: an emotion's name, or `abstained`."""
    return ABSTAINED if estimate.abstained is not None else estimate.top.value


def is_negative(estimate: EmotionEstimate) -> bool:
    """Whether a feeling forbids an offer; a guess at a negative one forbids it too."""
    return estimate.abstained is None and (
        estimate.top in NEGATIVE or (estimate.intensity is Intensity.HIGH and estimate.valence < 0)
    )


def handoff_threshold(situation: Situation, policy: Policy) -> int:
    """How many failed turns call for a human: fewer when it is urgent, and one fewer after an
    earlier escalation, but never without a failed turn."""
    sure_anger = (
        feeling_of(situation.estimate) == Emotion.ANGRY
        and situation.estimate.intensity is Intensity.HIGH
        and _sure(situation, policy)
    )
    urgent = situation.severity is Severity.CRITICAL or sure_anger
    limits = policy.thresholds
    threshold = limits.failed_turns_urgent if urgent else limits.failed_turns
    return max(1, threshold - situation.prior_escalation)


def _sure(situation: Situation, policy: Policy) -> bool:
    # Happy words in an agitated voice may be sarcasm: neither label is taken for a feeling.
    return (
        situation.estimate.abstained is None
        and situation.estimate.confidence >= policy.thresholds.low_confidence
        and situation.conflict is not ConflictKind.POSITIVE_WORDS_AGITATED_VOICE
    )


def _fields(situation: Situation, policy: Policy) -> dict[str, Any]:
    estimate = situation.estimate
    feeling = feeling_of(estimate)
    return {
        "signals": situation.signals,
        "asks_human": situation.asks_human or "asks_human" in situation.signals,
        "abuse_count": situation.abuse_before + ("abuse" in situation.signals),
        "handoff_due": situation.needs_human
        or situation.failed_turns >= handoff_threshold(situation, policy),
        "feeling": feeling,
        "sure": _sure(situation, policy),
        "intensity": (
            Intensity.NONE if feeling in (ABSTAINED, Emotion.NEUTRAL) else estimate.intensity
        ).value,
        "fault": situation.fault.value,
        "severity": situation.severity.value,
        "repeat_contacts": situation.repeat_contacts,
        "conflict": situation.conflict is not None,
        "understood": situation.understood,
        "gratitude": situation.gratitude,
        "confidence": round(estimate.confidence, 3),
        "failed_turns": situation.failed_turns,
        "needs_human": situation.needs_human,
    }


def _first(rules: tuple[Rule, ...], fields: Mapping[str, Any], start: int) -> tuple[int, Rule]:
    for place, rule in enumerate(rules[start:], start):
        if any(holds(when, fields) for when in rule.alternatives):
            return place, rule
    raise LookupError("the policy leaves a situation without a rule")


def _moves(rule: Rule, situation: Situation, again: bool, policy: Policy) -> tuple[str, ...]:
    if again:
        return rule.again_moves
    if rule.history_moves and situation.repeat_contacts >= policy.thresholds.repeat_contacts:
        return rule.history_moves
    if rule.effort_moves and situation.conflict is ConflictKind.NEUTRAL_WORDS_AGITATED_VOICE:
        return rule.effort_moves
    return rule.moves


def _profile(rule: Rule, feeling: str) -> str:
    if rule.delivery.profile == "happy":
        # Thanks without a happy feeling are answered plainly: joy is mirrored, never played.
        return "happy" if feeling == Emotion.HAPPY else "neutral"
    if rule.delivery.profile != "by_feeling":
        return rule.delivery.profile
    return feeling if feeling in ("angry", "sad", "anxious") else "neutral"


def _gate_of_voice(situation: Situation, policy: Policy) -> tuple[Reason, ...]:
    if situation.voice_allowed:
        return ()
    gate = next((gate for gate in policy.gates if gate.id == "G4"), None)
    if gate is None:
        return ()
    saw = {"emotion_voice": "no grant", "jurisdiction": situation.jurisdiction}
    return (Reason("G4", saw, True, "no voice estimate exists for this turn"),)


def _modifiers(situation: Situation) -> dict[str, Any]:
    flags = situation.flags
    named = {
        "prior_escalation": situation.prior_escalation,
        "prefers_brief": flags.prefers_brief,
        "vulnerable": flags.vulnerable,
        "vip": flags.vip,
    }
    present = [name for name, holds_ in named.items() if holds_]
    return {"modifiers": present} if present else {}


def _shown(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else value


def _reason(
    rule: Rule, fields: Mapping[str, Any], more: Mapping[str, Any], why: str = ""
) -> Reason:
    asked = {name for when in rule.alternatives for name in when}
    if "handoff_due" in asked:
        asked |= {"failed_turns", "needs_human"}
    if asked & {"feeling", "sure"}:
        asked |= {"confidence"}
    saw = {name: _shown(value) for name, value in fields.items() if name in asked}
    return Reason(rule.id, {**saw, **more}, True, f"{rule.title}; {why}" if why else rule.title)


def _runner_up(
    policy: Policy, place: int, winner: Rule, used: Rule, fields: Mapping[str, Any]
) -> Reason:
    """The next rule that would have held, else the one that missed by the fewest fields."""
    for rule in policy.rules[place + 1 :]:
        if rule is not used and any(holds(when, fields) for when in rule.alternatives):
            saw = _reason(rule, fields, {}).saw
            return Reason(rule.id, saw, False, f"runner-up: held too, but {winner.id} comes first")
    missed = [
        (len(lacking := failing(when, fields)), rank, rule, lacking)
        for rank, rule in enumerate(policy.rules)
        if rule is not winner and rule is not used and not rule.id.startswith("G")
        for when in rule.alternatives
    ]
    _, _, rule, lacking = min(missed, key=lambda entry: entry[:2])
    saw = {name: _shown(fields[name]) for name in lacking}
    return Reason(rule.id, saw, False, f"runner-up: {', '.join(lacking)} did not fit")
