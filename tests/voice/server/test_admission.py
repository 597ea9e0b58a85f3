"""Who may call, and what the log tells."""

from __future__ import annotations

import json
import logging
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.server.admission import Admission, Refusal, Refused
from voice.server.logs import JsonFormatter


def test_so_many_calls_and_so_many_from_one_address() -> None:
    admission = Admission(most_calls=3, most_per_address=2)
    with admission.place("a"), admission.place("a"):
        with pytest.raises(Refused) as refused, admission.place("a"):
            pass
        assert refused.value.reason is Refusal.ADDRESS
        with admission.place("b"):
            assert admission.refusal() is Refusal.FULL
        assert admission.refusal("b") is None
    assert admission.taken == 0


def test_while_draining_no_call_is_admitted_and_places_come_back() -> None:
    admission = Admission(2, 2)
    with admission.place("a"):
        admission.draining = True
        assert admission.refusal("b") is Refusal.DRAINING
    assert admission.taken == 0


@given(st.lists(st.sampled_from("abc"), max_size=12))
def test_never_more_than_the_places(addresses: list[str]) -> None:
    admission = Admission(4, 2)
    held = []
    for address in addresses:
        place = admission.place(address)
        try:
            place.__enter__()
        except Refused:
            continue
        held.append(place)
        assert admission.taken == len(held) <= 4
    for place in held:
        place.__exit__(None, None, None)
    assert admission.taken == 0


def test_a_log_line_is_json_without_personal_data_or_traces() -> None:
    try:
        raise ValueError("jane.doe@example.com could not be found")
    except ValueError:
        record = logging.LogRecord(
            "voice",
            logging.ERROR,
            __file__,
            1,
            "mail to %s failed",
            ("jane.doe@example.com",),
            None,
        )
        record.exc_info = sys.exc_info()
    record.call = "c1"
    text = JsonFormatter().format(record)
    line = json.loads(text)
    assert "jane" not in text
    assert line["level"] == "error"
    assert line["call"] == "c1"
    assert line["error"] == "ValueError"
    assert "test_a_log_line" in line["where"]
