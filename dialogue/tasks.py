"""Tasks: what the caller wants, what is still missing, what to confirm, what to carry out.

`advance` and `finish` are pure: they read through the function that they are given and return a
`Step` with the next state; nothing changes until the conversation carries the effects out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from dialogue import slots as filling
from dialogue.answering import Answering
from dialogue.answers import asks_about, corrects, yes_or_no
from dialogue.frames import Frame, Heard, Part, Read, Step, TaskState
from dialogue.outcome import Outcome
from dialogue.packs.format import Pack
from dialogue.types import CustomerContext, EffectResult
from nlu.types import OTHER_INTENT

_SURE_TO_BEGIN = 0.25
"""The intent score at which words open a matter at all; a guess below it is none for action."""
_SURE_TO_CHANGE = 0.4
"""... and at which they leave the matter that was just settled."""
_A_SENTENCE_WORDS = 5
"""Fewer words than these are a mumble rather than a question about the answer."""


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


class _Course(Answering):
    """The course of a turn: an answer to what was asked, a correction, or a matter begun."""

    def step(self) -> Step:
        if self.heard.score < _SURE_TO_BEGIN or self.heard.intent not in self.pack.intents:
            self.heard = replace(self.heard, intent=OTHER_INTENT)
        active = self.state.active
        if active is not None:
            answered = self.respond(active)
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
            return self.ask_again(active)
        if yes_or_no(self.heard) is not None or self.heard.signals & {"thanks", "goodbye"}:
            return Step(self.state, facts=self.facts(None))
        if self._asks_on():
            return self.lost(self._told_again())
        return self.lost(Step(self.state, understood=False, facts=self.facts(None)))

    def _asks_on(self) -> bool:
        """Whether a sentence that fits no matter follows one that was settled with an answer."""
        last = self.state.frames[-1] if self.state.frames else None
        return (
            last is not None
            and last.status == "resolved"
            and last.told > 0
            and self.state.failed_turns == 0
            and (
                len(self.heard.text.split()) >= _A_SENTENCE_WORDS
                or (asks_about(self.heard.text.lower()) and len(self.heard.text.split()) > 2)
            )
        )

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
