"""From moves to words: the budget, no repetition, the caller's nouns, nothing invented."""

import string
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialogue import honesty
from dialogue.aloud import aloud
from dialogue.honesty import attributes_feeling, claims, count_words, invented, reading_grade
from dialogue.packs.facts import say_fact, say_facts
from dialogue.packs.loader import load_pack
from dialogue.rendering import SLOW_SENTENCE_WORDS, Line, Voice
from dialogue.wording import Limits, callers_nouns, compose

PACK = load_pack("retail")
VOICE = Voice(PACK, "seed")
FACTS = {
    "order_number": "44172",
    "item": "desk chair",
    "reference": "70315",
    "amount": 64.9,
    "arrival_date": "2026-06-04",
    "today": "2026-06-03",
    "promised_date": "2026-05-28",
}
LONG = Line(
    "answer",
    "fact",
    ("The chair left our warehouse on Monday and is now with the carrier in your town.",),
)


def text_of(worded) -> str:
    return " ".join(piece.text for piece in worded.pieces)


def test_facts_are_spoken_and_written_in_their_own_forms() -> None:
    line = Line("act", "action", ("Refunded {amount} for order {order_number}.",), FACTS)
    pieces = compose([line], VOICE, Limits()).pieces
    assert [piece.text for piece in pieces] == [
        "Refunded 64 dollars and 90 cents for order 4 4 1,",
        "7 2.",
    ]
    assert pieces[0].written == "Refunded $64.90 for order 44172"
    assert all(piece.slow for piece in pieces)


def test_what_is_worded_reads_well() -> None:
    from dialogue.delivery import speak, target
    from dialogue.types import Reply

    line = Line("act", "action", ("Done, reference {reference}. It comes {arrival_date}.",), FACTS)
    reply = Reply(speak(compose([line], VOICE, Limits()).pieces, target("neutral", 1.0)))
    assert reply.written == "Done, reference 70315. It comes Thursday, June 4."
    assert reply.text == "Done, reference 7 0 3, 1 5. It comes Thursday, June 4."


# --- the empathy budget ----

SORRY = Line("own_fault", "empathy", ("That's our mistake, and I'm sorry.", "Our fault, sorry."))


def test_an_empathic_clause_takes_at_most_a_fifth_of_the_words() -> None:
    worded = compose([SORRY, LONG], VOICE, Limits())
    spent = count_words(worded.pieces[0].text)
    assert worded.moves == ("own_fault", "answer")
    assert spent <= 0.2 * count_words(text_of(worded))


def test_an_empathic_clause_without_room_is_left_out_and_noted() -> None:
    worded = compose([SORRY, Line("question", "question", ("Which order?",))], VOICE, Limits())
    assert text_of(worded) == "Which order?"
    assert "20%" in worded.left_out["own_fault"]


def test_other_lines_are_worded_longer_for_a_condolence_that_is_due() -> None:
    due = Line("condolence", "empathy", ("I'm so sorry.",), due=True)
    wait = Line(
        "one_moment",
        "action",
        ("One moment, please.", "Just a moment while I do all of that for you now, if I may."),
    )
    worded = compose([due, wait], VOICE, Limits())
    assert worded.moves == ("condolence", "one_moment")
    assert 0.2 * count_words(text_of(worded)) >= 3
    assert compose([due, wait], VOICE, Limits(brief=True)).moves == ("one_moment",)


def test_only_one_empathic_clause_is_said() -> None:
    second = Line("acknowledge", "empathy", ("That's cost you time.",))
    worded = compose([SORRY, second, LONG, LONG], VOICE, Limits())
    assert worded.moves.count("own_fault") == 1
    assert "one empathic clause" in worded.left_out["acknowledge"]


def test_a_spent_budget_allows_none() -> None:
    worded = compose([SORRY, LONG], VOICE, Limits(empathy_share=0.0))
    assert worded.moves == ("answer",)


def test_a_second_apology_is_never_said() -> None:
    again = Line("not_heard", "question", ("Sorry, I missed that.", "I'm sorry, say it again?"))
    worded = compose([SORRY, LONG, again], VOICE, Limits(may_apologise=False))
    assert honesty.apologies(text_of(worded)) == 0
    assert text_of(worded).endswith(("I missed that.", "Say it again?"))


