"""From a choice and a task step to the lines of a reply: which moves are said, in what order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dialogue.frames import Part, Step
from dialogue.packs.format import Pack
from dialogue.policy import Policy
from dialogue.rendering import Line
from dialogue.strategy import Choice
from dialogue.types import Strategy
from nlu.types import OTHER_INTENT

_RANK = {"answer": 0, "act": 1, "question": 2, "options": 3}

_DONE_ALREADY = "confirm_done"
_COMPLETE = frozenset(
    {Strategy.SAFETY, Strategy.HANDOFF, Strategy.BOUNDARY, Strategy.CLARIFY, Strategy.MIRROR_BRIEF}
)
"""Strategies whose own moves say where it goes from here."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What the reply of one turn is made from."""

    choice: Choice
    step: Step
    facts: Mapping[str, Any]
    matter: str
    """The intent that this turn is about."""
    said_once: frozenset[tuple[str, str]] = frozenset()
    asides: tuple[str, ...] = ()
    """Said first: what the caller took back or refused is answered before anything else."""
    gratitude: bool = False
    goodbye: bool = False
    small_talk: bool = False
    """The caller greets, thanks or leaves: there is no matter to restate."""
    human_there: bool = True
    heard: bool = True
    acted_before: bool = False
    """Something was carried out earlier in this call and is not being reported now."""
    settled_before: bool = False
    """A matter was settled earlier in this call."""
    extra: tuple[Line, ...] = field(default=())
    """Lines after everything else: an offer."""


def lines(turn: Turn, pack: Pack, policy: Policy) -> tuple[Line, ...]:
    """The lines to be worded, in order."""
    said = [_phrase(move, turn, pack, policy) for move in turn.asides]
    if not turn.heard:
        said.append(_phrase("not_heard", turn, pack, policy))
    else:
        said += list(_by_moves(turn, pack, policy))
    return tuple(line for line in (*said, *turn.extra) if line is not None)


def instead_of_silence(turn: Turn, pack: Pack, policy: Policy) -> tuple[Line, ...]:
    """What is said when the moves of the turn leave nothing to say."""
    settled = turn.settled_before or turn.step.resolved or turn.step.declined
    first = "anything_else" if settled else "no_answer"
    line = _phrase(first, turn, pack, policy) or _phrase("not_heard", turn, pack, policy)
    return (line,) if line is not None else ()


def _by_moves(turn: Turn, pack: Pack, policy: Policy) -> Iterator[Line | None]:
    moves = _moves(turn)
    work = [move for move in moves if policy.move(move).work]
    parts = list(turn.step.parts)
    if turn.choice.handoff:
        # Nothing is asked in the breath that puts the caller through.
        parts = [part for part in parts if part.role not in ("question", "options")]
    asked = any(part.role in ("question", "options") and part.move != "back_to" for part in parts)
    asked = asked and bool({"question", "options"} & set(work))
    for move in moves:
        if policy.move(move).work:
            for line in _parts(parts, move, last=move == work[-1], turn=turn, pack=pack):
                asked = asked or any("?" in text for text in line.wordings)
                yield line
            continue
        question = policy.move(move).kind == "question"
        if (question and asked) or _not_now(move, turn, policy):
            continue
        phrase = _phrase(move, turn, pack, policy)
        asked = asked or (question and phrase is not None)
        yield phrase
    if turn.step.effects:
        yield _phrase("one_moment", turn, pack, policy)
    if not asked and _leads_nowhere(turn):
        yield _phrase("clarify" if turn.matter != OTHER_INTENT else "no_answer", turn, pack, policy)


def _leads_nowhere(turn: Turn) -> bool:
    """Nothing is told, done or asked, although the caller wants something."""
    over = (
        turn.goodbye
        or turn.gratitude
        or turn.step.declined
        or bool(turn.asides)
        or (turn.settled_before and turn.matter == OTHER_INTENT)
    )
    return (
        turn.choice.strategy not in _COMPLETE
        and not (turn.step.parts or turn.step.effects or turn.step.resolved)
        and not over
    )


