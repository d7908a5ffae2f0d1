"""Waits and streams: what a session offers on top of the poller."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Generator, Iterable
from contextlib import contextmanager
from functools import partial

from browser_use_async import errors
from browser_use_async.contract.limits import is_seconds
from browser_use_async.models import Task, TaskStatus, TaskStep
from browser_use_async.polling.poller import TaskPoller
from browser_use_async.polling.watched_task import Interest, Subscriber, WatchedTask

__all__ = ["TaskWaits"]


class TaskWaits:
    """The waits and streams of a session.

    In each method, `timeout` is in seconds, or None for `PollPolicy.max_wait`, and `submitted_at`
    is the loop time at which this session created the task, or None.
    """

    def __init__(self, poller: TaskPoller) -> None:
        self._poller = poller

    async def wait(
        self, task_id: str, *, timeout: float | None = None, submitted_at: float | None = None
    ) -> Task:
        """Wait until a task has ended, however it ended."""
        # One frame and one future for each of what may be ten thousand waits.
        settled: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        subscriber = Subscriber(partial(_resolve, settled), self._deadline(timeout))
        watched = self._poller.subscribe(task_id, subscriber, submitted_at=submitted_at)
        try:
            if not watched.settled:
                await settled
        finally:
            self._poller.unsubscribe(watched, subscriber)
        if not watched.settled:
            raise _timed_out([watched])
        return _result(watched)

    async def wait_many(
        self, task_ids: Iterable[str], *, timeout: float | None = None
    ) -> AsyncGenerator[Task, None]:
        """Wait for many tasks and give each one as it ends; one named twice is given once."""
        if isinstance(task_ids, str):
            raise errors.InvalidRequestError(
                "task_ids must be several ids; for one task use session.wait(task_id)",
                field="task_ids",
            )
        news = asyncio.Event()
        deadline = self._deadline(timeout)
        woken: deque[str] = deque()
        pending: dict[str, tuple[WatchedTask, Subscriber]] = {}

        def wake(task_id: str) -> None:
            woken.append(task_id)
            news.set()

        try:
            for task_id in dict.fromkeys(task_ids):
                subscriber = Subscriber(partial(wake, task_id), deadline)
                pending[task_id] = (self._poller.subscribe(task_id, subscriber), subscriber)
            while pending:
                while woken:
                    task_id = woken.popleft()
                    if task_id in pending and pending[task_id][0].settled:
                        watched, subscriber = pending.pop(task_id)
                        self._poller.unsubscribe(watched, subscriber)
                        yield _result(watched)
                if pending:
                    await _next_news(news, pending.values())
        finally:
            for watched, subscriber in pending.values():
                self._poller.unsubscribe(watched, subscriber)

    async def stream_status(
        self, task_id: str, *, timeout: float | None = None, submitted_at: float | None = None
    ) -> AsyncGenerator[TaskStatus, None]:
        """Give the current status and each change, ending after a terminal one."""
        last: TaskStatus | None = None
        with self._subscribed(task_id, timeout, submitted_at, Interest.STATUS) as (watched, news):
            while True:
                watched.raise_error()
                # Only the latest: a slow consumer has no backlog.
                status, ended = watched.status, watched.ended
                if status is not None and status != last:
                    last = status
                    yield status
                if ended:
                    return
                if watched.status == last and not watched.settled:
                    await news()

    async def stream_steps(
        self,
        task_id: str,
        *,
        after: int = 0,
        timeout: float | None = None,
        submitted_at: float | None = None,
    ) -> AsyncGenerator[TaskStep, None]:
        """Give each step once, ending when the task does.

        Steps come in the order of their numbers, but for one that the service lists late.
        """
        given: set[int] = set()
        with self._subscribed(task_id, timeout, submitted_at, Interest.STEPS) as (watched, news):
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

    async def wait_for_live_url(
        self, task_id: str, *, timeout: float | None = None, submitted_at: float | None = None
    ) -> str | None:
        """Wait for the live page; None if the task ended without one."""
        with self._subscribed(task_id, timeout, submitted_at, Interest.STEPS) as (watched, news):
            while not watched.settled and (watched.task is None or watched.task.live_url is None):
                await news()
            watched.raise_error()
            return None if watched.task is None else watched.task.live_url

    @contextmanager
    def _subscribed(
        self, task_id: str, timeout: float | None, submitted_at: float | None, interest: Interest
    ) -> Generator[tuple[WatchedTask, Callable[[], Awaitable[None]]]]:
        event = asyncio.Event()
        subscriber = Subscriber(event.set, self._deadline(timeout), interest)
        watched = self._poller.subscribe(task_id, subscriber, submitted_at=submitted_at)
        try:
            yield watched, partial(_next_news, event, [(watched, subscriber)])
        finally:
            self._poller.unsubscribe(watched, subscriber)

    def _deadline(self, timeout: float | None) -> float:
        seconds = self._poller.policy.max_wait if timeout is None else timeout
        if not is_seconds(seconds):
            raise errors.InvalidRequestError(
                f"timeout must be a number of seconds of 0 or more, not {timeout!r}",
                field="timeout",
            )
        return asyncio.get_running_loop().time() + seconds


def _resolve(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


async def _next_news(
    event: asyncio.Event, subscribed: Collection[tuple[WatchedTask, Subscriber]]
) -> None:
    """Wait for news; at the deadline an answer that has just arrived still counts."""
    _, first = next(iter(subscribed))
    if not first.expired:
        await event.wait()
        event.clear()
    if first.expired:
        alive = [watched for watched, _ in subscribed if not watched.settled]
        if len(alive) == len(subscribed):
            raise _timed_out(alive)


def _new_steps(task: Task | None, after: int, given: Collection[int]) -> list[TaskStep]:
    """The steps not given yet, in order; a list that shrinks or shuffles repeats nothing."""
    if task is None:
        return []
    new = {each.step: each for each in task.steps if each.step > after and each.step not in given}
    return [new[number] for number in sorted(new)]


def _timed_out(alive: list[WatchedTask]) -> errors.WaitTimeoutError:
    first = alive[0]
    others = "" if len(alive) == 1 else f" and {len(alive) - 1} more"
    return errors.WaitTimeoutError(
        f"task {first.task_id}{others} did not end in the time allowed; last seen as "
        f"{first.status or 'unknown'}. It lives on: wait again, or stop it with "
        "session.tasks.stop(task_id)",
        task_id=first.task_id,
        last_status=first.status,
    )


def _result(watched: WatchedTask) -> Task:
    watched.raise_error()
    assert watched.task is not None
    return watched.task
