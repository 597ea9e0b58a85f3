"""Tasks as conversations: what is asked, what is taken from the records, what is carried out."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dialogue.actions import Actions
from dialogue.frames import Heard, ReadResult, Step, TaskState
from dialogue.packs import Pack, load_pack
from dialogue.packs.facts import say_facts
from dialogue.tasks import advance, finish
from dialogue.types import CustomerContext, EffectResult, Fault, Severity
from nlu.encoder import Encoder
from nlu.entities import find_entities
from nlu.intents import IntentClassifier
from nlu.types import Entity

NOW = datetime(2026, 6, 4, 15, 0, tzinfo=UTC)
SAMPLES = Path(__file__).parents[2] / "audio_samples" / "callers.yaml"
RETAIL = load_pack("retail")
BANK = load_pack("bank")


@dataclass
class Call:
    """A call to a pack's seeded systems, turn by turn."""

    customer: str | None = None
    pack: Pack = RETAIL
    state: TaskState = field(default_factory=TaskState)
    turn: int = 0
    step: Step = field(default_factory=lambda: Step(TaskState()))

    def __post_init__(self) -> None:
        self.actions = Actions.open(self.pack, NOW)
        self.context = CustomerContext(id=self.customer)
        self.done: list[str] = []

    def say(
        self,
        text: str,
        intent: str = "something_else",
        also: tuple[str, ...] = (),
        score: float = 0.9,
    ) -> str:
        """One turn of the caller's; returns the first wording of everything that is answered."""
        self.turn += 1
        found = find_entities(
            text, NOW, self.step.expects, locale=self.pack.locale, currency=self.pack.currency
        )
        heard = Heard(intent, score, also, found, text)
        read = self.actions.reader(self.context, NOW)
        key = f"call:{self.turn}"
        self.step = advance(self.state, heard, self.pack, self.context, NOW, read, key)
        if self.step.effects:
            results = [self.actions.carry_out(e, self.context, NOW) for e in self.step.effects]
            self.done += [result.effect.action for result in results if result.succeeded]
            self.step = finish(self.step, results, self.pack, self.context, NOW, read)
        self.state = self.step.state
        return reply(self.step, self.pack)


def reply(step: Step, pack: Pack) -> str:
    said = []
    for part in step.parts:
        wordings = pack.phrases_for(
            part.move,
            intent=part.intent,
            slot=part.slot,
            action=part.action,
            problem=part.problem,
            facts=part.facts,
        )
        assert wordings, f"nothing to say for {part}"
        said.append(wordings[0].format_map(say_facts(part.facts, pack)))
    return " ".join(said)


def moves(call: Call) -> list[str]:
    return [part.move for part in call.step.parts]


def test_the_only_open_order_is_taken_without_asking_and_named() -> None:
    call = Call("C1005")
    said = call.say("I would like to know where my order is", "where_is_my_order")
    assert "order 71308, the bookshelf" in said
    assert "Swift Parcel" in said
    assert "Saturday, June 6" in said
    assert call.step.resolved


def test_a_late_order_is_our_fault_and_comes_with_two_options() -> None:
    call = Call("C1001")
    said = call.say("where is my chair", "where_is_my_order")
    assert (call.step.fault, call.step.severity) == (Fault.OURS, Severity.MAJOR)
    assert "send it again today by express at no cost or refund the delivery fee of $4.90" in said
    said = call.say("I want you to send it again today", "where_is_my_order")
    assert call.done == ["resend_express"]
    assert "Friday, June 5" in said


def test_money_moves_only_after_a_yes_and_the_answer_tells_sum_and_day() -> None:
    call = Call("C1001")
    call.say("where is my chair", "where_is_my_order")
    said = call.say("the delivery fee please")
    assert call.done == []
    assert "$4.90" in said
    assert call.step.expects == {"yes_no"}
    said = call.say("yes please")
    assert call.done == ["refund_delivery_fee"]
    assert "$4.90" in said
    assert "Tuesday, June 9" in said


