"""The human's door into a call, in audio time of our own making."""

from __future__ import annotations

import ast
import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dialogue.types import Clause, Decision, Delivery, Effect, Reply, Strategy
from nlu.types import EmotionEstimate, Intent, Source, Trajectory, Transcript, Understanding
from voice.answering import NOT_HEARD, owed, spoken
from voice.mouth import Mouth, plain
from voice.supervision import (
    Close,
    GiveBack,
    HumanAgent,
    NobodyCame,
    NotNow,
    Patience,
    Plan,
    Reassure,
    Ruling,
    Say,
    TakeOver,
    Transfer,
    Verdict,
)
from voice.types import (
    RATE_HZ,
    AgentWords,
    CallEvent,
    Hand,
    HandChanged,
    PlanHeld,
    SpeechChunk,
)

NOTHING = EmotionEstimate.abstain(Source.FUSED, "a test")
HEARD = Understanding(
    Transcript("hello"), Intent("x", 1.0), (), NOTHING, NOTHING, NOTHING, None, Trajectory(NOTHING)
)
ROOT = Path(__file__).parents[2]


def plan(strategy: Strategy = Strategy.DIRECT, turn: int = 1) -> Plan:
    return Plan(turn, HEARD, Decision(strategy, (), Reply((Clause("Yes."),))))


class Line:
    """An agent's hand, and what the caller was told."""

    def __init__(self) -> None:
        self.events: list[CallEvent] = []
        self.held = 0
        self.agent = HumanAgent(self.events.append, Patience(1_000, 300, 3_000))

    async def hold(self) -> None:
        self.held += 1

    async def verdict(self, asked: Plan) -> asyncio.Task[Verdict]:
        task = asyncio.ensure_future(self.agent.verdict(asked, self.hold))
        await asyncio.sleep(0)
        return task

    async def tick(self, now_ms: int) -> None:
        self.agent.tick(now_ms)
        for _ in range(3):
            await asyncio.sleep(0)


async def test_without_a_human_nothing_waits() -> None:
    line = Line()
    verdict = await line.agent.verdict(plan(), line.hold)
    assert verdict == Verdict(Ruling.APPROVED, asked=False)
    assert not line.events


async def test_a_plan_waits_its_time_and_the_caller_hears_why() -> None:
    line = Line()
    line.agent.tick(5_000)
    line.agent.ask_first(True)
    waiting = await line.verdict(plan())
    held = line.events[-1]
    assert isinstance(held, PlanHeld)
    assert held.until_ms == 6_000
    await line.tick(5_280)
    assert line.held == 0
    await line.tick(5_300)
    assert line.held == 1
    await line.tick(5_980)
    assert not waiting.done()
    await line.tick(6_000)
    assert (await waiting).ruling is Ruling.UNANSWERED


async def test_editing_is_given_more_time_and_still_has_an_end() -> None:
    line = Line()
    line.agent.ask_first(True)
    waiting = await line.verdict(plan())
    assert line.agent.editing(1) == 3_000
    await line.tick(2_980)
    assert not waiting.done()
    await line.tick(3_000)
    assert (await waiting).ruling is Ruling.UNANSWERED
    with pytest.raises(NotNow):
        line.agent.editing(1)


async def test_the_first_ruling_stands() -> None:
    line = Line()
    line.agent.ask_first(True)
    waiting = await line.verdict(plan())
    words = AgentWords("Instead.")
    line.agent.rule(1, Ruling.REPLACED, words)
    with pytest.raises(NotNow):
        line.agent.rule(1, Ruling.APPROVED)
    assert await waiting == Verdict(Ruling.REPLACED, words)
    assert line.held == 0


@pytest.mark.parametrize(
    ("turn", "ruling", "words"),
    [
        (2, Ruling.APPROVED, None),
        (1, Ruling.APPROVED, AgentWords("More")),
        (1, Ruling.EDITED, None),
    ],
)
async def test_a_ruling_that_does_not_fit_is_refused(
    turn: int, ruling: Ruling, words: AgentWords | None
) -> None:
    line = Line()
    line.agent.ask_first(True)
    waiting = await line.verdict(plan())
    with pytest.raises(NotNow):
        line.agent.rule(turn, ruling, words)
    assert not waiting.done()
    line.agent.drop()
    assert (await waiting).ruling is Ruling.DROPPED


