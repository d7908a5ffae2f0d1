"""What a session tells the `on_event` callback."""

import attrs

from browser_use_async.types.base import Value
from browser_use_async.types.enums import TaskStatus

__all__ = [
    "RetryScheduled",
    "SessionEvent",
    "SlotAwaited",
    "SubmissionAdopted",
    "UnknownStatusSeen",
]


@attrs.frozen(eq=False, repr=False)
class RetryScheduled(Value):
    """A call failed and will be made again.

    Attributes:
        operation: The operation's name, such as `get_task_status`.
        task_id: The task that the call is about, or None.
        attempt: How many attempts have failed so far.
        pause: Seconds until the next one.
        reason: What went wrong, without secrets.
    """

    operation: str
    task_id: str | None
    attempt: int
    pause: float
    reason: str

    def __str__(self) -> str:
        about = "" if self.task_id is None else f" of task {self.task_id}"
        return (
            f"{self.operation}{about} failed ({self.reason}), attempt {self.attempt}; "
            f"again in {self.pause:.1f} s"
        )


@attrs.frozen(eq=False, repr=False)
class SlotAwaited(Value):
    """The account runs as many tasks as it may, and run-task waits until one of them has ended.

    Attributes:
        patience: Seconds after which it gives up.
    """

    patience: float

    def __str__(self) -> str:
        return f"run_task waits up to {self.patience:.0f} s for a free agent slot"


@attrs.frozen(eq=False, repr=False)
class SubmissionAdopted(Value):
    """The answer to run-task was lost, and the task that it created was found.

    Attributes:
        task_id: The task that was found.
        searched: Seconds that the search took.
    """

    task_id: str
    searched: float

    def __str__(self) -> str:
        return (
            f"the answer to run_task was lost; task {self.task_id}, which it created, was found "
            f"after {self.searched:.1f} s"
        )


@attrs.frozen(eq=False, repr=False)
class UnknownStatusSeen(Value):
    """A task is in a status that this version does not know; it is taken to be alive.

    Attributes:
        task_id: The task.
        status: Its status.
    """

    task_id: str
    status: TaskStatus


SessionEvent = RetryScheduled | SlotAwaited | SubmissionAdopted | UnknownStatusSeen
