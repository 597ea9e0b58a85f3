"""What the business can do: reads and effects through connectors, and whether they fit.

Reads change nothing and may run while a turn is still being guessed at. Effects run once, after
the turn has ended; their idempotency key stays with the business's own record of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from dialogue.connectors.protocol import UNAVAILABLE, UNKNOWN_RESULT, Connector
from dialogue.frames import Read, ReadResult
from dialogue.packs import format as packs
from dialogue.packs.facts import say_facts, standing_facts
from dialogue.types import CustomerContext, Effect, EffectResult, NextBestAction

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Relevance:
    """Did an action address the request? Three booleans, and the first problem found."""

    serves_intent: bool
    context_allows: bool
    preconditions_held: bool
    problem: str | None = None

    @property
    def addressed(self) -> bool:
        """All three."""
        return self.serves_intent and self.context_allows and self.preconditions_held

    def record(self) -> dict[str, bool]:
        """As it stands in a `Decision`."""
        return {
            "serves_intent": self.serves_intent,
            "context_allows": self.context_allows,
            "preconditions_held": self.preconditions_held,
            "addressed": self.addressed,
        }


def relevance(
    pack: packs.Pack, action: str, intent: str, facts: Mapping[str, Any], context: CustomerContext
) -> Relevance:
    """Whether `action` serves `intent`, the context allows it, and its preconditions hold."""
    entry = pack.actions[action]
    serves = intent in entry.serves
    allowed = "identified" not in entry.needs or context.id is not None
    missing = [name for name in entry.arguments if facts.get(name) is None]
    broken = next((one for one in entry.preconditions if not packs.holds(one.when, facts)), None)
    certain = broken is not None and all(facts.get(name) is not None for name in broken.when)
    problem = None
    if not allowed:
        problem = "needs_identified"
    elif missing and not certain:
        problem = "unknown_facts"
    elif broken is not None:
        problem = broken.otherwise
    return Relevance(serves, allowed, not missing and broken is None, problem)


def effect_of(pack: packs.Pack, action: str, facts: Mapping[str, Any], turn_key: str) -> Effect:
    """The effect of an action in a turn: `turn_key` (call and turn) makes its key repeatable."""
    arguments = {name: facts[name] for name in pack.actions[action].arguments if name in facts}
    return Effect(action, arguments, f"{turn_key}:{action}")


def next_best_actions(
    pack: packs.Pack,
    intent: str,
    facts: Mapping[str, Any],
    context: CustomerContext,
    done: tuple[str, ...] = (),
) -> tuple[NextBestAction, ...]:
    """Effects ranked for the assistant and for a human agent alike, each with its reason.

    An action that the intent names counts 1, a choice 0.9 falling by place, another that serves it
    0.5; one that may not be done now counts a third, and says what is in the way.
    """
    entry = pack.intents.get(intent)
    if entry is None:
        return ()
    rank = {option.action: 0.9 - 0.1 * place for place, option in enumerate(entry.options)}
    rank |= {action: 1.0 - 0.05 * place for place, action in enumerate(entry.does)}
    hidden = {option.action for option in entry.options if not packs.holds(option.when, facts)}
    words = say_facts({**facts}, pack)
    suggestions = []
    for name, action in pack.actions.items():
        if action.kind != "effect" or name in done or intent not in action.serves:
            continue
        fit = relevance(pack, name, intent, facts, context)
        score = rank.get(name, 0.5)
        if fit.addressed and name not in hidden:
            why = f"serves {entry.title} and everything it needs holds"
        else:
            score /= 3
            why = f"serves {entry.title}, but: {_obstacle(pack, name, fit, words)}"
        suggestions.append(NextBestAction(name, round(score, 3), why))
    return tuple(sorted(suggestions, key=lambda each: (-each.score, each.action)))


class Actions:
    """A pack's actions with the systems behind them."""

    def __init__(self, pack: packs.Pack, connectors: Mapping[str, Connector]) -> None:
        self._pack = pack
        self._connectors = dict(connectors)

    @classmethod
    def open(cls, pack: packs.Pack, now: datetime, data_dir: Path | None = None) -> Actions:
        """Open every connector of the pack.

        With `data_dir` None, databases live in memory: a replayed call finds the same world.

        Raises:
            AttuneError: a database cannot be opened or seeded, or a signing secret is not set.
        """
        return cls(pack, open_connectors(pack, now, data_dir))

    def reader(self, context: CustomerContext, now: datetime) -> Read:
        """`read` with the caller and the clock filled in."""
        return lambda action, facts: self.read(action, facts, context, now)

    def read(
        self, action: str, facts: Mapping[str, Any], context: CustomerContext, now: datetime
    ) -> ReadResult:
        """Ask a connector for facts. Never raises; what went wrong is the result's problem."""
        entry = self._pack.actions[action]
        if "identified" in entry.needs and context.id is None:
            return ReadResult(problem="needs_identified")
        values = {**facts, **standing_facts(self._pack, context, now)}
        try:
            return self._connectors[entry.connector].read(entry, _with_strangers(values, context))
        except Exception as error:
            _log.warning("%s: the connector failed (%s)", action, type(error).__name__)
            return ReadResult(problem=UNAVAILABLE)

    def carry_out(self, effect: Effect, context: CustomerContext, now: datetime) -> EffectResult:
        """Make a change, once. Never raises: a failure of unknown outcome is `unknown_result`."""
        entry = self._pack.actions[effect.action]
        values = {**standing_facts(self._pack, context, now), **effect.arguments}
        try:
            return self._connectors[entry.connector].carry_out(
                entry, effect, _with_strangers(values, context)
            )
        except Exception as error:
            _log.warning("%s: the connector failed (%s)", effect.action, type(error).__name__)
            return EffectResult(effect, False, problem=UNKNOWN_RESULT)

    def close(self) -> None:
        """Close every connector."""
        for connector in self._connectors.values():
            connector.close()


