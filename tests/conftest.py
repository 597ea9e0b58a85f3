"""What every test may count on: folders of its own, and never the user's."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("attune", deadline=None)
settings.load_profile("attune")

_HOME = Path(tempfile.gettempdir()) / f"attune-tests-{os.getuid()}"


def pytest_configure(config: pytest.Config) -> None:
    """Data in a fresh folder; the recogniser's language models cached between runs."""
    data = tempfile.mkdtemp(prefix="attune-data-")
    os.environ["ATTUNE_DATA_DIR"] = data
    os.environ["ATTUNE_CACHE_DIR"] = str(_HOME / "cache")
    os.environ.pop("ATTUNE_DATABASE_URL", None)


@pytest.fixture(scope="session")
def samples_dir() -> Path:
    """The shipped recordings."""
    return Path(__file__).parents[1] / "audio_samples"


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of corpora, where there is one."""
    folder = Path(os.environ.get("ATTUNE_DATA", "/nowhere"))
    if not folder.is_dir():
        pytest.skip("needs the corpora: set ATTUNE_DATA to their folder")
    return folder