def test_where_no_feeling_may_be_named_such_wordings_are_passed_over() -> None:
    line = Line("welcome", "fact", ("Happy to help.", "I'm glad.", "You're welcome."))
    worded = compose([line], VOICE, Limits(may_name_feelings=False))
    assert text_of(worded) == "You're welcome."


WORDS = st.lists(st.sampled_from("we look at this order now for you".split()), min_size=1)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["empathy", "fact", "question", "action"]),
            st.lists(WORDS.map(" ".join), min_size=1, max_size=4),
        ),
        max_size=6,
    ),
    st.sampled_from([0.0, 0.05, 0.1, 0.2]),
)
@settings(max_examples=300, deadline=None)
def test_no_mixture_of_moves_breaks_the_budget(moves, share) -> None:
    lines = [
        Line(f"move{n}", kind, tuple(f"{text}." for text in texts))
        for n, (kind, texts) in enumerate(moves)
    ]
    worded = compose(lines, VOICE, Limits(empathy_share=share))
    empathic = [piece for piece in worded.pieces if piece.kind == "empathy"]
    spent = sum(count_words(piece.text) for piece in empathic)
    assert len({piece.move for piece in empathic}) <= 1
    assert spent <= share * count_words(text_of(worded)) + 1e-9
    plain = [line.move for line in lines if line.kind != "empathy"]
    assert [move for move in worded.moves if move in plain] == plain


# --- variation ----


def test_no_phrase_comes_twice_while_another_is_left() -> None:
    line = Line("anything_else", "question", ("One?", "Two?", "Three?"))
    said: tuple[str, ...] = ()
    for _ in range(3):
        said = (*said, *compose([line], VOICE, Limits(), said).used)
    assert sorted(said) == ["One?", "Three?", "Two?"]
    assert compose([line], VOICE, Limits(), said).used == said[:1]


def test_the_same_call_gets_the_same_words_and_another_caller_may_get_others() -> None:
    line = Line("welcome", "fact", ("A.", "B.", "C.", "D.", "E."))
    first = [compose([line], Voice(PACK, f"caller {n}"), Limits()).used for n in range(20)]
    again = [compose([line], Voice(PACK, f"caller {n}"), Limits()).used for n in range(20)]
    assert first == again
    assert len(set(first)) > 1


def test_who_prefers_it_brief_gets_the_shortest() -> None:
    line = Line("anything_else", "question", ("Is there anything else at all?", "Anything else?"))
    assert compose([line], VOICE, Limits(brief=True)).used == ("Anything else?",)


# --- sentences ----


def test_slow_speech_has_short_sentences() -> None:
    line = Line(
        "act",
        "action",
        (
            "I've sent a new {item} to you by express today, and it should be with you on"
            " {arrival_date}, so you need not wait at home.",
        ),
        FACTS,
    )
    quick = compose([line], VOICE, Limits()).pieces
    slow = compose([line], VOICE, Limits(slow=True)).pieces
    assert len(quick) == 1
    assert len(slow) > 1
    assert all(count_words(piece.text) <= SLOW_SENTENCE_WORDS for piece in slow)
    assert all(piece.text[0].isupper() for piece in slow)
    assert claims(" ".join(piece.text for piece in slow)) >= {"thursday", "june", "4"}


def test_a_date_is_never_cut_in_two() -> None:
    text = "The refund of {amount} is under way and reaches your card by {arrival_date}."
    pieces = compose([Line("answer", "fact", (text,), FACTS)], VOICE, Limits(slow=True)).pieces
    assert any("Thursday, June 4" in piece.text for piece in pieces)


@pytest.mark.parametrize("name", ["retail", "bank"])
def test_every_phrase_of_the_packs_can_be_said_slowly(name: str) -> None:
    """At most one in fifty sentences has neither few words nor a joint to cut it at."""
    pack = load_pack(name)
    voice = Voice(pack, "slow")
    facts = dict.fromkeys(
        {field for text in wordings(pack) for _, field, _, _ in string.Formatter().parse(text)}
        - {None},
        "thing",
    )
    long = total = 0
    for text in wordings(pack):
        pieces = compose([Line("m", "fact", (text,), facts)], voice, Limits(slow=True)).pieces
        total += len(pieces)
        long += sum(count_words(piece.text) > SLOW_SENTENCE_WORDS for piece in pieces)
    assert long <= total / 50


