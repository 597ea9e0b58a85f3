"""The command line: `attune COMMAND`, one module of `voice.commands` each.

Modules are imported only when their command is named, so that `attune --help` stays quick.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from typing import Any

import click
import typer
from typer.core import TyperGroup

from nlu.errors import AttuneError

COMMANDS = {
    "call": "Replay a caller's recording as if live, and answer it.",
    "talk": "Talk to the assistant through microphone and loudspeaker.",
    "serve": "Serve telephone, kiosk and the agents' desk.",
    "evaluate": "Analyse recorded calls: transcripts, emotion, outcomes, one report.",
    "rehearse": "Run scenarios with simulated callers against the real loop.",
    "understand": "What was meant and felt, from text or audio (for the operator).",
    "decide": "What the policy answers, and why (for pack authors and checks).",
    "train": "Train the shipped models from a folder of corpora.",
    "say": "Speak a text with a given delivery into a WAV file (for the operator).",
    "customers": "Import, show, export, forget customers and record consent.",
    "packs": "Check packs.",
    "doctor": "What is here, what is missing, and the command that mends it.",
}


class _LazyGroup(TyperGroup):
    """Lists every command from `COMMANDS` and imports a command's module when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return [name for name in COMMANDS if importlib.util.find_spec(f"voice.commands.{name}")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        if "--help" in sys.argv[1:2] or len(sys.argv) == 1:
            return click.Command(cmd_name, help=COMMANDS[cmd_name])
        module = importlib.import_module(f"voice.commands.{cmd_name}")
        command: click.Command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command


app = typer.Typer(cls=_LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _attune() -> None:
    """Attune: a voice assistant for customer service that hears how a caller feels."""


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; errors meant for the user become one sentence and exit code 2."""
    try:
        return app(arguments)
    except AttuneError as error:
        print(f"attune: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
