"""What a jurisdiction allows, as data (`regulations.yaml`), and how a call must open for it.

The table restates the project's notes on the EU AI Act, the GDPR, the UK GDPR, CCPA, BIPA and the
states' wiretapping laws: engineering defaults that fail closed, not legal advice.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dialogue.types import Purpose
from nlu.errors import AttuneError
from nlu.types import Grant

_TABLE = Path(__file__).with_name("regulations.yaml")
_CODE = re.compile(r"[A-Z]{2,3}(-[A-Z0-9]{1,3})?|UNKNOWN")


class Regime(StrEnum):
    """Under which condition a purpose is allowed; see the head of `regulations.yaml`."""

    OPT_IN = "opt_in"
    WRITTEN_RELEASE = "written_release"
    OPT_OUT = "opt_out"
    OBJECTION = "objection"
    NOTICE = "notice"
    ON = "on"
    OFF = "off"
    NEVER = "never"


ALLOWED_UNTIL_DENIED = frozenset({Regime.OPT_OUT, Regime.OBJECTION, Regime.NOTICE, Regime.ON})

Disclosure = Literal["required", "do", "notice", "on", "if_selling"]
Days = Annotated[int, Field(ge=0, le=3650)]


class Regulation(BaseModel):
    """One row of the table. `code` is what was asked for, `row` the row that answers it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    row: str
    code: str
    name: str
    disclose_assistant: Disclosure
    disclose_tone: Disclosure
    emotion_voice: Regime
    emotion_words: Regime
    emotion_agent: Literal["never"]
    keep_audio: Regime
    audio_retention_days: Days
    offers: Regime
    speaker_id: Literal["off"]
    store_text: Regime
    transcript_retention_days: Days
    contact_retention_days: Days
    rights_deadline_days: Annotated[int, Field(ge=1, le=60)]

    def regime(self, purpose: Purpose) -> Regime:
        """The regime that `purpose` stands under here."""
        match purpose:
            case Purpose.EMOTION_VOICE:
                return self.emotion_voice
            case Purpose.EMOTION_WORDS:
                return self.emotion_words
            case Purpose.OFFERS:
                return self.offers
            case Purpose.STORE_TEXT:
                return self.store_text
            case Purpose.STORE_AUDIO:
                return self.keep_audio


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rows: dict[str, dict[str, object]]
    codes: dict[str, list[str]]

    @model_validator(mode="after")
    def _complete(self) -> _Table:
        if "unknown" not in self.rows:
            raise ValueError("rows: 'unknown' is missing; every other code falls back to it")
        seen: dict[str, str] = {}
        for row, codes in self.codes.items():
            if row not in self.rows:
                raise ValueError(f"codes.{row}: there is no such row")
            for code in codes:
                if code in seen:
                    raise ValueError(f"codes.{row}: {code} is listed under {seen[code]} too")
                seen[code] = row
        return self


class Regulations:
    """Every row, found by code."""

    def __init__(self, rows: Mapping[str, Regulation], codes: Mapping[str, str]) -> None:
        self.rows = MappingProxyType(dict(rows))
        self.codes = MappingProxyType(dict(codes))

    def row(self, code: str | None) -> Regulation:
        """The row for an ISO 3166 code ("DE", "US-CA", ...), in either case.

        A subdivision falls back to its country; whatever is not in the table gets `unknown`.
        """
        asked = normalise_code(code)
        country = asked.partition("-")[0]
        name = self.codes.get(asked) or self.codes.get(country) or "unknown"
        return self.rows[name].model_copy(update={"code": asked if asked in self.codes else name})

    def knows(self, code: str) -> bool:
        """Whether a code, or its country, stands in the table (`unknown` does)."""
        asked = normalise_code(code)
        return asked == "UNKNOWN" or bool({asked, asked.partition("-")[0]} & set(self.codes))

    def require(self, code: str) -> Regulation:
        """As `row`, for what a user typed.

        Raises `AttuneError` when it does not look like a jurisdiction at all.
        """
        if not _CODE.fullmatch(normalise_code(code)):
            raise AttuneError(
                f"Jurisdiction '{code}': not a code; write a country (DE, GB), a US state (US-CA) "
                "or 'unknown'."
            )
        return self.row(code)


def normalise_code(code: str | None) -> str:
    """`us_ca` and `US-CA` are one code; nothing is `UNKNOWN`."""
    return (code or "").strip().upper().replace("_", "-") or "UNKNOWN"


def read(path: Path) -> Regulations:
    """The table in a file.

    Raises `AttuneError` naming the file and the field that is wrong.
    """
    try:
        table = _Table.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        rows = {
            name: Regulation.model_validate({**fields, "row": name, "code": name})
            for name, fields in table.rows.items()
        }
    except (OSError, yaml.YAMLError) as error:
        raise AttuneError(f"{path}: cannot be read as YAML ({error}); correct it.") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise AttuneError(f"{path}: {field or 'table'}: {first['msg']}; correct it.") from None
    codes = {code: name for name, listed in table.codes.items() for code in listed}
    return Regulations(rows, codes)


@functools.cache
def load() -> Regulations:
    """The shipped table."""
    return read(_TABLE)


def opening_disclosure(
    regulation: Regulation, grants: Mapping[str, Grant], business: str, *, recorded: bool = False
) -> list[str]:
    """What must be said before anything else, in this jurisdiction and with these grants.

    Tone is mentioned only when it may be analysed, and recording only when the audio is kept
    (`recorded`, which is not the default) and may be: each with the words that stop it.
    California asks the assistant to name itself when it may sell; every other row always.
    """
    sentences: list[str] = []
    if regulation.disclose_assistant != "if_selling" or Purpose.OFFERS in grants:
        sentences.append(f"You're speaking with {business}'s automated assistant.")
    if Purpose.EMOTION_VOICE in grants:
        sentences.append(
            "I also listen to your tone of voice; say 'don't analyse my voice' and I'll stop."
        )
    if recorded and Purpose.STORE_AUDIO in grants:
        sentences.append("This call is recorded; say 'forget this call' and nothing is kept.")
    return sentences
