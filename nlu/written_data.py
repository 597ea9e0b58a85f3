"""Data of the package that is written in YAML, read by the fast parser where there is one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def read(name: str) -> Any:
    """What stands in the file `name` of this folder, as plain values."""
    text = Path(__file__).with_name(name).read_text("utf-8")
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(text, Loader=loader)  # nosec B506
