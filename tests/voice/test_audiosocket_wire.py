"""AudioSocket as bytes."""

from __future__ import annotations

import itertools
import struct
import uuid
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.channels.audiosocket_wire import (
    CallId,
    Decoder,
    HangUp,
    Key,
    Message,
    Problem,
    Sound,
    encode,
)
from voice.channels.wire import WireError

ID = uuid.UUID("40325ec2-5efd-4bd3-805f-53576e581d13")


def plain(message: Message) -> object:
    return ("sound", tuple(message.samples)) if isinstance(message, Sound) else message


GOLDEN = [
    (HangUp(), bytes.fromhex("000000")),
    (CallId(ID), bytes.fromhex("010010 40325ec25efd4bd3805f53576e581d13")),
    (Key("5"), bytes.fromhex("030001 35")),
    (Key("#"), bytes.fromhex("030001 23")),
    (Sound(np.array([1, -2, 258], dtype=np.int16)), bytes.fromhex("100006 0100 feff 0201")),
    (Problem(2), bytes.fromhex("ff0001 02")),
]


@pytest.mark.parametrize(("message", "data"), GOLDEN)
def test_messages_are_these_bytes(message: Message, data: bytes) -> None:
    assert encode(message) == data
    assert [plain(each) for each in Decoder().feed(data)] == [plain(message)]


def test_twenty_milliseconds_are_320_bytes() -> None:
    assert len(encode(Sound(np.zeros(160, dtype=np.int16)))) == 3 + 320


@given(cuts=st.lists(st.integers(0, 60), max_size=8))
def test_messages_come_out_the_same_however_the_bytes_are_cut(cuts: list[int]) -> None:
    data = b"".join(data for _, data in GOLDEN)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    decoder = Decoder()
    messages = [
        message
        for start, end in itertools.pairwise(edges)
        for message in decoder.feed(data[start:end])
    ]
    assert [plain(each) for each in messages] == [plain(message) for message, _ in GOLDEN]


@pytest.mark.parametrize("kind", [0x11, 0x12, 0x18])
def test_sound_at_another_rate_is_named_and_not_taken_for_silence(kind: int) -> None:
    with pytest.raises(WireError, match=f"kind {kind:#04x}.*let the dialplan use slin"):
        Decoder().feed(struct.pack(">BH", kind, 2) + b"ab")


@pytest.mark.parametrize(
    "data",
    [
        struct.pack(">BH", 0x10, 65_535),
        struct.pack(">BH", 0x10, 3) + b"abc",
        struct.pack(">BH", 0x01, 4) + b"abcd",
        struct.pack(">BH", 0x03, 1) + b"!",
        struct.pack(">BH", 0x03, 2) + b"12",
        struct.pack(">BH", 0x03, 0),
    ],
)
def test_what_the_protocol_forbids_is_said(data: bytes) -> None:
    with pytest.raises(WireError):
        Decoder().feed(data)


def test_types_of_a_later_version_are_skipped() -> None:
    unknown = struct.pack(">BH", 0x26, 2) + b"ab"
    assert Decoder().feed(unknown + encode(HangUp())) == [HangUp()]


@settings(max_examples=500, deadline=None)
@given(data=st.lists(st.binary(max_size=80), max_size=6))
def test_random_bytes_give_messages_or_a_wire_error(data: list[bytes]) -> None:
    decoder = Decoder()
    with suppress(WireError):
        for part in data:
            decoder.feed(part)


@settings(max_examples=500, deadline=None)
@given(
    which=st.integers(0, len(GOLDEN) - 1),
    at=st.integers(0, 30),
    byte=st.integers(0, 255),
)
def test_mutated_messages_give_messages_or_a_wire_error(which: int, at: int, byte: int) -> None:
    data = bytearray(GOLDEN[which][1])
    data[at % len(data)] = byte
    with suppress(WireError):
        Decoder().feed(bytes(data))