def test_a_no_changes_nothing_and_is_told_as_declined() -> None:
    call = Call("C1002")
    call.say("cancel my order", "cancel_order")
    call.say("no, leave it")
    assert call.step.declined
    assert call.done == []


def test_a_no_may_be_taken_back() -> None:
    call = Call("C1003")
    call.say("I paid twice", "double_charge")
    call.say("no")
    call.say("wait, actually yes")
    assert moves(call)[-1] == "confirm"
    call.say("yes")
    assert call.done == ["refund_second_charge"]


def test_what_was_done_is_told_again_and_not_done_again() -> None:
    call = Call("B2001", BANK)
    call.say("I've lost my card", "card_lost")
    call.say("yes")
    assert "4417 is stopped" in call.say("please stop my card", "card_lost")
    assert call.done == ["stop_card"]


@pytest.mark.parametrize(
    "words",
    ["I don't want my money back", "no, don't refund it", "please don't", "I'm not sure", "why",
     "what if I do not want my money back", "never mind the money back"],
)  # fmt: skip
def test_what_is_negated_is_never_a_yes(words: str) -> None:
    call = Call("C1003")
    call.say("I paid twice", "double_charge")
    call.say(words, "double_charge")
    assert call.done == []


@pytest.mark.parametrize(
    "words",
    ["when will I get the money back", "and how do I get my money back",
     "will you refund it to my card"],
)  # fmt: skip
def test_a_question_about_a_thing_is_not_a_yes_to_it(words: str) -> None:
    call = Call("C1003")
    call.say("I paid twice", "double_charge")
    call.say(words, "double_charge")
    assert call.done == []


@pytest.mark.parametrize(
    "words",
    ["yes", "I want my money back", "uh okay go ahead", "sure", "can I have the money back please"],
)
def test_a_yes_has_many_forms(words: str) -> None:
    call = Call("C1003")
    call.say("I paid twice", "double_charge")
    call.say(words, "double_charge")
    assert call.done == ["refund_second_charge"]


def test_an_option_that_is_turned_down_is_not_the_one_taken() -> None:
    call = Call("C1001")
    call.say("where is my chair", "where_is_my_order")
    call.say("I don't want the fee refunded, send it again")
    assert call.done == ["resend_express"]


def test_a_change_of_mind_between_the_options_is_followed() -> None:
    call = Call("C1001")
    call.say("where is my chair", "where_is_my_order")
    call.say("refund the fee")
    call.say("I'd rather you send it again", "where_is_my_order")
    assert call.done == ["resend_express"]


def test_a_stranger_is_asked_one_thing_at_a_time_and_proves_the_order_by_e_mail() -> None:
    call = Call()
    call.say("I want my money back", "refund")
    assert (moves(call), call.step.expects) == (["ask"], {"order_number"})
    call.say("it's 82460")
    assert (moves(call), call.step.expects) == (["ask"], {"email"})
    said = call.say("robert dot hale at example dot com")
    assert moves(call) == ["read_back"]
    assert "robert.hale@example.com" in said
    call.say("yes that's right")
    assert moves(call) == ["answer", "confirm"]
    call.say("yes")
    assert call.done == ["refund_order"]


def test_a_wrong_e_mail_proves_nothing_and_is_asked_again() -> None:
    call = Call()
    call.say("I want my money back for order 82460", "refund")
    call.say("somebody@example.com")
    call.say("yes")
    assert moves(call)[-2:] == ["problem", "again"]
    assert call.step.failed
    assert call.done == []


def test_several_things_said_at_once_are_all_taken() -> None:
    call = Call()
    call.say("order 82460, my email is robert.hale@example.com, I want my refund", "refund")
    assert moves(call) == ["read_back"]


def test_a_misread_value_is_corrected_at_the_read_back() -> None:
    call = Call("C1002")
    call.say("change the address of my order", "change_address")
    assert "12 Oak Street" in call.say("12 Oak Street")
    assert moves(call) == ["read_back"]
    said = call.say("no, 20 Rose Street")
    assert "20 Rose Street" in said
    call.say("yes")
    assert call.done == ["change_address"]


