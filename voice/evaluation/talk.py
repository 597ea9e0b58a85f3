"""Who spoke how much, how fast, and into whose words: figures of a call from its spans alone."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

Party = Literal["caller", "agent"]

PARTICIPANT: Mapping[Party, str] = {"caller": "CUSTOMER", "agent": "AGENT"}
LONG_SILENCE_MS = 3_000
"""From here on silence is listed as non-talk time."""
OVERLAP_MS = 300
"""Less than this together is the usual overlap at a change of turns."""
_LISTENING_WORDS = 2


@dataclass(frozen=True, slots=True)
class Span:
    """One turn as time: who, from when to when, how much of it speech, how many words."""

    party: Party
    start_ms: int
    end_ms: int
    talk_ms: int
    words: int
    backchannel: bool = False


@dataclass(frozen=True, slots=True)
class Interruption:
    """`by` began to speak at `start_ms` while the other was speaking, until `end_ms`."""

    by: Party
    start_ms: int
    end_ms: int


def interruptions(spans: Sequence[Span]) -> list[Interruption]:
    """Where a party began within the other's turn and the two spoke at once for 300 ms or more.

    "Mm-hm" and the like are listening, not interrupting.
    """
    found = []
    starts = {
        party: sorted((s.start_ms, s.end_ms) for s in spans if s.party != party)
        for party in PARTICIPANT
    }
    for mine in spans:
        others = starts[mine.party]
        place = bisect_left(others, (mine.start_ms, 0)) - 1
        if mine.backchannel or place < 0:
            continue
        end_ms = min(mine.end_ms, others[place][1])
        if end_ms - mine.start_ms >= OVERLAP_MS:
            found.append(Interruption(mine.party, mine.start_ms, end_ms))
    return sorted(found, key=lambda each: each.start_ms)


def response_gaps_ms(spans: Sequence[Span]) -> list[int]:
    """How long the caller waited for each answer of the agent; negative where it cut in."""
    gaps = []
    ordered = sorted(spans, key=lambda span: (span.start_ms, span.party))
    for before, after in pairwise(ordered):
        if before.party == "caller" and after.party == "agent":
            gaps.append(after.start_ms - before.end_ms)
    return gaps


def figures(spans: Sequence[Span], duration_ms: int) -> dict[str, Any]:
    """`ConversationCharacteristics` without sentiment, in the shape of Contact Lens."""
    silences = _silences(spans, duration_ms)
    cut = interruptions(spans)
    talk = {party: sum(s.talk_ms for s in spans if s.party == party) for party in _parties(spans)}
    words = {party: sum(s.words for s in spans if s.party == party) for party in talk}
    return {
        "TotalConversationDurationMillis": duration_ms,
        "Interruptions": {
            "TotalCount": len(cut),
            "TotalTimeMillis": sum(each.end_ms - each.start_ms for each in cut),
            "InterruptionsByInterrupter": {
                PARTICIPANT[party]: [
                    _stretch(each.start_ms, each.end_ms) for each in cut if each.by == party
                ]
                for party in talk
            },
        },
        "NonTalkTime": {
            "TotalTimeMillis": sum(end - start for start, end in silences),
            "Instances": [
                _stretch(start, end) for start, end in silences if end - start >= LONG_SILENCE_MS
            ],
        },
        "TalkSpeed": {
            "DetailsByParticipant": {
                PARTICIPANT[party]: {
                    "AverageWordsPerMinute": round(words[party] * 60_000 / talk[party])
                }
                for party in talk
                if talk[party]
            }
        },
        "TalkTime": {
            "TotalTimeMillis": sum(talk.values()),
            "DetailsByParticipant": {
                PARTICIPANT[party]: {"TotalTimeMillis": talk[party]} for party in talk
            },
        },
    }


def is_backchannel_span(words: int, text: str) -> bool:
    """Whether a turn only says "I am listening"."""
    from voice.turns.backchannel import is_backchannel

    return words <= _LISTENING_WORDS and is_backchannel(text)


def _parties(spans: Sequence[Span]) -> list[Party]:
    present = {span.party for span in spans}
    return [party for party in PARTICIPANT if party in present]


def _silences(spans: Sequence[Span], duration_ms: int) -> list[tuple[int, int]]:
    silences, quiet_since = [], 0
    for span in sorted(spans, key=lambda span: span.start_ms):
        if span.start_ms > quiet_since:
            silences.append((quiet_since, span.start_ms))
        quiet_since = max(quiet_since, span.end_ms)
    if duration_ms > quiet_since:
        silences.append((quiet_since, duration_ms))
    return silences


def _stretch(start_ms: int, end_ms: int) -> dict[str, int]:
    return {
        "BeginOffsetMillis": start_ms,
        "EndOffsetMillis": end_ms,
        "DurationMillis": end_ms - start_ms,
    }
