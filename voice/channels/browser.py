"""A call from a browser, or any client of the Realtime protocol: one WebSocket a call."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from dialogue.types import ConsentState, HandoffBrief, Purpose
from voice.channels import realtime_wire as wire
from voice.channels.line import LiveLine
from voice.channels.live import Clock, Converter, LineLimits
from voice.channels.paced import SEND_TIMEOUT_S
from voice.channels.playback import ReportedPlayout
from voice.channels.realtime_events import EventWriter, SessionState
from voice.channels.realtime_story import Story
from voice.channels.telephone_rate import Unchanged
from voice.channels.twilio import TextSocket
from voice.channels.wideband_rate import WidebandConverter
from voice.channels.wire import TransferError, WireError
from voice.types import (
    RATE_HZ,
    CallEnded,
    CallEvent,
    EndTurn,
    HoldTurns,
    Pcm,
    SetPace,
    StateConsent,
    StopSpeaking,
)

LEAD_MS = 260
PIECE_MS = 100
TRUNCATE_S = 0.12
"""How long an interrupted answer waits for the client to say how much of it was heard."""
MOST_WAITING = 2_000
"""Events that a client may leave unread; they are small."""
MOST_ERRORS = 50
CAPTION_EVERY_S = 0.04
ANY_PERSON = "*0#"

GOODBYES = {
    "closed": "Thank you for talking with us.",
    "handoff": "A colleague is taking over. Please stay here.",
    "silence": "The session has ended because nobody spoke.",
    "hangup": "The session has ended.",
    "error": "Something went wrong here. Please start again.",
}
"""Why a session ended, for the page to show."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a client wants from the first word on. `may_analyse_voice` says whether the
    jurisdiction lets a caller allow it here."""

    emotion_voice: bool = False
    pace: float = 1.0
    may_analyse_voice: bool = False
    beta: bool = False


class BrowserChannel(LiveLine):
    """The visitor behind a browser.

    `session` names the session to the client. `staffed` says whether anybody takes a handoff;
    `sorry` is what is shown when nobody does.
    """

    name = "kiosk"
    keeps_line = True

    def __init__(
        self,
        socket: TextSocket,
        limits: LineLimits,
        session: str,
        wishes: Wishes | None = None,
        *,
        staffed: Callable[[], bool] = lambda: True,
        sorry: str = "",
        clock: Clock = time.monotonic,
    ) -> None:
        self._playout = ReportedPlayout()
        super().__init__(limits, LEAD_MS, self._playout, clock, rate_hz=RATE_HZ, piece_ms=PIECE_MS)
        self._socket = socket
        self._wishes = wishes or Wishes()
        self._state = SessionState(
            session, pace=self._wishes.pace, emotion_voice=self._wishes.emotion_voice
        )
        self._story = Story(EventWriter(beta=self._wishes.beta))
        self._staffed = staffed
        self._sorry = sorry
        self._clock = clock
        self._inwards: Converter = WidebandConverter(self._state.in_hz, RATE_HZ)
        self._outwards: Converter = WidebandConverter(RATE_HZ, self._state.out_hz)
        self._outbox: deque[str] = deque()
        self._posted = asyncio.Event()
        self._sending = asyncio.Lock()
        self._item_began_ms = 0.0
        self._truncated: asyncio.Future[int] | None = None
        self._errors = 0
        self._ended = False

    # --- out -----------------------------------------------------------------------------------

    async def carry(self) -> None:
        """Move sound and events both ways until the line ends."""
        self._post([self._story.writer.session("session.created", self._state)])
        telling = asyncio.ensure_future(self._tell())
        try:
            await super().carry()
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await telling

    def told(self, event: CallEvent) -> None:
        """An event of the call becomes what the client is told."""
        self._post(self._story.told(event))
        if self._story.voice_withdrawn:
            self._story.voice_withdrawn = False
            self._consent_is(False)
        if isinstance(event, CallEnded):
            self._end(event.reason)

    def _end(self, reason: str) -> None:
        """Tell the client, once, why the session is over."""
        if self._ended:
            return
        self._ended = True
        message = GOODBYES.get(reason, GOODBYES["hangup"])
        if self.transfer_failed and self._sorry:
            message = self._sorry
        ended = self._story.writer.event("attune.session.ended", reason=reason, message=message)
        self._post([*self._story.response_ends(interrupted=False), ended])

    def _post(self, texts: list[str]) -> None:
        self._outbox.extend(texts)
        if len(self._outbox) > MOST_WAITING:
            self._outbox.clear()
            self._arrivals.end()
        if texts:
            self._posted.set()

    async def _tell(self) -> None:
        """Send what is posted; words of the assistant as they are heard."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(CAPTION_EVERY_S if self._story.waiting else None):
                    await self._posted.wait()
            self._posted.clear()
            self._post(self._story.due(self._arrivals.now_ms))
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await self._flush()
            except (OSError, TimeoutError):
                self._arrivals.end()
                return

    async def _flush(self) -> None:
        async with self._sending:
            while self._outbox:
                await self._socket.send(self._outbox.popleft())

    async def _send(self, samples: Pcm) -> None:
        begins = self._story.response_item is None
        if begins:
            piece_ms = len(samples) * 1000 // RATE_HZ
            self._item_began_ms = self._speech.sent_ms - piece_ms
            self._playout.item_begins(piece_ms)
        self._post(self._story.sound(self._outwards.push(samples)))
        try:
            await self._flush()
        except ConnectionError:
            # A page that was closed is no fault of the line.
            self._arrivals.end()

    # --- in ------------------------------------------------------------------------------------

    async def _receive(self) -> None:
        while (text := await self._socket.receive()) is not None:
            if (wait_s := self._pace.count()) > 0:
                await asyncio.sleep(wait_s)
            try:
                self._take(wire.parse(text))
            except wire.RequestError as error:
                self._errors += 1
                self._post([self._story.writer.error(error)])
                if self._errors > MOST_ERRORS:
                    raise WireError(f"more than {MOST_ERRORS} messages made no sense") from None

    def _take(self, message: wire.Message) -> None:
        self._arrivals.alive()
        match message:
            case wire.Append(samples):
                self._arrivals.push(self._inwards.push(samples))
            case wire.Commit():
                self._arrivals.act(EndTurn())
            case wire.Clear():
                self._arrivals.forget()
                self._post([self._story.writer.event("input_audio_buffer.cleared")])
            case wire.Cancel():
                self._arrivals.act(StopSpeaking())
            case wire.Truncate(item, heard_ms):
                self._truncate(item, heard_ms)
            case wire.Played(item, heard_ms):
                if item == self._story.response_item:
                    self._playout.played(heard_ms, self._clock())
            case wire.SessionUpdate():
                self._update(message)
            case _:
                self._wish(message)

    def _wish(self, message: wire.Message) -> None:
        match message:
            case wire.WantPerson():
                self._arrivals.press(ANY_PERSON)
            case wire.Pace(factor):
                self._state = replace(self._state, pace=factor)
                self._arrivals.act(SetPace(factor))
                self._post([self._story.writer.event("attune.pace.updated", factor=factor)])
            case wire.Consent(purpose, state):
                self._consent(purpose, state)

    def _update(self, wanted: wire.SessionUpdate) -> None:
        state = self._state
        if wanted.push_to_talk is not None and wanted.push_to_talk != state.push_to_talk:
            state = replace(state, push_to_talk=wanted.push_to_talk)
            self._arrivals.act(HoldTurns(wanted.push_to_talk))
        if wanted.in_hz is not None and wanted.in_hz != state.in_hz:
            state = replace(state, in_hz=wanted.in_hz)
            self._inwards = _converter(wanted.in_hz, RATE_HZ)
        if wanted.out_hz is not None and wanted.out_hz != state.out_hz:
            state = replace(state, out_hz=wanted.out_hz)
            self._outwards = _converter(RATE_HZ, wanted.out_hz)
        self._story.writer.beta = self._story.writer.beta or wanted.beta
        self._state = state
        self._post([self._story.writer.session("session.updated", state)])

    def _consent(self, purpose: Purpose, state: ConsentState) -> None:
        """A yes counts where the jurisdiction lets it; everything else is a no."""
        if purpose is not Purpose.EMOTION_VOICE:
            raise wire.RequestError("only emotion_voice is asked for here", param="purpose")
        granted = state is ConsentState.GRANTED and self._wishes.may_analyse_voice
        given = ConsentState.GRANTED if granted else ConsentState.DENIED
        self._arrivals.act(StateConsent(purpose, given))
        self._consent_is(granted)

    def _consent_is(self, granted: bool) -> None:
        self._state = replace(self._state, emotion_voice=granted)
        state = ConsentState.GRANTED if granted else ConsentState.DENIED
        self._post(
            [
                self._story.writer.event(
                    "attune.consent.updated",
                    purpose=Purpose.EMOTION_VOICE.value,
                    state=state.value,
                )
            ]
        )

    # --- interruption --------------------------------------------------------------------------

    async def clear(self) -> None:
        """Drop what is queued, here and at the client, and learn how much was heard."""
        item, began_ms = self._story.response_item, self._item_began_ms
        most_ms = self._speech.sent_ms
        await super().clear()
        if item is None:
            return
        self._post([self._story.writer.event("output_audio_buffer.cleared", item_id=item)])
        with suppress(OSError):
            await self._flush()
        if not self._playout.reports:
            return
        self._truncated = asyncio.get_running_loop().create_future()
        with suppress(TimeoutError):
            async with asyncio.timeout(TRUNCATE_S):
                heard_ms = await self._truncated
                self._speech.correct(min(began_ms + heard_ms, most_ms))
                self._playout.corrected(self._speech.sent_ms - began_ms, self._clock())
        self._truncated = None

    def _truncate(self, item: str, heard_ms: int) -> None:
        if item not in self._story.spoken:
            raise wire.RequestError("no item of the assistant's", param="item_id")
        waiting = self._truncated
        if item == self._story.response_item and waiting is not None and not waiting.done():
            waiting.set_result(heard_ms)
        self._post(
            [
                self._story.writer.event(
                    "conversation.item.truncated",
                    item_id=item,
                    content_index=0,
                    audio_end_ms=heard_ms,
                )
            ]
        )

    # --- the end -------------------------------------------------------------------------------

    async def _put_through(self, brief: HandoffBrief) -> None:
        """A person comes to the visitor, or speaks through the desk; the session is over."""
        del brief
        if not self._staffed():
            raise TransferError("nobody takes handoffs here")
        self._end("handoff")
        await self.close()

    async def _say_sorry(self) -> None:
        if self._sorry:
            self._post(self._story.says(self._sorry))
        await super()._say_sorry()
        self._end("handoff")

    async def _hang_up(self) -> None:
        await self._flush()
        await self._socket.close()


def _converter(from_hz: int, to_hz: int) -> Converter:
    return Unchanged() if from_hz == to_hz else WidebandConverter(from_hz, to_hz)
