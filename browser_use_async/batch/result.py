"""The results of items, made from a task, from an error, or from the ledger."""

import json
import re
from decimal import Decimal
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import attrs

from browser_use_async.api.tasks import TaskEndpoints
from browser_use_async.batch.inputs import Item
from browser_use_async.batch.ledger.records import ItemState
from browser_use_async.batch.ledger.row import LedgerRow
from browser_use_async.errors import BrowserUseError, OutputValidationError, TaskError
from browser_use_async.money.amounts import plain_amounts
from browser_use_async.types import ParsedTask, Task, TaskStatus

OutputT = TypeVar("OutputT")

# A live page of the bundled server; the token has 192 random bits.
_LIVE_PAGE = re.compile(r"(https?://[^?#@\s]+)/live/[\w-]{32}")


@attrs.frozen(kw_only=True, field_transformer=plain_amounts)
class BatchResult(Generic[OutputT]):
    """The end of one item of a batch. A failed item has a result, too.

    Attributes:
        index: Its place in the input of this run, counted from 0.
        key: Its key: the user's own, or a digest of its content.
        state: The state of the item.
        name: Its text for people: its name, its key, or without both the beginning of its task.
        task: The whole task, if it ended in this run. It is None for results from the ledger:
            those of an earlier run, and of a repeated item whose first result your program no
            longer has. `session.tasks.get(task_id)` returns it.
        task_id: The task's id, if one is known to exist.
        status: The task's last status.
        output: The task's answer.
        parsed: The output as a value of the `output_type`.
        error: Why there is no valid output, or None.
        attempts: How many requests were sent to create it.
        steps: How many steps the task took.
        cost_cents: What it cost, from its steps and the published prices, in US cents; 0 for a
            repeated item, whose first result has the cost.
        former_cost_cents: The cost of earlier failed tasks, if the item was tried again.
        restored: Whether it was read from the ledger, since its task ended in an earlier run.
        repeated: Whether the same item was earlier in the input: both have the same task.
        joined: Whether another ledger, or another call, had created its task with the same
            submission key. That one paid for it, so `cost_cents` is 0.
    """

    index: int
    key: str
    state: ItemState
    name: str = attrs.field(default=attrs.Factory(lambda self: self.key, takes_self=True))
    task: Task | None = attrs.field(default=None, repr=False)
    task_id: str | None = None
    status: TaskStatus | None = None
    output: str | None = attrs.field(default=None, repr=False)
    parsed: OutputT | None = attrs.field(default=None, repr=False)
    error: BrowserUseError | None = None
    attempts: int = 0
    steps: int | None = None
    cost_cents: Decimal = Decimal(0)
    former_cost_cents: Decimal = Decimal(0)
    restored: bool = False
    repeated: bool = False
    joined: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether the task finished, with an output that fits."""
        return self.error is None

    def to_row(self) -> dict[str, Any]:
        """The result as a flat mapping of plain values, for a data frame.

        An object in `parsed` has a column for each field, such as `parsed.city`; a list has one.
        `error` is the name of the error's class and `reason` its text.
        """
        # Imported here and below, since only batches with an output type need it.
        from browser_use_async.structured_output.schema import json_value  # noqa: PLC0415

        return {
            "index": self.index,
            "key": self.key,
            "state": str(self.state),
            "status": None if self.status is None else str(self.status),
            "task_id": self.task_id,
            "output": self.output,
            "error": None if self.error is None else type(self.error).__name__,
            "reason": None if self.error is None else str(self.error),
            "attempts": self.attempts,
            "steps": self.steps,
            "cost_cents": float(self.cost_cents),
            "restored": self.restored,
            "joined": self.joined,
            **({} if self.parsed is None else _columns("parsed", json_value(self.parsed))),
        }

    def _repr_html_(self) -> str:
        """The HTML for notebooks: the columns of its row that have a value."""
        from browser_use_async.types.notebook import table  # noqa: PLC0415

        shown = [each for each in self.to_row().items() if each[1] is not None]
        return table(f"Result {self.index}", shown)

    def raise_for_error(self) -> None:
        """Raise the error, if there is one.

        Raises:
            BrowserUseError: Why there is no valid output.
        """
        if self.error is not None:
            raise self.error


def _columns(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {name: value}
    columns: dict[str, Any] = {}
    # With dots, as in pandas' json_normalize.
    for key, each in value.items():
        columns |= _columns(f"{name}.{key}", each)
    return columns


def columns_of(output_type: Any) -> dict[str, None]:
    """The columns of `parsed` if no item has an output."""
    if output_type is None:
        return {}
    from browser_use_async.structured_output.schema import output_schema  # noqa: PLC0415

    schema = json.loads(output_schema(output_type))
    return _schema_columns("parsed", schema, schema.get("$defs", {}))


def _schema_columns(name: str, schema: Any, definitions: dict[str, Any]) -> dict[str, None]:
    reference = schema.get("$ref", "").removeprefix("#/$defs/")
    if reference:
        # A record that contains itself ends at its second name.
        schema = definitions.get(reference, {})
        definitions = {key: each for key, each in definitions.items() if key != reference}
    columns: dict[str, None] = {}
    for key, each in schema.get("properties", {}).items():
        columns |= _schema_columns(f"{name}.{key}", each, definitions)
    return columns or {name: None}


def result_of(
    item: Item, state: ItemState, row: LedgerRow, attempts: int = 0, **more: Any
) -> BatchResult[Any]:
    """A result with the values of its item and row; `attempts` is the number since the row."""
    return BatchResult(
        index=item.index,
        key=item.key,
        name=item.title,
        state=state,
        attempts=row.attempts + attempts,
        former_cost_cents=row.former_cents,
        **more,
    )


def from_task(
    item: Item, task: Task, output_type: Any, row: LedgerRow, attempts: int, **more: Any
) -> BatchResult[Any]:
    """The result of an item whose task has ended, with its cost, and whether it was joined."""
    task, error = _checked(task, output_type)
    return result_of(
        item,
        ItemState.DONE if error is None else ItemState.FAILED,
        row,
        attempts,
        task=task,
        task_id=task.id,
        status=task.status,
        output=task.output,
        parsed=task.parsed if isinstance(task, ParsedTask) else None,
        error=error,
        steps=len(task.steps),
        **more,
    )


def without_task(
    item: Item, state: ItemState, row: LedgerRow, error: BrowserUseError, attempts: int = 0
) -> BatchResult[Any]:
    """The result of an item without a known task."""
    # The frames of its traceback would keep requests and their secrets alive.
    return result_of(item, state, row, attempts, error=error.with_traceback(None))


def repeated_result(item: Item, first: BatchResult[Any]) -> BatchResult[Any]:
    """The result of an item that was earlier in the input, from its first result."""
    nothing = Decimal(0)
    return attrs.evolve(
        first,
        index=item.index,
        name=item.title,
        repeated=True,
        cost_cents=nothing,
        former_cost_cents=nothing,
    )


def page_of(task: Task, key_prefix: str | None) -> str | None:
    """The page of a task's batch, if its live page shows that the server is the bundled one."""
    live = _LIVE_PAGE.fullmatch(task.live_url or "")
    return f"{live[1]}/batches?name={quote(key_prefix, safe='')}" if live and key_prefix else None


