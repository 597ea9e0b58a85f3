"""Sentences of a service desk for training, put together from the parts in `service_texts.yaml`."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from nlu.emotion.phrase_bank import EMOTIONS, default_phrases
from nlu.training import texts as corpora
from nlu.types import Emotion

Rows = list[tuple[str, int]]

_HELD_OUT_EVERY = 7
_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")
_NOT_PLAIN = frozenset(
    {
        "thank_you", "report_fraud", "report_lost_card", "lost_luggage", "tell_joke", "fun_fact",
        "damaged_card", "account_blocked", "card_declined", "freeze_account", "are_you_a_bot",
        "compromised_card", "lost_or_stolen_card", "lost_or_stolen_phone", "card_swallowed",
        "card_payment_not_recognised", "cash_withdrawal_not_recognised",
        "transaction_charged_twice",
        "direct_debit_payment_not_recognised", "extra_charge_on_statement", "request_refund",
        "Refund_not_showing_up", "transfer_not_received_by_recipient", "failed_transfer",
        "wrong_amount_of_cash_received", "card_not_working", "virtual_card_not_working",
        "contactless_not_working", "why_verify_identity", "unable_to_verify_identity",
        "terminate_account", "top_up_failed", "top_up_reverted", "declined_transfer",
        "declined_card_payment", "declined_cash_withdrawal", "reverted_card_payment?",
        "beneficiary_not_allowed", "transfer_fee_charged", "cash_withdrawal_charge",
        "card_payment_fee_charged", "pin_blocked", "passcode_forgotten", "pending_transfer",
        "card_payment_wrong_exchange_rate", "wrong_exchange_rate_for_cash_withdrawal",
        "pending_top_up", "pending_card_payment", "pending_cash_withdrawal", "traffic",
        "balance_not_updated_after_bank_transfer", "meaning_of_life",
        "balance_not_updated_after_cheque_or_cash_deposit", "card_arrival",
    }
)  # fmt: skip
"""Intents of Banking77 and CLINC150 whose callers may well feel something."""


def sentences(seed: int, *, held_out: bool, each: int) -> Rows:
    """`each` sentences an emotion (more for neutral) with the number of their emotion.

    Every seventh part is kept for `held_out` sentences alone.
    """
    parts = _parts()
    chance = random.Random(seed + held_out)
    situations = _half(parts["situations"], held_out)
    openers = parts["politeness"]
    rows: Rows = []
    for emotion, said in parts["markers"].items():
        number = EMOTIONS.index(Emotion(emotion))
        markers = _half(said, held_out)
        alone = _half(parts["alone"][emotion], held_out)
        for _ in range(each):
            rows.append((_felt(markers, alone, situations, openers, chance), number))
    plain = _half(parts["neutral"], held_out)
    for _ in range(2 * each):
        text = chance.choice(situations if chance.random() < 0.6 else plain)
        if chance.random() < 0.35:
            text = f"{chance.choice(openers)} {text}"
        if chance.random() < 0.2:
            text = f"{text} and {chance.choice(situations)}"
        rows.append((_dressed(text, chance), 0))
    return rows


def filled(seed: int, each: int) -> Rows:
    """Up to `each` different sentences an emotion from the templates, their choices drawn.

    A sentence of `development` or `calibration` is never among them.
    """
    parts = _parts()
    slots: dict[str, list[str]] = parts["slots"]
    fitted = {corpora.speech_like(text) for text, _ in development() + calibration()}
    chance = random.Random(seed)
    rows: Rows = []
    for emotion, templates in parts["templates"].items():
        made = {
            fill(template, slots, chance)
            for at in range(2 * each)
            for template in [templates[at % len(templates)]]
        }
        kept = sorted(text for text in made if corpora.speech_like(text) not in fitted)
        chance.shuffle(kept)
        number = EMOTIONS.index(Emotion(emotion))
        rows += [(_dressed(text, chance), number) for text in kept[:each]]
    return rows


def fill(template: str, slots: Mapping[str, Sequence[str]], chance: random.Random) -> str:
    """`template` with each `[a|b]` and each `{slot}` replaced by one of its words."""
    chosen = _CHOICE.sub(lambda found: chance.choice(found[1].split("|")), template)
    said = _SLOT.sub(lambda found: chance.choice(slots[found[1]]), chosen)
    return " ".join(said.split())


def development() -> Rows:
    """Whole sentences written for Attune (`service_dev.tsv`), for fitting the blend alone."""
    return _whole("service_dev.tsv")


def calibration() -> Rows:
    """Others (`service_calibration.tsv`), for fitting the confidence alone."""
    return _whole("service_calibration.tsv")


def phrases() -> Rows:
    """The phrase bank that comes with Attune."""
    return [
        (phrase, EMOTIONS.index(emotion))
        for emotion, said in default_phrases().items()
        for phrase in said
    ]


def plain_requests(data: Path, split: str, seed: int, most: int) -> Rows:
    """Requests of Banking77 and CLINC150 that show no feeling."""
    pairs = corpora.banking77(data, split) + corpora.clinc150(data, split)
    found = [(text, 0) for text, intent in pairs if intent not in _NOT_PLAIN]
    random.Random(seed).shuffle(found)
    return found[:most]


def _whole(name: str) -> Rows:
    lines = (Path(__file__).parent / name).read_text("utf-8").splitlines()
    pairs = (line.split("\t") for line in lines)
    return [(text, EMOTIONS.index(Emotion(emotion))) for emotion, text in pairs]


def _parts() -> dict[str, Any]:
    text = (Path(__file__).parent / "service_texts.yaml").read_text("utf-8")
    parts: dict[str, Any] = yaml.safe_load(text)
    return parts


def _half(parts: Sequence[str], held_out: bool) -> list[str]:
    return [part for at, part in enumerate(parts) if (at % _HELD_OUT_EVERY == 3) == held_out]


def _felt(
    markers: Sequence[str],
    alone: Sequence[str],
    situations: Sequence[str],
    openers: Sequence[str],
    chance: random.Random,
) -> str:
    kind = chance.random()
    if kind < 0.25 and alone:
        text = chance.choice(alone)
    elif kind < 0.4:
        text = chance.choice(markers)
    elif kind < 0.75:
        between = chance.choice((" ", ", ", " and ", ". "))
        text = f"{chance.choice(situations)}{between}{chance.choice(markers)}"
    else:
        between = chance.choice((" ", ", ", ". ", " because "))
        text = f"{chance.choice(markers)}{between}{chance.choice(situations)}"
    if chance.random() < 0.15:
        text = f"{chance.choice(openers)} {text}"
    return _dressed(text, chance)


def _dressed(text: str, chance: random.Random) -> str:
    ending = chance.choice(("", "", ".", "!", "?"))
    return (text[0].upper() + text[1:] if chance.random() < 0.5 else text) + ending
