"""Whether a pack holds together: every name used exists, and something is always sayable."""

from __future__ import annotations

import re
from collections.abc import Iterable

from dialogue.packs.format import (
    ALWAYS_KNOWN,
    Action,
    Condition,
    Http,
    HttpConnector,
    Pack,
    PackIntent,
    Phrases,
    Slot,
    SqliteConnector,
    placeholders,
)
from dialogue.packs.source import Location, Source
from dialogue.packs.whole import TASK_MOVES, check_whole, listed, own_phrases, policy_moves


def cross_check(pack: Pack, source: Source) -> None:
    """Note in `source` every mistake that one entry alone does not show."""
    check = _Check(pack, source)
    for name, intent in pack.intents.items():
        check.intent(name, intent)
    for name, action in pack.actions.items():
        check.action(name, action)
    for place, entry in enumerate(own_phrases(pack, source)):
        check.phrases(("phrases", place), entry)
    check_whole(pack, source)
    for name, offer in pack.offers.items():
        for kind in ("say", "why", "refuse"):
            check.wordings(("offers", name, kind), getattr(offer, kind))
        check.names(("offers", name, "relevant_to"), offer.relevant_to, pack.intents, "intent")
        check.condition(("offers", name, "when"), offer.when)
        if offer.accept is not None:
            check.action_name(("offers", name, "accept"), offer.accept, "effect")
    for name, connector in pack.connectors.items():
        if isinstance(connector, SqliteConnector):
            check.file(("connectors", name, "seed"), connector.seed)
    check.wordings(("greeting",), pack.greeting)


