"""The caller's words as an answer to what was just asked: a value, a choice, a yes or a no."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from dialogue import slots as filling
from dialogue.answers import (
    affirmed,
    asks_about,
    chosen_option,
    clear_yes,
    mentions,
    yes_or_no,
)
from dialogue.frames import Frame, Step, Waiting
from dialogue.settling import Settling
from dialogue.turn import known_of, slot_of
from nlu.types import OTHER_INTENT

_SURE_TO_LEAVE = 0.5
"""The intent score at which words open another matter instead of answering a question."""


_PICKS = re.compile(
    r"\b(?:please|yes|yeah|i'd (?:like|prefer|rather)|i (?:want|choose|take|prefer|need)|"
    r"i'll (?:take|have|go)|let's|give me|send me|go for|just)\b"
)
"""Words that choose, whatever question stands beside them."""


class Answering(Settling):
    """A turn that may answer the question of the frame that the caller is in."""

    def respond(self, frame: Frame) -> Step | None:
        """The caller's words as an answer to what was asked; None when they are about
        something else."""
        intent = self.pack.intents[frame.intent]
        filled = filling.fill(frame, intent, self.heard)
        asked = frame.waiting is not None and frame.waiting.name in filled.new
        if self._elsewhere(frame) and not asked:
            return None
        other = filling.not_that_one(frame, intent, self.heard)
        if other is not None:
            return self.settle(other[0])
        if filled.replaced:
            return self.settle(filled.frame)
        if frame.waiting is None:
            return self.settle(filled.frame) if filled.new else None
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
        if waiting.kind == "choose" and self._chosen(waiting) is not None:
            return False
        if yes_or_no(self.heard) is not None and waiting.kind in {"confirm", "read_back"}:
            return False
        if waiting.kind == "confirm" and self._agrees(waiting.name):
            return False
        return chosen_option(self.heard, self.options(frame)) is None

    def _slot_answer(self, frame: Frame, filled: filling.Filling) -> Step:
        if filled.new:
            return self.settle(filled.frame)
        return self.ask_again(frame)

    def _choice_answer(self, frame: Frame, filled: filling.Filling) -> Step:
        waiting = frame.waiting
        if filled.new or waiting is None:
            return self.settle(filled.frame)
        row = self._chosen(waiting)
        only = len(waiting.choices) == 1
        if row is None and only and yes_or_no(self.heard):
            row = dict(waiting.choices[0])
        if row is None and only and yes_or_no(self.heard) is False:
            frame = replace(frame, waiting=Waiting("slot", waiting.name))
            self.repeat_question(frame, "ask")
            return self.asking(frame)
        slot = slot_of(self.pack.intents[frame.intent], waiting.name)
        if row is None or slot is None:
            return self.ask_again(frame)
        return self.settle(filling.take(frame, slot, row, confirmed=True))

    def _chosen(self, waiting: Waiting) -> dict[str, Any] | None:
        """The candidate that the words name."""
        return filling.named_row(self.heard, [dict(row) for row in waiting.choices])

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
        return self.ask_again(frame)

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
        if said and not self._means_yes(action):
            # Who says no more than "okay, bye" has agreed to nothing.
            leaving = "goodbye" in self.heard.signals
            return self.decline(frame, action) if leaving else self.confirm(filled.frame, action)
        if said and self.names_another(known_of(frame)):
            return self.confirm(filled.frame, action)
        if said:
            return self.carry_out(replace(filled.frame, waiting=None), action)
        if said is False:
            return self.decline(frame, action)
        if filled.repeated and not self.must_confirm(filled.frame, action):
            return self.carry_out(replace(filled.frame, waiting=None), action)
        if filled.heard_something:
            return self.confirm(filled.frame, action)
        return self.ask_again(frame)

    def _agrees(self, action: str) -> bool:
        """Whether the words ask for the very thing that waits for a yes, and not about it."""
        said = affirmed(self.heard.text)
        return not asks_about(said) and any(
            mentions(said, cue) for cue in self.pack.actions[action].agree
        )

    def _means_yes(self, action: str) -> bool:
        """Whether the yes is one to an action, and not an "okay" before a question or a goodbye."""
        polite = asks_about(self._said) or "goodbye" in self.heard.signals
        return clear_yes(self.heard) or self._agrees(action) or not polite

    @property
    def _said(self) -> str:
        return self.heard.text.lower()

    def _options_answer(self, frame: Frame, filled: filling.Filling) -> Step:
        options = self.options(frame)
        option = chosen_option(self.heard, options)
        if option is not None and asks_about(self._said) and not _PICKS.search(self._said):
            return self.confirm(filled.frame, option.action)
        if option is not None:
            return self.propose(filled.frame, option.action)
        if yes_or_no(self.heard) is False:
            return self.decline(frame, *(each.action for each in options))
        if filled.heard_something:
            return self.offer_options(filled.frame)
        return self.ask_again(frame)

    def ask_again(self, frame: Frame) -> Step:
        """The open question once more; the turn counts as failed.

        Who says goodbye instead of answering is let go.
        """
        if "goodbye" in self.heard.signals:
            return Step(self.state, facts=self.facts(None))
        self.repeat_question(frame)
        return self.lost(self.asking(frame))
