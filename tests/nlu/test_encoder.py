"""The sentence encoder: vectors of length 1 that know what belongs together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlu.encoder import Encoder
from nlu.errors import AttuneError
from nlu.wordpiece import WordPiece


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load()


def test_rows_have_length_one_and_the_encoder_s_width(encoder: Encoder) -> None:
    vectors = encoder.encode(["where is my order", "thank you", "x"])
    assert vectors.shape == (3, encoder.dimensions)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_the_same_wish_in_other_words_is_nearer_than_another_wish(encoder: Encoder) -> None:
    asked, same, other = encoder.encode(
        ["where is my parcel", "has my package been shipped yet", "I forgot my password"]
    )
    assert asked @ same > asked @ other + 0.15


def test_a_recogniser_s_errors_move_a_sentence_less_than_another_topic(encoder: Encoder) -> None:
    said, heard, other = encoder.encode(
        ["I want to cancel my order please", "I want a cancel my odor", "what time do you open"]
    )
    assert said @ heard > said @ other + 0.2


def test_case_and_punctuation_hardly_matter(encoder: Encoder) -> None:
    written, spoken = encoder.encode(["Where's my order?!", "where's my order"])
    assert written @ spoken > 0.85


def test_no_text_gives_zeros_and_no_texts_give_no_rows(encoder: Encoder) -> None:
    assert not encoder.encode([""]).any()
    assert encoder.encode([]).shape == (0, encoder.dimensions)


@given(st.lists(st.text(max_size=80), max_size=4))
@settings(max_examples=60, deadline=None)
def test_any_text_gives_finite_rows_each_on_its_own(texts: list[str]) -> None:
    encoder = Encoder.load()
    together = encoder.encode(texts)
    assert np.isfinite(together).all()
    for text, row in zip(texts, together, strict=True):
        assert np.allclose(encoder.encode([text])[0], row, atol=1e-5)


def test_a_very_long_text_is_cut_not_refused(encoder: Encoder) -> None:
    long = "where is my order " * 6_000
    assert np.allclose(encoder.encode([long]), encoder.encode([long + "thank you"]))


def test_the_shipped_weights_stay_small() -> None:
    path = Path("nlu/weights/encoder.npz")
    assert path.stat().st_size <= 5_000_000


def test_a_missing_or_foreign_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AttuneError, match=r"nowhere\.npz"):
        Encoder.load(tmp_path / "nowhere.npz")
    foreign = tmp_path / "foreign.npz"
    np.savez(foreign, something=np.zeros(3))
    with pytest.raises(AttuneError, match=r"foreign\.npz"):
        Encoder.load(foreign)
    foreign.write_bytes(b"not an archive")


def test_words_split_into_the_longest_known_pieces() -> None:
    words = WordPiece(["[UNK]", "pay", "##ment", "##s", "p", "'", "don", "t", "cafe"])
    named = words.vocabulary
    assert [named[n] for n in words("Payments don't")] == ["pay", "##ment", "##s", "don", "'", "t"]
    assert [named[n] for n in words("Café")] == ["cafe"]
    assert words("日本") == [words.unknown]
    assert len(words("pay " * 1_000, limit=10)) == 10
