"""Waits and streams: what a caller sees of the watcher."""

import asyncio
import functools
from collections import deque
from collections.abc import AsyncGenerator, Collection, Iterable, Sequence

from browser_use_async import errors
from browser_use_async.contract.limits import is_seconds
from browser_use_async.models import Task, TaskStatus, TaskStep
from browser_use_async.waiting.watch import Bell, ChangeFollower, EndFollower, Follower, Watch
from browser_use_async.waiting.watcher import Watcher

__all__ = ["Waiting"]


class Waiting:
    """The waits and streams of a session.

    Args:
        watcher: What does the polling.
    """

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher

    async def wait(
        self, task_id: str, *, timeout: float | None = None, submitted_at: float | None = None
    ) -> Task:
        """Wait until a task has ended, however it ended.

        Args:
            task_id: The task.
            timeout: Seconds, or None for `PollPolicy.max_wait`.
            submitted_at: The loop time at which this session created it, or None.
        """
        # One frame and one future for each of what may be ten thousand waits.
        ended = asyncio.get_running_loop().create_future()
        follower = EndFollower(ended=ended, deadline=self._deadline(timeout))
        watch = self._watcher.attach(task_id, follower, submitted_at=submitted_at)
        try:
            if not watch.settled:
                await ended
        finally:
            self._watcher.detach(watch, follower)
        if not watch.settled:
            raise _timeout((watch,))
        return _result(watch)

    async def wait_many(
        self, task_ids: Iterable[str], *, timeout: float | None = None
    ) -> AsyncGenerator[Task, None]:
        """Wait for many tasks and give each one as it ends.

        Args:
            task_ids: The tasks; one that is named twice is given once.
            timeout: Seconds for all of them together, or None for `PollPolicy.max_wait`.
        """
        bell = Bell()
        deadline = self._deadline(timeout)
        touched: deque[str] = deque()
        pending: dict[str, tuple[Watch, Follower]] = {}

        def news(task_id: str) -> None:
            touched.append(task_id)
            bell.ring()

        if isinstance(task_ids, str):
            raise errors.InvalidRequestError(
                "task_ids must be several ids; for one task use session.wait(task_id)",
                field="task_ids",
            )
        try:
            for task_id in dict.fromkeys(task_ids):
                wake = functools.partial(news, task_id)
                changes = ChangeFollower(wake=wake, deadline=deadline)
                pending[task_id] = (self._watcher.attach(task_id, changes), changes)
            while pending:
                while touched:
                    task_id = touched.popleft()
                    if task_id in pending and pending[task_id][0].settled:
                        watch, follower = pending.pop(task_id)
                        self._watcher.detach(watch, follower)
                        yield _result(watch)
                if pending:
                    await _ring_or_timeout(bell, pending.values())
        finally:
            for watch, follower in pending.values():
                self._watcher.detach(watch, follower)

    async def stream_status(
        self, task_id: str, *, timeout: float | None = None, submitted_at: float | None = None
    ) -> AsyncGenerator[TaskStatus, None]:
        """Give the current status and each change, ending after a terminal one.

        Args:
            task_id: The task.
            timeout: Seconds, or None for `PollPolicy.max_wait`.
            submitted_at: The loop time at which this session created it, or None.
        """
        bell = Bell()
        follower = ChangeFollower(
            wake=bell.ring, deadline=self._deadline(timeout), wants_status=True
        )
        seen: TaskStatus | None = None
        with self._watcher.follow(task_id, follower, submitted_at=submitted_at) as watch:
            while True:
                watch.raise_error()
                # Only the latest: a slow consumer has no backlog.
                status, ended = watch.status, watch.ended
                if status is not None and status != seen:
                    seen = status
                    yield status
                if ended:
                    return
                if watch.status == seen and not watch.settled:
                    await _ring_or_timeout(bell, ((watch, follower),))

    async def stream_steps(
        self,
        task_id: str,
        *,
        after: int = 0,
        timeout: float | None = None,
        submitted_at: float | None = None,
    ) -> AsyncGenerator[TaskStep, None]:
        """Give each step once, in order, ending when the task does.

        Args:
            task_id: The task.
            after: The number of the last step that is known already; 0 for none.
            timeout: Seconds, or None for `PollPolicy.max_wait`.
            submitted_at: The loop time at which this session created it, or None.
        """
        bell = Bell()
        follower = ChangeFollower(
            wake=bell.ring, deadline=self._deadline(timeout), wants_steps=True
        )
        last = after
        with self._watcher.follow(task_id, follower, submitted_at=submitted_at) as watch:
            while True:
                watch.raise_error()
                task, ended = watch.task, watch.ended
                for step in _new_steps(task, last):
                    last = step.step
                    yield step
                if ended:
                    return
                if watch.task is task and not watch.settled:
                    await _ring_or_timeout(bell, ((watch, follower),))

    async def wait_for_live_url(
        self, task_id: str, *, timeout: float | None = None, submitted_at: float | None = None
    ) -> str | None:
        """Wait until a task can be watched.

        Args:
            task_id: The task.
            timeout: Seconds, or None for `PollPolicy.max_wait`.
            submitted_at: The loop time at which this session created it, or None.

        Returns:
            The page to watch it on, or None if the task ended without one.
        """
        bell = Bell()
        follower = ChangeFollower(
            wake=bell.ring, deadline=self._deadline(timeout), wants_steps=True
        )
        with self._watcher.follow(task_id, follower, submitted_at=submitted_at) as watch:
            while not watch.settled and (watch.task is None or watch.task.live_url is None):
                await _ring_or_timeout(bell, ((watch, follower),))
            watch.raise_error()
            return None if watch.task is None else watch.task.live_url

    def _deadline(self, timeout: float | None) -> float:
        if timeout is None:
            timeout = self._watcher.policy.max_wait
        if not is_seconds(timeout):
            raise errors.InvalidRequestError(
                f"timeout must be a number of seconds of 0 or more, not {timeout!r}",
                field="timeout",
            )
        return asyncio.get_running_loop().time() + timeout


def _new_steps(task: Task | None, last: int) -> list[TaskStep]:
    """The steps behind `last`, in order; a list that shrinks or shuffles repeats nothing."""
    if task is None or not task.steps:
        return []
    new = {step.step: step for step in task.steps if step.step > last}
    return [new[number] for number in sorted(new)]


async def _ring_or_timeout(bell: Bell, followed: Collection[tuple[Watch, Follower]]) -> None:
    """Wait for news. At the deadline, an answer that has just arrived still counts.

    Args:
        bell: Rings when there is some.
        followed: The followers of one wait or stream, which have one deadline.
    """
    _watch, first = next(iter(followed))
    if not first.is_over:
        await bell.wait()
    if not first.is_over:
        return
    alive = [watch for watch, _follower in followed if not watch.settled]
    if len(alive) == len(followed):
        raise _timeout(alive)


def _timeout(alive: Sequence[Watch]) -> errors.WaitTimeoutError:
    first = alive[0]
    others = "" if len(alive) == 1 else f" and {len(alive) - 1} more"
    return errors.WaitTimeoutError(
        f"task {first.task_id}{others} did not end in the time allowed; last seen as "
        f"{first.status or 'unknown'}. It lives on: wait again, or stop it with "
        "session.tasks.stop(task_id)",
        task_id=first.task_id,
        last_status=first.status,
    )


def _result(watch: Watch) -> Task:
    watch.raise_error()
    assert watch.task is not None
    return watch.task
