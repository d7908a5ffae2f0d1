"""Progress of a batch while it runs, and its summary: as text, as JSON, as an exit code."""

import asyncio
import math
import signal
from collections.abc import Callable
from contextlib import ExitStack
from decimal import Decimal
from typing import Any, Self

import attrs

from browser_use_async.batch import (
    BatchProgress,
    BatchResult,
    Forecast,
    ItemState,
    StopReason,
)
from browser_use_async.cli.batch.failures import Failures
from browser_use_async.cli.console import Console, counted
from browser_use_async.cli.exit import ExitCode
from browser_use_async.cli.screen import Span, Style, cut_at
from browser_use_async.cli.times import time_span
from browser_use_async.prices import format_cents

# Styles of the final states; items that have not ended are shown plain.
STATE_STYLES = {
    ItemState.DONE: Style.GOOD,
    ItemState.FAILED: Style.BAD,
    ItemState.DEAD: Style.BAD,
    ItemState.UNKNOWN: Style.WAITING,
}

_SECONDS_CHANGED = 0.25
# Without a terminal, each update is a new line; so they are this far apart.
_SECONDS_BETWEEN_LINES = 5.0
_BAR = 40
_LONGEST_KEY = 40


@attrs.define(eq=False)
class BatchDisplay:
    """Shows a batch on stderr while its `async with` block runs."""

    _console: Console
    _read_progress: Callable[[], BatchProgress]
    _failures: Failures = attrs.field(factory=Failures)
    _shows_results: bool = attrs.field(default=False, alias="shows_results", kw_only=True)
    _stack: ExitStack = attrs.field(factory=ExitStack, init=False)
    _refreshing: "asyncio.Task[None] | None" = attrs.field(default=None, init=False)
    _stopped_by: StopReason | None = attrs.field(default=None, init=False)
    # Whether the budget has had no room for a while
    _is_short: bool = attrs.field(default=False, init=False)

    async def __aenter__(self) -> Self:
        show = self._stack.enter_context(self._console.live())
        self._refreshing = asyncio.get_running_loop().create_task(
            self._refresh(show), name="browser-use: refreshes the progress of a batch"
        )
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._refreshing is not None
        self._refreshing.cancel()
        await asyncio.gather(self._refreshing, return_exceptions=True)
        self._stack.close()
        self._report_stop(self._read_progress())

    async def _refresh(self, show: Callable[[list[list[Span]]], None]) -> None:
        is_interactive = self._console.is_interactive
        last_text: str | None = None
        while True:
            progress = self._read_progress()
            self._report_stop(progress)
            if is_interactive:
                show(live_lines(progress, self._console.notice))
            # A log gets a line only when something has changed.
            elif has_begun(progress) and (text := counts(progress)) != last_text:
                self._console.info("; ".join([text, *pace(progress)]))
                last_text = text
            is_short = is_interactive or not has_begun(progress)
            await asyncio.sleep(_SECONDS_CHANGED if is_short else _SECONDS_BETWEEN_LINES)

    def _report_stop(self, progress: BatchProgress) -> None:
        """Print once why few tasks run at once, and why no more are submitted."""
        if progress.budget_note and progress.stopped_by is None and not self._is_short:
            self._is_short = True
            self._console.note(progress.budget_note)
        reason, text = progress.stopped_by, _why_stopped(progress)
        if text and reason is not self._stopped_by:
            self._console.note(f"{text}; no more tasks are created")
        self._stopped_by = reason

    def report_result(self, result: "BatchResult[Any]") -> None:
        """Print how an item ended.

        Where results are written elsewhere, only the first failure for each reason is printed: all
        of them are counted by their reasons at the end.
        """
        reason = self._failures.add(result)
        if result.restored or not (self._shows_results or reason is not None):
            return
        show_result(result, self._console.report if self._shows_results else self._console.labelled)


def show_result(result: "BatchResult[Any]", show: Callable[[list[Span], str], None]) -> None:
    """Show how an item ended: its state, its name, and its output or its error."""
    style = STATE_STYLES.get(result.state, Style.PLAIN)
    name = cut_at(result.name, _LONGEST_KEY)
    joined = " (joined)" if result.joined else ""
    is_good = result.state is ItemState.DONE
    text = result.output if is_good else str(result.error or result.status or "")
    show([(f"{result.state:<12}", style), f"{name}{joined}  "], text or "no output")


def _why_stopped(progress: BatchProgress) -> str:
    """Why no more tasks are submitted; empty if the user asked for that."""
    if progress.stopped_by is StopReason.BALANCE:
        return "the account's balance is used up"
    if progress.stopped_by is StopReason.FAILURES:
        return "too many tasks in a row have failed (--max-failures)"
    if progress.stopped_by is not StopReason.BUDGET or progress.budget_cents is None:
        return ""
    return progress.budget_note or "the budget has no room for another task"


def live_lines(progress: BatchProgress, notice: str | None = None) -> list[list[Span]]:
    """The state of a batch in three lines, for a terminal; a notice replaces the last one."""
    last = (", ".join(pace(progress)), Style.FAINT) if notice is None else (notice, Style.WAITING)
    return [_bar(progress), _counted(progress), [last]]


def _bar(progress: BatchProgress) -> list[Span]:
    ended = progress.ended
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
    return [
        (f"{progress.done:,} done", Style.GOOD),
        f"  {progress.running:,} running",
        *(
            (f"  {count:,} {word}", style if count else Style.FAINT)
            for count, word, style in _not_done(progress)
        ),
        *([(f"  {progress.joined:,} joined", Style.WAITING)] if progress.joined else []),
    ]


