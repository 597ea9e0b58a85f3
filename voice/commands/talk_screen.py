"""What `attune talk` shows: levels, the words as they come, the feeling, the decision and why."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from voice.types import (
    AnswerEnded,
    AssistantInterrupted,
    CallerFinished,
    CallerSpeaking,
    CallEvent,
    ClauseQueued,
    EmotionUpdated,
    PartialTranscript,
    TurnDecided,
    TurnDropped,
    TurnFinished,
)

if TYPE_CHECKING:
    from nlu.types import EmotionEstimate
    from voice.channels.microphone import MicrophoneChannel

TURNS_SHOWN = 4
_TICK_S = 0.1
_METER = 24
_BAR = 16
_NAME = 9
_STATES = {"listening": "green", "thinking": "yellow", "speaking": "cyan"}


@dataclass(slots=True)
class ShownTurn:
    """One turn on the screen."""

    caller: str = ""
    feeling: str = ""
    plan: str = ""
    reasons: list[str] = field(default_factory=list)
    assistant: str = ""
    interrupted: bool = False


class TalkScreen:
    """Follows the events of a call; inside `with` it is drawn ten times a second.

    Without a terminal, finished turns are printed line by line; `quiet` prints nothing.
    """

    def __init__(
        self,
        channel: MicrophoneChannel,
        title: str,
        *,
        quiet: bool = False,
        console: Console | None = None,
    ) -> None:
        self._channel = channel
        self._title = title
        self._console = console or Console(stderr=True, quiet=quiet, highlight=False)
        self._turns: deque[ShownTurn] = deque(maxlen=TURNS_SHOWN)
        self._now = ShownTurn()
        self._state = "speaking"
        self._voice: EmotionEstimate | None = None
        self._live: Live | None = None
        self._drawing: asyncio.Task[None] | None = None

    def __enter__(self) -> TalkScreen:
        if self._console.is_terminal and not self._console.quiet:
            self._live = Live(
                self.picture(), console=self._console, auto_refresh=False, transient=True
            )
            self._live.start()
            self._drawing = asyncio.ensure_future(self._draw())
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is None:
            return
        if self._drawing is not None:
            self._drawing.cancel()
        self._live.stop()
        for turn in self._turns:
            self._console.print(_turn(turn))

    async def _draw(self) -> None:
        while self._live is not None:
            self._live.update(self.picture(), refresh=True)
            await asyncio.sleep(_TICK_S)

    def show(self, event: CallEvent) -> None:
        """Take an event of the call."""
        self._hear(event)
        match event:
            case TurnDecided():
                self._decided(event)
            case ClauseQueued(text=text, written=written):
                self._state = "speaking"
                self._now.assistant = _joined(self._now.assistant, written or text)
            case AssistantInterrupted():
                self._now.interrupted = True
            case TurnFinished():
                self._finished(event)
            case AnswerEnded(turn=turn):
                self._state = "listening"
                if turn == 0:
                    self._keep()

    def _hear(self, event: CallEvent) -> None:
        match event:
            case CallerSpeaking():
                self._state, self._voice = "listening", None
            case PartialTranscript(text=text):
                self._now.caller = text
            case EmotionUpdated(estimate=estimate):
                self._voice = estimate
            case CallerFinished():
                self._state = "thinking"
            case TurnDropped():
                self._now.caller = ""

    def _decided(self, event: TurnDecided) -> None:
        now, understanding, decision = self._now, event.understanding, event.decision
        now.caller = understanding.transcript.text
        now.feeling = _feeling(understanding.fused)
        now.plan = f"{decision.strategy.value} · {understanding.intent.name}"
        now.reasons = [
            f"{reason.rule}: {_saw(reason.saw)}" for reason in decision.reasons if reason.fired
        ]
        now.assistant = ""

    def _finished(self, event: TurnFinished) -> None:
        record = event.record
        self._now.caller = record.transcript.text
        if record.fallback:
            self._now.plan = f"fallback: {record.fallback}"
        self._keep()

    def _keep(self) -> None:
        turn, self._now, self._voice = self._now, ShownTurn(), None
        if not (turn.caller or turn.assistant):
            return
        self._turns.append(turn)
        if self._live is None:
            self._console.print(_turn(turn))

    def picture(self) -> Group:
        """Everything as it stands."""
        microphone, assistant = self._channel.levels
        head = Table.grid(padding=(0, 2))
        state = self._state if self._channel.open else "microphone closed (space opens it)"
        head.add_row(
            Text(state, style=f"bold {_STATES.get(state, 'red')}"),
            Text("you "),
            _meter(microphone, "green"),
            Text("assistant "),
            _meter(assistant, "cyan"),
        )
        body: list[Any] = [_turn(turn) for turn in self._turns]
        body.append(_turn(self._now))
        if self._voice is not None:
            body.append(_bars(self._voice))
        return Group(
            head,
            Panel(
                Group(*body),
                title=escape(self._title),
                subtitle="q ends the call · 0-9 * # are telephone keys",
                border_style="dim",
            ),
        )


def _joined(said: str, text: str) -> str:
    """A clause after what was said; one may begin with the mark that ends the one before."""
    return said + text if not said or text[:1] in ".,;:!?" else f"{said} {text}"


def _turn(turn: ShownTurn) -> Table:
    lines = Table.grid(padding=(0, 1))
    lines.add_column(width=_NAME)
    lines.add_column(overflow="fold")
    if turn.caller:
        lines.add_row(Text("you", style="bold"), Text(turn.caller))
    if turn.plan:
        lines.add_row("", Text(f"{turn.feeling} · {turn.plan}", style="magenta"))
    for reason in turn.reasons:
        lines.add_row("", Text(reason, style="dim"))
    if turn.assistant:
        end = " [interrupted]" if turn.interrupted else ""
        said = Text.assemble(turn.assistant, (end, "dim"))
        lines.add_row(Text("assistant", style="bold cyan"), said)
    return lines


def _meter(level: float, style: str) -> Text:
    import math

    share = max(0.0, 1.0 + 20.0 * math.log10(max(level, 1e-4)) / 60.0)
    filled = round(share * _METER)
    return Text.assemble(("█" * filled, style), ("░" * (_METER - filled), "dim"))


def _bars(estimate: EmotionEstimate) -> Text:
    if estimate.abstained:
        return Text(f"voice     says nothing yet: {estimate.abstained}", style="dim")
    likely = sorted(estimate.probabilities.items(), key=lambda item: -item[1])[:3]
    parts = [f"{emotion.value} {'▇' * round(p * _BAR)} {p:.0%}" for emotion, p in likely]
    return Text("voice     " + "   ".join(parts), style="magenta")


def _feeling(estimate: EmotionEstimate) -> str:
    if estimate.abstained:
        return f"no feeling told ({estimate.abstained})"
    return f"{estimate.top.value} {estimate.confidence:.0%}, {estimate.intensity.value}"


def _saw(evidence: Mapping[str, Any]) -> str:
    def short(value: Any) -> str:
        return f"{value:.2f}" if isinstance(value, float) else str(value)

    return ", ".join(f"{name} {short(value)}" for name, value in evidence.items())
