"""What people at the desk see and do: the calls of this process, who has which in hand, and the
doors into them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Literal

from dialogue.customers.records import Outcome
from dialogue.types import HandoffBrief
from nlu.errors import AttuneError
from voice.server.desk import showing
from voice.server.desk.accounts import Account, Role
from voice.server.desk.story import CallStory
from voice.server.switchboard import Switchboard
from voice.supervision import LONGEST_TEXT, NotNow, Ruling
from voice.types import AgentWords, CallEvent, CallStarted, Hand

WRAP_UP_S = 900.0
"""How long an ended call waits for somebody to say how it ended."""


class NotYours(AttuneError):
    """Somebody else has the call in hand, or it is none of theirs to see."""


class Gone(AttuneError):
    """There is no such call, or no longer."""


class Desk:
    """The desk of one server process. Told of every event; tells those who wait for news."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._board = switchboard
        self._pack = switchboard.engines.pack
        self._store = switchboard.engines.store
        self._stories: dict[str, CallStory] = {}
        self._waiting: set[asyncio.Event] = set()
        switchboard.watchers.append(self._watch)
        switchboard.attended = lambda: bool(self._waiting)

    # --- what goes on --------------------------------------------------------------------------

    def _watch(self, call: str, event: CallEvent) -> None:
        story = self._stories.get(call)
        if story is None or isinstance(event, CallStarted):
            live = self._board.calls.get(call)
            if live is None:
                return
            self._forget_old()
            story = self._stories[call] = CallStory(live, self._pack)
        story.tell(event)
        if story.ended and not self._to_wrap_up(story):
            del self._stories[call]
        self._news()

    def _to_wrap_up(self, story: CallStory) -> bool:
        """Whether an ended call waits for somebody to say how it ended."""
        if story.outcome is not None or story.live.conversation.state.forget:
            return False
        return story.holder is not None or bool(self._waiting)

    async def _take_brief(self, call: str, brief: HandoffBrief) -> None:
        story = self._stories.get(call)
        if story is not None:
            story.wants_human = True
            story.brief(brief)
            self._news()

    def _news(self) -> None:
        for event in self._waiting:
            event.set()

    def listen(self) -> asyncio.Event:
        """An event that is set whenever there is news, until `leave`."""
        event = asyncio.Event()
        event.set()
        self._waiting.add(event)
        if self._take_brief not in self._board.brief_takers:
            self._board.brief_takers.append(self._take_brief)
        return event

    def leave(self, event: asyncio.Event) -> None:
        """Wait for news no longer. A desk at which nobody sits takes no briefs."""
        self._waiting.discard(event)
        if not self._waiting and self._take_brief in self._board.brief_takers:
            self._board.brief_takers.remove(self._take_brief)

    # --- what is seen --------------------------------------------------------------------------

    def calls(self, account: Account) -> list[dict[str, Any]]:
        """Every call under way or to be wrapped up, oldest first; details only where allowed."""
        self._forget_old()
        return [
            {**story.summary(), "open": self._may_see(account, story)}
            for story in self._stories.values()
        ]

    async def look(self, account: Account, call: str) -> CallStory:
        """A call for somebody who opens it. That they do is written down first.

        Raises `Gone`, `NotYours`, and `AttuneError` when it cannot be written down.
        """
        story = self._seen(account, call)
        await self._note("desk_view", account, story, {})
        return story

    def story(self, account: Account, call: str) -> CallStory:
        """A call that somebody has opened already. Raises `Gone` and `NotYours`."""
        return self._seen(account, call)

    def about(self, story: CallStory) -> dict[str, Any]:
        """What is known of the caller, and of this call's past."""
        return {
            **story.summary(),
            "customer": showing.customer(story.live.conversation.context),
        }

    # --- what is done --------------------------------------------------------------------------

    async def ask_first(self, account: Account, call: str, *, wanted: bool) -> None:
        """Have every reply shown before it is carried out, or no more."""
        story = self._seen(account, call)
        with _in_hand(story, account.name if wanted else None):
            story.live.agent.ask_first(wanted)
        self._news()
        await self._note("desk_ask_first", account, story, {"wanted": wanted})

    async def rule(
        self,
        account: Account,
        call: str,
        turn: int,
        verdict: Literal["approve", "edit", "replace"],
        text: str | None,
    ) -> None:
        """Approve, edit or replace the reply that waits."""
        story = self._seen(account, call)
        ruling = {
            "approve": Ruling.APPROVED,
            "edit": Ruling.EDITED,
            "replace": Ruling.REPLACED,
        }[verdict]
        story.live.agent.rule(turn, ruling, _words(text))
        await self._note("desk_ruling", account, story, {"ruling": ruling.value})

    async def editing(self, account: Account, call: str, turn: int) -> None:
        """The agent has begun to edit the reply that waits."""
        story = self._seen(account, call)
        story.waits(turn, story.live.agent.editing(turn))
        self._news()

    async def take_over(self, account: Account, call: str) -> None:
        """The agent has the call; the brief comes with it."""
        story = self._seen(account, call)
        _under_way(story)
        conversation = story.live.conversation
        with _in_hand(story, account.name):
            story.live.agent.take_over()
        why = "an agent takes the call over"
        story.brief(await asyncio.to_thread(conversation.brief, "agent", why))
        self._news()
        await self._note("desk_take_over", account, story, {})

    async def say(self, account: Account, call: str, text: str) -> None:
        """Have the agent's words spoken."""
        story = self._seen(account, call)
        _under_way(story)
        words = _words(text)
        if words is None:
            raise NotNow("There is nothing to say; type something first.")
        story.live.agent.say(words)

    async def give_back(self, account: Account, call: str) -> None:
        """The assistant goes on."""
        story = self._seen(account, call)
        _under_way(story)
        agent = story.live.agent
        agent.give_back()
        if agent.hand is Hand.ASSISTANT:
            story.holder = None
        self._news()
        await self._note("desk_give_back", account, story, {})

    async def transfer(self, account: Account, call: str, text: str | None) -> None:
        """Put the caller through."""
        story = self._seen(account, call)
        _under_way(story)
        with _in_hand(story, account.name):
            story.live.agent.transfer(_words(text))
        await self._note("desk_transfer", account, story, {})

    async def close(self, account: Account, call: str, outcome: Outcome, note: str) -> None:
        """Say how the call ended, and hang up if it has not."""
        story = self._seen(account, call)
        if not story.ended:
            story.holder = account.name
            with suppress(NotNow):
                story.live.agent.close()
        conclude = story.live.conversation.conclude
        await asyncio.to_thread(conclude, outcome, account.name, note[:LONGEST_TEXT])
        story.concluded(outcome, account.name)
        if story.ended:
            self._stories.pop(call, None)
        self._news()

    # --- for supervisors -----------------------------------------------------------------------

    def figures(self) -> dict[str, Any]:
        """The desk at this moment, in numbers."""
        stories = list(self._stories.values())
        under_way = [story for story in stories if not story.ended]
        return {
            "under_way": len(under_way),
            "most_calls": self._board.engines.settings.most_calls,
            "with_agents": sum(story.live.agent.speaks for story in under_way),
            "asked_first": sum(story.live.agent.hand is Hand.ASK_FIRST for story in under_way),
            "want_a_person": sum(story.wants_human for story in under_way),
            "to_wrap_up": len(stories) - len(under_way),
            "by_agent": _count(story.holder for story in under_way if story.holder),
        }

    # --- rules ---------------------------------------------------------------------------------

    def _seen(self, account: Account, call: str) -> CallStory:
        story = self._stories.get(call)
        if story is None:
            raise Gone("This call has ended and is no longer shown.")
        if not self._may_see(account, story):
            raise NotYours(f"{story.holder} has this call in hand.")
        return story

    def _may_see(self, account: Account, story: CallStory) -> bool:
        return account.role is Role.SUPERVISOR or story.holder in (None, account.name)

    def _forget_old(self) -> None:
        now_s = time.monotonic()
        for call, story in list(self._stories.items()):
            if story.ended and now_s - story.ended_s > WRAP_UP_S:
                del self._stories[call]

    async def _note(
        self, kind: str, account: Account, story: CallStory, detail: dict[str, str | int]
    ) -> None:
        who = story.live.conversation.context.id
        noted = {"name": account.name, "role": account.role.value, **detail}
        await asyncio.to_thread(self._store.note_access, kind, who, datetime.now(UTC), noted)


@contextmanager
def _in_hand(story: CallStory, name: str | None) -> Iterator[None]:
    """Who holds the call is told together with the change; a change refused changes nothing."""
    before = story.holder
    story.holder = name
    try:
        yield
    except NotNow:
        story.holder = before
        raise


def _under_way(story: CallStory) -> None:
    if story.ended:
        raise NotNow("This call has ended; say how, and it is done.")


def _words(text: str | None) -> AgentWords | None:
    """Typed words in one line; None where there are none."""
    plain = " ".join((text or "").split())[:LONGEST_TEXT]
    return AgentWords(plain) if plain else None


def _count(names: Iterable[str]) -> dict[str, int]:
    counted: dict[str, int] = {}
    for name in names:
        counted[name] = counted.get(name, 0) + 1
    return counted
