"""What is denied is not felt, and what is denied of praise is."""

import pytest

from nlu.denials import without_denied


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("I'm not angry, just want to know when it comes", "just want to know when it comes"),
        ("I’m not worried about it, just curious", "just curious"),
        ("it's not that I'm unhappy with you, I want my balance", "I want my balance"),
        ("no hard feelings, but I need the invoice", "I need the invoice"),
        ("I am not upset", "I am calm"),
    ],
)
def test_what_denies_a_feeling_is_not_read_for_one(text: str, left: str) -> None:
    assert without_denied(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "I'm not just angry, I'm furious",
        "I'm not angry, I'm absolutely furious",
        "I'm not happy with this",
        "this is not good",
        "it's not a great deal of money",
        "my card does not work",
        "",
    ],
)
def test_nothing_else_is_touched(text: str) -> None:
    assert without_denied(text) == text


def test_denied_praise_is_no_praise() -> None:
    assert "unhappy" in without_denied("I can't say I'm thrilled with this")
    assert "unhappy" in without_denied("not exactly what I'd call good service")
