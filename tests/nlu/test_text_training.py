"""What the text models are trained and measured with: noise, made sentences, thresholds."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from nlu.emotion.labels import EKMAN, GOEMOTIONS, SENTIMENT, SERVICE, heads
from nlu.emotion.phrase_bank import EMOTIONS
from nlu.errors import AttuneError
from nlu.training import service, text_measures
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
    known += service.development() + service.filled(0, 600)
    assert not measured & {speech_like(text) for text, _ in known}


def test_the_blend_is_fitted_on_sentences_that_no_network_and_no_bank_has_seen() -> None:
    fitted = {speech_like(text) for text, _ in service.development()}
    known = service.phrases() + service.filled(0, 600)
    known += service.sentences(0, held_out=False, each=800)
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
    goal = np.where(chance.uniform(size=20_000) < sure, 0, 1)
    honest = np.stack((sure, 1 - sure), axis=1)
    assert text_measures.ece(honest, goal) < 0.02
    boasting = np.stack((np.full(20_000, 0.99), np.full(20_000, 0.01)), axis=1)
    assert text_measures.ece(boasting, goal) > 0.2
