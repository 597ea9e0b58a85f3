"""Who may sit at the desk: names, roles, and passwords as argon2 hashes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import delete, select, update

from dialogue.customers import audit
from dialogue.customers.database import insert_once
from dialogue.customers.models import DeskAccountRow
from dialogue.customers.store import CustomerStore
from nlu.errors import AttuneError

SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 200
# The audit log keeps letters, dots and dashes only: whoever stands in it is named exactly.
_NAME = re.compile(r"[a-z][a-z.-]{1,38}")


class Role(StrEnum):
    """What somebody at the desk may do: supervisors also see others' calls and the audit log."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody who may sit at the desk."""

    name: str
    role: Role


class Accounts:
    """The accounts of one installation; every server on its database knows the same."""

    def __init__(self, store: CustomerStore) -> None:
        self._database = store.database
        self._hasher = PasswordHasher()
        self._nobody = self._hasher.hash("nobody has this password")

    def exist(self) -> bool:
        """Whether there is any account."""
        with self._database.reading() as connection:
            return connection.execute(select(DeskAccountRow.name).limit(1)).first() is not None

    def all(self) -> tuple[Account, ...]:
        """Every account, by name."""
        statement = select(DeskAccountRow.name, DeskAccountRow.role).order_by(DeskAccountRow.name)
        with self._database.reading() as connection:
            return tuple(Account(row.name, Role(row.role)) for row in connection.execute(statement))

    def add(self, name: str, role: Role, password: str) -> None:
        """Make an account. Raises `AttuneError` for a name or password that will not do."""
        _check(name, password)
        hashed = self._hasher.hash(password)
        now = datetime.now(UTC)
        with self._database.writing() as connection:
            added = insert_once(
                connection,
                DeskAccountRow,
                name=name,
                role=role.value,
                password=hashed,
                made_at=now,
            )
            if not added:
                raise AttuneError(
                    f"Desk account '{name}': exists already; remove it first or choose another "
                    "name."
                )
            audit.append(connection, "desk_account", "", now, {"added": name, "role": role.value})

    def remove(self, name: str) -> None:
        """Take an account away; whoever uses it is logged out. Raises `AttuneError`."""
        now = datetime.now(UTC)
        with self._database.writing() as connection:
            gone = connection.execute(delete(DeskAccountRow).where(DeskAccountRow.name == name))
            if not gone.rowcount:
                raise AttuneError(f"Desk account '{name}': there is none; check its spelling.")
            audit.append(connection, "desk_account", "", now, {"removed": name})

    def verified(self, name: str, password: str) -> Account | None:
        """The account, if the password is its own. An unknown name takes as long as a known one.

        Blocking: argon2 takes tens of milliseconds and 64 MiB by design.
        """
        statement = select(DeskAccountRow).where(DeskAccountRow.name == name)
        row = None
        if _NAME.fullmatch(name):
            with self._database.reading() as connection:
                row = connection.execute(statement).one_or_none()
        try:
            self._hasher.verify(row.password if row is not None else self._nobody, password)
        except (VerificationError, InvalidHashError):
            return None
        if row is None:
            return None
        if self._hasher.check_needs_rehash(row.password):
            hashed = self._hasher.hash(password)
            with self._database.writing() as connection:
                connection.execute(
                    update(DeskAccountRow)
                    .where(DeskAccountRow.name == name)
                    .values(password=hashed)
                )
        return Account(row.name, Role(row.role))


def _check(name: str, password: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise AttuneError(
            f"Desk account '{name}': not a fit name; use 2 to 39 small letters, dots and dashes, "
            "beginning with a letter."
        )
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD:
        raise AttuneError(
            f"The password has {len(password)} characters; choose one of {SHORTEST_PASSWORD} to "
            f"{LONGEST_PASSWORD}."
        )
    if name in password.lower():
        raise AttuneError("The password contains the name; choose another.")
