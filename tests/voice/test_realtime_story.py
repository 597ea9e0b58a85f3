"""A call as the events of the Realtime protocol, told in audio time."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dialogue.types import Decision, Reply, Strategy
from nlu.types import (
    EmotionEstimate,
    Intent,
    Source,
    Trajectory,
    Transcript,
    Understanding,
)
from voice.channels.realtime_events import EventWriter
from voice.channels.realtime_story import Story
from voice.types import (
    AnswerEnded,
    AssistantHeld,
    AssistantResumed,
    CallerFinished,
    CallerSpeaking,
    CallEvent,
    ClauseQueued,
    Hand,
    HandChanged,
    PartialTranscript,
    Speaker,
    TurnDecided,
    TurnDropped,
    TurnFinished,
    TurnRecord,
)

FRAME = np.zeros(480, dtype=np.int16)


class Client:
    """Somebody who reads everything that is told."""

    def __init__(self) -> None:
        self.story = Story(EventWriter())
        self.events: list[dict[str, Any]] = []

    def reads(self, texts: list[str]) -> list[str]:
        new = [json.loads(text) for text in texts]
        self.events += new
        return [event["type"] for event in new]

    def happens(self, *events: CallEvent) -> list[str]:
        return [kind for event in events for kind in self.reads(self.story.told(event))]

    def captions(self) -> list[tuple[str, str, bool]]:
        return [
            (event["speaker"], event["text"], event["final"])
            for event in self.events
            if event["type"] == "attune.caption"
        ]

    def states(self) -> list[str]:
        return [event["state"] for event in self.events if event["type"] == "attune.state"]


def decided(text: str, signals: frozenset[str] = frozenset()) -> TurnDecided:
    nothing = EmotionEstimate.abstain(Source.WORDS, "not asked")
    understanding = Understanding(
        Transcript(text),
        Intent("other", 0.5),
        (),
        nothing,
        nothing,
        nothing,
        None,
        Trajectory(nothing),
        signals,
    )
    return TurnDecided(1, understanding, Decision(Strategy.DIRECT, (), Reply()))


def test_a_turn_and_its_answer_are_told_in_order() -> None:
    client = Client()
    client.happens(CallerSpeaking(1, 1_000), PartialTranscript(1, "where is"))
    client.happens(PartialTranscript(1, "where is my order"), CallerFinished(1, 2_000))
    client.happens(decided("where is my order"), ClauseQueued(1, "One moment.", 2_500, 3_500))
    client.reads(client.story.sound(FRAME))
    assert client.reads(client.story.due(2_499)) == []
    client.reads(client.story.due(2_500))
    client.reads(client.story.due(3_500))
    client.happens(AnswerEnded(1, 3_600, False))
    assert client.states() == ["listening", "thinking", "speaking", "listening"]
    assert client.captions() == [
        ("caller", "where is", False),
        ("caller", "where is my order", False),
        ("caller", "where is my order", True),
        ("assistant", "One", False),
        ("assistant", "One moment.", False),
        ("assistant", "One moment.", True),
    ]
    kinds = [event["type"] for event in client.events]
    first_sound = kinds.index("response.output_audio.delta")
    assert kinds.index("response.created") < first_sound < kinds.index("response.done")
    hearing = [
        event["delta"] for event in client.events if event["type"].endswith("transcription.delta")
    ]
    assert hearing == ["where is", " my order"]


def test_what_an_interruption_cut_off_is_never_shown() -> None:
    client = Client()
    client.happens(ClauseQueued(0, "Hello and good morning.", 0, 2_000))
    client.reads(client.story.sound(FRAME))
    client.reads(client.story.due(600))
    client.happens(AnswerEnded(0, 700, True))
    assert client.captions()[-1] == ("assistant", "Hello and", True)
    assert client.events[-2]["response"]["status"] == "cancelled"
    assert not client.story.waiting


def test_while_it_is_held_no_word_is_shown_and_then_each_as_much_later() -> None:
    client = Client()
    client.happens(ClauseQueued(1, "Good morning to you.", 0, 2_000))
    client.reads(client.story.sound(FRAME))
    client.reads(client.story.due(400))
    client.happens(AssistantHeld(1, 400))
    assert client.reads(client.story.due(900)) == []
    client.happens(AssistantResumed(1, 900, held_at_ms=400, later_ms=500))
    assert client.reads(client.story.due(950)) == []
    client.reads(client.story.due(1_000))
    assert client.captions()[-1][1] == "Good morning"
    client.reads(client.story.due(2_500))
    client.happens(AnswerEnded(1, 2_600, False))
    assert client.captions()[-1] == ("assistant", "Good morning to you.", True)
    assert client.states() == ["speaking", "listening"]


def test_the_record_of_an_interrupted_turn_does_not_caption_the_next() -> None:
    client = Client()
    client.happens(CallerSpeaking(2, 0), PartialTranscript(2, "wait"))
    client.happens(TurnFinished(finished(1, "where is my order")))
    assert client.captions()[-1] == ("caller", "wait", False)
    client.happens(TurnFinished(finished(2, "wait please")))
    assert client.captions()[-1] == ("caller", "wait please", True)


def finished(turn: int, text: str) -> TurnRecord:
    return TurnRecord("call", turn, 0, 100, Transcript(text), {}, {}, (), {}, {})


def test_codes_are_shown_as_they_are_read() -> None:
    client = Client()
    client.happens(
        ClauseQueued(1, "Order", 0, 300),
        ClauseQueued(1, "4 4 1,", 300, 900, written="44172"),
        ClauseQueued(1, "7 2", 900, 1_400, written=""),
    )
    client.reads(client.story.due(5_000))
    assert client.captions()[-1][1] == "Order 44172"


def test_a_cough_leaves_no_caption_and_no_thinking() -> None:
    client = Client()
    client.happens(CallerSpeaking(1, 0), PartialTranscript(1, "uh"), CallerFinished(1, 200))
    client.happens(TurnDropped(1))
    assert client.captions()[-1] == ("caller", "", True)
    assert client.states()[-1] == "listening"


def test_a_spoken_withdrawal_is_noticed() -> None:
    client = Client()
    client.happens(CallerSpeaking(1, 0), CallerFinished(1, 900))
    client.happens(decided("don't analyse my voice", frozenset({"withdraw_voice"})))
    assert client.story.voice_withdrawn


def test_a_person_speaks_under_their_own_name() -> None:
    client = Client()
    client.happens(HandChanged(Hand.AGENT, 0))
    client.happens(ClauseQueued(0, "Hello.", 0, 500, speaker=Speaker.AGENT))
    client.reads(client.story.due(100))
    assert client.events[0]["hand"] == "agent"
    assert client.captions() == [("agent", "Hello.", False)]


events = st.sampled_from(
    [
        CallerSpeaking(1, 0),
        PartialTranscript(1, "my order"),
        CallerFinished(1, 100),
        TurnDropped(1),
        decided("my order"),
        ClauseQueued(1, "One moment please.", 0, 500),
        AnswerEnded(1, 0, True),
        AnswerEnded(1, 0, False),
    ]
)


@given(st.lists(events | st.integers(0, 1_000), max_size=40))
def test_whatever_happens_items_are_begun_once_and_responses_closed(steps) -> None:
    client = Client()
    for step in steps:
        if isinstance(step, int):
            client.reads(client.story.sound(FRAME) + client.story.due(step))
        else:
            client.happens(step)
    client.reads(client.story.response_ends(interrupted=False))
    kinds = [event["type"] for event in client.events]
    assert kinds.count("response.created") == kinds.count("response.done")
    added = [e["item"]["id"] for e in client.events if e["type"] == "conversation.item.added"]
    assert len(added) == len(set(added))
    done = [e["item"]["id"] for e in client.events if e["type"] == "conversation.item.done"]
    assert sorted(done) == sorted(added)
    ids = [event["event_id"] for event in client.events]
    assert len(ids) == len(set(ids))
