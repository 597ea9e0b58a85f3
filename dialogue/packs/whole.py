"""What only the whole pack shows: doubled examples, wordings that tie, moves without words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from dialogue.packs.format import Pack, Phrases
from dialogue.packs.source import Location, Source

TASK_MOVES = frozenset({"problem", "options", "back_to", "answer", "confirm"})
"""Moves that tasks ask for and `phrases.yaml` words; the others come from slots and actions."""
NEEDED_PROBLEMS = ("unavailable", "unknown_result", "needs_identified", "unknown_facts")
_WORK = frozenset({"act", "question"})


def check_whole(pack: Pack, source: Source) -> None:
    """Note what is doubled, tied or missing."""
    _check_examples(pack, source)
    _check_ties(pack, source)
    _check_missing(pack, source)


@lru_cache(maxsize=1)
def policy_moves() -> Mapping[str, frozenset[str]]:
    """Move -> the strategies that make it (none for asides), as the policy lists them."""
    path = Path(__file__).parents[1] / "strategies.yaml"
    policy = yaml.safe_load(path.read_text(encoding="utf-8"))
    made: dict[str, set[str]] = {name: set() for name in (*policy["moves"], *policy["asides"])}
    for rule in policy["rules"]:
        for key in ("moves", "again_moves", "history_moves", "effort_moves"):
            for move in rule.get(key, ()):
                made.setdefault(move, set()).add(rule["strategy"])
    return {name: frozenset(strategies) for name, strategies in made.items()}


def own_phrases(pack: Pack, source: Source) -> tuple[Phrases, ...]:
    """The entries of the pack's own file, without the common ones after them."""
    return pack.phrases[: len(source.data.get("phrases") or ())]


def listed(names: Iterable[str]) -> str:
    """Names in order, with commas."""
    return ", ".join(sorted(str(name) for name in names))


def _check_examples(pack: Pack, source: Source) -> None:
    seen: dict[str, str] = {}
    for name, intent in pack.intents.items():
        for place, example in enumerate(intent.examples):
            plain = re.sub(r"[^\w ]", "", example.lower()).strip()
            where: Location = ("intents", name, "examples", place)
            if not plain:
                source.complain(where, "has no words", "write what callers say")
            elif seen.setdefault(plain, name) != name:
                source.complain(
                    where, f"stands under {seen[plain]} too", "keep it under one of them"
                )


def _check_ties(pack: Pack, source: Source) -> None:
    seen: dict[Any, int] = {}
    for place, entry in enumerate(own_phrases(pack, source)):
        for intent in entry.intent or ("",):
            for strategy in entry.strategy or ("",):
                key = (
                    entry.move,
                    entry.action,
                    entry.problem,
                    intent,
                    strategy,
                    repr(sorted(entry.when.items(), key=lambda item: item[0])),
                )
                first = seen.setdefault(key, place)
                if first != place:
                    _, line, _ = source.place(("phrases", first))
                    source.complain(
                        ("phrases", place),
                        f"ties with the entry on line {line}: the same move and conditions",
                        "join the two, or narrow one with `when:`",
                    )
                    break


def _check_missing(pack: Pack, source: Source) -> None:
    general = {
        e.move for e in pack.phrases if not (e.strategy or e.intent or e.action or e.problem)
    }
    worded = {e.move for e in pack.phrases}
    optional = {"confirm_done", "answer", "options", *_WORK}
    for move, strategies in policy_moves().items():
        if move in optional or move in general:
            continue
        fix = f"add `- move: {move}` with 3 wordings and no intent"
        where = f"needed by {listed(strategies)}" if strategies else "said beside a strategy"
        wrong = "has no wording for every intent" if move in worded else "has no wording"
        source.complain(("phrases",), f"the move {move} {wrong} ({where})", fix)
    for move in ("options", "confirm", "back_to"):
        if pack.actions and move not in general:
            wrong = f"the move {move} has no wording (needed by tasks)"
            source.complain(("phrases",), wrong, f"add `- move: {move}` with 3 wordings")
    for name, intent in pack.intents.items():
        answered = any(e.move == "answer" and name in e.intent for e in pack.phrases)
        if (intent.reads or intent.uses) and not (intent.does or intent.options or answered):
            source.complain(
                ("intents", name),
                "has nothing to answer with",
                f"add `- move: answer` with `intent: [{name}]` to phrases.yaml",
            )
    problems = {e.problem for e in pack.phrases if e.move == "problem"}
    for problem in NEEDED_PROBLEMS:
        if pack.actions and problem not in problems:
            source.complain(
                ("phrases",),
                f"the problem {problem} has no wording",
                f"add `- move: problem` with `problem: {problem}`",
            )
