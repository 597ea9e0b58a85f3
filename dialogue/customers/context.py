"""Who is calling: one statement that gathers everything a turn may know of a customer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, cast

from sqlalchemy import Connection, text

from dialogue.customers.models import from_ms, to_ms
from dialogue.customers.patterns import HISTORY_DAYS, REPEAT_DAYS, IntentHistory, derive
from dialogue.types import Case, ConsentState, Contact, CustomerContext, Flags, Purpose

LATEST_CONTACTS = 50
LATEST_CASES = 50
COUNTED_CONTACTS = 1_000
"""Patterns are counted over so many of the newest contacts of a year, and no more."""
FLAG_BITS = {"vulnerable": 1, "prefers_brief": 2, "vip": 4}
WRITTEN_CHANNEL = "written"

STRANGER = CustomerContext(attributes=MappingProxyType({"record": "none", "identification": "ask"}))
"""Nobody is known under this id or number: also what a forgotten customer becomes."""

SHARED = CustomerContext(
    attributes=MappingProxyType({"record": "several", "identification": "ask"})
)
"""The number belongs to several customers: treated as a stranger until they say who they are."""

_BY_ID = "SELECT pk FROM customers WHERE id = :who"
_BY_PHONE = "SELECT DISTINCT customer AS pk FROM identifiers WHERE digest = :who LIMIT 2"

# Every arm has the same columns: kind, n, m, at, then five texts. Each walks an index of one
# customer and is bounded, so that a long history costs no more than a short one.
_EVERYTHING = """
WITH who AS ({who}),
me AS (SELECT * FROM customers WHERE pk = (SELECT min(pk) FROM who)),
but AS (SELECT coalesce((SELECT pk FROM contacts WHERE key = :but), 0) AS pk)
SELECT 'customer' AS kind, (SELECT count(*) FROM who) AS n, flags AS m, 0 AS at,
       id AS a, name AS b, locale AS c, jurisdiction AS d, attributes AS e FROM me
UNION ALL
SELECT 'consent', 0, 0, at, purpose, state, channel, '', '' FROM (
  SELECT at, purpose, state, channel,
         row_number() OVER (PARTITION BY purpose ORDER BY at DESC, pk DESC) AS newest
  FROM consents WHERE subject = (SELECT subject FROM me)) ledger WHERE newest = 1
UNION ALL
SELECT * FROM (
  SELECT 'case', 0, 0, opened_at, id, subject, intent, status, '' FROM cases
  WHERE customer = (SELECT pk FROM me) ORDER BY opened_at DESC LIMIT {cases}) latest_cases
UNION ALL
SELECT * FROM (
  SELECT 'promise', 0, 0, made_at, case_id, text, '', '', '' FROM promises
  WHERE customer = (SELECT pk FROM me) AND kept_at IS NULL
  ORDER BY made_at DESC LIMIT {cases}) open_promises
UNION ALL
SELECT DISTINCT 'refused', 0, 0, 0, offer, '', '', '', '' FROM offers
  WHERE customer = (SELECT pk FROM me) AND answer = 'refused'
UNION ALL
SELECT * FROM (
  SELECT 'contact', 0, 0, at, intent, channel, outcome, summary, '' FROM contacts
  WHERE customer = (SELECT pk FROM me) AND at <= :now AND pk <> (SELECT pk FROM but)
  ORDER BY at DESC LIMIT {contacts}) latest_contacts
UNION ALL
SELECT 'intent', count(*), sum(CASE WHEN at >= :recent THEN 1 ELSE 0 END),
       sum(CASE WHEN outcome = 'escalated' THEN 1 ELSE 0 END), intent, '', '', '', '' FROM (
  SELECT at, intent, outcome FROM contacts
  WHERE customer = (SELECT pk FROM me) AND at <= :now AND at >= :oldest
    AND pk <> (SELECT pk FROM but)
  ORDER BY at DESC LIMIT {counted}) last_year
  GROUP BY intent
"""

_STATEMENTS = {
    who: text(
        _EVERYTHING.format(
            who=who, cases=LATEST_CASES, contacts=LATEST_CONTACTS, counted=COUNTED_CONTACTS
        )
    )
    for who in (_BY_ID, _BY_PHONE)
}


def read_context(
    connection: Connection,
    *,
    now: datetime,
    customer_id: str | None = None,
    phone_digest: str | None = None,
    but_contact: str = "",
) -> CustomerContext:
    """The context of one customer, by id or by the keyed hash of a telephone number.

    `but_contact` is the key of a contact to leave out: the one of the call at hand. Nobody found
    gives `STRANGER`, two customers on one number give `SHARED`.
    """
    if customer_id is None and phone_digest is None:
        return STRANGER
    statement = _STATEMENTS[_BY_ID if customer_id is not None else _BY_PHONE]
    parameters = {
        "who": customer_id if customer_id is not None else phone_digest,
        "now": to_ms(now),
        "recent": to_ms(now - timedelta(days=REPEAT_DAYS)),
        "oldest": to_ms(now - timedelta(days=HISTORY_DAYS)),
        "but": but_contact,
    }
    found: dict[str, list[Any]] = {}
    for row in connection.execute(statement, parameters):
        found.setdefault(row[0], []).append(row)
    if "customer" not in found:
        return STRANGER
    profile = found["customer"][0]
    return SHARED if profile.n > 1 else _assemble(profile, found)


def _assemble(profile: Any, found: Mapping[str, Sequence[Any]]) -> CustomerContext:
    ledger = found.get("consent", ())
    promises = found.get("promise", ())
    promise_of_case = {row.a: row.b for row in reversed(promises) if row.a}
    return CustomerContext(
        id=profile.a,
        name=profile.b or None,
        locale=profile.c,
        jurisdiction=profile.d,
        consents=MappingProxyType({Purpose(row.a): ConsentState(row.b) for row in ledger}),
        flags=flags_of(profile.m),
        cases=tuple(
            Case(
                row.a,
                row.b,
                row.c,
                from_ms(row.at),
                cast(Any, row.d),
                promise_of_case.get(row.a),
            )
            for row in found.get("case", ())
        ),
        contacts=tuple(
            Contact(from_ms(row.at), row.a, row.b, row.c, row.d) for row in found.get("contact", ())
        ),
        patterns=derive(
            (
                IntentHistory(row.a, int(row.n), int(row.m), int(row.at))
                for row in found.get("intent", ())
            ),
            (row.b for row in promises),
        ),
        refused_offers=frozenset(row.a for row in found.get("refused", ())),
        attributes=MappingProxyType(json.loads(profile.e)),
        written_releases=frozenset(
            Purpose(row.a)
            for row in ledger
            if row.b == ConsentState.GRANTED and row.c == WRITTEN_CHANNEL
        ),
    )


def flags_of(bits: int) -> Flags:
    """The flags behind the stored number."""
    return Flags(**{name: bool(bits & bit) for name, bit in FLAG_BITS.items()})


def bits_of(flags: Flags) -> int:
    """The number that is stored for the flags."""
    return sum(bit for name, bit in FLAG_BITS.items() if getattr(flags, name))
