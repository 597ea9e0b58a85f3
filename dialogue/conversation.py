"""The one door of `dialogue`: an understanding goes in, a decision with every reason comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from dialogue import delivery, handoff, offers, policy, regulation, replying, tasks, wording
from dialogue.actions import Actions, effect_of, next_best_actions
from dialogue.answers import yes_or_no
from dialogue.connectors.protocol import Connector
from dialogue.customers.consent import grants_for, withdrawals
from dialogue.frames import Heard, Step
from dialogue.honesty import sentences
from dialogue.packs.facts import say_facts, standing_facts
from dialogue.packs.format import Pack
from dialogue.packs.loader import load_pack
from dialogue.regulation import Regulation, opening_disclosure
from dialogue.state import CallState
from dialogue.strategy import DANGER, Choice, Situation, choose, feeling_of, is_negative
from dialogue.types import (
    ConsentState,
    CustomerContext,
    Decision,
    Delivery,
    Effect,
    EffectResult,
    Fault,
    HandoffBrief,
    OfferMade,
    Purpose,
    Reason,
    Reply,
    Severity,
    Strategy,
)
from nlu.errors import AttuneError
from nlu.types import (
    OTHER_INTENT,
    ConflictKind,
    ConversationSoFar,
    Emotion,
    EmotionEstimate,
    Grant,
    Source,
    Understanding,
)

HUMAN_INTENT = "talk_to_human"
THANKS_INTENT = "thanks"
GOODBYE_INTENT = "goodbye"
"""Intents of these names have a meaning of their own in every pack."""

_KEPT_DRAFTS = 16


class Rewriter(Protocol):
    """A language model behind the same door; see `dialogue.language_model`."""

    def reword(
        self, pieces: Sequence[wording.Piece], brief: Mapping[str, Any]
    ) -> tuple[wording.Piece, ...] | None:
        """Other words for the same pieces, already checked; None to keep the phrases."""


@dataclass(frozen=True, slots=True)
class Given:
    """What is stated from outside instead of being derived: for `attune decide` and tests."""

    severity: Severity | None = None
    fault: Fault | None = None
    failed_turns: int | None = None
    resolved: bool | None = None
    understood: bool | None = None
    first_words: bool = False
    """Nothing was said before: the delivery does not start from a neutral greeting."""


_NOTHING_GIVEN = Given()


@dataclass(frozen=True, slots=True)
class _Draft:
    """A decision with what it was made from, so that it can be committed."""

    decision: Decision
    after: CallState
    """The state once the turn has ended, if there is nothing to carry out."""
    choice: Choice
    step: Step
    heard: Heard
    understanding: Understanding
    estimate: EmotionEstimate
    now: datetime
    grants: Mapping[str, Grant]
    given: Given


class Conversation:
    """A call with one customer.

    `decide` is pure and may be called many times for one turn. `commit` ends the turn: effects are
    carried out once, and the reply tells what really happened. Replaying the same understandings
    with the same call id gives the same decisions, byte for byte.
    """

    def __init__(
        self,
        pack: Pack | str,
        context: CustomerContext | None = None,
        connectors: Mapping[str, Connector] | None = None,
        regulation: Regulation | None = None,
        call_id: str = "call",
        *,
        consents: Mapping[Purpose, ConsentState] = MappingProxyType({}),
        channel: str = "voice",
        started_at: datetime | None = None,
        data_dir: Path | None = None,
        store: Any = None,
        policy: policy.Policy | None = None,
        rewriter: Rewriter | None = None,
    ) -> None:
        self.pack = load_pack(pack) if isinstance(pack, str) else pack
        self.context = context or CustomerContext()
        self.call_id = call_id
        self.channel = channel
        self._now = started_at or datetime.now(UTC)
        self._regulation = regulation or _regulation_of(self.context)
        self._consents = consents
        self._policy = policy or _shipped_policy()
        self._store = store
        self._rewriter = rewriter
        self._actions = (
            Actions(self.pack, connectors)
            if connectors is not None
            else Actions.open(self.pack, self._now, data_dir)
        )
        self._state = CallState()
        self._drafts: list[_Draft] = []
        self._committed: list[tuple[Decision, Decision]] = []

    # --- what others may know ---------------------------------------------------------------

    @property
    def grants(self) -> Mapping[str, Grant]:
        """What the caller allows at this moment, by purpose."""
        return self.grants_after(frozenset())

    def grants_after(self, signals: frozenset[str]) -> Mapping[str, Grant]:
        """What is allowed once a turn with these signals is heard: a withdrawal takes effect
        within the turn that voices it."""
        withdrawn = self._state.withdrawn | withdrawals(signals)
        return grants_for(self.context, self._regulation, self._consents, withdrawn)

    @property
    def expects(self) -> frozenset[str]:
        """What the last reply asked for: entity types or `yes_no`."""
        return self._state.expects

    @property
    def state(self) -> CallState:
        """Everything that later turns depend on."""
        return self._state

    def so_far(self) -> ConversationSoFar:
        """What understanding the next turn may know of those before it."""
        return ConversationSoFar(
            turns=self._state.turn,
            smoothed=self._state.smoothed,
            expects=self._state.expects,
            known_names=tuple((self.context.name or "").split()),
            now=self._now,
            currency=self.pack.currency,
        )

    def close(self) -> None:
        """Close the connectors."""
        self._actions.close()

    # --- the three steps of a call ----------------------------------------------------------

    def opening(self) -> Decision:
        """The first words: what the jurisdiction asks to be said, and the pack's greeting."""
        facts = standing_facts(self.pack, self.context, self._now)
        greeting = wording.compose(
            [wording.Line("greeting", "fact", self.pack.greeting, facts)],
            self._voice(self._state),
            wording.Limits(),
        )
        disclosures = opening_disclosure(self._regulation, self.grants, self.pack.company)
        pieces = _opened(disclosures, [piece.text for piece in greeting.pieces])
        spoken = delivery.target("neutral", 1.0)
        saw = {"jurisdiction": self._regulation.code, "disclosures": len(disclosures)}
        return Decision(
            Strategy.DIRECT,
            ("disclosure", "greeting") if disclosures else ("greeting",),
            Reply(delivery.speak(pieces, spoken)),
            reasons=(Reason("opening", saw, True, "what must be said before anything else"),),
        )

    def decide(
        self,
        understanding: Understanding,
        *,
        now: datetime | None = None,
        grants: Mapping[str, Grant] | None = None,
        given: Given = _NOTHING_GIVEN,
    ) -> Decision:
        """What to say and do about a turn. Changes nothing.

        `grants` narrows what the ledger and the call allow; it never widens it.
        """
        moment = now or self._now
        allowed = self._allowed(understanding.signals, grants)
        heard = self._heard(understanding)
        step = self._step(heard, moment)
        estimate = _estimate(understanding, allowed)
        choice = choose(
            self._situation(understanding, estimate, heard, step, allowed, given), self._policy
        )
        draft = self._draft(
            choice, step, heard, understanding, estimate, moment, allowed, given, self._state
        )
        self._drafts = [*self._drafts[1 - _KEPT_DRAFTS :], draft]
        return draft.decision

    def commit(self, decision: Decision) -> Decision:
        """The turn has ended: carry out its effects, once, and move on.

        Returns the decision as it is to be spoken: unchanged without effects, otherwise worded
        from what really happened. Committing a decision again returns the same and does nothing.

        Raises:
            AttuneError: the decision is not one of this turn's.
        """
        for before, after in self._committed:
            if decision is before or decision is after:
                return after
        if decision.reasons and decision.reasons[0].rule == "opening":
            return decision
        draft = next((each for each in reversed(self._drafts) if each.decision is decision), None)
        if draft is None:
            raise AttuneError(
                f"call {self.call_id}: this decision is not of the present turn; "
                "commit the one that decide returned last."
            )
        done = self._carried_out(draft) if decision.effects else draft
        self._state = done.after
        self._now = draft.now
        self._drafts = []
        self._committed = [*self._committed[-3:], (decision, done.decision)]
        return done.decision

    # --- a turn, step by step ---------------------------------------------------------------

    def _allowed(
        self, signals: frozenset[str], grants: Mapping[str, Grant] | None
    ) -> Mapping[str, Grant]:
        allowed = self.grants_after(signals)
        if grants is None:
            return allowed
        return {purpose: grant for purpose, grant in allowed.items() if purpose in grants}

    def _heard(self, understanding: Understanding) -> Heard:
        return Heard.of(understanding)

    def _step(self, heard: Heard, now: datetime) -> Step:
        read = self._actions.reader(self.context, now)
        key = f"{self.call_id}:{self._state.turn + 1}"
        accepted = self._accepted_offer(heard)
        if accepted is not None:
            return self._offer_taken(accepted, now, key)
        step = tasks.advance(self._state.tasks, heard, self.pack, self.context, now, read, key)
        rights = withdrawals(heard.signals) or "refuses_offer" in heard.signals
        if rights and step.failed:
            # Taking something back is not a turn in which the caller was left without an answer.
            before = self._state.tasks.failed_turns
            kept = replace(step.state, failed_turns=before)
            return replace(step, state=kept, failed=False, understood=True)
        return step

    def _situation(
        self,
        understanding: Understanding,
        estimate: EmotionEstimate,
        heard: Heard,
        step: Step,
        grants: Mapping[str, Grant],
        given: Given,
    ) -> Situation:
        state = self._state
        intents = {heard.intent, *heard.also}
        thanks = "thanks" in heard.signals or heard.intent == THANKS_INTENT
        small_talk = (
            heard.intent in self.pack.intents and self.pack.intents[heard.intent].small_talk
        )
        failed = step.state.failed_turns if given.failed_turns is None else given.failed_turns
        return Situation(
            estimate=estimate,
            conflict=_conflict(understanding, self.context, step, state),
            signals=heard.signals,
            asks_human="asks_human" in heard.signals or HUMAN_INTENT in intents,
            gratitude=thanks and (small_talk or step.resolved or heard.intent == OTHER_INTENT),
            understood=step.understood if given.understood is None else given.understood,
            severity=given.severity or step.severity,
            fault=given.fault or step.fault,
            repeat_contacts=self._repeats(step),
            prior_escalation=self.context.patterns.prior_escalation,
            failed_turns=failed,
            needs_human=step.needs_human,
            abuse_before=state.abuse_turns,
            turns_with_feeling=state.turns_with(feeling_of(estimate)),
            flags=self.context.flags,
            voice_allowed=Purpose.EMOTION_VOICE in grants,
            jurisdiction=self._regulation.code,
            channel=self.channel,
        )

    def _repeats(self, step: Step) -> int:
        return self.context.patterns.repeat_contacts_30d.get(step.intent, 0)

    def _draft(
        self,
        choice: Choice,
        step: Step,
        heard: Heard,
        understanding: Understanding,
        estimate: EmotionEstimate,
        now: datetime,
        grants: Mapping[str, Grant],
        given: Given,
        state: CallState,
    ) -> _Draft:
        """Word a chosen strategy, and what the call remembers if the turn ends with it."""
        matter = step.intent
        facts = {
            **standing_facts(self.pack, self.context, now, matter),
            **step.facts,
        }
        offer_id, gate = self._offer(choice, step, heard, estimate, facts, grants, given)
        nouns = wording.callers_nouns(heard.text, self._nouns(), state.nouns)
        local_open = bool(facts.get("handoff_open", True))
        ends = choice.again or "goodbye" in heard.signals or heard.intent == GOODBYE_INTENT
        turn = replying.Turn(
            choice=choice,
            step=step,
            facts=facts,
            matter=matter,
            said_once=state.said_once,
            asides=self._asides(heard),
            gratitude="thanks" in heard.signals or heard.intent == THANKS_INTENT,
            goodbye=ends,
            human_there=local_open,
            heard=bool(heard.text.strip()) or understanding.transcript.engine == "none",
            acted_before=bool(state.tried) and not step.effects,
            extra=offers.lines(self.pack.offers[offer_id], facts) if offer_id else (),
        )
        spoken = self._delivery(choice, estimate, state, given)
        worded = self._worded(turn, choice, estimate, spoken, replace(state, nouns=nouns))
        offer = _made(offer_id, worded)
        brief = self._brief(choice, step, heard, facts, grants, state, now)
        decision = Decision(
            strategy=choice.strategy,
            moves=replying.spoken_moves(worded.moves),
            reply=Reply(delivery.speak(worded.pieces, spoken)),
            effects=step.effects,
            offer=offer,
            handoff=brief,
            reasons=(*choice.reasons, *step.reasons, *gate),
            next_best_actions=next_best_actions(
                self.pack, matter, facts, self.context, state.tried
            ),
            relevance=step.relevance,
            expects=frozenset({"yes_no"}) if offer else step.expects,
            ends_call=choice.again or (ends and not step.effects and not step.expects),
        )
        after = self._after(
            state, choice, step, heard, estimate, worded, spoken, nouns, offer, decision
        )
        return _Draft(
            decision, after, choice, step, heard, understanding, estimate, now, grants, given
        )

    def _worded(
        self,
        turn: replying.Turn,
        choice: Choice,
        estimate: EmotionEstimate,
        spoken: Delivery,
        state: CallState,
    ) -> wording.Wording:
        known = choice.feeling not in (policy.ABSTAINED, Emotion.NEUTRAL)
        share = self._policy.empathy.share_of_words * choice.empathy_factor
        limits = wording.Limits(
            empathy_share=share,
            may_apologise=turn.matter not in state.apologised,
            may_name_feelings=known,
            slow=spoken.rate < delivery.SLOW_BELOW,
            brief=self.context.flags.prefers_brief,
        )
        worded = wording.compose(
            replying.lines(turn, self.pack, self._policy),
            self._voice(state),
            limits,
            state.phrases,
        )
        if self._rewriter is None:
            return worded
        told = {
            "strategy": choice.strategy.value,
            "facts": say_facts(turn.facts, self.pack),
            "limits": limits,
        }
        reworded = self._rewriter.reword(worded.pieces, told)
        return worded if reworded is None else replace(worded, pieces=reworded)

    def _carried_out(self, draft: _Draft) -> _Draft:
        """The draft again, after its effects: what happened decides what is said."""
        results = [
            self._actions.carry_out(effect, self.context, draft.now)
            for effect in draft.decision.effects
        ]
        read = self._actions.reader(self.context, draft.now)
        finished = tasks.finish(draft.step, results, self.pack, self.context, draft.now, read)
        choice = draft.choice
        if finished.needs_human or finished.failed:
            situation = self._situation(
                draft.understanding,
                draft.estimate,
                draft.heard,
                finished,
                draft.grants,
                draft.given,
            )
            again = choose(situation, self._policy)
            choice = again if again.handoff else choice
        tried = tuple(_told_result(result, self.pack) for result in results)
        state = replace(self._state, tried=(*self._state.tried, *tried))
        settled = self._draft(
            choice,
            finished,
            draft.heard,
            draft.understanding,
            draft.estimate,
            draft.now,
            draft.grants,
            draft.given,
            state,
        )
        kept = replace(settled.decision, effects=draft.decision.effects)
        return replace(settled, decision=kept)

    def _after(
        self,
        state: CallState,
        choice: Choice,
        step: Step,
        heard: Heard,
        estimate: EmotionEstimate,
        worded: wording.Wording,
        spoken: Delivery,
        nouns: Mapping[str, str],
        offer: OfferMade | None,
        decision: Decision,
    ) -> CallState:
        matter = step.intent
        refused = state.refused_offers
        if state.offer_open and self._refuses(heard):
            refused = refused | set(state.offered[-1:])
        once = frozenset(move for move in worded.moves if self._is_once(move))
        return replace(
            state.saying(matter, once),
            turn=state.turn + 1,
            tasks=step.state,
            feelings=(*state.feelings, choice.feeling),
            negative=(*state.negative, is_negative(estimate)),
            abuse_turns=state.abuse_turns + ("abuse" in heard.signals),
            phrases=(*state.phrases, *worded.used),
            apologised=state.apologised | ({matter} if worded.apologised else set()),
            delivery=replace(spoken, pause_before_ms=0, pause_after_ms=0),
            nouns=nouns,
            withdrawn=state.withdrawn | withdrawals(heard.signals),
            offered=(*state.offered, offer.id) if offer else state.offered,
            offer_open=offer is not None,
            refused_offers=refused,
            said=(*state.said, heard.text) if heard.text.strip() else state.said,
            matters=(*state.matters, matter)
            if step.resolved and matter != OTHER_INTENT
            else state.matters,
            smoothed=None if step.resolved else estimate,
            expects=decision.expects,
            handed_over=state.handed_over or decision.handoff is not None,
        )

    # --- parts of a turn --------------------------------------------------------------------

    def _delivery(
        self, choice: Choice, estimate: EmotionEstimate, state: CallState, given: Given
    ) -> Delivery:
        amount = delivery.scale(
            choice.profile,
            choice.profile_scale,
            choice.feeling,
            choice.intensity,
            estimate.confidence,
        )
        previous = None if given.first_words else state.delivery
        return delivery.target(
            choice.profile, amount, previous, vulnerable=self.context.flags.vulnerable
        )

    def _offer(
        self,
        choice: Choice,
        step: Step,
        heard: Heard,
        estimate: EmotionEstimate,
        facts: Mapping[str, Any],
        grants: Mapping[str, Grant],
        given: Given,
    ) -> tuple[str | None, tuple[Reason, ...]]:
        state = self._state
        resolved = bool(state.matters) or step.resolved
        occasion = offers.Occasion(
            strategy=choice.strategy,
            resolved=(resolved and step.state.active is None)
            if given.resolved is None
            else given.resolved,
            granted=Purpose.OFFERS in grants,
            negative_turns=state.negative_lately(
                is_negative(estimate), self._policy.thresholds.calm_turns_before_offer
            ),
            reading_known=estimate.abstained is None,
            offered_before=bool(state.offered),
            intent=step.intent,
            also=(*state.matters, heard.intent),
        )
        if state.offer_open or "goodbye" in heard.signals:
            occasion = replace(occasion, offered_before=True)
        context = replace(
            self.context, refused_offers=self.context.refused_offers | state.refused_offers
        )
        considered = offers.consider(self.pack, context, occasion, facts, self._policy)
        # The gate is worth a line in the record only where an offer was conceivable.
        if considered.offer_id is None and not occasion.resolved:
            return None, ()
        return considered.offer_id, (considered.reason,)

    def _accepted_offer(self, heard: Heard) -> str | None:
        if not self._state.offer_open or self._refuses(heard):
            return None
        return self._state.offered[-1] if yes_or_no(heard) else None

    def _refuses(self, heard: Heard) -> bool:
        return "refuses_offer" in heard.signals or yes_or_no(heard) is False

    def _offer_taken(self, offer_id: str, now: datetime, key: str) -> Step:
        """The step for an accepted offer: its effect, where the pack gives it one."""
        facts = standing_facts(self.pack, self.context, now)
        for frame in self._state.tasks.frames:
            facts |= tasks.filling.values_of(frame)
        accept = self.pack.offers[offer_id].accept
        effects: tuple[Effect, ...] = ()
        if accept is not None:
            effects = (effect_of(self.pack, accept, facts, key),)
        return Step(self._state.tasks, facts=facts, effects=effects)

    def _asides(self, heard: Heard) -> tuple[str, ...]:
        asides = []
        if "forget_call" in heard.signals:
            asides.append("call_forgotten")
        elif "withdraw_voice" in heard.signals:
            asides.append("voice_withdrawn")
        if self._state.offer_open and self._refuses(heard):
            asides.append("offer_refused")
        elif self._accepted_offer(heard) is not None:
            asides.append("offer_accepted")
        return tuple(asides)

    def _brief(
        self,
        choice: Choice,
        step: Step,
        heard: Heard,
        facts: Mapping[str, Any],
        grants: Mapping[str, Grant],
        state: CallState,
        now: datetime,
    ) -> HandoffBrief | None:
        if not choice.handoff and not choice.again:
            return None
        frame = step.state.active or next(iter(reversed(step.state.frames)), None)
        slots = frame.slots if frame is not None else {}
        claimed = {
            name: slot.value
            for name, slot in slots.items()
            if slot.origin == "caller" and not slot.confirmed and name not in frame_facts(step)
        }
        intent = frame.intent if frame is not None else step.intent
        course = handoff.Course(
            rule=choice.rule,
            why=self._policy.rule(choice.rule).title,
            intent=intent,
            facts={name: value for name, value in facts.items() if name not in claimed},
            claimed=claimed,
            tried=state.tried,
            said=(*state.said, heard.text),
            suggestions=next_best_actions(self.pack, intent, facts, self.context, state.tried),
            grants=grants,
            severity=step.severity,
            danger=bool(DANGER & heard.signals),
        )
        return handoff.brief(course, self.context, self.pack)

    def _nouns(self) -> Mapping[str, tuple[str, ...]]:
        return getattr(self.pack, "nouns", {})

    def _is_once(self, move: str) -> bool:
        known = self._policy.moves.get(move)
        return known is not None and known.once

    def _voice(self, state: CallState) -> wording.Voice:
        seed = f"{self.pack.name}:{self.context.id}:{len(self.context.contacts)}"
        return wording.Voice(self.pack, seed, state.nouns)


