"""Telephone numbers and e-mail addresses as keyed hashes, and the key.

A number is brought to E.164 and an address to lower case before the HMAC-SHA-256, so that every
spelling finds the same customer, and neither can be read back from the database without the key.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from nlu.errors import AttuneError

KEY_VARIABLE = "ATTUNE_IDENTIFIER_KEY"
_KEY_FILE = "identifier.key"
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
_SHORTEST_KEY = 16


class IdentifierKey:
    """The secret behind every keyed hash of one database."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def digest(self, kind: str, value: str) -> str:
        """64 hexadecimal digits; the same value of another `kind` gives another digest."""
        return hmac.new(self._secret, f"{kind}:{value}".encode(), hashlib.sha256).hexdigest()

    def short(self, kind: str, value: str) -> str:
        """The first 128 bits of the digest: enough to tell keys apart, shorter to index."""
        return self.digest(kind, value)[:32]


def load_key(folder: Path | None) -> IdentifierKey:
    """The key from `ATTUNE_IDENTIFIER_KEY`, else from `folder`, where it is made on first use.

    The file is created with mode 0600. Without a folder (a database in memory) the key lasts as
    long as the process. Raises `AttuneError` when the key is too short or cannot be read.
    """
    given = os.environ.get(KEY_VARIABLE)
    if given is not None:
        if len(given) < _SHORTEST_KEY:
            raise AttuneError(
                f"{KEY_VARIABLE}: shorter than {_SHORTEST_KEY} characters; set a longer secret."
            )
        return IdentifierKey(given.encode())
    if folder is None:
        return IdentifierKey(secrets.token_bytes(32))
    path = folder / _KEY_FILE
    try:
        _create_once(path)
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise AttuneError(
            f"{path}: the identifier key cannot be read or made ({error}); correct the folder's "
            f"permissions or set {KEY_VARIABLE}."
        ) from None
    if len(text) < _SHORTEST_KEY:
        raise AttuneError(f"{path}: not an identifier key; put the saved one back.")
    return IdentifierKey(text.encode())


def _create_once(path: Path) -> None:
    """Make the key file whole or not at all, even when two processes start at once."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def normalise_phone(text: str, region: str = "US") -> str:
    """The number in E.164; `region` is where a number without a country code belongs.

    Raises `ValueError` with the reason when it cannot be a telephone number.
    """
    import phonenumbers

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise ValueError(f"'{text}' is not a telephone number") from None
    if not phonenumbers.is_possible_number(number):
        raise ValueError(f"'{text}' is too short or too long for a telephone number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def normalise_email(text: str) -> str:
    """The address in lower case without surrounding space.

    Raises `ValueError` when it is not an address.
    """
    address = text.strip().lower()
    if not _EMAIL.fullmatch(address):
        raise ValueError(f"'{text}' is not an e-mail address")
    return address


def region_of(jurisdiction: str) -> str:
    """Where a telephone number without a country code is taken to belong."""
    country = jurisdiction.upper().partition("-")[0]
    known = {"UK": "GB", "EL": "GR"}
    region = known.get(country, country)
    return region if len(region) == 2 and region != "EU" else "US"
