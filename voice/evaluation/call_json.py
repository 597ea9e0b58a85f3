"""A call's file in the shape of Contact Lens, and the short summary that tables are made from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from nlu.types import Emotion
from voice.evaluation.analysis import Call
from voice.evaluation.judging import CallerTurn, attention, differences, outcome
from voice.evaluation.listening import AnalysedTurn
from voice.evaluation.talk import PARTICIPANT, Party, figures, interruptions, response_gaps_ms
from voice.records import plain_json

VERSION = "attune-call/1"
POSITIVE_FROM = 0.2
_PERIODS = ("first", "second", "third")


def summarise(call: Call) -> dict[str, Any]:
    """Everything of a call that tables, metrics and report need, rows of its turns included."""
    judged = [turn.judged for turn in call.turns if turn.judged is not None]
    spans = [turn.span for turn in call.turns]
    talk = figures(spans, call.duration_ms)
    cut_in = sum(1 for each in interruptions(spans) if each.by == "agent")
    silence = talk["NonTalkTime"]["TotalTimeMillis"] / max(1, call.duration_ms)
    ended = outcome(judged, call.job.outcome)
    return {
        "call": call.job.name,
        "path": str(call.job.path),
        "duration_ms": call.duration_ms,
        "parties": call.parties,
        "customer": call.job.customer,
        "jurisdiction": call.jurisdiction,
        "grants": dict(call.grants),
        "withdrawn": list(call.withdrawn),
        "engine": call.engine,
        "speaker_split": plain_json(call.speakers.described) if call.speakers else None,
        "talk": talk,
        "silence_share": round(silence, 4),
        "response_gaps_ms": response_gaps_ms(spans),
        "thirds": _thirds(call),
        "mean_emotion": _mean_emotion(call.turns),
        "outcome": ended,
        "attention": attention(judged, ended["value"], cut_in, silence),
        "promises": [
            {"at_ms": turn.span.start_ms, "text": promise}
            for turn in call.turns
            for promise in turn.promises
        ],
        "next_best_actions": plain_json(call.next_best_actions),
        "redacted": sorted({kind for turn in call.turns for kind in turn.redacted}),
        "rows": rows(call),
        "reference": {
            "transcript": call.job.reference_transcript,
            "emotion": plain_json(call.job.reference_emotion),
            "turns": plain_json(call.job.reference_turns),
            "outcome": call.job.outcome,
        },
    }


def rows(call: Call) -> list[dict[str, Any]]:
    """One row for each turn, as in `turns.csv`; an agent's row has no feeling."""
    cut_in = {(each.by, each.start_ms) for each in interruptions([t.span for t in call.turns])}
    found = []
    for number, turn in enumerate(call.turns, 1):
        span = turn.span
        row: dict[str, Any] = {
            "call": call.job.name,
            "turn": number,
            "party": span.party,
            "start_ms": span.start_ms,
            "end_ms": span.end_ms,
            "talk_ms": span.talk_ms,
            "text": turn.text,
            "words": span.words,
            "confidence": round(turn.confidence, 4),
            "words_per_minute": round(span.words * 60_000 / span.talk_ms) if span.talk_ms else None,
            "interrupts": (span.party, span.start_ms) in cut_in,
            "redacted": " ".join(turn.redacted),
        }
        if turn.judged is not None:
            row |= _caller_row(turn, turn.judged, _answer(call.turns, number))
        else:
            row |= {"human_acts": " ".join(turn.acts)}
        found.append(row)
    return found


def _caller_row(turn: AnalysedTurn, judged: CallerTurn, answer: str | None) -> dict[str, Any]:
    estimate = turn.estimate
    if estimate is None:
        return {}
    felt = not estimate.abstained
    return {
        "emotion": judged.emotion,
        "intensity": judged.intensity if felt else None,
        "emotion_confidence": round(estimate.confidence, 4) if felt else None,
        "valence": round(estimate.valence, 4) if felt else None,
        "arousal": round(estimate.arousal, 4) if felt else None,
        "emotion_voice": turn.voice,
        "emotion_words": turn.words,
        "intent": judged.intent,
        "intent_score": round(turn.intent_score, 4),
        "severity": judged.severity,
        "signals": " ".join(sorted(judged.signals)),
        "reply": turn.reply,
        "strategy": judged.strategy,
        "rules": " ".join(turn.rules),
        "answer_differs": None if answer is None else "; ".join(differences(turn.moves, answer)),
        "probabilities": (
            [round(float(estimate.probabilities.get(each, 0.0)), 4) for each in Emotion]
            if felt
            else None
        ),
    }


def _answer(turns: Sequence[AnalysedTurn], number: int) -> str | None:
    """What the agent said between this turn of the caller (by its number) and the next."""
    said = []
    for turn in turns[number:]:
        if turn.judged is not None:
            break
        said.append(turn.text)
    return " ".join(said) if said else None