async def test_care_for_a_caller_in_danger_waits_for_nobody() -> None:
    line = Line()
    line.agent.ask_first(True)
    verdict = await line.agent.verdict(plan(Strategy.SAFETY), line.hold)
    assert verdict == Verdict(Ruling.APPROVED, asked=False)


async def test_taking_over_takes_the_plan_that_waits_too() -> None:
    line = Line()
    line.agent.ask_first(True)
    waiting = await line.verdict(plan())
    line.agent.take_over()
    assert (await waiting).ruling is Ruling.TAKEN
    assert (await line.agent.verdict(plan(turn=2), line.hold)).ruling is Ruling.TAKEN
    assert [event.hand for event in line.events if isinstance(event, HandChanged)] == [
        Hand.ASK_FIRST,
        Hand.AGENT,
    ]
    line.agent.give_back()
    assert line.agent.hand is Hand.ASK_FIRST


async def test_requests_are_served_in_order_and_at_their_moment() -> None:
    agent = Line().agent
    with pytest.raises(NotNow):
        agent.say(AgentWords("Too early."))
    agent.take_over()
    agent.say(AgentWords("One."))
    agent.say(AgentWords("Two."))
    agent.give_back()
    agent.close()

    def due(*, caller_speaks: bool = False, answering: bool = False) -> Any:
        return agent.next_request(caller_speaks=caller_speaks, answering=answering)

    assert due(caller_speaks=True, answering=True) == TakeOver()
    assert due(caller_speaks=True) is None
    assert due(answering=True) is None
    assert due() == Say(AgentWords("One."))
    assert due() == Say(AgentWords("Two."))
    assert due() == GiveBack()
    assert due() == TakeOver()
    assert due(answering=True) is None
    assert due(caller_speaks=True) == Close()
    assert due() is None
    with pytest.raises(NotNow):
        agent.transfer()


async def test_putting_through_says_so_first() -> None:
    agent = Line().agent
    agent.transfer()
    assert agent.next_request(caller_speaks=False, answering=True) == TakeOver()
    request = agent.next_request(caller_speaks=False, answering=False)
    assert isinstance(request, Transfer)
    assert "through" in request.words.text


async def test_a_caller_waits_for_a_person_so_long_and_is_spoken_to() -> None:
    line = Line()
    agent = line.agent

    def due() -> Any:
        return agent.next_request(caller_speaks=False, answering=False)

    await line.tick(10_000)
    agent.wait_for_person()
    assert agent.hand is Hand.WAITING
    with pytest.raises(NotNow):
        agent.say(AgentWords("Not mine yet."))
    assert (await agent.verdict(plan(), line.hold)).ruling is Ruling.TAKEN
    await line.tick(29_980)
    assert due() is None
    await line.tick(30_000)
    assert due() == Reassure()
    await line.tick(69_980)
    assert due() == Reassure()
    await line.tick(70_000)
    assert due() == NobodyCame()


async def test_whoever_takes_a_waiting_caller_has_the_call() -> None:
    line = Line()
    agent = line.agent
    agent.wait_for_person()
    await line.tick(20_000)
    agent.take_over()
    assert agent.next_request(caller_speaks=False, answering=False) == TakeOver()
    await line.tick(90_000)
    assert agent.next_request(caller_speaks=False, answering=False) is None
    agent.give_back()
    assert agent.hand is Hand.ASSISTANT


async def test_once_the_caller_is_gone_no_plan_waits() -> None:
    line = Line()
    line.agent.ask_first(True)
    waiting = await line.verdict(plan())
    line.agent.line_ended()
    assert (await waiting).ruling is Ruling.DROPPED
    assert (await line.agent.verdict(plan(turn=2), line.hold)).ruling is Ruling.DROPPED


