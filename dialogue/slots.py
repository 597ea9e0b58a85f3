"""Filling slots: from what was said, from what is remembered, from the business's records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dialogue.answers import chosen_row, corrects, means_other
from dialogue.frames import Frame, Heard, Read, SlotValue, TaskState
from dialogue.packs.format import PackIntent, Slot, holds
from nlu.types import Entity

_ALSO: Mapping[str, tuple[str, ...]] = {
    "order_number": ("digits", "account_number"),
    "account_number": ("digits", "order_number"),
    "card_number": ("digits", "account_number", "order_number"),
    "digits": ("order_number", "account_number", "card_number"),
    "phone": ("digits",),
    "address": (),
}
"""Entity types that will do for a slot when nothing of its own type was said."""


@dataclass(frozen=True, slots=True)
class Filling:
    """The frame after the caller's values went in: what is new, replaced, or unusable."""

    frame: Frame
    new: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    unusable: tuple[str, ...] = ()

    @property
    def heard_something(self) -> bool:
        """Whether any value for this frame was said."""
        return bool(self.new or self.replaced or self.repeated)


def values_of(frame: Frame) -> dict[str, Any]:
    """The facts of a frame with its slots on top."""
    return {**frame.facts, **{name: slot.value for name, slot in frame.slots.items()}}


def fill(frame: Frame, intent: PackIntent, heard: Heard) -> Filling:
    """Put every fitting entity into its slot; the slot that was asked for chooses first.

    A value unlike the one known replaces it, and what was read with the old one is forgotten.
    """
    asked = frame.waiting.name if frame.waiting is not None else ""
    spoken = [entity for entity in heard.entities if entity.type != "yes_no"]
    slots = dict(frame.slots)
    new: list[str] = []
    replaced: list[str] = []
    repeated: list[str] = []
    unusable: list[str] = []
    for slot in sorted(intent.slots, key=lambda slot: slot.name != asked):
        found = _fitting(slot, spoken, asked == slot.name)
        if not found:
            continue
        spoken.remove(found[0])
        value = next((normal(slot, one) for one in found if usable(slot, normal(slot, one))), None)
        if value is None:
            unusable.append(slot.name)
            continue
        known = slots.get(slot.name)
        if known is not None and known.value.lower() == value.lower():
            repeated.append(slot.name)
            slots[slot.name] = replace(known, confirmed=True)
        else:
            (new if known is None else replaced).append(slot.name)
            slots[slot.name] = SlotValue(value, "caller")
    frame = replace(frame, slots=slots)
    if replaced:
        frame = replace(frame, facts={}, waiting=None, told=0)
    return Filling(frame, tuple(new), tuple(replaced), tuple(repeated), tuple(unusable))


def usable(slot: Slot, value: str) -> bool:
    """Whether a value has the form that the slot asks for."""
    return slot.pattern is None or re.fullmatch(slot.pattern, value) is not None


def normal(slot: Slot, entity: Entity) -> str:
    """An entity's value without the spaces and dashes of a number that was read out."""
    if slot.entity in {"order_number", "account_number", "card_number", "digits", "phone"}:
        return re.sub(r"[\s\-.#]", "", entity.value)
    return entity.value


def remember(state: TaskState, frame: Frame) -> Mapping[str, SlotValue]:
    """The call's values with this frame's on top."""
    return {**state.remembered, **frame.slots}


def recall(frame: Frame, intent: PackIntent, state: TaskState) -> Frame:
    """Fill empty slots with values given earlier in the call."""
    slots = dict(frame.slots)
    for slot in intent.slots:
        known = state.remembered.get(slot.name)
        if slot.name not in slots and known is not None and usable(slot, known.value):
            slots[slot.name] = known
    return replace(frame, slots=slots)


def needed(intent: PackIntent, frame: Frame, facts: Mapping[str, Any]) -> Slot | None:
    """The first slot that is needed now and still empty."""
    known = {**facts, **values_of(frame)}
    return next(
        (slot for slot in intent.slots if slot.name not in frame.slots and holds(slot.when, known)),
        None,
    )


def from_facts(frame: Frame, intent: PackIntent) -> Frame:
    """Fill empty slots from facts of the same name, as the records have them."""
    slots = dict(frame.slots)
    for slot in intent.slots:
        value = frame.facts.get(slot.name)
        if slot.name not in slots and value is not None and usable(slot, str(value)):
            slots[slot.name] = SlotValue(str(value), "record")
    return replace(frame, slots=slots)


def candidates(
    slot: Slot, frame: Frame, facts: Mapping[str, Any], read: Read
) -> list[dict[str, Any]]:
    """The rows that a known caller may mean, without those already refused."""
    if slot.found_by is None or not facts.get("identified"):
        return []
    rows = read(slot.found_by, {**facts, **values_of(frame)}).facts.get("candidates", ())
    return [row for row in rows if str(row.get(slot.name)) not in frame.refused]


def take(frame: Frame, slot: Slot, row: Mapping[str, Any], *, confirmed: bool = False) -> Frame:
    """Fill a slot from a candidate row; its other columns become facts."""
    value = SlotValue(str(row[slot.name]), "record", confirmed)
    return replace(
        frame,
        slots={**frame.slots, slot.name: value},
        facts={**frame.facts, **row},
        waiting=None,
    )


def renamed(
    frame: Frame, intent: PackIntent, heard: Heard, facts: Mapping[str, Any], read: Read
) -> Frame:
    """The frame with a remembered value replaced where the words name another record."""
    for slot in intent.slots:
        known = frame.slots.get(slot.name)
        if slot.found_by is None or known is None or known.value in _numbers(heard):
            continue
        rows = candidates(slot, frame, facts, read)
        row = chosen_row(heard, rows, by_place=False) if len(rows) > 1 else None
        if isinstance(row, dict) and str(row[slot.name]) != known.value:
            frame = take(replace(frame, facts={}, told=0), slot, row, confirmed=True)
    return frame


def _numbers(heard: Heard) -> frozenset[str]:
    return frozenset(re.sub(r"[\s\-.#]", "", entity.value) for entity in heard.entities)


def named_row(heard: Heard, rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The candidate that the caller's words name: "the kettle", "the second one"."""
    row = chosen_row(heard, rows)
    return row if isinstance(row, dict) else None


def not_that_one(frame: Frame, intent: PackIntent, heard: Heard) -> tuple[Frame, Slot] | None:
    """The frame after "no, the other one": the value taken from the records is refused."""
    if not (means_other(heard) or (corrects(heard) and "not that" in heard.text.lower())):
        return None
    for slot in intent.slots:
        known = frame.slots.get(slot.name)
        if slot.found_by is not None and known is not None:
            slots = {name: value for name, value in frame.slots.items() if name != slot.name}
            refused = frame.refused | {known.value}
            return replace(
                frame, slots=slots, refused=refused, facts={}, waiting=None, told=0
            ), slot
    return None


def _fitting(slot: Slot, spoken: list[Entity], asked: bool) -> list[Entity]:
    """Entities for a slot, those of its own type first; others only for the slot asked for, or
    where a pattern tells that they fit."""
    own = [entity for entity in spoken if entity.type == slot.entity]
    if own or not (asked or slot.pattern):
        return own
    accepted = _ALSO.get(slot.entity, ())
    return [
        entity
        for entity in spoken
        if entity.type in accepted and (asked or usable(slot, normal(slot, entity)))
    ]
