"""`attune talk`: talk to the assistant through microphone and loudspeaker."""

from __future__ import annotations

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
    from voice.channels.microphone import MicrophoneChannel
    from voice.commands.talk_screen import TalkScreen
    from voice.engines import CallerIdentity, Engines
    from voice.types import CallEvent, TurnRecord

app = typer.Typer(add_completion=False)


@app.command()
def talk(
    customer: CustomerOption = None,
    phone: PhoneOption = None,
    pack: PackOption = None,
    jurisdiction: JurisdictionOption = None,
    consent: ConsentOption = None,
    recognizer: RecognizerOption = None,
    headphones: Annotated[
        bool, typer.Option("--headphones", help="Full duplex: no echo has to be taken out.")
    ] = False,
    push_to_talk: Annotated[
        bool,
        typer.Option("--push-to-talk", help="The space key opens the microphone and closes it."),
    ] = False,
    input_device: Annotated[
        str | None, typer.Option(help="Microphone: its number, or a part of its name.")
    ] = None,
    output_device: Annotated[
        str | None, typer.Option(help="Loudspeaker: its number, or a part of its name.")
    ] = None,
    list_devices: Annotated[
        bool, typer.Option("--list-devices", help="Show the sound devices and stop.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; nothing is kept without it.")
    ] = None,
    json_lines: TurnsAsJson = False,
) -> None:
    """Talk to the assistant through microphone and loudspeaker.

    Keys: q ends the call, 0-9 * # are telephone keys, space talks (with --push-to-talk).
    With --out it writes turns.jsonl, conversation.wav and report.html, as `attune call` does.
    """
    if list_devices:
        _show_devices()
        return
    identity = caller_identity(customer, phone, jurisdiction, consent)
    card = _sound_card(input_device, output_device)
    try:
        with open_engines(pack, recognizer) as engines:
            _converse(engines, card, identity, headphones, push_to_talk, out, json_lines)
    finally:
        card.close()


def _sound_card(input_device: str | None, output_device: str | None) -> Any:
    from voice.channels.sound_card import SoundCard

    return SoundCard(input_device, output_device)


def _show_devices() -> None:
    from rich.console import Console
    from rich.table import Table

    from voice.channels.sound_card import devices

    table = Table(show_edge=False, header_style="bold")
    for column in ("number", "name", "inputs", "outputs", ""):
        table.add_column(column)
    for device in devices():
        uses = [
            name
            for name, is_default in (
                ("microphone", device.is_default_input),
                ("loudspeaker", device.is_default_output),
            )
            if is_default
        ]
        table.add_row(
            str(device.number),
            device.name,
            str(device.inputs),
            str(device.outputs),
            ", ".join(uses) and f"default {' and '.join(uses)}",
        )
    Console().print(table)


def _converse(
    engines: Engines,
    card: Any,
    identity: CallerIdentity,
    headphones: bool,
    push_to_talk: bool,
    folder: Path | None,
    as_json: bool,
) -> None:
    import asyncio
    import signal

    from voice.audio import StereoWriter
    from voice.channels.live import LineLimits
    from voice.channels.microphone import MicrophoneChannel
    from voice.commands.talk_screen import TalkScreen
    from voice.engines import open_loop
    from voice.evaluation.call_report import write_call_report
    from voice.records import JsonLines, record_line
    from voice.types import TurnFinished

    # The first decoder takes a good part of a second to load, which the caller would wait for.
    engines.recognizer.stream().close()
    writer = StereoWriter(folder / "conversation.wav") if folder else None
    lines = JsonLines(folder / "turns.jsonl") if folder else None
    records: list[TurnRecord] = []

    def collect(event: CallEvent) -> None:
        if lines is not None:
            lines(event)
        if isinstance(event, TurnFinished):
            records.append(event.record)
            if as_json:
                print(record_line(event.record), flush=True)  # noqa: T201

    async def run() -> str:
        limits = LineLimits(engines.settings.dead_line_s, engines.settings.longest_call_s)
        channel = MicrophoneChannel(
            card, limits, headphones=headphones, push_to_talk=push_to_talk, writer=writer
        )
        mode = "headphones" if headphones else "loudspeaker, echo guarded"
        screen = TalkScreen(channel, f"{card.name} · {mode}", quiet=as_json)
        loop, conversation = open_loop(
            engines,
            channel,
            identity,
            observers=[collect, screen.show],
            guarded=not headphones,
        )
        overhead.append(loop.overhead.cpu_ms)
        try:
            await channel.start()
            return await _until_over(loop, channel, screen)
        finally:
            await asyncio.to_thread(conversation.close)

    overhead: list[Any] = []
    try:
        reason = asyncio.run(run())
    finally:
        # A second Ctrl-C does not cost the report of a call that is over.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        if lines is not None:
            lines.close()
        if folder is not None and overhead:
            write_call_report(folder, records, overhead[0])
        signal.signal(signal.SIGINT, before)
    _say_what_was_written(folder, records, reason, quiet=as_json)


async def _until_over(loop: Any, channel: MicrophoneChannel, screen: TalkScreen) -> str:
    """Hold the call; the keys and the device's end hang up."""
    import asyncio
    import signal
    from contextlib import suppress

    from voice.commands.talk_keys import keys_pressed

    def pressed(key: str) -> None:
        if key == "q":
            asyncio.ensure_future(channel.close())  # noqa: RUF006
        elif key == " ":
            channel.talk(not channel.open)
        elif key in "0123456789*#":
            channel.press(key)

    line = asyncio.ensure_future(channel.carry())
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        # Windows has no SIGHUP, and its loop takes no signals.
        with suppress(NotImplementedError, AttributeError):
            asyncio.get_running_loop().add_signal_handler(getattr(signal, name), pressed, "q")
    try:
        with keys_pressed(pressed), screen:
            reason: str = await loop.run()
        return channel.ended_by or reason
    finally:
        await channel.close()
        line.cancel()
        with suppress(asyncio.CancelledError):
            await line


def _say_what_was_written(
    folder: Path | None, records: list[TurnRecord], reason: str, *, quiet: bool
) -> None:
    from rich.console import Console

    console = Console(stderr=True, quiet=quiet, highlight=False)
    gaps = sorted(record.latency_ms["gap"] for record in records if "gap" in record.latency_ms)
    said = f"{len(records)} turns" + (
        f"; median gap to the answer {gaps[len(gaps) // 2]:.0f} ms" if gaps else ""
    )
    console.print(f"The call is over ({reason}): {said}.", markup=False)
    if folder is not None:
        for name in ("conversation.wav", "turns.jsonl", "report.html"):
            console.print(f"  {folder / name}", markup=False)