def _not_done(progress: BatchProgress) -> list[tuple[int, str, Style]]:
    return [
        (progress.failed, "failed", Style.BAD),
        (progress.dead_letters, "refused", Style.BAD),
        (progress.unknown, "unknown", Style.WAITING),
    ]


def joined_words(joined: int, total: int | None, failed: int) -> str:
    """How many items have joined the tasks of an earlier run; empty if none has."""
    if not joined:
        return ""
    of = f"{joined:,} items" if total is None else f"{joined:,} of {counted(total, 'item')}"
    text = f"{of} joined {'a task' if joined == 1 else 'tasks'} of an earlier run"
    return f"{text}; {failed:,} of these tasks failed" if failed else text


def joined_in(progress: BatchProgress) -> str:
    """The same of a run."""
    total = None if progress.total is None else progress.total - progress.duplicates
    return joined_words(progress.joined, total, progress.joined_failed)


def has_begun(progress: BatchProgress) -> bool:
    """Whether its ledger is open: before that nothing is known of what earlier runs did."""
    return progress.seconds > 0


def counts(progress: BatchProgress) -> str:
    """The state of a batch in one line, for a log."""
    of = "" if progress.total is None else f" of {progress.total:,}"
    others = ", ".join(f"{count:,} {word}" for count, word, _ in _not_done(progress))
    return (
        f"{progress.ended:,}{of} ended: {progress.done:,} done, {others}; "
        f"{progress.running:,} running{f', {progress.joined:,} joined' if progress.joined else ''}"
    )


def pace(progress: BatchProgress) -> list[str]:
    """Rate, remaining time and cost, in parts of a line."""
    parts = [f"{time_span(progress.seconds)} so far"]
    if progress.rate:
        parts.insert(0, _rate(progress.rate))
    if progress.seconds_left is not None:
        parts.append(f"about {time_span(progress.seconds_left)} left")
    cost = f"{format_cents(progress.cost_cents)} spent"
    if progress.budget_cents is not None:
        cost += f" of {format_cents(progress.budget_cents)}"
    return [*parts, cost, *([] if progress.about is None else rest_cost(progress.about))]


def rest_cost(about: Forecast) -> list[str]:
    """What the rest of a batch will cost, as parts of a line; none if nothing is left."""
    if not about.items:
        return []
    text = f"about {format_cents(about.cents)} more"
    return [f"{text}, which the budget does not pay for" if about.exceeds_budget else text]


def about_record(about: Forecast | None) -> dict[str, Any] | None:
    """About what the rest costs and takes, as JSON."""
    if about is None:
        return None
    return {
        "items": about.items,
        "ends": about.ends,
        "cents": float(about.cents),
        "seconds": about.seconds and round(about.seconds, 1),
        "budget_left_cents": plain_cents(about.budget_left_cents),
    }


def plain_cents(amount: Decimal | None) -> float | None:
    """An amount as a number of JSON."""
    return None if amount is None else float(amount)


def _rate(per_second: float) -> str:
    if per_second >= 1:
        return f"{per_second:.1f} per second"
    return f"{per_second * 60:.1f} per minute"


def remaining(progress: BatchProgress) -> int:
    """Number of items that have not ended."""
    # The input is read lazily, so the total is unknown if the run ended before the input did.
    known = progress.new + progress.running
    return known if progress.total is None else max(progress.total - progress.ended, known)


def fitting_budget(progress: BatchProgress, maximum_cents: Decimal) -> int:
    """A budget in whole cents with which a batch that its budget has stopped can go on."""
    # What is left at the mean price so far, and at least one task that takes all its steps: with
    # less the batch would stop at once again.
    finished = progress.done + progress.failed
    mean = progress.cost_cents / finished if finished else Decimal(0)
    needed = max(maximum_cents, remaining(progress) * mean)
    return math.ceil(progress.cost_cents + progress.running_cents + needed)


def exit_code_for(progress: BatchProgress) -> int:
    """The exit code for the final state of a batch."""
    if progress.stopped_by is StopReason.BALANCE:
        return ExitCode.API
    # The exit code of a command that SIGINT has ended.
    if progress.stopped_by is StopReason.DRAINED and remaining(progress):
        return 128 + signal.SIGINT
    is_whole = progress.ended == progress.done + progress.duplicates and not remaining(progress)
    return ExitCode.FINISHED if is_whole else ExitCode.TASK_FAILED


def summary_line(progress: BatchProgress) -> list[Span]:
    """The summary of a run in one line."""
    spans: list[Span] = [(f"{progress.done:,} done", Style.GOOD)]
    for count, word, style in (
        *_not_done(progress),
        (progress.left_out, "left out by the budget", Style.WAITING),
        (remaining(progress) - progress.left_out, "left", Style.WAITING),
        (progress.duplicates, "repeated in the input", Style.PLAIN),
    ):
        if count:
            spans += [", ", (f"{count:,} {word}", style)]
    return [*spans, f"; {format_cents(progress.cost_cents)}, {time_span(progress.seconds)}"]


def summary(progress: BatchProgress) -> dict[str, Any]:
    """The summary of a run as JSON."""
    stopped_by = progress.stopped_by
    counted = ("total", "done", "failed", "dead_letters", "unknown")
    return {
        **{name: getattr(progress, name) for name in counted},
        "left": remaining(progress),
        "left_out": progress.left_out,
        "duplicates": progress.duplicates,
        "joined": progress.joined,
        "joined_failed": progress.joined_failed,
        "cost_cents": float(progress.cost_cents),
        "budget_cents": plain_cents(progress.budget_cents),
        "next_cents": plain_cents(progress.next_cents),
        "seconds": round(progress.seconds, 3),
        "about": about_record(progress.about),
        "stopped_by": None if stopped_by is None else str(stopped_by),
    }