def wordings(pack) -> list[str]:
    said = [text for entry in pack.phrases for text in entry.say]
    for action in pack.actions.values():
        said += [*action.confirm, *action.done]
        said += [text for texts in action.problems.values() for text in texts]
    for intent in pack.intents.values():
        for slot in intent.slots:
            said += [*slot.ask, *slot.again, *slot.read_back, *slot.took, *slot.choose]
    for offer in pack.offers.values():
        said += [*offer.say, *offer.why, *offer.refuse]
    return said


@pytest.mark.parametrize("name", ["retail", "bank"])
def test_no_phrase_of_the_packs_tells_the_caller_what_they_feel(name: str) -> None:
    told = [text for text in wordings(load_pack(name)) if attributes_feeling(text)]
    assert told == []


@pytest.mark.parametrize("name", ["retail", "bank"])
def test_the_packs_read_easily(name: str) -> None:
    texts = [text.replace("{", "").replace("}", "") for text in wordings(load_pack(name))]
    grades = [reading_grade(text) for text in texts]
    assert sum(grades) / len(grades) < 6
    assert sorted(grades)[int(len(grades) * 0.95)] < 11


def test_reading_grade_orders_texts_as_readers_do() -> None:
    plain = "It comes on Monday. You need not wait."
    heavy = (
        "Notwithstanding the aforementioned circumstances, the delivery organisation"
        " anticipates fulfilment immediately subsequent to verification."
    )
    assert reading_grade(plain) < 4 < 12 < reading_grade(heavy)
    assert reading_grade("") == 0.0


# --- the caller's nouns ----

NOUNS = {"order": ("parcel", "package")}


def test_the_callers_own_noun_is_taken_over() -> None:
    nouns = callers_nouns("Where is my parcel?", NOUNS, {})
    line = Line("answer", "fact", ("I'm checking your order now. The order number helps.",))
    said = text_of(compose([line], replace(VOICE, nouns=nouns), Limits()))
    assert said == "I'm checking your parcel now. The order number helps."


def test_the_latest_noun_wins_and_the_packs_own_ends_it() -> None:
    nouns = callers_nouns("a parcel, or rather a package", NOUNS, {})
    assert nouns == {"order": "package"}
    assert callers_nouns("it is about my order", NOUNS, nouns) == {}
    assert callers_nouns("I am waiting", NOUNS, nouns) == {"order": "package"}


# --- nothing invented ----


@pytest.mark.parametrize(
    ("text", "unbacked"),
    [
        ("Your refund of $64.90 arrives Thursday, June 4.", ()),
        ("Your refund of $74.90 arrives Thursday.", ("74.9",)),
        ("It arrives Friday.", ("friday",)),
        ("Order 44172 is with Swift Parcel.", ("parcel", "swift")),
        ("I've sent it to bob@example.com.", ("bob@example.com",)),
        ("That takes twelve days.", ("12",)),
        ("Which one would you like first?", ()),
        ("I can do that, and I'll start now.", ()),
    ],
)
def test_every_fact_of_a_reply_has_a_source(text: str, unbacked: tuple[str, ...]) -> None:
    assert invented(text, say_facts(FACTS, PACK).values()) == unbacked


@pytest.mark.parametrize(
    "text",
    [
        "I can hear that you are upset.",
        "You sound angry.",
        "I understand how you feel.",
        "I know you're frustrated.",
        "Please calm down.",
        "Your frustration is clear.",
    ],
)
def test_naming_the_callers_feeling_is_noticed(text: str) -> None:
    assert attributes_feeling(text)


@pytest.mark.parametrize(
    "text",
    ["That's two failed deliveries.", "You've waited long enough.", "I'm sorry about the delay."],
)
def test_naming_the_situation_is_fine(text: str) -> None:
    assert not attributes_feeling(text)


@pytest.mark.parametrize(
    ("locale", "shown", "heard"),
    [
        ("en-US", "Thursday, June 4", "Thursday, June 4"),
        ("en-GB", "Thursday 4 June", "Thursday the fourth of June"),
        ("en-IE", "Thursday 4 June", "Thursday the fourth of June"),
    ],
)
def test_a_date_is_said_as_where_the_caller_lives(locale: str, shown: str, heard: str) -> None:
    assert say_fact("2026-06-04", "date", locale=locale) == shown
    assert aloud("2026-06-04", "date", locale=locale) == (heard,)