def pieces(call: Call, summary: dict[str, Any]) -> Iterator[str]:
    """The text of `calls/NAME.json`, piece by piece: a long call is never held twice."""
    parties: list[Party] = ["caller"] if call.parties == 1 else ["caller", "agent"]
    caller_valence = [
        turn.estimate.valence
        for turn in call.turns
        if turn.estimate is not None and not turn.estimate.abstained
    ]
    head = {
        "Version": VERSION,
        "CallId": call.job.name,
        "Recording": str(call.job.path),
        "LanguageCode": "en-US",
        "Participants": [
            {"ParticipantId": PARTICIPANT[party], "ParticipantRole": PARTICIPANT[party]}
            for party in parties
        ],
        "ConversationCharacteristics": {
            **summary["talk"],
            "Sentiment": {
                "OverallSentiment": {"CUSTOMER": _score(caller_valence)},
                "SentimentByPeriod": {
                    "THIRD": {
                        "CUSTOMER": [
                            {
                                "BeginOffsetMillis": period["start_ms"],
                                "EndOffsetMillis": period["end_ms"],
                                "Score": _score_of(period["valence"]),
                            }
                            for period in summary["thirds"]
                        ]
                    }
                },
            },
        },
    }
    body = json.dumps(head, ensure_ascii=False, indent=1)
    yield body[: body.rindex("}")].rstrip() + ',\n "Transcript": ['
    ordered = list(zip(call.turns, summary["rows"], strict=True))
    for number, (turn, row) in enumerate(ordered):
        entry = _entry(number, turn) | {"Attune": _ours(turn, row)}
        yield ("" if number == 0 else ",") + "\n  " + _compact(entry)
    kept = {
        name: value
        for name, value in summary.items()
        if name not in ("call", "path", "talk", "rows", "reference")
    }
    yield '\n ],\n "Attune": ' + json.dumps(kept, ensure_ascii=False, indent=1) + "\n}\n"


def _entry(number: int, turn: AnalysedTurn) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "Id": f"turn-{number + 1}",
        "ParticipantId": PARTICIPANT[turn.span.party],
        "Content": turn.text,
        "BeginOffsetMillis": turn.span.start_ms,
        "EndOffsetMillis": turn.span.end_ms,
    }
    if turn.estimate is not None and not turn.estimate.abstained:
        entry["Sentiment"] = _sentiment(turn.estimate.valence)
    if turn.redacted:
        entry["Redaction"] = {"Types": list(turn.redacted)}
    return entry


def _ours(turn: AnalysedTurn, row: dict[str, Any]) -> dict[str, Any]:
    ours = {name: value for name, value in turn.record.items() if not name.endswith("_ms")}
    if row.get("answer_differs") is not None:
        ours["answer_differs"] = row["answer_differs"]
    return ours


def _sentiment(valence: float) -> str:
    if valence >= POSITIVE_FROM:
        return "POSITIVE"
    return "NEGATIVE" if valence <= -POSITIVE_FROM else "NEUTRAL"


def _score(valences: Sequence[float]) -> float | None:
    return _score_of(sum(valences) / len(valences)) if valences else None


def _score_of(valence: float | None) -> float | None:
    """Contact Lens counts from -5 to 5."""
    return None if valence is None else round(5 * valence, 2)


def _thirds(call: Call) -> list[dict[str, Any]]:
    """The caller's feeling in each third of the call; null where nothing could be told."""
    found = []
    for part, name in enumerate(_PERIODS):
        start_ms = call.duration_ms * part // 3
        end_ms = call.duration_ms * (part + 1) // 3
        inside = [
            turn
            for turn in call.turns
            if start_ms <= (turn.span.start_ms + turn.span.end_ms) / 2 < max(end_ms, start_ms + 1)
        ]
        mean = _mean_emotion(inside)
        found.append({"period": name, "start_ms": start_ms, "end_ms": end_ms} | mean)
    return found


def _mean_emotion(turns: Sequence[AnalysedTurn]) -> dict[str, Any]:
    """The mean of the fused estimates, weighted by how long the caller spoke."""
    felt = [
        (turn.estimate, max(1, turn.span.talk_ms))
        for turn in turns
        if turn.estimate is not None and not turn.estimate.abstained
    ]
    if not felt:
        return {"emotion": None, "confidence": None, "valence": None, "arousal": None}
    total = sum(weight for _, weight in felt)
    mean = {
        each: sum(e.probabilities.get(each, 0.0) * weight for e, weight in felt) / total
        for each in Emotion
    }
    return {
        "emotion": max(Emotion, key=lambda each: mean[each]).value,
        "confidence": round(sum(e.confidence * weight for e, weight in felt) / total, 4),
        "valence": round(sum(e.valence * weight for e, weight in felt) / total, 4),
        "arousal": round(sum(e.arousal * weight for e, weight in felt) / total, 4),
    }


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
