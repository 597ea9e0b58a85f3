"""A situation described from outside, field by field: one line of `attune decide --jsonl`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from dialogue.types import ConsentState, Fault, Purpose, Severity
from nlu.errors import AttuneError
from nlu.types import ConflictKind, Emotion, Intensity

Probability = Annotated[float, Field(ge=0, le=1)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class History(_Part):
    """What is known of earlier contacts."""

    repeat_contacts_30d: Annotated[int, Field(ge=0)] | Mapping[str, int] | None = None
    open_case: bool | None = None
    prior_escalation: bool | None = None


class FlagsGiven(_Part):
    """What the business knows of the customer's needs."""

    vulnerable: bool | None = None
    prefers_brief: bool | None = None
    vip: bool | None = None


class Question(_Part):
    """A described situation; every field may be left out. `id` comes back with the answer."""

    id: str | int | None = None
    text: str | None = None
    emotion: Mapping[Emotion, Probability] | None = None
    source: Literal["voice", "words", "fused"] = "fused"
    intensity: Intensity | None = None
    confidence: Probability | None = None
    conflict: ConflictKind | bool | None = None
    intent: str | None = None
    severity: Severity | None = None
    fault: Fault | None = None
    failed_turns: Annotated[int, Field(ge=0)] | None = None
    resolved: bool | None = None
    history: History = History()
    flags: FlagsGiven = FlagsGiven()
    consent: Mapping[Purpose, ConsentState] = Field(default_factory=dict)
    jurisdiction: str | None = None
    customer: str | None = None

    @field_validator("conflict", mode="before")
    @classmethod
    def _kind(cls, value: Any) -> Any:
        # `attune understand` prints a conflict as an object; its kind is what counts here.
        return value.get("kind", True) if isinstance(value, Mapping) else value

    @field_validator("emotion", mode="before")
    @classmethod
    def _probabilities(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {value: 1.0}
        if isinstance(value, Mapping) and "probabilities" in value:
            return value["probabilities"]
        return value

    @field_validator("consent", mode="before")
    @classmethod
    def _states(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        words = {True: ConsentState.GRANTED, False: ConsentState.DENIED, None: ConsentState.UNKNOWN}
        return {
            purpose: words[state] if state is None or isinstance(state, bool) else state
            for purpose, state in value.items()
        }

    @field_validator("history", "flags", "consent", mode="before")
    @classmethod
    def _nothing(cls, value: Any) -> Any:
        return {} if value is None else value


def read(fields: Mapping[str, Any], where: str) -> Question:
    """A question from plain values.

    Raises:
        AttuneError: naming `where`, the field, what is wrong with it, and what it takes.
    """
    try:
        return Question.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        # Pydantic names the arms of a union within the place; an author knows fields only.
        names = [str(part) for part in first["loc"] if not set("[-") & set(str(part))]
        field = ".".join(name for name in names if name not in _UNION_ARMS) or "the line"
        if first["type"] == "extra_forbidden":
            known = ", ".join(Question.model_fields)
            message = f"there is no such field; use {known}"
        else:
            given = first.get("input")
            wrong = first["msg"].replace("dictionary", "object")
            message = f"{wrong[:1].lower()}{wrong[1:]}, not {given!r}"
        raise AttuneError(f"{where}: {field}: {message}.") from None


_UNION_ARMS = frozenset({"bool", "int", "str"})
