"""Changes of a task's status, each as one statement that compares and sets."""

from datetime import datetime
from functools import cache

from browser_use_async.server.storage.database import Database
from browser_use_async.server.storage.values import to_moment
from browser_use_async.server.task_states import TRANSITIONS, TaskEvent
from browser_use_async.types import TaskStatus

TARGETS = {event: status for (_, event), status in TRANSITIONS.items()}
"""Where a task stands after an event."""

FENCE = " AND COALESCE(worker, :worker) = :worker"
"""What every statement of a worker ends with: the task of another one is not touched."""


class TransitionRefusedError(Exception):
    """The task is in a status in which this cannot happen to it.

    Attributes:
        status: Where the task stands.
        event: What was to happen.
    """

    def __init__(self, status: TaskStatus, event: TaskEvent) -> None:
        super().__init__(f"a task that is {status} cannot {event}")
        self.status = status
        self.event = event


@cache
def _statement(event: TaskEvent, *, is_worker: bool) -> str:
    """What moves a task on, if it stands where the event is allowed."""
    before = ", ".join(f"'{status}'" for status, each in TRANSITIONS if each is event)
    target, fence = TARGETS[event], FENCE if is_worker else ""
    changes = ", finished_at = :now" if target.is_terminal else ""
    if event is TaskEvent.START:
        # Whoever begins a task makes it its own.
        changes, fence = ", started = 1" + (", worker = :worker" if is_worker else ""), ""
    return (
        f"UPDATE tasks SET status = '{target}', assignment = NULL{changes} "
        f"WHERE id = :id AND status IN ({before}){fence} RETURNING id"
    )


async def advance(
    at: Database, task_id: str, event: TaskEvent, now: datetime, worker: str | None
) -> None:
    """Move a task on, in a transaction: of two who change a status, the second one is refused.

    Raises:
        TransitionRefusedError: The event cannot happen to the task, or another worker has it.
    """
    statement = _statement(event, is_worker=worker is not None)
    if not await at.rows(statement, id=task_id, now=to_moment(now), worker=worker):
        found = await at.rows("SELECT status FROM tasks WHERE id = :id", id=task_id)
        status = TaskStatus(found[0][0]) if found else TaskStatus.STOPPED
        raise TransitionRefusedError(status, event)
