"""The states of an item, and the records that a ledger reads and writes. No I/O.

An item goes through seven states; the ledger stores their words:

| state         | what is true                                | what a run does with the item    |
|---------------|---------------------------------------------|----------------------------------|
| `new`         | nothing was created, nothing is on its way  | reserves its maximum, and sends  |
| `intent`      | run-task may be under way                   | its key is kept: sends again at  |
|               |                                             | once; else looks for its task    |
|               |                                             | for the settle window            |
| `unknown`     | the answer was lost, and the task has not   | looks for it; with               |
|               | appeared in the settle window               | `retry_unknown` sends again      |
| `submitted`   | the task exists, its end is not recorded    | waits for its end                |
| `done`        | the task finished; its cost is spent        | gives the result again           |
| `failed`      | the task ended without success; the same    | the same; with `retry_failed` a  |
|               |                                             | new task, once in each round     |
| `dead letter` | refused: no task exists, nothing was spent  | the same; corrected, it is `new` |

A service that keeps keys finds the task of a crash by its key, so the id of the task is committed
with whatever is committed next; without keys it is committed at once. The token in the metadata is
the ledger's own: a task with another token was `joined`, and another ledger has paid for it.
"""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum

import attrs

from browser_use_async.api.submission_token import SubmissionToken

# Characters of a task's text that are stored, to show people which item a row is.
MAX_KEPT_TASK = 200


class ItemState(StrEnum):
    """How far an item has come."""

    NEW = "new"  # nothing was created, and nothing is on its way
    INTENT = "intent"  # run-task is about to be sent, or was sent and not answered yet
    SUBMITTED = "submitted"  # the task exists, and its end is not recorded
    DONE = "done"  # the task finished
    FAILED = "failed"  # the task ended without success, or its output does not fit
    UNKNOWN = "unknown"  # the answer to run-task was lost, and the task did not appear
    DEAD = "dead letter"  # refused, so that no task exists: a dead letter


# Items in these states are not worked on again, unless the caller asks for it.
FINAL_STATES = frozenset({ItemState.DONE, ItemState.FAILED, ItemState.DEAD})

# Of items in these it is not known whether run-task was carried out.
UNANSWERED = frozenset({ItemState.INTENT, ItemState.UNKNOWN})

# Items in these have a task, or may have one, whose cost is not known yet.
MAY_COST = frozenset({ItemState.INTENT, ItemState.SUBMITTED, ItemState.UNKNOWN})


@attrs.frozen(kw_only=True)
class Intent:
    """What is written down before run-task is sent."""

    token: SubmissionToken  # what the task will carry
    at: float  # when, in seconds since 1970
    maximum_cents: Decimal  # what the task may cost
    # Whether the service keeps submission keys: sent again, the request makes no second task
    keyed: bool = False


@attrs.frozen(kw_only=True)
class LedgerTotals:
    """The totals of a ledger when a run begins."""

    counts: Mapping[ItemState, int]  # how many items are in each state
    cost_cents: Decimal  # the cost of the tasks that have ended
    reserved_cents: Decimal  # what is reserved for tasks that have not ended
    joined: Mapping[ItemState, int]  # how many of them have joined the task of an earlier run
    key_prefix: str  # the beginning of the submission keys of its items
    has_open_round: bool = False  # whether a run that tried failed items again did not end
