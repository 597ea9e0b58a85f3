"""All calls of one process: shared threads, observers, handoffs, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import numpy as np

from dialogue.conversation import Conversation
from dialogue.types import Delivery, HandoffBrief
from nlu.errors import AttuneError
from voice.channels.line import LiveLine
from voice.channels.live import LineLimits
from voice.engines import CallerIdentity, Engines, open_loop
from voice.recognition.silence import has_speech
from voice.server.admission import Admission
from voice.server.memory import Sweeping
from voice.server.metrics import Metrics
from voice.server.turn_file import TurnFile, check_folder
from voice.supervision import HumanAgent
from voice.types import RATE_HZ, CallEvent, Pcm

BUSY = "I'm sorry, all our lines are busy. Please call again in a few minutes."
SORRY = "I'm sorry, I can't put you through right now. Please call again in a few minutes."
TROUBLE = "I'm sorry, something went wrong here. Please call again in a few minutes."
WARM_DECODERS = 8
"""Loaded before the first call, 53 MB each. A further one is loaded in a thread when a caller needs
it, which makes that caller wait for about 150 ms. In use a decoder grows by some 8 MB and stays
so."""

Watcher = Callable[[str, CallEvent], None]
"""Is told every event of every call, with the call's name (the desk's door)."""
BriefTaker = Callable[[str, HandoffBrief], Awaitable[None]]
"""Takes a handoff's brief before the caller is put through (the desk's door)."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class LiveCall:
    """A call under way, for those who may reach into it."""

    name: str
    channel: str
    agent: HumanAgent
    conversation: Conversation
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class CallThreads(ThreadPoolExecutor):
    """The threads in which calls listen, think and speak; bounded, shared by all."""

    @property
    def waiting(self) -> int:
        """How much work has no thread yet."""
        return self._work_queue.qsize()


