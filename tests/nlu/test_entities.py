from __future__ import annotations

from datetime import datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlu.entities import find_entities

MONDAY = datetime(2026, 11, 23, 11, 0)


def values(text: str, *expects: str, locale: str = "en-US", currency: str = "USD") -> list[str]:
    found = find_entities(text, MONDAY, frozenset(expects), locale=locale, currency=currency)
    return [f"{entity.type} {entity.value}" for entity in found]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("my order number is four five seven one", "order_number 4571"),
        ("order number A B one two three", "order_number AB123"),
        ("the order is forty five seventy one", "order_number 4571"),
        ("order double four triple seven two", "order_number 447772"),
        ("it's order alpha bravo 1 2 3", "order_number AB123"),
        ("order B for Bravo, M as in Mary, four five", "order_number BM45"),
        ("order AB-12345 please", "order_number AB12345"),
        ("order oh oh seven one", "order_number 0071"),
        ("order four thousand five hundred and seventy one", "order_number 4571"),
        ("my account number is one twenty three four five", "account_number 12345"),
        ("4 5 7 1 is my order number", "order_number 4571"),
        ("the card is 4111 1111 1111 1111", "card_number 4111111111111111"),
        ("call me on 415 555 2671", "phone +14155552671"),
        (
            "my mobile is plus one four one five five five five two six seven one",
            "phone +14155552671",
        ),
        ("the code was 12345", "digits 12345"),
    ],
)
def test_numbers_as_people_say_them(text: str, wanted: str) -> None:
    assert values(text) == [wanted]


@pytest.mark.parametrize(
    "text",
    [
        "I ordered two pairs three weeks back",
        "the one I ordered",
        "I have a two year old",
        "I called three times",
        "since 2019 it has worked",
        "I am a customer",
    ],
)
def test_small_talk_holds_no_number(text: str) -> None:
    assert not [value for value in values(text) if value.split()[0] in ("digits", "order_number")]


def test_what_was_asked_for_decides_what_a_number_is() -> None:
    assert values("four five seven one", "order_number") == ["order_number 4571"]
    assert values("four five seven one", "account_number") == ["account_number 4571"]
    assert values("four two to one", "order_number") == ["order_number 4221"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("it came last Tuesday", ["date 2026-11-17"]),
        ("bought on the third of March", ["date 2026-03-03"]),
        ("deliver it on the third of March", ["date 2027-03-03"]),
        ("in two weeks", ["date 2026-12-07"]),
        ("the day after tomorrow", ["date 2026-11-25"]),
        ("three days ago at quarter to five", ["date 2026-11-20", "time 16:45"]),
        ("March 3rd, 2025 at 4:30 pm", ["date 2025-03-03", "time 16:30"]),
        ("half past four", ["time 16:30"]),
        ("half past four in the morning", ["time 04:30"]),
        ("at noon on december twenty fifth", ["time 12:00", "date 2026-12-25"]),
        ("Monday week", ["date 2026-12-07"]),
        ("on Christmas Eve please", ["date 2026-12-24"]),
        ("by the end of the month", ["date 2026-11-30"]),
        ("half nine in the morning", ["time 09:30"]),
        ("the third of march twenty twenty six", ["date 2026-03-03"]),
        ("16:05", ["time 16:05"]),
        ("2026-03-04", ["date 2026-03-04"]),
        ("i may have two", []),
        ("the second one on february thirtieth", []),
    ],
)
def test_dates_and_times_follow_the_clock_passed_in(text: str, wanted: list[str]) -> None:
    assert values(text) == wanted


