"""Letting go of what may no longer be kept, by purpose and jurisdiction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, or_, select, update

from dialogue import regulation
from dialogue.customers import audit
from dialogue.customers.models import (
    CaseRow,
    ContactRow,
    CustomerRow,
    EffectRow,
    OfferRow,
    PromiseRow,
    TurnRow,
)
from dialogue.customers.scanning import clean_up
from dialogue.customers.store import CustomerStore
from dialogue.regulation import Regulation, Regulations


def sweep(
    store: CustomerStore,
    now: datetime | None = None,
    regulations: Regulations | None = None,
) -> Mapping[str, int]:
    """Erase what has outlived its time: how many rows, by what they held.

    Words, summaries and feelings go after the jurisdiction's days for transcripts; the calls
    themselves, closed cases, kept promises and offers after its days for contacts. Refused offers
    stay: forgetting them would bring the offer back. Facts of effects go after the days for
    transcripts of the strictest row. Each jurisdiction is that of the time of the call.
    """
    moment = now or datetime.now(UTC)
    table = regulations or regulation.load()
    swept: Counter[str] = Counter()
    with store.database.writing() as connection:
        codes = connection.execute(
            select(ContactRow.jurisdiction).union(
                select(TurnRow.jurisdiction), select(CustomerRow.jurisdiction)
            )
        ).scalars()
        for code in sorted(codes):
            row = table.row(code)
            swept.update(_words(connection, code, row, moment))
            swept.update(_contacts(connection, code, row, moment))
        strictest = min(row.transcript_retention_days for row in table.rows.values())
        swept["effect facts"] += connection.execute(
            update(EffectRow)
            .where(EffectRow.at < moment - timedelta(days=strictest), EffectRow.facts != {})
            .values(facts={})
        ).rowcount
        if total := sum(swept.values()):
            audit.append(connection, "sweep", "", moment, {"rows": total})
    clean_up(store.database, thoroughly=False)
    return dict(swept)


def _words(connection: Connection, code: str, row: Regulation, now: datetime) -> Mapping[str, int]:
    before = now - timedelta(days=row.transcript_retention_days)
    turns = connection.execute(
        update(TurnRow)
        .where(
            TurnRow.jurisdiction == code,
            TurnRow.at < before,
            or_(TurnRow.text.is_not(None), TurnRow.emotion.is_not(None)),
        )
        .values(text=None, emotion=None)
    ).rowcount
    contacts = connection.execute(
        update(ContactRow)
        .where(
            ContactRow.jurisdiction == code,
            ContactRow.at < before,
            or_(ContactRow.summary != "", ContactRow.emotions.is_not(None)),
        )
        .values(summary="", emotions=None)
    ).rowcount
    return {"transcripts": turns, "summaries": contacts}


def _contacts(
    connection: Connection, code: str, row: Regulation, now: datetime
) -> Mapping[str, int]:
    before = now - timedelta(days=row.contact_retention_days)
    theirs = select(CustomerRow.pk).where(CustomerRow.jurisdiction == code)
    statements = {
        "contacts": delete(ContactRow).where(
            ContactRow.jurisdiction == code, ContactRow.at < before
        ),
        "cases": delete(CaseRow).where(CaseRow.customer.in_(theirs), CaseRow.closed_at < before),
        "promises": delete(PromiseRow).where(
            PromiseRow.customer.in_(theirs), PromiseRow.kept_at < before
        ),
        "offers": delete(OfferRow).where(
            OfferRow.customer.in_(theirs), OfferRow.shown_at < before, OfferRow.answer != "refused"
        ),
    }
    return {name: connection.execute(item).rowcount for name, item in statements.items()}
