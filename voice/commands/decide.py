"""`attune decide`: what the policy answers, and why."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlu.errors import AttuneError
from nlu.types import OTHER_INTENT
from voice.commands.options import (
    ConsentOption,
    CustomerOption,
    JurisdictionOption,
    PackOption,
    warn_of_jurisdiction,
)
from voice.json_lines import filled_lines, json_object, readable

if TYPE_CHECKING:
    from dialogue.asking import Asker
    from dialogue.packs.format import Pack
    from dialogue.types import CustomerContext
    from nlu.types import Grant, Understanding

app = typer.Typer(add_completion=False)


class FaultOption(StrEnum):
    """Whose doing the problem is."""

    OURS = "ours"
    THEIRS = "theirs"
    NONE = "none"


class SeverityOption(StrEnum):
    """How much is at stake."""

    INFO = "info"
    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class IntensityOption(StrEnum):
    """How strong the feeling is."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@app.command()
def decide(
    emotion: Annotated[
        list[str] | None, typer.Option(help="NAME=P, as in angry=0.8; may be repeated.")
    ] = None,
    intensity: Annotated[
        IntensityOption | None, typer.Option(help="Of the feeling; follows P otherwise.")
    ] = None,
    confidence: Annotated[
        float | None, typer.Option(help="That the feeling is right, 0 to 1; P otherwise.")
    ] = None,
    text: Annotated[str | None, typer.Option(help="What the caller said.")] = None,
    intent: Annotated[str | None, typer.Option(help="What the caller wants.")] = None,
    fault: Annotated[FaultOption | None, typer.Option(help="Whose fault it is.")] = None,
    severity: Annotated[SeverityOption | None, typer.Option(help="What is at stake.")] = None,
    customer: CustomerOption = None,
    pack: PackOption = None,
    jurisdiction: JurisdictionOption = None,
    consent: ConsentOption = None,
    jsonl: Annotated[
        Path | None, typer.Option(help="A file with one JSON object a line; - for the input.")
    ] = None,
    json_lines: Annotated[
        bool, typer.Option("--json", help="Print one JSON object for each decision.")
    ] = False,
) -> None:
    """Ask the empathy policy: strategy, words and delivery for a described situation, and why.

    Nothing is carried out and nothing is stored. What is left out takes the cautious default.
    """
    given = _options(emotion, intensity, confidence, text, intent, fault, severity)
    given |= {"customer": customer, "jurisdiction": jurisdiction, "consent": _consents(consent)}
    given = {name: value for name, value in given.items() if value not in (None, {})}
    if jsonl is None and not given:
        raise AttuneError(
            "there is nothing to decide; give --emotion, --intent, --text or --jsonl FILE."
        )
    warn_of_jurisdiction(jurisdiction or None)
    asker = _asker(pack)
    try:
        if jsonl is None:
            _print(_one(asker, given, "the options"), as_json=json_lines)
            return
        failed = _file(asker, jsonl, given)
    finally:
        asker.close()
    raise typer.Exit(1 if failed else 0)


def _options(
    emotion: list[str] | None,
    intensity: IntensityOption | None,
    confidence: float | None,
    text: str | None,
    intent: str | None,
    fault: FaultOption | None,
    severity: SeverityOption | None,
) -> dict[str, Any]:
    return {
        "emotion": _emotions(emotion or []),
        "intensity": intensity.value if intensity else None,
        "confidence": confidence,
        "text": None if text is None else readable(text),
        "intent": intent,
        "fault": fault.value if fault else None,
        "severity": severity.value if severity else None,
    }


def _emotions(items: list[str]) -> dict[str, float]:
    emotions = {}
    for item in items:
        name, equals, probability = (part.strip() for part in item.partition("="))
        try:
            emotions[name] = float(probability) if equals else 1.0
        except ValueError:
            raise AttuneError(
                f"--emotion '{item}': '{probability}' is no number; write NAME=P, as in angry=0.8."
            ) from None
    return emotions


