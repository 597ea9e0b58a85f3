from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from nlu.types import (
    CallerAudio,
    ConversationSoFar,
    Emotion,
    Grant,
    Intensity,
    Language,
    Source,
    Transcript,
    Understanding,
)
from nlu.understand import Understander
from tests.nlu.feelings import feeling

RATE_HZ = 16_000
LANGUAGE = Language(
    intents={
        "where_is_my_order": (
            "where is my order",
            "when will my parcel arrive",
            "my delivery has not come",
            "track my package",
            "has my order been shipped yet",
        ),
        "refund": (
            "I want my money back",
            "give me a refund",
            "refund my order please",
            "can I get my money returned",
            "I was charged twice and want a refund",
        ),
    },
    phrase_bank={"angry": ("this is the third time I have called", "nobody ever calls me back")},
)
BOTH = {
    purpose: Grant(purpose, "tester", "unknown", "a test")
    for purpose in ("emotion_voice", "emotion_words")
}
NOW = datetime(2026, 11, 23, 11, 0)


@pytest.fixture(scope="module")
def mind() -> Understander:
    return Understander(LANGUAGE)


def hum(seconds: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    """A voice-like sound: harmonics of a moving pitch, in syllables."""
    time = np.arange(int(seconds * rate_hz)) / rate_hz
    phase = 2 * np.pi * np.cumsum(140 + 20 * np.sin(2 * np.pi * 0.7 * time)) / rate_hz
    sound = sum(np.sin(order * phase) / order for order in range(1, 20))
    return (0.1 * sound * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time))).astype(np.float32)


def test_one_door_gives_everything(mind: Understander) -> None:
    said = Transcript("Where is my order number 4 5 1 7? This is a disgrace, get me a human.")
    result = mind.understand(said, grants=BOTH, so_far=ConversationSoFar(now=NOW))
    assert result.transcript == said
    assert result.intent.name == "where_is_my_order"
    assert [(entity.type, entity.value) for entity in result.entities] == [("order_number", "4517")]
    assert "asks_human" in result.signals
    assert result.words.top is Emotion.ANGRY
    assert result.voice.abstained == "no sound was given"
    assert result.fused.probabilities == result.words.probabilities
    assert result.trajectory.turns == 1


def test_without_a_grant_there_is_no_voice(mind: Understander) -> None:
    words_only = {"emotion_words": BOTH["emotion_words"]}
    heard = feeling(Source.VOICE, angry=0.99)
    result = mind.understand(
        Transcript("thank you"),
        audio=CallerAudio(hum(3.0), RATE_HZ),
        voice=heard,
        features={"pitch_st": 9.0},
        so_far=ConversationSoFar(baseline={"pitch_st": 1.0}),
        grants=words_only,
    )
    assert result.voice.abstained == "no consent to analyse the voice"
    assert result.fused.probabilities == result.words.probabilities
    assert not result.trajectory.change


def test_without_a_grant_there_is_no_feeling_in_the_words(mind: Understander) -> None:
    result = mind.understand(Transcript("I am furious"), grants={})
    assert result.words.abstained
    assert result.voice.abstained
    assert result.fused.abstained
    assert result.intent.name


def test_a_grant_for_something_else_opens_no_voice(mind: Understander) -> None:
    swapped = {"emotion_voice": BOTH["emotion_words"]}
    with pytest.raises(ValueError, match="emotion_words"):
        mind.understand(Transcript("hi"), audio=CallerAudio(hum(2.0), RATE_HZ), grants=swapped)


def test_an_estimate_made_while_the_caller_spoke_is_taken(mind: Understander) -> None:
    heard = feeling(Source.VOICE, angry=0.9)
    result = mind.understand(Transcript("where is my order"), voice=heard, grants=BOTH)
    assert result.voice is heard
    assert result.fused.source is Source.FUSED


def test_the_course_goes_on_from_the_turns_before(mind: Understander) -> None:
    before = feeling(angry=0.9, valence=-0.7)
    so_far = ConversationSoFar(turns=2, smoothed=before)
    result = mind.understand(Transcript("thank you so much"), so_far=so_far, grants=BOTH)
    assert result.trajectory.turns == 3
    assert result.trajectory.trend == "falling"
    assert (
        result.trajectory.smoothed.probabilities[Emotion.ANGRY]
        > (result.fused.probabilities[Emotion.ANGRY])
    )


