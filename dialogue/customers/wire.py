"""The shape of a customer in an import file (JSON, YAML, or the flat columns of CSV)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from dialogue import regulation
from dialogue.customers.identifiers import normalise_email, normalise_phone, region_of
from dialogue.types import ConsentState, Flags, Purpose
from nlu.errors import AttuneError
from nlu.types import OTHER_INTENT

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=40)]
Short = Annotated[str, Field(max_length=100)]
DaysAgo = Annotated[float, Field(ge=0, le=36_500)]
Name = Annotated[str, Field(min_length=1, max_length=80)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Dated(_Part):
    """Something at a moment: `at` in ISO 8601, or `days_ago` before the import."""

    at: datetime | None = None
    days_ago: DaysAgo | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> _Dated:
        if (self.at is None) == (self.days_ago is None):
            raise ValueError("give either 'at' (ISO 8601) or 'days_ago'")
        return self

    def moment(self, now: datetime) -> datetime:
        """When it was."""
        return moment(self.at, self.days_ago, now)

    @property
    def stamp(self) -> str:
        """What tells it apart from its like, whenever it is imported."""
        return self.at.isoformat() if self.at else f"{self.days_ago:g} days ago"


class ContactIn(_Dated):
    """A past call."""

    intent: Name = OTHER_INTENT
    channel: Annotated[str, Field(min_length=1, max_length=20)] = "phone"
    outcome: Literal["resolved", "unresolved", "escalated", "abandoned"]
    summary: Annotated[str, Field(max_length=1000)] = ""


class ConsentIn(_Dated):
    """An entry of the consent ledger."""

    purpose: Purpose
    state: ConsentState
    wording_version: Word = "1"
    channel: Annotated[Word, Field(max_length=20)] = "import"
    evidence: Annotated[str, Field(max_length=500)] = ""


class CaseIn(_Part):
    """A matter, open unless it has a closing time; `promise` is what is still owed in it."""

    id: Annotated[str, Field(min_length=1, max_length=100)]
    subject: Annotated[str, Field(min_length=1, max_length=300)]
    intent: Name = OTHER_INTENT
    opened_at: datetime | None = None
    opened_days_ago: DaysAgo | None = None
    closed_at: datetime | None = None
    closed_days_ago: DaysAgo | None = None
    promise: Annotated[str, Field(max_length=500)] = ""

    @model_validator(mode="after")
    def _opened_once(self) -> CaseIn:
        if (self.opened_at is None) == (self.opened_days_ago is None):
            raise ValueError("give either 'opened_at' (ISO 8601) or 'opened_days_ago'")
        return self


class PromiseIn(_Dated):
    """Something promised; `kept` when it is done."""

    text: Annotated[str, Field(min_length=1, max_length=500)]
    case: Short = ""
    kept: bool = False


class OfferIn(_Dated):
    """An offer that was made."""

    offer: Name
    answer: Literal["", "accepted", "refused"] = ""


def _as_written(value: Any) -> Any:
    """An id of digits is a number to YAML and JSON."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _flags(value: Any) -> Any:
    """`[vip]` as `{vip: true}`."""
    if not isinstance(value, list):
        return value
    unknown = [name for name in value if name not in Flags.__dataclass_fields__]
    if unknown:
        raise ValueError(f"'{unknown[0]}' is no flag; use {', '.join(Flags.__dataclass_fields__)}")
    return dict.fromkeys(value, True)


class CustomerIn(_Part):
    """One customer of an import file.

    `consents` is a list of ledger entries, or `{purpose: state}` for consents that were all given
    at `consent_at` or `consent_days_ago` (without either: at the customer's first import).
    """

    id: Annotated[
        str,
        BeforeValidator(_as_written),
        Field(min_length=1, max_length=100, pattern=r"^[^\s].*$"),
    ]
    name: Annotated[str, Field(max_length=200)] = ""
    jurisdiction: str = "unknown"
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    locale: Annotated[str, Field(pattern=r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$")] = "en-US"
    flags: Annotated[Flags, BeforeValidator(_flags)] = Flags()
    attributes: dict[str, str] = Field(default_factory=dict)
    consents: tuple[ConsentIn, ...] | dict[Purpose, ConsentState] = ()
    consent_at: datetime | None = None
    consent_days_ago: DaysAgo | None = None
    consent_channel: Annotated[Word, Field(max_length=20)] = "import"
    consent_wording: Word = "1"
    cases: tuple[CaseIn, ...] = ()
    contacts: tuple[ContactIn, ...] = ()
    promises: tuple[PromiseIn, ...] = ()
    offers: tuple[OfferIn, ...] = ()

    @field_validator("jurisdiction")
    @classmethod
    def _known_code(cls, value: str) -> str:
        try:
            regulation.load().require(value)
        except AttuneError:
            raise ValueError(
                f"'{value}' is no jurisdiction; write DE, GB, US-CA or unknown"
            ) from None
        code = regulation.normalise_code(value)
        return "unknown" if code == "UNKNOWN" else code

    @field_validator("emails")
    @classmethod
    def _addresses(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(normalise_email(value) for value in values)

    @field_validator("phones")
    @classmethod
    def _numbers(cls, values: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """E.164; without a country code they are numbers of the customer's country."""
        region = region_of(info.data.get("jurisdiction", "unknown"))
        return tuple(normalise_phone(value, region) for value in values)

    def ledger(self) -> tuple[ConsentIn, ...]:
        """The consents as entries; an entry without a moment of its own has `days_ago` 0."""
        if not isinstance(self.consents, dict):
            return self.consents
        days_ago = self.consent_days_ago
        if self.consent_at is None and days_ago is None:
            days_ago = 0.0
        return tuple(
            ConsentIn(
                purpose=purpose,
                state=state,
                at=self.consent_at,
                days_ago=days_ago,
                channel=self.consent_channel,
                wording_version=self.consent_wording,
            )
            for purpose, state in self.consents.items()
        )


def moment(at: datetime | None, days_ago: float | None, now: datetime) -> datetime:
    """A moment given absolutely or as days before `now`; a naive one is UTC."""
    if at is None:
        return now - timedelta(days=days_ago or 0.0)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
