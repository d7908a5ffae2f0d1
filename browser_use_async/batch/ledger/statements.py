"""Parts of statements that several statements of a ledger share. No I/O."""

from collections.abc import Iterable
from typing import Any

from browser_use_async.batch.ledger.records import ItemState

# What a row says of an item that has a task, or may have one.
IN_DOUBT = f"('{ItemState.INTENT}', '{ItemState.UNKNOWN}')"
SUM_RESERVED = "SELECT COALESCE(SUM(reserved), 0) FROM items"
TASK = "state = ?, task_id = ?, joined = ?"
# A former task of the item itself does not count as its task, either.
ELSEWHERE = (
    "(EXISTS (SELECT 1 FROM items WHERE task_id = ? AND position != ?) "
    "OR EXISTS (SELECT 1 FROM former_tasks WHERE task_id = ?))"
)
# The second number is that of the items which have joined the task of an earlier run.
STATE_COUNTS = "SELECT state, COUNT(*), COUNT(*) FILTER (WHERE joined) FROM items GROUP BY state"
SUM_OF_COSTS = (
    "SELECT COALESCE((SELECT SUM(cost) FROM items), 0) + "
    "COALESCE((SELECT SUM(cost) FROM former_tasks), 0)"
)
OUTCOMES = (
    "state status steps cost joined error reason created_at finished_at output_bytes output"
).split()
OUTCOME = ", ".join(f"{name} = ?" for name in OUTCOMES)
FORMER = "task_id, status, steps, cost, error, reason, created_at, finished_at"
FORGOTTEN = (
    "task_id = NULL, status = NULL, steps = NULL, cost = NULL, error = NULL, reason = NULL, "
    "keyed = FALSE, joined = FALSE, token = NULL, "
    "created_at = NULL, finished_at = NULL, output = NULL, output_bytes = NULL"
)


def counts_by_state(rows: Iterable[tuple[Any, ...]]) -> dict[ItemState, int]:
    """How many items are in each state, from the rows of `STATE_COUNTS`; with all states."""
    return dict.fromkeys(ItemState, 0) | {ItemState(row[0]): row[1] for row in rows}


def joined_by_state(rows: Iterable[tuple[Any, ...]]) -> dict[ItemState, int]:
    """How many items in each state have joined a task, from the rows of `STATE_COUNTS`."""
    return {ItemState(row[0]): row[2] for row in rows}
