"""What the calls of a run have in common: totals and distributions, added up call by call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from voice.evaluation.inputs import Failure
from voice.evaluation.references import Compared, compare, figures

VERSION = "attune-metrics/1"
LONG_GAP_MS = 3_000


@dataclass(slots=True)
class Metrics:
    """Adds up summaries of calls; holds counts and one number a gap, no call."""

    calls: int = 0
    duration_ms: int = 0
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    talk_ms: Counter[str] = field(default_factory=Counter)
    shared_ms: Counter[str] = field(default_factory=Counter)
    """Talk in calls where both parties are heard."""
    words: Counter[str] = field(default_factory=Counter)
    silence_ms: int = 0
    silences: int = 0
    interruptions: Counter[str] = field(default_factory=Counter)
    gaps_ms: list[int] = field(default_factory=list)
    compared: list[Compared] = field(default_factory=list)
    promises: int = 0
    differing: int = 0
    answered: int = 0

    def add(self, summary: Mapping[str, Any]) -> None:
        """Take one call."""
        self.calls += 1
        self.duration_ms += summary["duration_ms"]
        self._count("outcome", summary["outcome"]["value"])
        self._count("parties", str(summary["parties"]))
        self._count("jurisdiction", summary["jurisdiction"])
        self._count("recognizer", summary["engine"])
        first, _, last = (third["emotion"] or "unknown" for third in summary["thirds"])
        self._count("emotion_first_third", first)
        self._count("emotion_last_third", last)
        self._count("emotion_first_to_last", f"{first} > {last}")
        self._talk(summary["talk"], both=summary["parties"] == 2)
        self.gaps_ms += summary["response_gaps_ms"]
        self.promises += len(summary["promises"])
        for row in summary["rows"]:
            self._row(row)
        reference = compare(summary)
        if reference is not None:
            self.compared.append(reference)

    def _talk(self, talk: Mapping[str, Any], *, both: bool) -> None:
        for who, details in talk["TalkTime"]["DetailsByParticipant"].items():
            self.talk_ms[who] += details["TotalTimeMillis"]
            if both:
                self.shared_ms[who] += details["TotalTimeMillis"]
        for who, cuts in talk["Interruptions"]["InterruptionsByInterrupter"].items():
            self.interruptions[who] += len(cuts)
        self.silence_ms += talk["NonTalkTime"]["TotalTimeMillis"]
        self.silences += len(talk["NonTalkTime"]["Instances"])

    def _row(self, row: Mapping[str, Any]) -> None:
        self._count("turns", row["party"])
        self.words["CUSTOMER" if row["party"] == "caller" else "AGENT"] += row["words"]
        for kind in row["redacted"].split():
            self._count("redacted", kind)
        if row["party"] != "caller":
            return
        self._count("intent", row["intent"])
        self._count("severity", row["severity"])
        self._count("strategy", row["strategy"])
        self._count("emotion", row["emotion"] or "abstained")
        self._count("emotion_voice", row["emotion_voice"])
        self._count("emotion_words", row["emotion_words"])
        for signal in row["signals"].split():
            self._count("signal", signal)
        if row["answer_differs"] is not None:
            self.answered += 1
            self.differing += bool(row["answer_differs"])

    def _count(self, what: str, value: str) -> None:
        self.counts.setdefault(what, Counter())[value] += 1

    def result(self, failures: Sequence[Failure], left_aside: int) -> dict[str, Any]:
        """Everything as plain values, most frequent first."""
        minutes = {who: ms / 60_000 for who, ms in self.talk_ms.items() if ms}
        return {
            "version": VERSION,
            "calls": self.calls,
            "failures": len(failures),
            "files_left_aside": left_aside,
            "hours": round(self.duration_ms / 3_600_000, 4),
            "distributions": {
                what: dict(sorted(counts.items(), key=lambda each: (-each[1], each[0])))
                for what, counts in sorted(self.counts.items())
            },
            "talk": {
                "share_of_talk": {
                    who: round(ms / max(1, sum(self.shared_ms.values())), 4)
                    for who, ms in sorted(self.shared_ms.items())
                },
                "silence_share": round(self.silence_ms / max(1, self.duration_ms), 4),
                "silences_over_3_s": self.silences,
                "words_per_minute": {
                    who: round(self.words[who] / minute) for who, minute in sorted(minutes.items())
                },
                "interruptions": dict(sorted(self.interruptions.items())),
            },
            "response_gap_ms": _gaps(self.gaps_ms),
            "promises": self.promises,
            "answers_that_differ": {"n": self.answered, "differing": self.differing},
            "reference": figures(self.compared),
        }


def _gaps(gaps_ms: Sequence[int]) -> dict[str, Any]:
    """The caller's wait for the agent; an answer that began earlier is a cut-in."""
    if not gaps_ms:
        return {"n": 0}
    ordered = sorted(gaps_ms)
    return {
        "n": len(ordered),
        "p50": ordered[len(ordered) // 2],
        "p95": ordered[min(len(ordered) - 1, round(0.95 * (len(ordered) - 1)))],
        "cut_in_rate": round(sum(1 for gap in ordered if gap < 0) / len(ordered), 4),
        "over_3_s": sum(1 for gap in ordered if gap > LONG_GAP_MS),
    }
