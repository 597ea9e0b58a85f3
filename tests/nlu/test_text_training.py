"""What the text models are trained and measured with: noise, made sentences, thresholds."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nlu.emotion.labels import EKMAN, GOEMOTIONS, SENTIMENT, SERVICE, heads
from nlu.emotion.phrase_bank import EMOTIONS
from nlu.emotion.word_pairs import WordPairs
from nlu.errors import AttuneError
from nlu.training import service, text_measures
from nlu.training.text import TextSettings, chances_of_versions
from nlu.training.text_pairs import PairSettings
from nlu.training.text_pairs import train as train_pairs
from nlu.training.text_rework import reworked
from nlu.training.text_student import Examples, goals
from nlu.training.texts import WordErrors, goemotions, speech_like


def test_speech_like_text_has_words_only() -> None:
    assert speech_like("Where's MY order?! #4711 (please…) 🙂") == "where's my order 4711 please"


def test_word_errors_hit_about_the_asked_share_and_repeat_with_the_seed() -> None:
    sentence = "i would like to know where my order is and when it will arrive at home"
    texts = [sentence, "their order is right here", "write to me", "your water is too hot"] * 50
    made = WordErrors(texts, seed=3).all([sentence] * 400)
    assert made == WordErrors(texts, seed=3).all([sentence] * 400)
    kept = [sum(word in one.split() for word in sentence.split()) for one in made]
    share = 1 - np.mean(kept) / len(sentence.split())
    assert 0.07 < share < 0.16
    assert WordErrors(texts, seed=3)(sentence, rate=0.0) == sentence


def test_a_missing_corpus_is_named_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(AttuneError, match="goemotions"):
        goemotions(tmp_path, "train")


def test_every_label_of_goemotions_belongs_to_one_group_of_each_kind() -> None:
    for groups in (EKMAN, SENTIMENT, SERVICE):
        assert sorted(label for group in groups.values() for label in group) == sorted(GOEMOTIONS)
    assert len(heads()) == 28 + len(EKMAN) + len(SENTIMENT) + len(SERVICE)


def test_made_sentences_repeat_and_never_share_a_feeling_with_the_held_out_ones() -> None:
    train = service.sentences(0, held_out=False, each=60)
    assert train == service.sentences(0, held_out=False, each=60)
    assert {number for _, number in train} == set(range(len(EMOTIONS)))
    held = service.sentences(0, held_out=True, each=60)
    assert not {text for text, n in train if n} & {text for text, n in held if n}


@pytest.mark.parametrize("name", ["service_texts", "service_texts_frozen"])
def test_the_measured_sentences_are_not_trained_on(name: str) -> None:
    lines = Path(f"benchmarks/{name}.tsv").read_text("utf-8").splitlines()
    measured = {speech_like(line.split("\t")[1]) for line in lines}
    known = service.sentences(0, held_out=False, each=800) + service.phrases()
    known += service.development() + service.calibration() + service.filled(0, 600)
    assert not measured & {speech_like(text) for text, _ in known}


def test_the_blend_is_fitted_on_sentences_that_no_network_and_no_bank_has_seen() -> None:
    fitted = {speech_like(text) for text, _ in service.development()}
    known = service.phrases() + service.filled(0, 600)
    known += service.sentences(0, held_out=False, each=800)
    assert not fitted & {speech_like(text) for text, _ in known}


def test_the_confidence_is_fitted_on_sentences_that_nothing_else_has_seen() -> None:
    fitted = {speech_like(text) for text, _ in service.calibration()}
    known = service.phrases() + service.filled(0, 600) + service.development()
    known += service.sentences(0, held_out=False, each=800)
    known += service.sentences(0, held_out=True, each=150)
    assert len(fitted) == len(service.calibration())
    assert not fitted & {speech_like(text) for text, _ in known}


def test_templates_give_different_sentences_of_every_feeling_with_nothing_left_to_fill() -> None:
    made = service.filled(0, 200)
    assert made == service.filled(0, 200)
    assert {number for _, number in made} == set(range(len(EMOTIONS)))
    assert len({text.lower().rstrip(".!?") for text, _ in made}) == len(made)
    assert not [text for text, _ in made if set("[]{}|") & set(text)]


def test_a_template_s_choices_and_slots_are_drawn() -> None:
    slots = {"thing": ["lamp"], "times": ["twice"]}
    said = service.fill("you [have|] lost my {thing} {times}", slots, random.Random(1))
    assert said in ("you have lost my lamp twice", "you lost my lamp twice")


def test_a_threshold_parts_what_can_be_parted() -> None:
    logits = np.concatenate((np.linspace(-6, -2, 200), np.linspace(1, 3, 40)))
    wanted = np.arange(240) >= 200
    threshold = text_measures.best_threshold(logits, wanted)
    assert text_measures.macro_f1((logits >= threshold)[:, None], wanted[:, None]) > 0.95


def test_calibration_error_is_nought_for_honest_chances_and_large_for_boasts() -> None:
    chance = np.random.default_rng(0)
    sure = chance.uniform(0.5, 1.0, 20_000)
    right = chance.uniform(size=20_000) < sure
    assert text_measures.calibration_gap(sure, right) < 0.02
    assert text_measures.calibration_gap(np.full(20_000, 0.99), right) > 0.2


def test_few_texts_seem_ill_calibrated_by_chance_alone() -> None:
    sure = np.random.default_rng(7).uniform(0.3, 1.0, 20_000)
    assert text_measures.gap_by_chance(sure[:160]) > 0.05
    assert text_measures.gap_by_chance(sure, times=5) < 0.01


@pytest.fixture
def examples() -> Examples:
    """Three texts, the first two taught; the third has no labels."""
    return Examples(
        versions=[[[1], [2], [3]]],
        targets=np.asarray([[1, 0], [0, 1], [np.nan, np.nan]], np.float32),
        desk=np.asarray([3, -1, 6]),
        desk_weight=np.asarray([0.3, 0.3, 1.0], np.float32),
        taught=np.asarray([[0.6, 0.2, *[0.1] * 6, 0.4], [0.5, 0.5, *[0.2] * 5, 0, 0]], np.float32),
        taught_share=0.5,
    )


def test_a_goal_is_half_the_label_and_half_what_the_teacher_says(examples: Examples) -> None:
    wanted = goals(examples, [2, 0])
    assert wanted.labels[1] == pytest.approx([0.8, 0.1])
    assert wanted.desk[1] == pytest.approx([0.05, 0.05, 0.05, 0.55, 0.05, 0.05, 0.2])
    assert wanted.desk_weight[1] == pytest.approx(0.3)


def test_where_no_one_emotion_is_known_the_teacher_says_it_and_counts_for_his_share(
    examples: Examples,
) -> None:
    wanted = goals(examples, [1])
    assert wanted.desk[0] == pytest.approx([0.2] * 5 + [0, 0])
    assert wanted.desk_weight[0] == pytest.approx(0.15)


def test_a_text_that_nobody_taught_keeps_its_own_emotion_and_no_labels(examples: Examples) -> None:
    wanted = goals(examples, [0, 2])
    assert np.isnan(wanted.labels[1]).all()
    assert wanted.desk[1].tolist() == [0, 0, 0, 0, 0, 0, 1]
    assert wanted.desk_weight[1] == 1.0


def test_a_text_without_an_emotion_weighs_nothing_when_there_is_no_teacher() -> None:
    alone = Examples(
        [[[1]]], np.zeros((1, 2), np.float32), np.asarray([-1]), np.ones(1, np.float32)
    )
    assert goals(alone, [0]).desk_weight.tolist() == [0.0]


def test_of_a_reworked_text_the_teacher_alone_says_what_it_is(examples: Examples) -> None:
    said = np.asarray([[0.7, 0.1, 1, *[0] * 6]] * 3, np.float32)
    more = replace(examples, versions=[*examples.versions, [[4], [5], [6]]], reworked=[said])
    wanted = goals(more, [2, 2, 0], [0, 1, 0])
    assert np.isnan(wanted.labels[0]).all()
    assert wanted.labels[1] == pytest.approx([0.7, 0.1])
    assert wanted.desk[1].tolist() == [1, 0, 0, 0, 0, 0, 0]
    assert wanted.labels[2] == pytest.approx([0.8, 0.1])
    assert sum(chances_of_versions(more, TextSettings())) == pytest.approx(1.0)


def test_reworked_texts_are_made_of_the_words_of_the_others_and_repeat_with_the_seed() -> None:
    texts = ["I am so glad that it came", "Where is it?", "nobody told me about the fee", "no"] * 20
    made = reworked(texts, 1)
    assert made == reworked(texts, 1) != reworked(texts, 2)
    assert len(made) == len(texts)
    known = {word for text in texts for word in (*text.split(), *speech_like(text).split())}
    assert {word for text in made for word in text.split()} <= known
    assert 0 < sum(text in texts for text in made) < 40


def test_word_pairs_learn_chances_not_only_labels() -> None:
    texts = ["very good", "not good", "a lamp"] * 40
    chances = np.asarray([[0.9], [0.3], [0.05]] * 40, np.float32)
    settings = PairSettings(terms=20, inverse_penalty=50.0, share=1.0)
    pairs = WordPairs.of(train_pairs([texts], [chances], settings))
    assert pairs is not None
    found = [1 / (1 + np.exp(-pairs(text)[0])) for text in texts[:3]]
    assert found == pytest.approx([0.9, 0.3, 0.05], abs=0.05)
