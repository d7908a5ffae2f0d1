"""Running tasks: one asyncio task for each, from its start to a terminal status."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import attrs

from browser_use_async.server.executors.protocol import Executor, FieldProblem
from browser_use_async.server.executors.redaction import SecretRedactor
from browser_use_async.server.executors.view import View, Viewable
from browser_use_async.server.loops import log_failure
from browser_use_async.server.records import (
    Assignment,
    Failed,
    FailureCause,
    Finished,
    Step,
)
from browser_use_async.server.storage import TaskRecord, TaskStore, TransitionRefusedError
from browser_use_async.server.storage.database import stored
from browser_use_async.server.storage.progress import TaskEvent
from browser_use_async.server.tasks.script_turns import ScriptTurns
from browser_use_async.types import TaskStatus
from browser_use_async.types.tasks import ASKS_PERSON

_logger = logging.getLogger(__name__)

_REFUSED_SECONDS = 0.2
"""Seconds until the storing of a result is tried again that a pause has refused."""
_CLOSE_SECONDS = 5.0
"""Seconds that executors have for their clean-up when the server closes."""


@attrs.define(eq=False, repr=False)
class TaskControl:
    """The executor's control of a task: reports its start, and waits while it is paused."""

    _begin: Callable[[], Coroutine[Any, Any, None]]
    is_stopped: bool = False
    goal: str = ""  # the goal of the step under way, if the executor reports it
    _beginning: "asyncio.Task[None] | None" = None
    _open: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._open.set()

    def started(self) -> None:
        """Report the start, once."""
        if self._beginning is None:
            self._beginning = asyncio.get_running_loop().create_task(
                self._begin(), name="browser-use: stores the start of a task"
            )

    async def begun(self) -> None:
        """Report the start, and return when it is stored."""
        self.started()
        assert self._beginning is not None
        await self._beginning

    def close(self) -> None:
        """Pause: `checkpoint` waits from now on."""
        self._open.clear()

    def open(self) -> None:
        """Resume: `checkpoint` returns."""
        self._open.set()

    async def checkpoint(self) -> None:
        """Return at once while the task runs; wait while it is paused."""
        # A loop, because a pause may follow a resume before the waiter has woken up.
        while not self._open.is_set():
            await self._open.wait()

    def doing(self, goal: str) -> None:
        """Record the goal of the step under way."""
        self.goal = goal


@attrs.define(eq=False)
class _Run:
    record: TaskRecord
    assignment: Assignment
    control: TaskControl
    redactor: SecretRedactor
    work: "asyncio.Task[None]" = attrs.field(init=False)


