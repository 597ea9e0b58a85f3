"""Letting go of what may no longer be kept, by purpose and jurisdiction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, inspect, or_, select, update

from dialogue import regulation
from dialogue.customers import audit
from dialogue.customers.models import (
    Base,
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
from dialogue.regulation import Regulations

BATCH_ROWS = 2_000


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

    Works in batches of `BATCH_ROWS`, each a transaction of its own, so that calls can write in
    between; broken off, it goes on where it was the next time.
    """
    moment = now or datetime.now(UTC)
    table = regulations or regulation.load()
    with store.database.reading() as connection:
        codes = connection.execute(
            select(ContactRow.jurisdiction).union(
                select(TurnRow.jurisdiction), select(CustomerRow.jurisdiction)
            )
        ).scalars()
        expiries = [item for code in sorted(codes) for item in _of_code(code, table, moment)]
    strictest = min(row.transcript_retention_days for row in table.rows.values())
    expiries.append(
        _Expiry(
            "effect facts",
            EffectRow,
            and_(EffectRow.at < moment - timedelta(days=strictest), EffectRow.facts != {}),
            {"facts": {}},
        )
    )
    swept: Counter[str] = Counter()
    for expiry in expiries:
        swept[expiry.what] += _carry_out(store, expiry, moment)
    clean_up(store.database, thoroughly=False)
    return dict(swept)


@dataclass(frozen=True, slots=True)
class _Expiry:
    """Rows that have outlived their time: emptied of `values`, or deleted without."""

    what: str
    row: type[Base]
    outlived: ColumnElement[bool]
    values: Mapping[str, Any] | None = None


def _of_code(code: str, table: Regulations, now: datetime) -> Iterator[_Expiry]:
    row = table.row(code)
    words = now - timedelta(days=row.transcript_retention_days)
    calls = now - timedelta(days=row.contact_retention_days)
    theirs = select(CustomerRow.pk).where(CustomerRow.jurisdiction == code)
    yield _Expiry(
        "transcripts",
        TurnRow,
        and_(
            TurnRow.jurisdiction == code,
            TurnRow.at < words,
            or_(TurnRow.text.is_not(None), TurnRow.emotion.is_not(None)),
        ),
        {"text": None, "emotion": None},
    )
    yield _Expiry(
        "summaries",
        ContactRow,
        and_(
            ContactRow.jurisdiction == code,
            ContactRow.at < words,
            or_(ContactRow.summary != "", ContactRow.emotions.is_not(None)),
        ),
        {"summary": "", "emotions": None},
    )
    yield _Expiry(
        "contacts", ContactRow, and_(ContactRow.jurisdiction == code, ContactRow.at < calls)
    )
    yield _Expiry("cases", CaseRow, and_(CaseRow.customer.in_(theirs), CaseRow.closed_at < calls))
    yield _Expiry(
        "promises",
        PromiseRow,
        and_(PromiseRow.customer.in_(theirs), PromiseRow.kept_at < calls),
    )
    yield _Expiry(
        "offers",
        OfferRow,
        and_(
            OfferRow.customer.in_(theirs), OfferRow.shown_at < calls, OfferRow.answer != "refused"
        ),
    )


def _carry_out(store: CustomerStore, expiry: _Expiry, now: datetime) -> int:
    (key,) = inspect(expiry.row).primary_key
    # The keys are listed once: finding each batch anew would walk over all that was emptied.
    with store.database.reading() as connection:
        keys = connection.execute(select(key).where(expiry.outlived)).scalars().all()
    total = 0
    for start in range(0, len(keys), BATCH_ROWS):
        batch = and_(key.in_(keys[start : start + BATCH_ROWS]), expiry.outlived)
        statement = (
            delete(expiry.row).where(batch)
            if expiry.values is None
            else update(expiry.row).where(batch).values(**expiry.values)
        )
        with store.database.writing() as connection:
            rows = connection.execute(statement).rowcount
            if rows:
                audit.append(connection, "sweep", "", now, {"what": expiry.what, "rows": rows})
        total += rows
    return total
