"""Handles of existing tasks: waiting for the end, the result, streams and control."""

import asyncio
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Generator,
    Iterable,
)
from contextlib import contextmanager
from typing import Any

import attrs

from browser_use_async import errors, types
from browser_use_async.api.limits import is_seconds
from browser_use_async.api.submission_token import is_traceparent
from browser_use_async.api.tasks import TaskEndpoints
from browser_use_async.errors import OutputValidationError, TaskFailedError, TaskStoppedError
from browser_use_async.polling.poller import TaskPoller
from browser_use_async.polling.watched_task import Interest, Subscriber, WatchedTask
from browser_use_async.timeline import Timeline
from browser_use_async.types import Task, TaskStatus, TaskStep
from browser_use_async.types.base import Value


def successful(task: Task) -> Task:
    """The task, if it finished.

    Raises:
        TaskFailedError: It failed, or ended in a way that this version does not know.
        TaskStoppedError: It was stopped.
    """
    if task.status is TaskStatus.FINISHED:
        return task
    steps = f"{len(task.steps)} step" + ("" if len(task.steps) == 1 else "s")
    if task.status is TaskStatus.STOPPED:
        raise TaskStoppedError(
            f"task {task.id} was stopped after {steps}; error.task holds what it did", task=task
        )
    reason = task.steps[-1].evaluation_previous_goal.strip() if task.steps else ""
    said = f": {reason}" if reason else "; the service gave no reason"
    raise TaskFailedError(f"task {task.id} {task.status} after {steps}{said}", task=task)


def parsed(task: Task, output_type: Any) -> "types.ParsedTask[Any]":
    """The task with its output parsed.

    Raises:
        OutputValidationError: The output does not fit; it is kept on the error.
    """
    # Loaded by those who ask for a type.
    from browser_use_async.structured_output.parse import (  # noqa: PLC0415
        OutputMismatchError,
        parse_output,
    )

    # The error is raised outside of the except block: its context would hold the whole output.
    problem: str
    try:
        value = parse_output(task.output, output_type)
    except OutputMismatchError as error:
        problem = str(error)
    else:
        fields = {field.name: getattr(task, field.name) for field in attrs.fields(Task)}
        return types.ParsedTask(**fields, parsed=value)
    name = output_type.__name__ if isinstance(output_type, type) else repr(output_type)
    raise OutputValidationError(
        f"task {task.id} finished, but its output does not fit {name}: {problem}; "
        "error.raw_output holds what it answered",
        task=task,
        raw_output=task.output,
    )


_PREFIX = "bu-task.1."
_TRACED = "bu-task.2."  # which has the traceparent of the submission before the id


def traceparent_in(task_id_or_token: object) -> str | None:
    """The traceparent in a handle's token, if it has one."""
    if not isinstance(task_id_or_token, str) or not task_id_or_token.startswith(_TRACED):
        return None
    traceparent = task_id_or_token.removeprefix(_TRACED).partition(".")[0]
    return traceparent if is_traceparent(traceparent) else None


def task_id_of(task_id_or_token: object) -> str:
    """The id in a handle's token; an id is given back as it is."""
    task_id = task_id_or_token.removeprefix(_PREFIX) if isinstance(task_id_or_token, str) else ""
    traceparent = traceparent_in(task_id_or_token)
    if traceparent is not None:
        task_id = task_id.removeprefix(f"{_TRACED}{traceparent}.")
    if not task_id:
        what = "pass a task's id, or a handle's token"
        raise errors.InvalidRequestError(what, field="task_id")
    return task_id


