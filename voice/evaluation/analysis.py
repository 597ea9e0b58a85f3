"""One recording becomes one analysed call: who said what and when, the caller's feeling where it
may be read, and what Attune would have done. Nothing is carried out and nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dialogue.conversation import Conversation
from dialogue.customers.store import CustomerStore
from dialogue.packs import Pack, load_pack
from dialogue.regulation import load as load_regulations
from dialogue.types import CustomerContext, NextBestAction, Purpose
from nlu.errors import AttuneError
from nlu.understand import Understander
from voice import recognition
from voice.audio import CallerChannel, RecordingInfo, inspect, stream_channel
from voice.evaluation.diarization import Split, cut, split_speakers
from voice.evaluation.inputs import Job
from voice.evaluation.listening import AnalysedTurn, Listener, may_keep_text, without_words
from voice.evaluation.segmenting import frames, turns
from voice.settings import load as load_settings
from voice.types import AudioFrame, Recognizer

_TELL_EVERY_MS = 10_000
_OTHER_SIDE: Mapping[CallerChannel, CallerChannel] = {"left": "right", "right": "left"}


@dataclass(frozen=True, slots=True)
class Options:
    """What every call of a run has in common."""

    pack: str | None = None
    recognizer: str | None = None
    audio: bool = False
    """Whether the sound of each call is written too, where its caller allows that."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call as analysed; all of it is redacted."""

    job: Job
    duration_ms: int
    parties: int
    jurisdiction: str
    grants: Mapping[str, str]
    """What the caller allowed, by purpose, and on what basis."""
    engine: str
    turns: tuple[AnalysedTurn, ...]
    """Both parties', in order of time."""
    speakers: Split | None = None
    withdrawn: tuple[str, ...] = ()
    """What the caller took back in the course of the call."""
    next_best_actions: tuple[NextBestAction, ...] = ()
    silent_because: str | None = None
    """Why no sound of it may be kept; None when it may be."""


class Analyst:
    """Everything heavy, loaded once in a process; analyses one recording after the other."""

    def __init__(
        self, pack: Pack, recognizer: Recognizer, mind: Understander, store: CustomerStore | None
    ) -> None:
        self._pack = pack
        self._recognizer = recognizer
        self._mind = mind
        self._store = store

    @classmethod
    def open(cls, options: Options) -> Analyst:
        """Load pack, recogniser, models and the customers' store as the settings say.

        Raises `AttuneError` for an unknown pack or engine.
        """
        settings = load_settings()
        pack = load_pack(options.pack or settings.pack)
        language = pack.language()
        kind: Any = options.recognizer or settings.recognizer
        return cls(
            pack,
            recognition.choose(
                kind, language, model=settings.whisper_model, cache_dir=settings.cache_dir
            ),
            Understander(language),
            open_store(pack),
        )

    def close(self) -> None:
        """Release the database."""
        if self._store is not None:
            self._store.close()

    def analyse(self, job: Job, progress: Callable[[int], None] = lambda _: None) -> Call:
        """Analyse one recording; `progress` is told how many ms of it are done.

        Raises `AttuneError` for a recording that cannot be read, a stereo recording of which
        nobody said where the caller is, an unknown customer or jurisdiction.
        """
        info = inspect(job.path)
        channel, agent_channel = _sides(info, job)
        now = datetime.fromtimestamp(job.path.stat().st_mtime, UTC)
        context = self._context(job, now)
        regulation = load_regulations().row(
            job.jurisdiction or context.jurisdiction or load_settings().jurisdiction
        )
        conversation = Conversation(
            self._pack,
            context,
            regulation=regulation,
            call_id=job.name,
            consents=job.consents,
            channel="recording",
            started_at=now,
        )
        grants = {name: grant.basis for name, grant in conversation.grants.items()}
        with closing(conversation):
            listener = Listener(self._recognizer, self._mind, self._pack, conversation, now)
            split = None
            if agent_channel is None and job.parties == 2:
                split, heard = self._split(info, listener)
            else:
                heard = self._channels(info, listener, channel, agent_channel, progress)
            withdrawn = tuple(sorted(conversation.state.withdrawn))
            keep = may_keep_text(context, job, conversation.state.forget)
            sound = Purpose.STORE_AUDIO.value in conversation.grants
        heard.sort(key=lambda turn: (turn.span.start_ms, turn.span.party))
        if not keep:
            heard = [without_words(turn) for turn in heard]
        return Call(
            job,
            max(info.duration_ms, max((turn.span.end_ms for turn in heard), default=0)),
            2 if agent_channel is not None or split is not None else 1,
            regulation.code,
            grants,
            self._recognizer.name,
            tuple(heard),
            split,
            withdrawn,
            listener.next_best_actions,
            _silent_because(words=keep, sound=sound),
        )

    @staticmethod
    def _channels(
        info: RecordingInfo,
        listener: Listener,
        channel: CallerChannel,
        agent_channel: CallerChannel | None,
        progress: Callable[[int], None],
    ) -> list[AnalysedTurn]:
        """Each party on a channel of its own, one pass for each."""
        share = 1 if agent_channel is None else 2
        caller = _counted(frames(stream_channel(info, channel)), share, progress)
        heard = [listener.caller(turn, audible=True) for turn in turns(caller)]
        if agent_channel is not None:
            agent = _counted(frames(stream_channel(info, agent_channel)), share, progress)
            heard += [listener.agent(turn) for turn in turns(agent)]
        return heard

    @staticmethod
    def _split(info: RecordingInfo, listener: Listener) -> tuple[Split, list[AnalysedTurn]]:
        """Both parties on one channel: one pass to tell them apart, one to hear them."""
        split = split_speakers(frames(stream_channel(info, "mono")))
        heard = [
            listener.caller(turn, audible=False) if party == "caller" else listener.agent(turn)
            for party, turn in cut(frames(stream_channel(info, "mono")), split)
        ]
        return split, heard

    def _context(self, job: Job, now: datetime) -> CustomerContext:
        if self._store is None or job.customer is None:
            return CustomerContext()
        context = self._store.context(job.customer, now=now, but_call=job.name)
        if context.id is None:
            raise AttuneError(
                f"{job.path}: there is no customer {job.customer}; import customers with "
                "'attune customers import FILE' or correct the manifest."
            )
        return context


def open_store(pack: Pack) -> CustomerStore:
    """The customers' store of the settings, with the pack's own customers in it."""
    settings = load_settings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    store = CustomerStore.open(settings.database)
    store.seed_pack(pack)
    return store


def _counted(
    heard: Iterator[AudioFrame], share: int, progress: Callable[[int], None]
) -> Iterator[AudioFrame]:
    """The frames; every ten seconds `progress` is told how much of the call they are."""
    for frame in heard:
        if frame.end_ms % _TELL_EVERY_MS == 0:
            progress(_TELL_EVERY_MS // share)
        yield frame


def _silent_because(*, words: bool, sound: bool) -> str | None:
    if not words:
        return "There is no sound: what was said may not be kept."
    return None if sound else "There is no sound: nobody allowed it to be kept (store_audio)."


def _sides(info: RecordingInfo, job: Job) -> tuple[CallerChannel, CallerChannel | None]:
    """The caller's channel, and the agent's where it has one of its own."""
    if info.channels == 1:
        return "mono", None
    if job.channel is None:
        raise AttuneError(
            f"{job.path} has two channels; say which holds the caller with --caller-channel "
            "left|right|mono, or in the manifest's column caller_channel."
        )
    return job.channel, _OTHER_SIDE.get(job.channel)
