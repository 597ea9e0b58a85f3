"""Tasks: what the caller wants, what is still missing, what to confirm, what to carry out.

`advance` and `finish` are pure: they read through the function that they are given and return a
`Step` with the next state; nothing changes until the conversation carries the effects out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from dialogue import slots as filling
from dialogue.answers import chosen_option, corrects, mentions, yes_or_no
from dialogue.frames import Frame, Heard, Part, Read, Step, TaskState, Waiting
from dialogue.outcome import Outcome
from dialogue.packs.format import Pack
from dialogue.settling import Settling
from dialogue.turn import slot_of
from dialogue.types import CustomerContext, EffectResult
from nlu.types import OTHER_INTENT

_SURE_TO_LEAVE = 0.5
"""The intent score at which words open another matter instead of answering a question."""
_SURE_TO_BEGIN = 0.25
"""... and at which they open one at all; a guess below it is no matter for action."""
_SURE_TO_CHANGE = 0.4
"""... and at which they leave the matter that was just settled."""


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
    return _Course(state, heard, pack, context, now, read, turn_key).step()


def finish(
    step: Step,
    results: Sequence[EffectResult],
    pack: Pack,
    context: CustomerContext,
    now: datetime,
    read: Read,
) -> Step:
    """The step after its effects were carried out: what really happened, and what comes next."""
    outcome = Outcome(step.state, Heard(step.intent), pack, context, now, read, "")
    return outcome.of(step, results)


class _Course(Settling):
    """The course of a turn: an answer to what was asked, a correction, or a matter begun."""

    def step(self) -> Step:
        if self.heard.score < _SURE_TO_BEGIN or self.heard.intent not in self.pack.intents:
            self.heard = replace(self.heard, intent=OTHER_INTENT)
        active = self.state.active
        if active is not None:
            answered = self._respond(active)
            if answered is not None:
                return answered
        corrected = self._correction()
        if corrected is not None:
            return self.settle(corrected)
        if self._follows_up():
            return self._told_again()
        if self.heard.intent in self.pack.intents:
            return self._begin(self._request())
        if active is not None and active.waiting is not None:
            return self._ask_again(active)
        if yes_or_no(self.heard) is not None or self.heard.signals & {"thanks", "goodbye"}:
            return Step(self.state, facts=self.facts(None))
        return self.lost(Step(self.state, understood=False, facts=self.facts(None)))

    def _respond(self, frame: Frame) -> Step | None:
        """The caller's words as an answer to what was asked; None when they are about
        something else."""
        intent = self.pack.intents[frame.intent]
        other = filling.not_that_one(frame, intent, self.heard)
        if other is not None:
            return self.settle(other[0])
        filled = filling.fill(frame, intent, self.heard)
        if filled.replaced:
            return self.settle(filled.frame)
        if frame.waiting is None:
            return self.settle(filled.frame) if filled.new and not self._elsewhere(frame) else None
        if self._elsewhere(frame) and not (filled.new and frame.waiting.name in filled.new):
            return None
        handler = {
            "slot": self._slot_answer,
            "choose": self._choice_answer,
            "read_back": self._read_back_answer,
            "confirm": self._confirm_answer,
            "options": self._options_answer,
        }[frame.waiting.kind]
        return handler(frame, filled)

    def _elsewhere(self, frame: Frame) -> bool:
        """Whether the words open another matter rather than answer this one."""
        said = self.heard.intent
        if said in {OTHER_INTENT, frame.intent}:
            return False
        if said in self.pack.intents[frame.intent].covers:
            return False
        if frame.waiting is not None and self.heard.score < _SURE_TO_LEAVE:
            return False
        if self.pack.intents[said].small_talk:
            return False
        waiting = frame.waiting
        if waiting is None:
            return True
        if yes_or_no(self.heard) is not None and waiting.kind in {"confirm", "read_back"}:
            return False
        if waiting.kind == "confirm" and self._agrees(waiting.name):
            return False
        return chosen_option(self.heard, self.options(frame)) is None

    def _slot_answer(self, frame: Frame, filled: filling.Filling) -> Step:
        if filled.new:
            return self.settle(filled.frame)
        return self._ask_again(frame)

    def _choice_answer(self, frame: Frame, filled: filling.Filling) -> Step:
        waiting = frame.waiting
        if filled.new or waiting is None:
            return self.settle(filled.frame)
        rows = [dict(row) for row in waiting.choices]
        row = filling.named_row(self.heard, rows)
        slot = slot_of(self.pack.intents[frame.intent], waiting.name)
        if row is None or slot is None:
            return self._ask_again(frame)
        return self.settle(filling.take(frame, slot, row, confirmed=True))

    def _read_back_answer(self, frame: Frame, filled: filling.Filling) -> Step:
        waiting = frame.waiting
        name = waiting.name if waiting is not None else ""
        said = yes_or_no(self.heard)
        if said or name in filled.repeated:
            slots = {**frame.slots, name: replace(frame.slots[name], confirmed=True)}
            return self.settle(replace(frame, slots=slots, waiting=None))
        if said is False:
            frame = self.emptied(frame, name)
            frame = replace(frame, waiting=Waiting("slot", name))
            self.say("question", "again", frame, slot=name)
            return self.lost(self.asking(frame))
        return self._ask_again(frame)

    def _confirm_answer(self, frame: Frame, filled: filling.Filling) -> Step:
        waiting = frame.waiting
        action = waiting.name if waiting is not None else ""
        other = chosen_option(self.heard, self.options(frame))
        if other is not None and other.action != action:
            waiting = Waiting("options", other.action)
            return self.propose(replace(filled.frame, waiting=waiting), other.action)
        said = yes_or_no(self.heard)
        if said is None and self._agrees(action):
            said = True
        if said:
            return self.carry_out(replace(filled.frame, waiting=None), action)
        if said is False:
            return self.decline(frame, action)
        if filled.repeated and not self.must_confirm(filled.frame, action):
            return self.carry_out(replace(filled.frame, waiting=None), action)
        if filled.heard_something:
            return self.confirm(filled.frame, action)
        return self._ask_again(frame)

    def _agrees(self, action: str) -> bool:
        """Whether the words ask for the very thing that waits for a yes."""
        return any(mentions(self.heard.text, cue) for cue in self.pack.actions[action].agree)

    def _options_answer(self, frame: Frame, filled: filling.Filling) -> Step:
        options = self.options(frame)
        option = chosen_option(self.heard, options)
        if option is not None:
            return self.propose(filled.frame, option.action)
        if yes_or_no(self.heard) is False:
            return self.decline(frame, *(each.action for each in options))
        if filled.heard_something:
            return self.offer_options(filled.frame)
        return self._ask_again(frame)

    def _ask_again(self, frame: Frame) -> Step:
        self.repeat_question(frame)
        return self.lost(self.asking(frame))

    def _correction(self) -> Frame | None:
        """The last matter with another value ("sorry, 4571", "no, the other one"), or with the
        value that was taken from the records and is now said."""
        if not self.state.frames or self.heard.intent in self._new_matters():
            return None
        last = self.state.frames[-1]
        intent = self.pack.intents[last.intent]
        other = filling.not_that_one(last, intent, self.heard)
        if other is not None:
            return replace(other[0], status="open")
        if last.status == "dropped" and corrects(self.heard) and yes_or_no(self.heard):
            return replace(last, status="open", refused=frozenset())
        filled = filling.fill(last, intent, self.heard)
        if self.heard.intent != OTHER_INTENT and not (filled.replaced and corrects(self.heard)):
            return None
        if filled.replaced:
            return replace(filled.frame, status="open", done=())
        return replace(filled.frame, status="open", facts={}) if filled.repeated else None

    def _new_matters(self) -> set[str]:
        last = self.state.frames[-1]
        same = {last.intent, *self.pack.intents[last.intent].covers, OTHER_INTENT}
        return {name for name in self.pack.intents if name not in same}

    def _begin(self, name: str) -> Step:
        """A new matter, a paused one again, or the same one once more."""
        if self.pack.intents[name].small_talk:
            return self._small_talk(name)
        if self._nothing_to_do(name):
            facts = self.facts(None, name)
            return Step(self.state, name, facts=facts, severity=self.pack.intents[name].severity)
        paused = next(
            (f for f in reversed(self.state.frames) if f.intent == name and f.status == "open"),
            None,
        )
        last = self.state.frames[-1] if self.state.frames else None
        if paused is not None:
            frame = replace(paused, waiting=None)
        elif last is not None and self._belongs(name, last):
            frame = replace(last, status="open", waiting=None)
        else:
            frame = Frame(name)
        frame = filling.fill(frame, self.pack.intents[frame.intent], self.heard).frame
        frame = filling.recall(frame, self.pack.intents[frame.intent], self.state)
        frame = filling.renamed(
            frame, self.pack.intents[frame.intent], self.heard, self.facts(frame), self.read
        )
        for other in self.heard.also:
            self._put_aside(other, frame.intent)
        return self.settle(frame)

    def _nothing_to_do(self, name: str) -> bool:
        """Whether tasks have no part in a matter, such as the wish for a person."""
        entry = self.pack.intents[name]
        work = entry.slots or entry.reads or entry.does or entry.options
        facts = self.facts(None, name)
        return not work and not self.pack.phrases_for("answer", intent=name, facts=facts)

    def _belongs(self, name: str, last: Frame) -> bool:
        if last.status == "dropped":
            return False
        return name == last.intent or name in self.pack.intents[last.intent].covers

    def _follows_up(self) -> bool:
        """Whether words of unsure intent come right after a matter was settled."""
        if not self.state.frames or self.heard.intent == OTHER_INTENT:
            return False
        last = self.state.frames[-1]
        return (
            last.status == "resolved"
            and self.heard.score < _SURE_TO_CHANGE
            and not self.pack.intents[self.heard.intent].small_talk
        )

    def _told_again(self) -> Step:
        """The answer about the settled matter once more, and the question whether it was one."""
        last = replace(self.state.frames[-1], status="open", waiting=None)
        return replace(self.settle(last), unsure=True)

    def _request(self) -> str:
        """What is asked for: a circumstance ("she passed away") yields to the request beside it."""
        if self.pack.intents[self.heard.intent].circumstance:
            for name in self.heard.also:
                entry = self.pack.intents.get(name)
                if entry is not None and not (entry.small_talk or entry.circumstance):
                    return name
        return self.heard.intent

    def _put_aside(self, name: str, current: str) -> None:
        """A second matter of the same breath waits below the first."""
        entry = self.pack.intents.get(name)
        if entry is None or entry.small_talk or entry.circumstance or name == current:
            return
        if name in self.pack.intents[current].covers or self._nothing_to_do(name):
            return
        if any(
            {name, current} <= set(each.serves)
            for each in self.pack.actions.values()
            if each.kind == "effect"
        ):
            return
        if all(frame.intent != name for frame in self.state.frames):
            aside = filling.fill(Frame(name), entry, self.heard).frame
            self.state = replace(self.state, frames=(aside, *self.state.frames))

    def _small_talk(self, name: str) -> Step:
        facts = self.facts(None, name)
        active = self.state.active
        part = Part("answer", "answer", name, facts=facts)
        parts = [part] if self.pack.phrases_for("answer", intent=name, facts=facts) else []
        step = Step(
            self.state, name, tuple(parts), facts, severity=self.pack.intents[name].severity
        )
        if active is not None and active.waiting is not None and name != "goodbye":
            self.parts = []
            self.repeat_question(active)
            return replace(
                self.asking(active), parts=tuple(self.parts), intent=active.intent, understood=True
            )
        return step
