"""Settings: `attune.toml` in the working folder, then `ATTUNE_*` variables, then options."""

from __future__ import annotations

import difflib
import functools
import logging
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import platformdirs
from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from nlu.errors import AttuneError

_FILE = Path("attune.toml")
_PREFIX = "ATTUNE_"
_NO_SETTINGS = frozenset({"ATTUNE_DATA", "ATTUNE_IDENTIFIER_KEY"})


def _web_address(value: str) -> str:
    place = urlsplit(value)
    if place.scheme not in ("http", "https") or not place.hostname or " " in value:
        raise ValueError("not an address; write it as https://voice.example.com")
    return value


def _level(value: str) -> str:
    if value.upper() not in logging.getLevelNamesMapping():
        raise ValueError("no level of a log; write DEBUG, INFO, WARNING or ERROR")
    return value.upper()


WebAddress = Annotated[str, AfterValidator(_web_address)]


class Settings(BaseSettings):
    """What can be set once for an installation. Durations carry their unit in the name."""

    # A variable that is set to nothing, as deployments leave them, is one that is not set.
    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, toml_file=_FILE, extra="forbid", env_ignore_empty=True
    )

    data_dir: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("attune")))
    cache_dir: Path = Field(default_factory=lambda: Path(platformdirs.user_cache_dir("attune")))
    database_url: str | None = None
    pack: str = "retail"
    jurisdiction: str | None = None
    recognizer: Literal["auto", "whisper", "sphinx"] = "auto"
    whisper_model: str = "base.en"
    voice: str | None = None
    speech_engine: str = "espeak"
    speech_workers: int = Field(default=1, ge=1, le=16)
    log_level: Annotated[str, AfterValidator(_level)] = "WARNING"
    recognition_deadline_ms: int = Field(default=2_500, ge=100)
    understanding_deadline_ms: int = Field(default=1_000, ge=50)
    decision_deadline_ms: int = Field(default=1_000, ge=50)
    speech_deadline_ms: int = Field(default=1_500, ge=50)

    most_calls: int = Field(default=8, ge=1, le=1_000)
    most_calls_per_address: int = Field(default=8, ge=1, le=1_000)
    dead_line_s: float = Field(default=15.0, ge=1.0)
    longest_call_s: float = Field(default=1_800.0, ge=10.0)
    ask_first_wait_ms: int = Field(default=10_000, ge=1_000, le=60_000)
    drain_s: float = Field(default=300.0, ge=0.0)
    turns_dir: Path | None = None
    otel_endpoint: WebAddress | None = None
    public_url: WebAddress | None = None
    twilio_account_sid: str | None = None
    twilio_auth_token: SecretStr | None = None
    twilio_auth_token_file: Path | None = None
    twilio_api_url: WebAddress = "https://api.twilio.com"
    handoff_number: str | None = None
    kiosk_origins: tuple[WebAddress, ...] = ()
    kiosk_key: SecretStr | None = None
    kiosk_key_file: Path | None = None
    kiosk_longest_s: float = Field(default=900.0, ge=10.0)
    kiosk_idle_s: float = Field(default=30.0, ge=5.0)

    @property
    def database(self) -> str:
        """The database's URL: as set, or SQLite in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir / 'attune.db'}"

    def make_data_dir(self) -> Path:
        """The data folder, made where it is not there. Raises `AttuneError`."""
        try:
            self.data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise AttuneError(
                f"{self.data_dir} cannot be made ({error.strerror}); setting 'data_dir' has to "
                "name a folder that can be written to."
            ) from None
        return self.data_dir

    def secret(self, name: str) -> str | None:
        """The secret in setting `name`, or in the file that setting `name`_file names; None where
        there is none, or an empty one.

        Raises `AttuneError` when that file cannot be read.
        """
        value: SecretStr | None = getattr(self, name)
        path: Path | None = getattr(self, f"{name}_file")
        if value is not None or path is None:
            return None if value is None else value.get_secret_value() or None
        try:
            return path.read_text(encoding="utf-8").strip() or None
        except (OSError, UnicodeDecodeError):
            raise AttuneError(
                f"{path} cannot be read; setting '{name}_file' has to name a text file that holds "
                "the secret."
            ) from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Options before the environment, the environment before `attune.toml`."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


@functools.cache
def load() -> Settings:
    """The settings of this process.

    Raises `AttuneError` naming the file or variable that is wrong.
    """
    try:
        return Settings()
    except tomllib.TOMLDecodeError as error:
        raise AttuneError(f"{_FILE}: not valid TOML ({error}); correct that line.") from None
    except SettingsError as error:
        # The source quotes the field; what stands in it may be a secret.
        field = str(error).partition('"')[2].partition('"')[0]
        raise AttuneError(
            f"Setting '{field}' (ATTUNE_{field.upper()}): not JSON; write a list as "
            '["first", "second"].'
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        name = str(first["loc"][0]).upper() if first["loc"] else ""
        problem = first["msg"].removeprefix("Value error, ")
        raise AttuneError(
            f"Setting '{field}' ({_FILE} or ATTUNE_{name}): {problem}; correct it."
        ) from None


def misspelled(variables: Iterable[str]) -> dict[str, str | None]:
    """Of the names of these environment variables those that look like settings and are none, with
    the setting that is probably meant."""
    known = {name.upper() for name in Settings.model_fields}
    found: dict[str, str | None] = {}
    for variable in sorted(variables):
        name = variable.upper().removeprefix(_PREFIX)
        if variable.upper() in (name, *_NO_SETTINGS) or name in known:
            continue
        meant = next(iter(difflib.get_close_matches(name, known, 1)), None)
        found[variable] = meant and _PREFIX + meant
    return found
