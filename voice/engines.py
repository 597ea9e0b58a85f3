"""The engines that calls share, and how one call's conversation is put together."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import UTC, datetime

from dialogue.conversation import Conversation
from dialogue.customers.store import CustomerStore
from dialogue.packs import Pack, load_pack
from dialogue.regulation import load as load_regulations
from dialogue.types import ConsentState, CustomerContext, Purpose
from nlu.errors import AttuneError
from nlu.understand import Understander
from voice import recognition, speech
from voice.calm import Calm
from voice.loop import Observer, VoiceLoop
from voice.settings import Settings
from voice.speculation import Deadlines
from voice.supervision import Patience
from voice.turns.endpointing import default_policies
from voice.types import Channel, Recognizer, Synthesizer

CODES = {"order_number", "account_number", "digits", "card_number"}

# A locked database may not hold up an answer: what waits is written with the next turn.
_BUSY_TIMEOUT_MS = 250

_REMEMBERED_MIB = 16
"""Of speech that is said again and again: about eight minutes."""


@dataclass(frozen=True, slots=True, eq=False)
class Engines:
    """Everything heavy, loaded once: recogniser, understanding, speech, store, pack."""

    settings: Settings
    pack: Pack
    recognizer: Recognizer
    mind: Understander
    synthesizer: Synthesizer
    store: CustomerStore

    @classmethod
    def open(
        cls,
        settings: Settings,
        *,
        pack: str | None = None,
        recognizer: recognition.Kind | None = None,
    ) -> Engines:
        """Load what a call needs. Raises `AttuneError` for an unknown pack or engine."""
        loaded = load_pack(pack or settings.pack)
        language = loaded.language()
        settings.make_data_dir()
        store = CustomerStore.open(settings.database, busy_timeout_ms=_BUSY_TIMEOUT_MS)
        store.seed_pack(loaded)
        return cls(
            settings=settings,
            pack=loaded,
            recognizer=recognition.choose(
                recognizer or settings.recognizer,
                language,
                model=settings.whisper_model,
                cache_dir=settings.cache_dir,
            ),
            mind=Understander(language),
            synthesizer=speech.open_synthesizer(
                settings.speech_engine,
                settings.voice,
                workers=settings.speech_workers,
                remembered_mib=_REMEMBERED_MIB,
            ),
            store=store,
        )

    def close(self) -> None:
        """End worker processes and release the database."""
        self.synthesizer.close()
        self.store.close()


@dataclass(frozen=True, slots=True)
class CallerIdentity:
    """What the channel or the operator says of the caller."""

    customer: str | None = None
    phone: str | None = None
    jurisdiction: str | None = None
    consents: Mapping[Purpose, ConsentState] | None = None
    pace: float = 1.0
    """How fast the caller wants to be spoken to: a factor."""


def codes_of(pack: Pack) -> list[str]:
    """The patterns of the numbers that a pack asks for, those of their usual length and all: a
    complete one need not be waited for."""
    slots = [slot for intent in pack.intents.values() for slot in intent.slots]
    numbers = [slot for slot in slots if slot.entity in CODES]
    usual = {f"[0-9]{{{slot.usual_length}}}" for slot in numbers if slot.usual_length}
    return sorted(usual | {slot.pattern for slot in numbers if slot.pattern})


def caller_context(
    engines: Engines, identity: CallerIdentity, now: datetime, call: str
) -> CustomerContext:
    """Who is calling, by what is known from before this call.

    Raises `AttuneError` when a customer is named who does not exist.
    """
    context = engines.store.context(identity.customer, phone=identity.phone, now=now, but_call=call)
    if identity.customer is not None and context.id is None:
        raise AttuneError(
            f"--customer {identity.customer}: no such customer; "
            "import customers with 'attune customers import FILE' or leave the option out."
        )
    return context


def open_loop(
    engines: Engines,
    channel: Channel,
    identity: CallerIdentity,
    *,
    observers: Sequence[Observer] = (),
    call: str | None = None,
    started_at: datetime | None = None,
    executor: Executor | None = None,
    calm: Calm | None = None,
    guarded: bool = False,
) -> tuple[VoiceLoop, Conversation]:
    """A call on `channel` for this caller, ready to run. `calm` and `guarded` are `VoiceLoop`'s.

    A live call changes the business's systems. A replay finds a fresh copy of what the pack seeds,
    so that it decides the same each time.
    """
    now = started_at or datetime.now(UTC)
    name = call or uuid.uuid4().hex[:12]
    context = caller_context(engines, identity, now, name)
    jurisdiction = identity.jurisdiction or context.jurisdiction or engines.settings.jurisdiction
    conversation = Conversation(
        engines.pack,
        context,
        regulation=load_regulations().row(jurisdiction),
        call_id=name,
        store=engines.store,
        consents=identity.consents or {},
        channel=channel.name.split()[0],
        started_at=now,
        data_dir=engines.settings.data_dir if channel.live else None,
    )
    settings = engines.settings
    loop = VoiceLoop(
        call=name,
        channel=channel,
        recognizer=engines.recognizer,
        mind=engines.mind,
        talk=conversation,
        synthesizer=engines.synthesizer,
        started_at=now,
        observers=observers,
        deadlines=Deadlines(
            settings.recognition_deadline_ms / 1000.0,
            settings.understanding_deadline_ms / 1000.0,
            settings.decision_deadline_ms / 1000.0,
            settings.speech_deadline_ms / 1000.0,
        ),
        policies=default_policies(codes_of(engines.pack)),
        patience=Patience.within(settings.ask_first_wait_ms),
        known_names=tuple(context.name.split()) if context.name else (),
        executor=executor,
        pace=identity.pace,
        calm=calm,
        guarded=guarded,
    )
    return loop, conversation