class _Check:
    def __init__(self, pack: Pack, source: Source) -> None:
        self.pack = pack
        self.source = source
        slots = {slot.name for intent in pack.intents.values() for slot in intent.slots}
        self.known = {*pack.facts, *pack.constants, *ALWAYS_KNOWN, *slots}

    def intent(self, name: str, intent: PackIntent) -> None:
        here: Location = ("intents", name)
        for place, action in enumerate(intent.reads):
            self.action_name((*here, "reads", place), action, "read")
        for place, action in enumerate(intent.does):
            self.action_name((*here, "does", place), action, "effect")
            self.serves((*here, "does", place), action, name)
        for place, option in enumerate(intent.options):
            where = (*here, "options", place)
            self.action_name((*where, "action"), option.action, "effect")
            self.serves((*where, "action"), option.action, name)
            self.wordings((*where, "title"), (option.title,))
            self.condition((*where, "when"), option.when)
        self.names((*here, "covers"), intent.covers, self.pack.intents, "intent")
        self.names((*here, "uses"), intent.uses, self.known, "fact")
        for fault, when in intent.fault_when.items():
            self.condition((*here, "fault_when", str(fault)), when)
        for severity, when in intent.severity_when.items():
            self.condition((*here, "severity_when", str(severity)), when)
        for place, slot in enumerate(intent.slots):
            self.slot((*here, "slots", place), slot)

    def slot(self, where: Location, slot: Slot) -> None:
        self.condition((*where, "when"), slot.when)
        for key in ("ask", "again", "read_back", "took", "choose"):
            self.wordings((*where, key), getattr(slot, key))
        if slot.pattern is not None and not _compiles(slot.pattern):
            self.source.complain((*where, "pattern"), "is no regular expression", "correct it")
        if any("{value}" not in text for text in slot.read_back):
            self.source.complain(
                (*where, "read_back"), "does not say the value", "use {value} in each wording"
            )
        if slot.found_by is not None:
            self.action_name((*where, "found_by"), slot.found_by, "read")
            if not slot.choose or not slot.choice:
                self.source.complain(
                    where,
                    "cannot ask which candidate is meant",
                    "write `choose:` with {choices}, and `choice:` for one of them",
                    "choose",
                )

    def action(self, name: str, action: Action) -> None:
        here: Location = ("actions", name)
        self.names((*here, "serves"), action.serves, self.pack.intents, "intent")
        self.names((*here, "arguments"), action.arguments, self.known, "slot or fact")
        self.names((*here, "gives"), action.gives, self.known, "fact")
        self.wordings((*here, "does"), (action.does,))
        for key in ("confirm", "done"):
            self.wordings((*here, key), getattr(action, key))
        for problem, said in action.problems.items():
            self.wordings((*here, "problems", problem), said)
        slots = {
            s.name
            for each in action.serves
            if each in self.pack.intents
            for s in self.pack.intents[each].slots
        }
        for problem, slot in action.corrects.items():
            self.names((*here, "corrects", problem), (slot,), slots, "slot of the served intents")
        for place, precondition in enumerate(action.preconditions):
            where = (*here, "preconditions", place)
            self.condition((*where, "when"), precondition.when)
            self.problem_worded((*where, "otherwise"), action, precondition.otherwise)
        self.operation(here, action)
        if action.kind == "effect":
            if len(action.done) < 3:
                self.source.complain(
                    here, "has too few wordings", "write at least 3 ways to tell it is done", "done"
                )
            if action.irreversible and len(action.confirm) < 3:
                self.source.complain(
                    here,
                    "cannot be undone, and cannot be confirmed",
                    "write at least 3 ways to ask first",
                    "confirm",
                )

    def operation(self, here: Location, action: Action) -> None:
        connector = self.pack.connectors.get(action.connector)
        if connector is None:
            self.names((*here, "connector"), (action.connector,), self.pack.connectors, "connector")
            return
        kind, wanted, other = (
            ("http", action.http, action.sql)
            if isinstance(connector, HttpConnector)
            else ("sql", action.sql, action.http)
        )
        if wanted is None or other is not None:
            self.source.complain(
                here, f"does not fit its {connector.type} connector", f"write `{kind}:` here", kind
            )
            return
        if action.sql is not None:
            if action.kind == "read" and (action.sql.change or action.sql.select is None):
                self.source.complain(
                    (*here, "sql"), "changes something or tells nothing", "give a read one `select`"
                )
            if action.sql.nothing is not None:
                self.problem_worded((*here, "sql", "nothing"), action, action.sql.nothing)
        if action.http is not None:
            self.http(here, action, action.http)

    def http(self, here: Location, action: Action, operation: Http) -> None:
        for problem in operation.problems.values():
            self.problem_worded((*here, "http", "problems"), action, problem)
        self.names((*here, "http", "facts"), operation.facts, self.known, "fact")
        self.names((*here, "http", "body"), operation.body, self.known, "slot or fact")
        self.wordings((*here, "http", "path"), (operation.path,))
        if action.kind == "read" and operation.method != "GET":
            self.source.complain(
                (*here, "http", "method"), "changes something", "use GET for a read"
            )

    def phrases(self, here: Location, entry: Phrases) -> None:
        self.wordings((*here, "say"), entry.say)
        self.condition((*here, "when"), entry.when)
        self.names((*here, "intent"), entry.intent, self.pack.intents, "intent")
        if entry.action is not None:
            self.names((*here, "action"), (entry.action,), self.pack.actions, "action")
        moves = policy_moves()
        if entry.move not in moves and entry.move not in TASK_MOVES:
            self.names((*here, "move"), (entry.move,), {*moves, *TASK_MOVES}, "move")
            return
        never = [s for s in entry.strategy if s not in moves.get(entry.move, ())]
        if never and moves.get(entry.move):
            self.source.complain(
                (*here, "strategy"),
                f"{never[0]} never makes the move {entry.move}",
                f"use {listed(moves[entry.move])}",
            )

    def names(self, here: Location, used: Iterable[str], known: Iterable[str], what: str) -> None:
        known = set(known)
        for name in used:
            if name not in known:
                self.source.complain(
                    here, f"{name!r} is no {what} of this pack", _advice(name, known)
                )

    def action_name(self, here: Location, name: str, kind: str) -> None:
        fitting = {n for n, action in self.pack.actions.items() if action.kind == kind}
        self.names(here, (name,), fitting, f"{kind} action")

    def serves(self, here: Location, action: str, intent: str) -> None:
        entry = self.pack.actions.get(action)
        if entry is not None and intent not in entry.serves:
            self.source.complain(
                here, f"{action} does not serve {intent}", f"add {intent} to its `serves:`"
            )

    def wordings(self, here: Location, said: Iterable[str]) -> None:
        for text in said:
            try:
                used = placeholders(text)
            except ValueError as error:
                self.source.complain(here, f"{error} in {text!r}", "write {name} of a fact")
                continue
            self.names(here, sorted(used), self.known, "fact")

    def condition(self, here: Location, condition: Condition) -> None:
        self.names(
            here,
            (name for name in condition if not name.startswith("attribute_")),
            self.known,
            "fact",
        )

    def problem_worded(self, here: Location, action: Action, problem: str) -> None:
        general = {e.problem for e in self.pack.phrases if e.move == "problem"}
        if problem not in action.problems and problem not in general:
            self.source.complain(
                here, f"the problem {problem} has no wording", "add it to the action's `problems:`"
            )

    def file(self, here: Location, name: str) -> None:
        path = (self.pack.directory / name).resolve()
        if not path.is_file() or self.pack.directory.resolve() not in path.parents:
            self.source.complain(
                here, f"{name!r} is no file of the pack", f"put it beside pack.yaml as {path.name}"
            )


def _advice(name: str, known: set[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, sorted(known), 1)
    if close:
        return f"did you mean {close[0]!r}"
    return f"use one of {listed(known)}" if 0 < len(known) <= 12 else "declare it, or remove it"


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
