"""A row of a ledger: the state of one item, for runs and for people. No I/O."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

import attrs

from browser_use_async.api.submission_token import SubmissionToken
from browser_use_async.batch.ledger.records import ItemState
from browser_use_async.errors import LedgerMismatchError
from browser_use_async.money.amounts import plain_amounts

# Money is stored in whole thousandths of a cent, so that sums in SQL are exact.
MILLICENTS = 1000


@attrs.frozen(kw_only=True, field_transformer=plain_amounts)
class FormerTask:
    """A failed task, whose item was tried again with another task."""

    task_id: str | None
    status: str | None  # its last status
    steps: int | None  # how many steps it took
    cost_cents: Decimal | None  # what it cost, in US cents
    error: str | None  # the class of the error with which it ended
    reason: str | None  # the error in words
    round: int = 0  # the round of retries in which another task replaced it


@attrs.frozen(kw_only=True, field_transformer=plain_amounts)
class LedgerRow:
    """One item in a ledger."""

    index: int  # its place among all items that the ledger has seen, counted from 0
    key: str
    state: ItemState = ItemState.NEW  # how far it has come
    attempts: int = 0  # how many times run-task was, or was about to be, sent
    task_id: str | None = None  # the task's id, once it is known
    status: str | None = None  # the task's last status
    steps: int | None = None  # how many steps the task took, once it has ended
    # What it cost, from its steps and the published prices, in US cents
    cost_cents: Decimal | None = None
    # Whether an earlier run or other code had created the task, and paid for it
    joined: bool = False
    error: str | None = None  # the class of the error with which it ended
    reason: str | None = None  # the error in words
    entered_at: datetime  # when the item was first read
    sent_at: datetime | None = None  # when run-task was last about to be sent
    created_at: datetime | None = None  # when the task was created, as the service says
    finished_at: datetime | None = None  # when the task ended, as the service says
    output_bytes: int | None = None  # the size of the task's answer
    # The task's answer; None if there is none, or if it is too large to be kept here
    output: str | None = attrs.field(default=None, repr=False)
    name: str | None = None  # what the item is called, if that is not its key
    # The beginning of the text of its task, or None if the item was refused
    task: str | None = attrs.field(default=None, repr=False)
    reserved_cents: Decimal = Decimal(0)  # the reservation for its task until that has ended
    # The token of its tasks, if one was about to be sent
    token: SubmissionToken | None = attrs.field(default=None, repr=False)
    # Whether the last request was sent to a service that keeps submission keys
    keyed: bool = attrs.field(default=False, repr=False)
    digest: bytes = attrs.field(default=b"", repr=False)  # of its content
    run: int = attrs.field(default=0, repr=False)  # the last one that had reached it; 0: none had
    former_tasks: tuple[FormerTask, ...] = ()  # those that failed before it was tried again
    # What the run that has reached it does with it; not in the file
    repeated: bool = attrs.field(default=False, repr=False)  # nothing: it was reached before
    revived: bool = attrs.field(default=False, repr=False)  # it was refused, and starts afresh
    may_retry: bool = attrs.field(default=False, repr=False)  # it failed, and is tried again

    @property
    def title(self) -> str:
        """Its text for people: its name, its key, or the text of its task."""
        if self.name is not None:
            return self.name
        looks_like_digest = re.fullmatch("[0-9a-f]{32}", self.key) is not None
        return self.task if looks_like_digest and self.task is not None else self.key

    @property
    def number(self) -> int:
        """The number of the current or next task of the item, counted from 1."""
        return len(self.former_tasks) + 1

    @property
    def former_cents(self) -> Decimal:
        """The cost of its earlier failed tasks, in US cents."""
        return sum((each.cost_cents or Decimal(0) for each in self.former_tasks), Decimal(0))

    @property
    def total_cents(self) -> Decimal | None:
        """The cost of all its tasks, in US cents; None if no cost is known."""
        costs = [each.cost_cents for each in self.former_tasks] + [self.cost_cents]
        known = [cost for cost in costs if cost is not None]
        return sum(known, Decimal(0)) if known else None

    @property
    def seconds(self) -> float | None:
        """How long the task took, by the service's clock; None if that is not known."""
        if self.created_at is None or self.finished_at is None:
            return None
        return (self.finished_at - self.created_at).total_seconds()

    def to_row(self) -> dict[str, Any]:
        """The row as a flat mapping of plain values, for a data frame."""
        inner = attrs.fields(LedgerRow)
        filtered = attrs.filters.exclude(
            *(inner.token, inner.keyed, inner.digest, inner.run),
            *(inner.repeated, inner.revived, inner.may_retry),
        )
        return {
            **attrs.asdict(self, recurse=False, filter=filtered),
            "state": str(self.state),
            "cost_cents": None if self.cost_cents is None else float(self.cost_cents),
            "reserved_cents": float(self.reserved_cents),
            "total_cents": None if self.total_cents is None else float(self.total_cents),
            "former_tasks": len(self.former_tasks),
            "seconds": self.seconds,
        }

    def afresh(self) -> "LedgerRow":
        """The row of the same item without its task, which becomes a former one."""
        names = {each.name for each in attrs.fields(FormerTask)} - {"round"}
        former = FormerTask(**{name: getattr(self, name) for name in names})
        return LedgerRow(
            index=self.index,
            key=self.key,
            name=self.name,
            task=self.task,
            attempts=self.attempts,
            entered_at=self.entered_at,
            digest=self.digest,
            run=self.run,
            former_tasks=(*self.former_tasks, former) if self.task_id else self.former_tasks,
        )