def test_the_locale_orders_written_dates() -> None:
    assert values("3/4/2026") == ["date 2026-03-04"]
    assert values("3/4/2026", locale="en-GB") == ["date 2026-04-03"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("it's $49.90", "49.90 USD"),
        ("I paid forty nine ninety nine", "49.99 USD"),
        ("forty nine dollars and ninety cents", "49.90 USD"),
        ("twenty quid", "20.00 GBP"),
        ("three pounds fifty", "3.50 GBP"),
        ("€1.299,00 was taken", "1299.00 EUR"),
        ("1,299.00 EUR", "1299.00 EUR"),
        ("five hundred canadian dollars", "500.00 CAD"),
        ("two grand", "2000.00 USD"),
        ("fifty cents", "0.50 USD"),
        ("a hundred bucks", "100.00 USD"),
        ("forty nine point nine nine dollars", "49.99 USD"),
    ],
)
def test_sums_of_money(text: str, wanted: str) -> None:
    assert values(text) == [f"money {wanted}"]


def test_a_sum_without_a_unit_takes_the_currency_of_the_pack() -> None:
    assert values("it cost 49.99", currency="EUR") == ["money 49.99 EUR"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("my email is jane dot doe at gmail dot com", "jane.doe@gmail.com"),
        ("j a n e underscore doe at hot mail dot co dot uk", "jane_doe@hotmail.co.uk"),
        ("it's bob double four at yahoo dot com", "bob44@yahoo.com"),
        ("m a r y dash ann twenty three at example dot org", "mary-ann23@example.org"),
        ("write to JANE.DOE@Example.com!", "jane.doe@example.com"),
        ("s as in sam m i t h at icloud dot com", "smith@icloud.com"),
        ("jane.doe at gmail.com", "jane.doe@gmail.com"),
    ],
)
def test_email_as_spoken(text: str, wanted: str) -> None:
    assert f"email {wanted}" in values(text)


def test_at_is_not_always_an_address() -> None:
    assert values("I live at 29 Maple Terrace. It came late.") == ["address 29 Maple Terrace"]
    assert values("the guy met me at amazon dot com") == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("I live at forty two maple street apartment four b", "42 Maple Street, Apartment 4B"),
        ("123 Main St, Springfield, IL 62704", "123 Main St, Springfield, IL 62704"),
        ("four twenty west forty second street", "420 West 42nd Street"),
        ("flat two, 42 Kings Road", "Flat 2, 42 Kings Road"),
    ],
)
def test_street_addresses(text: str, wanted: str) -> None:
    assert values(text) == [f"address {wanted}"]


@pytest.mark.parametrize("text", ["it took 3 hours drive", "two days on the road"])
def test_a_road_is_not_always_an_address(text: str) -> None:
    assert values(text) == []


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("it's Smyth, S M Y T H", "Smyth"),
        ("my name is jane smith s m y t h", "Jane Smyth"),
        ("last name smith spelled sierra mike yankee tango hotel", "Smyth"),
        ("My name is Jane Doe and I want help", "Jane Doe"),
    ],
)
def test_a_spelling_wins_over_what_was_heard(text: str, wanted: str) -> None:
    assert values(text) == [f"name {wanted}"]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("my order is 4517, no sorry, 4571", ["order_number 4571"]),
        ("4517, no, 71", ["digits 4571"]),
        ("it came last Tuesday, no wait, Wednesday", ["date 2026-11-18"]),
        ("jane at gmail dot com, sorry, june at gmail dot com", ["email june@gmail.com"]),
        ("order 4517 and order 4571", ["order_number 4517", "order_number 4571"]),
    ],
)
def test_a_value_taken_back_gives_way(text: str, wanted: list[str]) -> None:
    assert values(text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("yes please", "yes"),
        ("um, yeah", "yes"),
        ("that works", "yes"),
        ("no problem", "yes"),
        ("no", "no"),
        ("yeah no", "no"),
        ("not really", "no"),
        ("yes, actually no", "no"),
        ("no that's fine", "yes"),
    ],
)
def test_yes_and_no(text: str, wanted: str) -> None:
    assert values(text, "yes_no") == [f"yes_no {wanted}"]


@pytest.mark.parametrize("text", ["I don't know", "maybe", "not sure", "what do you mean"])
def test_doubt_is_neither(text: str) -> None:
    assert values(text, "yes_no") == []


