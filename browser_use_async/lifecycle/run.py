"""Submits tasks, waits for their ends, and ends tasks whose caller stops waiting."""

import asyncio
import contextlib
import inspect
import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, cast

import attrs

from browser_use_async import errors
from browser_use_async.api.limits import check_word, is_seconds
from browser_use_async.api.requests import merged_request
from browser_use_async.api.tasks import TaskEndpoints
from browser_use_async.events import EndActionAttempted
from browser_use_async.lifecycle import create
from browser_use_async.lifecycle.handle import TaskHandle
from browser_use_async.lifecycle.waits import being_ended, wait
from browser_use_async.logs import LOGGER
from browser_use_async.observing.observers import ErrorMade
from browser_use_async.polling.poller import TaskPoller
from browser_use_async.types import UNSET, RunTaskFields, RunTaskRequest, Task

ResultT = TypeVar("ResultT")

# How long a cancelled call, or closing the session, waits for a task to be stopped.
CLEANUP_SECONDS = 5.0


class BackgroundTasks:
    """Background work of a session: keeps references to it, and ends it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, ResultT], what: str) -> "asyncio.Task[ResultT]":
        """Start work and keep a reference until it ends; `what` names its asyncio task."""
        task = asyncio.get_running_loop().create_task(work, name=f"browser-use: {what}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def finish(self, task: "asyncio.Task[Any]") -> None:
        """Wait for work to end, for a limited time; its result and error are ignored."""
        # `wait` neither cancels the work when the time is up nor raises its error here.
        await asyncio.wait([task], timeout=CLEANUP_SECONDS)

    async def aclose(self) -> None:
        """Give all work a few seconds to end, then end it."""
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLEANUP_SECONDS):
                    await asyncio.sleep(0)  # a call that was just cancelled starts its stop
                    while self._tasks:
                        await asyncio.wait(tuple(self._tasks))
                        await asyncio.sleep(0)  # work that has ended may start more
        finally:
            while late := tuple(self._tasks):
                # Work that is cancelled before its first step could not report what was not done.
                await asyncio.sleep(0)
                for task in late:
                    task.cancel()
                await asyncio.gather(*late, return_exceptions=True)
                await asyncio.sleep(0)  # until they have left the set


OnCreated = Callable[["TaskHandle[Any]"], Awaitable[None] | None]


@attrs.frozen(eq=False, repr=False)
class SubmissionRunner:
    """Submits tasks, waits for their ends, and stops those whose caller gives up."""

    creator: create.TaskCreator
    tasks: TaskEndpoints
    poller: TaskPoller
    background: BackgroundTasks

    def request_of(
        self, task: str | RunTaskRequest, fields: RunTaskFields, output_type: Any
    ) -> RunTaskRequest:
        """The request of a call, checked before anything is sent."""
        self.creator.transport.bind()
        if output_type is not None:
            add_output_schema(cast("dict[str, Any]", fields), output_type, task)
        return merged_request(RunTaskRequest, "task", task, fields)

    async def submit(self, submission: create.Submission, output_type: Any) -> "TaskHandle[Any]":
        """Create the task; a cancellation leaves no task behind that the caller does not know."""
        # Not in the caller's asyncio task: a cancellation must not cut the request.
        creation = self.background.start(
            self._create(submission, output_type), "creates a task of the service"
        )
        submission.creation = creation
        try:
            await asyncio.wait([creation], timeout=_remaining(submission))
        except asyncio.CancelledError:
            await self._end_cancelled(submission, is_reported=False)
            raise
        # Both may be true at once: a result that has arrived counts, even if it is late.
        if creation.done() and not creation.cancelled():
            return creation.result()
        error = self._creation_error(submission, closed=creation.done())
        self.creator.transport.observers.notify(ErrorMade(error), submission)
        self._end(submission, submission.on_timeout)
        raise error

    async def _create(self, submission: create.Submission, output_type: Any) -> "TaskHandle[Any]":
        task_id = await self.creator.create(submission)
        # For waits by its id alone, which then also wait through an outage.
        self.poller.record_known(task_id)
        # Waits need to know its age: the service may not list a new task for a moment, and no event
        # comes again that came before the answer. So the age is counted from the send.
        sent_at, joined = submission.sent_at, submission.is_joined
        return TaskHandle[Any](
            task_id, self.tasks, self.poller, output_type, sent_at, joined=joined
        )

    async def run_and_wait(
        self,
        submission: create.Submission,
        output_type: Any,
        timeout: float | None,
        on_timeout: create.EndAction,
        on_cancel: create.EndAction | None,
        on_created: OnCreated | None,
    ) -> Task:
        """Create a task, wait for its end and return it if it finished."""
        on_cancel = submission.on_cancel if on_cancel is None else on_cancel
        for name, action in (("on_timeout", on_timeout), ("on_cancel", on_cancel)):
            check_word(name, action, create.EndAction)
        if on_created is not None and not callable(on_created):
            problem = f"on_created must be a function, not {on_created!r:.60}; nothing was sent"
            raise errors.InvalidRequestError(problem, field="on_created")
        # One deadline for creating, the callback and waiting: `timeout` is for everything.
        submission.ends_at = _deadline(timeout)
        submission.on_timeout, submission.on_cancel = on_timeout, on_cancel
        # Without the type: a failure of the task is raised before its output is parsed.
        handle = await self.submit(submission, None)
        try:
            task = await self._wait(handle, submission, on_created)
        except asyncio.CancelledError:
            await self._end_cancelled(submission)
            raise
        try:
            task.raise_for_status()
            return task if output_type is None else task.parse(output_type)
        except errors.BrowserUseError as error:
            error.timeline = handle.timeline()
            raise

    async def _wait(
        self, handle: "TaskHandle[Any]", submission: create.Submission, on_created: OnCreated | None
    ) -> Task:
        if on_created is not None:
            await self._call_on_created(on_created, handle, submission)
        try:
            return await wait(
                self.poller,
                handle.id,
                _remaining(submission),
                submission.sent_at,
                on_timeout=submission.on_timeout,
            )
        except errors.WaitTimeoutError:
            # Not awaited: the call must end at this moment.
            self._end(submission, submission.on_timeout)
            raise
        except errors.BrowserUseError:
            raise
        except Exception as error:  # thrown in from outside; nothing here raises it
            on_cancel = submission.on_cancel
            error.add_note(f"raised while task {handle.id} was waited for; on_cancel={on_cancel!r}")
            await self._end_cancelled(submission)
            raise

    async def _call_on_created(
        self, on_created: OnCreated, handle: "TaskHandle[Any]", submission: create.Submission
    ) -> None:
        ends_at = submission.ends_at
        limit = asyncio.timeout_at(None if math.isinf(ends_at) else ends_at)
        try:
            # A synchronous callback cannot be interrupted; only what it returns is limited.
            is_reported = on_created(handle)
            if inspect.isawaitable(is_reported):
                async with limit:
                    await is_reported
        except Exception as error:
            # A TimeoutError of the callback itself must not count as ours.
            if not (isinstance(error, TimeoutError) and limit.expired()):
                error.add_note(f"raised by on_created; task {handle.id} lives on")
                raise
        if limit.expired():
            action = submission.on_timeout
            self._end(submission, action)
            what = f"on_created did not return in the time allowed; task {handle.id} lives on"
            if action != "leave":
                what = f"on_created of task {handle.id} did not return in the time allowed. "
                what += being_ended(action)
            raise errors.WaitTimeoutError(
                what,
                task_id=handle.id,
                last_status=None,
            )

    def _creation_error(
        self, submission: create.Submission, *, closed: bool
    ) -> errors.BrowserUseError:
        """The error of a creation that has not ended, so that there is no handle."""
        if submission.may_exist:
            return self.creator.unknown(submission)
        if closed:
            return errors.SessionClosedError("the session was closed; no task was created")
        if submission.failure is not None:
            return submission.failure
        what = "the timeout ended before run-task was sent; no task was created"
        return errors.APITimeoutError(what, sent=False, attempts=0)

    # --- ending the task of a submission whose caller gives up --------------------------------

    async def _end_cancelled(
        self, submission: create.Submission, *, is_reported: bool = True
    ) -> None:
        """Do what `on_cancel` says; the caller waits for it, for a limited time."""
        ending = self._end(submission, submission.on_cancel, is_reported=is_reported)
        # A task that is left needs no call, so the caller need not wait.
        if submission.on_cancel != "leave":
            await self.background.finish(ending)

    def _end(
        self, submission: create.Submission, action: create.EndAction, *, is_reported: bool = True
    ) -> "asyncio.Task[None]":
        """Send nothing more, and end what was sent in the background, uncancelled.

        `is_reported` says whether the caller knows what was created, or what may be.
        """
        creation = submission.creation
        assert creation is not None
        submission.abandoned = True
        # No request is under way, or the result of a search would not be used.
        lost = submission.state is create.SubmissionState.UNKNOWN and action == "leave"
        if submission.state is create.SubmissionState.UNSENT or lost:
            creation.cancel()
        return self.background.start(
            self._end_created(submission, creation, action, is_reported),
            "ends a task of the service that its caller gave up",
        )

    async def _end_created(
        self,
        submission: create.Submission,
        creation: "asyncio.Task[TaskHandle[Any]]",
        action: create.EndAction,
        is_reported: bool,
    ) -> None:
        created = False
        try:
            # `wait` and not `await`: its error has been reported, or is no longer needed. `wait`
            # takes a turn of the loop even if it is done, in which closing could cancel a stop
            # before it begins.
            if not creation.done():
                await asyncio.wait([creation])
            created = not creation.cancelled() and creation.exception() is None
        finally:
            if submission.may_exist and not (created or is_reported):
                LOGGER.warning(
                    "a call was cancelled before run-task was answered, so a paid task may exist; "
                    "`browser-use-async watch %s` finds out",
                    self.creator.token_text(submission),
                )
        if not created:
            return
        task_id = creation.result().id
        if action == "leave" and not is_reported:
            LOGGER.warning(
                "a call was cancelled before it was answered; its task %s lives on", task_id
            )
        await apply_end_action(task_id, action, self.tasks, self.poller)


def add_output_schema(
    fields: dict[str, Any], output_type: Any, task: str | RunTaskRequest = ""
) -> None:
    """Put the JSON schema of an output type into the fields of a request that has none."""
    # Loaded with the first output type.
    from browser_use_async.structured_output.schema import output_schema  # noqa: PLC0415

    in_request = isinstance(task, RunTaskRequest) and task.structured_output_json is not UNSET
    if in_request or "structured_output_json" in fields:
        fields.clear()  # here and below: tracebacks with locals show secrets
        raise errors.InvalidRequestError(
            "pass either output_type or structured_output_json, not both; nothing was sent",
            field="output_type",
        )
    try:
        fields["structured_output_json"] = output_schema(output_type)
    except errors.InvalidRequestError:
        fields.clear()
        raise


async def apply_end_action(
    task_id: str,
    action: create.EndAction,
    tasks: TaskEndpoints,
    poller: TaskPoller,
) -> None:
    """Stop or pause a task whose caller gave up, and report whether that was done."""
    if action == "leave":
        return
    problem: str | None = "there was no time for it"  # if closing cuts this off
    try:
        await (tasks.stop if action == "stop" else tasks.pause)(task_id)
        poller.record_stop(task_id, action)
        problem = None
    except Exception as error:  # noqa: BLE001 - a user's middleware may raise anything
        problem = str(error) or repr(error)
    finally:  # also when cancelled
        poller.transport.observers.notify(EndActionAttempted(task_id, action, problem))


def _deadline(timeout: float | None) -> float:
    if timeout is None:
        return math.inf
    if not is_seconds(timeout) or timeout == 0:
        raise errors.InvalidRequestError(
            f"timeout must be a number of seconds above 0, not {timeout!r}; nothing was sent",
            field="timeout",
        )
    return asyncio.get_running_loop().time() + timeout


def _remaining(submission: create.Submission) -> float | None:
    if math.isinf(submission.ends_at):
        return None
    return max(submission.ends_at - asyncio.get_running_loop().time(), 0.0)
