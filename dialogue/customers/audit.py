"""The audit log: a chain of hashes in which no entry can be changed, dropped or slipped in.

An entry holds a moment, a kind, the pseudonym of the person and a few words or numbers from a
closed alphabet. Nothing in it names anybody, so that forgetting a customer leaves it as it is.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from dialogue.customers.models import AuditHeadRow, AuditRow, canonical, to_ms

FIRST = "0" * 64
_UNFIT = re.compile(r"[^a-z_.-]+")
_LONGEST_WORD = 40


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What verifying the chain found; `problem` says where it broke, if it did."""

    entries: int
    problem: str | None = None

    @property
    def whole(self) -> bool:
        """Whether every entry is in its place."""
        return self.problem is None


def append(
    connection: Connection,
    kind: str,
    subject: str,
    at: datetime,
    detail: Mapping[str, str | int | bool],
) -> None:
    """Add an entry to the end of the chain, within the caller's transaction.

    Words in `detail` are reduced to lower-case letters: digits and free text have no way in.
    """
    head = connection.execute(
        select(AuditHeadRow.seq, AuditHeadRow.digest).where(AuditHeadRow.one == 1).with_for_update()
    ).one()
    seq = head.seq + 1
    fields = canonical({name: _harmless(value) for name, value in detail.items()})
    digest = _digest(head.digest, seq, to_ms(at), kind, subject, fields)
    connection.execute(
        insert(AuditRow).values(
            seq=seq,
            at=at,
            kind=kind,
            subject=subject,
            detail=fields,
            previous=head.digest,
            digest=digest,
        )
    )
    connection.execute(
        update(AuditHeadRow).where(AuditHeadRow.one == 1).values(seq=seq, digest=digest)
    )


def verify(connection: Connection) -> AuditReport:
    """Recompute every link, and compare the end with what the head says it is."""
    previous, seq = FIRST, 0
    entries = connection.execution_options(yield_per=1000).execute(
        select(AuditRow).order_by(AuditRow.seq)
    )
    for row in entries:
        seq += 1
        if row.seq != seq:
            return AuditReport(seq - 1, f"entry {seq} is missing")
        expected = _digest(previous, seq, to_ms(row.at), row.kind, row.subject, row.detail)
        if (row.previous, row.digest) != (previous, expected):
            return AuditReport(seq - 1, f"entry {seq} was changed")
        previous = row.digest
    head = connection.execute(select(AuditHeadRow.seq, AuditHeadRow.digest)).one()
    if (head.seq, head.digest) != (seq, previous):
        return AuditReport(seq, f"the chain ends at entry {seq} instead of {head.seq}")
    return AuditReport(seq)


def entries_about(connection: Connection, subject: str) -> list[dict[str, object]]:
    """Every entry about one person, oldest first."""
    rows = connection.execute(
        select(AuditRow).where(AuditRow.subject == subject).order_by(AuditRow.seq)
    )
    return [
        {"at": row.at.isoformat(), "kind": row.kind, "detail": json.loads(row.detail)}
        for row in rows
    ]


def latest(connection: Connection, most: int) -> list[dict[str, object]]:
    """The newest entries, newest first."""
    rows = connection.execute(select(AuditRow).order_by(AuditRow.seq.desc()).limit(most))
    return [
        {
            "seq": row.seq,
            "at": row.at.isoformat(),
            "kind": row.kind,
            "subject": row.subject,
            "detail": json.loads(row.detail),
        }
        for row in rows
    ]


def _harmless(value: str | int | bool) -> str | int | bool:
    if isinstance(value, str):
        return _UNFIT.sub("_", value.lower())[:_LONGEST_WORD]
    return value


def _digest(previous: str, seq: int, at_ms: int, kind: str, subject: str, detail: str) -> str:
    link = canonical([previous, seq, at_ms, kind, subject, detail])
    return hashlib.sha256(link.encode()).hexdigest()
