"""What the server says in the OpenAI-Realtime subset: pure converters, without sockets."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

from voice.channels.realtime_wire import HIGHEST_PACE, LOWEST_PACE, RATES_HZ, RequestError
from voice.types import Pcm


@dataclass(frozen=True, slots=True)
class SessionState:
    """What a client is told of its session."""

    id: str
    in_hz: int = RATES_HZ[0]
    out_hz: int = RATES_HZ[0]
    push_to_talk: bool = False
    pace: float = 1.0
    emotion_voice: bool = False


class EventWriter:
    """The server's side: each method gives the text of one event.

    `beta` uses the protocol's earlier names (`response.audio.delta` instead of
    `response.output_audio.delta`).
    """

    def __init__(self, *, beta: bool = False) -> None:
        self.beta = beta
        self._count = 0

    def event(self, kind: str, **fields: object) -> str:
        """Any event."""
        self._count += 1
        return json.dumps({"type": kind, "event_id": f"event_{self._count}", **fields})

    def session(self, kind: str, state: SessionState) -> str:
        """`session.created` or `session.updated`."""
        detection = None if state.push_to_talk else {"type": "server_vad"}
        common = {"id": state.id, "object": "realtime.session", "model": "attune"}
        own = {
            "pace": {"factor": state.pace, "lowest": LOWEST_PACE, "highest": HIGHEST_PACE},
            "consent": {"emotion_voice": "granted" if state.emotion_voice else "denied"},
        }
        if self.beta:
            shown: dict[str, object] = {
                **common,
                "modalities": ["audio", "text"],
                "input_audio_format": "pcm16",
                "output_audio_format": "pcm16",
                "input_audio_transcription": {"model": "attune"},
                "turn_detection": detection,
            }
        else:
            shown = {
                **common,
                "type": "realtime",
                "output_modalities": ["audio"],
                "audio": {
                    "input": {
                        "format": {"type": "audio/pcm", "rate": state.in_hz},
                        "transcription": {"model": "attune"},
                        "turn_detection": detection,
                    },
                    "output": {"format": {"type": "audio/pcm", "rate": state.out_hz}},
                },
            }
        return self.event(kind, session={**shown, "attune": own})

    def error(self, error: RequestError) -> str:
        """A message could not be followed."""
        return self.problem(error.code, str(error), error.param, error.event_id)

    def problem(
        self, code: str, message: str, param: str = "", event_id: str = "", kind: str = ""
    ) -> str:
        """An `error` event; `kind` is the protocol's type of error."""
        return self.event(
            "error",
            error={
                "type": kind or "invalid_request_error",
                "code": code,
                "message": message,
                "param": param or None,
                "event_id": event_id or None,
            },
        )

    # --- items ---------------------------------------------------------------------------------

    def caller_item(self, item: str, previous: str | None) -> list[str]:
        """The caller's turn is an item of the conversation; its words come later."""
        shown = {"id": item, "object": "realtime.item", "type": "message", "role": "user"}
        content = [{"type": "input_audio", "transcript": None}]
        whole: dict[str, object] = {**shown, "status": "completed", "content": content}
        return [self._item_added(whole, previous), *self._item_done(whole, previous)]

    def _item_added(self, shown: dict[str, object], previous: str | None) -> str:
        kind = "conversation.item.created" if self.beta else "conversation.item.added"
        return self.event(kind, previous_item_id=previous, item=shown)

    def _item_done(self, shown: dict[str, object], previous: str | None) -> list[str]:
        """Nothing more comes of an item; the protocol had no event for that earlier."""
        if self.beta:
            return []
        return [self.event("conversation.item.done", previous_item_id=previous, item=shown)]

    def heard(self, item: str, transcript: str) -> str:
        """The words of the caller's turn."""
        return self.event(
            "conversation.item.input_audio_transcription.completed",
            item_id=item,
            content_index=0,
            transcript=transcript,
        )

    def hearing(self, item: str, delta: str) -> str:
        """Further words of the caller's turn."""
        return self.event(
            "conversation.item.input_audio_transcription.delta",
            item_id=item,
            content_index=0,
            delta=delta,
        )

    # --- the assistant's response --------------------------------------------------------------

    def response_begins(self, response: str, item: str, previous: str | None) -> list[str]:
        """Everything up to the first sound of a response."""
        shown = {"id": response, "object": "realtime.response", "status": "in_progress"}
        return [
            self.event("response.created", response={**shown, "output": []}),
            self.event(
                "response.output_item.added",
                response_id=response,
                output_index=0,
                item=_assistant_item(item, "in_progress", []),
            ),
            self._item_added(_assistant_item(item, "in_progress", []), previous),
            self._in_part("response.content_part.added", response, item, part=self._part("")),
        ]

    def sound(self, response: str, item: str, samples: Pcm) -> str:
        """A piece of the assistant's voice: int16 samples at the session's rate."""
        payload = base64.b64encode(samples.astype("<i2", copy=False).tobytes()).decode("ascii")
        return self._in_part(self._audio("delta"), response, item, delta=payload)

    def words(self, response: str, item: str, delta: str) -> str:
        """The words that are being heard."""
        return self._in_part(self._audio("delta", "_transcript"), response, item, delta=delta)

    def response_ends(
        self,
        response: str,
        item: str,
        transcript: str,
        previous: str | None = None,
        *,
        interrupted: bool,
    ) -> list[str]:
        """Everything after the last sound of a response."""
        status = "incomplete" if interrupted else "completed"
        whole = _assistant_item(item, status, [self._part(transcript)])
        details = {"type": "cancelled", "reason": "turn_detected"} if interrupted else None
        shown = {
            "id": response,
            "object": "realtime.response",
            "status": "cancelled" if interrupted else "completed",
            "status_details": details,
            "output": [whole],
        }
        return [
            self._in_part(self._audio("done"), response, item),
            self._in_part(
                self._audio("done", "_transcript"), response, item, transcript=transcript
            ),
            self._in_part(
                "response.content_part.done", response, item, part=self._part(transcript)
            ),
            *self._item_done(whole, previous),
            self.event(
                "response.output_item.done", response_id=response, output_index=0, item=whole
            ),
            self.event("response.done", response=shown),
        ]

    def _audio(self, end: str, what: str = "") -> str:
        return f"response.{'audio' if self.beta else 'output_audio'}{what}.{end}"

    def _part(self, transcript: str) -> dict[str, object]:
        return {"type": "audio" if self.beta else "output_audio", "transcript": transcript}

    def _in_part(self, kind: str, response: str, item: str, **fields: object) -> str:
        place = {"response_id": response, "item_id": item, "output_index": 0, "content_index": 0}
        return self.event(kind, **place, **fields)


def _assistant_item(item: str, status: str, content: list[dict[str, object]]) -> dict[str, object]:
    shown = {"id": item, "object": "realtime.item", "type": "message", "role": "assistant"}
    return {**shown, "status": status, "content": content}
