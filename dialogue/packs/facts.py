"""Facts: those that always stand, and how each kind of fact is said."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from dialogue.packs.format import FactKind, Pack
from dialogue.types import CustomerContext

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}


def standing_facts(
    pack: Pack, context: CustomerContext, now: datetime, intent: str | None = None
) -> dict[str, Any]:
    """What is known without asking anybody: the pack's constants, the clock, the customer.

    `now` without a time zone is taken as the pack's local time. Unknown facts are left out.
    """
    local = now if now.tzinfo is None else now.astimezone(ZoneInfo(pack.timezone))
    facts: dict[str, Any] = {
        **pack.constants,
        "company": pack.company,
        "assistant": pack.assistant,
        "emergency_number": pack.emergency_number,
        "handoff_target": pack.handoff.target,
        "handoff_hours": pack.handoff.hours_spoken,
        "handoff_open": handoff_open(pack, local),
        "locale": context.locale if context.id is not None else pack.locale,
        "today": local.date().isoformat(),
        "identified": context.id is not None,
    }
    if context.id is not None:
        facts["customer_id"] = context.id
    if context.name:
        facts["customer_name"] = context.name
    if context.open_case is not None:
        facts["case_subject"] = context.open_case.subject
        if context.open_case.promise:
            facts["promise"] = context.open_case.promise
    if intent is not None and intent in pack.intents:
        facts["intent_title"] = pack.intents[intent].title
        if repeats := context.patterns.repeat_contacts_30d.get(intent, 0):
            facts["repeat_contacts"] = repeats
    for name, value in context.attributes.items():
        facts[f"attribute_{name}"] = value
    return facts


def handoff_open(pack: Pack, local: datetime) -> bool:
    """Whether somebody is there at the pack's local time; without hours, always."""
    if not pack.handoff.hours:
        return True
    hours = next(
        (span for day, span in pack.handoff.hours.items() if day == _WEEKDAYS[local.weekday()]),
        None,
    )
    if hours is None:
        return False
    opens, closes = (time.fromisoformat(part) for part in hours.split("-"))
    return opens <= local.time() < closes


def say_fact(
    value: Any,
    kind: FactKind,
    *,
    currency: str = "USD",
    today: date | None = None,
    locale: str = "en-US",
) -> str:
    """A fact as words of a sentence: `2026-06-04` is "Thursday, June 4" in the United States and
    "Thursday 4 June" elsewhere, 49.9 is "$49.90".

    A value that does not fit its kind is said as it stands.
    """
    if kind == "money":
        return _say_money(value, currency)
    if kind == "date":
        return _say_date(value, today, locale)
    if kind == "time" and isinstance(value, str):
        try:
            moment = time.fromisoformat(value)
        except ValueError:
            return value
        return moment.strftime("%I:%M %p").lstrip("0")
    if kind == "number" and isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def say_facts(facts: Mapping[str, Any], pack: Pack) -> dict[str, str]:
    """Every known fact as words, by the pack's kinds and currency."""
    today = facts.get("today")
    day = date.fromisoformat(today) if isinstance(today, str) else None
    locale = str(facts.get("locale", pack.locale))
    return {
        name: say_fact(value, pack.kind_of(name), currency=pack.currency, today=day, locale=locale)
        for name, value in facts.items()
        if value is not None
    }


def _say_money(value: Any, currency: str) -> str:
    text, _, named = str(value).partition(" ")
    code = named or currency
    try:
        amount = float(text)
    except ValueError:
        return str(value)
    figure = f"{amount:,.2f}".removesuffix(".00")
    return f"{_SYMBOLS[code]}{figure}" if code in _SYMBOLS else f"{figure} {code}"


def day_first(locale: str) -> bool:
    """Whether the day is said before the month: everywhere but in the United States."""
    return not locale.endswith("US")


def _say_date(value: Any, today: date | None, locale: str) -> str:
    try:
        day = date.fromisoformat(str(value)[:10])
    except ValueError:
        return str(value)
    other_year = today is not None and abs((day - today).days) > 300
    if day_first(locale):
        return f"{day:%A} {day.day} {day:%B}" + (f" {day.year}" if other_year else "")
    spoken = f"{day:%A}, {day:%B} {day.day}"
    if other_year:
        spoken += f", {day.year}"
    return spoken
