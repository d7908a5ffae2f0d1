"""The verbs that follow tasks which exist."""

from collections.abc import AsyncGenerator, Iterable

from browser_use_async.api.tasks import TaskEndpoints
from browser_use_async.lifecycle.handle import TaskHandle, task_id_of, wait, wait_many
from browser_use_async.polling.poller import TaskPoller
from browser_use_async.types import Task, TaskStatus, TaskStep

__all__ = ["FollowVerbs"]


class FollowVerbs:
    """Part of `BrowserUseSession`."""

    tasks: TaskEndpoints
    _poller: TaskPoller

    def handle(self, task_id_or_token: str) -> TaskHandle:
        """A handle to a task that exists already. Makes no call.

        Args:
            task_id_or_token: The task's id, or `TaskHandle.to_token()`.
        """
        return TaskHandle(task_id_of(task_id_or_token), self.tasks, self._poller)

    async def wait(self, task_id: str, *, timeout: float | None = None) -> Task:
        """Wait until a task has ended, however it ended. Free; always leaves the task running.

        Args:
            task_id: The task.
            timeout: Seconds, or None for `PollPolicy.max_wait`.

        Raises:
            WaitTimeoutError: The time is up.
            WaitInterruptedError: The API stayed unreachable for too long.
            BrowserUseError: The API refused; `.task_id` says which task.
        """
        return await wait(self._poller, task_id, timeout)

    def wait_many(
        self, task_ids: Iterable[str], *, timeout: float | None = None
    ) -> AsyncGenerator[Task, None]:
        """Wait for many tasks and give each one as it ends. Free.

        Args:
            task_ids: The tasks; one that is named twice is given once.
            timeout: Seconds for all together, or None for `PollPolicy.max_wait`.

        Raises:
            WaitTimeoutError: The time is up for those that are left.
            BrowserUseError: As `wait`, for the first task that cannot be waited for.
        """
        return wait_many(self._poller, task_ids, timeout)

    def stream_status(
        self, task_id: str, *, timeout: float | None = None
    ) -> AsyncGenerator[TaskStatus, None]:
        """Give the current status and each change, ending after a terminal one. Free.

        A slow consumer gets the latest status and no backlog. API page: Get Task Status.

        Args:
            task_id: The task.
            timeout: Seconds, or None for `PollPolicy.max_wait`.

        Raises:
            WaitTimeoutError: The time is up.
            WaitInterruptedError: The API stayed unreachable for too long.
        """
        return TaskHandle(task_id, self.tasks, self._poller).stream_status(timeout=timeout)

    def stream_steps(
        self, task_id: str, *, after: int = 0, timeout: float | None = None
    ) -> AsyncGenerator[TaskStep, None]:
        """Give each step once, in order, ending when the task does. Free.

        Args:
            task_id: The task.
            after: The number of the last step that is known already; 0 for none.
            timeout: Seconds, or None for `PollPolicy.max_wait`.

        Raises:
            WaitTimeoutError: The time is up.
            WaitInterruptedError: The API stayed unreachable for too long.
        """
        handle = TaskHandle(task_id, self.tasks, self._poller)
        return handle.stream_steps(after=after, timeout=timeout)
