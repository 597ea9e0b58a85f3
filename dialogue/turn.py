"""What every pass over a task needs: the facts of the moment, and parts of the reply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from dialogue.actions import relevance
from dialogue.answers import mentions
from dialogue.frames import Frame, Heard, Part, Read, Step, TaskState
from dialogue.packs.facts import say_facts, standing_facts
from dialogue.packs.format import Option, Pack, PackIntent, Slot, holds, placeholders
from dialogue.slots import remember, values_of
from dialogue.types import CustomerContext, Fault, Severity

Role = Literal["answer", "act", "question", "options"]


class Turn:
    """One turn of the caller's as it is worked out: inputs, and the parts of the reply so far.

    Lives for a single call of `tasks.advance` or `tasks.finish`.
    """

    def __init__(
        self,
        state: TaskState,
        heard: Heard,
        pack: Pack,
        context: CustomerContext,
        now: datetime,
        read: Read,
        turn_key: str,
    ) -> None:
        self.state = state
        self.heard = heard
        self.pack = pack
        self.context = context
        self.now = now
        self.read = read
        self.turn_key = turn_key
        self.parts: list[Part] = []
        self.took: str | None = None

    def say(
        self,
        role: Role,
        move: str,
        frame: Frame,
        *,
        slot: str | None = None,
        action: str | None = None,
        problem: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a part to the reply; `took` only where the pack has words for it."""
        part = self.part(role, move, frame, slot=slot, action=action, problem=problem, extra=extra)
        if move == "took" and not self.pack.phrases_for(
            move, intent=frame.intent, slot=slot, facts=part.facts
        ):
            return
        self.parts.append(part)

    def part(
        self,
        role: Role,
        move: str,
        frame: Frame,
        *,
        slot: str | None = None,
        action: str | None = None,
        problem: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Part:
        """A part with the facts of the frame, its value to read back, and `extra` ones."""
        facts = {**self.facts(frame), **(extra or {})}
        if slot is not None and slot in frame.slots:
            facts["value"] = frame.slots[slot].value
        return Part(role, move, frame.intent, slot, action, problem, facts)

    def say_took(self, frame: Frame) -> None:
        """Say which record was taken, once."""
        if self.took is not None and frame.told == 0:
            self.say("answer", "took", frame, slot=self.took)
            self.took = None

    def repeat_question(self, frame: Frame, move: str = "again") -> None:
        """Ask once more what the frame waits for; `move` words a slot's question."""
        waiting = frame.waiting
        if waiting is None:
            return
        if waiting.kind == "slot":
            self.say("question", move, frame, slot=waiting.name)
        elif waiting.kind == "choose":
            slot = slot_of(self.pack.intents[frame.intent], waiting.name)
            named = [self.fill(slot.choice, row) for row in waiting.choices] if slot else []
            choices = {"choices": listed(named, "or")}
            self.say("question", "choose", frame, slot=waiting.name, extra=choices)
        elif waiting.kind == "read_back":
            self.say("question", "read_back", frame, slot=waiting.name)
        elif waiting.kind == "confirm":
            self.say_confirm(frame, waiting.name)
        else:
            self.say_options(frame)

    def say_confirm(self, frame: Frame, action: str) -> None:
        """Ask whether to carry out an action, in its own words or in general ones."""
        proposal = self.fill(self.pack.actions[action].does, self.facts(frame))
        self.say("question", "confirm", frame, action=action, extra={"proposal": proposal})

    def asking(self, frame: Frame, extra: Mapping[str, Any] | None = None) -> Step:
        """A step with the parts so far and this frame on top."""
        facts = {**self.facts(frame), **(extra or {})}
        intent = self.pack.intents[frame.intent]
        return Step(
            state=replace(self.with_frame(frame), failed_turns=0),
            intent=frame.intent,
            parts=tuple(self.parts),
            facts=facts,
            expects=self.expects(frame),
            fault=_first(intent.fault_when, facts, intent.fault),
            severity=_first(intent.severity_when, facts, intent.severity),
        )

    def lost(self, step: Step) -> Step:
        """A turn that brought the caller no further."""
        failed = replace(step.state, failed_turns=self.state.failed_turns + 1)
        return replace(step, state=failed, failed=True)

    def expects(self, frame: Frame) -> frozenset[str]:
        """What an answer to the open question may be."""
        waiting = frame.waiting
        if waiting is None:
            return frozenset()
        if waiting.kind in {"confirm", "read_back"}:
            return frozenset({"yes_no"})
        if waiting.kind == "options":
            return frozenset({"yes_no"}) if len(waiting.choices) == 1 else frozenset()
        slot = slot_of(self.pack.intents[frame.intent], waiting.name)
        only = waiting.kind == "choose" and len(waiting.choices) == 1
        if slot is None:
            return frozenset()
        return frozenset({slot.entity, "yes_no"}) if only else frozenset({slot.entity})

    def names_another(self, known: str) -> bool:
        """Whether the caller's words name a thing of the trade, and none that is `known`: "yes,
        the blender" is no yes to a refund for the coat."""
        said = self.heard.text.lower()
        named = [thing for thing in self.pack.things if mentions(said, thing)]
        return bool(named) and not any(mentions(known, thing) for thing in named)

    def mended_by(self, frame: Frame, action: str, problem: str | None) -> str | None:
        """The slot of this matter that is asked again after a problem of an action."""
        slot = self.pack.actions[action].corrects.get(problem or "")
        return slot if slot and slot_of(self.pack.intents[frame.intent], slot) else None

    def with_frame(self, frame: Frame) -> TaskState:
        """The state with this frame on top."""
        others = tuple(one for one in self.state.frames if one.intent != frame.intent)
        return TaskState((*others, frame), self.state.failed_turns, remember(self.state, frame))

    def emptied(self, frame: Frame, slot: str) -> Frame:
        """The frame and the call without a value that turned out wrong."""
        remembered = {name: v for name, v in self.state.remembered.items() if name != slot}
        self.state = replace(self.state, remembered=remembered)
        left = {n: v for n, v in frame.slots.items() if n != slot}
        return replace(frame, slots=left, facts={}, told=0)

    def facts(self, frame: Frame | None, intent: str | None = None) -> dict[str, Any]:
        """The standing facts with those of a frame; `intent` names the matter without one."""
        name = frame.intent if frame is not None else intent
        facts = standing_facts(self.pack, self.context, self.now, name)
        if frame is not None:
            facts |= values_of(frame)
            facts["times_told"] = frame.told
        return facts

    def fill(self, text: str, facts: Mapping[str, Any]) -> str:
        """A pack's text with facts in it, as words."""
        return text.format_map(_Words(say_facts({**self.facts(None), **facts}, self.pack)))

    def options(self, frame: Frame) -> list[Option]:
        """The choices that are open now."""
        intent = self.pack.intents[frame.intent]
        facts = self.facts(frame)
        return [
            option
            for option in intent.options
            if option.action not in (*frame.done, *frame.refused)
            and holds(option.when, facts)
            and placeholders(option.title) <= facts.keys()
            and relevance(self.pack, option.action, frame.intent, facts, self.context).addressed
        ]

    def say_options(self, frame: Frame) -> Mapping[str, Any]:
        """Name the choices; returns the facts that were made for it."""
        options = self.options(frame)
        titles = [self.fill(option.title, self.facts(frame)) for option in options]
        extra = {"options": listed(titles, "or"), "option_count": len(options)}
        self.say("options", "options", frame, extra=extra)
        return extra


def known_of(frame: Frame) -> str:
    """Everything that is known of a matter, as one text in lower case."""
    return " ".join(str(value) for value in frame.facts.values()).lower()


class _Words(dict[str, str]):
    """Facts as words; one that is unknown is named instead: "the new date"."""

    def __missing__(self, name: str) -> str:
        return f"the {name.replace('_', ' ')}"


def slot_of(intent: PackIntent, name: str) -> Slot | None:
    """The slot of that name, if the intent has it."""
    return next((slot for slot in intent.slots if slot.name == name), None)


def listed(items: Sequence[str], word: str) -> str:
    """`a`, `a or b`, `a, b, or c`; a comma where an item has one of its own."""
    if len(items) < 2:
        return "".join(items)
    comma = "," if len(items) > 2 or any("," in item for item in items) else ""
    return f"{', '.join(items[:-1])}{comma} {word} {items[-1]}"


def _first(table: Mapping[Any, Any], facts: Mapping[str, Any], default: Fault | Severity) -> Any:
    return next((name for name, when in table.items() if holds(when, facts)), default)
