"""From a chosen strategy to a whole decision, and to what the call remembers if it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from dialogue import delivery, handoff, offers, replying, wording
from dialogue.actions import next_best_actions
from dialogue.answers import yes_or_no
from dialogue.frames import Frame, Heard, Step
from dialogue.packs.facts import say_facts, standing_facts
from dialogue.packs.format import Pack
from dialogue.policy import ABSTAINED, Policy
from dialogue.remembering import CHECKS, issue, remember
from dialogue.rendering import Piece, Voice
from dialogue.situations import TurnInput
from dialogue.slots import values_of
from dialogue.state import CallState
from dialogue.strategy import DANGER, Choice, is_negative
from dialogue.types import (
    CustomerContext,
    Decision,
    Delivery,
    HandoffBrief,
    OfferMade,
    Purpose,
    Reason,
    Reply,
    Severity,
)
from nlu.types import OTHER_INTENT, Emotion, Grant


class Rewriter(Protocol):
    """A language model behind the same door; see `dialogue.language_model`."""

    def reword(
        self, pieces: tuple[Piece, ...], strategy: str, facts: Mapping[str, str]
    ) -> tuple[Piece, ...] | None:
        """Other words for the same pieces, already checked; None keeps the phrases."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A decision with what it was made from, so that it can be committed."""

    decision: Decision
    after: CallState
    """The state once the turn has ended, if nothing is to be carried out."""
    choice: Choice
    step: Step
    turn: TurnInput