class Switchboard:
    """Holds calls on the shared engines. Nothing about a call lives anywhere else.

    Raises `AttuneError` where turns are to be kept and cannot be.
    """

    def __init__(self, engines: Engines, metrics: Metrics | None = None) -> None:
        settings = engines.settings
        if settings.turns_dir is not None:
            check_folder(settings.turns_dir)
        self.engines = engines
        self.metrics = metrics or Metrics()
        self.admission = Admission(settings.most_calls, settings.most_calls_per_address)
        self.limits = LineLimits(settings.dead_line_s, settings.longest_call_s)
        self.attended: Callable[[], bool] = lambda: False
        """Whether somebody at the desk can take a caller who has nowhere else to be put through."""
        self.calls: dict[str, LiveCall] = {}
        self.watchers: list[Watcher] = []
        self.brief_takers: list[BriefTaker] = []
        self.busy_sound: Pcm = np.zeros(0, dtype=np.int16)
        self.sorry_sound: Pcm = np.zeros(0, dtype=np.int16)
        self.trouble_sound: Pcm = np.zeros(0, dtype=np.int16)
        self.ready = False
        self._decoders = min(settings.most_calls, WARM_DECODERS)
        self._threads = CallThreads(settings.most_calls + 4, thread_name_prefix="attune-call")
        self._sweeping = Sweeping(self._threads)
        self._running: set[asyncio.Task[str]] = set()
        self._names: set[str] = set()
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.metrics.watch_pool("call threads", lambda: self._threads.waiting)

    async def warm_up(self) -> None:
        """Load what the first caller would wait for: decoders, voice, the busy message."""
        await asyncio.to_thread(self._warm_up)
        self.ready = True

    def _warm_up(self) -> None:
        streams = [self.engines.recognizer.stream() for _ in range(self._decoders)]
        for stream in streams:
            stream.close()
        self.busy_sound = self._spoken(BUSY)
        self.sorry_sound = self._spoken(SORRY)
        self.trouble_sound = self._spoken(TROUBLE)
        # Loads its network, which the first turn would wait for.
        has_speech(self.busy_sound)

    def _spoken(self, text: str) -> Pcm:
        chunks = self.engines.synthesizer.speak(text, Delivery())
        return np.concatenate([chunk.samples for chunk in chunks])

    async def hold(
        self, channel: LiveLine, identity: CallerIdentity, call: str | None = None
    ) -> str:
        """Hold one call from opening to hang-up; returns why it ended.

        `call` is its name, unless another call had that before. Whatever goes wrong ends this call
        only. Admission is the caller's business.
        """
        task = asyncio.ensure_future(self._hold(channel, identity, call))
        self._running.add(task)
        self._idle.clear()
        try:
            return await task
        except asyncio.CancelledError:
            if not self._closing:
                raise
            return "error"
        finally:
            self._running.discard(task)
            if not self._running:
                self._idle.set()
            if not self._closing:
                self._sweeping.call_ended()

    async def _own_name(self, wanted: str | None) -> str:
        """A name that no other call has or had: two under one name would be one in every record,
        and what was done for the first would not be done for the second."""
        fresh = uuid.uuid4().hex
        name = fresh if wanted is None or wanted in self._names else wanted
        self._names.add(name)
        if name == wanted and await asyncio.to_thread(self._was_used, name):
            self._names.discard(name)
            self._names.add(name := fresh)
        if wanted is not None and name != wanted:
            log.warning(
                "the name '%s' came twice; whoever names calls has to give each its own",
                wanted,
                extra={"call": name},
            )
        return name

    def _was_used(self, name: str) -> bool:
        try:
            return self.engines.store.knows_call(name)
        except AttuneError:
            # The call goes on without the database as well as it can.
            return False

    async def _hold(self, channel: LiveLine, identity: CallerIdentity, wanted: str | None) -> str:
        line = asyncio.ensure_future(channel.carry())
        reason = "error"
        call = await self._own_name(wanted)
        extra = {"call": call}
        with self.metrics.calls.labels(channel.name).track_inprogress():
            try:
                log.info("call begins on %s", channel.name, extra=extra)
                reason = await self._run(channel, identity, call)
            except Exception:
                log.exception("the call broke", extra=extra)
                await self._apologise(channel, line)
            finally:
                with suppress(Exception):
                    await channel.close()
                line.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await line
                self._names.discard(call)
                self.metrics.ended.labels(channel.name, reason).inc()
                log.info("call ended: %s", reason, extra=extra)
        return reason

    async def _apologise(self, channel: LiveLine, line: asyncio.Future[None]) -> None:
        """The last words to a caller whose call broke: better than a line that goes dead."""
        with suppress(Exception):
            await channel.play(self.trouble_sound)
            await asyncio.wait({line}, timeout=len(self.trouble_sound) / RATE_HZ)

    async def _run(self, channel: LiveLine, identity: CallerIdentity, call: str) -> str:
        channel.brief_taker = partial(self._hand_over, call)
        channel.sorry_sound = self.sorry_sound
        turn_file = TurnFile.of(self.engines.settings.turns_dir, call)

        def observe(event: CallEvent) -> None:
            self.metrics(event)
            channel.told(event)
            if turn_file is not None and "store_text" in conversation.grants:
                turn_file(event)
            for watcher in self.watchers:
                watcher(call, event)

        loop, conversation = await asyncio.to_thread(
            open_loop,
            self.engines,
            channel,
            identity,
            observers=[observe],
            call=call,
            executor=self._threads,
            calm=channel.calm,
        )
        if channel.keeps_line:
            loop.agent.attended = self.attended
        self.calls[call] = LiveCall(call, channel.name, loop.agent, conversation)
        try:
            reason = await loop.run()
            if reason == "handoff":
                result = "failed" if channel.transfer_failed else "done"
                self.metrics.handoffs.labels(result).inc()
            return reason
        finally:
            del self.calls[call]
            await asyncio.to_thread(conversation.close)

    async def _hand_over(self, call: str, brief: HandoffBrief) -> None:
        log.info("handoff: %s", brief.reason.partition(":")[0], extra={"call": call})
        for taker in self.brief_takers:
            await taker(call, brief)

    async def drain(self, within_s: float) -> bool:
        """Take no new calls and wait for those under way; True when all have ended."""
        self.admission.draining = True
        self.ready = False
        log.info("draining: %d calls under way", len(self._running))
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._idle.wait()
        return not self._running

    async def close(self) -> None:
        """End what is still running."""
        self._closing = True
        self._sweeping.cancel()
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        self._threads.shutdown(wait=False, cancel_futures=True)
