"""A task that exists, whoever created it."""

from collections.abc import AsyncGenerator
from typing import Any

import attrs

from browser_use_async.endpoints import TaskEndpoints
from browser_use_async.errors import InvalidRequestError
from browser_use_async.models import Task, TaskStatus, TaskStep
from browser_use_async.models.record import Value
from browser_use_async.polling.waits import TaskWaits
from browser_use_async.submission.results import parsed

__all__ = ["TaskHandle", "task_id_of"]

_PREFIX = "bu-task.1."


def task_id_of(task_id_or_token: object) -> str:
    """The id in a handle's token; an id is given back as it is.

    Args:
        task_id_or_token: Either.

    Raises:
        InvalidRequestError: It is neither.
    """
    task_id = task_id_or_token.removeprefix(_PREFIX) if isinstance(task_id_or_token, str) else ""
    if not task_id:
        raise InvalidRequestError("pass a task's id, or a handle's token", field="task_id")
    return task_id


@attrs.frozen(eq=False, repr=False)
class TaskHandle(Value):
    """What `session.submit` and `session.handle` give. Cheap, and of no weight by itself.

    Every method raises `BrowserUseError`; those of a wait carry the task's id.

    Attributes:
        id: The task's id.
    """

    id: str
    _tasks: TaskEndpoints = attrs.field(repr=False)
    _waits: TaskWaits = attrs.field(repr=False)
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
        task = await self._waits.wait(self.id, timeout=timeout, submitted_at=self._submitted_at)
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
        return await self._waits.wait_for_live_url(
            self.id, timeout=timeout, submitted_at=self._submitted_at
        )

    def stream_status(self, *, timeout: float | None = None) -> AsyncGenerator[TaskStatus, None]:
        """Give the current status and each change, ending after a terminal one. Free.

        Args:
            timeout: Seconds, or None for `PollPolicy.max_wait`.
        """
        return self._waits.stream_status(self.id, timeout=timeout, submitted_at=self._submitted_at)

    def stream_steps(
        self, *, after: int = 0, timeout: float | None = None
    ) -> AsyncGenerator[TaskStep, None]:
        """Give each step once, in order, ending when the task does. Free.

        Args:
            after: The number of the last step that is known already; 0 for none.
            timeout: Seconds, or None for `PollPolicy.max_wait`.
        """
        return self._waits.stream_steps(
            self.id, after=after, timeout=timeout, submitted_at=self._submitted_at
        )

    async def pause(self) -> None:
        """Pause the running task."""
        await self._tasks.pause(self.id)

    async def resume(self) -> None:
        """Continue the paused task."""
        await self._tasks.resume(self.id)

    async def stop(self) -> None:
        """Stop the task for good."""
        await self._tasks.stop(self.id)

    def to_token(self) -> str:
        """A text from which `session.handle` makes this handle again, in any process."""
        return _PREFIX + self.id
