"""Recall and precision of redaction by entity, over 5,000 generated utterances.

    python benchmarks/redaction.py [--count 5000] [--seed 7] [--errors 0.1] [--dropped]
        [--misses 20]

Every utterance is made of one or two sentences with random values, typed or spoken the ways people
say them; a third hold no personal data but numbers that look like it (sums, dates, times,
quantities, order numbers). A finding counts when it overlaps the value and has its type; it must
cover the value whole. The generator and the redactor have the same author: on people's own speech
expect less, above all after a recogniser's errors.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from nlu.redaction import redact
from nlu.spoken.phones import is_card

ONES = "zero one two three four five six seven eight nine".split()
TEENS = "ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
FIRST = (
    "Jane Omar Priya Lukas Chen Maria Tomasz Aisha Diego Fatima Oliver Ingrid Kwame Yuki".split()
)
LAST = "Smyth Okafor Patel Novak Rivera Kowalski Haddad Svensson Tanaka Mbeki Doyle Fischer".split()
STREETS = "Maple Oak Elm King Church Victoria Lincoln Willow Cedar Washington".split()
KINDS = "Street Road Avenue Lane Boulevard Terrace".split()
HOSTS = "gmail hotmail outlook yahoo icloud example".split()
NATO = (
    "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike november oscar "
    "papa quebec romeo sierra tango uniform victor whiskey xray yankee zulu"
).split()


@dataclass(frozen=True)
class Utterance:
    """A text and the personal values in it: type, start, end."""

    text: str
    truth: tuple[tuple[str, int, int], ...]
    names: tuple[str, ...]
    spoken: bool


def two(number: int) -> str:
    if number < 10:
        return ONES[number]
    if number < 20:
        return TEENS[number - 10]
    return TENS[number // 10] + (f" {ONES[number % 10]}" if number % 10 else "")


def said(rng: random.Random, digits: str) -> str:
    """Digits as somebody reads them out."""
    words, at = [], 0
    style = rng.random()
    while at < len(digits):
        rest = digits[at:]
        if len(rest) > 2 and rest[0] == rest[1] == rest[2] and rng.random() < 0.4:
            words.append(f"triple {ONES[int(rest[0])]}")
            at += 3
        elif len(rest) > 1 and rest[0] == rest[1] and rng.random() < 0.5:
            words.append(f"double {ONES[int(rest[0])]}")
            at += 2
        elif style > 0.7 and len(rest) > 1 and rest[0] != "0" and rest[0] != "1":
            words.append(two(int(rest[:2])))
            at += 2
        else:
            zero = rng.choice(["zero", "oh"]) if rest[0] == "0" else ONES[int(rest[0])]
            words.append(zero)
            at += 1
        if rng.random() < 0.03:
            words.append(rng.choice(["uh", "um"]))
    while words and words[-1] in ("uh", "um"):
        words.pop()
    return " ".join(words)


def misheard(rng: random.Random, words: str, rate: float, dropped: bool) -> str:
    """Digits as a recogniser may write them: homophones and fillers at `rate`, and with
    `dropped` half as many words lost (never a first or last one: the value must keep its place)."""
    alike = {"four": "for", "two": "to", "eight": "ate", "one": "won", "three": "tree"}
    heard = []
    said = words.split()
    for place, word in enumerate(said):
        drawn = rng.random()
        if dropped and 0 < place < len(said) - 1 and rng.random() < rate / 2:
            continue
        heard.append(alike.get(word, word) if drawn < rate else word)
        if drawn > 1 - rate / 2:
            heard.append("uh")
    return " ".join(heard)


def grouped(rng: random.Random, digits: str, size: int = 4) -> str:
    mark = rng.choice([" ", "-", ""])
    return mark.join(digits[at : at + size] for at in range(0, len(digits), size))


def card(rng: random.Random, spoken: bool) -> tuple[str, str]:
    while True:
        digits = rng.choice("45") + "".join(rng.choice("0123456789") for _ in range(15))
        if is_card(digits):
            break
    value = said(rng, digits) if spoken else grouped(rng, digits)
    frame = rng.choice(
        [
            "my card number is {}",
            "it's {}",
            "the card is {}",
            "{}",
            "charge it to {} please",
            "my visa ends, well, it is {}",
        ]
    )
    return frame, value


def phone(rng: random.Random, spoken: bool) -> tuple[str, str]:
    area = rng.choice(["415", "212", "312", "617", "206", "303", "512", "702"])
    digits = area + str(rng.randint(201, 999)) + f"{rng.randint(0, 9999):04d}"
    if spoken:
        value = said(rng, digits)
        if rng.random() < 0.2:
            value = "plus one " + value
    else:
        a, b, c = digits[:3], digits[3:6], digits[6:]
        value = rng.choice(
            [
                f"({a}) {b}-{c}",
                f"{a}-{b}-{c}",
                f"{a} {b} {c}",
                f"+1 {a} {b} {c}",
                f"{a}.{b}.{c}",
                digits,
            ]
        )
    frame = rng.choice(
        [
            "call me on {}",
            "my number is {}",
            "you can reach me at {}",
            "my phone number is {}",
            "{} is my mobile",
            "text {} when it ships",
        ]
    )
    return frame, value


def email(rng: random.Random, spoken: bool) -> tuple[str, str]:
    first, last = rng.choice(FIRST).lower(), rng.choice(LAST).lower()
    host, number = rng.choice(HOSTS), str(rng.randint(1, 99))
    if not spoken:
        mark = rng.choice([".", "_", "-", ""])
        value = f"{first}{mark}{last}{rng.choice(['', number])}@{host}.com"
    else:
        mark = rng.choice([" dot ", " underscore ", " dash "])
        local = rng.choice(
            [
                f"{first}{mark}{last}",
                f"{first} {two(int(number))}",
                " ".join(last),
                f"{' '.join(first)}{mark}{last}",
                f"{first}",
            ]
        )
        value = f"{local} at {host} dot {rng.choice(['com', 'com', 'co dot uk', 'org'])}"
    frame = rng.choice(
        [
            "my email is {}",
            "it's {}",
            "send it to {} please",
            "{}",
            "the address is {}",
            "you have me as {}",
        ]
    )
    return frame, value


def account(rng: random.Random, spoken: bool) -> tuple[str, str]:
    digits = "".join(rng.choice("123456789") for _ in range(rng.choice([6, 8, 9, 10])))
    value = said(rng, digits) if spoken else rng.choice([digits, grouped(rng, digits)])
    frame = rng.choice(
        [
            "my account number is {}",
            "account {}",
            "the policy number is {}",
            "my customer number is {}",
            "it's account number {}",
        ]
    )
    return frame, value


def iban(rng: random.Random, spoken: bool) -> tuple[str, str]:
    bank = "".join(rng.choice("0123456789") for _ in range(18))
    check = 98 - int(bank + "131400") % 97
    plain = f"DE{check:02d}{bank}"
    if spoken:
        return rng.choice(["my iban is {}", "it's {}"]), f"d e {said(rng, plain[2:])}"
    return rng.choice(["my IBAN is {}", "pay to {}"]), grouped(rng, plain).replace("-", " ")


def address(rng: random.Random, spoken: bool) -> tuple[str, str]:
    number, street, kind = rng.randint(1, 999), rng.choice(STREETS), rng.choice(KINDS)
    if spoken:
        digits = str(number)
        house = two(number) if number < 100 else f"{ONES[int(digits[0])]} {two(int(digits[1:]))}"
        if number >= 100 and digits[1] == "0":
            tail = "hundred" if number % 100 == 0 else f"oh {ONES[number % 10]}"
            house = f"{ONES[int(digits[0])]} {tail}"
        value = f"{house} {street.lower()} {kind.lower()}"
        if rng.random() < 0.3:
            value += f" apartment {two(rng.randint(1, 40))}"
    else:
        value = f"{number} {street} {kind}"
        if rng.random() < 0.3:
            value += f", Apt {rng.randint(1, 40)}"
    return rng.choice(["I live at {}", "ship it to {}", "my address is {}", "{}"]), value


def name(rng: random.Random, spoken: bool) -> tuple[str, str]:
    first, last = rng.choice(FIRST), rng.choice(LAST)
    if not spoken:
        return rng.choice(["my name is {}", "This is {}", "it's for {}"]), f"{first} {last}"
    style = rng.random()
    if style < 0.4:
        return "my name is {}", f"{first} {last}".lower()
    if style < 0.7:
        return rng.choice(["it's spelled {}", "that is {}"]), " ".join(last.lower())
    return "it's {}", " ".join(NATO[ord(letter) - 97] for letter in last.lower())


MAKERS: dict[str, Callable[[random.Random, bool], tuple[str, str]]] = {
    "card": card,
    "phone": phone,
    "email": email,
    "account": account,
    "iban": iban,
    "address": address,
    "name": name,
}


def harmless(rng: random.Random, spoken: bool) -> str:
    n, m = rng.randint(2, 99), rng.randint(10, 99)
    day, month = rng.randint(1, 28), rng.choice("January March June September".split())
    order = "".join(rng.choice("0123456789") for _ in range(8))
    if spoken:
        return rng.choice(
            [
                f"I paid {two(n)} dollars and {two(m)} cents",
                f"it cost {two(n)} {two(m)}",
                f"I ordered {two(n)} pairs {two(rng.randint(2, 20))} weeks ago",
                f"it came on the third of {month.lower()} at half past {two(rng.randint(1, 12))}",
                f"the order number is {said(rng, order)}",
                f"between {two(rng.randint(1, 6))} and {two(rng.randint(7, 11))} o'clock please",
                f"that was {two(n)} minutes on hold for the {rng.choice(['second', 'third'])} time",
                "somebody at the store said it would be two to three days",
                f"there are {two(n)} people and {two(rng.randint(2, 9))} boxes in my street",
            ]
        )
    return rng.choice(
        [
            f"I paid ${n},{rng.randint(100, 999)}.{m} in total",
            f"The total was €{n}.{m}",
            f"It came on {day}/{rng.randint(1, 12)}/2026 at {rng.randint(1, 12)}:{m % 60:02d} pm",
            f"Order {order} never arrived",
            f"My order number is {order}, placed on {month} {day}, 2026",
            f"I bought {n} items, model {rng.randint(1000, 9999)}",
            f"It is {n}.{m} kg and {rng.randint(100, 300)} x {m} cm",
            f"I waited {n} minutes, then another {m}",
            f"Delivery between 2026-03-{day:02d} and 2026-04-{day:02d}",
            f"tracking number {order}{order[:4]} says delivered",
        ]
    )


def utterance(rng: random.Random, errors: float, dropped: bool = False) -> Utterance:
    spoken = rng.random() < 0.6
    lead = rng.choice(["", "hi ", "yes ", "okay so ", "um ", "well "])
    text, truth, names = lead, [], []
    if rng.random() < 0.34:
        text += harmless(rng, spoken)
    else:
        kind = rng.choice(list(MAKERS))
        frame, value = MAKERS[kind](rng, spoken)
        if spoken and errors and kind in ("card", "phone", "account", "iban"):
            value = misheard(rng, value, errors, dropped).removesuffix(" uh")
        before, after = frame.split("{}")
        start = len(text) + len(before)
        text += before + value + after
        truth.append((kind, start, start + len(value)))
        if kind == "name" and (frame.startswith("it's for") or rng.random() < 0.5):
            names.append(value.title() if " " in value and len(value.split()[0]) > 1 else "Al Ba")
    if rng.random() < 0.4:
        joint = ". " if not spoken else rng.choice([" and ", " but "])
        text += joint + harmless(rng, spoken)
    return Utterance(text, tuple(truth), tuple(names), spoken)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=5_000)
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--misses", type=int, default=0, help="show so many failures")
    options.add_argument("--errors", type=float, default=0.0, help="misheard digit words")
    options.add_argument("--dropped", action="store_true", help="and lose half as many words")
    chosen = options.parse_args()
    rng = random.Random(chosen.seed)
    right: Counter[tuple[str, bool]] = Counter()
    covered: Counter[tuple[str, bool]] = Counter()
    wanted: Counter[tuple[str, bool]] = Counter()
    found: Counter[tuple[str, bool]] = Counter()
    failures, spent = [], []
    for _ in range(chosen.count):
        one = utterance(rng, chosen.errors, chosen.dropped)
        began = time.process_time()
        result = redact(one.text, one.names)
        spent.append(time.process_time() - began)
        for kind, start, end in one.truth:
            wanted[kind, one.spoken] += 1
            overlapping = [span for span in result.spans if span.start < end and start < span.end]
            hidden = {at for span in overlapping for at in range(span.start, span.end)}
            whole = all(at in hidden or not one.text[at].isalnum() for at in range(start, end))
            covered[kind, one.spoken] += whole
            good = whole and any(span.type == kind for span in overlapping)
            right[kind, one.spoken] += good
            if not good:
                failures.append(("missed " + kind, one.text, result.text))
        for span in result.spans:
            found[span.type, one.spoken] += 1
            if not any(k == span.type and span.start < e and s < span.end for k, s, e in one.truth):
                failures.append(("wrong " + span.type, one.text, result.text))
    wrong = Counter(label for label, *_ in failures)
    print(f"{chosen.count} utterances, seed {chosen.seed}")
    print(f"{'entity':<9} {'form':<7} {'n':>5} {'removed':>8} {'recall':>7}    precision")
    for kind in MAKERS:
        for spoken in (False, True):
            n = wanted[kind, spoken]
            print(
                f"{kind:<9} {'spoken' if spoken else 'typed':<7} {n:>5} "
                f"{covered[kind, spoken] / n:>8.3f} {right[kind, spoken] / n:>7.3f}"
            )
        total = found[kind, False] + found[kind, True]
        print(f"{'':<42}    {1 - wrong['wrong ' + kind] / max(total, 1):.3f}")
    total = sum(found.values())
    mistaken = sum(count for label, count in wrong.items() if label.startswith("wrong"))
    print(
        f"all: removed {sum(covered.values()) / sum(wanted.values()):.4f}, "
        f"recall by type {sum(right.values()) / sum(wanted.values()):.4f}, "
        f"precision by type {1 - mistaken / total:.4f}"
    )
    spent.sort()
    print(
        f"CPU ms an utterance: p50 {spent[len(spent) // 2] * 1e3:.2f}, "
        f"p95 {spent[int(len(spent) * 0.95)] * 1e3:.2f}"
    )
    for label, text, redacted in failures[: chosen.misses]:
        print(f"{label}: {text!r} -> {redacted!r}")


if __name__ == "__main__":
    main()
