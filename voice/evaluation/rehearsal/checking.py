"""Holds what happened against what was expected, turn by turn and for the call as a whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dialogue.honesty import apologies, attributes_feeling
from voice.channels.simulated import SpokenSpan
from voice.evaluation.rehearsal.performance import Performance
from voice.evaluation.rehearsal.scenario import (
    CallExpectations,
    DeliveryBounds,
    Line,
    TurnExpectations,
)
from voice.types import TurnRecord

_LEEWAY_MS = 150
_NO_VOICE = "no consent to analyse the voice"
_NOTHING = TurnExpectations()


@dataclass(frozen=True, slots=True)
class Miss:
    """One expectation that was not met. `turn` counts the scenario's lines from 1; 0 is the call
    as a whole."""

    turn: int
    field: str
    wrong: str

    def __str__(self) -> str:
        place = f"turn {self.turn}" if self.turn else "call"
        return f"{place}: {self.field}: {self.wrong}"


def check(performance: Performance) -> tuple[Miss, ...]:
    """Everything that was expected and did not come true; empty when the scenario passed.

    Beside what the scenario asks for, some things always hold: each line is answered once, nobody
    is told what they feel, a voice that may not be analysed was not, no fallback was needed, and
    the assistant stops for nobody but the caller.
    """
    misses: list[Miss] = []
    for place, line in enumerate(performance.scenario.turns):
        number = place + 1
        if place >= len(performance.spans):
            misses.append(Miss(number, "say", f"the call had ended ({performance.ended})"))
            break
        turn = _Turn(performance, line, performance.spans[place], _records_of(performance, place))
        misses.extend(Miss(number, field, wrong) for field, wrong in turn.misses())
    misses.extend(Miss(0, field, wrong) for field, wrong in _call(performance))
    misses.extend(Miss(0, "interrupts", wrong) for wrong in _stopped_for_nobody(performance))
    return tuple(misses)


def _records_of(performance: Performance, place: int) -> tuple[TurnRecord, ...]:
    """The records of turns that were mostly spoken in this line."""
    return tuple(
        record for record in performance.records if _nearest(performance.spans, record) == place
    )


def _nearest(spans: Sequence[SpokenSpan], record: TurnRecord) -> int:
    def shared(place: int) -> tuple[int, int]:
        span = spans[place]
        overlap = min(record.end_ms, span.end_ms) - max(record.start_ms, span.start_ms)
        return overlap, -place

    return max(range(len(spans)), key=shared)


class _Turn:
    """One line with the records of its answer."""

    def __init__(
        self,
        performance: Performance,
        line: Line,
        span: SpokenSpan,
        records: tuple[TurnRecord, ...],
    ) -> None:
        self._performance = performance
        self._span = span
        self._records = records
        self._asked = line.expect or _NOTHING
        self._speaks = line.silence_ms is None

    def misses(self) -> Iterator[tuple[str, str]]:
        """What was not as expected: the field, and what is wrong."""
        if self._performance.sound:
            yield from self._interruption()
        if not self._speaks or not self._asked.answered:
            if self._records:
                heard = self._records[-1].transcript.text
                yield "answered", f"was taken for a turn ({heard!r})"
            return
        if not self._records:
            yield "answered", "was not answered"
            return
        if len(self._records) > 1:
            parts = [record.transcript.text for record in self._records]
            yield "answered", f"was cut into {len(parts)} turns: {parts}"
        record = self._records[-1]
        if record.fallback is not None:
            yield "answered", f"a fallback was spoken ({record.fallback})"
        yield from _always(record)
        yield from _understood(record, self._asked)
        yield from _decided(record, self._asked)
        yield from _worded(record, self._asked)
        if self._asked.delivery is not None:
            yield from _delivered(record, self._asked.delivery)
        if self._performance.sound:
            yield from _timed(record, self._asked)

    def _interruption(self) -> Iterator[tuple[str, str]]:
        wanted, span = self._asked.interrupts, self._span
        stopped = [
            event.at_ms
            for event in self._performance.interruptions
            if span.start_ms <= event.at_ms <= span.end_ms + _LEEWAY_MS
        ]
        if wanted is not None and bool(stopped) != wanted:
            yield "interrupts", f"the assistant {'stopped' if stopped else 'spoke on'}"
        within = self._asked.stops_within_ms
        if within is not None and stopped and stopped[0] - span.start_ms > within:
            yield "stops_within_ms", f"stopped after {stopped[0] - span.start_ms} ms"


def _always(record: TurnRecord) -> Iterator[tuple[str, str]]:
    reply = _reply(record)
    if attributes_feeling(reply):
        yield "reply", f"tells the caller what they feel: {reply!r}"
    if "G4" in record.decision.get("rules", ()) and _voice_analysed(record):
        yield "voice_analysed", "a voice estimate exists although nobody allowed it"


def _understood(record: TurnRecord, asked: TurnExpectations) -> Iterator[tuple[str, str]]:
    understanding = record.understanding
    text = record.transcript.text
    for word in asked.words:
        if not _has(text, word):
            yield "words", f"{word!r} is not in {text!r}"
    intent = (understanding.get("intent") or {}).get("name")
    if asked.intent and intent not in asked.intent:
        yield "intent", f"{intent}, not {' or '.join(asked.intent)}"
    fused = (understanding.get("emotion") or {}).get("fused") or {}
    feeling = fused.get("top") or "abstained"
    if asked.emotion and feeling not in asked.emotion:
        yield "emotion", f"{feeling}, not {' or '.join(asked.emotion)}"
    if asked.voice_analysed is not None and _voice_analysed(record) != asked.voice_analysed:
        yield "voice_analysed", f"{'was' if not asked.voice_analysed else 'was not'} analysed"
    for kind in asked.redacted:
        if kind not in record.redacted:
            yield "redacted", f"{kind} was not taken out (only {', '.join(record.redacted) or '-'})"


def _decided(record: TurnRecord, asked: TurnExpectations) -> Iterator[tuple[str, str]]:
    decision = record.decision
    strategy, rules = decision.get("strategy"), tuple(decision.get("rules", ()))
    if asked.strategy and strategy not in asked.strategy:
        wanted = " or ".join(each.value for each in asked.strategy)
        yield "strategy", f"{strategy} by {', '.join(rules)}, not {wanted}"
    yield from _rules(rules, asked.rules, asked.not_rules)
    acts = _acts(record)
    for act in asked.acts:
        if act not in acts:
            yield "acts", f"{act} is missing from {', '.join(sorted(acts))}"
    for act in asked.forbidden_acts:
        if act in acts:
            yield "forbidden_acts", f"{act} was done"
    for field in ("handoff", "offer"):
        wanted_there = getattr(asked, field)
        if wanted_there is not None and bool(decision.get(field)) != wanted_there:
            yield field, "is missing" if wanted_there else "was made"
    if asked.effects is not None and _effects(record) != asked.effects:
        yield "effects", f"{list(_effects(record))}, not {list(asked.effects)}"
    if asked.ends_call is not None and bool(decision.get("ends_call")) != asked.ends_call:
        yield "ends_call", "did not end" if asked.ends_call else "ended"


def _rules(
    fired: Sequence[str], wanted: Sequence[str], unwanted: Sequence[str]
) -> Iterator[tuple[str, str]]:
    for rule in wanted:
        if rule not in fired:
            yield "rules", f"{rule} did not fire, only {', '.join(fired) or 'none'}"
    for rule in unwanted:
        if rule in fired:
            yield "not_rules", f"{rule} fired"


def _worded(record: TurnRecord, asked: TurnExpectations) -> Iterator[tuple[str, str]]:
    reply = _reply(record)
    for words in asked.says:
        if not _has(reply, words):
            yield "says", f"{words!r} is not in {reply!r}"
    if asked.says_one_of and not any(_has(reply, words) for words in asked.says_one_of):
        yield "says_one_of", f"none of {list(asked.says_one_of)} is in {reply!r}"
    for words in asked.forbidden_words:
        if _has(reply, words):
            yield "forbidden_words", f"{words!r} is in {reply!r}"


def _delivered(record: TurnRecord, asked: DeliveryBounds) -> Iterator[tuple[str, str]]:
    """By what was measured on the sound, where it was; the mean over the clauses."""
    for field in ("rate", "pitch_st", "range", "level_db"):
        bounds = getattr(asked, field)
        if bounds is None or not record.spoken:
            continue
        values = [getattr(clause.achieved or clause.requested, field) for clause in record.spoken]
        wrong = bounds.missed_by(round(sum(values) / len(values), 3))
        if wrong is not None:
            yield f"delivery.{field}", wrong


def _timed(record: TurnRecord, asked: TurnExpectations) -> Iterator[tuple[str, str]]:
    for field, stage in (("gap_ms", "gap"), ("waits_ms", "silence")):
        bounds = getattr(asked, field)
        wrong = bounds.missed_by(record.latency_ms.get(stage, 0.0)) if bounds else None
        if wrong is not None:
            yield field, wrong


def _call(performance: Performance) -> Iterator[tuple[str, str]]:
    asked: CallExpectations = performance.scenario.expect
    records = performance.records
    yield from _opened(performance.opening, asked)
    fired = [rule for record in records for rule in record.decision.get("rules", ())]
    yield from _rules(fired, asked.rules, asked.not_rules)
    for record in records:
        for act in sorted(_acts(record).intersection(asked.forbidden_acts)):
            yield "forbidden_acts", f"{act} was done in turn {record.turn}"
        for words in asked.forbidden_words:
            if _has(_reply(record), words):
                yield "forbidden_words", f"{words!r} is in {_reply(record)!r}"
    came = {
        "ends": performance.ended,
        "turns": len(records),
        "effects": tuple(effect for record in records for effect in _effects(record)),
        "voice_analysed": any(map(_voice_analysed, records)),
        "kept": _kept(performance),
    }
    for field, value in came.items():
        wanted = getattr(asked, field)
        if wanted is not None and value != wanted:
            yield field, f"{value}, not {wanted}"


def _stopped_for_nobody(performance: Performance) -> Iterator[str]:
    for event in performance.interruptions:
        if not any(
            span.start_ms <= event.at_ms <= span.end_ms + _LEEWAY_MS for span in performance.spans
        ):
            yield f"the assistant stopped at {event.at_ms} ms although the caller said nothing"


def _opened(opening: str, asked: CallExpectations) -> Iterator[tuple[str, str]]:
    for words in asked.opening_says:
        if not _has(opening, words):
            yield "opening_says", f"{words!r} is not in {opening!r}"
    for words in asked.opening_lacks:
        if _has(opening, words):
            yield "opening_lacks", f"{words!r} is in {opening!r}"


def _kept(performance: Performance) -> str:
    if performance.stored.texts:
        return "words"
    return "contact" if performance.stored.contacts else "nothing"


# --- what a record says --------------------------------------------------------------------------


def _reply(record: TurnRecord) -> str:
    """What was said, and the same in figures where it differs."""
    said = str(record.decision.get("reply", "")) or " ".join(c.text for c in record.spoken)
    clauses: Sequence[Mapping[str, Any]] = record.decision.get("clauses", ())
    written = [clause["written"] for clause in clauses if clause.get("written")]
    return " ".join([said, *written])


def _acts(record: TurnRecord) -> frozenset[str]:
    """Moves, effects' actions, and what goes by a name of its own."""
    decision = record.decision
    effects = _effects(record)
    named = {
        "offer": bool(decision.get("offer")),
        "handoff": bool(decision.get("handoff")),
        "effect": bool(effects),
        "apology": apologies(str(decision.get("reply", ""))) > 0,
    }
    present = {name for name, there in named.items() if there}
    return frozenset({*decision.get("moves", ()), *effects, *present})


def _effects(record: TurnRecord) -> tuple[str, ...]:
    return tuple(effect["action"] for effect in record.decision.get("effects", ()))


def _voice_analysed(record: TurnRecord) -> bool:
    """Whether a voice model was asked at all; one that was may have abstained by itself."""
    voice = (record.understanding.get("emotion") or {}).get("voice")
    refused = {_NO_VOICE, "no sound was given"}
    return (voice is not None and voice.get("abstained") not in refused) or bool(
        record.extra.get("emotion_course")
    )


def _has(text: str, words: str) -> bool:
    """Whether the words stand in the text, whole, whatever the case."""
    pattern = rf"(?<!\w){re.escape(words.lower())}(?!\w)"
    return re.search(pattern, text.lower().replace("’", "'")) is not None
