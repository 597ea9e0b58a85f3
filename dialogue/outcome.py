"""What effects really did, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from dialogue.connectors.protocol import UNAVAILABLE
from dialogue.frames import Frame, Step, Waiting
from dialogue.settling import HUMAN_NEEDED, Settling
from dialogue.types import EffectResult


class Outcome(Settling):
    """A turn whose effects were carried out."""

    def of(self, step: Step, results: Sequence[EffectResult]) -> Step:
        """The step with what really happened; a matter settled lets the one behind it go on.

        Effects that belong to no open matter (an accepted offer's) are told and settle nothing.
        """
        if not results:
            return step
        active = self.state.active
        if active is None or active.intent != step.intent:
            return self._beside(step, results)
        frame = active
        failed = resolved = False
        for result in results:
            entry = self.pack.actions[result.effect.action]
            frame = self._told(frame, result)
            failed = failed or not result.succeeded
            resolved = resolved or (result.succeeded and entry.resolves)
            slot = self.mended_by(frame, result.effect.action, result.problem)
            if slot is not None:
                frame = replace(self.emptied(frame, slot), waiting=Waiting("slot", slot))
                self.say("question", "again", frame, slot=slot)
        frame = replace(frame, status="resolved" if resolved and not failed else "open")
        failed_turns = step.state.failed_turns + 1 if failed else 0
        done = replace(
            self._summed(step, results),
            state=replace(self.with_frame(frame), failed_turns=failed_turns),
            facts=self.facts(frame),
            resolved=frame.status == "resolved",
            expects=self.expects(frame),
        )
        return self.resumed(done) if done.resolved else done

    def _beside(self, step: Step, results: Sequence[EffectResult]) -> Step:
        facts = dict(step.facts)
        for result in results:
            served = self.pack.actions[result.effect.action].serves[0]
            frame = self._told(Frame(served, facts=facts), result)
            facts |= frame.facts
        return replace(self._summed(step, results), facts=facts)

    def _told(self, frame: Frame, result: EffectResult) -> Frame:
        """The frame with the facts of a result; the reply gets the part that tells it."""
        action = result.effect.action
        if not result.succeeded:
            self.say("act", "problem", frame, action=action, problem=_problem(result))
            return frame
        facts = {**frame.facts, **result.facts}
        frame = replace(frame, facts=facts, done=(*frame.done, action))
        self.say("act", "done", frame, action=action)
        return frame

    def _summed(self, step: Step, results: Sequence[EffectResult]) -> Step:
        problems = {_problem(result) for result in results if not result.succeeded}
        return replace(
            step,
            parts=(*step.parts, *self.parts),
            effects=(),
            failed=bool(problems),
            needs_human=bool(problems & HUMAN_NEEDED),
        )


def _problem(result: EffectResult) -> str:
    return result.problem or UNAVAILABLE
