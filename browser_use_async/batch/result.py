"""What a batch gives for each item. Pure."""

from decimal import Decimal
from typing import Generic, TypeVar

import attrs

from browser_use_async.batch.states import ItemState
from browser_use_async.errors import BrowserUseError
from browser_use_async.types import Task, TaskStatus

__all__ = ["BatchResult"]

OutputT = TypeVar("OutputT")


@attrs.frozen(kw_only=True)
class BatchResult(Generic[OutputT]):
    """How one item of a batch ended. A failed item is a result too.

    Attributes:
        index: Its place in the input of this run, counted from 0.
        key: Its key: the user's own, or a digest of its content.
        state: How far it came.
        task: The whole task, if it ended in this run. For items that an earlier run of the same
            ledger brought to their end it is None; `session.tasks.get(task_id)` gives it.
        task_id: The task's id, if one is known to exist.
        status: The task's last status.
        output: The task's answer.
        parsed: The output as the `output_type` asked for.
        error: Why there is no good output, or None.
        attempts: How many requests were sent to create it.
        steps: How many steps the task took.
        cost_cents: What it cost, from its steps and the published prices, in US cents.
        restored: Whether an earlier run of the same ledger brought it to its end.
    """

    index: int
    key: str
    state: ItemState
    task: Task | None = attrs.field(default=None, repr=False)
    task_id: str | None = None
    status: TaskStatus | None = None
    output: str | None = attrs.field(default=None, repr=False)
    parsed: OutputT | None = attrs.field(default=None, repr=False)
    error: BrowserUseError | None = None
    attempts: int = 0
    steps: int | None = None
    cost_cents: Decimal = Decimal(0)
    restored: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether the task finished, with an output that fits."""
        return self.error is None

    def raise_for_error(self) -> None:
        """Raise the error, if there is one.

        Raises:
            BrowserUseError: Why there is no good output.
        """
        if self.error is not None:
            raise self.error
