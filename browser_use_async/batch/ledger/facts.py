"""What is told to a ledger, and what it tells. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import attrs

from browser_use_async.batch.states import ItemState
from browser_use_async.contract.submission_token import SubmissionToken

__all__ = ["Claim", "Doubt", "Ending", "Totals"]


@attrs.frozen(kw_only=True)
class Claim:
    """An item as the ledger knew it when its turn came.

    Attributes:
        position: Its row.
        state: How far it had come.
        known: Whether an earlier run, or this one, has met it before.
        repeated: Whether this run has.
        attempts: How many times run-task was, or was about to be, sent.
        token: What its task carries, if it was about to be sent.
        task_id: Its task.
        status: The task's last status.
        steps: How many steps the task took.
        cost_cents: What the task cost.
        error: The class of the error with which it ended.
        reason: The error in words.
        output: The task's answer.
        output_bytes: The size of the answer; if it is there and `output` is not, the answer was
            too large to be kept.
    """

    position: int
    state: ItemState = ItemState.NEW
    known: bool = True
    repeated: bool = False
    attempts: int = 0
    token: SubmissionToken | None = None
    task_id: str | None = None
    status: str | None = None
    steps: int | None = None
    cost_cents: Decimal = Decimal(0)
    error: str | None = None
    reason: str | None = None
    output: str | None = attrs.field(default=None, repr=False)
    output_bytes: int | None = None


@attrs.frozen(kw_only=True)
class Ending:
    """How an item came to its end.

    Attributes:
        state: One that is final, or unknown.
        status: The task's last status.
        steps: How many steps the task took.
        cost_cents: What the task cost.
        error: The class of the error.
        reason: The error in words.
        created_at: When the task was created, in seconds since 1970.
        finished_at: When it ended, in seconds since 1970.
        output: The task's answer.
    """

    state: ItemState
    status: str | None = None
    steps: int | None = None
    cost_cents: Decimal | None = None
    error: str | None = None
    reason: str | None = None
    created_at: float | None = None
    finished_at: float | None = None
    output: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Doubt:
    """An item that was sent again although an earlier answer had been lost.

    Attributes:
        key: Its key.
        token: What its tasks carry.
        task_id: The task that counts, if one does.
        steps: How many steps that one took, if it has ended.
        cost_cents: What it cost.
    """

    key: str
    token: SubmissionToken
    task_id: str | None
    steps: int | None
    cost_cents: Decimal


@attrs.frozen(kw_only=True)
class Totals:
    """What a ledger holds when a run begins.

    Attributes:
        counts: How many items are in each state.
        cost_cents: What the tasks cost that have ended.
        recent_steps: How many steps each of the tasks took that ended last, the latest last.
    """

    counts: Mapping[ItemState, int]
    cost_cents: Decimal
    recent_steps: Sequence[int]
