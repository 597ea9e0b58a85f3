"""The one door of `dialogue`: an understanding goes in, a decision with every reason comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from dialogue import offers, tasks
from dialogue import policy as policies
from dialogue import regulation as regulations
from dialogue.actions import Actions, effect_of
from dialogue.answers import yes_or_no
from dialogue.bookkeeping import ANSWERED_BY_AGENT, Books, Store, outcome_writes, writes
from dialogue.connectors.protocol import Connector
from dialogue.customers.consent import grants_for, withdrawals
from dialogue.customers.records import Outcome
from dialogue.drafting import Draft, Drafter, Rewriter
from dialogue.frames import Heard, Step
from dialogue.opening import RULE as OPENING_RULE
from dialogue.opening import opening
from dialogue.packs.facts import say_facts, standing_facts
from dialogue.packs.format import Pack
from dialogue.packs.loader import load_pack
from dialogue.regulation import Regulation
from dialogue.situations import (
    Given,
    TurnInput,
    estimate_for,
    plain_thanks,
    situation,
    with_circumstance,
)
from dialogue.slots import values_of
from dialogue.state import CallState
from dialogue.strategy import choose
from dialogue.types import (
    ConsentState,
    CustomerContext,
    Decision,
    Effect,
    EffectResult,
    HandoffBrief,
    Purpose,
)
from nlu.errors import AttuneError
from nlu.types import OTHER_INTENT, ConversationSoFar, EmotionEstimate, Grant, Source, Understanding

_KEPT_DRAFTS = 16
_NOTHING_GIVEN = Given()

_Asked = tuple[CustomerContext, Mapping[Purpose, ConsentState], frozenset[Purpose]]


class Conversation:
    """A call with one customer.

    `decide` is pure and may be called many times for one turn. `commit` ends the turn: effects are
    carried out once, and the reply tells what really happened. Replaying the same understandings
    with the same call id gives the same decisions, byte for byte.

    `consents` are statements for this call alone; `data_dir` holds the pack's databases (in memory
    without it). Raises `AttuneError` for a pack that cannot be read or a connector that cannot be
    opened.
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
        store: Store | None = None,
        policy: policies.Policy | None = None,
        rewriter: Rewriter | None = None,
    ) -> None:
        self.pack = load_pack(pack) if isinstance(pack, str) else pack
        self.context = context or CustomerContext()
        self.call_id = call_id
        self.channel = channel
        self._now = started_at or datetime.now(UTC)
        self._regulation = regulation or regulations.load().row(self.context.jurisdiction)
        self._consents = MappingProxyType(dict(consents))
        self._policy = policy or policies.load()
        self._actions = (
            Actions(self.pack, connectors)
            if connectors is not None
            else Actions.open(self.pack, self._now, data_dir)
        )
        self._books = Books(store)
        self._drafter = Drafter(self.pack, self.context, self._policy, rewriter)
        self._state = CallState()
        self._granted: tuple[_Asked, Mapping[str, Grant]] | None = None
        self._concluded: Outcome | None = None
        self._drafts: tuple[Draft, ...] = ()
        self._committed: tuple[tuple[Decision, Decision], ...] = ()

    # --- what others may know ---------------------------------------------------------------

    @property
    def grants(self) -> Mapping[str, Grant]:
        """What the caller allows at this moment, by purpose."""
        return self.grants_after(frozenset())

    def grants_after(self, signals: frozenset[str]) -> Mapping[str, Grant]:
        """What is allowed once a turn with these signals is heard: a withdrawal takes effect
        within the turn that voices it."""
        asked = (self.context, self._consents, self._state.withdrawn | withdrawals(signals))
        # Asked for with every event of a call, and nearly always of the same things.
        if self._granted is None or self._granted[0] != asked:
            context, consents, withdrawn = asked
            grants = grants_for(context, self._regulation, consents, withdrawn)
            self._granted = (asked, grants)
        return self._granted[1]

    @property
    def expects(self) -> frozenset[str]:
        """What the last reply asked for: entity types or `yes_no`."""
        return self._state.expects

    @property
    def state(self) -> CallState:
        """Everything that later turns depend on."""
        return self._state

    def state_consent(self, purpose: Purpose, state: ConsentState) -> None:
        """What the caller says of a purpose for this call, other than in words (a button).

        A later yes for this call takes back an earlier no for this call, never one in the ledger.
        """
        self._consents = MappingProxyType({**self._consents, purpose: state})
        if state is ConsentState.GRANTED:
            withdrawn = self._state.withdrawn - {purpose}
            self._state = replace(self._state, withdrawn=withdrawn)
        elif purpose is Purpose.EMOTION_VOICE:
            self._state = replace(self._state, smoothed=None)

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
        voice = self._drafter.voice(self._state)
        return opening(voice, self.context, self._regulation, self.grants, self._now)

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
        allowed = self.grants_after(understanding.signals)
        if grants is not None:
            allowed = {purpose: grant for purpose, grant in allowed.items() if purpose in grants}
        heard = Heard.of(understanding)
        estimate = estimate_for(understanding, allowed)
        if not given.from_outside:
            estimate = with_circumstance(estimate, heard, self.pack, allowed)
        if plain_thanks(understanding, heard, self._state):
            estimate = EmotionEstimate.abstain(Source.FUSED, "thanks in an unsettled voice")
        turn = TurnInput(
            understanding,
            heard,
            estimate,
            now or self._now,
            allowed,
            given,
        )
        draft = self._draft(turn, self._step(turn))
        self._drafts = (*self._drafts[1 - _KEPT_DRAFTS :], draft)
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
        if decision.rules == (OPENING_RULE,):
            return decision
        draft = next((each for each in reversed(self._drafts) if each.decision is decision), None)
        if draft is None:
            raise AttuneError(
                f"call {self.call_id}: this decision is not of the present turn; "
                "commit one that decide has returned since the last commit."
            )
        results = self._results(draft)
        done = self._after(draft, results) if results else draft
        self._write(done, results)
        self._state = done.after
        self._now = draft.turn.now
        self._drafts = ()
        self._committed = (*self._committed[-3:], (decision, done.decision))
        return done.decision

    def observe(self, decision: Decision) -> None:
        """The turn was answered by somebody else, as in a recorded call or by a human agent: go on
        from it as decided, with nothing carried out, nothing offered and nobody put through."""
        draft = next((each for each in self._drafts if each.decision is decision), None)
        if draft is not None:
            after = replace(draft.after, handed_over=self._state.handed_over)
            unsaid = replace(draft.decision, effects=(), offer=None)
            self._write(replace(draft, after=after, decision=unsaid), (), ANSWERED_BY_AGENT)
            self._state = after
            self._now = draft.turn.now
        self._drafts = ()

    def brief(self, rule: str, why: str) -> HandoffBrief:
        """What a human needs who takes the call at this moment."""
        return self._drafter.brief_now(self._state, self._now, self.grants, rule, why)

    def conclude(self, outcome: Outcome, by: str, note: str = "") -> bool:
        """A person says how the call ended: this stands, whatever later turns look like.

        The note is redacted, and kept only where text may be. False where nothing is written down
        or the call is to be forgotten. Raises `AttuneError` when the store refuses.
        """
        contact = outcome_writes(
            self._state, self.context, self.call_id, self.channel, datetime.now(UTC), outcome, note
        )
        written = self._books.conclude(contact, self.grants, by)
        self._concluded = outcome
        return written

    def _write(self, draft: Draft, results: tuple[EffectResult, ...], strategy: str = "") -> None:
        if not self._books.open:
            return
        book = writes(draft, self._state, results, self.context, self.call_id, self.channel)
        book = replace(
            book,
            strategy=strategy or book.strategy,
            outcome=self._concluded or book.outcome,
        )
        self._books.write(book, draft.turn.grants)
        if draft.after.forget:
            self._books.forget(self.call_id, draft.turn.now)

    # --- a turn, step by step ---------------------------------------------------------------

    def _draft(self, turn: TurnInput, step: Step) -> Draft:
        choice = choose(
            situation(
                turn, step, self._state, self.context, self.pack, self._regulation, self.channel
            ),
            self._policy,
        )
        return self._drafter.draft(choice, step, turn, self._state)

    def _step(self, turn: TurnInput) -> Step:
        heard, state = turn.heard, self._state
        key = f"{self.call_id}:{state.turn + 1}"
        if offers.accepted(heard, state):
            return self._offer_taken(turn, key)
        if turn.given.resolved:
            return self._settled(turn)
        read = self._actions.reader(self.context, turn.now)
        step = tasks.advance(state.tasks, heard, self.pack, self.context, turn.now, read, key)
        if state.checked and not step.parts and yes_or_no(heard) is False:
            return _not_answered(step)
        if step.failed and (withdrawals(heard.signals) or "refuses_offer" in heard.signals):
            # Taking something back is not a turn in which the caller was left without an answer.
            kept = replace(step.state, failed_turns=state.tasks.failed_turns)
            return replace(step, state=kept, failed=False, understood=True)
        return step

    def _settled(self, turn: TurnInput) -> Step:
        """A turn after everything was done, as stated from outside."""
        intent = turn.heard.intent if turn.heard.intent in self.pack.intents else OTHER_INTENT
        facts = standing_facts(self.pack, self.context, turn.now, intent)
        return Step(self._state.tasks, intent, facts=facts, resolved=True)

    def _offer_taken(self, turn: TurnInput, key: str) -> Step:
        """The step for an accepted offer: its effect, where the pack gives it one."""
        facts = standing_facts(self.pack, self.context, turn.now)
        for frame in self._state.tasks.frames:
            facts |= values_of(frame)
        accept = self.pack.offers[self._state.offered[-1]].accept
        effects: tuple[Effect, ...] = ()
        if accept is not None:
            effects = (effect_of(self.pack, accept, facts, key),)
        return Step(self._state.tasks, facts=facts, effects=effects)

    def _results(self, draft: Draft) -> tuple[EffectResult, ...]:
        return tuple(
            self._actions.carry_out(effect, self.context, draft.turn.now)
            for effect in draft.decision.effects
        )

    def _after(self, draft: Draft, results: tuple[EffectResult, ...]) -> Draft:
        """The draft again, after its effects: what happened decides what is said."""
        turn = draft.turn
        read = self._actions.reader(self.context, turn.now)
        finished = tasks.finish(draft.step, results, self.pack, self.context, turn.now, read)
        tried = tuple(_told(result, self.pack) for result in results)
        state = replace(self._state, tried=(*self._state.tried, *tried))
        settled = self._drafter.draft(draft.choice, finished, turn, state)
        if finished.needs_human or finished.failed:
            again = self._draft(turn, finished)
            if again.choice.handoff:
                settled = self._drafter.draft(again.choice, finished, turn, state)
        kept = replace(settled.decision, effects=draft.decision.effects)
        return replace(settled, decision=kept)


def _not_answered(step: Step) -> Step:
    """The caller says that the last reply was no answer: a failed turn, asked about once more."""
    failed = replace(step.state, failed_turns=step.state.failed_turns + 1)
    return replace(
        step, state=failed, failed=True, understood=False, relevance={"addressed": False}
    )


def _told(result: EffectResult, pack: Pack) -> str:
    """An effect for the brief: what was done, or tried in vain."""
    does = pack.actions[result.effect.action].does
    for name, value in say_facts({**result.effect.arguments, **result.facts}, pack).items():
        does = does.replace(f"{{{name}}}", value)
    return does if result.succeeded else f"{does} (did not work: {result.problem})"
