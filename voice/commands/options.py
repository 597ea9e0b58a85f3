"""Options that several commands share, and what is made of them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from voice.engines import CallerIdentity, Engines


class RecognizerKind(StrEnum):
    """Which recogniser to use."""

    AUTO = "auto"
    WHISPER = "whisper"
    SPHINX = "sphinx"


CustomerOption = Annotated[str | None, typer.Option(help="Who is calling, by customer id.")]
PhoneOption = Annotated[str | None, typer.Option(help="The number that is calling.")]
PackOption = Annotated[str | None, typer.Option(help="Pack name or folder.")]
JurisdictionOption = Annotated[
    str | None, typer.Option(help="Code such as DE, UK, US-CA; the customer's otherwise.")
]
ConsentOption = Annotated[
    list[str] | None, typer.Option(help="PURPOSE=granted|denied; may be repeated.")
]
RecognizerOption = Annotated[
    RecognizerKind | None, typer.Option(help="Speech recogniser; auto picks by what is here.")
]
TurnsAsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON object for each turn, nothing else.")
]


def caller_identity(
    customer: str | None,
    phone: str | None,
    jurisdiction: str | None,
    consent: Sequence[str] | None,
) -> CallerIdentity:
    """Who calls, from the options.

    Raises `AttuneError` for a consent that is none and a number that no telephone can have.
    """
    from dialogue.customers.consent import parse_consents
    from dialogue.customers.identifiers import normalise_phone
    from nlu.errors import AttuneError
    from voice.engines import CallerIdentity

    warn_of_jurisdiction(jurisdiction)
    if phone is not None:
        try:
            normalise_phone(phone)
        except ValueError as error:
            raise AttuneError(
                f"--phone: {error}; give it with its country code, as in +1 202 555 0143."
            ) from None
    return CallerIdentity(
        customer=customer,
        phone=phone,
        jurisdiction=jurisdiction,
        consents=parse_consents(consent or []),
    )


def in_the_table(code: str | None) -> bool:
    """Whether the rules of a jurisdiction are known; of none given, nothing is to be said.

    Raises `AttuneError` when it does not look like a code at all.
    """
    from dialogue.regulation import load

    if code is None:
        return True
    load().require(code)
    return load().knows(code)


def warn_of_jurisdiction(code: str | None) -> None:
    """Say that a code is not in the table: a slip of the pen closes every gate.

    Raises `AttuneError` when it does not look like a code at all.
    """
    if not in_the_table(code):
        print(  # noqa: T201
            f"attune: --jurisdiction '{code}': not in the table, so the strictest rules hold; "
            "write a country (DE, GB) or a US state (US-CA) if it is one.",
            file=sys.stderr,
        )


def open_engines(pack: str | None, recognizer: RecognizerKind | None) -> closing[Engines]:
    """The engines of the settings with the pack and the recogniser of the options."""
    from voice.engines import Engines
    from voice.settings import load

    kind: Literal["auto", "whisper", "sphinx"] | None = recognizer.value if recognizer else None
    return closing(Engines.open(load(), pack=pack, recognizer=kind))