@attrs.frozen(eq=False, repr=False)
class TaskHandle(Value):
    """A reference to a task, as `session.submit` and `session.handle` return it. Makes no request.

    Every method raises `BrowserUseError`; those of a wait carry the task's id. Waits and streams
    raise `WaitTimeoutError` when their time is up and `WaitInterruptedError` if the API stayed
    unreachable for too long; the task lives on.

    Attributes:
        id: The task's id.
    """

    id: str
    _tasks: TaskEndpoints = attrs.field(repr=False)
    _poller: TaskPoller = attrs.field(repr=False)
    _output_type: Any = attrs.field(default=None, repr=False)
    _submitted_at: float | None = attrs.field(default=None, repr=False)

    async def status(self) -> TaskStatus:
        """Where the task stands, in one call. Free."""
        return await self._tasks.get_status(self.id)

    async def wait(self, *, timeout: float | None = None) -> Task:
        """Wait until the task has ended, however it ended. Free.

        Args:
            timeout: Seconds, or None for `PollPolicy.max_wait`. The task lives on.

        Returns:
            The task; with an `output_type` and if it finished, a `ParsedTask`.

        Raises:
            WaitTimeoutError: The time is up.
            WaitInterruptedError: The API stayed unreachable for too long.
            OutputValidationError: The output does not fit the `output_type`.
        """
        task = await wait(self._poller, self.id, timeout, self._submitted_at)
        if self._output_type is None or task.status is not TaskStatus.FINISHED:
            return task
        return parsed(task, self._output_type)

    async def wait_for_live_url(self, *, timeout: float | None = None) -> str | None:
        """Wait until the task can be watched. Free.

        Args:
            timeout: Seconds, or None for `PollPolicy.max_wait`.

        Returns:
            The page to watch it on, or None if it ended without one.
        """
        with self._subscribed(timeout, Interest.STEPS) as (watched, news):
            while not watched.settled and (watched.task is None or watched.task.live_url is None):
                await news()
            watched.raise_error()
            return None if watched.task is None else watched.task.live_url

    async def stream_status(
        self, *, timeout: float | None = None
    ) -> AsyncGenerator[TaskStatus, None]:
        """Give the current status and each change, ending after a terminal one. Free.

        A slow consumer gets the latest status and no backlog.

        Args:
            timeout: Seconds, or None for `PollPolicy.max_wait`.
        """
        last: TaskStatus | None = None
        # The subscription comes first: what happens while a status is yielded is not missed.
        with self._subscribed(timeout, Interest.STATUS) as (watched, news):
            while True:
                watched.raise_error()
                status, ended = watched.status, watched.ended
                if status is not None and status != last:
                    last = status
                    yield status
                if ended:
                    return
                if watched.status == last and not watched.settled:
                    await news()

    async def stream_steps(
        self, *, after: int = 0, timeout: float | None = None
    ) -> AsyncGenerator[TaskStep, None]:
        """Give each step once, ending when the task does. Free.

        Steps come in the order of their numbers, but for one that the service lists late.

        Args:
            after: The number of the last step that is known already; 0 for none.
            timeout: Seconds, or None for `PollPolicy.max_wait`.
        """
        given: set[int] = set()
        with self._subscribed(timeout, Interest.STEPS) as (watched, news):
            while True:
                watched.raise_error()
                task, ended = watched.task, watched.ended
                for step in _new_steps(task, after, given):
                    given.add(step.step)
                    yield step
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
            asyncio.Event.set, event, _deadline(self._poller, timeout), interest
        )
        watched = self._poller.subscribe(self.id, subscriber, submitted_at=self._submitted_at)

        async def news() -> None:
            """Wait for news; at the deadline an answer that has just arrived still counts."""
            if not subscriber.expired:
                await event.wait()
                event.clear()
            if subscriber.expired and not watched.settled:
                raise _timed_out([watched])

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

    async def stop(self) -> None:
        """Stop the task for good."""
        await self._tasks.stop(self.id)
        self._poller.record_stop(self.id, "stop")

    def timeline(self) -> Timeline:
        """What this session knows to have happened to the task, oldest first. Makes no call.

        The submission with its attempts and the money at stake, statuses as they were seen, failed
        polls, and stops. A session remembers it for its latest 1,000 tasks.
        """
        return self._poller.timeline_of(self.id)

    def to_token(self) -> str:
        """A text from which `session.handle` makes this handle again, in any process.

        A session that writes spans adds which trace the submission belongs to.
        """
        telemetry = self._poller.telemetry
        traceparent = None if telemetry is None else telemetry.traceparent_of(self.id)
        return _PREFIX + self.id if traceparent is None else f"{_TRACED}{traceparent}.{self.id}"


