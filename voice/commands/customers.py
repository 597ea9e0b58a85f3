"""`attune customers`: who is known, what they allowed, and their rights."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlu.errors import AttuneError

if TYPE_CHECKING:
    from dialogue.customers.store import CustomerStore

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Import, show, export, forget customers and record consent.",
)

Database = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="sqlite:///PATH or postgresql://USER@HOST/NAME; by default ATTUNE_DATABASE_URL or "
        "SQLite in the data folder.",
    ),
]
CustomerId = Annotated[str, typer.Argument(metavar="ID", help="The customer's id.")]


@app.command("import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="CSV, JSON or YAML files.")],
    database: Database = None,
) -> None:
    """Import customers: all of a file or nothing of it; twice is as once."""
    from dialogue.customers.importing import import_file

    with _store(database) as store:
        for path in files:
            report = import_file(store, path)
            line = (
                f"{path}: {report.created} new, {report.updated} changed, "
                f"{report.unchanged} as before"
            )
            if report.forgotten:
                line += f", {report.forgotten} left out because they asked to be forgotten"
            typer.echo(f"{line}.")


@app.command()
def show(
    customer_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The customer's id.")
    ] = None,
    phone: Annotated[str | None, typer.Option(help="Or a telephone number.")] = None,
    database: Database = None,
) -> None:
    """Show what a call from this customer would know, as JSON."""
    if (customer_id is None) == (phone is None):
        raise AttuneError("attune customers show: give either an ID or --phone NUMBER.")
    with _store(database) as store:
        context = store.context(customer_id, phone)
    if context.id is None:
        shared = context.attributes.get("record") == "several"
        who = f"Customer '{customer_id}'" if customer_id else f"Telephone number '{phone}'"
        raise AttuneError(
            f"{who}: several customers have it; show them by id."
            if shared
            else f"{who}: nobody is known under it; check it or import them."
        )
    typer.echo(json.dumps(_as_json(context), indent=2, ensure_ascii=False))


@app.command()
def export(
    customer_id: CustomerId,
    out: Annotated[Path | None, typer.Option(help="A file instead of standard output.")] = None,
    database: Database = None,
) -> None:
    """Everything held of a customer, in one JSON."""
    from dialogue.customers import rights

    with _store(database) as store:
        held = json.dumps(rights.export(store, customer_id), indent=2, ensure_ascii=False)
    if out is None:
        typer.echo(held)
        return
    try:
        out.write_text(f"{held}\n", encoding="utf-8")
        out.chmod(0o600)
    except OSError as error:
        raise AttuneError(f"{out}: cannot be written ({error.strerror}); choose another.") from None


@app.command()
def forget(
    customer_id: CustomerId,
    also: Annotated[
        list[str] | None,
        typer.Option(help="A number or address to look for as well; may be repeated."),
    ] = None,
    database: Database = None,
) -> None:
    """Erase a customer, and search the database for what may be left."""
    from dialogue.customers import rights

    with _store(database) as store:
        report = rights.forget(store, customer_id, also=tuple(also or ()))
        audit = store.verify_audit()
    erased = ", ".join(f"{count} {table}" for table, count in report.erased.items() if count)
    typer.echo(f"Erased: {erased or 'nothing more to erase'}.")
    searched = ", ".join(report.proof.files) or "every table"
    typer.echo(f"Identifiers left: {report.proof.left} (searched {searched}).")
    if report.proof.too_short:
        kinds = ", ".join(report.proof.too_short)
        typer.echo(f"Too short to look for in bytes, looked for in the rows only: {kinds}.")
    typer.echo(_audit_line(audit.entries, audit.problem))
    if not report.done or not audit.whole:
        left = {
            kind: count
            for kind, count in (
                *((f"{kind} in rows", count) for kind, count in report.proof.rows.items()),
                *((f"{kind} in files", count) for kind, count in report.proof.bytes.items()),
            )
            if count
        }
        typer.echo(
            f"Left: {left}. Close other programs that use the database and run this again.",
            err=True,
        )
        raise typer.Exit(1)


@app.command()
def consent(
    customer_id: CustomerId,
    consents: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PURPOSE=STATE]...", help="As in emotion_voice=denied."),
    ] = None,
    wording: Annotated[str, typer.Option(help="The version of the wording agreed to.")] = "1",
    channel: Annotated[
        str, typer.Option(help="How it was given; 'written' for a signed release.")
    ] = "operator",
    evidence: Annotated[str, typer.Option(help="What proves it; can be erased later.")] = "",
    database: Database = None,
) -> None:
    """Record consents in the ledger; without any, list the ledger."""
    from dialogue.customers import rights
    from dialogue.customers.consent import parse_consents
    from dialogue.customers.records import ConsentRecord

    with _store(database) as store:
        if not consents:
            held = rights.export(store, customer_id)["consents"]
            typer.echo(json.dumps(held, indent=2, ensure_ascii=False))
            return
        given = parse_consents(consents)
        now = datetime.now(UTC)
        entry = secrets.token_hex(8)
        store.record(
            customer_id,
            *(
                ConsentRecord(f"{entry}:{purpose}", purpose, state, now, wording, channel, evidence)
                for purpose, state in given.items()
            ),
        )
        for purpose, state in store.context(customer_id).consents.items():
            typer.echo(f"{purpose}: {state}")


@app.command()
def sweep(database: Database = None) -> None:
    """Erase what has outlived its time under each jurisdiction."""
    from dialogue.customers import retention

    with _store(database) as store:
        swept = retention.sweep(store)
    erased = ", ".join(f"{count} {what}" for what, count in swept.items() if count)
    typer.echo(f"Erased: {erased or 'nothing; all is within its time'}.")


@app.command()
def audit(database: Database = None) -> None:
    """Verify the audit chain from its first entry to its last."""
    with _store(database) as store:
        report = store.verify_audit()
    typer.echo(_audit_line(report.entries, report.problem))
    if not report.whole:
        raise typer.Exit(1)


def _audit_line(entries: int, problem: str | None) -> str:
    if problem is None:
        return f"Audit chain: whole, {entries} entries."
    return f"Audit chain: BROKEN after {entries} entries: {problem}."


@contextmanager
def _store(url: str | None) -> Iterator[CustomerStore]:
    from dialogue.customers.store import CustomerStore
    from voice import settings

    chosen = settings.load()
    store = CustomerStore.open(url or chosen.database, data_dir=chosen.data_dir)
    try:
        yield store
    finally:
        store.close()


def _as_json(value: Any) -> Any:
    """Frozen values as plain JSON ones."""
    from collections.abc import Mapping
    from dataclasses import fields, is_dataclass

    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _as_json(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | frozenset | set):
        items = [_as_json(item) for item in value]
        return items if isinstance(value, list | tuple) else sorted(items)
    if isinstance(value, datetime):
        return value.isoformat()
    return value
