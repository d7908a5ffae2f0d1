"""Handles of existing tasks: waiting for the end, the result, streams and control."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
from contextlib import aclosing, contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, overload

import attrs

from browser_use_async import errors, types
from browser_use_async.api.submission_token import is_traceparent
from browser_use_async.api.tasks import TaskEndpoints
from browser_use_async.events import Timeline
from browser_use_async.lifecycle.waits import deadline_of, result_of, timed_out, wait
from browser_use_async.polling.poller import TaskPoller
from browser_use_async.polling.watched_task import Interest, Subscriber, WatchedTask
from browser_use_async.types import Created, Task, TaskStatus, TaskStep, TaskSummary

if TYPE_CHECKING:
    from typing_extensions import TypeVar  # with defaults; typing has them from Python 3.13 on

    from browser_use_async.lifecycle.interventions import Intervention

    OutputT = TypeVar("OutputT", default=Any)
else:
    from typing import TypeVar

    OutputT = TypeVar("OutputT")


_PREFIX = "bu-task.1."
_TRACED = "bu-task.2."  # then the traceparent of the submission and the id


def traceparent_in(task_id_or_token: object) -> str | None:
    """The traceparent in a handle's token, if it has one."""
    if not isinstance(task_id_or_token, str) or not task_id_or_token.startswith(_TRACED):
        return None
    traceparent = task_id_or_token.removeprefix(_TRACED).partition(".")[0]
    return traceparent if is_traceparent(traceparent) else None


def task_id_of(task: object) -> str:
    """The id of a task that is given as an id, a handle's token, a handle or a response."""
    if isinstance(task, str):
        traceparent = traceparent_in(task)
        prefix = _PREFIX if traceparent is None else f"{_TRACED}{traceparent}."
        task_id = task.removeprefix(prefix)
    else:
        is_task = isinstance(task, TaskHandle | Task | TaskSummary | Created)
        task_id = getattr(task, "id", "") if is_task else ""
    if not task_id:
        given = "an empty text" if isinstance(task, str) else f"{type(task).__name__}"
        what = f"pass a task's id, a handle's token, a handle or a task, not {given}"
        raise errors.InvalidRequestError(what, field="task_id")
    return task_id


