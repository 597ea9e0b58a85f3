"""A switchboard with the real engines, for calls over real sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from voice.engines import Engines
from voice.settings import Settings


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engines]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("served"), recognizer="sphinx", most_calls=2
    )
    opened = Engines.open(settings)
    yield opened
    opened.close()
