"""Twilio Media Streams as text, its marks, its signature."""

from __future__ import annotations

import base64
import json
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.channels import twilio_wire as wire
from voice.channels.twilio_marks import MARK_EVERY_MS, OVERDUE_S, MarkedPlayout
from voice.channels.twilio_signature import (
    TOKEN_VALID_S,
    is_signed,
    is_stream_token,
    signature,
    stream_token,
)
from voice.channels.wire import WireError

START = {
    "event": "start",
    "sequenceNumber": "1",
    "start": {
        "accountSid": "AC1",
        "streamSid": "MZ1",
        "callSid": "CA1",
        "tracks": ["inbound"],
        "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        "customParameters": {"from": "+15550100"},
    },
    "streamSid": "MZ1",
}
MEDIA = {
    "event": "media",
    "sequenceNumber": "3",
    "media": {"track": "inbound", "chunk": "1", "timestamp": "5", "payload": "/38A"},
    "streamSid": "MZ1",
}
OTHERS = [
    {"event": "connected", "protocol": "Call", "version": "1.0.0"},
    {"event": "dtmf", "streamSid": "MZ1", "dtmf": {"track": "inbound_track", "digit": "1"}},
    {"event": "mark", "streamSid": "MZ1", "mark": {"name": "heard-1"}},
    {"event": "stop", "streamSid": "MZ1", "stop": {"accountSid": "AC1", "callSid": "CA1"}},
]


def test_what_comes_in_is_understood() -> None:
    start = wire.parse(json.dumps(START))
    assert start == wire.Started("MZ1", "CA1", "AC1", {"from": "+15550100"})
    media = wire.parse(json.dumps(MEDIA))
    assert isinstance(media, wire.Media)
    assert (media.chunk, media.samples.tolist()) == (1, [0, 0, -32_124])
    assert [wire.parse(json.dumps(each)) for each in OTHERS] == [
        wire.Connected(),
        wire.Key("1"),
        wire.MarkPlayed("heard-1"),
        wire.Stopped(),
    ]


def test_what_goes_out_is_this_text() -> None:
    samples = np.array([0, -32_124], dtype=np.int16)
    assert json.loads(wire.media("MZ1", samples)) == {
        "event": "media",
        "streamSid": "MZ1",
        "media": {"payload": base64.b64encode(b"\xff\x00").decode()},
    }
    assert wire.mark("MZ1", "a") == '{"event": "mark", "streamSid": "MZ1", "mark": {"name": "a"}}'
    assert wire.clear("MZ1") == '{"event": "clear", "streamSid": "MZ1"}'


def test_other_tracks_and_later_events_do_not_concern_us() -> None:
    outbound = MEDIA | {"media": MEDIA["media"] | {"track": "outbound"}}
    assert wire.parse(json.dumps(outbound)) is None
    assert wire.parse('{"event": "from a later version"}') is None


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("[]", "object"),
        ("{}", "event"),
        ("{", "JSON"),
        ("[" * 20_000, "JSON"),
        ('{"event":"media","media":{"chunk":"x","payload":""}}', "chunk"),
        ('{"event":"media","media":{"chunk":"1","payload":"*"}}', "payload"),
        ('{"event":"dtmf","dtmf":{"digit":"12"}}', "digit"),
        (json.dumps(START | {"start": START["start"] | {"mediaFormat": {}}}), "sampleRate"),
        ('{"event":"media","media":{"chunk":' + "9" * 6_000 + ',"payload":""}}', "JSON"),
        (" " * 40_000, "characters"),
    ],
)
def test_what_is_wrong_is_named(text: str, field: str) -> None:
    with pytest.raises(WireError, match=field):
        wire.parse(text)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_mutated_messages_give_messages_or_a_wire_error(data: st.DataObject) -> None:
    message = json.loads(json.dumps(data.draw(st.sampled_from([START, MEDIA, *OTHERS]))))
    where = message
    while True:
        key = data.draw(st.sampled_from(sorted(where)))
        if not isinstance(where[key], dict) or not where[key] or data.draw(st.booleans()):
            where[key] = data.draw(anything)
            break
        where = where[key]
    with suppress(WireError):
        wire.parse(json.dumps(message))


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60) | st.binary(max_size=60))
def test_random_text_gives_a_message_or_a_wire_error(text: str | bytes) -> None:
    with suppress(WireError):
        wire.parse(text)


def piece(chunk: int) -> wire.Media:
    return wire.Media(chunk, np.full(160, chunk, dtype=np.int16))


def order(chunks: list[int]) -> list[int]:
    """The numbers that are heard; 0 is silence."""
    held = wire.ChunkOrder()
    return [int(samples[0]) for chunk in chunks for samples in held.push(piece(chunk))]


def test_pieces_are_put_in_order_and_heard_once() -> None:
    assert order([1, 3, 2, 2, 4, 6, 5, 1, 7]) == [1, 2, 3, 4, 5, 6, 7]


def test_a_lost_piece_becomes_silence() -> None:
    assert order([1, 2, 4, 5, 6, 7, 8, 9]) == [1, 2, 0, 4, 5, 6, 7, 8, 9]


def test_a_jump_in_the_numbers_is_at_most_a_second_of_silence() -> None:
    heard = order([1, *range(30_000, 30_006)])
    assert heard.count(0) <= wire.ChunkOrder.MOST_SILENT + 6


@given(st.lists(st.integers(1, 30), max_size=80))
def test_whatever_comes_is_heard_in_order(chunks: list[int]) -> None:
    heard = [chunk for chunk in order(chunks) if chunk]
    assert heard == sorted(set(heard))


