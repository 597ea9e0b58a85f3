"""One reply as it was said: its clauses by their places on the track, and what was heard of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from dialogue.types import Clause, Delivery
from voice.track import Track
from voice.types import AchievedDelivery, ClauseRecord

ASKED_SHARE = 0.6
"""Of a question: people answer before its last word."""
ASKED_MS = 700
"""An answer begins so soon after a question, and is heard over what the assistant adds to it."""


@dataclass(slots=True)
class SaidClause:
    """A clause and the places on the track between which it lies."""

    text: str
    requested: Delivery
    from_ms: int
    to_ms: int
    achieved: AchievedDelivery | None = None
    whole: bool = False
    """Whether it was rendered to its end."""

    def start_ms(self, track: Track) -> int:
        """When it begins to be heard, in audio time."""
        return track.time_of(self.from_ms)

    def end_ms(self, track: Track) -> int:
        """When it has been heard, in audio time."""
        return track.time_of(self.to_ms, ending=True)


@dataclass(slots=True)
class Utterance:
    """A reply on its way out.

    `offset_ms` is where it begins on the track. `stopped_ms` is the place up to which it was heard,
    where it was stopped. `said` counts the clauses of the reply that are done with.
    `first_sound_at_s` is the wall clock (`time.perf_counter`) at the first sound.
    """

    track: Track | None = None
    offset_ms: int = 0
    clauses: list[SaidClause] = field(default_factory=list)
    said: int = 0
    stopped_ms: int | None = None
    first_place_ms: int | None = None
    first_sound_at_s: float | None = None

    @property
    def first_ms(self) -> int | None:
        """Where in audio time the first sound comes."""
        if self.track is None or self.first_place_ms is None:
            return None
        return self.track.time_of(self.first_place_ms)

    def asked(self, heard_ms: int) -> bool:
        """Whether who has heard it up to this place has just been asked something: most of a
        question, or a question and no more than the beginning of what follows."""
        begun = [clause for clause in self.clauses if clause.from_ms <= heard_ms]
        if not begun:
            return False
        last = begun[-1]
        if "?" in last.text:
            return heard_ms - last.from_ms >= ASKED_SHARE * (last.to_ms - last.from_ms)
        before = begun[-2:-1]
        return any("?" in each.text for each in before) and heard_ms - last.from_ms < ASKED_MS

    def begin(self, clause: Clause, place_ms: int) -> SaidClause:
        """The sound of a clause begins at this place."""
        if self.first_place_ms is None:
            self.first_place_ms = place_ms
            self.first_sound_at_s = time.perf_counter()
        said = SaidClause(clause.text, clause.delivery, place_ms, place_ms)
        self.clauses.append(said)
        return said

    def records(self, now_ms: int | None = None) -> tuple[ClauseRecord, ...]:
        """The clauses with how much of each was heard: by `now_ms` of audio time, or at all."""
        track = self.track
        if track is None:
            return ()
        heard_ms = track.end_ms if now_ms is None else track.place_at(now_ms)
        if self.stopped_ms is not None:
            heard_ms = self.stopped_ms
        return tuple(
            ClauseRecord(
                clause.text,
                clause.requested,
                clause.achieved,
                clause.start_ms(track),
                clause.end_ms(track),
                max(0, min(clause.to_ms, heard_ms) - clause.from_ms),
            )
            for clause in self.clauses
        )