def test_several_open_orders_are_named_and_chosen_by_their_thing() -> None:
    call = Call("C1011")
    said = call.say("where is my order", "where_is_my_order")
    assert "the toaster, 4572, or the electric kettle, 4571" in said
    assert "electric kettle is on its way" in call.say("the kettle")


def test_no_the_other_one() -> None:
    call = Call("C1011")
    call.say("where is my order", "where_is_my_order")
    call.say("the kettle")
    assert "toaster" in call.say("no, the other one")
    assert "electric kettle" in call.say("sorry, 4571")
    assert call.state.failed_turns == 0


def test_an_unknown_number_is_said_to_be_unknown_and_asked_again() -> None:
    call = Call()
    call.say("where is my order", "where_is_my_order")
    said = call.say("9999")
    assert "9999" in said
    assert moves(call) == ["problem", "again"]
    assert call.state.failed_turns == 1
    call.say("sorry, 44172")
    assert call.state.failed_turns == 0
    assert "desk chair" in reply(call.step, RETAIL)


def test_what_was_given_once_is_not_asked_again() -> None:
    call = Call()
    call.say("where is order 82460", "where_is_my_order")
    call.say("I want my refund for it", "refund")
    assert call.step.expects == {"email"}


def test_a_digression_is_answered_and_the_task_taken_up_again() -> None:
    call = Call("C1002")
    call.say("cancel my order", "cancel_order")
    said = call.say("how long does delivery take", "delivery_question")
    assert "three to five working days" in said
    assert moves(call) == ["answer", "back_to", "confirm"]
    assert call.done == []
    call.say("yes")
    assert call.done == ["cancel_order"]


def test_another_matter_about_another_order_leaves_the_first_one_as_it_is() -> None:
    call = Call("C1011")
    call.say("cancel my order", "cancel_order")
    call.say("the toaster")
    said = call.say("where is order 4571", "where_is_my_order")
    assert "electric kettle is on its way" in said
    assert moves(call)[-2:] == ["back_to", "confirm"]
    assert "toaster" in call.say("yes")
    assert call.done == ["cancel_order"]


def test_a_second_matter_of_the_same_breath_waits_its_turn() -> None:
    call = Call("C1002")
    call.say("cancel my order and what are your hours", "cancel_order", also=("opening_hours",))
    assert moves(call)[-1] == "confirm"
    said = call.say("yes")
    assert "Our hours" in said or "colleagues are there" in said


def test_two_turns_that_lead_nowhere_are_counted() -> None:
    call = Call()
    call.say("where is my order", "where_is_my_order")
    call.say("mumble mumble")
    call.say("hm what")
    assert call.state.failed_turns == 2
    assert moves(call) == ["again"]


def test_a_question_that_fits_nothing_after_an_answer_gets_the_answer_once_more() -> None:
    call = Call("C1005")
    call.say("where is my order", "where_is_my_order")
    said = call.say("and you really think it gets here by then")
    assert "bookshelf" in said
    assert call.step.unsure
    assert call.state.failed_turns == 1
    call.say("and you really think it gets here by then")
    assert not call.step.understood
    assert call.state.failed_turns == 2


def test_what_cannot_be_done_is_said_before_more_is_asked() -> None:
    call = Call("C1005")
    said = call.say("change the address please", "change_address")
    assert moves(call)[-1] == "problem"
    assert "Swift Parcel" in said
    assert call.step.unsure
    assert not call.step.relevance["addressed"]


def test_money_for_another_customer_s_order_is_never_reached() -> None:
    call = Call("C1005")
    said = call.say("refund order 44172", "refund")
    assert "44172" in said
    assert call.step.failed
    call.say("yes")
    assert call.done == []


