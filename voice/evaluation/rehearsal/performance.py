"""What came of a scenario: the records, where the lines lay, and what was kept."""

from __future__ import annotations

from dataclasses import dataclass

from voice.channels.simulated import SpokenSpan
from voice.evaluation.rehearsal.scenario import Scenario
from voice.types import AssistantInterrupted, Pcm, TurnRecord


@dataclass(frozen=True, slots=True)
class Stored:
    """What a call left in the customers' store."""

    contacts: int = 0
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Performance:
    """What happened: the records, where the lines lay, and how the call ended.

    `sound` is false when only the words were performed. `conversation` is int16 of shape (n, 2):
    the caller left, the assistant right. `wall_s` is what it took, `audio_s` how long the call was.
    """

    scenario: Scenario
    records: tuple[TurnRecord, ...]
    spans: tuple[SpokenSpan, ...]
    ended: str
    opening: str
    stored: Stored = Stored()
    interruptions: tuple[AssistantInterrupted, ...] = ()
    sound: bool = True
    conversation: Pcm | None = None
    wall_s: float = 0.0
    audio_s: float = 0.0
    engines: tuple[str, ...] = ()