def send(playout: MarkedPlayout, frames: int, at_s: float) -> list[str]:
    """Send frames; the marks that went with them."""
    names = []
    for index in range(frames):
        playout.sent(20, at_s + index * 0.001)
        if (name := playout.mark_due()) is not None:
            names.append(name)
    return names


def test_only_what_marks_have_confirmed_was_heard() -> None:
    playout = MarkedPlayout()
    names = send(playout, 50, at_s=0.0)
    assert len(names) == 1_000 // MARK_EVERY_MS
    assert playout.unplayed_ms(0.5) == 1_000
    playout.played(names[3], 0.6)
    heard_ms = 1_000 - playout.unplayed_ms(0.6)
    assert 300 <= heard_ms <= 340
    assert heard_ms <= 1_000 - playout.unplayed_ms(1.5) <= heard_ms + MARK_EVERY_MS


def test_marks_that_come_back_because_of_a_clear_confirm_nothing() -> None:
    playout = MarkedPlayout()
    names = send(playout, 50, at_s=0.0)
    playout.played(names[1], 0.2)
    playout.cleared(0.2)
    for name in names:
        playout.played(name, 0.21)
    assert playout.unplayed_ms(0.3) == 0
    later = send(playout, 5, at_s=1.0)
    assert playout.unplayed_ms(1.1) == 100
    playout.played(later[-1], 1.2)
    assert playout.unplayed_ms(1.5) == 0


def test_what_was_cleared_and_sent_again_is_heard_once() -> None:
    """A false alarm: Twilio is cleared, and is sent what it had not played some 300 ms later."""
    playout = MarkedPlayout()
    names = send(playout, 20, at_s=0.0)
    playout.played(names[1], 0.2)
    lost_ms = playout.cleared(0.21)
    assert 270 <= lost_ms <= 300
    for name in names[2:]:
        playout.played(name, 0.22)
    again = send(playout, round(lost_ms / 20), at_s=0.5)
    assert playout.unplayed_ms(0.52) == pytest.approx(20 * round(lost_ms / 20))
    playout.played(again[-1], 0.9)
    assert playout.unplayed_ms(1.0) == 0


def test_a_far_end_that_sends_no_marks_back_does_not_hold_the_call() -> None:
    playout = MarkedPlayout()
    send(playout, 10, at_s=0.0)
    assert playout.unplayed_ms(0.3) == 200
    assert playout.unplayed_ms(0.3 + OVERDUE_S) < 100
    assert playout.unplayed_ms(0.4 + OVERDUE_S) == 0


@given(
    st.lists(
        st.tuples(st.sampled_from(["send", "mark", "clear"]), st.floats(0, 0.5), st.integers(0, 9)),
        max_size=30,
    )
)
def test_what_was_heard_never_goes_back_nor_beyond_what_was_sent(steps) -> None:
    playout, now_s, names, sent_ms, lost_ms, heard_ms = MarkedPlayout(), 0.0, [], 0, 0.0, 0.0
    for what, passed_s, which in steps:
        now_s += passed_s
        if what == "send":
            names += send(playout, which, now_s)
            sent_ms += 20 * which
        elif what == "mark" and names:
            playout.played(names[which % len(names)], now_s)
        elif what == "clear":
            lost_ms += playout.unplayed_ms(now_s)
            playout.cleared(now_s)
        now_heard_ms = sent_ms - lost_ms - playout.unplayed_ms(now_s)
        assert heard_ms - 1e-6 <= now_heard_ms <= sent_ms
        heard_ms = now_heard_ms


def test_the_signature_is_that_of_twilios_own_example() -> None:
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    assert signature("12345", url, fields.items()) == "RSOYDt4T1cUTdK1PDd93/VVr8B8="
    assert is_signed("12345", url, "RSOYDt4T1cUTdK1PDd93/VVr8B8=", fields.items())
    assert not is_signed("12345", url + "&", "RSOYDt4T1cUTdK1PDd93/VVr8B8=", fields.items())
    assert not is_signed("12345", url, None, fields.items())


@pytest.mark.parametrize(
    ("ours", "signed"),
    [
        ("https://a.example:8443/twilio/voice", "https://a.example/twilio/voice"),
        ("https://a.example/twilio/voice", "https://a.example:443/twilio/voice"),
        ("wss://a.example/twilio/media", "wss://a.example:443/twilio/media"),
        ("https://[2001:db8::1]:8443/twilio/voice?x=1", "https://[2001:db8::1]/twilio/voice?x=1"),
        ("https://[/twilio/voice", "https://[/twilio/voice"),
        ("https://a.example:99999/twilio/voice", "https://a.example:99999/twilio/voice"),
    ],
)
def test_an_address_is_signed_with_or_without_its_port(ours: str, signed: str) -> None:
    fields = [("CallSid", "CA1")]
    assert is_signed("12345", ours, signature("12345", signed, fields), fields)
    assert not is_signed("12345", ours, signature("12345", signed + "x", fields), fields)


def test_a_field_that_comes_twice_is_signed_once() -> None:
    fields = [("A", "1"), ("A", "2"), ("A", "1")]
    assert signature("12345", "https://a.example", fields) == "GVzNhXh3HiDyKbHTdY9RgnENBLw="


def test_a_stream_token_is_for_one_call_and_one_minute() -> None:
    token = stream_token("secret", "CA1", 1_000.0)
    assert is_stream_token("secret", "CA1", token, 1_000.0 + TOKEN_VALID_S - 1)
    assert not is_stream_token("secret", "CA1", token, 1_000.0 + TOKEN_VALID_S + 1)
    assert not is_stream_token("secret", "CA2", token, 1_001.0)
    assert not is_stream_token("other", "CA1", token, 1_001.0)


@given(st.text(max_size=40))
def test_no_random_token_is_valid(token: str) -> None:
    assert not is_stream_token("secret", "CA1", token, 1_000.0)