@attrs.frozen
class TaskHandle(Generic[OutputT]):
    """A reference to a task, as `session.submit` and `session.handle` return it. Makes no request.

    With an `output_type=M` it is a `TaskHandle[M]`, whose `wait` returns a `ParsedTask[M]`; without
    one it is a `TaskHandle[None]`, whose `wait` returns a `Task`.

    `wait` returns the task also if it failed or was stopped. To raise an error then, as
    `session.run_and_wait` does, use `wait(check=True)` or `task.raise_for_status()`.

    Every method raises `BrowserUseError`; the errors of waits have the task's id. Waits and streams
    raise `WaitTimeoutError` when their time is up and `WaitInterruptedError` if the API stayed
    unreachable for too long; the task lives on.

    Attributes:
        id: The task's id.
        output_type: The type that `wait` parses the output into, or None.
        joined: Whether an earlier submission with the same key had created the task.
    """

    id: str
    _tasks: TaskEndpoints = attrs.field(repr=False)
    _poller: TaskPoller = attrs.field(repr=False)
    output_type: Any = attrs.field(default=None, repr=False)
    _submitted_at: float | None = attrs.field(default=None, repr=False)
    joined: bool = attrs.field(default=False, repr=False, eq=False)

    async def get_status(self) -> TaskStatus:
        """Return the status of the task, in one call. Free. API page: Get Task Status."""
        return await self._tasks.get_status(self.id)

    @overload
    async def wait(
        self: "TaskHandle[None]", *, timeout: float | None = None, check: bool = False
    ) -> Task: ...

    @overload
    async def wait(
        self, *, timeout: float | None = None, check: bool = False
    ) -> "types.ParsedTask[OutputT]": ...

    async def wait(self, *, timeout: float | None = None, check: bool = False) -> Task:
        """Wait until the task has ended, and return it, whatever its end. Free.

        Args:
            timeout: Seconds, or None for `PollPolicy.timeout`. The task goes on after it.
            check: Whether to raise an error unless the task finished.

        Returns:
            The task. With an `output_type` it is a `ParsedTask`; if it did not finish, reading
            its `parsed` raises what `check` would have raised.

        Raises:
            WaitTimeoutError: The time is up.
            WaitInterruptedError: The API stayed unreachable for too long.
            OutputValidationError: The output does not fit the `output_type`.
            TaskFailedError: With `check`: the task failed.
            TaskStoppedError: With `check`: the task was stopped.
        """
        task = await wait(self._poller, self.id, timeout, self._submitted_at)
        if check:
            task.raise_for_status()
        if self.output_type is None:
            return task
        if task.status is not TaskStatus.FINISHED:
            return types.ParsedTask[Any].of(task)
        return task.parse(self.output_type)

    async def wait_for_live_url(self, *, timeout: float | None = None) -> str | None:
        """Wait until the task has a live page. Free.

        The bundled server has one from the creation on, other servers once the task has a browser.

        Args:
            timeout: Seconds, or None for `PollPolicy.timeout`.

        Returns:
            The address of the page, or None if the task ended without one.
        """
        async with aclosing(self._looks(timeout)) as looks:
            async for task, _paused_at in looks:
                if task.live_url is not None:
                    return task.live_url
        return None

    async def stream_status(
        self, *, timeout: float | None = None
    ) -> AsyncGenerator[TaskStatus, None]:
        """Yield the current status and each change, up to a terminal one. Free.

        A slow consumer gets the latest status and no backlog.

        Args:
            timeout: Seconds, or None for `PollPolicy.timeout`.
        """
        last: TaskStatus | None = None
        # The subscription comes first, so no change is missed while a status is yielded.
        with self._subscribed(timeout, Interest.STATUS) as (watched, news):
            while True:
                # Only the status is needed, also of a task whose answers cannot be decoded.
                if (end := watched.unread_end) is not None:
                    yield end
                    return
                watched.raise_error()
                status, ended = watched.status, watched.ended
                if status is not None and status != last:
                    last = status
                    yield status
                if ended:
                    return
                # A change that came while the consumer was busy is yielded at once.
                if watched.status == last and not watched.settled:
                    await news()

    async def stream_steps(
        self, *, after: int = 0, timeout: float | None = None
    ) -> AsyncGenerator[TaskStep, None]:
        """Yield each step once, until the task ends. Free.

        Steps come in the order of their numbers, except one that the service lists late.

        Args:
            after: The number of the last known step; 0 for none.
            timeout: Seconds, or None for `PollPolicy.timeout`.
        """
        given: set[int] = set()
        async with aclosing(self._looks(timeout)) as looks:
            async for task, _paused_at in looks:
                # In order; a list that shrinks or shuffles repeats nothing.
                new = {each.step: each for each in task.steps if each.step > after}
                for number in sorted(new.keys() - given):
                    given.add(number)
                    yield new[number]

    async def interventions(
        self, *, timeout: float | None = None
    ) -> "AsyncGenerator[Intervention, None]":
        """Yield one `Intervention` for each pause that a poll sees. Free.

        Ends when the task does. A task is paused by an executor that needs a person's help, or by
        `pause`. A pause after this session's `resume` is a new one. A pause that ends before a poll
        sees it yields nothing.

        Args:
            timeout: Seconds, or None for `PollPolicy.timeout`.
        """
        # Loaded when used.
        from browser_use_async.lifecycle.interventions import Intervention  # noqa: PLC0415

        given: float | None = None  # when the pause of the last request was first seen
        async with aclosing(self._looks(timeout)) as looks:
            async for task, paused_at in looks:
                if paused_at not in {None, given}:
                    given = paused_at
                    last = task.steps[-1] if task.steps else TaskStep()
                    yield Intervention(
                        task.id, last.next_goal, task.live_url, last.url, self.resume, self.stop
                    )

    async def _looks(
        self, timeout: float | None
    ) -> AsyncGenerator[tuple[Task, float | None], None]:
        """Yield the whole task after each change, and when its pause was first seen."""
        with self._subscribed(timeout, Interest.STEPS) as (watched, news):
            while True:
                watched.raise_error()
                # Read together, since a newer task may come while this one is yielded.
                task, ended = watched.task, watched.ended
                if task is not None:
                    yield task, watched.paused_at
                if ended:
                    return
                if watched.task is task and not watched.settled:
                    await news()

    @contextmanager
    def _subscribed(
        self, timeout: float | None, interest: Interest
    ) -> Generator[tuple[WatchedTask, Callable[[], Awaitable[None]]]]:
        event = asyncio.Event()
        subscriber = Subscriber(
            asyncio.Event.set, event, deadline_of(self._poller, timeout), interest
        )
        watched = self._poller.subscribe(self.id, subscriber, submitted_at=self._submitted_at)

        async def news() -> None:
            """Wait for a change; at the deadline an answer that has just arrived still counts."""
            if not subscriber.expired:
                await event.wait()
                event.clear()
            if subscriber.expired and not watched.settled:
                raise timed_out(self._poller, [watched])

        try:
            yield watched, news
        finally:
            self._poller.unsubscribe(watched, subscriber)

    async def pause(self) -> None:
        """Pause the running task."""
        await self._tasks.pause(self.id)
        self._poller.record_stop(self.id, "pause")

    async def resume(self) -> None:
        """Continue the paused task."""
        await self._tasks.resume(self.id)
        self._poller.record_resume(self.id)

    async def stop(self) -> None:
        """Stop the task for good."""
        await self._tasks.stop(self.id)
        self._poller.record_stop(self.id, "stop")

    async def get_screenshot(
        self, step: int | None = None, *, max_bytes: int | None = 10_000_000
    ) -> "types.Screenshot":
        """Download one picture of the task, also while it runs. Free.

        As the last expression of a notebook cell, it is shown. All pictures are written to files
        by `session.files.download_screenshots`. API page: Get Task Screenshots.

        Args:
            step: The number of a step, or None for the latest picture.
            max_bytes: The largest size that is accepted, or None.

        Raises:
            FileTransferError: There is no such picture, it is too large, or it cannot be downloaded
                whole.
        """
        # Loaded when used.
        from browser_use_async.files import DownloadOptions, screenshot_of  # noqa: PLC0415

        transport, options = self._poller.transport, DownloadOptions(max_bytes)
        return await screenshot_of(transport, self._tasks, self.id, step, options)

    def timeline(self) -> Timeline:
        """Return what this session has seen of the task, oldest first. Makes no call.

        It has the submission with its attempts and the possible cost, the statuses that were seen,
        failed polls, and stops. A session keeps timelines of its latest 1,000 tasks.
        """
        watched = self._poller.watched(self.id)
        polls = 0 if watched is None else watched.polls
        return self._poller.transport.observers.timeline_of(self.id, polls)

    def to_token(self) -> str:
        """Return a text from which `session.handle` makes this handle again, in any process.

        The text does not contain the `output_type`: give it to `session.handle` again. A session
        that writes spans adds the trace of the submission.
        """
        traceparent = self._poller.transport.observers.traceparent_of(self.id)
        return _PREFIX + self.id if traceparent is None else f"{_TRACED}{traceparent}.{self.id}"

    def _repr_html_(self) -> str:
        """The HTML for notebooks: the id and, while one of its waits runs, the last status."""
        from browser_use_async.types.notebook import table  # noqa: PLC0415

        watched = self._poller.watched(self.id)
        if watched is not None and watched.task is not None:
            return watched.task._repr_html_()
        status = "" if watched is None else str(watched.status or "")
        status = status or "status not read yet (await handle.get_status())"
        return table("Task handle", [("id", self.id), ("status", status)])


