"""What is kept of a turn: one JSON-ready record, redacted before anybody sees it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import IO, Any

from nlu.errors import AttuneError
from nlu.redaction import Redacted, redact
from nlu.types import Emotion, EmotionEstimate, Entity, Transcript, Understanding, Word
from voice.answering import Answer
from voice.types import ClauseRecord, TurnFinished, TurnRecord

PERSONAL_ENTITIES = {"card_number", "account_number", "email", "phone", "address", "name"}
_DIGITS = 4


def plain_json(value: Any) -> Any:
    """Any value of the vocabularies as JSON types; floats rounded to four digits, NaN to null."""
    match value:
        case EmotionEstimate():
            return _estimate_json(value)
        case Enum():
            return value.value
        case bool() | int() | str() | None:
            return value
        case float():
            return round(value, _DIGITS) if math.isfinite(value) else None
        case datetime() | date():
            return value.isoformat()
        case Mapping():
            return {str(plain_json(key)): plain_json(item) for key, item in value.items()}
        case set() | frozenset():
            return sorted(plain_json(item) for item in value)
        case list() | tuple():
            return [plain_json(item) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain_json(getattr(value, field.name)) for field in fields(value)}
    return plain_json(value.item()) if hasattr(value, "item") else str(value)


def _estimate_json(estimate: EmotionEstimate) -> dict[str, Any]:
    return {
        "top": None if estimate.abstained else estimate.top.value,
        "probabilities": {
            emotion.value: round(float(estimate.probabilities.get(emotion, 0.0)), _DIGITS)
            for emotion in Emotion
        },
        "valence": round(float(estimate.valence), _DIGITS),
        "arousal": round(float(estimate.arousal), _DIGITS),
        "intensity": estimate.intensity.value,
        "confidence": round(float(estimate.confidence), _DIGITS),
        "source": estimate.source.value,
        "abstained": estimate.abstained,
    }


class _Redactor:
    """Redacts everything that belongs to one turn and remembers what it found."""

    def __init__(self, names: Sequence[str], plain: set[str]) -> None:
        self._names = tuple(names)
        self._plain = plain
        self._known: dict[str, Redacted] = {}
        self.found: set[str] = set()

    def text(self, text: str) -> str:
        """A text with typed placeholders."""
        return text if text in self._plain else self._redacted(text).text

    def _redacted(self, text: str) -> Redacted:
        if text not in self._known:
            self._known[text] = result = redact(text, names=self._names)
            self.found.update(span.type for span in result.spans)
            if not result.spans:
                self._plain.add(text)
        return self._known[text]

    def transcript(self, transcript: Transcript) -> Transcript:
        """Text and words redacted at the same places."""
        result = self._redacted(transcript.text)
        words: list[Word] = []
        position = 0
        for word in transcript.words:
            start = transcript.text.find(word.text, position)
            position = start + len(word.text) if start >= 0 else position
            span = next((s for s in result.spans if s.start < position and start < s.end), None)
            words.append(replace(word, text=span.placeholder) if span and start >= 0 else word)
        return replace(transcript, text=result.text, words=tuple(words))

    def entity(self, entity: Entity) -> dict[str, Any]:
        """An entity without its value where that would name a person."""
        kept = plain_json(entity)
        if entity.type in PERSONAL_ENTITIES:
            self.found.add(entity.type)
            kept |= {"value": f"[{entity.type.upper()}]", "text": f"[{entity.type.upper()}]"}
        return dict(kept)

    def tree(self, value: Any) -> Any:
        """Every string inside a JSON value redacted; keys stay."""
        if isinstance(value, str):
            return self.text(value) if len(value) > 3 else value
        if isinstance(value, dict):
            return {key: self.tree(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.tree(item) for item in value]
        return value


def understanding_json(understanding: Understanding) -> dict[str, Any]:
    """An understanding in the shape that `attune understand` prints."""
    return {
        "transcript": understanding.transcript.text,
        "intent": plain_json(understanding.intent),
        "entities": plain_json(understanding.entities),
        "emotion": {
            "voice": plain_json(understanding.voice),
            "words": plain_json(understanding.words),
            "fused": plain_json(understanding.fused),
        },
        "conflict": plain_json(understanding.conflict),
        "trajectory": plain_json(understanding.trajectory),
        "signals": plain_json(understanding.signals),
    }


def decision_json(decision: Any) -> dict[str, Any]:
    """A decision with its rules by name and the reply as text beside its clauses."""
    return {
        **plain_json(decision),
        "rules": list(decision.rules),
        "reply": decision.reply.written,
        "clauses": plain_json(decision.reply.clauses),
    }


def record_turn(
    call: str,
    answer: Answer,
    spoken: tuple[ClauseRecord, ...],
    engines: Mapping[str, str],
    *,
    interrupted: bool = False,
    names: Sequence[str] = (),
    opening: Answer | None = None,
    plain: set[str] | None = None,
) -> TurnRecord:
    """The record of a finished turn; everything in it is redacted.

    `plain` gathers the texts of a call that hold nothing personal: the names of rules and actions
    stand in each of its records, many times.
    """
    redactor = _Redactor(names, set() if plain is None else plain)
    understanding: dict[str, Any] = {}
    if answer.understanding is not None:
        understanding = redactor.tree(understanding_json(answer.understanding))
        understanding["entities"] = [
            redactor.entity(entity) for entity in answer.understanding.entities
        ]
    decision = redactor.tree(decision_json(answer.decision)) if answer.decision else {}
    extra: dict[str, Any] = {
        "emotion_course": [
            {"at_ms": at_ms, **_estimate_json(estimate)} for at_ms, estimate in answer.course
        ],
        "endpoint": plain_json(answer.verdict),
        "cpu_ms": plain_json(answer.clock.cpu_ms),
    }
    if opening is not None and opening.decision is not None:
        extra["opening"] = opening.decision.reply.written
    return TurnRecord(
        call=call,
        turn=answer.number,
        start_ms=answer.start_ms,
        end_ms=answer.end_ms,
        transcript=redactor.transcript(answer.transcript),
        understanding=understanding,
        decision=decision,
        spoken=tuple(replace(clause, text=redactor.text(clause.text)) for clause in spoken),
        latency_ms={**answer.clock.wall_ms, **answer.latency_ms},
        engines=dict(engines),
        redacted=tuple(sorted(redactor.found)),
        interrupted=interrupted,
        fallback=answer.fallback,
        extra=extra,
        speaker=answer.speaker,
        review=answer.review,
    )


def record_line(record: TurnRecord) -> str:
    """A record as one line of JSON."""
    return json.dumps(plain_json(record), ensure_ascii=False)


class JsonLines:
    """An observer that writes each finished turn as one line, at once."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[str] = path.open("w", encoding="utf-8")
        except OSError as error:
            raise AttuneError(
                f"{path} cannot be written ({error.strerror}); choose another folder with --out."
            ) from None

    def __call__(self, event: object) -> None:
        """Write the record of a finished turn; other events pass."""
        if isinstance(event, TurnFinished):
            self._file.write(record_line(event.record) + "\n")
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
