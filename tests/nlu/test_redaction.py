from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.redaction import redact
from nlu.spoken.phones import is_card


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("my card is 4111 1111 1111 1111 thanks", "my card is [CARD] thanks"),
        (
            "it's four one one one one one one one one one one one one one one one",
            "it's [CARD]",
        ),
        ("call (415) 555-2671 or +44 20 7946 0958", "call [PHONE] or [PHONE]"),
        ("call me on four one five five five five two six seven one", "call me on [PHONE]"),
        ("mail jane.doe@example.com now", "mail [EMAIL] now"),
        ("it's jane dot doe at gmail dot com please", "it's [EMAIL] please"),
        ("account one two three four five six seven eight", "account [ACCOUNT]"),
        ("my IBAN is DE89 3704 0044 0532 0130 00", "my IBAN is [IBAN]"),
        ("send it to 42 Maple Street please", "send it to [ADDRESS] please"),
        ("I live at forty two maple street", "I live at [ADDRESS]"),
        ("my name is jane doe", "my name is [NAME]"),
        ("that is s m y t h", "that is [NAME]"),
        ("the security code is 123", "the security code is [SECRET]"),
        ("I was born on the third of march nineteen eighty", "I was born on [BIRTH_DATE]"),
    ],
)
def test_personal_data_goes(text: str, wanted: str) -> None:
    assert redact(text).text == wanted


@pytest.mark.parametrize(
    "text",
    [
        "The total was $1,299.00 on 3/4/2026 at 4:30 pm",
        "Order 12345678 placed on March 3, 2026",
        "I bought 3 boxes two weeks ago for forty nine ninety nine",
        "I waited forty five minutes for the third time",
        "the order number is one two three four five six seven eight",
        "between nine and five o'clock",
        "my robot vacuum model 3000",
    ],
)
def test_numbers_that_are_nobodys_stay(text: str) -> None:
    assert redact(text).text == text
    assert redact(text).spans == ()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("call me on seven oh two seven six two one nine one tree", "call me on [PHONE]"),
        ("my phone number is for one five seven uh five oh nine seven oh five", "[PHONE]"),
        ("the policy number is won four one four six three", "the policy number is [ACCOUNT]"),
        ("account number fifty nine seventy for double for", "account number [ACCOUNT]"),
        (
            "it's five eight triple two um one seven three six three uh five oh five one nine for",
            "",
        ),
    ],
)
def test_misheard_digits_go_with_the_others(text: str, wanted: str) -> None:
    redacted = redact(text).text
    assert redacted.endswith(wanted)
    assert not {"for", "tree", "won", "nine"} & set(redacted.split())


@pytest.mark.parametrize(
    "text",
    [
        "I ordered two for my mother and one for me",
        "I want to order three to be sent to my sister",
        "it was one of four that I ate",
    ],
)
def test_words_that_sound_like_digits_stay_in_a_sentence(text: str) -> None:
    assert redact(text).text == text


def test_known_names_go_whole_in_part_and_spelled() -> None:
    text = "Jane here, Jane Smyth, s m y t h, from smyth's place"
    assert redact(text, ["Jane Smyth"]).text == "[NAME] here, [NAME], [NAME], from [NAME]'s place"
    assert redact("Jane here").text == "Jane here"


def test_spans_point_into_the_original() -> None:
    text = "mail jane at gmail dot com or call 415-555-2671"
    spans = redact(text).spans
    assert [(span.type, text[span.start : span.end]) for span in spans] == [
        ("email", "jane at gmail dot com"),
        ("phone", "415-555-2671"),
    ]


def test_a_late_secret_in_a_long_text_goes_too() -> None:
    text = "it never came and I waited " * 4_000 + "my card is 4111 1111 1111 1111"
    assert redact(text).text.endswith("my card is [CARD]")


@pytest.mark.parametrize("text", ["", "\U0001f600" * 5_000, "a " * 20_000, "1" * 100_000, "日本語"])
def test_odd_texts_are_read_without_complaint(text: str) -> None:
    assert redact(text).text is not None


@given(st.text(max_size=300), st.lists(st.text(max_size=20), max_size=3))
def test_the_rest_of_any_text_is_untouched(text: str, names: list[str]) -> None:
    result = redact(text, names)
    rebuilt, end = "", 0
    for span in result.spans:
        assert end <= span.start < span.end <= len(text)
        rebuilt += text[end : span.start] + span.placeholder
        end = span.end
    assert rebuilt + text[end:] == result.text


@given(st.text("0123456789", min_size=15, max_size=15), st.sampled_from(["", " ", "-"]))
def test_any_valid_card_number_goes(start: str, mark: str) -> None:
    digits = "4" + start[:14]
    digits += next(str(check) for check in range(10) if _luhn(digits + str(check)))
    written = mark.join(digits[at : at + 4] for at in range(0, 16, 4))
    assert is_card(digits)
    assert "[CARD]" in redact(f"charge {written} please").text


def _luhn(digits: str) -> bool:
    doubled = [int(d) * (2 if i % 2 else 1) for i, d in enumerate(reversed(digits))]
    return sum(d - 9 if d > 9 else d for d in doubled) % 10 == 0


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("my password is bluebird seventy seven", "my password is [SECRET]"),
        ("my mother's maiden name is Robinson and I was born here",
         "my mother's maiden name is [SECRET] and I was born here"),
        ("my password is wrong", "my password is wrong"),
        ("the password was never accepted", "the password was never accepted"),
        ("my pin is blocked again", "my pin is blocked again"),
    ],
)  # fmt: skip
def test_a_secret_in_words_goes_and_what_is_the_matter_with_it_stays(text: str, kept: str) -> None:
    assert redact(text).text == kept