def wait(
    poller: TaskPoller, task_id: str, timeout: float | None, submitted_at: float | None = None
) -> Coroutine[Any, Any, Task]:
    """Wait until a task has ended, however it ended."""
    # Not a coroutine around another: each of what may be ten thousand waits would hold both.
    waiting = _wait(poller, task_id, timeout, submitted_at)
    return waiting if poller.telemetry is None else poller.telemetry.wait(task_id, waiting)


async def _wait(
    poller: TaskPoller, task_id: str, timeout: float | None, submitted_at: float | None
) -> Task:
    # No handle, one frame and one future for each of what may be ten thousand waits.
    settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    subscriber = Subscriber(_resolve, settled, _deadline(poller, timeout))
    watched = poller.subscribe(task_id, subscriber, submitted_at=submitted_at)
    try:
        if not watched.settled:
            await settled
    finally:
        poller.unsubscribe(watched, subscriber)
    if not watched.settled:
        raise _timed_out([watched])
    return _result(watched)


async def wait_many(
    poller: TaskPoller, task_ids: Iterable[str], timeout: float | None
) -> AsyncGenerator[Task, None]:
    """Wait for many tasks and give each one as it ends; see `BrowserUseSession.wait_many`."""
    if isinstance(task_ids, str):
        what = "task_ids must be several ids; for one task use session.wait(task_id)"
        raise errors.InvalidRequestError(what, field="task_ids")
    deadline = _deadline(poller, timeout)
    woken: asyncio.Queue[str] = asyncio.Queue()
    pending: dict[str, tuple[WatchedTask, Subscriber]] = {}
    try:
        for task_id in dict.fromkeys(task_ids):
            subscriber = Subscriber(woken.put_nowait, task_id, deadline)
            pending[task_id] = (poller.subscribe(task_id, subscriber), subscriber)
        while pending:
            task_id = await woken.get()
            if task_id not in pending:
                continue
            watched, subscriber = pending[task_id]
            if watched.settled:
                del pending[task_id]
                poller.unsubscribe(watched, subscriber)
                yield _result(watched)
            elif subscriber.expired:
                alive = [each for each, _ in pending.values() if not each.settled]
                if len(alive) == len(pending):
                    raise _timed_out(alive)
                woken.put_nowait(task_id)  # behind those that have ended
    finally:
        for watched, subscriber in pending.values():
            poller.unsubscribe(watched, subscriber)


def _deadline(poller: TaskPoller, timeout: float | None) -> float:
    seconds = poller.policy.max_wait if timeout is None else timeout
    if not is_seconds(seconds):
        what = f"timeout must be a number of seconds of 0 or more, not {timeout!r}"
        raise errors.InvalidRequestError(what, field="timeout")
    return asyncio.get_running_loop().time() + seconds


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _new_steps(task: Task | None, after: int, given: Collection[int]) -> list[TaskStep]:
    """The steps not given yet, in order; a list that shrinks or shuffles repeats nothing."""
    if task is None:
        return []
    new = {each.step: each for each in task.steps if each.step > after and each.step not in given}
    return [new[number] for number in sorted(new)]


def _timed_out(alive: list[WatchedTask]) -> errors.WaitTimeoutError:
    first = alive[0]
    others = "" if len(alive) == 1 else f" and {len(alive) - 1} more"
    what = (
        f"task {first.task_id}{others} did not end in the time allowed; last seen as "
        f"{first.status or 'unknown'}. It lives on: wait again, or stop it with "
        "session.tasks.stop(task_id)"
    )
    error = errors.WaitTimeoutError(what, task_id=first.task_id, last_status=first.status)
    error.timeline = first.timeline()
    return error


def _result(watched: WatchedTask) -> Task:
    watched.raise_error()
    assert watched.task is not None
    return watched.task
