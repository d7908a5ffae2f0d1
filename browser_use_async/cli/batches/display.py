"""What a person sees of a batch while it runs, and how it is told in the end."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from browser_use_async.batch import BatchProgress, BatchResult, ItemState, StopReason
from browser_use_async.cli.report.format import cents, duration
from browser_use_async.cli.console import Console, Span, Style

__all__ = ["STATE_STYLES", "Display", "board", "counts", "pace"]

STATE_STYLES = {
    ItemState.DONE: Style.GOOD,
    ItemState.FAILED: Style.BAD,
    ItemState.DEAD: Style.BAD,
    ItemState.UNKNOWN: Style.WAITING,
}
"""How the states look; those of items that have not ended are plain."""

_SECONDS_CHANGED = 0.25
_SECONDS_BETWEEN_LINES = 5.0
"""Where lines cannot be changed, each look is a line more."""
_BAR = 40
_LONGEST_KEY = 40


class Display:
    """Shows a batch on stderr. Used as `async with`."""

    def __init__(
        self, console: Console, look: Callable[[], BatchProgress], *, tells_results: bool = False
    ) -> None:
        self._console = console
        self._look = look
        self._tells_results = tells_results
        self._stack = ExitStack()
        self._looking: asyncio.Task[None] | None = None
        self._stopped_by: StopReason | None = None

    async def __aenter__(self) -> Self:
        show = self._stack.enter_context(self._console.board())
        self._looking = asyncio.get_running_loop().create_task(self._keep_looking(show))
        return self

    async def __aexit__(
        self,
        error_class: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._looking is not None
        self._looking.cancel()
        await asyncio.gather(self._looking, return_exceptions=True)
        self._stack.close()
        self._note_stop(self._look())

    async def _keep_looking(self, show: Callable[[list[list[Span]]], None]) -> None:
        can_change_lines = self._console.can_change_lines
        said: str | None = None
        while True:
            progress = self._look()
            self._note_stop(progress)
            if can_change_lines:
                show(board(progress))
            elif (text := counts(progress)) != said:
                self._console.say("; ".join([text, *pace(progress)]))
                said = text
            await asyncio.sleep(_SECONDS_CHANGED if can_change_lines else _SECONDS_BETWEEN_LINES)

    def _note_stop(self, progress: BatchProgress) -> None:
        """Say once why nothing more is submitted; whoever drains a batch knows."""
        reason, text = progress.stopped_by, _why_stopped(progress)
        if text and reason is not self._stopped_by:
            self._console.item([("note: ", Style.WAITING)], f"{text}; no more tasks are created")
        self._stopped_by = reason

    def tell(self, result: "BatchResult[Any]") -> None:
        """Tell how an item ended, unless it went well and its result is written elsewhere."""
        is_good = result.state is ItemState.DONE
        if result.restored or (is_good and not self._tells_results):
            return
        style = STATE_STYLES.get(result.state, Style.PLAIN)
        prefix: list[Span] = [(f"{result.state:<12}", style), f"{_short(result.key)}  "]
        text = result.output if is_good else str(result.error or result.status or "")
        self._console.item(prefix, text or "no output")


def _why_stopped(progress: BatchProgress) -> str:
    """Why nothing more is submitted, unless somebody wanted it so."""
    if progress.stopped_by is StopReason.BALANCE:
        return "the account's balance is used up"
    if progress.stopped_by is not StopReason.BUDGET or progress.budget_cents is None:
        return ""
    needed = (
        ""
        if progress.next_cents is None
        else f", and the next may cost {cents(progress.next_cents)}"
    )
    return (
        f"the budget has no room for another task: {cents(progress.cost_cents)} of "
        f"{cents(progress.budget_cents)} are spent{needed}"
    )


def _short(key: str) -> str:
    return key if len(key) <= _LONGEST_KEY else f"{key[: _LONGEST_KEY - 1]}…"


def board(progress: BatchProgress) -> list[list[Span]]:
    """Where a batch stands, in three short lines."""
    return [_bar(progress), _counted(progress), [(", ".join(pace(progress)), Style.FAINT)]]


def _bar(progress: BatchProgress) -> list[Span]:
    ended = progress.ended + progress.duplicates
    if not progress.total:
        return [f"{ended:,} ended"]
    share = min(ended / progress.total, 1.0)
    full = int(share * _BAR)
    return [
        ("━" * full, Style.GOOD),
        ("━" * (_BAR - full), Style.FAINT),
        (f"  {int(share * 100)}%", Style.STRONG),
        f"  {ended:,} of {progress.total:,}",
    ]


def _counted(progress: BatchProgress) -> list[Span]:
    spans: list[Span] = [(f"{progress.done:,} done", Style.GOOD), f"  {progress.running:,} running"]
    for count, word, style in (
        (progress.failed, "failed", Style.BAD),
        (progress.dead_letters, "refused", Style.BAD),
        (progress.unknown, "unknown", Style.WAITING),
    ):
        spans.append((f"  {count:,} {word}", style if count else Style.FAINT))
    return spans


def counts(progress: BatchProgress) -> str:
    """Where a batch stands, for a log."""
    of = "" if progress.total is None else f" of {progress.total:,}"
    return (
        f"{progress.ended + progress.duplicates:,}{of} ended: {progress.done:,} done, "
        f"{progress.failed:,} failed, {progress.dead_letters:,} refused, "
        f"{progress.unknown:,} unknown; {progress.running:,} running"
    )


def pace(progress: BatchProgress) -> list[str]:
    """How fast it goes and what it has cost, in pieces of a line."""
    parts = [f"{duration(progress.seconds)} so far"]
    if progress.rate:
        parts.insert(0, _rate(progress.rate))
    if progress.seconds_left is not None:
        parts.append(f"about {duration(progress.seconds_left)} left")
    cost = f"{cents(progress.cost_cents)} spent"
    if progress.budget_cents is not None:
        cost += f" of {cents(progress.budget_cents)}"
    return [*parts, cost]


def _rate(per_second: float) -> str:
    if per_second >= 1:
        return f"{per_second:.1f} per second"
    return f"{per_second * 60:.1f} per minute"
