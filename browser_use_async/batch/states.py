"""How far an item of a batch has come, and why a batch ended before its input did. Pure."""

from enum import StrEnum

__all__ = ["FINAL_STATES", "MAY_COST", "ItemState", "StopReason"]


class ItemState(StrEnum):
    """How far an item has come. The ledger stores these words."""

    NEW = "new"  # nothing was created, and nothing is on its way
    INTENT = "intent"  # run-task is about to be sent, or was sent and not answered yet
    SUBMITTED = "submitted"  # the task exists, and its end is not recorded
    DONE = "done"  # the task finished
    FAILED = "failed"  # the task ended without success, or its output does not fit
    UNKNOWN = "unknown"  # the answer to run-task was lost, and the task did not appear
    DEAD = "dead letter"  # refused, so that no task exists: a dead letter


FINAL_STATES = frozenset({ItemState.DONE, ItemState.FAILED, ItemState.DEAD})
"""Nothing more happens to items in these, unless somebody asks for it."""

MAY_COST = frozenset({ItemState.INTENT, ItemState.SUBMITTED, ItemState.UNKNOWN})
"""Items in these have a task, or may have one, whose cost is not known yet."""


class StopReason(StrEnum):
    """Why a batch submits nothing more although its input has more."""

    # The next task did not fit the budget, with nothing under way that could make room
    BUDGET = "budget"
    BALANCE = "balance"  # the service says that the account's balance is used up
    DRAINED = "drained"  # somebody called `drain()`
