"""Telephone and card numbers: is this run of digits one?"""

from __future__ import annotations

import phonenumbers


def region_of(locale: str) -> str:
    """The country of a locale: "GB" of "en-GB"; "US" where it names none."""
    country = locale.replace("_", "-").split("-")[-1].upper()
    return country if len(country) == 2 and country != locale.upper() else "US"


def as_phone(digits: str, locale: str, strict: bool = True) -> str | None:
    """A telephone number in E.164, or None.

    `digits` may begin with "+". `strict` asks that the number is in use in its country's plan;
    otherwise its length alone must fit.
    """
    if not 7 <= len(digits) <= 17:
        return None
    try:
        number = phonenumbers.parse(digits, region_of(locale))
    except phonenumbers.NumberParseException:
        return None
    fits = (
        phonenumbers.is_valid_number(number) if strict else phonenumbers.is_possible_number(number)
    )
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if fits else None


def is_card(digits: str) -> bool:
    """Whether 13 to 19 digits carry a valid Luhn check digit (ISO/IEC 7812-1)."""
    if not (13 <= len(digits) <= 19 and digits.isascii() and digits.isdigit()):
        return False
    if digits.count(digits[0]) == len(digits):
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