TaskReference: TypeAlias = str | Task | TaskSummary | Created | TaskHandle[Any]
"""A reference to a task: its id, a handle's token, a handle, or a response about it."""


def handle_to(
    task: TaskReference, output_type: Any, tasks: TaskEndpoints, poller: TaskPoller
) -> TaskHandle[Any]:
    """A handle to a task in the session of this poller, with its own type unless one is given."""
    if not isinstance(task, TaskHandle):
        return TaskHandle(task_id_of(task), tasks, poller, output_type)
    if task._poller is not poller:  # noqa: SLF001
        own_type = task.output_type if output_type is None else output_type
        return TaskHandle(task.id, tasks, poller, own_type)
    return task if output_type is None else attrs.evolve(task, output_type=output_type)


def _submitted_at(task: TaskReference, poller: TaskPoller) -> float | None:
    """The loop time at which this poller's session has asked for a task; None if it has not."""
    if isinstance(task, TaskHandle) and task._poller is poller:  # noqa: SLF001
        return task._submitted_at  # noqa: SLF001
    return None


async def wait_many(
    poller: TaskPoller, task_ids: Iterable[TaskReference], timeout: float | None
) -> AsyncGenerator[Task, None]:
    """Wait for many tasks and yield each one as it ends; see `BrowserUseSession.wait_many`."""
    if isinstance(task_ids, str | Task | TaskSummary | Created | TaskHandle):
        what = "wait_many takes several tasks, such as a list; for one use session.wait(task)"
        raise errors.InvalidRequestError(what, field="task_ids")
    deadline = deadline_of(poller, timeout)
    woken: asyncio.Queue[str] = asyncio.Queue()
    pending: dict[str, tuple[WatchedTask, Subscriber]] = {}
    try:
        for given in task_ids:
            if (task_id := task_id_of(given)) in pending:
                continue
            subscriber = Subscriber(woken.put_nowait, task_id, deadline)
            # A handle of this session knows that its task exists, and how new it is.
            submitted_at = _submitted_at(given, poller)
            watched = poller.subscribe(task_id, subscriber, submitted_at=submitted_at)
            pending[task_id] = (watched, subscriber)
        while pending:
            task_id = await woken.get()
            # Woken twice: by the end of its task, and by the deadline.
            if task_id not in pending:
                continue
            watched, subscriber = pending[task_id]
            if watched.settled:
                del pending[task_id]
                poller.unsubscribe(watched, subscriber)
                yield result_of(watched)
            elif subscriber.expired:
                alive = [each for each, _ in pending.values() if not each.settled]
                # Only when all tasks that ended in time have been yielded.
                if len(alive) == len(pending):
                    raise timed_out(poller, alive)
                woken.put_nowait(task_id)  # behind those that have ended
    finally:
        for watched, subscriber in pending.values():
            poller.unsubscribe(watched, subscriber)
