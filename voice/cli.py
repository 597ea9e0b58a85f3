"""The command line: `attune COMMAND`, one module of `voice.commands` each.

Modules are imported only when their command is named, so that `attune --help` stays quick.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import sys
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from nlu.errors import AttuneError

# Turns are small: BLAS threads beyond one only wait for each other, at ten times the cost.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

COMMANDS = {
    "call": "Replay a caller's recording as if live, and answer it.",
    "talk": "Talk to the assistant through microphone and loudspeaker.",
    "serve": "Serve telephone (Twilio, Asterisk), kiosk page and agents' desk.",
    "evaluate": "Analyse recorded calls: transcripts, emotion, outcomes, one report.",
    "rehearse": "Run scenarios with simulated callers against the real loop.",
    "understand": "What was meant and felt, from text or audio (for the operator).",
    "decide": "What the policy answers, and why (for pack authors and checks).",
    "train": "Train the shipped models from a folder of corpora.",
    "say": "Speak a text with a given delivery into a WAV file (for the operator).",
    "customers": "Import, show, export, forget customers and record consent.",
    "desk": "Accounts of the people at the desk: add, list, remove.",
    "packs": "Check packs.",
    "doctor": "What is here, what is missing, and the command that mends it.",
}


class _LazyGroup(TyperGroup):
    """Lists the commands without importing them; imports the one that is run."""

    _describing = False

    def format_help(self, ctx: Any, formatter: Any) -> None:
        self._describing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._describing = False

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return [name for name in COMMANDS if importlib.util.find_spec(f"voice.commands.{name}")]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in self.list_commands(ctx):
            return None
        if self._describing:
            return TyperCommand(cmd_name, help=COMMANDS[cmd_name])
        module = importlib.import_module(f"voice.commands.{cmd_name}")
        command = typer.main.get_command(module.app)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=_LazyGroup, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
)


@app.callback()
def _attune() -> None:
    """Attune: a voice assistant for customer service that hears how a caller feels."""


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; an `AttuneError` becomes one sentence and exit code 2."""
    logging.basicConfig(level=logging.WARNING, format="attune: %(message)s", stream=sys.stderr)
    try:
        return app(arguments)
    except AttuneError as error:
        print(f"attune: {error}", file=sys.stderr)  # noqa: T201
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("attune: stopped; what was finished is kept.", file=sys.stderr)  # noqa: T201
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
