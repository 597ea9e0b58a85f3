"""The stage: a scenario is performed with the real loop, or its words with the dialogue alone.

Each performance finds a fresh copy of the pack's customers and systems, so that none leaves a
trace for the next.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import soundfile
from sqlalchemy import select

from dialogue.conversation import Conversation
from dialogue.customers.models import TurnRow
from dialogue.customers.store import CustomerStore
from dialogue.packs.format import Pack
from dialogue.packs.loader import load_pack
from dialogue.policy import Policy
from dialogue.regulation import load as load_regulations
from dialogue.types import CustomerContext
from nlu.errors import AttuneError
from nlu.types import Transcript
from nlu.understand import Understander
from voice import recognition, speech
from voice.audio import StereoWriter
from voice.channels.simulated import SimulatedCallerChannel
from voice.engines import CallerIdentity, Engines, open_loop
from voice.evaluation.rehearsal.cues import Cue, CuedMind, CuedRecognizer
from voice.evaluation.rehearsal.performance import Performance, Stored
from voice.evaluation.rehearsal.scenario import Scenario
from voice.evaluation.rehearsal.sound import CallerVoices, Spoken, caller_lines
from voice.evaluation.rehearsal.words import perform_words
from voice.settings import Settings
from voice.types import (
    AssistantInterrupted,
    CallEnded,
    CallerSpeaking,
    CallEvent,
    ClauseQueued,
    Recognizer,
    Synthesizer,
    TurnFinished,
    TurnRecord,
)

_PATIENT_MS = 60_000
"""A rehearsal measures how long an answer took; it does not cut it off on a busy machine."""


@dataclass(eq=False)
class Stage:
    """Opens what is heavy once and performs scenarios on it. Close it afterwards.

    `open_recognizer` is asked only when a scenario has a line that states no words.
    """

    settings: Settings
    recognizer_kind: recognition.Kind | None = None
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="attune-rehearsal-")))
    _recognizers: dict[str, Recognizer] = field(default_factory=dict)
    _minds: dict[str, Understander] = field(default_factory=dict)
    _synthesizer: Synthesizer | None = None
    _voices: CallerVoices = field(default_factory=CallerVoices)
    _seeded: dict[tuple[str, date], Path] = field(default_factory=dict)
    _played: int = 0

    def close(self) -> None:
        """End worker processes and remove what was written on the way."""
        self._voices.close()
        if self._synthesizer is not None:
            self._synthesizer.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def perform(self, scenario: Scenario) -> Performance:
        """A scenario with sound and the real loop, in audio time.

        Raises `AttuneError` for a customer, a voice or a recording that cannot be used.
        """
        began_s = time.perf_counter()
        spoken, background = caller_lines(scenario, self._voices)
        with closing(self._store(scenario)) as store:
            _context(store, scenario)
            engines = self._engines(scenario, store)
            self._played += 1
            wav = self.folder / f"{self._played}.wav"
            channel = SimulatedCallerChannel(
                [each.line for each in spoken], background=background, writer=StereoWriter(wav)
            )
            cue = _cue_of(scenario, spoken, channel)
            engines = replace(
                engines,
                recognizer=CuedRecognizer(engines.recognizer, cue),
                mind=CuedMind(engines.mind, cue),  # type: ignore[arg-type]
            )
            events: list[CallEvent] = []
            loop, conversation = open_loop(
                engines,
                channel,
                _identity(scenario),
                observers=[events.append],
                call=_call_id(scenario),
                started_at=scenario.at,
            )
            with closing(conversation):
                asyncio.run(loop.run())
            stored = _stored(store)
        pcm, _ = soundfile.read(wav, dtype="int16", always_2d=True)
        wav.unlink()
        records = tuple(event.record for event in events if isinstance(event, TurnFinished))
        return Performance(
            scenario=scenario,
            records=records,
            spans=tuple(channel.spans),
            ended=next((e.reason for e in events if isinstance(e, CallEnded)), "error"),
            opening=_opening(records, events),
            stored=stored,
            interruptions=tuple(e for e in events if isinstance(e, AssistantInterrupted)),
            conversation=pcm,
            wall_s=time.perf_counter() - began_s,
            audio_s=channel.now_ms / 1000.0,
            engines=(engines.recognizer.name, engines.synthesizer.name),
        )

    def perform_words(self, scenario: Scenario, policy: Policy | None = None) -> Performance:
        """The words of a scenario with the dialogue alone; see `words.perform_words`.

        `policy` stands in for the shipped one. Raises `AttuneError` for an unknown customer.
        """
        began_s = time.perf_counter()
        pack = load_pack(scenario.pack)
        with closing(self._store(scenario)) as store:
            context = _context(store, scenario)
            conversation = Conversation(
                pack,
                context,
                regulation=load_regulations().row(scenario.jurisdiction or context.jurisdiction),
                call_id=_call_id(scenario),
                store=store,
                consents=scenario.consents,
                channel="words",
                started_at=scenario.at,
                policy=policy,
            )
            with closing(conversation):
                performance = perform_words(conversation, self._mind(pack), scenario)
            stored = _stored(store)
        return replace(performance, stored=stored, wall_s=time.perf_counter() - began_s)

    # --- what is opened once ---------------------------------------------------------------------

    def _engines(self, scenario: Scenario, store: CustomerStore) -> Engines:
        pack = load_pack(scenario.pack)
        if self._synthesizer is None:
            self._synthesizer = speech.open_synthesizer(
                self.settings.speech_engine, self.settings.voice
            )
        patient = {
            f"{stage}_deadline_ms": _PATIENT_MS
            for stage in ("recognition", "understanding", "decision", "speech")
        }
        return Engines(
            settings=self.settings.model_copy(update=patient),
            pack=pack,
            recognizer=self._recognizer(scenario, pack),
            mind=self._mind(pack),
            synthesizer=self._synthesizer,
            store=store,
        )

    def _recognizer(self, scenario: Scenario, pack: Pack) -> Recognizer:
        if all(line.heard is not None or line.silence_ms is not None for line in scenario.turns):
            return _Deaf()
        if pack.name not in self._recognizers:
            self._recognizers[pack.name] = recognition.choose(
                self.recognizer_kind or self.settings.recognizer,
                pack.language(),
                model=self.settings.whisper_model,
                cache_dir=self.settings.cache_dir,
            )
        return self._recognizers[pack.name]

    def _mind(self, pack: Pack) -> Understander:
        if pack.name not in self._minds:
            self._minds[pack.name] = Understander(pack.language())
        return self._minds[pack.name]

    def _store(self, scenario: Scenario) -> CustomerStore:
        """A store of its own for one performance: a copy of the pack's freshly seeded one."""
        pack = load_pack(scenario.pack)
        key = (pack.name, scenario.at.date())
        if key not in self._seeded:
            path = self.folder / f"seed-{len(self._seeded)}.db"
            seeded = CustomerStore.open(f"sqlite:///{path}")
            seeded.seed_pack(pack, scenario.at)
            seeded.close()
            self._seeded[key] = path
        self._played += 1
        own = self.folder / f"call-{self._played}.db"
        shutil.copyfile(self._seeded[key], own)
        return CustomerStore.open(f"sqlite:///{own}")


