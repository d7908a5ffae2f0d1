"""What is told to a ledger, and what it tells. Pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import attrs

from browser_use_async.api.submission_token import SubmissionToken
from browser_use_async.batch.states import ItemState

__all__ = ["Claim", "Doubt", "Ending", "Totals"]


@attrs.frozen(kw_only=True)
class Claim:
    """An item as the ledger knew it when its turn came."""

    position: int
    state: ItemState = ItemState.NEW  # how far it had come
    known: bool = True  # whether an earlier run, or this one, has met it before
    repeated: bool = False  # whether this run has
    attempts: int = 0  # how many times run-task was, or was about to be, sent
    token: SubmissionToken | None = None  # what its task carries, if it was about to be sent
    task_id: str | None = None
    status: str | None = None  # the task's last status
    steps: int | None = None  # how many steps the task took
    cost_cents: Decimal = Decimal(0)  # what the task cost
    error: str | None = None  # the class of the error with which it ended
    reason: str | None = None  # the error in words
    output: str | None = attrs.field(default=None, repr=False)  # the task's answer
    # The size of the answer; if it is there and `output` is not, the answer was too large to
    # be kept
    output_bytes: int | None = None


@attrs.frozen(kw_only=True)
class Ending:
    """How an item came to its end."""

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
class Doubt:
    """An item that was sent again although an earlier answer had been lost."""

    key: str
    token: SubmissionToken  # what its tasks carry
    task_id: str | None  # the task that counts, if one does
    steps: int | None  # how many steps that one took, if it has ended
    cost_cents: Decimal  # what it cost


@attrs.frozen(kw_only=True)
class Totals:
    """What a ledger holds when a run begins."""

    counts: Mapping[ItemState, int]  # how many items are in each state
    cost_cents: Decimal  # what the tasks cost that have ended
    # How many steps each of the tasks took that ended last, the latest last
    recent_steps: Sequence[int]
