from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlu.errors import AttuneError
from nlu.types import Language
from voice.recognition import domain_model, general_model
from voice.recognition.domain_text import DIGITS, LETTERS, sentences, words_of
from voice.recognition.language_model import (
    END,
    START,
    BackoffModel,
    count_model,
    mix,
    perplexity,
    prune,
    write_arpa,
)
from voice.recognition.language_model import general_model as cut_down
from voice.recognition.pronounce import pronounce

WORDS = (START, END, "where", "is", "my", "order", "refund", "parcel", "late")
ORDERS = {("where", "is", "my", "order"): 3.0, ("my", "order", "is", "late"): 1.0}
REFUNDS = {("where", "is", "my", "refund"): 2.0, ("my", "parcel", "is", "late"): 1.0}
sentence = st.lists(st.sampled_from(WORDS[2:]), min_size=1, max_size=6).map(tuple)
corpus = st.dictionaries(sentence, st.floats(0.1, 5.0), min_size=1, max_size=6)


def sums_to_one(model: BackoffModel) -> bool:
    size = len(model.words)
    every = np.arange(size)
    ones = [model.given_one(u * size + every).sum() for u in range(size)]
    twos = [
        model.given_two((u * size + v) * size + every).sum()
        for u in range(size)
        for v in range(size)
    ]
    return bool(np.allclose([model.one.sum(), *ones, *twos], 1.0, atol=1e-6))


@settings(max_examples=25, deadline=None)
@given(corpus, corpus, st.floats(0.05, 0.95), st.floats(0, 0.01))
def test_every_history_of_any_mixed_and_pruned_model_sums_to_one(
    first: dict[tuple[str, ...], float],
    second: dict[tuple[str, ...], float],
    weight: float,
    threshold: float,
) -> None:
    mixed = mix(count_model(first, WORDS), count_model(second, WORDS), weight)
    assert sums_to_one(mixed)
    assert sums_to_one(prune(mixed, threshold))


def test_a_mixed_model_expects_the_sentences_of_both() -> None:
    orders, refunds = count_model(ORDERS, WORDS), count_model(REFUNDS, WORDS)
    mixed = mix(orders, refunds, 0.5)
    both = [*ORDERS, *REFUNDS]
    assert perplexity(mixed, both) < perplexity(orders, both)
    assert perplexity(mixed, both) < perplexity(refunds, both)


def test_pruning_drops_what_backing_off_knows_already() -> None:
    mixed = mix(count_model(ORDERS, WORDS), count_model(REFUNDS, WORDS), 0.5)
    slim = prune(mixed, 0.02)
    assert len(slim.triples) < len(mixed.triples)
    assert perplexity(slim, ORDERS) < 2 * perplexity(mixed, ORDERS)


def test_the_general_model_is_read_as_pocketsphinx_itself_reads_it() -> None:
    import pocketsphinx

    general = general_model.read()
    logmath = pocketsphinx.LogMath()
    theirs = pocketsphinx.NGramModel(
        pocketsphinx.Config(), logmath, str(general_model.default_path())
    )
    base = math.log(logmath.exp(1000)) / 1000
    dice = np.random.default_rng(5)
    for row in dice.integers(0, len(general.triples), 200):
        first, second, third = (general.words[i] for i in general.triples[row])
        assert general.triple_log_probability[row] == pytest.approx(
            theirs.prob([third, second, first]) * base, abs=0.01
        )
    for row in dice.integers(0, len(general.pairs), 200):
        first, second = (general.words[i] for i in general.pairs[row])
        assert general.pair_log_probability[row] == pytest.approx(
            theirs.prob([second, first]) * base, abs=0.01
        )
    cut = cut_down(general, (START, END, "new", "york", "thank", "you", "states", "united"))
    assert sums_to_one(cut)
    assert perplexity(cut, [("thank", "you")]) < perplexity(cut, [("you", "thank")]) / 3


def test_a_file_that_is_not_a_model_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "model.bin"
    wrong.write_bytes(b"x" * 200)
    with pytest.raises(AttuneError, match=r"model\.bin is not a 3-gram model"):
        general_model.read(wrong)


def test_pocketsphinx_gives_our_arpa_the_probabilities_that_we_meant(tmp_path: Path) -> None:
    import pocketsphinx

    model = count_model(ORDERS, WORDS)
    write_arpa(model, tmp_path / "m.arpa")
    logmath = pocketsphinx.LogMath()
    read = pocketsphinx.NGramModel(pocketsphinx.Config(), logmath, str(tmp_path / "m.arpa"))
    size = len(WORDS)
    place = {word: i for i, word in enumerate(WORDS)}
    for first in ("where", "is", "my"):
        for second in ("is", "my", "late"):
            for third in ("my", "order", "refund"):
                key = (place[first] * size + place[second]) * size + place[third]
                ours = model.given_two(np.array([key]))[0]
                assert logmath.exp(read.prob([third, second, first])) == pytest.approx(
                    ours, rel=0.02
                )


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Where's my order?", "where's my order"),
        ("order 44172", "order four four one seven two"),
        ("It cost $12.50, really", "it cost twelve dollars fifty really"),
        ("10% off 3 items", "ten percent off three items"),
        ("my e-mail is late", "my email is late"),
        ("code 0042", "code zero zero four two"),
    ],
)
def test_text_becomes_words_as_they_are_spoken(written: str, spoken: str) -> None:
    assert " ".join(words_of(written)) == spoken


@given(st.text(max_size=80))
def test_any_text_becomes_plain_words_only(text: str) -> None:
    assert all(word.replace("'", "").isalpha() and word.isascii() for word in words_of(text))


def test_a_pack_that_lists_no_digits_still_expects_them() -> None:
    found = sentences(Language(intents={"refund": ("I want a refund.",)}))
    assert found["i", "want", "a", "refund"] == 1
    pairs = {pair for said in found for pair in itertools.pairwise(said)}
    assert {(first, second) for first in DIGITS for second in DIGITS} <= pairs
    assert {word for said in found for word in said} >= set(LETTERS)
    assert found == sentences(Language(intents={"refund": ("I want a refund.",)}))


def test_a_changed_pack_is_a_new_model_and_an_unchanged_one_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(domain_model, "GENERAL_WORDS", 1_500)
    before = Language(intents={"track": ("where is my zorblatt",)})
    model = domain_model.prepare(before, tmp_path)
    assert domain_model.prepare(Language(intents={"track": ("where is it",)}), tmp_path) != model
    written = model.language_model.stat().st_mtime_ns
    assert domain_model.prepare(before, tmp_path) == model
    assert model.language_model.stat().st_mtime_ns == written
    assert "\nzorblatt Z AO R B L AE T\n" in model.dictionary.read_text()
    words = model.dictionary.read_text().splitlines()
    assert len({line.split()[0].split("(")[0] for line in words}) > domain_model.GENERAL_WORDS


@pytest.mark.parametrize(
    ("word", "phones"),
    [("brimblo", "B R IH M B L OW"), ("zake", "Z EY K"), ("phenting", "F EH N T IH NG")],
)
def test_an_unknown_word_gets_a_plausible_pronunciation(word: str, phones: str) -> None:
    assert pronounce(word) == phones


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz'", min_size=1, max_size=20))
def test_pronunciations_use_only_phones_of_the_acoustic_model(word: str) -> None:
    known = set(
        "AA AE AH AO AW AY B CH D DH EH ER EY F G HH IH IY JH K L M N NG OW OY P R S SH T TH UH UW "
        "V W Y Z ZH".split()
    )
    assert set(pronounce(word).split()) <= known
