"""The observations of a session, and the list of its observers.

Lower levels notify and know no observer; the session chooses its observers. Each observation has a
subject: the id of a task, a submission, the `Subject` of a call, or the list of searches that share
a scan. The events of `on_event` are observations, too. Like those, what is `Recorded` brings the
entry that it adds to the timeline of its subject.

`Observers.notify` is the one place that says what a session does. The log, timelines, spans,
budgets and the progress in notebooks are one file each; a new feature that has to know what calls
and tasks do is another such file, and no line in the core. What may refuse a paying call, or mark
its request, is an admission.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import attrs

from browser_use_async.api.endpoint_table import RUN_TASK, Endpoint
from browser_use_async.errors import BrowserUseError
from browser_use_async.events import Recorded, Timeline
from browser_use_async.logs import LOGGER
from browser_use_async.types import RunTaskRequest, Task, TaskStatus


class Subject:
    """The subject of a call without a task; compared by identity."""

    __slots__ = ("__weakref__",)


# --- calls ----------------------------------------------------------------------------------


@attrs.frozen(eq=False, repr=False)
class AttemptBegan:
    """A request is about to be sent."""

    endpoint: Endpoint
    task_id: str | None
    request: int  # of all requests of the session
    attempt: int  # of the same call
    most_attempts: int


@attrs.frozen(eq=False, repr=False)
class AttemptEnded:
    """A request was answered, failed, or was cancelled."""

    began: AttemptBegan
    status: int | None  # the HTTP status, if it was answered
    problem: str | None  # None if it was cancelled, or if the caller's own code raised an exception
    request_id: str | None  # as the service names it
    error: BaseException | None
    seconds: float


@attrs.frozen(eq=False, repr=False)
class CallTroubled(Recorded):
    """An attempt of a call has failed, or was answered after an earlier one had failed."""

    endpoint: Endpoint
    problem: str  # empty if it was answered
    is_sent: bool  # whether it may have had an effect

    def _entry(self) -> tuple[str, str]:
        if not self.problem:
            return "answered", str(self.endpoint)
        return "failed" if self.is_sent else "not sent", f"{self.endpoint}: {self.problem}"


@attrs.frozen(eq=False, repr=False)
class ErrorMade:
    """An error is about to be raised; an observer may add to it."""

    error: BrowserUseError
    status: TaskStatus | None = None  # of the task, as far as it was seen
    polls: int = 0  # that were answered during the wait under way


# --- creations ------------------------------------------------------------------------------


@attrs.frozen(eq=False, repr=False)
class CreationSent(Recorded):
    """The first byte of the run-task request of a submission is written."""

    endpoint: Endpoint
    attempt: int

    def _entry(self) -> tuple[str, str]:
        return "sent", f"{self.endpoint}, attempt {self.attempt}"


@attrs.frozen(eq=False, repr=False)
class CreationEnded:
    """An admitted creating call, or a submission, has ended."""

    is_created: bool
    may_exist: bool = False  # whether it is unknown if something was created
    task_id: str | None = None  # of the task that was created
    error: BaseException | None = None
    is_joined: bool = False  # whether an earlier submission with the same key has created it
    request: RunTaskRequest | None = None  # of a submission that has its task

    @property
    def entry(self) -> tuple[str, str]:
        """What a timeline records of a submission that was answered."""
        return "answered", f"{RUN_TASK}: task {self.task_id}"


@attrs.frozen(eq=False, repr=False)
class SearchEnded(Recorded):
    """The search for the task of a lost answer has ended."""

    mark: str  # of the submission
    task_id: str | None
    seconds: float | None = None  # that it took, within the submission itself

    def _entry(self) -> tuple[str, str] | None:
        if self.task_id is not None or self.seconds is None:
            return None
        return "not found", f"a task with the mark of this submission, in {self.seconds:.1f} s"


# --- tasks ----------------------------------------------------------------------------------


@attrs.frozen(eq=False, repr=False)
class OriginKnown:
    """A token has shown which trace the submission of a task belongs to."""

    traceparent: str


@attrs.frozen(eq=False, repr=False)
class StatusSeen:
    """A watched task is in another status than before."""

    status: TaskStatus

    @property
    def entry(self) -> tuple[str, str]:
        """What the timeline of a task that has one records."""
        return "status seen", str(self.status)


@attrs.frozen(eq=False, repr=False)
class PollFailed(Recorded):
    """A poll of one task has failed."""

    error: BaseException

    def _entry(self) -> tuple[str, str]:
        timeline = self.error.timeline if isinstance(self.error, BrowserUseError) else None
        return "failed", timeline[-1].text if timeline else type(self.error).__name__


@attrs.frozen(eq=False, repr=False)
class StopAsked(Recorded):
    """The service has accepted to stop or pause a task."""

    action: str

    def _entry(self) -> tuple[str, str]:
        return "stop asked", f"{self.action} accepted"


@attrs.frozen(eq=False, repr=False)
class TaskEnded:
    """An answer of the service shows that a task has ended."""

    task: Task
    is_watched: bool  # whether a wait or a stream saw its end, and not only a call


@attrs.frozen(eq=False, repr=False)
class WatchEnded:
    """Nothing waits for a task any more."""

    polls: int  # that were answered meanwhile


@attrs.frozen(eq=False, repr=False)
class WaitBegan:
    """A call waits for the end of a task."""


@attrs.frozen(eq=False, repr=False)
class WaitEnded:
    """A wait has ended: with a task, an error or a cancellation."""

    began: WaitBegan
    error: BaseException | None


@attrs.frozen(eq=False, repr=False)
class BatchBegan:
    """A batch has been opened, and is about to run its items."""


@attrs.frozen(eq=False, repr=False)
class BatchEnded:
    """A batch has ended, or was left."""


# --- the list -------------------------------------------------------------------------------

# Called with an observation and its subject.
Observe = Callable[[Any, Any], None]
# Called with the endpoint, the body and the subject of a creating call before it is sent; returns
# the body to send, or raises an error if the call is refused.
Admit = Callable[[Endpoint, Any, Any], Awaitable[Any]]

_ALWAYS, _NEVER = partial(bool, True), partial(bool, False)


@attrs.frozen
class _Listener:
    observe: Observe
    when: Callable[[], bool]  # whether it listens now
    name: str


class Observers:
    """The observers of a session, by the kinds of observations that they handle.

    Who handles a base class, such as `SessionEvent` or `Recorded`, handles all below it.

    Attributes:
        admissions: Called in this order for each creating call; each may refuse the call, reserve
            its cost or mark it.
        hears: For each kind of observation, a function that says whether any observer needs it now;
            asked where making the observation is expensive.
        timeline_of: Returns the timeline of a task, given the polls of the wait under way.
        traceparent_of: Returns the traceparent of a task's submission, if that is known.
    """

    def __init__(self) -> None:
        self.admissions: list[Admit] = []
        # Asked for each call, so it must cost no more than a check of the log level.
        self.hears: dict[type, Callable[[], bool]] = defaultdict(lambda: _NEVER)
        self.timeline_of: Callable[[str, int], Timeline] = lambda _task_id, _polls: Timeline()
        self.traceparent_of: Callable[[str], str | None] = lambda _task_id: None
        self._listeners: dict[type, tuple[_Listener, ...]] = {}
        self._seen: set[object] = set()

    def add(
        self,
        table: Mapping[type, Observe],
        *,
        when: Callable[[], bool] = _ALWAYS,
        name: str = "an observer",
    ) -> None:
        """Add an observer: a function for each kind of observation, and when it listens."""
        for kind, observe in table.items():
            listener = _Listener(observe, when, name)
            self._set(kind, (*self._listeners.get(kind, ()), listener))

    def remove(self, table: Mapping[type, Observe]) -> None:
        """Remove an observer."""
        for kind, observe in table.items():
            others = [each for each in self._listeners[kind] if each.observe != observe]
            self._set(kind, tuple(others))

    def _set(self, kind: type, listeners: tuple[_Listener, ...]) -> None:
        self._listeners[kind] = listeners
        conditions = [each.when for each in listeners]
        is_one = len(conditions) == 1
        self.hears[kind] = conditions[0] if is_one else lambda: any(when() for when in conditions)

    def notify(self, observation: object, about: object = None) -> None:
        """Call all observers of this kind; their exceptions are logged and not raised."""
        for kind in type(observation).__mro__:
            for each in self._listeners.get(kind, ()):
                try:
                    if each.when():
                        each.observe(observation, about)
                except Exception:
                    LOGGER.exception("%s raised", each.name)

    def is_new(self, what: object) -> bool:
        """Whether it was never asked about before: some things are said once in a session."""
        was_seen = what in self._seen
        self._seen.add(what)
        return not was_seen

    async def admit(self, endpoint: Endpoint, body: Any, about: object) -> Any:
        """Ask all admissions for a creating call; returns the body to send."""
        for admit in self.admissions:
            body = await admit(endpoint, body, about)
        return body