def _consents(items: list[str] | None) -> dict[str, str]:
    from dialogue.customers.consent import parse_consents

    return {purpose.value: state.value for purpose, state in parse_consents(items or []).items()}


def _asker(pack_name: str | None) -> Asker:
    from dialogue.asking import Asker
    from dialogue.packs.loader import load_pack
    from voice.settings import load

    pack = load_pack(pack_name or load().pack)
    return Asker(pack, _Customers(pack).find, _Understanding(pack).understand)


class _Customers:
    """The customers' store, opened when a customer is first named."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._store: Any = None

    def find(self, customer: str) -> CustomerContext:
        """Who it is. Raises `AttuneError` when there is no such customer."""
        from dialogue.customers.store import CustomerStore
        from voice.settings import load

        if self._store is None:
            settings = load()
            settings.make_data_dir()
            self._store = CustomerStore.open(settings.database, data_dir=settings.data_dir)
            self._store.seed_pack(self._pack)
        context: CustomerContext = self._store.context(customer)
        if context.id is None:
            raise AttuneError(
                f"customer '{customer}': there is no such customer; import customers with"
                " 'attune customers import FILE' or leave the customer out."
            )
        return context


class _Understanding:
    """The understanding of words, with its models loaded when a text is first given."""

    def __init__(self, pack: Pack) -> None:
        self._pack = pack
        self._mind: Any = None

    def understand(self, text: str, grants: Mapping[str, Grant]) -> Understanding:
        """What a text means."""
        from nlu.types import Transcript
        from nlu.understand import Understander

        if self._mind is None:
            self._mind = Understander(self._pack.language())
        understanding: Understanding = self._mind.understand(Transcript(text), grants=grants)
        return understanding


def _one(asker: Asker, fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    from dialogue.question import read

    question = read(fields, where)
    if question.intent is not None and question.intent not in {*asker.pack.intents, OTHER_INTENT}:
        note = f"{where}: the pack {asker.pack.name} has no intent '{question.intent}'"
        print(f"attune: {note}; decided by the other fields.", file=sys.stderr)  # noqa: T201
    return asker.ask(question)


def _file(asker: Asker, path: Path, given: Mapping[str, Any]) -> int:
    """Decide every line, in order; the number of lines that could not be decided."""
    failed = 0
    for number, line in filled_lines(path):
        where = f"{path.name} line {number}"
        try:
            result = _one(asker, _merged(_object(line, where), given), where)
        except AttuneError as error:
            failed += 1
            result = {"line": number, "error": str(error)}
            print(f"attune: {error}", file=sys.stderr)  # noqa: T201
        _print(result, as_json=True)
    return failed


def _object(line: str, where: str) -> dict[str, Any]:
    value = json_object(line, where)
    return {name: item for name, item in value.items() if item is not None}


def _merged(fields: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What the line says, over what the options say for all lines."""
    consent = fields.get("consent", {})
    if "consent" in given and isinstance(consent, Mapping):
        return {**given, **fields, "consent": {**given["consent"], **consent}}
    return {**given, **fields}


def _print(result: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result, ensure_ascii=False), flush=True)  # noqa: T201
        return
    print(f"{result['strategy']}  (rules {', '.join(result['rules'])})")  # noqa: T201
    print(f"  {result['reply']}")  # noqa: T201
    print(f"  moves: {', '.join(result['moves'])}")  # noqa: T201
    spoken = result["delivery"]
    print(  # noqa: T201
        f"  delivery: rate {spoken['rate']:.2f}, pitch {spoken['pitch_st']:+.1f} st,"
        f" range {spoken['range']:.2f}, level {spoken['level_db']:+.1f} dB"
    )
    for reason in result["reasons"]:
        mark = "fired" if reason["fired"] else "not  "
        print(f"  {mark} {reason['rule']:>3}  {reason['note']}  {reason['saw']}")  # noqa: T201
    if result["offer"]:
        print(f"  offer: {result['offer']['text']}")  # noqa: T201
    if result["handoff"]:
        print("  handoff:")  # noqa: T201
        for line in result["handoff"]["text"].splitlines():
            print(f"    {line}")  # noqa: T201