class _Deaf:
    """Stands where no line needs a recogniser: noise taken for speech has no words."""

    name = "stated"

    def stream(self, expectation: Any = None) -> Any:
        """Begin a turn in which nothing is recognised."""
        del expectation
        return self

    def accept(self, frame: Any) -> None:
        """Take the next frame."""

    def partial(self) -> str:
        """No words."""
        return ""

    def final(self) -> Transcript:
        """No words."""
        return Transcript("", (), 0.0, "stated")

    def close(self) -> None:
        """Nothing is held."""


def _context(store: CustomerStore, scenario: Scenario) -> CustomerContext:
    """Who is calling. Raises `AttuneError` for a customer that the pack does not have."""
    context = store.context(
        scenario.customer, phone=scenario.phone, now=scenario.at, but_call=_call_id(scenario)
    )
    if scenario.customer is not None and context.id is None:
        raise AttuneError(
            f"{scenario.path}: customer: the pack {scenario.pack} has no customer "
            f"'{scenario.customer}'; use one of its customers.yaml or leave the field out."
        )
    return context


def _identity(scenario: Scenario) -> CallerIdentity:
    return CallerIdentity(
        customer=scenario.customer,
        phone=scenario.phone,
        jurisdiction=scenario.jurisdiction,
        consents=scenario.consents,
    )


def _call_id(scenario: Scenario) -> str:
    return f"rehearsal-{scenario.path.stem[:40]}"


def _cue_of(
    scenario: Scenario, spoken: Sequence[Spoken], channel: SimulatedCallerChannel
) -> Callable[[], Cue | None]:
    def cue() -> Cue | None:
        place = len(channel.spans) - 1
        # A silence says nothing: what is heard during it still belongs to the line before.
        while place >= 0 and scenario.turns[place].silence_ms is not None:
            place -= 1
        if place < 0:
            return None
        start_ms = channel.spans[place].start_ms
        sound = spoken[place]
        return Cue(scenario.turns[place], lambda at_ms: sound.share_said(at_ms - start_ms))

    return cue


def _opening(records: Sequence[TurnRecord], events: Sequence[CallEvent]) -> str:
    """The first words: from the first record, else as they were queued before anybody spoke."""
    for record in records:
        if "opening" in record.extra:
            return str(record.extra["opening"])
    before = itertools.takewhile(lambda event: not isinstance(event, CallerSpeaking), events)
    return " ".join(event.text for event in before if isinstance(event, ClauseQueued))


def _stored(store: CustomerStore) -> Stored:
    with store.database.reading() as connection:
        turns = connection.execute(select(TurnRow.contact, TurnRow.text)).all()
        texts = tuple(str(text) for _, text in turns if text)
        contacts = len({contact for contact, _ in turns})
    return Stored(contacts, texts)
