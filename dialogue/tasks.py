"""Tasks: what the caller wants, what is still missing, what to confirm, what to carry out.

`advance` and `finish` are pure: they read through the function that they are given and return a
`Step` with the next state; nothing changes until the conversation carries the effects out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from dialogue import slots as filling
from dialogue.actions import effect_of, relevance
from dialogue.answers import chosen_option, corrects, mentions, yes_or_no
from dialogue.connectors.protocol import UNAVAILABLE, UNKNOWN_RESULT
from dialogue.frames import Frame, Heard, Part, Read, SlotValue, Step, TaskState, Waiting
from dialogue.packs.facts import say_facts, standing_facts
from dialogue.packs.format import Option, Pack, PackIntent, Slot, holds
from dialogue.types import CustomerContext, EffectResult, Fault, Reason, Severity
from nlu.types import OTHER_INTENT

_UNSURE_BELOW = 0.5
"""Below this intent score the answer is followed by the question whether it was one."""
_MOST_ROUNDS = 4
"""Reads may reveal that another slot is needed; a pack never needs more rounds than this."""
HUMAN_NEEDED = frozenset({UNKNOWN_RESULT, "needs_identified"})
"""Problems that only a person can take further."""


def advance(
    state: TaskState,
    heard: Heard,
    pack: Pack,
    context: CustomerContext,
    now: datetime,
    read: Read,
    turn_key: str = "",
) -> Step:
    """One turn of the caller's, as far as tasks go.

    `read` carries out read actions (`Actions.reader`); `turn_key` names call and turn, and makes
    the idempotency keys of the step's effects.
    """
    return _Turn(state, heard, pack, context, now, read, turn_key).step()


def finish(
    step: Step,
    results: Sequence[EffectResult],
    pack: Pack,
    context: CustomerContext,
    now: datetime,
    read: Read,
) -> Step:
    """The step after its effects were carried out: what really happened, and what comes next."""
    turn = _Turn(step.state, Heard(step.intent), pack, context, now, read, "")
    return turn.outcome(step, results)


class _Turn:
    """One pass over the frames; lives for a single call of `advance` or `finish`."""

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
        self.reasons: list[Reason] = []
        self.took: str | None = None

    # --- the course of a turn ---------------------------------------------------------------

    def step(self) -> Step:
        active = self.state.active
        if active is not None:
            answered = self._respond(active)
            if answered is not None:
                return answered
        corrected = self._correction()
        if corrected is not None:
            return self._settle(corrected)
        if self.heard.intent in self.pack.intents:
            return self._begin(self.heard.intent)
        if active is not None and active.waiting is not None:
            return self._ask_again(active)
        if yes_or_no(self.heard) is not None or self.heard.signals & {"thanks", "goodbye"}:
            return Step(self.state, facts=self._facts(None))
        return self._lost(Step(self.state, understood=False, facts=self._facts(None)))

    def outcome(self, step: Step, results: Sequence[EffectResult]) -> Step:
        frame = self.state.active
        if frame is None or not results:
            return step
        parts = list(step.parts)
        failed = needs_human = resolved = False
        for result in results:
            action = result.effect.action
            entry = self.pack.actions[action]
            if result.succeeded:
                frame = replace(
                    frame, facts={**frame.facts, **result.facts}, done=(*frame.done, action)
                )
                resolved = resolved or entry.resolves
                parts.append(self._part("act", "done", frame, action=action))
                continue
            failed = True
            problem = result.problem or UNAVAILABLE
            needs_human = needs_human or problem in HUMAN_NEEDED
            parts.append(self._part("act", "problem", frame, action=action, problem=problem))
            slot_name = entry.corrects.get(problem)
            if slot_name is not None:
                frame = self._emptied(frame, slot_name)
                frame = replace(frame, waiting=Waiting("slot", slot_name))
                parts.append(self._part("question", "again", frame, slot=slot_name))
        frame = replace(frame, status="resolved" if resolved and not failed else "open")
        state = self._with(frame)
        done = replace(
            step,
            state=replace(state, failed_turns=step.state.failed_turns + 1 if failed else 0),
            parts=tuple(parts),
            facts=self._facts(frame),
            effects=(),
            failed=failed,
            resolved=frame.status == "resolved",
            needs_human=needs_human,
            expects=self._expects(frame),
        )
        return self._resumed(done) if done.resolved else done

    # --- answers to a question ----------------------------------------------------------------

    def _respond(self, frame: Frame) -> Step | None:
        """The caller's words as an answer to what was asked; None when they are about
        something else."""
        intent = self.pack.intents[frame.intent]
        other = filling.not_that_one(frame, intent, self.heard)
        if other is not None:
            return self._settle(other[0])
        filled = filling.fill(frame, intent, self.heard)
        if filled.replaced:
            return self._settle(filled.frame)
        if frame.waiting is None:
            return self._settle(filled.frame) if filled.new and not self._elsewhere(frame) else None
        if self._elsewhere(frame) and not (filled.new and frame.waiting.name in filled.new):
            return None
        handler = {
            "slot": self._slot_answer,
            "choose": self._choice_answer,
            "read_back": self._read_back_answer,
            "confirm": self._confirm_answer,
            "options": self._options_answer,
        }[frame.waiting.kind]
        return handler(frame, intent, filled)

    def _elsewhere(self, frame: Frame) -> bool:
        """Whether the words open another matter rather than answer this one."""
        said = self.heard.intent
        if said == OTHER_INTENT or said not in self.pack.intents or said == frame.intent:
            return False
        if said in self.pack.intents[frame.intent].covers:
            return False
        if self.pack.intents[said].small_talk:
            return False
        if yes_or_no(self.heard) is not None and frame.waiting is not None:
            return frame.waiting.kind not in {"confirm", "read_back"}
        if frame.waiting is not None and frame.waiting.kind == "options":
            return chosen_option(self.heard, self._options(frame)) is None
        return True

    def _slot_answer(self, frame: Frame, intent: PackIntent, filled: filling.Filling) -> Step:
        if filled.new:
            return self._settle(filled.frame)
        return self._ask_again(frame)

    def _choice_answer(self, frame: Frame, intent: PackIntent, filled: filling.Filling) -> Step:
        waiting = frame.waiting
        if filled.new or waiting is None:
            return self._settle(filled.frame)
        rows = [dict(row) for row in waiting.choices]
        row = filling.named_row(self.heard, rows)
        slot = _slot(intent, waiting.name)
        if row is None or slot is None:
            return self._ask_again(frame)
        return self._settle(filling.take(frame, slot, row, confirmed=True))

    def _read_back_answer(self, frame: Frame, intent: PackIntent, filled: filling.Filling) -> Step:
        waiting = frame.waiting
        name = waiting.name if waiting is not None else ""
        said = yes_or_no(self.heard)
        if said or name in filled.repeated:
            slots = {**frame.slots, name: replace(frame.slots[name], confirmed=True)}
            return self._settle(replace(frame, slots=slots, waiting=None))
        if said is False:
            frame = self._emptied(frame, name)
            frame = replace(frame, waiting=Waiting("slot", name))
            self._say("question", "again", frame, slot=name)
            return self._lost(self._asking(frame))
        return self._ask_again(frame)

    def _confirm_answer(self, frame: Frame, intent: PackIntent, filled: filling.Filling) -> Step:
        waiting = frame.waiting
        action = waiting.name if waiting is not None else ""
        entry = self.pack.actions[action]
        said = yes_or_no(self.heard)
        if said is None and any(mentions(self.heard.text, cue) for cue in entry.agree):
            said = True
        if said:
            return self._carry_out(replace(filled.frame, waiting=None), action)
        if said is False:
            return self._decline(frame, action)
        if filled.repeated and not self._must_confirm(filled.frame, action):
            return self._carry_out(replace(filled.frame, waiting=None), action)
        if filled.heard_something:
            return self._confirm(filled.frame, action)
        return self._ask_again(frame)

    def _options_answer(self, frame: Frame, intent: PackIntent, filled: filling.Filling) -> Step:
        options = self._options(frame)
        option = chosen_option(self.heard, options)
        if option is not None:
            return self._propose(filled.frame, option.action)
        if yes_or_no(self.heard) is False:
            return self._decline(frame, *(each.action for each in options))
        if filled.heard_something:
            return self._offer_options(filled.frame)
        return self._ask_again(frame)

    # --- beginning and returning --------------------------------------------------------------

    def _correction(self) -> Frame | None:
        """The last matter with another value in it: "sorry, 4571", "no, the other one"."""
        if not self.state.frames or self.heard.intent in self._new_matters():
            return None
        last = self.state.frames[-1]
        intent = self.pack.intents[last.intent]
        other = filling.not_that_one(last, intent, self.heard)
        if other is not None:
            return replace(other[0], status="open")
        filled = filling.fill(last, intent, self.heard)
        if not filled.replaced or not (corrects(self.heard) or self.heard.intent == OTHER_INTENT):
            return None
        return replace(filled.frame, status="open", done=())

    def _new_matters(self) -> set[str]:
        last = self.state.frames[-1]
        same = {last.intent, *self.pack.intents[last.intent].covers, OTHER_INTENT}
        return {name for name in self.pack.intents if name not in same}

    def _begin(self, name: str) -> Step:
        """A new matter, a paused one again, or the same one once more."""
        if self.pack.intents[name].small_talk:
            return self._small_talk(name)
        paused = next(
            (f for f in reversed(self.state.frames) if f.intent == name and f.status == "open"),
            None,
        )
        last = self.state.frames[-1] if self.state.frames else None
        if paused is not None:
            frame = replace(paused, waiting=None)
        elif last is not None and self._belongs(name, last):
            frame = replace(last, status="open", waiting=None, facts={})
        else:
            frame = Frame(name)
        frame = filling.fill(frame, self.pack.intents[frame.intent], self.heard).frame
        frame = filling.recall(frame, self.pack.intents[frame.intent], self.state)
        for other in self.heard.also:
            self._put_aside(other, frame.intent)
        return self._settle(frame)

    def _belongs(self, name: str, last: Frame) -> bool:
        if last.status == "dropped":
            return False
        return name == last.intent or name in self.pack.intents[last.intent].covers

    def _put_aside(self, name: str, current: str) -> None:
        """A second matter of the same breath waits below the first."""
        entry = self.pack.intents.get(name)
        if entry is None or entry.small_talk or name == current:
            return
        if all(frame.intent != name for frame in self.state.frames):
            aside = filling.fill(Frame(name), entry, self.heard).frame
            self.state = replace(self.state, frames=(aside, *self.state.frames))

    def _small_talk(self, name: str) -> Step:
        facts = self._facts(None, name)
        active = self.state.active
        part = Part("answer", "answer", name, facts=facts)
        parts = [part] if self.pack.phrases_for("answer", intent=name, facts=facts) else []
        step = Step(
            self.state, name, tuple(parts), facts, severity=self.pack.intents[name].severity
        )
        if active is not None and active.waiting is not None and name != "goodbye":
            self.parts = []
            self._repeat_question(active)
            return replace(
                self._asking(active), parts=tuple(self.parts), intent=active.intent, understood=True
            )
        return step

    def _resumed(self, step: Step) -> Step:
        """After a matter is settled, the one that was put aside for it goes on."""
        paused = step.state.active
        if paused is None:
            return step
        self.state = step.state
        self.parts = [self._part("question", "back_to", paused)]
        if paused.waiting is not None:
            self._repeat_question(paused)
            following = self._asking(paused)
        else:
            following = self._settle(paused, resuming=True)
        return replace(
            step,
            state=replace(following.state, failed_turns=0),
            parts=(*step.parts, *self.parts),
            effects=(*step.effects, *following.effects),
            expects=following.expects,
        )

    # --- settling a frame -----------------------------------------------------------------------

    def _settle(self, frame: Frame, *, resuming: bool = False) -> Step:
        """Fill, read, and go as far as this turn can: ask, confirm, carry out, or answer."""
        frame = replace(frame, status="open", waiting=None)
        for _ in range(_MOST_ROUNDS):
            intent = self.pack.intents[frame.intent]
            slot = filling.needed(intent, frame, self._facts(frame))
            if slot is not None:
                frame, asking = self._seek(frame, slot)
                if asking is not None:
                    return asking
                continue
            unread = self._unconfirmed_reading(frame, intent)
            if unread is not None:
                return self._read_back(frame, unread)
            frame, problem = self._read_all(frame, intent)
            if problem is not None:
                return self._read_problem(frame, *problem)
            frame = filling.from_facts(frame, intent)
            if filling.needed(intent, frame, self._facts(frame)) is None:
                break
        unread = self._unconfirmed_reading(frame, intent)
        if unread is not None:
            return self._read_back(frame, unread)
        return self._serve(frame, intent, resuming=resuming)

    def _seek(self, frame: Frame, slot: Slot) -> tuple[Frame, Step | None]:
        """Find a slot's value in the records, or ask for it."""
        rows = filling.candidates(slot, frame, self._facts(frame), self.read)
        named = filling.named_row(self.heard, rows) if len(rows) > 1 else None
        if named is not None or len(rows) == 1:
            row = named if named is not None else rows[0]
            frame = filling.take(frame, slot, row, confirmed=named is not None)
            self.took = slot.name
            return frame, None
        if rows and slot.choose:
            choices = _listed([self._fill(slot.choice, row) for row in rows], "or")
            frame = replace(frame, waiting=Waiting("choose", slot.name, tuple(rows)))
            self._say("question", "choose", frame, slot=slot.name, extra={"choices": choices})
            return frame, self._asking(frame)
        frame = replace(frame, waiting=Waiting("slot", slot.name))
        unusable = any(
            entity.type == slot.entity and not filling.usable(slot, filling.normal(slot, entity))
            for entity in self.heard.entities
        )
        self._say("question", "again" if unusable else "ask", frame, slot=slot.name)
        asking = self._asking(frame)
        return frame, self._lost(asking) if unusable else asking

    def _read_all(self, frame: Frame, intent: PackIntent) -> tuple[Frame, tuple[str, str] | None]:
        facts: dict[str, Any] = {}
        for action in intent.reads:
            known = {**self._facts(frame), **facts}
            if any(known.get(name) is None for name in self.pack.actions[action].arguments):
                continue
            result = self.read(action, known)
            if result.problem is not None:
                return frame, (action, result.problem)
            facts.update(result.facts)
        return replace(frame, facts={**frame.facts, **facts}), None

    def _read_problem(self, frame: Frame, action: str, problem: str) -> Step:
        self._say("answer", "problem", frame, action=action, problem=problem)
        slot_name = self.pack.actions[action].corrects.get(problem)
        if slot_name is not None:
            frame = self._emptied(frame, slot_name)
            frame = replace(frame, waiting=Waiting("slot", slot_name))
            self._say("question", "again", frame, slot=slot_name)
        step = self._asking(frame)
        return self._lost(replace(step, needs_human=problem in HUMAN_NEEDED))

    def _unconfirmed_reading(self, frame: Frame, intent: PackIntent) -> Slot | None:
        for slot in intent.slots:
            known = frame.slots.get(slot.name)
            if slot.read_back and known and known.origin == "caller" and not known.confirmed:
                return slot
        return None

    def _read_back(self, frame: Frame, slot: Slot) -> Step:
        frame = replace(frame, waiting=Waiting("read_back", slot.name))
        self._say_took(frame)
        self._say("question", "read_back", frame, slot=slot.name)
        return self._asking(frame)

    def _serve(self, frame: Frame, intent: PackIntent, *, resuming: bool) -> Step:
        """Everything is known: answer, then the effect that was asked for, or the choices."""
        facts = self._facts(frame)
        self._say_took(frame)
        answered = bool(self.pack.phrases_for("answer", intent=frame.intent, facts=facts))
        if answered:
            self._say("answer", "answer", frame)
            frame = replace(frame, told=frame.told + 1)
        undone = [name for name in intent.does if name not in (*frame.done, *frame.refused)]
        for action in undone:
            if relevance(self.pack, action, frame.intent, facts, self.context).addressed:
                return self._propose(frame, action)
        if self._options(frame):
            return self._offer_options(frame)
        if undone and not frame.done and not answered:
            return self._refuse(frame, undone[-1])
        return self._answered(frame, answered, resuming=resuming)

    def _refuse(self, frame: Frame, action: str) -> Step:
        """What was asked for cannot be done: say why."""
        fit = relevance(self.pack, action, frame.intent, self._facts(frame), self.context)
        problem = fit.problem or UNAVAILABLE
        self._say("answer", "problem", frame, action=action, problem=problem)
        human = problem in HUMAN_NEEDED
        frame = replace(frame, status="open" if human else "resolved")
        step = self._asking(frame)
        return replace(
            step, relevance=fit.record(), unsure=not human, needs_human=human, failed=False
        )

    def _answered(self, frame: Frame, answered: bool, *, resuming: bool) -> Step:
        frame = replace(frame, status="resolved", waiting=None)
        step = self._asking(frame)
        fits = {
            "serves_intent": True,
            "context_allows": True,
            "preconditions_held": answered or bool(frame.done),
        }
        step = replace(
            step,
            resolved=answered,
            unsure=answered and 0 < self.heard.score < _UNSURE_BELOW,
            relevance={**fits, "addressed": all(fits.values())},
        )
        return step if resuming else self._resumed(step)

    def _options(self, frame: Frame) -> list[Option]:
        intent = self.pack.intents[frame.intent]
        facts = self._facts(frame)
        return [
            option
            for option in intent.options
            if option.action not in (*frame.done, *frame.refused)
            and holds(option.when, facts)
            and relevance(self.pack, option.action, frame.intent, facts, self.context).addressed
        ]

    def _offer_options(self, frame: Frame) -> Step:
        options = self._options(frame)
        facts = self._facts(frame)
        titles = _listed([self._fill(option.title, facts) for option in options], "or")
        names = tuple(option.action for option in options)
        frame = replace(frame, waiting=Waiting("options", names[0] if names else "", names))
        extra = {"options": titles, "option_count": len(options)}
        self._say("options", "options", frame, extra=extra)
        return self._asking(frame, extra)

    def _propose(self, frame: Frame, action: str) -> Step:
        fit = relevance(self.pack, action, frame.intent, self._facts(frame), self.context)
        if not fit.addressed:
            return self._refuse(frame, action)
        if self._must_confirm(frame, action):
            return self._confirm(frame, action)
        return self._carry_out(frame, action)

    def _must_confirm(self, frame: Frame, action: str) -> bool:
        """Whether to ask first: it cannot be undone, or rests on something only assumed."""
        entry = self.pack.actions[action]
        if entry.irreversible:
            return True
        chosen = frame.waiting is not None and frame.waiting.kind == "options"
        assumed = any(
            name in frame.slots
            and frame.slots[name].origin == "record"
            and not frame.slots[name].confirmed
            for name in entry.arguments
        )
        return bool(entry.confirm) and assumed and not chosen

    def _confirm(self, frame: Frame, action: str) -> Step:
        frame = replace(frame, waiting=Waiting("confirm", action))
        self._say("question", "confirm", frame, action=action)
        fit = relevance(self.pack, action, frame.intent, self._facts(frame), self.context)
        return replace(self._asking(frame), relevance=fit.record())

    def _carry_out(self, frame: Frame, action: str) -> Step:
        facts = self._facts(frame)
        fit = relevance(self.pack, action, frame.intent, facts, self.context)
        if not fit.addressed:
            return self._refuse(frame, action)
        frame = replace(frame, waiting=None)
        step = replace(self._asking(frame), relevance=fit.record())
        return replace(step, effects=(effect_of(self.pack, action, facts, self.turn_key),))

    def _decline(self, frame: Frame, *actions: str) -> Step:
        refused = frame.refused | set(actions)
        frame = replace(frame, refused=refused, status="dropped", waiting=None)
        return self._resumed(replace(self._asking(frame), declined=True))

    # --- saying and asking ------------------------------------------------------------------------

    def _ask_again(self, frame: Frame) -> Step:
        self._repeat_question(frame)
        return self._lost(self._asking(frame))

    def _repeat_question(self, frame: Frame) -> None:
        waiting = frame.waiting
        if waiting is None:
            return
        if waiting.kind == "slot":
            self._say("question", "again", frame, slot=waiting.name)
        elif waiting.kind == "choose":
            slot = _slot(self.pack.intents[frame.intent], waiting.name)
            named = [self._fill(slot.choice, row) for row in waiting.choices] if slot else []
            choices = {"choices": _listed(named, "or")}
            self._say("question", "choose", frame, slot=waiting.name, extra=choices)
        elif waiting.kind == "read_back":
            self._say("question", "read_back", frame, slot=waiting.name)
        elif waiting.kind == "confirm":
            self._say("question", "confirm", frame, action=waiting.name)
        else:
            self._offer_options(frame)

    def _say_took(self, frame: Frame) -> None:
        if self.took is not None and frame.told == 0:
            self._say("answer", "took", frame, slot=self.took)
            self.took = None

    def _say(
        self,
        role: Any,
        move: str,
        frame: Frame,
        *,
        slot: str | None = None,
        action: str | None = None,
        problem: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        part = self._part(role, move, frame, slot=slot, action=action, problem=problem, extra=extra)
        if move == "took" and not self.pack.phrases_for(
            move, intent=frame.intent, slot=slot, facts=part.facts
        ):
            return
        self.parts.append(part)

    def _part(
        self,
        role: Any,
        move: str,
        frame: Frame,
        *,
        slot: str | None = None,
        action: str | None = None,
        problem: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Part:
        facts = {**self._facts(frame), **(extra or {})}
        if slot is not None and slot in frame.slots:
            facts["value"] = frame.slots[slot].value
        return Part(role, move, frame.intent, slot, action, problem, facts)

    def _asking(self, frame: Frame, extra: Mapping[str, Any] | None = None) -> Step:
        facts = {**self._facts(frame), **(extra or {})}
        intent = self.pack.intents[frame.intent]
        return Step(
            state=replace(self._with(frame), failed_turns=0),
            intent=frame.intent,
            parts=tuple(self.parts),
            facts=facts,
            expects=self._expects(frame),
            fault=_first(intent.fault_when, facts, intent.fault),
            severity=_first(intent.severity_when, facts, intent.severity),
            reasons=tuple(self.reasons),
        )

    def _lost(self, step: Step) -> Step:
        """A turn that brought the caller no further."""
        failed = replace(step.state, failed_turns=self.state.failed_turns + 1)
        return replace(step, state=failed, failed=True)

    def _expects(self, frame: Frame) -> frozenset[str]:
        waiting = frame.waiting
        if waiting is None:
            return frozenset()
        if waiting.kind in {"confirm", "read_back"}:
            return frozenset({"yes_no"})
        if waiting.kind == "options":
            return frozenset({"yes_no"}) if len(waiting.choices) == 1 else frozenset()
        slot = _slot(self.pack.intents[frame.intent], waiting.name)
        return frozenset() if slot is None else frozenset({slot.entity})

    def _with(self, frame: Frame) -> TaskState:
        """The state with this frame on top."""
        others = tuple(one for one in self.state.frames if one.intent != frame.intent)
        return TaskState(
            (*others, frame), self.state.failed_turns, filling.remember(self.state, frame)
        )

    def _emptied(self, frame: Frame, slot: str) -> Frame:
        """The frame and the call without a value that turned out wrong."""
        remembered = {name: v for name, v in self.state.remembered.items() if name != slot}
        self.state = replace(self.state, remembered=remembered)
        left: dict[str, SlotValue] = {n: v for n, v in frame.slots.items() if n != slot}
        return replace(frame, slots=left, facts={}, told=0)

    def _facts(self, frame: Frame | None, intent: str | None = None) -> dict[str, Any]:
        name = frame.intent if frame is not None else intent
        facts = standing_facts(self.pack, self.context, self.now, name)
        if frame is not None:
            facts |= filling.values_of(frame)
            facts["times_told"] = frame.told
        return facts

    def _fill(self, text: str, facts: Mapping[str, Any]) -> str:
        return text.format_map(say_facts({**self._facts(None), **facts}, self.pack))


def _slot(intent: PackIntent, name: str) -> Slot | None:
    return next((slot for slot in intent.slots if slot.name == name), None)


def _listed(items: Sequence[str], word: str) -> str:
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])}{',' if len(items) > 2 else ''} {word} {items[-1]}"


def _first(table: Mapping[Any, Any], facts: Mapping[str, Any], default: Fault | Severity) -> Any:
    return next((name for name, when in table.items() if holds(when, facts)), default)