@pytest.mark.parametrize(
    "text",
    ["", " ", "1" * 100_000, "\U0001f600" * 1_000, "7 " * 50_000, "at " * 30_000, "нет спасибо"],
)
def test_odd_texts_are_read_without_complaint(text: str) -> None:
    assert isinstance(find_entities(text, MONDAY), tuple)


@given(st.text(max_size=200) | st.lists(st.sampled_from(
    "a i oh four double forty at dot com no sorry the third of march $5 half past 4517 , . street "
    "my name is hundred point pounds fifty gmail in two weeks may".split()), max_size=30
).map(" ".join))  # fmt: skip
def test_offsets_always_point_at_the_words(text: str) -> None:
    found = find_entities(text, MONDAY)
    assert found == find_entities(text, MONDAY)
    for entity in found:
        assert text[entity.start : entity.end] == entity.text
    for left, right in pairwise(found):
        assert left.end <= right.start


@given(
    st.text("0123456789", min_size=4, max_size=10).filter(
        lambda digits: digits[:2] not in ("19", "20")
    )
)
def test_digits_read_one_by_one_are_the_number(digits: str) -> None:
    names = "zero one two three four five six seven eight nine".split()
    spoken = " ".join(names[int(digit)] for digit in digits)
    assert values(f"order number {spoken}") == [f"order_number {digits}"]


@pytest.mark.parametrize(
    ("text", "locale", "value"),
    [
        ("it left my account on 3/11", "en-GB", "2026-11-03"),
        ("it left my account on 3/11", "en-US", "2026-03-11"),
        ("bring it on 12/31", "en-GB", "2026-12-31"),
        ("the fifth of last month", "en-US", "2026-10-05"),
        ("a week from wednesday", "en-US", "2026-12-02"),
        ("two weeks on friday", "en-US", "2026-12-11"),
    ],
)
def test_a_day_said_by_what_is_near_it(text: str, locale: str, value: str) -> None:
    found = find_entities(text, datetime(2026, 11, 23), locale=locale)
    assert [(one.type, one.value) for one in found] == [("date", value)]


@pytest.mark.parametrize("text", ["you are open 24/7", "half of it, 1/2, is missing"])
def test_what_only_looks_like_a_day_is_none(text: str) -> None:
    found = find_entities(text, datetime(2026, 11, 23), locale="en-GB")
    assert all(one.type != "date" for one in found)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("between ten and noon", ["10:00", "12:00"]),
        ("after half five", ["17:30"]),
        ("half of the plates", []),
        ("from two to four people", []),
    ],
)
def test_hours_of_a_span(text: str, values: list[str]) -> None:
    found = find_entities(text, datetime(2026, 11, 23))
    assert [one.value for one in found if one.type == "time"] == values


def test_remarks_about_spelling_are_no_part_of_an_address() -> None:
    said = "it's j smith 84 all one word at hotmail dot co dot uk"
    assert find_entities(said, datetime(2026, 11, 23))[0].value == "jsmith84@hotmail.co.uk"


def test_a_number_read_out_is_one_even_where_words_were_heard() -> None:
    (number,) = find_entities("order for for won seven too", datetime(2026, 11, 23))
    assert (number.type, number.value) == ("order_number", "44172")
    assert not find_entities("I want to order for my son too", datetime(2026, 11, 23))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("nineteen ninety five dollars", "19.95 USD"),
        ("forty five fifty dollars", "45.50 USD"),
        ("four ninety nine dollars", "4.99 USD"),
        ("three fifty dollars", "350.00 USD"),
        ("a dollar fifty", "1.50 USD"),
        ("half a million dollars", "500000.00 USD"),
    ],
)
def test_a_price_is_read_whole(text: str, wanted: str) -> None:
    assert [one.value for one in find_entities(text, MONDAY) if one.type == "money"] == [wanted]


@pytest.mark.parametrize(
    ("text", "wanted"), [("not at the moment", "no"), ("I wouldn't say no", "yes")]
)
def test_a_roundabout_answer_is_one(text: str, wanted: str) -> None:
    found = find_entities(text, MONDAY, frozenset({"yes_no"}))
    assert [one.value for one in found if one.type == "yes_no"] == [wanted]