class TaskRunner:
    """Runs tasks on the executor, and stores the steps and results that it reports."""

    def __init__(
        self,
        executor: Executor,
        tasks: TaskStore,
        worker: str | None = None,
        scripts: ScriptTurns | None = None,
    ) -> None:
        self._executor = executor
        self._scripts = scripts if getattr(executor, "plays_scripts", False) else None
        ignores_scripts: bool = getattr(executor, "ignores_scripts", False)
        self.takes_scripts = ignores_scripts or self._scripts is not None
        """Whether its tasks may name a script."""

        self.executor_name = executor.name
        self._tasks = tasks
        self._worker = worker  # the id under which this server writes reports of its executor
        self._runs: dict[str, _Run] = {}

    @property
    def count(self) -> int:
        """The number of running tasks, including paused ones."""
        return len(self._runs)

    @property
    def slots(self) -> int | None:
        """How many tasks can be carried out at once, or None for any number."""
        # Executors with a few browsers have a limit; others have none.
        slots: int | None = getattr(self._executor, "capacity", None)
        return slots

    @property
    def open_browsers(self) -> int | None:
        """How many browsers are open, or None if the executor has none."""
        browsers: int | None = getattr(self._executor, "open_browsers", None)
        return browsers

    def view(self, record: TaskRecord) -> View | None:
        """The browser of a task, if it has one that can be shown now."""
        return self._executor.view(record.id) if isinstance(self._executor, Viewable) else None

    def doing(self, task_id: str) -> str | None:
        """The current work of a task, if it runs here and its executor reports it."""
        run = self._runs.get(task_id)
        return run.redactor.text(run.control.goal) or None if run is not None else None

    def waits_for(self, record: TaskRecord) -> str | None:
        """The reason why a task has not begun, in words; None once it has begun."""
        if record.status is not TaskStatus.CREATED:
            return None
        if record.id not in self._runs:
            return "a server that has room for it"
        if self.slots is None:
            return "its executor"
        return f"a browser: the server has {self.slots} for all tasks"

    def check(self, assignment: Assignment) -> FieldProblem | None:
        """A setting of a task that the executor cannot follow."""
        return self._executor.check(assignment)

    @property
    def running(self) -> frozenset[str]:
        """The ids of the running tasks."""
        return frozenset(self._runs)

    def start(self, record: TaskRecord, assignment: Assignment) -> "asyncio.Task[None]":
        """Start a task; returns its asyncio task."""
        redactor = SecretRedactor(assignment.secrets)
        control = TaskControl(partial(self._begin, record))
        run = _Run(record, assignment, control, redactor)
        run.work = asyncio.get_running_loop().create_task(
            self._run_task(run), name=f"browser-use: runs task {record.id}"
        )
        self._runs[record.id] = run
        run.work.add_done_callback(lambda _: self._runs.pop(record.id))
        return run.work

    async def pause(self, record: TaskRecord) -> None:
        """Pause a task; a step that is under way is reported after it resumes.

        Raises:
            TransitionRefusedError: The task is not running.
        """
        await self._tasks.change(record, TaskEvent.PAUSE)
        self.follow(record.id, TaskStatus.PAUSED)

    async def resume(self, record: TaskRecord) -> None:
        """Continue a paused task.

        Raises:
            TransitionRefusedError: The task is not paused.
        """
        await self._tasks.change(record, TaskEvent.RESUME)
        self.follow(record.id, TaskStatus.RUNNING)

    async def stop(self, record: TaskRecord) -> None:
        """Stop a task for good. Its status changes now; the executor may need a little longer.

        Raises:
            TransitionRefusedError: The task has ended already.
        """
        await self._tasks.change(record, TaskEvent.STOP)
        self.follow(record.id, TaskStatus.STOPPED)

    def follow(self, task_id: str, status: TaskStatus | None) -> None:
        """Apply the new status of a task, or the loss of the task to another server."""
        run = self._runs.get(task_id)
        if run is None:
            return
        if status is TaskStatus.PAUSED:
            run.control.close()
        elif status is TaskStatus.RUNNING:
            run.control.open()
        elif status is None or status is TaskStatus.STOPPED:
            run.control.is_stopped = True
            # The status is final at once; the work ends later, since executors may clean up slowly.
            asyncio.get_running_loop().call_soon(run.work.cancel)

    def abandon(self) -> None:
        """End all work, without changing the tasks."""
        for run in [*self._runs.values()]:
            run.work.cancel()

    async def aclose(self) -> None:
        """Cancel all tasks, and wait a few seconds for their clean-up."""
        works = [run.work for run in self._runs.values()]
        for work in works:
            work.cancel()
        if works:
            # An executor that ignores its cancellation must not prevent the server from closing.
            _, late = await asyncio.wait(works, timeout=_CLOSE_SECONDS)
            for work in late:
                _logger.error("%s: did not end within %s s", work.get_name(), _CLOSE_SECONDS)

    async def _begin(self, record: TaskRecord) -> None:
        if record.started:
            return  # by the job that claimed it
        with suppress(TransitionRefusedError):  # stopped while it waited for a browser
            await stored(lambda: self._tasks.change(record, TaskEvent.START, self._worker))

    async def _run_task(self, run: _Run) -> None:
        record, control = run.record, run.control
        # For a new task `follow` would know it.
        if control.is_stopped or (record.started and await self._is_over(record)):
            return  # stopped before it began
        try:
            if self._scripts is not None:
                run.assignment = await self._scripts.take(run.assignment)
            if not getattr(self._executor, "reports_start", False):
                await control.begun()
            items = self._executor.run(run.assignment, control)
            try:
                await self._follow(run, items)
            finally:
                await _close(items)
        except asyncio.CancelledError as error:
            # An executor may leak the cancellation of its own work, which counts as its failure.
            if _is_being_cancelled():
                raise
            await self._fail(run, error)
        except Exception as error:  # noqa: BLE001 - an executor may raise anything; the server lives
            await self._fail(run, error)

    async def _is_over(self, record: TaskRecord) -> bool:
        status = await stored(lambda: self._tasks.of(record.owner).status(record.id))
        return status is None or status.is_terminal

    async def _fail(self, run: _Run, error: BaseException) -> None:
        log_failure(_logger, f"the executor failed on task {run.record.id}", error)
        reason = f"The executor raised {type(error).__name__}: {error}"
        failure = run.redactor.failure(Failed(reason, cause=FailureCause.EXECUTOR))
        await self._end_badly(run.record, failure)

    async def _finish(self, run: _Run, result: Finished) -> None:
        """Store a result; if the task was just paused, once it is resumed."""
        profile_id = run.assignment.profile_id
        finish = partial(self._tasks.finish, run.record, result, profile_id, self._worker)
        while True:
            await run.control.checkpoint()
            try:
                await stored(finish)
            except TransitionRefusedError as refused:
                if refused.status.is_terminal:
                    return  # stopped meanwhile
            else:
                return
            # Paused by another server, or while the database was unreachable. It may already be
            # resumed, which this server is notified about in a moment.
            await asyncio.sleep(_REFUSED_SECONDS)

    async def _end_badly(self, record: TaskRecord, failure: Failed) -> None:
        with suppress(TransitionRefusedError):  # stopped meanwhile
            await stored(lambda: self._tasks.fail(record, failure, self._worker))

    async def _follow(self, run: _Run, items: AsyncIterator[Step | Finished | Failed]) -> None:
        record, control, redactor = run.record, run.control, run.redactor
        number, limit = 0, run.assignment.max_agent_steps
        async for item in items:
            if not isinstance(item, Failed):
                await control.begun()  # it takes steps, so it has begun
            # Not all executors wait by themselves: nothing is stored while the task is paused.
            await control.checkpoint()
            if isinstance(item, Finished):
                await self._finish(run, redactor.result(item))
                return
            if isinstance(item, Failed):
                await self._end_badly(record, redactor.failure(item))
                return
            number += 1
            control.doing("")
            # Enforced here as well, for executors that do not count their steps.
            if number > limit:
                reason = f"The task was not done within its {limit} steps (max_agent_steps)"
                await self._end_badly(record, Failed(reason, cause=FailureCause.STEP_LIMIT))
                return
            step = redactor.step(_with_request(item))
            if not await stored(partial(self._tasks.add_step, record, number, step, self._worker)):
                return  # stopped; the cancellation follows after the clean-up delay
            if item.asks_for:
                with suppress(TransitionRefusedError):  # paused or stopped meanwhile
                    await stored(partial(self.pause, record))
        ended = Failed("The executor ended without a result", cause=FailureCause.EXECUTOR)
        await self._end_badly(record, ended)


def _with_request(step: Step) -> Step:
    """The step, whose goal says what a person should do."""
    if not step.asks_for:
        return step
    return attrs.evolve(step, next_goal=f"{ASKS_PERSON}{step.asks_for}): {step.next_goal}")


def _is_being_cancelled() -> bool:
    """Whether this asyncio task is being cancelled, and not one that it awaits."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _close(items: AsyncIterator[object]) -> None:
    """Close an async generator; other iterators clean up by themselves."""
    close = getattr(items, "aclose", None)
    if close is not None:
        await close()
