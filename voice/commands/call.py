"""`attune call`: replay a caller's recording as if live, and answer it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voice.commands.options import (
    ConsentOption,
    CustomerOption,
    JurisdictionOption,
    PackOption,
    PhoneOption,
    RecognizerOption,
    TurnsAsJson,
    caller_identity,
    open_engines,
)

if TYPE_CHECKING:
    from voice.engines import CallerIdentity, Engines
    from voice.types import TurnRecord

app = typer.Typer(add_completion=False)


class CallerSide(StrEnum):
    """Which channel of a stereo recording holds the caller."""

    LEFT = "left"
    RIGHT = "right"
    MONO = "mono"


@app.command()
def call(
    recording: Annotated[Path, typer.Argument(help="WAV, FLAC, OGG or MP3 of one caller.")],
    customer: CustomerOption = None,
    phone: PhoneOption = None,
    pack: PackOption = None,
    caller_channel: Annotated[
        CallerSide | None, typer.Option(help="Where the caller is in a stereo recording.")
    ] = None,
    jurisdiction: JurisdictionOption = None,
    consent: ConsentOption = None,
    recognizer: RecognizerOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; out/NAME otherwise.")
    ] = None,
    json_lines: TurnsAsJson = False,
) -> None:
    """Replay a caller's side as if live: the recording waits while the assistant speaks.

    Writes turns.jsonl, conversation.wav (left caller, right assistant) and report.html.
    """
    from voice.audio import inspect, pick_channel

    info = inspect(recording)
    side = pick_channel(info, caller_channel.value if caller_channel else None)
    customer = customer or (None if phone else _sidecar_customer(recording))
    identity = caller_identity(customer, phone, jurisdiction, consent)
    folder = out or Path("out") / recording.stem
    with open_engines(pack, recognizer) as engines:
        _replay(engines, info, side, identity, folder, json_lines)


def _sidecar_customer(recording: Path) -> str | None:
    """The customer named in the YAML beside a recording, as in `audio_samples`."""
    import yaml

    sidecar = recording.with_suffix(".yaml")
    if not sidecar.is_file():
        return None
    try:
        content = yaml.safe_load(sidecar.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError):
        return None
    return content.get("customer") if isinstance(content, dict) else None


def _replay(
    engines: Engines, info: Any, side: Any, identity: CallerIdentity, folder: Path, as_json: bool
) -> None:
    import asyncio

    from voice.audio import StereoWriter
    from voice.channels.recording import RecordingChannel
    from voice.engines import open_loop
    from voice.evaluation.call_report import write_call_report
    from voice.records import JsonLines, record_line
    from voice.types import CallEvent, TurnFinished

    records: list[TurnRecord] = []
    lines = JsonLines(folder / "turns.jsonl")
    with _Display(info.path.name, quiet=as_json) as display:
        channel = RecordingChannel(
            info, side, StereoWriter(folder / "conversation.wav"), display.advance
        )

        def collect(event: CallEvent) -> None:
            if isinstance(event, TurnFinished):
                records.append(event.record)
                if as_json:
                    print(record_line(event.record), flush=True)  # noqa: T201
            display.show(event)

        loop, conversation = open_loop(
            engines,
            channel,
            identity,
            observers=[lines, collect],
            call=_call_id(info.path, identity),
        )
        try:
            asyncio.run(loop.run())
        finally:
            conversation.close()
            lines.close()
            write_call_report(folder, records, loop.overhead.cpu_ms)
        display.done(folder, records)


def _call_id(recording: Path, identity: CallerIdentity) -> str:
    """The same recording of the same caller is the same call: replaying it adds no contact."""
    import hashlib

    digest = hashlib.sha256(f"{identity.customer}|{identity.phone}|".encode())
    with recording.open("rb") as file:
        digest.update(file.read(1 << 20))
    return f"{recording.stem[:40]}-{digest.hexdigest()[:8]}"


class _Display:
    """Progress and a transcript of both sides on standard error; silent with `--json`."""

    def __init__(self, title: str, *, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self._console = Console(stderr=True, quiet=quiet, highlight=False)
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=quiet,
        )
        self._task = self._progress.add_task(title, total=1.0)

    def __enter__(self) -> _Display:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def advance(self, share: float) -> None:
        """How much of the recording has been played."""
        self._progress.update(self._task, completed=share)

    def show(self, event: object) -> None:
        """Print what was said and decided."""
        from rich.markup import escape

        from voice.types import TurnFinished

        if not isinstance(event, TurnFinished):
            return
        record = event.record
        emotion = (record.understanding.get("emotion") or {}).get("fused") or {}
        feeling = emotion.get("top") or f"abstained: {emotion.get('abstained')}"
        strategy = record.decision.get("strategy", record.fallback)
        rules = ", ".join(record.decision.get("rules", ()))
        spoken = " ".join(clause.text for clause in record.spoken)
        said = spoken if record.fallback else str(record.decision.get("reply", spoken))
        print_ = self._console.print
        if "opening" in record.extra:
            print_(f"[cyan]assistant[/]  {escape(str(record.extra['opening']))}")
        print_(f"[bold]caller[/]     {escape(record.transcript.text)}")
        print_(f"           [dim]{escape(feeling)} · {strategy} \\[{escape(rules)}][/]")
        print_(f"[cyan]assistant[/]  {escape(said)}")

    def done(self, folder: Path, records: list[TurnRecord]) -> None:
        """Say what was written, and how quick the answers were."""
        self._progress.stop()
        gaps = sorted(record.latency_ms["gap"] for record in records if "gap" in record.latency_ms)
        if gaps:
            self._console.print(
                f"{len(records)} turns; median gap to the answer {gaps[len(gaps) // 2]:.0f} ms."
            )
        else:
            self._console.print("No speech was heard in this recording.")
        for name in ("conversation.wav", "turns.jsonl", "report.html"):
            self._console.print(f"  {folder / name}")