def _moves(turn: Turn) -> tuple[str, ...]:
    choice, step = turn.choice, turn.step
    moves = choice.moves
    if choice.strategy is Strategy.CLARIFY and not step.understood:
        return (
            ("acknowledge_effort", "no_answer") if "acknowledge_effort" in moves else ("no_answer",)
        )
    if choice.strategy is Strategy.CLARIFY and turn.small_talk and not step.parts:
        return ("anything_else",)
    if not turn.human_there:
        if choice.strategy is Strategy.HANDOFF:
            return (*(move for move in moves if move == "act"), "transfer_closed")
        moves = tuple(move for move in moves if move != "stay_on_line")
    if step.declined and not step.parts:
        moves = ("declined", *moves)
    if step.unsure and not choice.handoff:
        return _before_the_end(moves, "check_answered")
    confirm = choice.confirm_understanding and not choice.handoff and _tells(turn)
    if confirm and "check" not in moves:
        return _before_the_end(moves, "check")
    return moves


def _before_the_end(moves: tuple[str, ...], move: str) -> tuple[str, ...]:
    """A question about this matter is asked in place of one for further matters."""
    end = moves.index("anything_else") if "anything_else" in moves else len(moves)
    return (*moves[:end], move, *moves[end:])


def _not_now(move: str, turn: Turn, policy: Policy) -> bool:
    """Moves whose condition lies in the call rather than in the policy's rule."""
    if policy.move(move).once and (turn.matter, move) in turn.said_once:
        return True
    settled = turn.step.resolved or turn.gratitude or turn.step.declined
    in_work = bool(turn.step.parts or turn.step.effects)
    told = _tells(turn)
    brief = turn.choice.strategy is Strategy.MIRROR_BRIEF
    conditions = {
        "thank": turn.choice.feeling == "happy" and not (turn.gratitude or in_work),
        "welcome": turn.gratitude,
        _DONE_ALREADY: turn.acted_before,
        "goodbye": turn.goodbye,
        "anything_else": (settled or brief or turn.small_talk) and not turn.goodbye,
        "way_ahead": not (told or turn.step.effects or _known(turn)),
        "clarify": not turn.step.parts or not turn.step.resolved,
    }
    return not conditions.get(move, True)


def _tells(turn: Turn) -> bool:
    """Whether this turn tells the caller something of the matter."""
    return any(part.role in ("answer", "act") for part in turn.step.parts)


def _known(turn: Turn) -> bool:
    """Whether the matter has been looked into already."""
    frame = turn.step.state.active
    return frame is not None and bool(frame.facts or frame.told)


def _parts(parts: list[Part], move: str, *, last: bool, turn: Turn, pack: Pack) -> Iterator[Line]:
    """The step's parts due at a work move, in the order that the task gave them."""
    while parts and (last or _RANK[parts[0].role] <= _RANK[move]):
        part = parts.pop(0)
        wordings = pack.phrases_for(
            part.move,
            strategy=turn.choice.strategy,
            intent=part.intent,
            slot=part.slot,
            action=part.action,
            problem=part.problem,
            facts=part.facts,
        )
        kind = {"answer": "fact", "act": "action", "question": "question", "options": "option"}
        yield Line(part.role, kind[part.role], wordings, part.facts)  # type: ignore[arg-type]


def _phrase(move: str, turn: Turn, pack: Pack, policy: Policy) -> Line | None:
    intent = turn.matter if turn.matter != OTHER_INTENT else None
    wordings = pack.phrases_for(
        move, strategy=turn.choice.strategy, intent=intent, facts=turn.facts
    )
    if policy.move(move).kind == "empathy" and intent is not None:
        # The general wordings are often short enough where a fitting one breaks the budget.
        general = pack.phrases_for(move, strategy=turn.choice.strategy, facts=turn.facts)
        wordings = tuple(dict.fromkeys((*wordings, *general)))
    role = policy.move(move)
    due = role.once and role.kind == "empathy"
    return Line(move, role.kind, wordings, turn.facts, due=due) if wordings else None


def spoken_moves(worded: Sequence[str]) -> tuple[str, ...]:
    """The moves of a reply, a run of the same one named once."""
    return tuple(
        move for place, move in enumerate(worded) if place == 0 or worded[place - 1] != move
    )
