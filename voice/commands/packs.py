"""`attune packs`: check a pack, or print the format as JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def _packs() -> None:
    """Check packs, and print their format."""


@app.command()
def check(
    pack: Annotated[
        str | None,
        typer.Argument(help="A shipped pack's name, or a folder; all shipped if left out."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a pack.")] = False,
) -> None:
    """Say everything that is wrong with a pack: file, line, field and fix."""
    from dialogue.packs.inspection import inspect
    from dialogue.packs.loader import find_pack, shipped_packs

    wrong = False
    for name in [pack] if pack is not None else list(shipped_packs()):
        found, mistakes = inspect(find_pack(name))
        wrong = wrong or bool(mistakes)
        if as_json:
            report = {
                "pack": found.name if found else Path(name).name,
                "mistakes": [
                    {
                        "file": each.file,
                        "line": each.line,
                        "field": each.field,
                        "wrong": each.wrong,
                        "fix": each.fix,
                    }
                    for each in mistakes
                ],
            }
            typer.echo(json.dumps(report))
            continue
        for mistake in mistakes:
            typer.echo(str(mistake))
        if found is not None and not mistakes:
            typer.echo(
                f"{found.name}: in order, with {len(found.intents)} intents,"
                f" {len(found.actions)} actions and {len(found.offers)} offers."
            )
        elif mistakes:
            count = len(mistakes)
            typer.echo(f"{Path(name).name}: {count} mistake{'s' if count > 1 else ''}.", err=True)
    if wrong:
        raise typer.Exit(1)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a pack, for editors that complete and check YAML."""
    from dialogue.packs.format import Pack

    typer.echo(json.dumps(Pack.model_json_schema(), indent=2))