def open_connectors(
    pack: packs.Pack, now: datetime, data_dir: Path | None = None
) -> dict[str, Connector]:
    """The connectors that a pack describes; see `Actions.open`."""
    local = now if now.tzinfo is None else now.astimezone(ZoneInfo(pack.timezone))
    opened: dict[str, Connector] = {}
    for name, settings in pack.connectors.items():
        opened[name] = _KINDS[settings.type](pack, name, settings, local, data_dir)
    return opened


def _open_sqlite(
    pack: packs.Pack,
    name: str,
    settings: packs.SqliteConnector,
    local: datetime,
    data_dir: Path | None,
) -> Connector:
    from dialogue.connectors.sqlite import SqliteConnector

    path = None if data_dir is None else data_dir / f"{pack.name}-{name}.sqlite"
    script = (pack.directory / settings.seed).read_text(encoding="utf-8")
    return SqliteConnector(script, path, local.date(), reseed_daily=settings.reseed == "daily")


def _open_http(
    pack: packs.Pack,  # noqa: ARG001
    name: str,  # noqa: ARG001
    settings: packs.HttpConnector,
    local: datetime,  # noqa: ARG001
    data_dir: Path | None,  # noqa: ARG001
) -> Connector:
    from dialogue.connectors.http import HttpConnector

    return HttpConnector(settings)


_KINDS: Mapping[str, Callable[..., Connector]] = {"sqlite": _open_sqlite, "http": _open_http}


def _with_strangers(values: dict[str, Any], context: CustomerContext) -> dict[str, Any]:
    """A caller cannot become somebody else by what was said: the identity is the context's."""
    return {**values, "customer_id": context.id}


def _obstacle(pack: packs.Pack, action: str, fit: Relevance, words: Mapping[str, str]) -> str:
    if fit.problem is None:
        return "it does not fit the situation"
    if fit.problem == "unknown_facts":
        missing = [name for name in pack.actions[action].arguments if name not in words]
        return f"not known yet: {', '.join(missing)}"
    if fit.problem == "needs_identified":
        return "the caller is not identified"
    return fit.problem.replace("_", " ")
