"""Feeling from words: what service callers say, under consent, and never an exception."""

from __future__ import annotations

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlu.emotion.text import TextModel, parts_of
from nlu.encoder import Encoder
from nlu.errors import AttuneError
from nlu.types import Emotion, Grant, Intensity, Source

GRANT = Grant("emotion_words", "test", "EU", "written for a test")


@pytest.fixture(scope="module")
def model() -> TextModel:
    return TextModel.load({}, Encoder.load())


@pytest.mark.parametrize(
    ("text", "feeling"),
    [
        ("my parcel still hasn't arrived and I'm really fed up", Emotion.ANGRY),
        ("this is the third time I've called about it and nobody helps", Emotion.ANGRY),
        ("thank you so much, that's brilliant", Emotion.HAPPY),
        ("my husband passed away and I need to close his account", Emotion.SAD),
        ("I'm worried someone has used my card", Emotion.ANXIOUS),
        ("I don't understand what this charge means", Emotion.CONFUSED),
        ("oh wow I did not expect that", Emotion.SURPRISED),
    ],
)
def test_feelings_of_callers_are_heard(model: TextModel, text: str, feeling: Emotion) -> None:
    estimate = model.estimate(text, GRANT)
    assert estimate.top is feeling
    assert estimate.source is Source.WORDS
    assert estimate.intensity is not Intensity.NONE


@pytest.mark.parametrize(
    "text",
    [
        "where is my order",
        "I'd like to change my address please",
        "what time do you open on Saturday",
        "my order number is four five seven one",
        "yes that's correct",
        "can I speak to someone in billing",
        "I want to return a jacket",
    ],
)
def test_an_ordinary_request_shows_no_feeling(model: TextModel, text: str) -> None:
    estimate = model.estimate(text, GRANT)
    assert estimate.top is Emotion.NEUTRAL
    assert estimate.intensity is Intensity.NONE


@pytest.mark.parametrize(
    ("text", "feeling", "least"),
    [
        (
            "i want my money back and i want it now this is the second broken item in a month",
            Emotion.ANGRY,
            Intensity.MEDIUM,
        ),
        ("fine but it had better work this time", Emotion.ANGRY, Intensity.LOW),
        ("you people have lost my package twice", Emotion.ANGRY, Intensity.LOW),
        (
            "i have been waiting at home for two days and nobody came that is not acceptable",
            Emotion.ANGRY,
            Intensity.MEDIUM,
        ),
        ("thank you that is kind of you", Emotion.HAPPY, Intensity.LOW),
        ("where is my order", Emotion.NEUTRAL, Intensity.NONE),
        ("when will i get the money back", Emotion.NEUTRAL, Intensity.NONE),
        ("the order number is five five zero three one", Emotion.NEUTRAL, Intensity.NONE),
        ("can you send me an invoice", Emotion.NEUTRAL, Intensity.NONE),
    ],
)
def test_demands_and_failures_are_told_from_requests(
    model: TextModel, text: str, feeling: Emotion, least: Intensity
) -> None:
    steps = list(Intensity)
    estimate = model.estimate(text, GRANT)
    assert estimate.top is feeling
    assert steps.index(estimate.intensity) >= steps.index(least)


def test_valence_and_arousal_point_where_the_feeling_does(model: TextModel) -> None:
    glad = model.estimate("thank you so much, you have been wonderful", GRANT)
    cross = model.estimate("this is outrageous, I am absolutely furious with you", GRANT)
    grieving = model.estimate("my mother died last week and I feel so alone", GRANT)
    assert glad.valence > 0.3
    assert cross.valence < -0.3
    assert cross.arousal > 0.3 > grieving.arousal


