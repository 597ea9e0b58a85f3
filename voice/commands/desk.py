"""`attune desk`: the accounts of the people at the desk."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from nlu.errors import AttuneError

if TYPE_CHECKING:
    from voice.server.desk.accounts import Accounts

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Accounts of the people at the desk: add, list, remove.",
)


class RoleName(StrEnum):
    """What somebody at the desk may do."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"


Name = Annotated[str, typer.Argument(metavar="NAME", help="Small letters, dots and dashes.")]
Database = Annotated[
    str | None,
    typer.Option("--database", metavar="URL", help="By default the one that `attune serve` uses."),
]


@app.command()
def add(
    name: Name,
    role: Annotated[
        RoleName, typer.Option(help="Supervisors also see others' calls and the audit log.")
    ] = RoleName.AGENT,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    database: Database = None,
) -> None:
    """Make an account; the password is asked for, never an argument."""
    from voice.server.desk.accounts import Role

    password = _password(from_stdin=password_stdin)
    with _accounts(database) as accounts:
        accounts.add(name, Role(role.value), password)
    typer.echo(f"{name} may sit at the desk as {role.value}.")


@app.command("list")
def list_(database: Database = None) -> None:
    """Show who may sit at the desk."""
    with _accounts(database) as accounts:
        for account in accounts.all():
            typer.echo(f"{account.name}\t{account.role.value}")


@app.command()
def remove(name: Name, database: Database = None) -> None:
    """Take an account away; whoever uses it is logged out."""
    with _accounts(database) as accounts:
        accounts.remove(name)
    typer.echo(f"{name} may no longer sit at the desk.")


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise AttuneError(
            "attune desk add: there is no terminal to ask for the password; run it in one, or give "
            "it on standard input with --password-stdin."
        )
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


@contextmanager
def _accounts(database: str | None) -> Iterator[Accounts]:
    from dialogue.customers.store import CustomerStore
    from voice.server.desk.accounts import Accounts
    from voice.settings import load

    store = CustomerStore.open(database or load().database)
    try:
        yield Accounts(store)
    finally:
        store.close()
