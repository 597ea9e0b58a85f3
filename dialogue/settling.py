"""Settling a matter: fill what is missing, read, and go as far as one turn can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dialogue import slots as filling
from dialogue.actions import effect_of, relevance
from dialogue.connectors.protocol import UNAVAILABLE, UNKNOWN_RESULT
from dialogue.frames import Frame, Step, Waiting
from dialogue.packs.format import PackIntent, Slot, holds
from dialogue.turn import Turn, listed

_UNSURE_BELOW = 0.5
"""Below this intent score the answer is followed by the question whether it was one."""
_MOST_ROUNDS = 4
"""Reads may reveal that another slot is needed; a pack never needs more rounds than this."""
HUMAN_NEEDED = frozenset({UNKNOWN_RESULT, "needs_identified"})
"""Problems that only a person can take further."""


class Settling(Turn):
    """A turn that can bring one frame to a question, an effect or an answer."""

    def settle(self, frame: Frame, *, resuming: bool = False) -> Step:
        """Fill, read, and go as far as this turn can: ask, confirm, carry out, or answer."""
        frame = replace(frame, status="open", waiting=None)
        if self._needs_identity(frame):
            # Whatever the caller answered, it would end with a person: nothing is asked first.
            return self._serve(frame, self.pack.intents[frame.intent], resuming=resuming)
        for _ in range(_MOST_ROUNDS):
            intent = self.pack.intents[frame.intent]
            slot = filling.needed(intent, frame, self.facts(frame))
            if slot is not None:
                known = self._read_ahead(frame, intent)
                if known is not None:
                    return self._serve(known, intent, resuming=resuming)
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
            if filling.needed(intent, frame, self.facts(frame)) is None:
                break
        unread = self._unconfirmed_reading(frame, intent)
        if unread is not None:
            return self._read_back(frame, unread)
        return self._serve(frame, intent, resuming=resuming)

    def _read_ahead(self, frame: Frame, intent: PackIntent) -> Frame | None:
        """The frame with its facts when they show that what the caller asks for cannot be done,
        so that nothing more need be asked; else None.

        Only what no answer of the caller's can mend counts.
        """
        if not intent.does or not frame.slots:
            return None
        frame, problem = self._read_all(frame, intent)
        facts = self.facts(frame)
        if problem is None and all(self._blocked(action, facts) for action in intent.does):
            return frame
        return None

    def _blocked(self, action: str, facts: Mapping[str, Any]) -> bool:
        entry = self.pack.actions[action]
        return any(
            not holds(condition.when, facts)
            and condition.otherwise not in entry.corrects
            and all(facts.get(name) is not None for name in condition.when)
            for condition in entry.preconditions
        )

    def _seek(self, frame: Frame, slot: Slot) -> tuple[Frame, Step | None]:
        """Find a slot's value in the records, or ask for it."""
        self.say_took(frame)
        rows = filling.candidates(slot, frame, self.facts(frame), self.read)
        named = filling.named_row(self.heard, rows) if len(rows) > 1 else None
        sure = len(rows) == 1 and not self.names_another(
            " ".join(str(value) for value in rows[0].values()).lower()
        )
        if named is not None or sure:
            row = named if named is not None else rows[0]
            frame = filling.take(frame, slot, row, confirmed=named is not None)
            self.took = slot.name
            return frame, None
        if rows and slot.choose:
            choices = listed([self.fill(slot.choice, row) for row in rows], "or")
            frame = replace(frame, waiting=Waiting("choose", slot.name, tuple(rows)))
            self.say("question", "choose", frame, slot=slot.name, extra={"choices": choices})
            return frame, self.asking(frame)
        frame = replace(frame, waiting=Waiting("slot", slot.name))
        unusable = any(
            entity.type == slot.entity and not filling.usable(slot, filling.normal(slot, entity))
            for entity in self.heard.entities
        )
        self.say("question", "again" if unusable else "ask", frame, slot=slot.name)
        asking = self.asking(frame)
        return frame, self.lost(asking) if unusable else asking

    def _read_all(self, frame: Frame, intent: PackIntent) -> tuple[Frame, tuple[str, str] | None]:
        facts: dict[str, Any] = {}
        for action in intent.reads:
            known = {**self.facts(frame), **facts}
            if any(known.get(name) is None for name in self.pack.actions[action].arguments):
                continue
            result = self.read(action, known)
            if result.problem is not None:
                return frame, (action, result.problem)
            facts.update(result.facts)
        return replace(frame, facts={**frame.facts, **facts}), None

    def _read_problem(self, frame: Frame, action: str, problem: str) -> Step:
        self.say("answer", "problem", frame, action=action, problem=problem)
        slot_name = self.mended_by(frame, action, problem)
        if slot_name is not None:
            return self._ask_instead(frame, slot_name)
        step = self.asking(frame)
        return self.lost(replace(step, needs_human=problem in HUMAN_NEEDED))

    def _ask_instead(self, frame: Frame, slot: str) -> Step:
        """Ask again for the value that turned out wrong."""
        frame = replace(self.emptied(frame, slot), waiting=Waiting("slot", slot))
        self.say("question", "again", frame, slot=slot)
        return self.lost(self.asking(frame))

    def _unconfirmed_reading(self, frame: Frame, intent: PackIntent) -> Slot | None:
        for slot in intent.slots:
            known = frame.slots.get(slot.name)
            if slot.read_back and known and known.origin == "caller" and not known.confirmed:
                return slot
        return None

    def _read_back(self, frame: Frame, slot: Slot) -> Step:
        frame = replace(frame, waiting=Waiting("read_back", slot.name))
        self.say_took(frame)
        self.say("question", "read_back", frame, slot=slot.name)
        return self.asking(frame)

    def _serve(self, frame: Frame, intent: PackIntent, *, resuming: bool) -> Step:
        """Everything is known: answer, then the effect that was asked for, or the choices."""
        facts = self.facts(frame)
        self.say_took(frame)
        undone = [name for name in intent.does if name not in (*frame.done, *frame.refused)]
        mendable = self._mendable(frame, undone or [each.action for each in intent.options])
        if mendable is not None and not self.options(frame):
            return self.refuse(frame, mendable)
        answered = bool(self.pack.phrases_for("answer", intent=frame.intent, facts=facts))
        if answered:
            self.say("answer", "answer", frame)
            frame = replace(frame, told=frame.told + 1)
        for action in undone:
            if relevance(self.pack, action, frame.intent, facts, self.context).addressed:
                return self.propose(frame, action)
        if self.options(frame):
            return self.offer_options(frame)
        if undone and not frame.done and not answered:
            return self.refuse(frame, undone[-1])
        if frame.done and not answered:
            self.say("act", "done", frame, action=frame.done[-1])
            answered = True
        step = self._answered(frame, answered, resuming=resuming)
        if intent.options and not (answered or frame.done or frame.refused):
            # Nothing to tell and nothing to choose: asking on would lead in circles.
            return replace(step, needs_human=True)
        return step

    def _mendable(self, frame: Frame, actions: list[str]) -> str | None:
        """The action that only a value of the caller's keeps from being done, none being possible.

        Asked again before anything is answered: an unproven caller learns nothing more.
        """
        facts = self.facts(frame)
        fits = {
            name: relevance(self.pack, name, frame.intent, facts, self.context) for name in actions
        }
        if any(fit.addressed for fit in fits.values()):
            return None
        return next(
            (name for name, fit in fits.items() if self.mended_by(frame, name, fit.problem)),
            None,
        )

    def refuse(self, frame: Frame, action: str) -> Step:
        """What was asked for cannot be done: say why."""
        fit = relevance(self.pack, action, frame.intent, self.facts(frame), self.context)
        problem = fit.problem or UNAVAILABLE
        self.say("answer", "problem", frame, action=action, problem=problem)
        human = problem in HUMAN_NEEDED
        slot_name = self.mended_by(frame, action, problem)
        if slot_name is not None:
            return self._ask_instead(frame, slot_name)
        frame = replace(frame, status="open" if human else "resolved")
        step = self.asking(frame)
        return replace(
            step, relevance=fit.record(), unsure=not human, needs_human=human, failed=False
        )

    def _answered(self, frame: Frame, answered: bool, *, resuming: bool) -> Step:
        frame = replace(frame, status="resolved", waiting=None)
        step = self.asking(frame)
        fits = {
            "serves_intent": True,
            "context_allows": True,
            "preconditions_held": answered or bool(frame.done),
        }
        human = self._needs_identity(frame)
        step = replace(
            step,
            resolved=answered and not human,
            needs_human=human,
            unsure=answered and 0 < self.heard.score < _UNSURE_BELOW,
            relevance={**fits, "addressed": all(fits.values())},
        )
        return step if resuming or not step.resolved else self.resumed(step)

    def resumed(self, step: Step) -> Step:
        """After a matter is settled, the one that was put aside for it goes on."""
        paused = step.state.active
        if paused is None:
            return step
        self.state = step.state
        self.parts = [self.part("question", "back_to", paused)]
        if paused.waiting is not None:
            self.repeat_question(paused, "ask")
            following = self.asking(paused)
        else:
            following = self.settle(paused, resuming=True)
        return replace(
            step,
            state=replace(following.state, failed_turns=0),
            parts=(*step.parts, *self.parts),
            effects=(*step.effects, *following.effects),
            expects=following.expects,
        )

    def _needs_identity(self, frame: Frame) -> bool:
        """Whether everything that could be done waits for knowing who calls."""
        intent = self.pack.intents[frame.intent]
        possible = (*intent.does, *(option.action for option in intent.options))
        facts = self.facts(frame)
        return bool(possible) and all(
            relevance(self.pack, action, frame.intent, facts, self.context).problem
            == "needs_identified"
            for action in possible
        )

    def offer_options(self, frame: Frame) -> Step:
        """Name the choices and wait for one."""
        names = tuple(option.action for option in self.options(frame))
        frame = replace(frame, waiting=Waiting("options", names[0] if names else "", names))
        return self.asking(frame, self.say_options(frame))

    def propose(self, frame: Frame, action: str) -> Step:
        """Confirm an effect first where that is due, else carry it out; or say why it cannot be."""
        fit = relevance(self.pack, action, frame.intent, self.facts(frame), self.context)
        if not fit.addressed:
            return self.refuse(frame, action)
        if self.must_confirm(frame, action):
            return self.confirm(frame, action)
        return self.carry_out(frame, action)

    def must_confirm(self, frame: Frame, action: str) -> bool:
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
        if chosen:
            return False
        guessed = 0 < self.heard.score < _UNSURE_BELOW and self.heard.intent == frame.intent
        return guessed or (bool(entry.confirm) and assumed)

    def confirm(self, frame: Frame, action: str) -> Step:
        """Ask whether to carry out an effect."""
        frame = replace(frame, waiting=Waiting("confirm", action))
        self.say_confirm(frame, action)
        fit = relevance(self.pack, action, frame.intent, self.facts(frame), self.context)
        return replace(self.asking(frame), relevance=fit.record())

    def carry_out(self, frame: Frame, action: str) -> Step:
        """A step with the effect of an action."""
        facts = self.facts(frame)
        fit = relevance(self.pack, action, frame.intent, facts, self.context)
        if not fit.addressed:
            return self.refuse(frame, action)
        frame = replace(frame, waiting=None)
        step = replace(self.asking(frame), relevance=fit.record())
        return replace(step, effects=(effect_of(self.pack, action, facts, self.turn_key),))

    def decline(self, frame: Frame, *actions: str) -> Step:
        """The caller said no: the matter is dropped, what waited behind it goes on."""
        refused = frame.refused | set(actions)
        frame = replace(frame, refused=refused, status="dropped", waiting=None)
        return self.resumed(replace(self.asking(frame), declined=True))
