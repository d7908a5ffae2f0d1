"""The events that a session passes to the `on_event` callback."""

import attrs

from browser_use_async.types.enums import TaskStatus

__all__ = [
    "EndActionAttempted",
    "KeyIgnored",
    "RetryScheduled",
    "ServiceRecovered",
    "ServiceUnreachable",
    "SessionEvent",
    "SlotAwaited",
    "SubmissionAdopted",
    "UnknownStatusSeen",
]


@attrs.frozen
class RetryScheduled:
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


@attrs.frozen
class SlotAwaited:
    """The account runs its maximum of tasks, and run-task waits until one of them has ended.

    Attributes:
        patience: Seconds after which the call gives up.
    """

    patience: float

    def __str__(self) -> str:
        return f"run_task waits up to {self.patience:.0f} s for a free agent slot"


@attrs.frozen
class SubmissionAdopted:
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


@attrs.frozen
class KeyIgnored:
    """An answer does not send the submission key back, though earlier ones did.

    Perhaps a proxy removes the key, or not all servers of the service know keys. The session does
    not rely on keys from then on.

    Attributes:
        operation: The name of the call, such as `run_task`.
        task_id: The task or schedule that the answer names, or None.
        may_be_second: Whether an earlier answer to the same call was lost, so that the service may
            have created, and charged, another one before.
    """

    operation: str
    task_id: str | None
    may_be_second: bool

    def __str__(self) -> str:
        text = f"the answer to {self.operation} does not send the submission key back, though an "
        text += "earlier answer did: keys are not relied on any more, and lost answers are "
        text += "searched for"
        if self.may_be_second:
            what = "what it names" if self.task_id is None else self.task_id
            text += f"; {what} may be the second one of the same call, since an answer was lost "
            text += "before: compare the list of tasks"
        return text


@attrs.frozen
class UnknownStatusSeen:
    """A task is in a status that this version does not know; it is taken to be alive.

    Attributes:
        task_id: The id of the task.
        status: Its status.
    """

    task_id: str
    status: TaskStatus


@attrs.frozen
class ServiceUnreachable:
    """No call of the session has been answered for about two seconds; once for each outage.

    Requests that were refused, cut, timed out or answered with a 5xx count as not answered. It is
    no outage if a single request succeeds when it is repeated, or if one route fails while another
    is answered.

    Attributes:
        seconds: How many seconds ago the last call was answered.
        failures: How many requests have failed since then.
        reason: Why the last one failed, without secrets.
    """

    seconds: float
    failures: int
    reason: str


@attrs.frozen
class ServiceRecovered:
    """A call was answered again after a `ServiceUnreachable`.

    Attributes:
        seconds: Seconds that the outage lasted.
        failures: How many requests failed meanwhile.
    """

    seconds: float
    failures: int


@attrs.frozen
class EndActionAttempted:
    """The session tried to stop or pause a task that its caller no longer waits for.

    Attributes:
        task_id: The id of the task.
        action: What `on_timeout` or `on_cancel` asked for: `stop` or `pause`.
        problem: Why that failed, in which case the task may still run and cost money; None if the
            service has done it.
    """

    task_id: str
    action: str
    problem: str | None


SessionEvent = (
    RetryScheduled
    | SlotAwaited
    | SubmissionAdopted
    | KeyIgnored
    | UnknownStatusSeen
    | ServiceUnreachable
    | ServiceRecovered
    | EndActionAttempted
)
