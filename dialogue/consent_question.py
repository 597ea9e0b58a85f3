"""How a caller is asked for leave, in words: what a screen shows and a voice may read out."""

from __future__ import annotations

from dataclasses import dataclass

from dialogue.regulation import Regime, Regulation
from dialogue.types import Purpose

_NOT_BY_A_BUTTON = frozenset({Regime.NEVER, Regime.WRITTEN_RELEASE})


@dataclass(frozen=True, slots=True)
class ConsentQuestion:
    """A question with its two answers. Whatever is not `yes` is a no."""

    question: str
    explanation: str
    yes: str
    no: str


def voice_question(regulation: Regulation) -> ConsentQuestion | None:
    """What to ask before a voice is analysed; None where a yes on a screen would not count.

    Asked under every other regime, also where the law would allow it until the caller objects.
    """
    if regulation.regime(Purpose.EMOTION_VOICE) in _NOT_BY_A_BUTTON:
        return None
    return ConsentQuestion(
        question="May I listen to your tone of voice too?",
        explanation=(
            "A computer then estimates from your voice how you feel, so that I can answer with "
            "more care. Your voice is not kept. If you say no, everything works just the same. "
            "You can change your answer at any time."
        ),
        yes="Yes, you may",
        no="No, only my words",
    )
