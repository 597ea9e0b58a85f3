"""Writing records down, each at most once, inside one transaction of the caller's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, select, update

from dialogue.customers import audit, ledger
from dialogue.customers.database import insert_once
from dialogue.customers.identifiers import IdentifierKey
from dialogue.customers.models import (
    CaseRow,
    ContactRow,
    EffectRow,
    OfferRow,
    PromiseRow,
    TurnRow,
)
from dialogue.customers.people import Person, is_forgotten
from dialogue.customers.records import (
    CaseRecord,
    ConsentRecord,
    ContactRecord,
    EffectRecord,
    OfferRecord,
    PromiseRecord,
    Record,
    TurnWrites,
)
from dialogue.types import ConsentState, Purpose
from nlu.types import OTHER_INTENT, Grant

_LONGEST = {"summary": 1000, "subject": 300, "text": 500, "name": 80, "turn": 4000}


class Writer:
    """Writes for one person within one open transaction."""

    def __init__(self, connection: Connection, key: IdentifierKey, person: Person) -> None:
        self._connection = connection
        self._key = key
        self._person = person

    def turn(self, turn: TurnWrites, grants: Mapping[str, Grant]) -> bool:
        """A finished turn with all that it leaves behind; False when it was written before."""
        jurisdiction = turn.jurisdiction
        forgotten = self._person.forgotten or is_forgotten(
            self._connection, self._key, "call", turn.call_id
        )
        if forgotten:
            # A call that is to be forgotten leaves only what must not happen twice.
            return sum(self.record(item) for item in self._without_trace(turn.records)) > 0
        keeps_text = Purpose.STORE_TEXT in grants
        keeps_emotion = keeps_text and (
            Purpose.EMOTION_VOICE in grants or Purpose.EMOTION_WORDS in grants
        )
        contact = self._contact_of(turn)
        emotion = turn.emotion if keeps_emotion else None
        added = insert_once(
            self._connection,
            TurnRow,
            key=self._key.short("turn", f"{turn.call_id}:{turn.turn}"),
            contact=contact,
            customer=self._person.pk,
            turn=turn.turn,
            at=turn.at,
            jurisdiction=jurisdiction,
            intent=turn.intent[: _LONGEST["name"]],
            strategy=turn.strategy[:30],
            text=turn.text[: _LONGEST["turn"]] if turn.text and keeps_text else None,
            emotion=emotion,
        )
        if not added:
            return False
        self._update_contact(contact, turn, emotion, turn.summary if keeps_text else "")
        for item in turn.records:
            self.record(item, contact)
            if _stops_keeping_text(item):
                self._drop_words(contact)
        self._audit("turn", turn.at, {"turn": turn.turn, "records": len(turn.records)})
        return True

    def outcome(self, turn: TurnWrites, grants: Mapping[str, Grant], by: str) -> bool:
        """How a contact ended, as a person says; False where the call was forgotten.

        `turn` holds no turn: its outcome, intent and summary are the contact's from now on.
        """
        if self._person.forgotten or is_forgotten(
            self._connection, self._key, "call", turn.call_id
        ):
            return False
        summary = turn.summary if Purpose.STORE_TEXT in grants else ""
        self._update_contact(self._contact_of(turn), turn, None, summary)
        self._audit("outcome", turn.at, {"outcome": turn.outcome, "by": by})
        return True

    def record(self, record: Record, contact: int | None = None) -> bool:
        """One record; False when nothing changed because it was written before."""
        match record:
            case EffectRecord():
                return self._effect(record, contact)
            case _ if self._person.pk is None:
                return False
            case ConsentRecord():
                key = self._key.short("consent", f"{self._person.subject}:{record.key}")
                return ledger.append(self._connection, key, self._person.subject, record)
            case ContactRecord():
                return self._contact(record)
            case CaseRecord():
                return self._case(record)
            case PromiseRecord():
                return self._promise(record)
            case OfferRecord():
                return self._offer(record)

    def _without_trace(self, records: tuple[Record, ...]) -> list[Record]:
        return [
            EffectRecord(item.key, item.action, item.succeeded, item.at)
            if isinstance(item, EffectRecord)
            else item
            for item in records
            if isinstance(item, EffectRecord | ConsentRecord)
        ]

    def _drop_words(self, contact: int) -> None:
        """Erase the words and feelings that this call has left so far."""
        self._connection.execute(
            update(TurnRow).where(TurnRow.contact == contact).values(text=None, emotion=None)
        )
        self._connection.execute(
            update(ContactRow).where(ContactRow.pk == contact).values(summary="", emotions=None)
        )

    def _contact_of(self, turn: TurnWrites) -> int:
        key = self._key.short("contact", turn.call_id)
        insert_once(
            self._connection,
            ContactRow,
            key=key,
            customer=self._person.pk,
            at=turn.at,
            jurisdiction=turn.jurisdiction,
            intent=turn.intent[: _LONGEST["name"]],
            channel=turn.channel[:20],
            outcome=turn.outcome,
            summary="",
            emotions=None,
        )
        return self._connection.execute(
            select(ContactRow.pk).where(ContactRow.key == key)
        ).scalar_one()

    def _update_contact(
        self,
        contact: int,
        turn: TurnWrites,
        emotion: Mapping[str, object] | None,
        summary: str,
    ) -> None:
        values: dict[str, object] = {"outcome": turn.outcome}
        if self._person.pk is not None:
            # A stranger who is identified in mid-call takes the turns before along.
            values["customer"] = self._person.pk
            self._connection.execute(
                update(TurnRow)
                .where(TurnRow.contact == contact, TurnRow.customer.is_(None))
                .values(customer=self._person.pk)
            )
        if turn.intent != OTHER_INTENT:
            values["intent"] = turn.intent[: _LONGEST["name"]]
        if summary:
            values["summary"] = summary[: _LONGEST["summary"]]
        if emotion is not None:
            course = self._connection.execute(
                select(ContactRow.emotions).where(ContactRow.pk == contact)
            ).scalar()
            values["emotions"] = [*(course or ()), dict(emotion)]
        self._connection.execute(
            update(ContactRow).where(ContactRow.pk == contact).values(**values)
        )

    def _contact(self, record: ContactRecord) -> bool:
        added = insert_once(
            self._connection,
            ContactRow,
            key=self._key.short("contact", record.key),
            customer=self._person.pk,
            at=record.at,
            jurisdiction=self._person.jurisdiction,
            intent=record.intent[: _LONGEST["name"]],
            channel=record.channel[:20],
            outcome=record.outcome,
            summary=record.summary[: _LONGEST["summary"]],
            emotions=[dict(item) for item in record.emotions] or None,
        )
        if added:
            self._audit("contact", record.at, {"outcome": record.outcome})
        return added

    def _case(self, record: CaseRecord) -> bool:
        opened = insert_once(
            self._connection,
            CaseRow,
            customer=self._person.pk,
            id=record.id[:100],
            subject=record.subject[: _LONGEST["subject"]],
            intent=record.intent[: _LONGEST["name"]],
            status="open",
            opened_at=record.opened_at,
        )
        if opened:
            self._audit("case", record.opened_at, {"status": "open"})
        closed = record.closed_at is not None and self.close_case(record.id, record.closed_at)
        return opened or closed

    def close_case(self, case_id: str, at: datetime) -> bool:
        """Close an open case; False when there is none of that id, or it was closed before."""
        changed = self._connection.execute(
            update(CaseRow)
            .where(
                CaseRow.customer == self._person.pk,
                CaseRow.id == case_id[:100],
                CaseRow.status == "open",
            )
            .values(status="closed", closed_at=at)
        ).rowcount
        if changed:
            self._audit("case", at, {"status": "closed"})
        return bool(changed)

    def _promise(self, record: PromiseRecord) -> bool:
        made = insert_once(
            self._connection,
            PromiseRow,
            key=self._own_key("promise", record.key),
            customer=self._person.pk,
            case_id=record.case_id[:100],
            text=record.text[: _LONGEST["text"]],
            made_at=record.made_at,
        )
        if made:
            self._audit("promise", record.made_at, {"status": "made"})
        kept = record.kept_at is not None and self.keep_promise(record.key, record.kept_at)
        return made or kept

    def keep_promise(self, key: str, at: datetime) -> bool:
        """Mark a promise as kept; False when there is none open under this key."""
        changed = self._connection.execute(
            update(PromiseRow)
            .where(PromiseRow.key == self._own_key("promise", key), PromiseRow.kept_at.is_(None))
            .values(kept_at=at)
        ).rowcount
        if changed:
            self._audit("promise", at, {"status": "kept"})
        return bool(changed)

    def _offer(self, record: OfferRecord) -> bool:
        key = self._own_key("offer", record.key)
        shown = insert_once(
            self._connection,
            OfferRow,
            key=key,
            customer=self._person.pk,
            offer=record.offer[: _LONGEST["name"]],
            shown_at=record.shown_at,
            answer="",
        )
        if shown:
            self._audit("offer", record.shown_at, {"status": "shown"})
        if not record.answer:
            return shown
        answered_at = record.answered_at or record.shown_at
        answered = self._connection.execute(
            update(OfferRow)
            .where(OfferRow.key == key, OfferRow.answer == "")
            .values(answer=record.answer, answered_at=answered_at)
        ).rowcount
        if answered:
            self._audit("offer", answered_at, {"status": record.answer})
        return shown or bool(answered)

    def _effect(self, record: EffectRecord, contact: int | None) -> bool:
        added = insert_once(
            self._connection,
            EffectRow,
            key=self._key.short("effect", record.key),
            customer=self._person.pk,
            contact=contact,
            action=record.action[: _LONGEST["name"]],
            succeeded=record.succeeded,
            at=record.at,
            facts=dict(record.facts),
        )
        if added:
            self._audit(
                "effect", record.at, {"action": record.action, "succeeded": record.succeeded}
            )
        return added

    def _own_key(self, kind: str, key: str) -> str:
        """The keyed hash of a key that need be unique for one customer only."""
        return self._key.short(kind, f"{self._person.subject}:{key}")

    def _audit(self, kind: str, at: datetime, detail: Mapping[str, str | int | bool]) -> None:
        audit.append(self._connection, kind, self._person.subject, at, detail)


def _stops_keeping_text(record: Record) -> bool:
    return (
        isinstance(record, ConsentRecord)
        and record.purpose is Purpose.STORE_TEXT
        and record.state is ConsentState.DENIED
    )
