"""The part of the pack format that names the business's systems and what to ask them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from dialogue.packs.conditions import Entry, Name


class Sql(Entry):
    """An operation of a `sqlite` connector. Parameters are `:name` of slots, facts and the
    always known ones; `:reference` is a short number made from the idempotency key."""

    select: str | None = None
    """Its first row's columns become facts (all rows, as `candidates`, where `many` is set)."""
    change: tuple[str, ...] = ()
    """Statements of one transaction, run before `select`."""
    nothing: Name | None = None
    """The problem when `select` finds no row, or the first change changed none."""
    many: bool = False


class Http(Entry):
    """An operation of an `http` connector."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    path: str
    """Appended to the connector's URL; `{name}` is replaced by an argument, quoted."""
    body: tuple[Name, ...] = ()
    """Arguments sent as a JSON object."""
    facts: Mapping[Name, str] = Field(default_factory=dict)
    """Fact -> where it stands in the JSON answer, with dots: `order.delivery.date`."""
    problems: Mapping[int, Name] = Field(default_factory=dict)
    """Status code -> problem."""


class SqliteConnector(Entry):
    """A database file that seeds itself from SQL in the pack on first use."""

    type: Literal["sqlite"]
    seed: str
    """A file of the pack; `day(-3)` in it is the date three days before the seeding."""
    reseed: Literal["never", "daily"] = "never"
    """A demonstration wants its dates fresh: `daily` starts over on the first use of a day."""


class HttpConnector(Entry):
    """A service of the business, called with signed requests."""

    type: Literal["http"]
    url: str = Field(pattern=r"^https?://")
    secret_env: str | None = None
    """The environment variable that holds the signing secret."""
    timeout_s: float = Field(2.0, gt=0, le=30)
    retries: int = Field(2, ge=0, le=5)
    idempotent: bool = False
    """The service honours the Idempotency-Key header, so that effects may be sent again."""


Connector = Annotated[SqliteConnector | HttpConnector, Field(discriminator="type")]
