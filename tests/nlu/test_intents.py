"""Intents from example phrases: right, calibrated, several at once, and never forced."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlu.colloquial import plainly
from nlu.encoder import Encoder
from nlu.errors import AttuneError
from nlu.intents import IntentClassifier, split_clauses
from nlu.types import OTHER_INTENT, Language

PHRASES = {
    "track": (
        "where is my order",
        "has my package been shipped yet",
        "when will my parcel arrive",
        "my delivery never showed up",
        "can you track my shipment",
        "it says delivered but nothing is here",
        "the parcel is late",
        "how long until it gets here",
        "I'm still waiting for my order",
        "I ordered something and it never came",
    ),
    "refund": (
        "I want my money back",
        "I'd like a refund",
        "please refund my purchase",
        "how do I return this",
        "I want to send the shoes back",
        "when do I get my money",
        "can you reimburse me",
        "I'd like to return a jacket",
        "you owe me a refund",
        "my refund has not arrived",
    ),
    "password": (
        "I forgot my password",
        "I can't log in",
        "reset my password please",
        "my account is locked",
        "the login does not work",
        "I need a new password",
        "it won't let me sign in",
        "how do I get back into my account",
        "the reset link does not work",
        "I'm locked out",
    ),
    "hours": (
        "what time do you open",
        "when do you close",
        "are you open on Sunday",
        "what are your opening hours",
        "is the shop open today",
        "until when are you open tonight",
        "do you open on holidays",
        "how late are you open",
        "what time does the store close",
        "opening times please",
    ),
}


@pytest.fixture(scope="module")
def classifier() -> IntentClassifier:
    return IntentClassifier(Language(PHRASES), Encoder.load())


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("could you tell me where my package is", "track"),
        ("I'd like to get a refund for these trousers", "refund"),
        ("I can't remember my password", "password"),
        ("are you open this Saturday", "hours"),
        ("were is my parcel it never a rived", "track"),
        ("i forgot my pass word", "password"),
    ],
)
def test_unseen_wordings_are_understood(
    classifier: IntentClassifier, text: str, intent: str
) -> None:
    found = classifier.classify(text)
    assert found.name == intent
    assert found.score > 0.5


@pytest.mark.parametrize(
    "text",
    [
        "who won the football last night",
        "my sister plays the violin",
        "boil the potatoes for twenty minutes",
        "",
        "4711",
        "🙂🙂🙂",
        "привет как дела",
    ],
)
def test_what_no_intent_fits_is_something_else(classifier: IntentClassifier, text: str) -> None:
    assert classifier.classify(text).name == OTHER_INTENT


def test_a_second_wish_is_found_beside_the_first(classifier: IntentClassifier) -> None:
    found = classifier.classify("I'd like to return a jacket and what time do you close today")
    named = {found.name, *(one.name for one in found.also)}
    assert named == {"refund", "hours"}


def test_one_wish_with_a_conjunction_stays_one(classifier: IntentClassifier) -> None:
    found = classifier.classify("my parcel is late and it still says it is on its way")
    assert found.name == "track"
    assert found.also == ()


def test_alternatives_come_in_order_and_all_scores_are_probabilities(
    classifier: IntentClassifier,
) -> None:
    found = classifier.classify("I never got the money for the parcel I sent back")
    scores = [one.score for one in found.alternatives]
    assert scores == sorted(scores, reverse=True)
    assert 0.0 <= sum(scores) + found.score <= 1.001
    assert found.name not in {one.name for one in found.alternatives}


def test_a_phrase_of_the_pack_is_surer_than_a_loose_one(classifier: IntentClassifier) -> None:
    exact = classifier.classify("what time do you open").score
    assert exact > classifier.classify("is somebody in the store around noon").score


def test_a_pack_with_one_intent_or_one_phrase_still_works() -> None:
    encoder = Encoder.load()
    one = IntentClassifier(Language({"track": ("where is my order",)}), encoder)
    assert one.classify("where is my order").name == "track"
    assert one.classify("I like cheese").name == OTHER_INTENT


def test_a_pack_without_phrases_is_refused_in_one_sentence() -> None:
    with pytest.raises(AttuneError, match="example"):
        IntentClassifier(Language({"track": ()}), Encoder.load())


@given(st.text(max_size=200))
@settings(max_examples=60, deadline=None)
def test_any_text_gives_the_same_intent_twice(text: str) -> None:
    classifier = _shared()
    assert classifier.classify(text) == classifier.classify(text)


def test_a_hundred_thousand_characters_are_bounded(classifier: IntentClassifier) -> None:
    found = classifier.classify("where is my order and " * 4_600)
    assert found.name == "track"
    assert len(split_clauses("a b. " * 20_000)) <= 12


_SHARED: list[IntentClassifier] = []


def _shared() -> IntentClassifier:
    if not _SHARED:
        _SHARED.append(IntentClassifier(Language(PHRASES), Encoder.load()))
    return _SHARED[0]


@pytest.mark.parametrize(
    "text",
    [
        "is my flight to Oslo on time",
        "could I have an appointment with the doctor",
        "what's the balance of my savings account",
        "hang on there is someone at the door",
        "how many days until Christmas",
    ],
)
def test_what_is_asked_at_another_desk_is_something_else(
    classifier: IntentClassifier, text: str
) -> None:
    assert classifier.classify(text).name == OTHER_INTENT


def test_another_trades_question_is_a_pack_s_own_where_the_pack_knows_it() -> None:
    trips = {
        **PHRASES,
        "flight": (
            "is my flight on time",
            "has my flight been delayed",
            "which gate does my flight leave from",
            "when does the plane take off",
            "is the flight to Rome cancelled",
            "what time does my flight land",
            "my flight was cancelled",
            "can I change my flight",
            "can you check whether my flight is late",
            "I missed my flight",
        ),
    }
    classifier = IntentClassifier(Language(trips), Encoder.load())
    assert classifier.classify("can you check if my flight is delayed").name == "flight"


def test_everyday_words_mean_what_plain_ones_mean(classifier: IntentClassifier) -> None:
    said = classifier.classify("any chance you could say where me parcel's gone walkabout to")
    assert said.name == "track"
    assert classifier.classify("ain't got my dosh back").name == "refund"
    assert plainly("twelve quid") == plainly("twelve pounds")
    assert plainly("he packed up my order") == "he packed up my order"