def test_an_effect_of_unknown_outcome_is_told_so_and_needs_a_person() -> None:
    call = Call("C1002")
    call.say("cancel my order", "cancel_order")
    read = call.actions.reader(call.context, NOW)
    heard = Heard("something_else", 0.9, (), (Entity("yes_no", "yes", "yes", 0, 3),), "yes")
    step = advance(call.state, heard, RETAIL, call.context, NOW, read, "call:2")
    lost = EffectResult(step.effects[0], False, problem="unknown_result")
    told = finish(step, [lost], RETAIL, call.context, NOW, read)
    assert told.needs_human
    assert told.failed
    assert not told.resolved
    assert "colleague" in reply(told, RETAIL)


def test_a_system_that_does_not_answer_is_said_and_counted() -> None:
    def nothing(action: str, facts: object) -> ReadResult:
        return ReadResult(problem="unavailable")

    heard = Heard("where_is_my_order", 0.9, (), (), "where is my order 4571")
    heard = Heard(heard.intent, 0.9, (), find_entities(heard.text, NOW), heard.text)
    step = advance(TaskState(), heard, RETAIL, CustomerContext(), NOW, nothing)
    assert [part.problem for part in step.parts] == ["unavailable"]
    assert step.state.failed_turns == 1


def test_the_bank_runs_on_the_same_code() -> None:
    call = Call("B2001", BANK)
    said = call.say("I've lost my card", "card_lost")
    assert "4417" in said
    assert call.step.severity is Severity.CRITICAL
    assert "Tuesday, June 9" in call.say("yes, stop it")
    assert "£1,240.55" in call.say("what's my balance", "balance")
    call = Call("B2003", BANK)
    call.say("the rent is not there", "transfer_not_arrived")
    assert moves(call) == ["choose"]
    call.say("the current account")
    assert call.done == ["trace_transfer"]
    assert call.step.fault is Fault.OURS


def test_a_bank_tells_a_stranger_nothing() -> None:
    call = Call(None, BANK)
    call.say("what's my balance", "balance")
    said = call.say("20410087")
    assert call.step.needs_human
    assert "1,240" not in said


@pytest.fixture(scope="module")
def classifier() -> IntentClassifier:
    return IntentClassifier(RETAIL.language(), Encoder.load())


@pytest.mark.parametrize(
    ("caller", "effects"),
    [
        ("angry_late_delivery", ["resend_express"]),
        ("sad_gift_for_funeral", ["cancel_order"]),
        # Asks when and whether the money comes, and never says yes.
        ("anxious_double_charge", []),
        ("happy_quick_delivery", []),
        ("neutral_where_is_my_order", []),
        ("confused_bill", []),
        ("telephone_refund", ["refund_order"]),
        ("angry_damaged_item", ["refund_damaged"]),
        ("neutral_spelled_email", ["start_return"]),
    ],
)
def test_the_shipped_callers_get_what_they_called_for(
    caller: str, effects: list[str], classifier: IntentClassifier
) -> None:
    script = yaml.safe_load(SAMPLES.read_text())[caller]
    call = Call(script["customer"])
    for turn in script["turns"]:
        words = " ".join(word for word in turn["say"].split() if not word.startswith("["))
        intent = classifier.classify(words)
        call.say(words, intent.name, tuple(one.name for one in intent.also), intent.score)
    assert call.done == effects
    assert call.state.failed_turns == 0


def _entities() -> st.SearchStrategy[tuple[Entity, ...]]:
    values = {
        "order_number": ["44172", "4571", "9999", "52710", "1"],
        "digits": ["4571", "12"],
        "email": ["marcus.reed@example.com", "x@example.com"],
        "date": ["2026-06-09"],
        "address": ["12 Oak Street"],
        "yes_no": ["yes", "no"],
        "account_number": ["20410087"],
        "card_number": ["4417"],
    }
    pairs = [(kind, value) for kind, several in values.items() for value in several]
    entity = st.sampled_from(pairs).map(lambda pair: Entity(pair[0], pair[1], pair[1], 0, 1))
    return st.lists(entity, max_size=2).map(tuple)


