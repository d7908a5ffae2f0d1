"""The verbs that create tasks, and pay once."""

from typing import Any, TypeVar, Unpack, overload

from browser_use_async import types
from browser_use_async.lifecycle.create import Creator, OnAmbiguous
from browser_use_async.lifecycle.handle import TaskHandle
from browser_use_async.lifecycle.run import Fate, OnCreated, Runner
from browser_use_async.transport.client import Transport
from browser_use_async.types import RunTaskFields, RunTaskRequest, Task

__all__ = ["CreateVerbs"]

OutputT = TypeVar("OutputT")


class CreateVerbs:
    """Part of `BrowserUseSession`."""

    _transport: Transport
    _creator: Creator
    _runner: Runner

    @overload
    async def run_and_wait(
        self,
        task: str | RunTaskRequest,
        *,
        output_type: type[OutputT],
        timeout: float | None = None,
        on_timeout: Fate = "leave",
        on_cancel: Fate = "stop",
        on_created: OnCreated | None = None,
        on_ambiguous: OnAmbiguous = "reconcile",
        settle_window: float = 150.0,
        **fields: Unpack[RunTaskFields],
    ) -> "types.ParsedTask[OutputT]": ...

    @overload
    async def run_and_wait(
        self,
        task: str | RunTaskRequest,
        *,
        output_type: None = None,
        timeout: float | None = None,
        on_timeout: Fate = "leave",
        on_cancel: Fate = "stop",
        on_created: OnCreated | None = None,
        on_ambiguous: OnAmbiguous = "reconcile",
        settle_window: float = 150.0,
        **fields: Unpack[RunTaskFields],
    ) -> Task: ...

    @overload
    async def run_and_wait(
        self,
        task: str | RunTaskRequest,
        *,
        output_type: Any,
        timeout: float | None = None,
        on_timeout: Fate = "leave",
        on_cancel: Fate = "stop",
        on_created: OnCreated | None = None,
        on_ambiguous: OnAmbiguous = "reconcile",
        settle_window: float = 150.0,
        **fields: Unpack[RunTaskFields],
    ) -> "types.ParsedTask[Any]": ...  # unions and Literal, which have no `type[...]`

    async def run_and_wait(
        self,
        task: str | RunTaskRequest,
        *,
        output_type: Any = None,
        timeout: float | None = None,
        on_timeout: Fate = "leave",
        on_cancel: Fate = "stop",
        on_created: OnCreated | None = None,
        on_ambiguous: OnAmbiguous = "reconcile",
        settle_window: float = 150.0,
        **fields: Unpack[RunTaskFields],
    ) -> Task:
        """Create a task, wait for its end, and give it if it finished. Costs money.

        Needs an active subscription on the hosted service. API pages: Run Task, Get Task Status.

        Args:
            task: What the agent should do, or a whole request.
            output_type: A pydantic model, attrs class, dataclass, TypedDict or a container of
                them. Its JSON schema is sent, and the task's `parsed` is of that type. An attrs
                field that was given an alias is called so in JSON; what does not fit the type of
                a field with a converter goes to the converter as it came.
            timeout: Seconds for everything, or None for `PollPolicy.max_wait`.
            on_timeout: What becomes of the task when the time is up: "leave", "stop", "pause".
            on_cancel: What becomes of it when this call is cancelled. Nobody holds the handle
                then, so it is stopped by default; that may delay the cancellation by 5 seconds.
            on_created: Called with the `TaskHandle` as soon as the task exists.
            on_ambiguous: What to do when the answer to run-task is lost: "reconcile" looks for
                the task and adopts it, else raises; "resubmit" looks for `settle_window` seconds
                and sends again; "raise" sends once and raises.
            settle_window: Seconds after which a task that did not appear never will.
            fields: The optional fields of `RunTaskRequest`. What is not given is not sent.

        Returns:
            The finished task; with `output_type` a `ParsedTask`.

        Raises:
            InvalidRequestError: An argument was refused; nothing was sent.
            SubmissionUnknownError: The task may exist; `.resolve()` tells.
            TaskFailedError: The task failed; `.task` holds its steps.
            TaskStoppedError: Somebody stopped it.
            OutputValidationError: The output does not fit; `.raw_output` keeps it.
            WaitTimeoutError: The time is up; `.task_id` says for which task.
            WaitInterruptedError: The API stayed unreachable for too long.
            BrowserUseError: The task was not created.
        """
        self._transport.bind()
        submission = self._runner.submission_of(
            task, fields, output_type, on_ambiguous, settle_window
        )
        return await self._runner.run_and_wait(
            submission, output_type, timeout, on_timeout, on_cancel, on_created
        )

    async def submit(
        self,
        task: str | RunTaskRequest,
        *,
        output_type: Any = None,
        on_ambiguous: OnAmbiguous = "reconcile",
        settle_window: float = 150.0,
        **fields: Unpack[RunTaskFields],
    ) -> TaskHandle:
        """Create a task, paying once, and give a handle to it. Costs money.

        Needs an active subscription on the hosted service. Cancelled in the middle, it stops
        the task, since nobody would hold its handle. API page: Run Task.

        Args:
            task: What the agent should do, or a whole request.
            output_type: The type that `handle.wait()` parses the output into.
            on_ambiguous: What to do when the answer is lost; see `run_and_wait`.
            settle_window: Seconds after which a task that did not appear never will.
            fields: The optional fields of `RunTaskRequest`. What is not given is not sent.

        Raises:
            InvalidRequestError: An argument was refused; nothing was sent.
            SubmissionUnknownError: The task may exist; `.resolve()` tells.
            BrowserUseError: The task was not created.
        """
        self._transport.bind()
        submission = self._runner.submission_of(
            task, fields, output_type, on_ambiguous, settle_window
        )
        return await self._runner.submit(submission, output_type)

    async def resolve_submission(self, submission_token: str) -> Task | None:
        """Find the task that an ambiguous submission created, in another process too. Free.

        Args:
            submission_token: `SubmissionUnknownError.submission_token`.

        Returns:
            The task, or None if it did not appear within the rest of its settle window.

        Raises:
            InvalidRequestError: This is no such token.
        """
        self._transport.bind()
        return await self._creator.resolve_submission(submission_token)
