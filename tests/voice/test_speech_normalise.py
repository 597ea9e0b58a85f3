"""What is written and what is said."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from voice.speech.normalise import LONGEST_PIECE, sentences, spoken


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("$42.50", "forty-two dollars and fifty cents"),
        ("$1", "one dollar"),
        ("$0.99", "ninety-nine cents"),
        ("-$5", "minus five dollars"),
        ("£1,234", "one thousand two hundred and thirty-four pounds"),
        ("€3 million", "three million euros"),
        ("100 USD", "one hundred dollars"),
        ("12.5%", "twelve point five percent"),
        ("2026-11-23", "November twenty-third, twenty twenty-six"),
        ("11/23/2026", "November twenty-third, twenty twenty-six"),
        ("23/11/2026", "November twenty-third, twenty twenty-six"),
        ("Nov 3", "November third"),
        ("on the 3rd of May", "on the third of May"),
        ("on 3 May 2025", "on the third of May, twenty twenty-five"),
        ("14:30", "two thirty P M"),
        ("9:05 am", "nine oh five A M"),
        ("at 9:00", "at nine o'clock"),
        ("10:30-11:00", "ten thirty to eleven o'clock"),
        ("by 5 p.m. Then we call", "by five P M. Then we call"),
        ("1st, 2nd and 23rd", "first, second and twenty-third"),
        ("3-5 days", "three to five days"),
        ("5kg at 20°C", "five kilograms at twenty degrees Celsius"),
        ("1/2", "a half"),
        ("24/7", "twenty-four seven"),
        ("in 2024", "in twenty twenty-four"),
        ("12,500", "twelve thousand five hundred"),
        ("call 911", "call nine one one"),
        ("version 3.5.2", "version three point five point two"),
    ],
)
def test_numbers_are_said_as_people_say_them(written: str, said: str) -> None:
    assert spoken(written) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("order RX-48213", "order R X, four eight two, one three"),
        ("order number is 1234", "order number is one two, three four"),
        ("card ending in 4821", "card ending in four eight, two one"),
        ("48213", "four eight two, one three"),
        ("4111111111111111", "four one one one, one one one one, one one one one, one one one one"),
        ("PIN 007", "PIN zero zero seven"),
        ("your order of 2 items", "your order of two items"),
        ("+1 (555) 123-4567", "plus one, five five five, one two three, four five six seven"),
        ("anna.b_12@mail.org", "anna dot b underscore one two at mail dot org"),
        ("https://www.example.com/help?x=1", "example dot com slash help"),
    ],
)
def test_codes_and_addresses_are_spelled_in_groups(written: str, said: str) -> None:
    assert spoken(written) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("<speak>Hello <break time='1s'/>there</speak>", "Hello there"),
        ("Fish &amp; chips", "Fish and chips"),
        ("**Bold** and `code`", "Bold and code"),
        ("see [our page](http://example.com/x)", "see our page"),
        ("- one\n- two", "one. two"),
        ("5 < 6", "five is less than six"),
        ("great 😀🎉 news", "great news"),
        ("a\x00b\x07 c\u202e", "a b c"),
        ("Really?!?!", "Really?"),
        ("Mr. Smith, 12 Baker St.", "Mister Smith, twelve Baker Street"),
        ("his/her", "his or her"),
        ("ｆｕｌｌ", "full"),
        ("😀", ""),
        ("\ud800", ""),
    ],
)
def test_markup_and_signs_are_not_read_aloud(written: str, said: str) -> None:
    assert spoken(written) == said


@given(st.text(max_size=200))
@example("!;A")
@example("a! ) A")
def test_what_is_said_has_no_markup_no_digits_and_no_control_characters(text: str) -> None:
    said = spoken(text)
    assert not set(said) & set("<>{}[]*_`|\\0123456789")
    assert all(character.isprintable() for character in said)
    assert "".join(sentences(said)).replace(" ", "") == said.replace(" ", "") or not sentences(said)


@given(st.text(alphabet="ab ,.!?AB1-", max_size=2000))
def test_pieces_are_short_enough_and_lose_no_word(text: str) -> None:
    said = spoken(text)
    pieces = sentences(said)
    assert all(len(piece) <= LONGEST_PIECE for piece in pieces)
    letters = [c for c in said if c.isalnum()]
    assert [c for piece in pieces for c in piece if c.isalnum()] == letters


@given(st.text(alphabet="ab ,.'", max_size=200))
def test_saying_what_is_already_said_changes_nothing(text: str) -> None:
    once = spoken(text)
    assert spoken(once) == once


@pytest.mark.parametrize("unit", ["word ", "x", "1", "<", "a@", "-1", "[(", "😀", "A1-", "http://"])
def test_60_000_characters_of_anything_can_be_said(unit: str) -> None:
    said = spoken(unit * (60_000 // len(unit)))
    assert len(said) <= 60_000 * len("three, ")
    assert all(len(piece) <= LONGEST_PIECE for piece in sentences(said))
