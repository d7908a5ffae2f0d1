"""How a batch stands when a run of it is over: in words, as JSON, and as an exit code."""

import signal
from typing import Any

from browser_use_async.batch import BatchProgress, StopReason
from browser_use_async.cli.report.format import cents, duration
from browser_use_async.cli.console import Span, Style
from browser_use_async.cli.exit_codes import ExitCode

__all__ = ["code_of", "left", "sentence", "summary"]


def left(progress: BatchProgress) -> int:
    """How many items have not come to an end."""
    known = progress.new + progress.running
    return known if progress.total is None else max(progress.total - _ended(progress), known)


def _ended(progress: BatchProgress) -> int:
    return progress.ended + progress.duplicates


def code_of(progress: BatchProgress) -> int:
    """What a script is told."""
    if progress.stopped_by is StopReason.BALANCE:
        return ExitCode.API
    if progress.stopped_by is StopReason.DRAINED and left(progress):
        return 128 + signal.SIGINT
    is_whole = progress.ended == progress.done and not left(progress)
    return ExitCode.FINISHED if is_whole else ExitCode.TASK_FAILED


def sentence(progress: BatchProgress) -> list[Span]:
    """The end of a run in one line."""
    spans: list[Span] = [(f"{progress.done:,} done", Style.GOOD)]
    for count, word, style in (
        (progress.failed, "failed", Style.BAD),
        (progress.dead_letters, "refused", Style.BAD),
        (progress.unknown, "unknown", Style.WAITING),
        (progress.left_out, "left out by the budget", Style.WAITING),
        (left(progress) - progress.left_out, "left", Style.WAITING),
        (progress.duplicates, "repeated in the input", Style.PLAIN),
    ):
        if count:
            spans += [", ", (f"{count:,} {word}", style)]
    return [*spans, f"; {cents(progress.cost_cents)}, {duration(progress.seconds)}"]


def summary(progress: BatchProgress) -> dict[str, Any]:
    """The end of a run as JSON."""
    stopped_by, budget, next_one = progress.stopped_by, progress.budget_cents, progress.next_cents
    return {
        "total": progress.total,
        "done": progress.done,
        "failed": progress.failed,
        "dead_letters": progress.dead_letters,
        "unknown": progress.unknown,
        "left": left(progress),
        "left_out": progress.left_out,
        "duplicates": progress.duplicates,
        "cost_cents": float(progress.cost_cents),
        "budget_cents": None if budget is None else float(budget),
        "next_cents": None if next_one is None else float(next_one),
        "seconds": round(progress.seconds, 3),
        "stopped_by": None if stopped_by is None else str(stopped_by),
    }
