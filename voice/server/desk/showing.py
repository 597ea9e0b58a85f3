"""What a person at the desk is shown of a call's values, as plain JSON values.

Payment cards are masked here too: nobody at the desk needs one. Everything else is shown as it was
said, because the agent who helps needs it; it is kept in memory only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dialogue.conversation import Conversation
from dialogue.handoff import as_text
from dialogue.packs.facts import say_facts
from dialogue.packs.format import Pack
from dialogue.slots import values_of
from dialogue.types import CustomerContext, Decision, HandoffBrief, Purpose
from nlu.redaction import redact
from nlu.types import OTHER_INTENT, EmotionEstimate, Understanding
from voice.records import plain_json

_MOST_CONTACTS = 5
_CARD = "card"
_PLACEHOLDER = re.compile(r"(the )?\{(\w+)\}")


def masked(text: str) -> str:
    """A text without the numbers of payment cards."""
    for span in reversed([each for each in redact(text).spans if each.type == _CARD]):
        text = text[: span.start] + span.placeholder + text[span.end :]
    return text


def feeling(estimate: EmotionEstimate) -> dict[str, Any]:
    """An estimate, or why there is none."""
    if estimate.abstained is not None:
        return {"abstained": estimate.abstained}
    return {
        "top": estimate.top.value,
        "confidence": round(estimate.confidence, 2),
        "valence": round(estimate.valence, 2),
        "arousal": round(estimate.arousal, 2),
        "intensity": estimate.intensity.value,
    }


def consents(conversation: Conversation) -> dict[str, bool]:
    """What the caller allows at this moment, by purpose."""
    grants = conversation.grants
    return {purpose.value: purpose.value in grants for purpose in Purpose}


def customer(context: CustomerContext) -> dict[str, Any]:
    """Who is calling and what went before; a stranger has no id."""
    newest = sorted(context.contacts, key=lambda contact: contact.at, reverse=True)
    return {
        "id": context.id,
        "name": context.name,
        "jurisdiction": context.jurisdiction,
        "locale": context.locale,
        "flags": [name for name, held in plain_json(context.flags).items() if held],
        "attributes": dict(context.attributes) if context.id is not None else {},
        "consents": {p.value: state.value for p, state in context.consents.items()},
        "cases": [plain_json(case) for case in context.cases if case.status == "open"],
        "contacts": [plain_json(contact) for contact in newest[:_MOST_CONTACTS]],
        "repeat_contacts_30d": dict(context.patterns.repeat_contacts_30d),
        "promises": list(context.patterns.unresolved_promises),
        "prior_escalation": context.patterns.prior_escalation,
    }


def facts(conversation: Conversation) -> dict[str, Any]:
    """What is known of the matter that the caller is in."""
    tasks = conversation.state.tasks
    frame = tasks.active or next(iter(reversed(tasks.frames)), None)
    return {**frame.facts, **values_of(frame)} if frame is not None else {}


def turn(
    understanding: Understanding, decision: Decision, pack: Pack, known: Mapping[str, Any]
) -> dict[str, Any]:
    """What was understood of a turn, what the assistant plans, and why."""
    fired = [reason for reason in decision.reasons if reason.fired]
    others = [reason for reason in decision.reasons if not reason.fired]
    return {
        "text": masked(understanding.transcript.text),
        "heard": round(understanding.transcript.confidence, 2),
        "intent": intent_title(understanding.intent.name, pack),
        "intent_score": round(understanding.intent.score, 2),
        "alternatives": [
            {"intent": intent_title(other.name, pack), "score": round(other.score, 2)}
            for other in understanding.intent.alternatives[:2]
        ],
        "feeling": feeling(understanding.fused),
        "words": feeling(understanding.words),
        "trend": understanding.trajectory.trend,
        "conflict": understanding.conflict.kind.value if understanding.conflict else None,
        "signals": sorted(understanding.signals),
        "strategy": decision.strategy.value,
        "moves": list(decision.moves),
        "reply": masked(decision.reply.written),
        "reasons": [_reason(reason) for reason in fired],
        "others": [_reason(reason) for reason in others],
        "effects": [
            {"action": each.action, "does": _does(pack, each.action, {**known, **each.arguments})}
            for each in decision.effects
        ],
        "offer": plain_json(decision.offer),
        "handoff": decision.handoff is not None,
        "next": [
            {"does": _does(pack, each.action, known), "score": each.score, "why": each.why}
            for each in decision.next_best_actions
        ],
    }


def brief(value: HandoffBrief, pack: Pack) -> dict[str, Any]:
    """A handoff's brief, part by part and as one text."""
    about = intent_title(value.intent, pack)
    return {**plain_json(value), "about": about, "text": masked(as_text(value))}


def intent_title(name: str, pack: Pack) -> str:
    """An intent as a person would call it."""
    entry = pack.intents.get(name)
    if entry is not None:
        return str(entry.title)
    return "something else" if name == OTHER_INTENT else name.replace("_", " ")


def _reason(reason: Any) -> dict[str, Any]:
    return {"rule": reason.rule, "note": reason.note, "saw": plain_json(reason.saw)}


def _does(pack: Pack, action: str, arguments: Mapping[str, Any]) -> str:
    words = say_facts({**pack.constants, **arguments}, pack)

    def named(match: re.Match[str]) -> str:
        article, name = match.groups()
        known = words.get(name)
        return f"the {name.replace('_', ' ')}" if known is None else f"{article or ''}{known}"

    return _PLACEHOLDER.sub(named, pack.actions[action].does)
