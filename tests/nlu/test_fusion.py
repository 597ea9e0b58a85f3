from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.emotion.fusion import Reliability, fuse
from nlu.types import ConflictKind, Emotion, EmotionEstimate, Intensity, Source
from tests.nlu.feelings import feeling

SILENT = EmotionEstimate.abstain(Source.VOICE, "too little voiced speech")
WORDLESS = EmotionEstimate.abstain(Source.WORDS, "no words")


def voice(**chances: float) -> EmotionEstimate:
    return feeling(Source.VOICE, **chances)


def words(**chances: float) -> EmotionEstimate:
    return feeling(Source.WORDS, **chances)


def test_agreement_makes_surer_than_either() -> None:
    fused, conflict = fuse(voice(angry=0.6), words(angry=0.6))
    assert fused.top is Emotion.ANGRY
    assert fused.confidence > 0.6
    assert fused.source is Source.FUSED
    assert conflict is None


def test_an_abstaining_voice_leaves_the_words_alone() -> None:
    said = words(sad=0.7)
    fused, conflict = fuse(SILENT, said)
    assert fused.probabilities == said.probabilities
    assert (fused.source, fused.abstained, conflict) == (Source.FUSED, None, None)


def test_abstaining_words_leave_the_voice_alone() -> None:
    heard = voice(angry=0.7)
    assert fuse(heard, WORDLESS)[0].probabilities == heard.probabilities


def test_two_abstentions_give_one_with_both_reasons() -> None:
    fused, conflict = fuse(SILENT, WORDLESS)
    assert fused.abstained is not None
    assert "too little voiced speech" in fused.abstained
    assert "no words" in fused.abstained
    assert conflict is None


@pytest.mark.parametrize(
    ("heard", "said", "kind", "label"),
    [
        ("angry", "happy", ConflictKind.POSITIVE_WORDS_AGITATED_VOICE, Emotion.ANGRY),
        ("neutral", "angry", ConflictKind.NEGATIVE_WORDS_FLAT_VOICE, Emotion.ANGRY),
        ("neutral", "sad", ConflictKind.NEGATIVE_WORDS_FLAT_VOICE, Emotion.SAD),
        ("angry", "neutral", ConflictKind.NEUTRAL_WORDS_AGITATED_VOICE, Emotion.ANGRY),
    ],
)
def test_a_conflict_is_a_result_of_its_own(
    heard: str, said: str, kind: ConflictKind, label: Emotion
) -> None:
    fused, conflict = fuse(voice(**{heard: 0.95}), words(**{said: 0.95}))
    assert conflict is not None
    assert (conflict.kind, conflict.voice, conflict.words) == (kind, Emotion(heard), Emotion(said))
    assert fused.top is label
    assert (fused.confidence <= 0.5) == (kind is not ConflictKind.NEGATIVE_WORDS_FLAT_VOICE)


def test_thanks_in_a_level_voice_are_thanks_and_no_conflict() -> None:
    fused, conflict = fuse(voice(neutral=0.99), words(happy=0.99))
    assert (fused.top, conflict) == (Emotion.HAPPY, None)


@pytest.mark.parametrize("heard", ["angry", "sad", "anxious"])
def test_sure_happy_words_outweigh_an_unsure_voice(heard: str) -> None:
    fused, conflict = fuse(voice(**{heard: 0.45, "neutral": 0.3}), words(happy=0.95))
    assert (fused.top, conflict) == (Emotion.HAPPY, None)


def test_possible_sarcasm_is_frustration_of_low_intensity() -> None:
    angry = feeling(Source.VOICE, angry=0.95, intensity=Intensity.HIGH)
    fused, _ = fuse(angry, words(happy=0.95))
    assert fused.intensity is Intensity.LOW


def test_two_negative_feelings_are_a_conflict_that_leaves_no_doubt_of_the_trouble() -> None:
    fused, conflict = fuse(voice(sad=0.95), words(angry=0.95))
    assert conflict is not None
    assert conflict.kind is ConflictKind.OTHER
    assert fused.intensity is Intensity.MEDIUM


def test_unsure_sources_do_not_conflict() -> None:
    assert fuse(voice(angry=0.3), words(happy=0.95))[1] is None
    assert fuse(voice(angry=0.95), words(happy=0.3))[1] is None


def test_a_level_voice_does_not_talk_down_what_the_words_say() -> None:
    fused, conflict = fuse(voice(neutral=0.6), words(angry=0.78))
    assert fused.top is Emotion.ANGRY
    assert conflict is not None
    assert conflict.kind is ConflictKind.NEGATIVE_WORDS_FLAT_VOICE


def test_thanks_in_a_level_voice_are_thanks() -> None:
    fused, conflict = fuse(voice(neutral=0.95), words(happy=0.95))
    assert fused.top is Emotion.HAPPY
    assert conflict is None
    assert fuse(voice(neutral=0.8), words(happy=0.5))[0].top is Emotion.NEUTRAL


def test_noise_takes_weight_from_the_voice() -> None:
    heard, said = voice(angry=0.55), words(neutral=0.55)
    clear = fuse(heard, said, Reliability(snr_db=30, voiced_s=3, asr_confidence=0.9, words=8))[0]
    noisy = fuse(heard, said, Reliability(snr_db=3, voiced_s=1, asr_confidence=0.9, words=8))[0]
    assert noisy.probabilities[Emotion.ANGRY] < clear.probabilities[Emotion.ANGRY]


def test_doubtful_recognition_takes_weight_from_the_words() -> None:
    heard, said = voice(angry=0.55), words(happy=0.55)
    sure = fuse(heard, said, Reliability(snr_db=20, voiced_s=2, asr_confidence=1.0, words=8))[0]
    unsure = fuse(heard, said, Reliability(snr_db=20, voiced_s=2, asr_confidence=0.3, words=8))[0]
    assert unsure.probabilities[Emotion.HAPPY] < sure.probabilities[Emotion.HAPPY]


def test_voice_leads_arousal_and_words_lead_valence() -> None:
    heard = feeling(Source.VOICE, angry=0.6, arousal=0.8, valence=0.0)
    said = feeling(Source.WORDS, angry=0.6, arousal=0.0, valence=-0.8)
    fused, _ = fuse(heard, said)
    assert fused.arousal > 0.5
    assert fused.valence < -0.5


@given(
    st.lists(st.floats(0.0, 1.0), min_size=7, max_size=7),
    st.lists(st.floats(0.0, 1.0), min_size=7, max_size=7),
    st.floats(-20, 60),
    st.floats(0, 600),
    st.floats(0, 1),
    st.integers(0, 20_000),
)
def test_what_comes_out_is_always_a_distribution(
    heard: list[float], said: list[float], snr: float, voiced: float, sure: float, count: int
) -> None:
    names = [emotion.value for emotion in Emotion]
    one, two = (
        {name: value / (sum(row) or 1.0) for name, value in zip(names, row, strict=True)}
        for row in (heard, said)
    )
    given_twice = [
        fuse(voice(**one), words(**two), Reliability(snr, voiced, sure, count)) for _ in range(2)
    ]
    fused = given_twice[0][0]
    assert given_twice[0] == given_twice[1]
    assert sum(fused.probabilities.values()) == pytest.approx(1.0)
    assert all(0.0 <= chance <= 1.0 for chance in fused.probabilities.values())