def test_strong_words_raise_the_intensity_and_a_bit_lowers_it(model: TextModel) -> None:
    steps = list(Intensity)
    mild = model.estimate("I'm a bit annoyed about the delay", GRANT)
    strong = model.estimate("I'm absolutely furious, this is outrageous", GRANT)
    assert mild.top is strong.top is Emotion.ANGRY
    assert steps.index(mild.intensity) < steps.index(strong.intensity)
    assert strong.intensity is Intensity.HIGH


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no words"),
        ("   \n", "no words"),
        ("4711 0815", "digits"),
        ("🙂🙂🙂", "digits or signs"),
        ("где мой заказ", "script"),
        ("我的包裹在哪里", "script"),
        ("wo ist denn bitte mein Paket geblieben", "known"),
        ("xqzt brrgh wlfgnk", "known"),
    ],
)
def test_what_cannot_be_read_is_an_abstention_with_its_reason(
    model: TextModel, text: str, reason: str
) -> None:
    estimate = model.estimate(text, GRANT)
    assert estimate.abstained is not None
    assert reason in estimate.abstained
    assert estimate.confidence == 0.0


def test_unsure_recognition_makes_an_unsure_feeling(model: TextModel) -> None:
    text = "I'm really fed up with this"
    sure, unsure = (model.estimate(text, GRANT, confidence) for confidence in (1.0, 0.5))
    assert unsure.confidence < sure.confidence
    assert model.estimate(text, GRANT, 0.1).abstained is not None


def test_another_purpose_s_grant_opens_nothing(model: TextModel) -> None:
    with pytest.raises(ValueError, match="emotion_words"):
        model.estimate("hello", Grant("emotion_voice", "test", "EU", "for the voice only"))


def test_a_pack_s_phrases_teach_a_feeling_that_the_shipped_model_misses() -> None:
    encoder = Encoder.load()
    text = "the heron has eaten my koi again"
    phrases = ("the heron has eaten my koi again", "a heron is eating my fish")
    taught = TextModel.load({"anxious": phrases}, encoder).estimate(text, GRANT)
    plain = TextModel.load({}, encoder).estimate(text, GRANT)
    gain = taught.probabilities[Emotion.ANXIOUS] - plain.probabilities[Emotion.ANXIOUS]
    assert gain > 0.05


def test_a_phrase_bank_with_an_unknown_feeling_is_refused() -> None:
    with pytest.raises(AttuneError, match="bored"):
        TextModel.load({"bored": ("whatever",)}, Encoder.load())


_TEXTS = st.one_of(
    st.text(max_size=300),
    st.text(alphabet=string.ascii_letters + " '!?.", max_size=300),
    st.lists(st.sampled_from(["fuck", "you", "😡", "thanks", "9", "é", "\x00"]), max_size=40).map(
        " ".join
    ),
)


@given(_TEXTS)
@settings(max_examples=80, deadline=None)
def test_any_text_gives_a_distribution_or_an_abstention(text: str) -> None:
    model = _shared()
    estimate = model.estimate(text, GRANT)
    assert sum(estimate.probabilities.values()) == pytest.approx(1.0)
    assert set(estimate.probabilities) == set(Emotion)
    assert -1 <= estimate.valence <= 1
    assert -1 <= estimate.arousal <= 1
    assert estimate == model.estimate(text, GRANT)


def test_a_hundred_thousand_characters_are_read_from_the_start(model: TextModel) -> None:
    text = "I am so fed up with this. " * 4_000
    assert model.estimate(text, GRANT).top is Emotion.ANGRY


_SHARED: list[TextModel] = []


def _shared() -> TextModel:
    if not _SHARED:
        _SHARED.append(TextModel.load({}, Encoder.load()))
    return _SHARED[0]


@pytest.mark.parametrize("ends", [". ", " "])
def test_a_complaint_beside_a_request_is_heard(model: TextModel, ends: str) -> None:
    request = "I would like to know when my order number four four one is going to come"
    complaint = "this is an absolute disgrace and I have had enough"
    assert model.estimate(request, GRANT).top is Emotion.NEUTRAL
    for said in ((request, complaint), (complaint, request)):
        assert model.estimate(ends.join(said), GRANT).top is Emotion.ANGRY


def test_two_requests_in_a_row_are_no_complaint(model: TextModel) -> None:
    said = "When do you open on Saturday? I would also like a copy of the invoice, please."
    assert model.estimate(said, GRANT).top is Emotion.NEUTRAL


@given(st.text(alphabet="ab .?!", max_size=400))
def test_the_parts_of_a_turn_are_short_and_few(text: str) -> None:
    parts = parts_of(text)
    assert len(parts) != 1
    assert len(parts) <= 16
    assert all(len(part.split()) <= 10 for part in parts)
