"""`attune doctor`: what is here, what is missing, and the command that mends it."""

from __future__ import annotations

import typer

app = typer.Typer(add_completion=False)


@app.command()
def doctor() -> None:
    """Look at engines, models, devices and optional parts; nothing is downloaded or changed."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from voice.doctor import examine
    from voice.settings import load

    findings = examine(load())
    table = Table(show_edge=False, header_style="bold")
    for column in ("part", "", "found", "to mend"):
        table.add_column(column, overflow="fold")
    marks = {"ok": "[green]ok[/]", "optional": "[dim]not here[/]", "missing": "[red]missing[/]"}
    for finding in findings:
        table.add_row(
            escape(finding.part),
            marks[finding.status],
            escape(finding.found),
            escape(finding.mend),
        )
    Console().print(table)
    if any(finding.status == "missing" for finding in findings):
        raise typer.Exit(1)