@dataclass(frozen=True, slots=True)
class Drafter:
    """What stays the same over a call when its turns are worded."""

    pack: Pack
    context: CustomerContext
    policy: Policy
    rewriter: Rewriter | None = None

    def draft(self, choice: Choice, step: Step, turn: TurnInput, state: CallState) -> Draft:
        """The decision of a turn. Reads `state` and changes nothing."""
        facts = {
            **standing_facts(self.pack, self.context, turn.now, step.intent),
            **step.facts,
        }
        offer_id, gate = self._offer(choice, step, turn, state, facts)
        nouns = wording.callers_nouns(turn.heard.text, self.pack.nouns, state.nouns)
        spoken = self._delivery(choice, turn, state)
        said = self._turn(choice, step, turn, state, facts, offer_id)
        worded = self._worded(said, spoken, replace(state, nouns=nouns))
        offer = _made(offer_id, worded)
        checked = bool(CHECKS & set(worded.moves))
        decision = Decision(
            strategy=choice.strategy,
            moves=replying.spoken_moves(worded.moves),
            reply=Reply(delivery.speak(worded.pieces, spoken)),
            effects=step.effects,
            offer=offer,
            handoff=self._brief(choice, step, turn, state, facts),
            reasons=(*choice.reasons, *step.reasons, *gate),
            next_best_actions=next_best_actions(
                self.pack, step.intent, facts, self.context, state.tried
            ),
            relevance=step.relevance,
            expects=frozenset({"yes_no"}) if offer or checked else step.expects,
            ends_call=choice.again or (said.goodbye and not step.effects and not step.expects),
        )
        after = remember(state, self.policy, choice, step, turn, worded, spoken, nouns, decision)
        return Draft(decision, after, choice, step, turn)

    def voice(self, state: CallState) -> Voice:
        """The seed does not hold the call's id: a replay under another name says the same."""
        seed = f"{self.pack.name}:{self.context.id}:{len(self.context.contacts)}"
        return Voice(self.pack, seed, state.nouns)

    # --- words ------------------------------------------------------------------------------

    def _turn(
        self,
        choice: Choice,
        step: Step,
        turn: TurnInput,
        state: CallState,
        facts: Mapping[str, Any],
        offer_id: str | None,
    ) -> replying.Turn:
        stated = turn.given.from_outside
        return replying.Turn(
            choice=choice,
            step=step,
            facts=facts,
            matter=step.intent,
            said_once=state.said_once,
            asides=_asides(turn.heard, state),
            gratitude=turn.says_thanks,
            goodbye=choice.again or turn.says_goodbye,
            small_talk=self._small_talk(turn.heard.intent),
            human_there=bool(facts.get("handoff_open", True)),
            heard=stated or bool(turn.heard.text.strip()),
            acted_before=bool(state.tried) and not step.parts,
            settled_before=bool(state.matters or state.tried)
            or (state.checked and yes_or_no(turn.heard) is True),
            extra=offers.lines(self.pack.offers[offer_id], facts) if offer_id else (),
        )

    def _worded(self, said: replying.Turn, spoken: Delivery, state: CallState) -> wording.Wording:
        choice = said.choice
        limits = wording.Limits(
            empathy_share=self.policy.empathy.share_of_words * choice.empathy_factor,
            may_apologise=not (issue(said.step) & state.apologised),
            may_name_feelings=choice.feeling not in (ABSTAINED, Emotion.NEUTRAL)
            # A thank-you at the end of a sad call is not met with gladness.
            and not (choice.feeling == Emotion.HAPPY and Emotion.SAD in state.feelings),
            slow=spoken.rate < delivery.SLOW_BELOW,
            brief=self.context.flags.prefers_brief,
        )
        lines = replying.lines(said, self.pack, self.policy)
        worded = wording.compose(lines, self.voice(state), limits, state.phrases)
        if not worded.pieces:
            lines = replying.instead_of_silence(said, self.pack, self.policy)
            worded = wording.compose(lines, self.voice(state), limits, state.phrases)
        if self.rewriter is None or choice.handoff:
            return worded
        reworded = self.rewriter.reword(
            worded.pieces, choice.strategy.value, say_facts(said.facts, self.pack)
        )
        return worded if reworded is None else replace(worded, pieces=reworded)

    def _delivery(self, choice: Choice, turn: TurnInput, state: CallState) -> Delivery:
        amount = delivery.scale(
            choice.profile,
            choice.profile_scale,
            choice.feeling,
            choice.intensity,
            turn.estimate.confidence,
        )
        previous = None if turn.given.from_outside else state.delivery
        return delivery.target(
            choice.profile, amount, previous, vulnerable=self.context.flags.vulnerable
        )

    def _small_talk(self, intent: str) -> bool:
        return intent in self.pack.intents and self.pack.intents[intent].small_talk

    # --- offer and handoff --------------------------------------------------------------------

    def _offer(
        self,
        choice: Choice,
        step: Step,
        turn: TurnInput,
        state: CallState,
        facts: Mapping[str, Any],
    ) -> tuple[str | None, tuple[Reason, ...]]:
        # Nobody is sold anything in the breath that settles the matter: only once it was settled.
        settled = bool(state.matters) and step.state.active is None
        resolved = settled if turn.given.resolved is None else turn.given.resolved
        if not resolved:
            return None, ()
        occasion = offers.Occasion(
            strategy=choice.strategy,
            resolved=resolved,
            granted=Purpose.OFFERS in turn.grants,
            negative_turns=state.negative_lately(
                is_negative(turn.estimate), self.policy.thresholds.calm_turns_before_offer
            ),
            reading_known=turn.estimate.abstained is None,
            offered_before=bool(state.offered),
            consoled=self._consoled(choice, state),
            leaving=turn.says_goodbye or bool(step.effects),
            intent=step.intent,
            also=(*state.matters, turn.heard.intent),
        )
        refused = self.context.refused_offers | state.refused_offers
        context = replace(self.context, refused_offers=refused)
        considered = offers.consider(self.pack, context, occasion, facts, self.policy)
        return considered.offer_id, (considered.reason,)

    def _consoled(self, choice: Choice, state: CallState) -> bool:
        told = any(
            self.pack.intents[name].circumstance
            for name in state.matters
            if name in self.pack.intents
        )
        return told or Emotion.SAD in (*state.feelings, choice.feeling)

    def brief_now(
        self, state: CallState, now: datetime, grants: Mapping[str, Grant], rule: str, why: str
    ) -> HandoffBrief:
        """What a human needs between two turns, whatever the reason."""
        frame = state.tasks.active or next(iter(reversed(state.tasks.frames)), None)
        intent = frame.intent if frame is not None else OTHER_INTENT
        known = standing_facts(self.pack, self.context, now, intent)
        if frame is not None:
            known |= {**frame.facts, **values_of(frame)}
        return self._brief_of(rule, why, intent, frame, state, known, state.said, grants)

    def _brief_of(
        self,
        rule: str,
        why: str,
        intent: str,
        frame: Frame | None,
        state: CallState,
        facts: Mapping[str, Any],
        said: tuple[str, ...],
        grants: Mapping[str, Grant],
        severity: Severity = Severity.MINOR,
        danger: bool = False,
    ) -> HandoffBrief:
        claimed = _only_claimed(frame)
        course = handoff.Course(
            rule=rule,
            why=why,
            intent=intent,
            facts={name: value for name, value in facts.items() if name not in claimed},
            claimed=claimed,
            tried=state.tried,
            said=said,
            suggestions=next_best_actions(self.pack, intent, facts, self.context, state.tried),
            grants=grants,
            severity=severity,
            danger=danger,
        )
        return handoff.brief(course, self.context, self.pack)

    def _brief(
        self,
        choice: Choice,
        step: Step,
        turn: TurnInput,
        state: CallState,
        facts: Mapping[str, Any],
    ) -> HandoffBrief | None:
        if not choice.handoff:
            return None
        frame = step.state.active or next(iter(reversed(step.state.frames)), None)
        intent = frame.intent if frame is not None else step.intent
        return self._brief_of(
            choice.rule,
            self.policy.rule(choice.rule).title,
            intent,
            frame,
            state,
            facts,
            (*state.said, turn.heard.text),
            turn.grants,
            step.severity,
            bool(DANGER & turn.heard.signals),
        )


def _asides(heard: Heard, state: CallState) -> tuple[str, ...]:
    asides = []
    if "forget_call" in heard.signals:
        asides.append("call_forgotten")
    elif "withdraw_voice" in heard.signals:
        asides.append("voice_withdrawn")
    if offers.refused(heard, state):
        asides.append("offer_refused")
    elif offers.accepted(heard, state):
        asides.append("offer_accepted")
    return tuple(asides)


def _only_claimed(frame: Frame | None) -> dict[str, str]:
    """What the caller said and no record has shown."""
    if frame is None:
        return {}
    return {
        name: slot.value
        for name, slot in frame.slots.items()
        if slot.origin == "caller" and not slot.confirmed and name not in frame.facts
    }


def _made(offer_id: str | None, worded: wording.Wording) -> OfferMade | None:
    if offer_id is None:
        return None
    texts = [
        " ".join(piece.text for piece in worded.pieces if piece.move == move)
        for move in ("offer", "offer_why", "offer_refuse")
    ]
    return offers.made(offer_id, texts)