def test_what_was_asked_for_shapes_the_values(mind: Understander) -> None:
    asked = ConversationSoFar(expects=frozenset({"order_number"}), now=NOW)
    result = mind.understand(Transcript("four two to one"), so_far=asked, grants=BOTH)
    assert [(entity.type, entity.value) for entity in result.entities] == [("order_number", "4221")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "x" * 100_000,
        "where is my order " * 6_000,
        "\U0001f621" * 400,
        "где мой заказ",
        "注文はどこですか",
        "12345 67890",
        "what the fuck is this shit",
        "a\x00b\ufeff\ud800",
    ],
)
def test_any_text_gives_a_result_or_an_abstention_with_a_reason(
    mind: Understander, text: str
) -> None:
    results = [
        mind.understand(Transcript(text), grants=BOTH, so_far=ConversationSoFar(now=NOW))
        for _ in range(2)
    ]
    assert results[0] == results[1]
    _is_whole(results[0])


@pytest.mark.parametrize(
    ("samples", "rate_hz"),
    [
        (np.zeros(0, np.float32), RATE_HZ),
        (np.zeros(3 * RATE_HZ, np.float32), RATE_HZ),
        (hum(0.1), RATE_HZ),
        (np.sign(hum(3.0)), RATE_HZ),
        (np.full(RATE_HZ, np.nan, np.float32), RATE_HZ),
        (np.where(np.arange(3 * RATE_HZ) % 5_000, hum(3.0), np.inf).astype(np.float32), RATE_HZ),
        (hum(3.0, 8_000), 8_000),
        (hum(3.0, 48_000), 48_000),
        (hum(3.0, 4_000), 4_000),
        (np.tile(hum(10.0), 60), RATE_HZ),
        (sum(np.sin(2 * np.pi * f * np.arange(3 * RATE_HZ) / RATE_HZ) for f in (262, 330, 392))
         .astype(np.float32) * 0.2, RATE_HZ),
        (np.random.default_rng(0).normal(0, 0.2, 3 * RATE_HZ).astype(np.float32), RATE_HZ),
    ],
    ids=["empty", "silence", "0.1 s", "clipped", "nan", "inf", "8 kHz", "48 kHz", "4 kHz",
         "10 minutes", "music", "noise"],
)  # fmt: skip
def test_any_sound_gives_a_result_or_an_abstention_with_a_reason(
    mind: Understander, samples: np.ndarray, rate_hz: int
) -> None:
    results = [
        mind.understand(
            Transcript("where is my order"), audio=CallerAudio(samples, rate_hz), grants=BOTH
        )
        for _ in range(2)
    ]
    assert results[0] == results[1]
    _is_whole(results[0])


def _is_whole(result: Understanding) -> None:
    for estimate in (result.voice, result.words, result.fused):
        assert sum(estimate.probabilities.values()) == pytest.approx(1.0)
        assert estimate.abstained is None or estimate.abstained.strip()
        assert -1.0 <= estimate.valence <= 1.0
        assert -1.0 <= estimate.arousal <= 1.0
        assert 0.0 <= estimate.confidence <= 1.0


@pytest.mark.parametrize(
    "text",
    [
        "oh great, another delay, just wonderful",
        "fantastic, broken again",
        "thanks for nothing",
    ],
)
def test_sarcasm_is_read_as_mild_frustration_in_doubt(mind: Understander, text: str) -> None:
    result = mind.understand(Transcript(text), grants=BOTH)
    assert result.words.top is Emotion.ANGRY
    assert result.words.confidence <= 0.5 or result.words.intensity is not Intensity.LOW
    assert result.words.probabilities[Emotion.HAPPY] < 0.1
    assert "thanks" not in result.signals
    assert abs(sum(result.words.probabilities.values()) - 1) < 1e-6


def test_sincere_thanks_stay_glad(mind: Understander) -> None:
    result = mind.understand(
        Transcript("thank you so much you've been wonderful, it works again now"), grants=BOTH
    )
    assert "thanks" in result.signals
    assert result.words.top is Emotion.HAPPY


def test_sarcasm_does_not_make_a_feeling_without_consent(mind: Understander) -> None:
    result = mind.understand(Transcript("fantastic, broken again"), grants={})
    assert result.words.abstained == "no consent to read feeling from words"


@pytest.mark.parametrize("number", ["44120", "double four one two oh", "4 4 1 2 0"])
def test_the_digits_of_a_number_do_not_blur_what_is_wanted(mind: Understander, number: str) -> None:
    with_number = mind.understand(Transcript(f"please track order {number} for me"), grants={})
    without = mind.understand(Transcript("please track order for me"), grants={})
    assert with_number.intent == without.intent
