"""`attune serve`: telephone, kiosk and desk over the network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from voice.commands.options import PackOption

app = typer.Typer(add_completion=False)


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Web: kiosk, desk, Twilio.")] = 8_080,
    audiosocket_port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Asterisk's AudioSocket.")
    ] = 9_092,
    pack: PackOption = None,
    certificate: Annotated[
        Path | None, typer.Option(help="TLS certificate (PEM), with --key.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="The certificate's key (PEM).")] = None,
) -> None:
    """Take calls from Twilio, Asterisk and the kiosk page (/kiosk) until stopped.

    The first SIGTERM or Ctrl-C lets calls under way end and refuses new ones; the second ends all.
    """
    import asyncio

    from nlu.errors import AttuneError
    from voice.engines import Engines
    from voice.server.logs import log_as_json
    from voice.server.serving import Listening, Serving
    from voice.server.switchboard import Switchboard
    from voice.server.tracing import Tracing
    from voice.settings import load

    if (certificate is None) != (key is None):
        raise AttuneError("--certificate and --key belong together; give both.")
    settings = load()
    log_as_json(settings.log_level if "log_level" in settings.model_fields_set else "INFO")
    _warn_of_variables()
    _warn_of_jurisdiction(settings.jurisdiction)
    tracing = Tracing.from_settings(settings)
    listening = Listening(host, port, audiosocket_port, certificate, key)

    async def run() -> None:
        engines = await asyncio.to_thread(Engines.open, settings, pack=pack)
        board = Switchboard(engines)
        if tracing is not None:
            board.watchers.append(tracing)
        try:
            await Serving(board, listening).run()
        finally:
            await asyncio.to_thread(engines.close)
            if tracing is not None:
                await asyncio.to_thread(tracing.close)

    with asyncio.Runner(loop_factory=_event_loop_factory()) as runner:
        runner.run(run())


def _warn_of_variables() -> None:
    """What is misspelled sets nothing: say so."""
    import logging
    import os

    from voice.settings import misspelled

    for name, meant in misspelled(os.environ).items():
        hint = f"; is {meant} meant?" if meant else ""
        logging.getLogger(__name__).warning("%s is no setting and does nothing%s", name, hint)


def _warn_of_jurisdiction(code: str | None) -> None:
    """A slip of the pen closes every gate: say so. Raises `AttuneError` for what is no code."""
    import logging

    from voice.commands.options import in_the_table

    if not in_the_table(code):
        logging.getLogger(__name__).warning(
            "setting 'jurisdiction': '%s' is not in the table, so the strictest rules hold", code
        )


def _event_loop_factory() -> Any:
    """uvloop where it is installed (not on Windows): it costs half as much a packet."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