def mismatch(key: str, *, repeated: bool) -> LedgerMismatchError:
    """The error of a key whose request is another one than before."""
    return LedgerMismatchError(
        f"the item {key!r} has changed: its key stands for another request "
        f"{'earlier in the input' if repeated else 'in this batch'}. Nothing was sent for it. Give "
        "it another key, or restore its content"
    )


def other_prefix(before: str, now: str) -> LedgerMismatchError:
    """The error of a ledger whose items were sent with another prefix of their keys."""
    return LedgerMismatchError(
        f"the batch has the key_prefix {before!r}, and now it is {now!r}, with which its items "
        "would be other tasks and be paid for again; nothing was sent: leave key_prefix out to go "
        "on with it, or take another ledger or queue"
    )


# --- the one mapping ------------------------------------------------------------------------

_COLUMNS = (
    "position key state attempts keyed joined task_id status steps cost error reason "
    "entered_at sent_at created_at finished_at output_bytes output name task reserved token digest "
    "run"
).split()
_FORMER = "task_id status steps cost error reason".split()
# One row for each former task of an item, or one row without any; in the order of the items.
COLUMNS = ", ".join(
    [f"items.{name}" for name in _COLUMNS] + [f"former.{name}" for name in ("round", *_FORMER)]
)
WITH_FORMER = "LEFT JOIN former_tasks AS former ON former.position = items.position"
IN_ORDER = "ORDER BY items.position, former.round"


def rows_of(found: Iterable[tuple[Any, ...]]) -> Iterator[LedgerRow]:
    """The rows of some items, from `COLUMNS`."""
    for _position, group in groupby(found, key=lambda columns: columns[0]):
        yield _row([*group])


_WIDTH = len(_COLUMNS) + 1 + len(_FORMER)


def _row(found: list[tuple[Any, ...]]) -> LedgerRow:
    row: dict[str, Any] = dict(zip(_COLUMNS, found[0], strict=False))
    formers = [each[len(_COLUMNS) : _WIDTH] for each in found]
    for name, read in _DECODERS.items():
        if row[name] is not None:
            row[name] = read(row[name])
    return LedgerRow(
        index=row.pop("position"),
        cost_cents=row.pop("cost"),
        reserved_cents=row.pop("reserved"),
        former_tasks=tuple(_former_task(each) for each in formers if each[0] is not None),
        **row,
    )


def _former_task(values: tuple[Any, ...]) -> FormerTask:
    former = dict(zip(("round", *_FORMER), values, strict=True))
    return FormerTask(cost_cents=cents_if_any(former.pop("cost")), **former)


# Of each state: its items, those of them which have joined the task of an earlier run, their cost
# and reservations. One statement, since it reads the whole file, and a run waits for it to begin.
STATE_COUNTS = (
    "SELECT state, COUNT(*), COUNT(*) FILTER (WHERE joined), COALESCE(SUM(cost), 0), "
    "SUM(reserved) FROM items GROUP BY state"
)
FORMER_COSTS = "SELECT COALESCE(SUM(cost), 0) FROM former_tasks"


def counts_by_state(rows: Iterable[tuple[Any, ...]]) -> dict[ItemState, int]:
    """How many items are in each state, from the rows of `STATE_COUNTS`; with all states."""
    return dict.fromkeys(ItemState, 0) | {ItemState(row[0]): row[1] for row in rows}


def cost_of(rows: Iterable[tuple[Any, ...]], former: Iterable[tuple[Any, ...]]) -> Decimal:
    """What all tasks cost in US cents, from the rows of `STATE_COUNTS` and `FORMER_COSTS`."""
    return cents(sum(row[3] for row in rows) + sum(row[0] for row in former))


def joined_by_state(rows: Iterable[tuple[Any, ...]]) -> dict[ItemState, int]:
    """How many items in each state have joined a task, from the rows of `STATE_COUNTS`."""
    return {ItemState(row[0]): row[2] for row in rows}


def moment(seconds: float) -> datetime:
    """A stored time, in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def cents(amount: Decimal | int | None) -> Decimal:
    """A stored amount, in US cents."""
    return Decimal(amount or 0) / MILLICENTS


def cents_if_any(amount: int | None) -> Decimal | None:
    """A stored amount in US cents, or None."""
    return None if amount is None else cents(amount)


def millicents(amount: Decimal | None) -> int | None:
    """An amount in US cents in the stored form."""
    return None if amount is None else round(amount * MILLICENTS)


_DECODERS: dict[str, Callable[[Any], Any]] = {
    "state": ItemState,
    **dict.fromkeys(("keyed", "joined"), bool),
    **dict.fromkeys(("cost", "reserved"), cents),
    **dict.fromkeys(("entered_at", "sent_at", "created_at", "finished_at"), moment),
    "token": SubmissionToken.parse,
    "digest": bytes,
}
