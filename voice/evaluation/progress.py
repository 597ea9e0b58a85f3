"""How a run goes, on standard error: calls, rate, time left."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from voice.evaluation.pool import Result
from voice.evaluation.run import Plan, Watcher


class ProgressDisplay(Watcher):
    """Progress with rate and time left, on standard error."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[calls]} calls"),
            TextColumn("{task.fields[rate]}"),
            TextColumn("left:"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._task = self._progress.add_task("Evaluating", total=None, calls=0, rate="")
        self._calls = 0
        self._done_ms = 0
        self._total_ms = 0

    def __enter__(self) -> ProgressDisplay:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def planned(self, plan: Plan) -> None:
        """Say what was done before, and how much is left."""
        self._total_ms = max(1, plan.duration_ms)
        self._progress.update(self._task, total=self._total_ms)
        if plan.kept:
            self._progress.console.print(
                f"{len(plan.kept)} calls were finished before; {len(plan.tasks)} are left."
            )

    def advanced(self, done_ms: int) -> None:
        """Move the bar; the rate is in hours of sound an hour."""
        self._done_ms = min(self._total_ms, self._done_ms + done_ms)
        elapsed_s = self._progress.tasks[0].elapsed or 0.0
        rate = f"{self._done_ms / 1000 / elapsed_s:.1f}x real time" if elapsed_s > 1 else ""
        self._progress.update(self._task, completed=self._done_ms, rate=rate)

    def finished(self, result: Result) -> None:
        """Count a call, or say why it failed."""
        if result.failure is not None:
            self._progress.console.print(f"[red]failed[/] {escape(result.failure.reason)}")
            return
        self._calls += 1
        self._progress.update(self._task, calls=self._calls)