def test_what_a_plan_owes_reports_no_change_that_was_never_made() -> None:
    reply = Reply((Clause("I have refunded it."),))
    harmless = Decision(Strategy.DIRECT, (), reply)
    changing = Decision(Strategy.DIRECT, (), reply, effects=(Effect("refund", {}, "k"),))
    assert owed(harmless) == reply
    assert owed(changing).text == owed(None).text == NOT_HEARD


def test_an_agents_words_are_spoken_as_the_assistant_speaks_to_this_caller() -> None:
    calm = Delivery(rate=0.92, pitch_st=-1.0, pause_before_ms=400)
    decision = Decision(Strategy.DIRECT, (), Reply((Clause("Yes.", calm),)))
    reply = spoken(AgentWords("I AM FURIOUS! Truly."), decision)
    assert [clause.text for clause in reply.clauses] == ["I AM FURIOUS!", "Truly."]
    assert {clause.delivery.rate for clause in reply.clauses} == {0.92}
    assert {clause.delivery.pitch_st for clause in reply.clauses} == {-1.0}
    assert reply.clauses[0].delivery.pause_before_ms == 0


OPENS_AGENT_WORDS = {"voice/answering.py", "voice/types.py"}
CARRIES_AGENT_WORDS = OPENS_AGENT_WORDS | {
    "voice/floor.py",
    "voice/supervision.py",
    "voice/server/desk/desk.py",
}


def test_nothing_that_feels_can_be_given_what_an_agent_typed() -> None:
    """By construction: the type is known to the parts that carry it from the desk to the mouth and
    to nothing else, and one function takes the text out, into a reply."""
    knows, opens = set(), set()
    for package in ("nlu", "dialogue", "voice"):
        for path in (ROOT / package).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            tree = ast.parse(path.read_text(encoding="utf-8"))
            nodes = list(ast.walk(tree))
            if any(isinstance(node, ast.Name) and node.id == "AgentWords" for node in nodes):
                knows.add(name)
            for node in nodes:
                if not isinstance(node, ast.Attribute) or node.attr != "text":
                    continue
                if isinstance(node.value, ast.Name) and node.value.id == "words":
                    opens.add(name)
    assert knows <= CARRIES_AGENT_WORDS
    assert opens & CARRIES_AGENT_WORDS <= OPENS_AGENT_WORDS
    assert not {name for name in knows if name.startswith(("nlu/", "dialogue/"))}
    for name in CARRIES_AGENT_WORDS - {"voice/answering.py"}:
        imports = [
            node.module or ""
            for node in ast.walk(ast.parse((ROOT / name).read_text(encoding="utf-8")))
            if isinstance(node, ast.ImportFrom)
        ]
        assert not any("emotion" in each or "understand" in each for each in imports), name


class Queue:
    """A line that has played nothing yet."""

    name, live = "queue", True

    def __init__(self) -> None:
        self.queued_ms = 0
        self.played_ms = 0

    async def play(self, samples: Any) -> None:
        self.queued_ms += len(samples) * 1000 // RATE_HZ

    async def clear(self) -> None:
        self.queued_ms = self.played_ms

    def heard_ms(self) -> int:
        return self.played_ms


class Tone:
    """Every clause is one second of sound."""

    name = "tone"

    def speak(self, text: str, delivery: Delivery) -> Any:
        yield SpeechChunk(np.ones(RATE_HZ, dtype=np.int16))


async def test_silence_takes_back_what_was_said_to_pass_the_time_too() -> None:
    line = Queue()
    with ThreadPoolExecutor(1) as threads:
        mouth = Mouth(Tone(), line, lambda: 5_000, threads, 5.0)  # type: ignore[arg-type]
        await mouth.say(plain("One moment, please."))
        line.played_ms = 300
        reply = await mouth.say(plain("Here it is."))
        assert reply.first_ms == 5_700
        assert await mouth.stop(reply) == 0
        assert mouth.finished
        assert line.queued_ms == 300
