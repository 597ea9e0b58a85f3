"""`attune rehearse`: scenarios with simulated callers against the real loop."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlu.errors import AttuneError
from voice.commands.options import RecognizerOption

if TYPE_CHECKING:
    from voice.evaluation.rehearsal.results import Result
    from voice.evaluation.rehearsal.scenario import Scenario
    from voice.evaluation.rehearsal.stage import Stage

app = typer.Typer(add_completion=False)

_LOG_WIDTH = 200
_COLOURS = {"passed": "green", "failed": "red", "known": "yellow"}


@app.command()
def rehearse(
    scenario: Annotated[
        list[str] | None,
        typer.Argument(help="Files, folders, names of shipped scenarios, or 'all' of those."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for report.html and results.json.")] = Path(
        "out/rehearsal"
    ),
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML here, for a CI.")] = None,
    repeat: Annotated[int, typer.Option(min=1, max=1000, help="Perform each so often.")] = 1,
    recognizer: RecognizerOption = None,
    words: Annotated[
        bool, typer.Option("--words", help="The dialogue alone, without sound: quick, for packs.")
    ] = False,
    listed: Annotated[
        bool, typer.Option("--list", help="Name the shipped scenarios and end.")
    ] = False,
) -> None:
    """Rehearse calls: a simulated caller speaks, and every answer is held against expectations.

    Exit code 0 when no scenario failed, 1 when some did, 2 for wrong usage.
    """
    from voice.evaluation.rehearsal import reading

    if listed:
        for name in reading.shipped():
            print(name)  # noqa: T201
        return
    if not scenario:
        raise AttuneError(
            "there is nothing to rehearse; name files, folders, shipped scenarios or 'all'."
        )
    scenarios = [reading.read(path) for path in reading.find(scenario)]
    results = _performed(scenarios, repeat, recognizer.value if recognizer else None, words)
    _write(results, out, junit)
    raise typer.Exit(1 if any(result.failed for result in results) else 0)


def _performed(
    scenarios: list[Scenario], repeat: int, recognizer: str | None, words: bool
) -> list[Result]:
    from contextlib import closing

    from voice.evaluation.rehearsal.stage import Stage
    from voice.settings import load

    results: list[Result] = []
    display = _Display(len(scenarios) * repeat)
    with closing(Stage(load(), recognizer)) as stage, display:  # type: ignore[arg-type]
        for scenario in scenarios:
            for run in range(1, repeat + 1):
                display.begin(scenario, run)
                results.append(_one(stage, scenario, run, words))
                display.end(results[-1])
    display.table(results)
    return results


def _one(stage: Stage, scenario: Scenario, run: int, words: bool) -> Result:
    from voice.evaluation.rehearsal.checking import check
    from voice.evaluation.rehearsal.results import Result

    perform = stage.perform_words if words else stage.perform
    performance = perform(scenario)
    return Result(scenario, run, performance, check(performance))


def _write(results: list[Result], out: Path, junit: Path | None) -> None:
    from voice.evaluation.rehearsal.page import write_page
    from voice.evaluation.rehearsal.results import write_json, write_junit

    write_page(out / "report.html", results)
    write_json(out / "results.json", results)
    if junit is not None:
        write_junit(junit, results)
    for path in (out / "report.html", out / "results.json", junit):
        if path is not None:
            print(f"  {path}", file=sys.stderr)  # noqa: T201


class _Display:
    """Progress on standard error while it runs; the table on standard output at the end."""

    def __init__(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._out = Console(highlight=False)
        if not self._out.is_terminal:
            # A log has no width: the misses are what it is read for.
            self._out = Console(highlight=False, width=_LOG_WIDTH)
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._task = self._progress.add_task("rehearsing", total=total)

    def __enter__(self) -> _Display:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, scenario: Scenario, run: int) -> None:
        """Name what is being performed."""
        from rich.markup import escape

        again = f" (run {run})" if run > 1 else ""
        self._progress.update(self._task, description=f"{escape(scenario.name)}{again}")

    def end(self, result: Result) -> None:
        """One more is done."""
        del result
        self._progress.advance(self._task)

    def table(self, results: list[Result]) -> None:
        """Every scenario with what was missed, and the count."""
        from rich.markup import escape
        from rich.table import Table

        table = Table("", "scenario", "turns", "call", "took", "missed", box=None, pad_edge=False)
        for result in results:
            performance = result.performance
            again = f" (run {result.run})" if result.run > 1 else ""
            table.add_row(
                f"[{_COLOURS[result.outcome]}]{result.outcome}[/]",
                escape(result.scenario.name) + again,
                str(len(performance.records)),
                f"{performance.audio_s:.1f} s",
                f"{performance.wall_s:.1f} s",
                escape("\n".join(map(str, result.misses))),
            )
        self._out.print(table)
        outcomes = [result.outcome for result in results]
        counts = [
            f"{outcomes.count(outcome)} {outcome}"
            for outcome in _COLOURS
            if outcome in outcomes or outcome != "known"
        ]
        stated = sum(bool(result.scenario.stated) for result in results)
        time_s = sum(result.performance.wall_s for result in results)
        self._out.print(
            f"{', '.join(counts)}, in {time_s:.1f} s; "
            f"{stated} of them state words or feelings instead of recognising them."
        )
