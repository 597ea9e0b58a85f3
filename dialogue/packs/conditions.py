"""The ground of the pack format: entries, conditions on facts, and placeholders in phrases."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Scalar = str | bool | int | float
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Entry(BaseModel):
    """What every entry of a pack is: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Test(Entry):
    """What a fact must be for a condition to hold; several keys must all hold."""

    __test__ = False

    is_: Scalar | tuple[Scalar, ...] | None = Field(None, alias="is")
    not_: Scalar | tuple[Scalar, ...] | None = Field(None, alias="not")
    at_least: float | None = None
    at_most: float | None = None
    known: bool | None = None

    def holds(self, value: Any) -> bool:
        """Whether `value` (None when unknown) passes; an unknown value passes only `known`
        and `not`."""
        if self.known is not None and self.known != (value is not None):
            return False
        if self.is_ is not None and value not in _as_tuple(self.is_):
            return False
        if self.not_ is not None and value in _as_tuple(self.not_):
            return False
        bounds = (self.at_least, self.at_most)
        if bounds == (None, None):
            return True
        if not isinstance(value, int | float):
            return False
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )


Condition = Mapping[str, Scalar | tuple[Scalar, ...] | Test]
"""Fact name -> the value it must have, the values it may have, or a `Test`. All must hold."""


def holds(condition: Condition, facts: Mapping[str, Any]) -> bool:
    """Whether every part of `condition` is true of `facts`; an empty condition holds."""
    return all(_passes(wanted, facts.get(name)) for name, wanted in condition.items())


def _passes(wanted: Scalar | tuple[Scalar, ...] | Test, value: Any) -> bool:
    return wanted.holds(value) if isinstance(wanted, Test) else value in _as_tuple(wanted)


def _as_tuple(value: Scalar | tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    return value if isinstance(value, tuple) else (value,)


def placeholders(text: str) -> frozenset[str]:
    """The names in braces within a phrase.

    Raises:
        ValueError: the braces do not match, or hold more than a name.
    """
    names = set()
    for _, name, spec, conversion in string.Formatter().parse(text):
        if name is None:
            continue
        if spec or conversion or not name.isidentifier():
            raise ValueError(f"'{{{name}}}' is no plain name in braces")
        names.add(name)
    return frozenset(names)
