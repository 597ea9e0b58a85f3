"""The Realtime protocol as text: what clients say, what they are told, and nonsense."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialogue.types import ConsentState, Purpose
from voice.channels import realtime_wire as wire
from voice.channels.realtime_events import EventWriter, SessionState
from voice.channels.wideband_rate import WidebandConverter

MESSAGES: list[tuple[dict[str, Any], wire.Message]] = [
    ({"type": "input_audio_buffer.commit"}, wire.Commit()),
    ({"type": "input_audio_buffer.clear"}, wire.Clear()),
    ({"type": "response.create", "response": {}}, wire.CreateResponse()),
    ({"type": "response.cancel"}, wire.Cancel()),
    (
        {
            "type": "conversation.item.truncate",
            "item_id": "item_2",
            "content_index": 0,
            "audio_end_ms": 1260,
        },
        wire.Truncate("item_2", 1_260),
    ),
    (
        {"type": "attune.playback", "item_id": "item_2", "audio_end_ms": 100.0},
        wire.Played("item_2", 100),
    ),
    (
        {"type": "attune.consent.update", "purpose": "emotion_voice", "state": "denied"},
        wire.Consent(Purpose.EMOTION_VOICE, ConsentState.DENIED),
    ),
    ({"type": "attune.pace.update", "factor": 0.9}, wire.Pace(0.9)),
    ({"type": "attune.pace.update", "factor": 7}, wire.Pace(wire.HIGHEST_PACE)),
    ({"type": "attune.person.request"}, wire.WantPerson()),
    ({"type": "session.update", "session": {}}, wire.SessionUpdate()),
    (
        {
            "type": "session.update",
            "session": {
                "type": "realtime",
                "audio": {
                    "input": {
                        "format": {"type": "audio/pcm", "rate": 16_000},
                        "turn_detection": None,
                    },
                    "output": {"format": {"type": "audio/pcm", "rate": 24_000}},
                },
            },
        },
        wire.SessionUpdate(16_000, 24_000, True),
    ),
    (
        {
            "type": "session.update",
            "session": {
                "modalities": ["text", "audio"],
                "input_audio_format": "pcm16",
                "turn_detection": {"type": "server_vad"},
            },
        },
        wire.SessionUpdate(None, None, False, beta=True),
    ),
]
SOUND = {"type": "input_audio_buffer.append", "audio": "AQD+/wIB"}


@pytest.mark.parametrize(("content", "message"), MESSAGES)
def test_what_comes_in_is_understood(content: dict[str, Any], message: wire.Message) -> None:
    assert wire.parse(json.dumps(content)) == message


def test_sound_is_little_endian_samples() -> None:
    message = wire.parse(json.dumps(SOUND))
    assert isinstance(message, wire.Append)
    assert message.samples.tolist() == [1, -2, 258]


def test_the_assistants_voice_is_this_text() -> None:
    samples = np.array([1, -2, 258], dtype=np.int16)
    assert EventWriter().sound("resp_1", "item_1", samples) == (
        '{"type": "response.output_audio.delta", "event_id": "event_1", "response_id": "resp_1", '
        '"item_id": "item_1", "output_index": 0, "content_index": 0, "delta": "AQD+/wIB"}'
    )
    assert '"response.audio.delta"' in EventWriter(beta=True).sound("r", "i", samples)


def test_what_is_told_at_the_edges_is_this() -> None:
    writer = EventWriter()
    assert json.loads(writer.heard("item_3", "hello")) == {
        "type": "conversation.item.input_audio_transcription.completed",
        "event_id": "event_1",
        "item_id": "item_3",
        "content_index": 0,
        "transcript": "hello",
    }
    session = json.loads(writer.session("session.created", SessionState("s", 16_000)))["session"]
    assert session["audio"]["input"]["format"] == {"type": "audio/pcm", "rate": 16_000}
    assert session["attune"]["consent"] == {"emotion_voice": "denied"}
    kinds = [json.loads(text)["type"] for text in writer.response_begins("r", "i", None)]
    kinds += [
        json.loads(text)["type"] for text in writer.response_ends("r", "i", "", interrupted=False)
    ]
    assert kinds == [
        "response.created",
        "response.output_item.added",
        "conversation.item.added",
        "response.content_part.added",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "JSON"),
        ("[]", "object"),
        ("[" * 30_000, "JSON"),
        ("9" * 9_000, "JSON"),
        ("x" * 70_000, "characters"),
        (b"\xff\xfe", "JSON"),
        ("{}", "type"),
        ('{"type":"of a later version"}', "type"),
        ('{"type":"input_audio_buffer.append"}', "audio"),
        ('{"type":"input_audio_buffer.append","audio":"AQ="}', "audio"),
        ('{"type":"input_audio_buffer.append","audio":"AQID"}', "audio"),
        ('{"type":"conversation.item.truncate","item_id":"a","audio_end_ms":-1}', "audio_end_ms"),
        ('{"type":"attune.playback","item_id":"a","audio_end_ms":NaN}', "audio_end_ms"),
        ('{"type":"attune.pace.update","factor":"fast"}', "factor"),
        ('{"type":"attune.pace.update","factor":Infinity}', "factor"),
        ('{"type":"attune.consent.update","purpose":"all","state":"granted"}', "purpose"),
        ('{"type":"session.update"}', "session"),
        ('{"type":"session.update","session":{"type":"transcription"}}', "session.type"),
        ('{"type":"session.update","session":{"input_audio_format":"g711_ulaw"}}', "input_audio"),
        (
            '{"type":"session.update","session":{"audio":{"input":{"format":{"rate":8000}}}}}',
            "session.audio.input.format.rate",
        ),
    ],
)
def test_what_is_wrong_is_named(text: str | bytes, field: str) -> None:
    with pytest.raises(wire.RequestError, match=field):
        wire.parse(text)


def test_an_error_names_the_clients_own_event_whatever_it_is() -> None:
    with pytest.raises(wire.RequestError) as caught:
        wire.parse('{"type":"nonsense","event_id":"\\ud800 mine"}')
    told = EventWriter().error(caught.value)
    told.encode("utf-8")
    assert json.loads(told)["error"]["event_id"] == "\ud800 mine"
    assert json.loads(told)["error"]["code"] == "unknown_event"


def test_one_message_holds_at_most_a_second() -> None:
    audio = base64.b64encode(bytes(2 * wire.LARGEST_SOUND)).decode()
    assert isinstance(wire.parse(json.dumps(SOUND | {"audio": audio})), wire.Append)
    more = base64.b64encode(bytes(2 * wire.LARGEST_SOUND + 2)).decode()
    with pytest.raises(wire.RequestError):
        wire.parse(json.dumps(SOUND | {"audio": more}))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda each: (
        st.lists(each, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["audio", "input", "output", "format", "rate", "type", "turn_detection"]
            ),
            each,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None)
@given(
    which=st.sampled_from([content for content, _ in MESSAGES] + [SOUND]),
    field=st.sampled_from(
        ["type", "audio", "session", "item_id", "audio_end_ms", "factor", "state"]
    ),
    value=json_values,
)
def test_a_field_that_is_anything_gives_a_message_or_its_error(which, field, value) -> None:
    with suppress(wire.RequestError):
        wire.parse(json.dumps(which | {field: value}))


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=60) | st.binary(max_size=60))
def test_random_text_gives_its_error(text: str | bytes) -> None:
    with pytest.raises(wire.RequestError):
        wire.parse(text)


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(1, 900), min_size=1, max_size=15))
def test_wideband_sound_survives_both_rates_however_it_is_cut(cuts: list[int]) -> None:
    n = sum(cuts)
    wave = (8_000 * np.sin(2 * np.pi * 1_000 * np.arange(n) / 24_000)).astype(np.int16)
    down, up = WidebandConverter(24_000, 16_000), WidebandConverter(16_000, 24_000)
    parts, start = [], 0
    for cut in cuts:
        parts.append(up.push(down.push(wave[start : start + cut])))
        start += cut
    back = np.concatenate(parts)
    assert abs(len(back) - n) <= 2
    delay = 48
    if n > 400:
        middle = back[delay + 100 : n - 5].astype(int)
        assert np.abs(middle - wave[100 : 100 + len(middle)]).max() < 400
