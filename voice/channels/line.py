"""What every live channel is made of: arrivals, paced speech, and a socket that carries both."""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import numpy as np

from dialogue.types import HandoffBrief
from voice.calm import Calm
from voice.channels.live import (
    TELEPHONE_RATE_HZ,
    Arrivals,
    Clock,
    Converter,
    LineLimits,
)
from voice.channels.pace import MessagePace
from voice.channels.paced import PacedSpeech, Playout
from voice.channels.telephone_rate import Doubler, Halver, Unchanged
from voice.channels.wire import TransferError, WireError
from voice.types import FRAME_MS, RATE_HZ, AudioFrame, CallEvent, Pcm

LINGER_S = 0.2
"""Between the last frame sent and the hang-up: what is on its way is still heard."""
BRIEF_TIMEOUT_S = 2.0
SORRY_TIMEOUT_S = 15.0

_CONVERTERS: dict[int, tuple[Callable[[], Converter], Callable[[], Converter]]] = {
    TELEPHONE_RATE_HZ: (Doubler, Halver),
    RATE_HZ: (Unchanged, Unchanged),
}

BriefTaker = Callable[[HandoffBrief], Awaitable[None]]

log = logging.getLogger(__name__)


class LiveLine(ABC):
    """A `Channel` on a socket. `carry` has to run as long as the call does.

    `rate_hz` is the rate of the wire; `lead_ms` and `piece_ms` are those of its `PacedSpeech`.
    `brief_taker` gets a handoff's brief before the caller is put through.
    """

    live = True
    name = "line"
    keeps_line = False
    """Whether a person can only be reached on this very line, at the desk."""

    def __init__(
        self,
        limits: LineLimits,
        lead_ms: int,
        playout: Playout,
        clock: Clock = time.monotonic,
        *,
        rate_hz: int = TELEPHONE_RATE_HZ,
        piece_ms: int = FRAME_MS,
    ) -> None:
        inwards, outwards = _CONVERTERS[rate_hz]
        self.calm = Calm()
        """Kept by whoever hears the caller."""
        self._arrivals = Arrivals(limits, clock, inwards(), rate_hz, self.calm)
        self._speech = PacedSpeech(
            lead_ms,
            playout,
            clock,
            converter=outwards(),
            rate_hz=rate_hz,
            piece_ms=piece_ms,
        )
        self._pace = MessagePace(clock)
        self._closed = False
        self.brief_taker: BriefTaker | None = None
        self.ended_by: str | None = None
        """What the far end did wrong, where that ended the line."""
        self.sorry_sound: Pcm = np.zeros(0, dtype=np.int16)
        """What a caller hears who cannot be put through."""
        self.transfer_failed = False

    @abstractmethod
    async def _send(self, samples: Pcm) -> None:
        """Send 20 ms of int16 at the rate of the wire, or several times that."""

    @abstractmethod
    async def _receive(self) -> None:
        """Take what comes in until the far end hangs up. Raises `WireError`."""

    @abstractmethod
    async def _put_through(self, brief: HandoffBrief) -> None:
        """Connect the caller to a person. Raises `TransferError`."""

    @abstractmethod
    async def _hang_up(self) -> None:
        """Say goodbye on the wire and close the socket."""

    async def carry(self) -> None:
        """Move sound both ways until the line ends; never raises for what the far end does."""
        tasks = {
            asyncio.ensure_future(self._speech.run(self._send)),
            asyncio.ensure_future(self._receive()),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if (error := task.exception()) is None or self._closed:
                    continue
                self.ended_by = str(error) or type(error).__name__
                if isinstance(error, WireError | OSError | TimeoutError):
                    log.warning("%s: line ended: %s", self.name, self.ended_by)
                else:
                    log.error("%s: line broke", self.name, exc_info=error)
        finally:
            self._arrivals.end()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def told(self, event: CallEvent) -> None:
        """An event of the call, for a far end that shows what goes on."""
        del event

    def frames(self) -> AsyncIterator[AudioFrame]:
        """The caller's audio until either side hangs up."""
        return self._arrivals.frames()

    async def play(self, samples: Pcm) -> None:
        """Queue samples to be heard after what is queued already."""
        if not self._closed:
            self._speech.put(samples)

    async def clear(self) -> None:
        """Drop what is queued and not yet sent."""
        self._speech.clear()

    def heard_ms(self) -> int:
        """How much of what was ever queued has been heard."""
        return self._speech.heard_ms()

    async def transfer(self, brief: HandoffBrief) -> None:
        """The brief goes ahead, then the caller is put through."""
        if self.brief_taker is not None:
            try:
                async with asyncio.timeout(BRIEF_TIMEOUT_S):
                    await self.brief_taker(brief)
            except Exception:
                log.exception("the brief could not be handed over")
        try:
            await self._put_through(brief)
        except TransferError as error:
            self.transfer_failed = True
            log.error("%s: the caller could not be put through: %s", self.name, error)
            await self._say_sorry()
            await self.close()

    async def _say_sorry(self) -> None:
        """The last words to a caller who could not be put through."""
        await self.play(self.sorry_sound)
        with suppress(TimeoutError):
            async with asyncio.timeout(SORRY_TIMEOUT_S):
                while self._speech.waiting_ms > 0:
                    await asyncio.sleep(0.1)

    async def close(self) -> None:
        """Hang up, once what was sent has been played."""
        if self._closed:
            return
        self._closed = True
        self._arrivals.end()
        await asyncio.sleep(LINGER_S)
        with suppress(OSError, RuntimeError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._hang_up()
