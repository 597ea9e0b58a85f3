"""Whole calls through the one door: what is said, done, kept, and never done."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dialogue import honesty
from dialogue.actions import open_connectors
from dialogue.conversation import Conversation
from dialogue.customers.importing import seed_demo
from dialogue.customers.store import CustomerStore
from dialogue.frames import ReadResult
from dialogue.packs.facts import say_facts, standing_facts
from dialogue.packs.loader import load_pack
from dialogue.plain import plain_decision
from dialogue.regulation import load as load_regulations
from dialogue.types import (
    ConsentState,
    Contact,
    CustomerContext,
    EffectResult,
    Flags,
    Patterns,
    Purpose,
    Strategy,
)
from nlu.errors import AttuneError
from nlu.types import Conflict, ConflictKind, Emotion, IntentScore, Source
from tests.dialogue.turns import SUNDAY_NIGHT, WEDNESDAY, feeling, turn

PACK = load_pack("retail")
GRANTED = dict.fromkeys(Purpose, ConsentState.GRANTED)
MARCUS = CustomerContext(
    "C1001",
    "Marcus Reed",
    jurisdiction="US-NY",
    consents=GRANTED,
    patterns=Patterns({"where_is_my_order": 2}),
    contacts=(Contact(WEDNESDAY, "where_is_my_order", "phone", "unresolved"),),
)
LATE = "where_is_my_order"
EMPATHIC = {"own_fault", "apologise_event", "acknowledge", "acknowledge_effort", "condolence"}


def call(context=MARCUS, now=WEDNESDAY, **more) -> Conversation:
    regulation = load_regulations().row(context.jurisdiction)
    return Conversation(
        PACK, context, regulation=regulation, call_id="test", started_at=now, **more
    )


def say(conversation: Conversation, *heard, now=WEDNESDAY):
    """Decide and commit each turn; the last decision."""
    decision = None
    for understanding in heard:
        decision = conversation.commit(conversation.decide(understanding, now=now))
    return decision


WHERE = turn("where is my order", LATE)
ANGRY = turn("my parcel is late again", LATE, feeling("angry", "high"))
AGAIN = turn("send it again by express", LATE, feeling("angry", "medium"))
YES = turn("yes please", entities=[("yes_no", "yes")])
THANKS = turn("thank you", "thanks", feeling("happy", "medium"), signals={"thanks"})


# --- a call ----


def test_a_late_order_is_owned_offered_two_ways_and_sent_again() -> None:
    conversation = call()
    first = say(conversation, ANGRY)
    assert first.strategy is Strategy.DE_ESCALATE_FIX
    assert "desk chair" in first.reply.written
    assert "express" in first.reply.written
    assert "delivery fee" in first.reply.written
    second = say(conversation, AGAIN)
    assert [effect.action for effect in second.effects] == ["resend_express"]
    assert second.relevance["addressed"]
    assert "Thursday, June 4" in second.reply.written
    third = say(conversation, THANKS)
    assert third.strategy is Strategy.MIRROR_BRIEF


def test_two_callers_with_the_same_words_get_different_answers() -> None:
    stranger = CustomerContext(jurisdiction="DE")
    known, unknown = (say(call(who), ANGRY) for who in (MARCUS, stranger))
    assert known.strategy is Strategy.DE_ESCALATE_FIX
    assert unknown.strategy is Strategy.DE_ESCALATE_OPTIONS
    assert known.expects != unknown.expects
    history = say(call(), turn("it is late", LATE, feeling("angry", "medium")))
    first_time = replace(MARCUS, patterns=Patterns())
    fresh = say(call(first_time), turn("it is late", LATE, feeling("angry", "medium")))
    assert "own_history" in history.moves
    assert "own_history" not in fresh.moves


def test_the_reply_is_worded_after_the_effect_and_never_before() -> None:
    conversation = call()
    say(conversation, ANGRY)
    speculated = conversation.decide(AGAIN, now=WEDNESDAY)
    assert speculated.effects
    assert "act" not in speculated.moves
    assert "reference" not in speculated.reply.written
    committed = conversation.commit(speculated)
    assert "act" in committed.moves
    assert committed.effects == speculated.effects


def test_deciding_changes_nothing() -> None:
    conversation = call()
    say(conversation, WHERE)
    before = conversation.state
    answers = {
        json.dumps(plain_decision(conversation.decide(AGAIN, now=WEDNESDAY))) for _ in range(5)
    }
    assert len(answers) == 1
    assert conversation.state is before


def test_a_turn_is_committed_once_however_often_it_is_asked() -> None:
    done = CountingConnector(PACK)
    conversation = call(connectors={"shop": done})
    say(conversation, ANGRY)
    decision = conversation.decide(AGAIN, now=WEDNESDAY)
    first = conversation.commit(decision)
    assert conversation.commit(decision) is first
    assert conversation.commit(first) is first
    assert done.effects == ["test:2:resend_express"]


def test_a_stale_decision_is_refused() -> None:
    conversation = call()
    stale = conversation.decide(ANGRY, now=WEDNESDAY)
    say(conversation, WHERE)
    with pytest.raises(AttuneError, match="not of the present turn"):
        conversation.commit(stale)


def test_the_same_call_gives_the_same_decisions_byte_for_byte() -> None:
    def replayed() -> str:
        conversation = call()
        turns = (ANGRY, AGAIN, YES, THANKS, turn("bye", "goodbye", signals={"goodbye"}))
        said = [conversation.opening(), *(say(conversation, heard) for heard in turns)]
        return "\n".join(json.dumps(plain_decision(each)) for each in said)

    assert replayed() == replayed()


# --- what really happened ----


class CountingConnector:
    """The shop, counting what is carried out; it can be told to fail."""

    def __init__(self, pack, problem: str | None = None) -> None:
        self._shop = open_connectors(pack, WEDNESDAY)["shop"]
        self._problem = problem
        self.effects: list[str] = []

    def read(self, action, values) -> ReadResult:
        return self._shop.read(action, values)

    def carry_out(self, action, effect, values) -> EffectResult:
        self.effects.append(effect.key)
        if self._problem is not None:
            return EffectResult(effect, False, problem=self._problem)
        return self._shop.carry_out(action, effect, values)

    def close(self) -> None:
        self._shop.close()


def test_a_failed_effect_is_told_as_failed() -> None:
    conversation = call(connectors={"shop": CountingConnector(PACK, "unavailable")})
    decision = say(conversation, WHERE, AGAIN)
    assert "reference" not in decision.reply.written
    assert any(word in decision.reply.written for word in ("isn't answering", "reach", "down"))


def test_an_effect_of_unknown_outcome_goes_to_a_person() -> None:
    conversation = call(connectors={"shop": CountingConnector(PACK, "unknown_result")})
    decision = say(conversation, WHERE, AGAIN)
    assert decision.strategy is Strategy.HANDOFF
    assert "did not work" in decision.handoff.tried[0]


# --- opening, consent, withdrawal ----


def test_the_opening_discloses_what_the_place_asks_for() -> None:
    german = replace(MARCUS, jurisdiction="DE")
    said = call(german).opening().reply.written
    assert "automated assistant" in said
    assert "tone of voice" in said
    assert said.endswith("?")
    silent = call(replace(german, consents={})).opening().reply.written
    assert "tone of voice" not in silent
    assert said.count("automated assistant") == 1


def test_a_withdrawal_takes_effect_within_the_turn() -> None:
    conversation = call()
    assert Purpose.EMOTION_VOICE in conversation.grants
    signals = frozenset({"withdraw_voice"})
    assert Purpose.EMOTION_VOICE not in conversation.grants_after(signals)
    voice = feeling("angry", "high", source=Source.VOICE)
    heard = turn(
        "don't analyse my voice, where is my order",
        LATE,
        feeling("angry", "high"),
        voice=voice,
        words=feeling("neutral", source=Source.WORDS),
        signals=signals,
    )
    decision = say(conversation, heard)
    assert decision.rules == ("G4", "10")
    assert decision.moves[0] == "voice_withdrawn"
    assert Purpose.EMOTION_VOICE not in conversation.grants


def test_forgetting_the_call_ends_keeping_its_text() -> None:
    conversation = call()
    decision = say(conversation, turn("forget this call", signals={"forget_call"}))
    assert decision.moves[0] == "call_forgotten"
    assert Purpose.STORE_TEXT not in conversation.grants
    assert conversation.state.tasks.failed_turns == 0


def test_grants_given_to_decide_can_only_narrow() -> None:
    conversation = call()
    decision = conversation.decide(ANGRY, now=WEDNESDAY, grants={})
    assert "G4" in decision.rules
    nobody = call(CustomerContext())
    granted = conversation.grants
    assert "G4" in nobody.decide(ANGRY, now=WEDNESDAY, grants=granted).rules


# --- failing, and people ----


def test_two_turns_without_help_bring_a_human() -> None:
    conversation = call()
    lost = turn("the thing with the blue", score=0.1)
    first = say(conversation, lost)
    assert first.strategy is Strategy.CLARIFY
    second = say(conversation, lost)
    assert second.strategy is Strategy.HANDOFF
    assert second.rules[-1] == "G5"
    assert second.handoff.reason.startswith("G5")


def test_an_earlier_escalation_brings_a_human_one_turn_sooner() -> None:
    tired = replace(MARCUS, patterns=Patterns(prior_escalation=True))
    assert say(call(tired), turn("the thing", score=0.1)).strategy is Strategy.HANDOFF


def test_nobody_is_promised_a_person_who_is_not_there() -> None:
    asks = turn("a human please", "talk_to_human", signals={"asks_human"})
    there = say(call(), asks)
    away = say(call(now=SUNDAY_NIGHT), asks, now=SUNDAY_NIGHT)
    assert there.strategy is away.strategy is Strategy.HANDOFF
    assert there.moves == ("transfer",)
    assert away.moves == ("transfer_closed",)
    assert away.handoff is not None


def test_danger_gets_the_emergency_number_first() -> None:
    decision = say(call(), turn("I want to end it", signals={"self_harm"}))
    assert decision.strategy is Strategy.SAFETY
    assert "911" in decision.reply.written
    assert decision.handoff.priority == "urgent"
    assert any(clause.text.endswith("9 1 1 now.") or "9 1 1" in clause.text
               for clause in decision.reply.clauses)  # fmt: skip


def test_abuse_is_answered_once_then_the_call_is_closed() -> None:
    conversation = call()
    abuse = turn("you stupid thing", "something_else", feeling("angry", "high"), signals={"abuse"})
    first, second = say(conversation, abuse), say(conversation, abuse)
    assert first.moves == ("boundary",)
    assert not first.ends_call
    assert second.moves == ("boundary_last",)
    assert second.ends_call
    assert second.handoff is None


def test_an_unsure_answer_asks_whether_it_was_one() -> None:
    heard = turn("delivery costs", "delivery_question", score=0.3)
    decision = say(call(), heard)
    assert "check_answered" in decision.moves
    assert decision.relevance["addressed"]


def test_an_answer_that_was_none_is_a_failed_turn() -> None:
    conversation = call()
    say(conversation, turn("delivery costs", "delivery_question", score=0.3))
    assert conversation.expects == {"yes_no"}
    no = turn("no", entities=[("yes_no", "no")])
    decision = say(conversation, no)
    assert decision.strategy is Strategy.CLARIFY
    assert decision.relevance == {"addressed": False}
    assert conversation.state.tasks.failed_turns == 1
    assert conversation.state.matters == ()
    assert say(conversation, turn("the thing", score=0.1)).strategy is Strategy.HANDOFF


def test_silence_is_answered_with_a_question() -> None:
    decision = say(call(), turn(""))
    assert decision.moves == ("not_heard",)
    assert decision.reply.text.count("?") == 1


def test_happy_words_of_somebody_let_down_again_and_again_are_not_celebrated() -> None:
    words = feeling("happy", "high", source=Source.WORDS)
    heard = turn("oh great, just wonderful", LATE, words, words=words)
    assert say(call(), heard).strategy is Strategy.CLARIFY
    first_time = replace(MARCUS, patterns=Patterns())
    assert say(call(first_time), heard).strategy is Strategy.MIRROR_BRIEF


def test_thanks_after_a_settled_matter_are_never_taken_for_sarcasm() -> None:
    kind = ConflictKind.POSITIVE_WORDS_AGITATED_VOICE
    heard = turn(
        "thank you, that is kind",
        "thanks",
        feeling("angry", "low"),
        signals={"thanks"},
        conflict=Conflict(kind, Emotion.SAD, Emotion.HAPPY),
        voice=feeling("sad", "low", source=Source.VOICE),
    )
    unsettled = say(call(), heard)
    assert unsettled.strategy is Strategy.CLARIFY
    assert unsettled.moves == ("anything_else",)
    conversation = call()
    say(conversation, WHERE, AGAIN)
    decision = say(conversation, heard)
    assert decision.strategy is Strategy.MIRROR_BRIEF
    assert decision.moves[0] == "welcome"
    assert decision.reply.clauses[0].delivery.pitch_st <= 0


def test_negative_words_in_a_flat_voice_are_believed() -> None:
    conflict = Conflict(ConflictKind.NEGATIVE_WORDS_FLAT_VOICE, Emotion.NEUTRAL, Emotion.SAD)
    heard = turn(
        "my mother has died",
        "cancel_order",
        feeling("neutral"),
        words=feeling("sad", "high", source=Source.WORDS),
        conflict=conflict,
    )
    assert say(call(), heard).strategy is Strategy.SUPPORT


# --- wording over the call ----


def test_the_callers_own_noun_is_used() -> None:
    stranger = CustomerContext()
    decision = say(call(stranger), turn("where is my package", LATE, feeling("angry", "high")))
    assert "package" in decision.reply.written or "your order" not in decision.reply.written


def test_empathy_fades_over_turns_with_the_same_feeling() -> None:
    conversation = call(CustomerContext())
    sad = turn("I am so sad about it", "complaint", feeling("sad", "high"))
    said = [say(conversation, sad) for _ in range(3)]
    assert not EMPATHIC & set(said[2].moves)


def test_history_is_mentioned_once() -> None:
    conversation = call()
    medium = turn("it is late", LATE, feeling("angry", "medium"))
    first, second = say(conversation, medium), say(conversation, medium)
    assert "own_history" in first.moves
    assert "own_history" not in second.moves


def test_a_vulnerable_customer_is_asked_whether_it_was_clear() -> None:
    careful = replace(MARCUS, flags=Flags(vulnerable=True))
    decision = say(call(careful), turn("how long does delivery take", "delivery_question"))
    assert "check" in decision.moves
    plain = say(call(), turn("how long does delivery take", "delivery_question"))
    assert decision.reply.clauses[-1].delivery.rate < plain.reply.clauses[-1].delivery.rate


ELLEN = CustomerContext("C1002", "Ellen Fischer", jurisdiction="US-NY", consents=GRANTED)


def test_a_death_told_in_passing_is_met_with_condolence_whatever_a_model_felt() -> None:
    heard = turn("I ordered a frame for my mother, but she passed away", "cancel_order")
    also = (IntentScore("bereavement_or_hardship", 0.7),)
    told = replace(heard, intent=replace(heard.intent, also=also))
    assert say(call(ELLEN), heard).strategy is Strategy.DIRECT
    decision = say(call(ELLEN), told)
    assert decision.strategy is Strategy.SUPPORT
    assert "condolence" in decision.moves
    assert "photo frame" in decision.reply.written


def test_thanks_after_a_sad_call_are_not_met_with_gladness() -> None:
    conversation = call(ELLEN)
    say(conversation, turn("cancel it please", "cancel_order", feeling("sad", "high")))
    said = [say(conversation, THANKS).reply.written for _ in range(3)]
    assert not any(honesty.names_feeling(text) for text in said)


def test_a_slow_sentence_is_never_cut_inside_a_date() -> None:
    conversation = call()
    for heard in (ANGRY, ANGRY, ANGRY):
        reply = say(conversation, heard).reply.text
        assert not re.search(r"day\. (January|May|June|December)", reply)


def test_what_is_known_already_is_not_looked_up_again() -> None:
    conversation = call()
    say(conversation, turn("my parcel is late", LATE, feeling("angry", "high")))
    again = say(conversation, turn("nobody came", LATE, feeling("angry", "high")))
    assert "way_ahead" not in again.moves


# --- offers ----


def settled(conversation: Conversation) -> None:
    say(conversation, turn("how long does delivery take", "delivery_question"))


def test_an_offer_comes_after_the_matter_and_its_refusal_is_kept() -> None:
    conversation = call(replace(MARCUS, patterns=Patterns()))
    settled(conversation)
    offered = say(conversation, THANKS)
    assert offered.offer.id == "express_pass"
    assert "G8" in offered.rules
    assert offered.offer.why in offered.reply.written
    no = say(conversation, turn("no thank you", signals={"refuses_offer"},
                                entities=[("yes_no", "no")]))  # fmt: skip
    assert no.moves[0] == "offer_refused"
    assert "express_pass" in conversation.state.refused_offers
    assert say(conversation, THANKS).offer is None


@pytest.mark.parametrize(
    "context",
    [
        replace(MARCUS, consents={Purpose.OFFERS: ConsentState.DENIED}),
        replace(MARCUS, flags=Flags(vulnerable=True)),
        replace(MARCUS, jurisdiction="DE", consents={}),
        replace(MARCUS, refused_offers=frozenset({"express_pass", "care_kit"})),
    ],
)
def test_no_offer_where_it_may_not_be_made(context) -> None:
    conversation = call(replace(context, patterns=Patterns()))
    settled(conversation)
    assert say(conversation, THANKS).offer is None


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("ATTUNE_IDENTIFIER_KEY", "k" * 64)
    opened = CustomerStore.open(f"sqlite:///{tmp_path / 'customers.db'}")
    seed_demo(opened, PACK.directory / "customers.yaml", WEDNESDAY)
    yield opened
    opened.close()


def test_what_happens_in_a_call_is_written_down(store) -> None:
    context = store.context("C1001", now=WEDNESDAY)
    conversation = call(context, store=store)
    say(conversation, WHERE, AGAIN)
    assert store.effect("test:2:resend_express").succeeded
    contact = store.context("C1001", now=WEDNESDAY).contacts[0]
    assert (contact.intent, contact.outcome) == (LATE, "resolved")


def test_an_offer_and_its_refusal_outlive_the_call(store) -> None:
    context = store.context("C1004", now=WEDNESDAY)
    conversation = call(context, store=store)
    settled(conversation)
    assert say(conversation, THANKS).offer is not None
    say(conversation, turn("no", signals={"refuses_offer"}, entities=[("yes_no", "no")]))
    offered = conversation.state.offered[0]
    assert offered in store.context("C1004", now=WEDNESDAY).refused_offers


def test_a_spoken_withdrawal_stands_in_the_ledger(store) -> None:
    context = store.context("C1001", now=WEDNESDAY)
    say(call(context, store=store), turn("don't analyse my voice", signals={"withdraw_voice"}))
    later = store.context("C1001", now=WEDNESDAY)
    assert later.consents[Purpose.EMOTION_VOICE] is ConsentState.DENIED


def test_a_call_to_be_forgotten_leaves_only_what_must_not_happen_twice(store) -> None:
    context = store.context("C1001", now=WEDNESDAY)
    conversation = call(context, store=store)
    say(conversation, WHERE, AGAIN, turn("forget this call", signals={"forget_call"}), THANKS)
    after = store.context("C1001", now=WEDNESDAY)
    assert after.contacts == context.contacts
    assert store.effect("test:2:resend_express").succeeded


def test_a_store_that_refuses_costs_the_caller_nothing() -> None:
    class Locked:
        def __init__(self) -> None:
            self.kept: list[int] = []
            self.locked = True

        def record_turn(self, written, grants) -> bool:
            if self.locked:
                raise AttuneError("the database is locked; try again.")
            self.kept.append(written.turn)
            return True

    store = Locked()
    conversation = call(store=store)
    assert say(conversation, WHERE).reply.text
    store.locked = False
    say(conversation, THANKS)
    assert store.kept == [1, 2]


# --- whatever is said ----

INTENTS = [LATE, "refund", "cancel_order", "delivery_question", "thanks", "something_else"]
TEXTS = ["where is it", "yes", "no", "order 44172", "it is late", "never mind", "the other one"]
TURNS = st.builds(
    lambda text, intent, emotion, intensity, signals, number: turn(
        text,
        intent,
        feeling(emotion, intensity),
        signals=signals,
        entities=[("order_number", "44172")] if number else [],
    ),
    st.sampled_from(TEXTS),
    st.sampled_from(INTENTS),
    st.none() | st.sampled_from(["neutral", "angry", "sad", "happy", "anxious", "confused"]),
    st.sampled_from(["none", "low", "medium", "high"]),
    st.frozensets(
        st.sampled_from(
            ["asks_human", "thanks", "withdraw_voice", "refuses_offer", "goodbye", "forget_call"]
        ),
        max_size=1,
    ),
    st.booleans(),
)
CALLERS = st.builds(
    lambda known, offers, vulnerable, brief, repeats: replace(
        MARCUS if known else CustomerContext(jurisdiction="US-NY"),
        consents={Purpose.OFFERS: offers},
        flags=Flags(vulnerable=vulnerable, prefers_brief=brief),
        patterns=Patterns({LATE: repeats}),
    ),
    st.booleans(),
    st.sampled_from(ConsentState),
    st.booleans(),
    st.booleans(),
    st.integers(0, 3),
)


@given(CALLERS, st.lists(TURNS, min_size=1, max_size=6))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_said_the_promises_hold(shop, caller, turns) -> None:
    conversation = call(caller, connectors={"shop": shop})
    apologies: dict[str, int] = {}
    offers = 0
    for heard in turns:
        before = conversation.state
        allowed = conversation.grants_after(heard.signals)
        decision = say(conversation, heard)
        state = conversation.state
        reply = decision.reply.written
        assert reply
        if "asks_human" in heard.signals:
            assert decision.strategy is Strategy.HANDOFF
            assert decision.handoff is not None
        if heard.fused.abstained is not None or heard.fused.top == "neutral":
            assert not honesty.names_feeling(reply), reply
        assert not honesty.attributes_feeling(reply)
        matter = decision.reasons and (state.tasks.active or None)
        key = matter.intent if matter else "settled"
        apologies[key] = apologies.get(key, 0) + honesty.apologies(reply)
        if state.apologised == before.apologised:
            assert honesty.apologies(reply) == 0, reply
        if decision.offer is not None:
            offers += 1
            assert Purpose.OFFERS in allowed
            assert not caller.flags.vulnerable
            assert heard.fused.abstained is None
            assert heard.fused.top not in ("angry", "sad", "anxious", "confused")
        assert len(EMPATHIC & set(decision.moves)) <= 1
        spent = sum(
            honesty.count_words(clause.text)
            for clause in decision.reply.clauses
            if clause.kind == "empathy"
        )
        assert spent <= 0.2 * honesty.count_words(decision.reply.text)
        assert not honesty.invented(reply, sources(conversation, before, heard)), reply
    assert offers <= 1


@pytest.fixture(scope="module")
def shop():
    connector = open_connectors(PACK, WEDNESDAY)["shop"]
    yield ReadOnly(connector)
    connector.close()


class ReadOnly:
    """The shop for many calls: reads are real, effects are refused as a busy system would."""

    def __init__(self, shop) -> None:
        self._shop = shop

    def read(self, action, values) -> ReadResult:
        return self._shop.read(action, values)

    def carry_out(self, action, effect, values) -> EffectResult:
        return EffectResult(effect, False, problem="unavailable")

    def close(self) -> None:
        pass


def sources(conversation: Conversation, before, heard) -> list[str]:
    """Everything a reply may take its facts from: phrases, records, the caller's words."""
    facts = standing_facts(PACK, conversation.context, WEDNESDAY)
    material = [heard.transcript.text, *conversation.state.phrases[len(before.phrases) :]]
    for state in (before, conversation.state):
        for frame in state.tasks.frames:
            facts |= standing_facts(PACK, conversation.context, WEDNESDAY, frame.intent)
            facts |= dict(frame.facts)
            material += [slot.value for slot in frame.slots.values()]
            for choice in frame.waiting.choices if frame.waiting else ():
                material += (
                    [str(value) for value in say_facts(dict(choice), PACK).values()]
                    if (isinstance(choice, dict))
                    else []
                )
            material += [
                title.format_map(Known(say_facts(facts, PACK)))
                for title in (option.title for option in PACK.intents[frame.intent].options)
            ]
    return [*material, *say_facts(facts, PACK).values()]


class Known(dict):
    def __missing__(self, key: str) -> str:
        return key
