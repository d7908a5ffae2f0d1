"""Submitting, and running to the end: who stops the task when nobody waits any longer."""

import asyncio
import inspect
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Any, Literal, cast

from browser_use_async.api.limits import is_seconds
from browser_use_async.api.tasks import TaskEndpoints, run_task_request
from browser_use_async.errors import (
    APITimeoutError,
    BrowserUseError,
    InvalidRequestError,
    SessionClosedError,
    WaitTimeoutError,
)
from browser_use_async.lifecycle.create import Creator, OnAmbiguous, Stage, Submission
from browser_use_async.lifecycle.handle import TaskHandle, parsed, successful
from browser_use_async.lifecycle.run import Background
from browser_use_async.polling.poller import TaskPoller
from browser_use_async.types import UNSET, RunTaskFields, RunTaskRequest, Task

__all__ = ["Fate", "OnCreated", "Runner"]

_LOGGER = logging.getLogger("browser_use_async")

Fate = Literal["leave", "stop", "pause"]
OnCreated = Callable[[TaskHandle], Awaitable[None] | None]


class Runner:
    """The verbs that create tasks."""

    def __init__(
        self,
        creator: Creator,
        tasks: TaskEndpoints,
        poller: TaskPoller,
        background: Background,
    ) -> None:
        self.creator = creator
        self.tasks = tasks
        self.poller = poller
        self.background = background

    def submission_of(
        self,
        task: str | RunTaskRequest,
        fields: RunTaskFields,
        output_type: Any,
        on_ambiguous: OnAmbiguous,
        settle_window: float,
    ) -> Submission:
        """Check everything that can be checked before sending."""
        if output_type is not None:
            # Loaded by those who ask for a type.
            from browser_use_async.structured_output.schema import output_schema  # noqa: PLC0415

            try:
                self._refuse_second_schema(task, fields)
                fields["structured_output_json"] = output_schema(output_type)
            except InvalidRequestError:
                cast("dict[str, object]", fields).clear()  # tracebacks with locals show secrets
                raise
        request = run_task_request(task, fields)
        return self.creator.prepare(request, on_ambiguous, settle_window)

    def _refuse_second_schema(self, task: str | RunTaskRequest, fields: RunTaskFields) -> None:
        in_request = isinstance(task, RunTaskRequest) and task.structured_output_json is not UNSET
        if in_request or "structured_output_json" in fields:
            raise InvalidRequestError(
                "pass either output_type or structured_output_json, not both; nothing was sent",
                field="output_type",
            )

    async def submit(
        self, submission: Submission, output_type: Any, on_cancel: Fate = "stop"
    ) -> TaskHandle:
        """Create the task. Cancelled in the middle, it leaves no task that nobody knows."""
        return await self._create_until(submission, output_type, None, "leave", on_cancel)

    async def _create(self, submission: Submission, output_type: Any) -> TaskHandle:
        task_id = await self.creator.create(submission)
        now = asyncio.get_running_loop().time()
        return TaskHandle(task_id, self.tasks, self.poller, output_type, now)

    async def run_and_wait(
        self,
        submission: Submission,
        output_type: Any,
        timeout: float | None,
        on_timeout: Fate,
        on_cancel: Fate,
        on_created: OnCreated | None,
    ) -> Task:
        """Create a task, wait for its end and give it if it finished."""
        for name, fate in (("on_timeout", on_timeout), ("on_cancel", on_cancel)):
            if fate not in {"leave", "stop", "pause"}:
                raise InvalidRequestError(
                    f"{name} must be 'leave', 'stop' or 'pause', not {fate!r}", field=name
                )
        deadline = _deadline(timeout)
        handle = await self._create_until(submission, None, deadline, on_timeout, on_cancel)
        try:
            task = await self._follow(handle, deadline, on_timeout, on_cancel, on_created)
        except asyncio.CancelledError:
            await self._finish(self.background.start(self._end(handle.id, on_cancel)), on_cancel)
            raise
        task = successful(task)
        return task if output_type is None else parsed(task, output_type)

    async def _follow(
        self,
        handle: TaskHandle,
        deadline: float | None,
        on_timeout: Fate,
        on_cancel: Fate,
        on_created: OnCreated | None,
    ) -> Task:
        if on_created is not None:
            await self._tell(on_created, handle, deadline, on_timeout)
        try:
            return await handle.wait(timeout=_left(deadline))
        except WaitTimeoutError:
            # Not waited for: the caller was promised an end at this moment.
            self.background.start(self._end(handle.id, on_timeout))
            raise
        except (asyncio.CancelledError, BrowserUseError):
            raise
        except Exception as error:  # thrown in from outside, as nothing here raises it
            error.add_note(f"raised while task {handle.id} was waited for; on_cancel={on_cancel!r}")
            cleanup = self.background.start(self._end(handle.id, on_cancel))
            await self._finish(cleanup, on_cancel)
            raise

    async def _tell(
        self, on_created: OnCreated, handle: TaskHandle, deadline: float | None, on_timeout: Fate
    ) -> None:
        limit = asyncio.timeout_at(deadline)
        try:
            told = on_created(handle)
            if inspect.isawaitable(told):
                async with limit:
                    await told
        except Exception as error:
            if not (isinstance(error, TimeoutError) and limit.expired()):
                error.add_note(f"raised by on_created; task {handle.id} lives on")
                raise
        if limit.expired():
            self.background.start(self._end(handle.id, on_timeout))
            raise WaitTimeoutError(
                f"on_created did not return in the time allowed; task {handle.id} lives on",
                task_id=handle.id,
                last_status=None,
            )

    async def _create_until(
        self,
        submission: Submission,
        output_type: Any,
        deadline: float | None,
        on_timeout: Fate,
        on_cancel: Fate,
    ) -> TaskHandle:
        submission.ends_at = math.inf if deadline is None else deadline
        # Not in the caller's own task: a cancellation must not tear the request in two.
        creation = self.background.start(self._create(submission, output_type))
        try:
            await asyncio.wait([creation], timeout=_left(deadline))
        except asyncio.CancelledError:
            cleanup = self._abandon(creation, submission, on_cancel, told=False)
            await self._finish(cleanup, on_cancel)
            raise
        if creation.done() and not creation.cancelled():
            return creation.result()
        error = self._uncreated(submission, closed=creation.done())
        self._abandon(creation, submission, on_timeout, told=True)
        raise error

    def _uncreated(self, submission: Submission, *, closed: bool) -> BrowserUseError:
        """Why a creation that has not come to its end gives no handle."""
        if submission.stage is not Stage.UNSENT:
            return self.creator.unknown(submission)
        if closed:
            return SessionClosedError("the session was closed; run-task was not carried out")
        if submission.failure is not None:
            return submission.failure
        return APITimeoutError("the time was up before run-task was sent", sent=False, attempts=0)

    def _abandon(
        self,
        creation: "asyncio.Task[TaskHandle]",
        submission: Submission,
        fate: Fate,
        *,
        told: bool,
    ) -> "asyncio.Task[None]":
        """Send nothing more, and let what was sent come to its end."""
        submission.abandoned = True
        lost = submission.stage is Stage.UNKNOWN and fate == "leave"
        if submission.stage is Stage.UNSENT or lost:
            creation.cancel()
        return self.background.start(self._conclude(creation, submission, fate, told=told))

    async def _conclude(
        self,
        creation: "asyncio.Task[TaskHandle]",
        submission: Submission,
        fate: Fate,
        *,
        told: bool,
    ) -> None:
        """Decide over the task of an abandoned creation, or say that it may exist."""
        created = False
        try:
            await asyncio.wait([creation])
            created = not creation.cancelled() and creation.exception() is None
        finally:
            if not (created or told or submission.stage is Stage.UNSENT):
                _LOGGER.warning(
                    "a call was cancelled before run-task was answered, so a paid task may exist; "
                    "session.resolve_submission(%r) tells",
                    self.creator.token_text(submission),
                )
        if not created:
            return
        task_id = creation.result().id
        if fate == "leave" and not told:
            _LOGGER.warning(
                "a call was cancelled before it heard of task %s, which lives on", task_id
            )
        await self._end(task_id, fate)

    async def _finish(self, cleanup: "asyncio.Task[None]", fate: Fate) -> None:
        if fate != "leave":
            await self.background.finish(cleanup)

    async def _end(self, task_id: str, fate: Fate) -> None:
        if fate == "leave":
            return
        try:
            await (self.tasks.stop if fate == "stop" else self.tasks.pause)(task_id)
        except asyncio.CancelledError:
            _LOGGER.warning("there was no time to %s task %s", fate, task_id)
            raise
        except Exception as error:  # noqa: BLE001 - a user's middleware may raise anything
            _LOGGER.warning("could not %s task %s: %s", fate, task_id, error)


def _deadline(timeout: float | None) -> float | None:
    if timeout is None:
        return None
    if not is_seconds(timeout) or timeout == 0:
        raise InvalidRequestError(
            f"timeout must be a number of seconds above 0, not {timeout!r}; nothing was sent",
            field="timeout",
        )
    return asyncio.get_running_loop().time() + timeout


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(deadline - asyncio.get_running_loop().time(), 0.0)
