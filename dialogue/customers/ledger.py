"""The consent ledger: appended to, never changed; the newest entry of a purpose holds."""

from __future__ import annotations

import hashlib
import re
import secrets

from sqlalchemy import Connection, delete, insert, select

from dialogue.customers import audit
from dialogue.customers.database import insert_once
from dialogue.customers.models import ConsentRow, EvidenceRow
from dialogue.customers.records import ConsentRecord
from nlu.errors import AttuneError

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_LONGEST_EVIDENCE = 500


def append(connection: Connection, key: str, subject: str, consent: ConsentRecord) -> bool:
    """Add an entry under the hashed `key`; False when it is there already.

    Raises `AttuneError` when the wording version or the channel is not a plain short word.
    """
    for name, value, longest in (
        ("wording_version", consent.wording_version, 40),
        ("channel", consent.channel, 20),
    ):
        if not _WORD.fullmatch(value) or len(value) > longest:
            raise AttuneError(
                f"Consent {consent.purpose}: {name} '{value}' is not a plain word; use at most "
                f"{longest} letters, digits, dots and dashes."
            )
    salt = secrets.token_hex(16)
    evidence = consent.evidence[:_LONGEST_EVIDENCE]
    added = insert_once(
        connection,
        ConsentRow,
        key=key,
        subject=subject,
        purpose=consent.purpose.value,
        state=consent.state.value,
        at=consent.at,
        wording_version=consent.wording_version,
        channel=consent.channel,
        commitment=commitment(salt, evidence),
    )
    if not added:
        return False
    if evidence:
        entry = connection.execute(select(ConsentRow.pk).where(ConsentRow.key == key)).scalar_one()
        connection.execute(insert(EvidenceRow).values(consent=entry, salt=salt, text=evidence))
    audit.append(
        connection,
        "consent",
        subject,
        consent.at,
        {"purpose": consent.purpose.value, "state": consent.state.value},
    )
    return True


def commitment(salt: str, evidence: str) -> str:
    """What binds a piece of evidence to its entry; says nothing once the salt is erased."""
    return hashlib.sha256(f"{salt}:{evidence}".encode()).hexdigest()


def entries(connection: Connection, subject: str) -> list[dict[str, object]]:
    """The whole ledger of one person with its evidence, oldest first."""
    rows = connection.execute(
        select(ConsentRow, EvidenceRow.salt, EvidenceRow.text)
        .outerjoin(EvidenceRow, EvidenceRow.consent == ConsentRow.pk)
        .where(ConsentRow.subject == subject)
        .order_by(ConsentRow.at, ConsentRow.pk)
    )
    return [
        {
            "purpose": row.purpose,
            "state": row.state,
            "at": row.at.isoformat(),
            "wording_version": row.wording_version,
            "channel": row.channel,
            "evidence": row.text,
            "evidence_unchanged": row.text is None
            or commitment(row.salt, row.text) == row.commitment,
        }
        for row in rows
    ]


def erase_evidence(connection: Connection, subject: str) -> int:
    """Delete the words of the evidence; the entries stay, bound to a pseudonym."""
    mine = select(ConsentRow.pk).where(ConsentRow.subject == subject)
    return connection.execute(delete(EvidenceRow).where(EvidenceRow.consent.in_(mine))).rowcount
