"""What happened: the events that a session passes to `on_event`, and the timeline of a task.

An event brings its level in the log, its sentence, and what it adds to a timeline. The log, the
command line and timelines show just that, so a new event is one class here.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar, overload

import attrs

__all__ = [
    "EndActionAttempted",
    "KeyIgnored",
    "Recorded",
    "RetryScheduled",
    "ServiceRecovered",
    "ServiceUnreachable",
    "SessionEvent",
    "SlotAwaited",
    "SubmissionAdopted",
    "Timeline",
    "TimelineEntry",
    "UnknownStatusSeen",
]


class Recorded:
    """What a timeline records."""

    __slots__ = ()

    @property
    def entry(self) -> tuple[str, str] | None:
        """The kind and the text of its entry in a timeline; None if it has none."""
        return self._entry()

    def _entry(self) -> tuple[str, str] | None:
        return None


class SessionEvent(Recorded, ABC):
    """What a session passes to `on_event`; `str()` returns its sentence, without secrets."""

    __slots__ = ()

    @property
    def level(self) -> int:
        """Its level in the log."""
        return self._level()

    def _level(self) -> int:
        return logging.INFO

    @abstractmethod
    def __str__(self) -> str: ...


@attrs.frozen
class RetryScheduled(SessionEvent):
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

    def _entry(self) -> tuple[str, str]:
        return "retried", f"after {self.pause:.1f} s"

    def __str__(self) -> str:
        about = "" if self.task_id is None else f" of task {self.task_id}"
        return (
            f"{self.operation}{about} failed ({self.reason}), attempt {self.attempt}; "
            f"again in {self.pause:.1f} s"
        )


@attrs.frozen
class SlotAwaited(SessionEvent):
    """The account runs its maximum of tasks, and run-task waits until one of them has ended.

    Attributes:
        patience: Seconds after which the call gives up.
    """

    patience: float

    def _entry(self) -> tuple[str, str]:
        return "waited", "for a free agent slot"

    def __str__(self) -> str:
        return f"run_task waits up to {self.patience:.0f} s for a free agent slot"


@attrs.frozen
class SubmissionAdopted(SessionEvent):
    """The answer to run-task was lost, and the task that it created was found.

    Attributes:
        task_id: The task that was found.
        searched: Seconds that the search took.
    """

    task_id: str
    searched: float

    def _entry(self) -> tuple[str, str]:
        return "adopted", f"task {self.task_id}"

    def __str__(self) -> str:
        return (
            f"the answer to run_task was lost; task {self.task_id}, which it created, was found "
            f"after {self.searched:.1f} s"
        )


@attrs.frozen
class KeyIgnored(SessionEvent):
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

    def _level(self) -> int:
        return logging.WARNING

    def __str__(self) -> str:
        text = f"the answer to {self.operation} does not send the submission key back, though an "
        text += "earlier answer did: keys are not relied on any more"
        if self.may_be_second:
            what = "what it names" if self.task_id is None else self.task_id
            text += f"; {what} may be the second one of the same call: compare the list of tasks"
        return text


@attrs.frozen
class UnknownStatusSeen(SessionEvent):
    """A task is in a status that this version does not know; once for each such status.

    Attributes:
        task_id: The id of the first task that was seen in it.
        status: The `TaskStatus`. Every task in it is taken to be alive.
    """

    task_id: str
    status: str

    def _level(self) -> int:
        return logging.WARNING

    def __str__(self) -> str:
        return (
            f"task {self.task_id} has the status {str(self.status)!r}, which this version does "
            "not know; every task with it is taken to be alive"
        )


@attrs.frozen
class ServiceUnreachable(SessionEvent):
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

    def _level(self) -> int:
        return logging.WARNING

    def __str__(self) -> str:
        return f"no answer for {self.seconds:.0f} s: {self.reason}"


@attrs.frozen
class ServiceRecovered(SessionEvent):
    """A call was answered again after a `ServiceUnreachable`.

    Attributes:
        seconds: Seconds that the outage lasted.
        failures: How many requests failed meanwhile.
    """

    seconds: float
    failures: int

    def __str__(self) -> str:
        lost = f"{self.seconds:.0f} s and {self.failures} failed requests"
        return f"the service answers again, after {lost}"


@attrs.frozen
class EndActionAttempted(SessionEvent):
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

    def _level(self) -> int:
        return logging.INFO if self.problem is None else logging.WARNING

    def __str__(self) -> str:
        what = f"{self.action} task {self.task_id}"
        if self.problem is None:
            return f"the service was asked to {what}"
        return f"could not {what}: {self.problem}; it may still run and cost money"


# --- timelines --------------------------------------------------------------------------------


@attrs.frozen
class TimelineEntry:
    """One thing that happened.

    Attributes:
        time: When it happened, in UTC, by the clock of the recording machine.
        kind: What it was, such as `sent`, `failed` or `adopted`.
        text: Its details, without secrets.
    """

    time: datetime
    kind: str
    text: str

    def __str__(self) -> str:
        clock = self.time.strftime("%H:%M:%S.%f")[:-3]
        return f"{clock}  {self.kind:<11}  {self.text}"


@attrs.frozen
class Timeline(Sequence[TimelineEntry]):
    """What happened in one call, submission or wait, in order; `str()` returns a line for each.

    `error.timeline` and `handle.timeline()` return one. Its size is limited, it can be pickled, and
    it has only routes and statuses: no URL, no body and no key.

    Attributes:
        entries: The first entries, and the latest.
        dropped: How many entries between them are left out.
        polls: How many polls of the task were answered; they are not entries.
    """

    # How many entries are kept: the beginning and the end are most useful.
    FIRST: ClassVar[int] = 10
    LAST: ClassVar[int] = 40

    entries: tuple[TimelineEntry, ...] = ()
    dropped: int = 0
    polls: int = 0

    @overload
    def __getitem__(self, index: int) -> TimelineEntry: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[TimelineEntry]: ...

    def __getitem__(self, index: int | slice) -> TimelineEntry | Sequence[TimelineEntry]:
        return self.entries[index]

    def __len__(self) -> int:
        return len(self.entries)

    def __str__(self) -> str:
        lines = [str(each) for each in self.entries]
        if self.dropped:
            lines.insert(self.FIRST, f"{'':12}  … {self.dropped:,} more …")
        if self.polls:
            lines.append(f"{'':12}  {self.polls:,} polls answered")
        return "\n".join(lines) or "nothing was recorded"