def _turns(pack: Pack) -> st.SearchStrategy[list[Heard]]:
    intent = st.sampled_from([*pack.intents, "something_else"])
    words = st.sampled_from(
        ["", "the other one", "sorry no", "the first", "money back", "send it again", "refund it"]
    )
    heard = st.builds(
        Heard,
        intent,
        st.floats(0, 1),
        st.lists(intent, max_size=2).map(tuple),
        _entities(),
        words,
    )
    return st.lists(heard, min_size=1, max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_course_of_a_call_is_sayable_pure_and_asks_before_what_cannot_be_undone(
    data: st.DataObject,
) -> None:
    pack = data.draw(st.sampled_from([RETAIL, BANK]))
    customers = ["C1001", "C1002", "C1011", None] if pack is RETAIL else ["B2001", "B2003", None]
    call = Call(data.draw(st.sampled_from(customers)), pack)
    keys: set[str] = set()
    for turn, heard in enumerate(data.draw(_turns(pack))):
        read = call.actions.reader(call.context, NOW)
        waited = call.state.active.waiting if call.state.active else None
        before = copy.deepcopy(call.state)
        step = advance(call.state, heard, pack, call.context, NOW, read, f"call:{turn}")
        again = advance(call.state, heard, pack, call.context, NOW, read, f"call:{turn}")
        assert step == again
        assert call.state == before
        for effect in step.effects:
            assert effect.key not in keys
            keys.add(effect.key)
            if pack.actions[effect.action].irreversible:
                assert waited is not None
                assert (waited.kind, waited.name) == ("confirm", effect.action)
        if step.effects:
            results = [call.actions.carry_out(e, call.context, NOW) for e in step.effects]
            step = finish(step, results, pack, call.context, NOW, read)
        reply(step, pack)
        assert sum(part.role in {"question", "options"} for part in step.parts) <= 2
        call.state = step.state
    call.actions.close()


def test_a_yes_to_something_else_is_no_yes() -> None:
    call = Call("C1003")
    call.say("I was charged twice", "double_charge")
    call.say("yes it's the blender")
    assert call.done == []
    call.say("yes the coat")
    assert call.done == ["refund_second_charge"]


@pytest.mark.parametrize(
    "question", ["okay and when would I have it", "right, how long does that take"]
)
def test_an_okay_before_a_question_is_no_yes(question: str) -> None:
    call = Call("C1003")
    call.say("I was charged twice", "double_charge")
    call.say(question)
    assert call.done == []
    call.say("okay go ahead")
    assert call.done == ["refund_second_charge"]


def test_an_okay_that_leaves_is_no_yes() -> None:
    call = Call("C1003")
    call.say("I was charged twice", "double_charge")
    heard = Heard("goodbye", 0.9, text="okay thanks bye", signals=frozenset({"thanks", "goodbye"}))
    read = call.actions.reader(call.context, NOW)
    step = advance(call.state, heard, RETAIL, call.context, NOW, read, "call:2")
    assert step.effects == ()
    assert step.declined


def test_the_only_order_is_not_taken_for_another_thing() -> None:
    call = Call("C1007")
    said = call.say("the lamp you sent me is broken", "wrong_or_damaged_item")
    assert "hiking boots" in said
    assert call.step.expects == {"order_number", "yes_no"}
    assert "order number" in call.say("no")
    other = Call("C1007")
    other.say("the lamp you sent me is broken", "wrong_or_damaged_item")
    assert "refund" in other.say("yes")


def test_a_stranger_whose_address_does_not_fit_is_told_so() -> None:
    call = Call(None)
    call.say("the vase came in pieces", "wrong_or_damaged_item")
    call.say("44172")
    call.say("ellen.fischer@example.com")
    said = call.say("yes")
    assert any(word in said for word in ("e-mail", "address"))
    assert call.step.expects == {"email"}


def test_a_stranger_is_asked_nothing_that_leads_nowhere() -> None:
    call = Call(None, BANK)
    call.say("I lost my card", "card_lost")
    assert call.step.needs_human
    assert call.step.expects == frozenset()
