"""The results of items that an earlier run brought to their end."""

from typing import Any

from browser_use_async.batch.endings import judged
from browser_use_async.batch.entries import Entry
from browser_use_async.batch.ledger.facts import Claim
from browser_use_async.batch.result import BatchResult
from browser_use_async.batch.service import Service
from browser_use_async.batch.states import ItemState
from browser_use_async.errors import BrowserUseError
from browser_use_async.types import ParsedTask, TaskStatus

__all__ = ["restored"]


async def restored(
    entry: Entry, claim: Claim, service: Service, output_type: Any
) -> BatchResult[Any]:
    """The result of an item that is at its end, from the ledger.

    The service is asked only for what the ledger does not keep: tasks that failed, and answers
    that are too large or do not fit their type.
    """
    if claim.state is ItemState.DONE and (claim.output is not None or not claim.output_bytes):
        if output_type is None:
            return _result(entry, claim, output=claim.output)
        # Loaded by those who ask for a type.
        from browser_use_async.structured_output.parse import (  # noqa: PLC0415
            OutputMismatchError,
            parse_output,
        )

        try:
            value = parse_output(claim.output, output_type)
        except OutputMismatchError:
            return await _fetched(entry, claim, service, output_type)
        return _result(entry, claim, output=claim.output, parsed=value)
    if claim.task_id is None:
        return _result(entry, claim, error=_earlier(claim))
    return await _fetched(entry, claim, service, output_type)


async def _fetched(
    entry: Entry, claim: Claim, service: Service, output_type: Any
) -> BatchResult[Any]:
    try:
        task = await service.tasks.get(str(claim.task_id))
    except BrowserUseError as error:
        known = error if claim.state is ItemState.DONE else _earlier(claim)
        return _result(entry, claim, error=known.with_traceback(None))
    task, problem = judged(task, output_type)
    value = task.parsed if isinstance(task, ParsedTask) else None
    return _result(entry, claim, task=task, output=task.output, parsed=value, error=problem)


def _earlier(claim: Claim) -> BrowserUseError:
    text = f"in an earlier run of this batch: {claim.reason or claim.error or claim.state}"
    return BrowserUseError(text, task_id=claim.task_id)


def _result(entry: Entry, claim: Claim, **more: Any) -> BatchResult[Any]:
    return BatchResult(
        index=entry.index,
        key=entry.key,
        state=claim.state,
        task_id=claim.task_id,
        status=None if claim.status is None else TaskStatus(claim.status),
        attempts=claim.attempts,
        steps=claim.steps,
        cost_cents=claim.cost_cents,
        restored=True,
        **more,
    )
