"""`attune evaluate`: recorded calls in, answers out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nlu.errors import AttuneError
from voice.commands.options import ConsentOption, JurisdictionOption, PackOption

if TYPE_CHECKING:
    from voice.evaluation.inputs import Gathered
    from voice.evaluation.run import Report

app = typer.Typer(add_completion=False)

_CHANNELS = ("left", "right", "mono")
_RECOGNIZERS = ("auto", "whisper", "sphinx")


@app.command()
def evaluate(
    paths: Annotated[
        list[str] | None, typer.Argument(help="Recordings, folders of them, or globs.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="CSV: path, caller_channel, customer, consent, ...")
    ] = None,
    caller_channel: Annotated[
        str | None, typer.Option(help="Where the caller is in stereo: left, right or mono.")
    ] = None,
    parties: Annotated[
        int | None,
        typer.Option(help="2: a single channel holds caller and agent.", min=1, max=2),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Processes; as many as processors otherwise.", min=1, max=256)
    ] = None,
    ray: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster, or local (extra 'ray').")
    ] = None,
    consent: ConsentOption = None,
    jurisdiction: JurisdictionOption = None,
    pack: PackOption = None,
    recognizer: Annotated[
        str | None, typer.Option(help="auto, whisper or sphinx; the settings' otherwise.")
    ] = None,
    audio: Annotated[
        bool,
        typer.Option("--audio", help="Put the sound into the report, personal data silenced."),
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("out/evaluation"),
) -> None:
    """Analyse recorded calls: who said what, how the caller felt, what Attune would have done.

    Writes calls/NAME.json, turns.csv, metrics.json, failures.csv and report.html; with --audio
    also audio/NAME.mp3, where the caller allows the sound to be kept (store_audio). A run that was
    broken off goes on where it stopped.
    """
    from dialogue.customers.consent import parse_consents
    from voice.evaluation.analysis import Options
    from voice.evaluation.inputs import Job, gather
    from voice.evaluation.manifest import read_manifest
    from voice.evaluation.progress import ProgressDisplay
    from voice.evaluation.run import evaluate as run

    _one_of("--caller-channel", caller_channel, _CHANNELS)
    _one_of("--recognizer", recognizer, _RECOGNIZERS)
    if not paths and manifest is None:
        raise AttuneError("there is nothing to evaluate; name recordings, folders or --manifest.")
    defaults = Job(
        Path(),
        channel=caller_channel,  # type: ignore[arg-type]
        parties=parties,
        jurisdiction=jurisdiction,
        consents=dict(parse_consents(consent or [])),
    )
    rows, bad_rows = read_manifest(manifest) if manifest is not None else ([], [])
    gathered = gather(paths or [], rows, defaults=defaults, bad_rows=bad_rows)
    with ProgressDisplay() as display:
        report = run(
            gathered,
            out,
            Options(pack, recognizer, audio),
            workers=workers,
            ray=ray,
            watcher=display,
        )
    _tell(report, gathered, out)
    raise typer.Exit(1 if report.failures else 0)


_MOST_NAMED = 20


def _one_of(option: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        raise AttuneError(f"{option} '{value}': there is none; use {', '.join(allowed)}.")


def _tell(report: Report, gathered: Gathered, out: Path) -> None:
    from rich.console import Console

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    count = len(report.failures)
    failed = f", {count} {'input' if count == 1 else 'inputs'} failed" if count else ""
    resumed = f" ({report.resumed} from before)" if report.resumed else ""
    aside = f"; {gathered.left_aside} other files left aside" if gathered.left_aside else ""
    calls = "call" if report.calls == 1 else "calls"
    console.print(f"{report.calls} {calls} evaluated{resumed}{failed}{aside}.")
    for failure in report.failures[:_MOST_NAMED]:
        console.print(f"  {failure.reason}", markup=False)
    if count > _MOST_NAMED:
        console.print(f"  ... and {count - _MOST_NAMED} more, in failures.csv")
    for file in (out / "calls", *report.files):
        console.print(f"  {file}")
    sys.stderr.flush()
