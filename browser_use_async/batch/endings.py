"""From how something ended to what the caller gets and what the ledger keeps. Pure."""

from decimal import Decimal
from typing import Any

from browser_use_async.batch.entries import Entry
from browser_use_async.batch.ledger.facts import Claim, Ending
from browser_use_async.batch.result import BatchResult
from browser_use_async.batch.states import ItemState
from browser_use_async.errors import BrowserUseError, OutputValidationError, TaskError
from browser_use_async.lifecycle.handle import parsed, successful
from browser_use_async.types import ParsedTask, Task

__all__ = ["dead", "ending_of", "judged", "unknown"]


def judged(task: Task, output_type: Any) -> tuple[Task, TaskError | OutputValidationError | None]:
    """A task that has ended, parsed if it may be, and why it is no success."""
    try:
        good = successful(task)
        return (good if output_type is None else parsed(good, output_type)), None
    except (TaskError, OutputValidationError) as error:
        return task, error.with_traceback(None)


def ending_of(
    entry: Entry, task: Task, output_type: Any, attempts: int, cost: Decimal
) -> tuple[BatchResult[Any], Ending]:
    """How an item ended whose task has ended."""
    task, error = judged(task, output_type)
    state = ItemState.DONE if error is None else ItemState.FAILED
    result: BatchResult[Any] = BatchResult(
        index=entry.index,
        key=entry.key,
        state=state,
        task=task,
        task_id=task.id,
        status=task.status,
        output=task.output,
        parsed=task.parsed if isinstance(task, ParsedTask) else None,
        error=error,
        attempts=attempts,
        steps=len(task.steps),
        cost_cents=cost,
    )
    ending = Ending(
        state=state,
        status=str(task.status),
        steps=len(task.steps),
        cost_cents=cost,
        error=None if error is None else type(error).__name__,
        reason=None if error is None else str(error),
        created_at=None if task.created_at is None else task.created_at.timestamp(),
        finished_at=None if task.finished_at is None else task.finished_at.timestamp(),
        output=task.output,
    )
    return result, ending


def dead(
    entry: Entry, claim: Claim, error: BrowserUseError, attempts: int = 0
) -> tuple[BatchResult[Any], Ending]:
    """How an item ended that was refused."""
    return _without_task(entry, ItemState.DEAD, claim.attempts + attempts, error)


def unknown(entry: Entry, attempts: int, error: BrowserUseError) -> tuple[BatchResult[Any], Ending]:
    """How an item ended of which nobody knows whether it has a task."""
    return _without_task(entry, ItemState.UNKNOWN, attempts, error)


def _without_task(
    entry: Entry, state: ItemState, attempts: int, error: BrowserUseError
) -> tuple[BatchResult[Any], Ending]:
    error = error.with_traceback(None)
    result: BatchResult[Any] = BatchResult(
        index=entry.index, key=entry.key, state=state, error=error, attempts=attempts
    )
    return result, Ending(state=state, error=type(error).__name__, reason=str(error))
