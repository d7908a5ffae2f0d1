"""What is known of a queue and of its items. No I/O."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async.batch.ledger.records import ItemState
from browser_use_async.batch.ledger.row import FormerTask, LedgerRow
from browser_use_async.batch.progress import StopReason
from browser_use_async.batch.result import BatchResult
from browser_use_async.errors import BrowserUseError
from browser_use_async.money.amounts import plain_amounts
from browser_use_async.types import Task, TaskStatus


@attrs.frozen(kw_only=True, field_transformer=plain_amounts)
class QueueStatus:
    """The state of a queue at one moment.

    Attributes:
        address: Its address, without a password.
        counts: How many items are in each state; every state is there. `intent` are those that a
            worker has begun.
        cost_cents: What its tasks cost, from their steps and the published prices, in US cents.
        reserved_cents: What is reserved for tasks under way, in US cents; only with a budget.
        budget_cents: The budget of all workers together in US cents, or None.
        per_key: The most items of one limit key under way at once, over all workers, or None.
        key_prefix: The beginning of the submission keys of its items.
        joined: How many items have joined the task of another batch or call, which has paid for it.
        stopped_by: `BUDGET` if the next task does not fit the budget: `enqueue` with a larger one
            goes on. Else None.
    """

    address: str
    counts: Mapping[ItemState, int]
    cost_cents: Decimal
    reserved_cents: Decimal
    budget_cents: Decimal | None
    per_key: int | None
    key_prefix: str
    joined: int
    stopped_by: StopReason | None

    @property
    def total(self) -> int:
        """How many items it has."""
        return sum(self.counts.values())

    @property
    def left(self) -> int:
        """How many of them have not ended."""
        return self.counts[ItemState.NEW] + self.counts[ItemState.INTENT]

    @classmethod
    def of(
        cls, address: object, batch: Mapping[str, Any], counts: Iterable[Mapping[str, Any]]
    ) -> "QueueStatus":
        """The status from the row of the batch, and the counts of its items."""
        counted = {ItemState(row["state"]): row for row in counts}
        stopped_by = batch["stopped_by"]
        return cls(
            address=str(address),
            counts={
                state: int(counted[state]["count"]) if state in counted else 0
                for state in ItemState
            },
            cost_cents=sum((row["cost"] for row in counted.values()), Decimal(0)),
            reserved_cents=batch["reserved"],
            budget_cents=batch["budget"],
            per_key=batch["per_key"],
            key_prefix=batch["key_prefix"],
            joined=sum(int(row["joined"]) for row in counted.values()),
            stopped_by=None if stopped_by is None else StopReason(stopped_by),
        )


def result_of(row: Mapping[str, Any], task: Task | None = None) -> BatchResult[Any]:
    """The result of an item that has ended; `index` is its number in the queue, from 1."""
    error, status = row["error"], row["status"]
    return BatchResult(
        index=row["position"],
        key=row["key"],
        name=row["name"],
        state=ItemState(row["state"]),
        task=task,
        task_id=row["task_id"],
        status=None if status is None else TaskStatus(status),
        output=row["output"],
        error=None
        if error is None
        else BrowserUseError(f"{error}: {row['reason']}", task_id=row["task_id"]),
        attempts=int(row["task_id"] is not None),
        steps=row["steps"],
        cost_cents=row["cost"],
        former_cost_cents=row["former_cost"],
        restored=task is None,
        joined=row["joined"],
    )


def text_of(row: Mapping[str, Any]) -> str | None:
    """The text of an item's task; of a refused item its beginning, if it has one."""
    content, beginning = row["content"], row["task"]
    return beginning if content is None else str(json.loads(content)["task"])


def row_of(row: Mapping[str, Any], index: int) -> LedgerRow:
    """An item as a ledger has it; `index` is its place in the queue, counted from 0."""
    has_task = row["task_id"] is not None
    output = row["output"]
    return LedgerRow(
        index=index,
        key=row["key"],
        state=ItemState(row["state"]),
        attempts=int(has_task),
        task_id=row["task_id"],
        status=row["status"],
        steps=row["steps"],
        cost_cents=row["cost"] if has_task else None,
        joined=row["joined"],
        error=row["error"],
        reason=row["reason"],
        entered_at=row["entered_at"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
        output_bytes=None if output is None else len(output.encode()),
        output=output,
        name=row["name"],
        task=row["task"],
        reserved_cents=row["reserved"],
        keyed=True,
        digest=bytes.fromhex(row["digest"]),
        former_tasks=tuple(_former_task(each, place) for place, each in enumerate(row["former"])),
    )


def _former_task(former: Mapping[str, Any], place: int) -> FormerTask:
    return FormerTask(
        task_id=former["task_id"],
        status=former["status"],
        steps=former["steps"],
        cost_cents=Decimal(str(former["cost"])),
        error=former["error"],
        reason=former["reason"],
        round=place + 1,
    )