def frame_facts(step: Step) -> frozenset[str]:
    """The facts that records have told about the matter of a step."""
    frame = step.state.active or next(iter(reversed(step.state.frames)), None)
    return frozenset(frame.facts) if frame is not None else frozenset()


def _estimate(understanding: Understanding, grants: Mapping[str, Grant]) -> EmotionEstimate:
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


def _conflict(
    understanding: Understanding, context: CustomerContext, step: Step, state: CallState
) -> ConflictKind | None:
    """The conflict of the turn. Happy words that no voice confirms, from somebody who calls about
    the same thing again and again with nothing solved, are possibly sarcasm."""
    if understanding.conflict is not None:
        return understanding.conflict.kind
    happy_words = understanding.words.abstained is None and understanding.words.top is Emotion.HAPPY
    unconfirmed = understanding.voice.abstained is not None
    history = context.patterns.repeat_contacts_30d.get(step.intent, 0) >= 2
    if happy_words and unconfirmed and history and not (step.resolved or state.matters):
        return ConflictKind.POSITIVE_WORDS_AGITATED_VOICE
    return None


def _opened(disclosures: Sequence[str], greeting: Sequence[str]) -> list[wording.Piece]:
    """Disclosures before the greeting's question. A greeting that says itself that it is an
    automated assistant already holds the first disclosure."""
    says_so = any("automated assistant" in text for text in greeting)
    due = [text for text in disclosures if not (says_so and "automated assistant" in text)]
    parts = [part for text in greeting for part in sentences(text)]
    question = len(parts) - 1 if len(parts) > 1 and parts[-1].endswith("?") else len(parts)
    introduces = next((n for n, text in enumerate(parts) if "automated assistant" in text), -1)
    place = min(question, introduces + 1) if due else question
    ordered = [*parts[:place], *due, *parts[place:]]
    return [wording.Piece(text, "fact", move="greeting") for text in ordered]


def _made(offer_id: str | None, worded: wording.Wording) -> OfferMade | None:
    if offer_id is None:
        return None
    texts = [
        " ".join(piece.text for piece in worded.pieces if piece.move == move)
        for move in ("offer", "offer_why", "offer_refuse")
    ]
    return offers.made(offer_id, texts)


def _told_result(result: EffectResult, pack: Pack) -> str:
    does = pack.actions[result.effect.action].does
    for name, value in say_facts({**result.effect.arguments, **result.facts}, pack).items():
        does = does.replace(f"{{{name}}}", value)
    return does if result.succeeded else f"{does} (did not work: {result.problem})"


def _regulation_of(context: CustomerContext) -> Regulation:
    return regulation.load().row(context.jurisdiction)


def _shipped_policy() -> policy.Policy:
    return policy.load()
