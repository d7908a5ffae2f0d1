"""Submitting, and running to the end: who stops the task when nobody waits any longer."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Literal, cast

import attrs

from browser_use_async.contract.output_schema import output_schema
from browser_use_async.endpoints import TaskEndpoints
from browser_use_async.endpoints.tasks import run_task_request
from browser_use_async.errors import BrowserUseError, InvalidRequestError, WaitTimeoutError
from browser_use_async.models import RunTaskFields, RunTaskRequest, Task
from browser_use_async.submission.background import Background
from browser_use_async.submission.creation import Creator, OnAmbiguous, Submission
from browser_use_async.submission.handle import Followable, TaskHandle
from browser_use_async.submission.results import parsed, successful

__all__ = ["Fate", "OnCreated", "Runner"]

_LOGGER = logging.getLogger("browser_use_async")

Fate = Literal["leave", "stop", "pause"]
OnCreated = Callable[[TaskHandle], Awaitable[None] | None]


@attrs.frozen
class Runner:
    """The verbs that create tasks.

    Attributes:
        creator: Creates them, paying once.
        tasks: Stops and pauses them.
        waiting: Waits for them.
        background: Keeps what outlives a call.
    """

    creator: Creator
    tasks: TaskEndpoints
    waiting: Followable
    background: Background

    def submission_of(
        self,
        task: str | RunTaskRequest,
        fields: RunTaskFields,
        output_type: Any,
        on_ambiguous: OnAmbiguous,
        settle_window: float,
    ) -> Submission:
        """Check everything that can be checked before sending.

        Args:
            task: The instructions, or a whole request.
            fields: Keyword fields; emptied.
            output_type: The type of the output, or None.
            on_ambiguous: What to do when the answer is lost.
            settle_window: Seconds.
        """
        if output_type is not None:
            if "structured_output_json" in fields:
                cast("dict[str, object]", fields).clear()
                raise InvalidRequestError(
                    "pass either output_type or structured_output_json, not both; nothing was sent",
                    field="output_type",
                )
            fields["structured_output_json"] = output_schema(output_type)
        request = run_task_request(task, fields)
        return self.creator.prepare(request, on_ambiguous, settle_window)

    async def submit(
        self, submission: Submission, output_type: Any, on_cancel: Fate = "stop"
    ) -> TaskHandle:
        """Create the task. Cancelled in the middle, it leaves no task that nobody knows.

        Args:
            submission: What to create.
            output_type: The type of the output, or None.
            on_cancel: What becomes of a task whose handle nobody will get.
        """
        return await self._create_until(submission, output_type, None, "leave", on_cancel)

    async def _create(self, submission: Submission, output_type: Any) -> TaskHandle:
        task_id = await self.creator.create(submission)
        now = asyncio.get_running_loop().time()
        return TaskHandle(task_id, self.tasks, self.waiting, output_type, now)

    async def run_and_wait(
        self,
        submission: Submission,
        output_type: Any,
        timeout: float | None,
        on_timeout: Fate,
        on_cancel: Fate,
        on_created: OnCreated | None,
    ) -> Task:
        """Create a task, wait for its end and give it if it finished.

        Args:
            submission: What to create.
            output_type: The type of the output, or None.
            timeout: Seconds for everything, or None for `PollPolicy.max_wait`.
            on_timeout: What becomes of the task when the time is up.
            on_cancel: What becomes of it when the caller is cancelled.
            on_created: Told the handle once the task exists.
        """
        for name, fate in (("on_timeout", on_timeout), ("on_cancel", on_cancel)):
            if fate not in {"leave", "stop", "pause"}:
                raise InvalidRequestError(
                    f"{name} must be 'leave', 'stop' or 'pause', not {fate!r}", field=name
                )
        loop = asyncio.get_running_loop()
        deadline = None if timeout is None else loop.time() + timeout
        handle = await self._create_until(submission, None, deadline, on_timeout, on_cancel)
        try:
            if on_created is not None:
                told = on_created(handle)
                if inspect.isawaitable(told):
                    await told
            left = None if deadline is None else max(deadline - loop.time(), 0.0)
            task = await handle.wait(timeout=left)
        except WaitTimeoutError:
            # Not waited for: the caller was promised an end at this moment.
            self.background.start(self._end(handle.id, on_timeout))
            raise
        except asyncio.CancelledError:
            await self.background.finish(self.background.start(self._end(handle.id, on_cancel)))
            raise
        task = successful(task)
        return task if output_type is None else parsed(task, output_type)

    async def _create_until(
        self,
        submission: Submission,
        output_type: Any,
        deadline: float | None,
        on_timeout: Fate,
        on_cancel: Fate,
    ) -> TaskHandle:
        # Not in the caller's own task: a cancellation must not tear the request in two.
        creation = self.background.start(self._create(submission, output_type))
        loop = asyncio.get_running_loop()
        left = None if deadline is None else max(deadline - loop.time(), 0.0)
        try:
            await asyncio.wait([creation], timeout=left)
        except asyncio.CancelledError:
            cleanup = self.background.start(self._abandon(creation, on_cancel))
            await self.background.finish(cleanup)
            raise
        if creation.done():
            return creation.result()
        self.background.start(self._abandon(creation, on_timeout))
        raise self.creator.unknown(submission)

    async def _abandon(self, creation: "asyncio.Task[TaskHandle]", fate: Fate) -> None:
        """Let a creation come to its end, then decide over the task."""
        await asyncio.wait([creation])
        if not creation.cancelled() and creation.exception() is None:
            await self._end(creation.result().id, fate)

    async def _end(self, task_id: str, fate: Fate) -> None:
        if fate == "leave":
            return
        try:
            await (self.tasks.stop if fate == "stop" else self.tasks.pause)(task_id)
        except BrowserUseError as error:
            _LOGGER.warning("could not %s task %s: %s", fate, task_id, error)
