"""`attune train`: make the shipped models again, or others from one's own recordings."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from nlu.errors import AttuneError

app = typer.Typer(add_completion=False)

_NEEDS = "torch", "sklearn", "onnx"


class Model(StrEnum):
    """What can be trained."""

    ACOUSTIC = "acoustic"
    TEXT = "text"
    ENCODER = "encoder"


@app.command()
def train(
    model: Annotated[Model, typer.Argument(help="Which model.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of corpora as in docs/training.md (default: $ATTUNE_DATA)."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Where the weights and the card go.")] = Path("weights"),
    seed: Annotated[
        int | None, typer.Option(help="Seed (default: that of the shipped weights).")
    ] = None,
) -> None:
    """Train one of the models from a folder of corpora. Needs the training extra."""
    folder = data or _folder_from_environment()
    if not folder.exists():
        raise AttuneError(f"--data {folder}: not there; name the folder that holds the corpora.")
    missing = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        raise AttuneError(
            f"attune train {model}: {missing[0]} is not installed; "
            "install the training extra with `pip install attune[train]`."
        )
    if out.exists() and not out.is_dir():
        raise AttuneError(f"--out {out}: is a file; name a folder.")
    logging.getLogger("nlu.training").setLevel(logging.INFO)
    module = importlib.import_module(f"nlu.training.{model}")
    module.train(folder, out, **({} if seed is None else {"seed": seed}))
    typer.echo(f"{model}: the weights and their card are in {out}")


def _folder_from_environment() -> Path:
    named = os.environ.get("ATTUNE_DATA")
    if not named:
        raise AttuneError("--data: missing; name the folder of corpora, or set ATTUNE_DATA to it.")
    return Path(named)
