"""The values that are written to a ledger and read from it. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import attrs

from browser_use_async.api.submission_token import SubmissionToken


class ItemState(StrEnum):
    """How far an item has come. The ledger stores these words."""

    NEW = "new"  # nothing was created, and nothing is on its way
    INTENT = "intent"  # run-task is about to be sent, or was sent and not answered yet
    SUBMITTED = "submitted"  # the task exists, and its end is not recorded
    DONE = "done"  # the task finished
    FAILED = "failed"  # the task ended without success, or its output does not fit
    UNKNOWN = "unknown"  # the answer to run-task was lost, and the task did not appear
    DEAD = "dead letter"  # refused, so that no task exists: a dead letter


# Items in these states are not worked on again, unless the caller asks for it.
FINAL_STATES = frozenset({ItemState.DONE, ItemState.FAILED, ItemState.DEAD})

# Items in these have a task, or may have one, whose cost is not known yet.
MAY_COST = frozenset({ItemState.INTENT, ItemState.SUBMITTED, ItemState.UNKNOWN})


@attrs.frozen
class Claim:
    """A row of the ledger as one run of its item may write it."""

    position: int  # the row's primary key
    # Which claim of the row it is. A process may claim a row again that it has lost meanwhile, and
    # what it was about to write for the first claim must not reach the row then.
    call: str | None = None


@attrs.frozen(kw_only=True)
class ItemRecord:
    """What the ledger held about an item when this run reached it."""

    position: int  # the row's primary key
    call: str | None = None  # of the claim, in a ledger that several processes share
    state: ItemState = ItemState.NEW
    known: bool = True  # whether an earlier run, or this one, has recorded it before
    repeated: bool = False  # whether this run has
    revived: bool = False  # whether it was refused before and starts afresh
    may_retry: bool = False  # whether it failed and is to be tried again in this run
    attempts: int = 0  # how many times run-task was, or was about to be, sent
    token: SubmissionToken | None = None  # what its task carries, if it was about to be sent
    task_id: str | None = None
    status: str | None = None  # the task's last status
    steps: int | None = None  # how many steps the task took
    cost_cents: Decimal = Decimal(0)  # what the task cost
    former_cost_cents: Decimal = Decimal(0)  # what the tasks cost that failed before this one
    error: str | None = None  # the class of the error with which it ended
    reason: str | None = None  # the error in words
    output: str | None = attrs.field(default=None, repr=False)  # the task's answer
    # In bytes. With a size but without `output`, the answer was too large to be stored.
    output_bytes: int | None = None

    @property
    def claim(self) -> Claim:
        """What statements for this item ask for."""
        return Claim(self.position, self.call)

    def for_retry(self) -> "ItemRecord":
        """The record of the same item without its task, whose cost remains."""
        return ItemRecord(
            position=self.position,
            call=self.call,
            attempts=self.attempts,
            former_cost_cents=self.former_cost_cents + self.cost_cents,
        )


@attrs.frozen(kw_only=True)
class FormerTask:
    """A task that failed, and whose item was tried again with another one."""

    task_id: str | None
    status: str | None  # its last status
    steps: int | None  # how many steps it took
    cost_cents: Decimal | None  # what it cost, in US cents
    error: str | None  # the class of the error with which it ended
    reason: str | None  # the error in words


@attrs.frozen(kw_only=True)
class ItemOutcome:
    """How an item ended, as the ledger stores it."""

    state: ItemState  # one that is final, or unknown
    status: str | None = None  # the task's last status
    steps: int | None = None  # how many steps the task took
    cost_cents: Decimal | None = None  # what the task cost
    error: str | None = None  # the class of the error
    reason: str | None = None  # the error in words
    created_at: float | None = None  # when the task was created, in seconds since 1970
    finished_at: float | None = None  # when it ended, in seconds since 1970
    output: str | None = attrs.field(default=None, repr=False)  # the task's answer


@attrs.frozen(kw_only=True)
class DuplicateSuspect:
    """An item that was sent again although an earlier answer had been lost."""

    key: str
    token: SubmissionToken  # what its tasks carry
    task_id: str | None  # the task that counts, if one does
    steps: int | None  # how many steps that one took, if it has ended
    cost_cents: Decimal  # what it cost
    name: str | None = None  # what the item is called, if that is not its key


@attrs.frozen(kw_only=True)
class Orphan:
    """A task that carries an item's mark but is not the one that the ledger knows."""

    task_id: str
    key: str  # the item's key
    found_at: datetime  # when it was found
    stopped: bool  # whether it was stopped
    # What it cost until it was found, by the published prices, in US cents; None if that
    # cannot be told
    cost_cents: Decimal | None = None
    name: str | None = None  # what the item is called, if that is not its key

    @property
    def title(self) -> str:
        """What people are shown of the item."""
        return self.name or self.key


@attrs.frozen(kw_only=True)
class LedgerTotals:
    """What a ledger holds when a run begins."""

    counts: Mapping[ItemState, int]  # how many items are in each state
    cost_cents: Decimal  # what the tasks cost that have ended
    # How many steps each of the tasks took that ended last, the latest last
    recent_steps: Sequence[int]
    has_open_round: bool = False  # whether a run that tried failed items again did not end