async def replay(
    item: Item, row: LedgerRow, tasks: TaskEndpoints, output_type: Any
) -> BatchResult[Any]:
    """The result of an item that an earlier run finished, from the ledger."""
    # A task is fetched only if the ledger lacks something: for failed tasks, and for answers that
    # are too large or do not fit their type.
    if row.state is ItemState.DONE and (row.output is not None or not row.output_bytes):
        if output_type is None:
            return _replayed(item, row, output=row.output)
        from browser_use_async.structured_output.parse import (  # noqa: PLC0415
            OutputMismatchError,
            parse_output,
        )

        try:
            value = parse_output(row.output, output_type)
        except OutputMismatchError:
            # The type may be another one than in the earlier run; the error has the task.
            return await _fetch(item, row, tasks, output_type)
        return _replayed(item, row, output=row.output, parsed=value)
    if row.task_id is None or row.state is ItemState.SUBMITTED:
        return _replayed(item, row, error=_recorded_error(row))
    return await _fetch(item, row, tasks, output_type)


async def _fetch(
    item: Item, row: LedgerRow, tasks: TaskEndpoints, output_type: Any
) -> BatchResult[Any]:
    try:
        task = await tasks.get(str(row.task_id))
    except BrowserUseError as error:
        known = error if row.state is ItemState.DONE else _recorded_error(row)
        return _replayed(item, row, error=known.with_traceback(None))
    task, problem = _checked(task, output_type)
    value = task.parsed if isinstance(task, ParsedTask) else None
    return _replayed(item, row, task=task, output=task.output, parsed=value, error=problem)


def _recorded_error(row: LedgerRow) -> BrowserUseError:
    text = f"the ledger says of this item: {row.reason or row.error or row.state}"
    return BrowserUseError(text, task_id=row.task_id)


def _replayed(item: Item, row: LedgerRow, **more: Any) -> BatchResult[Any]:
    return result_of(
        item,
        row.state,
        row,
        task_id=row.task_id,
        status=None if row.status is None else TaskStatus(row.status),
        steps=row.steps,
        cost_cents=row.cost_cents or Decimal(0),
        joined=row.joined,
        restored=True,
        **more,
    )


def _checked(task: Task, output_type: Any) -> tuple[Task, TaskError | OutputValidationError | None]:
    """Parse an ended task if there is a type; also returns why it is no success."""
    try:
        task.raise_for_status()
        return (task if output_type is None else task.parse(output_type)), None
    except (TaskError, OutputValidationError) as error:
        return task, error.with_traceback(None)
