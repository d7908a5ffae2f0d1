"""Running tasks: one asyncio task for each, from its start to a terminal status."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from functools import partial

import attrs

from browser_use_async.prices import step_cents
from browser_use_async.server.executors.protocol import Assignment, Executor, Failed, Finished, Step
from browser_use_async.server.executors.viewing import View, Viewable
from browser_use_async.server.jobs.redaction import SecretRedactor
from browser_use_async.server.responses import log_failure
from browser_use_async.server.storage import Store, TaskRecord
from browser_use_async.server.storage.account import Account
from browser_use_async.server.storage.profiles import Profiles
from browser_use_async.server.task_states import TaskEvent

_logger = logging.getLogger(__name__)
_CLOSE_SECONDS = 5.0
"""Seconds that executors have for their clean-up when the server closes."""


class TaskControl:
    """What an executor is given to report the start of a task, and to wait while it is paused."""

    def __init__(self, report_start: Callable[[], None]) -> None:
        self._report_start = report_start
        self._has_started = False
        self._open = asyncio.Event()
        self._open.set()

    def started(self) -> None:
        """Report the start, once."""
        if not self._has_started:
            self._has_started = True
            self._report_start()

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


@attrs.frozen
class TaskBilling:
    """Charges the account for steps, and saves cookies to the profile."""

    account: Account  # who pays
    profiles: Profiles  # where cookies are saved

    def charge_step(self, assignment: Assignment) -> None:
        """Charge a step."""
        self.account.charge(step_cents(assignment.llm_model))

    def save_cookies(self, assignment: Assignment, result: Finished) -> None:
        """Save the cookies of a task that succeeded."""
        self.profiles.keep_cookies(assignment.profile_id, result.cookies)


@attrs.frozen
class _Run:
    work: "asyncio.Task[None]"
    control: TaskControl


class TaskRunner:
    """Runs tasks on the executor, and stores the steps and results that it reports."""

    def __init__(
        self, executor: Executor, store: Store, stop_cleanup_delay: float, billing: TaskBilling
    ) -> None:
        self._billing = billing
        self._executor = executor
        self._store = store
        self._stop_cleanup_delay = stop_cleanup_delay
        self._runs: dict[str, _Run] = {}

    @property
    def count(self) -> int:
        """The number of running tasks, paused ones included."""
        return len(self._runs)

    def view(self, record: TaskRecord) -> View | None:
        """The browser of a task, if it has one that can be shown now."""
        return self._executor.view(record.id) if isinstance(self._executor, Viewable) else None

    def start(self, record: TaskRecord, assignment: Assignment) -> None:
        """Start a task."""
        control = TaskControl(partial(self._begin, record))
        loop = asyncio.get_running_loop()
        work = loop.create_task(self._run_task(record, assignment, control), name=record.id)
        self._runs[record.id] = _Run(work, control)
        work.add_done_callback(lambda _: self._runs.pop(record.id))

    def pause(self, record: TaskRecord) -> None:
        """Pause a task; a step that is under way is reported after it resumes.

        Raises:
            TransitionRefusedError: The task is not running.
        """
        self._store.change(record, TaskEvent.PAUSE)
        self._runs[record.id].control.close()

    def resume(self, record: TaskRecord) -> None:
        """Continue a paused task.

        Raises:
            TransitionRefusedError: The task is not paused.
        """
        self._store.change(record, TaskEvent.RESUME)
        self._runs[record.id].control.open()

    def stop(self, record: TaskRecord) -> None:
        """Stop a task for good. Its status flips now; the executor may take a little longer.

        Raises:
            TransitionRefusedError: The task has ended already.
        """
        self._store.change(record, TaskEvent.STOP)
        work = self._runs[record.id].work
        # The status is final at once; the work ends later, as with executors that clean up slowly.
        asyncio.get_running_loop().call_later(self._stop_cleanup_delay, work.cancel)

    async def aclose(self) -> None:
        """Cancel all tasks, and wait a few seconds for their clean-up."""
        works = [run.work for run in self._runs.values()]
        for work in works:
            work.cancel()
        if works:
            # An executor that ignores its cancellation must not keep the server from closing.
            _, late = await asyncio.wait(works, timeout=_CLOSE_SECONDS)
            for work in late:
                _logger.error("task %s did not end within %s s", work.get_name(), _CLOSE_SECONDS)

    def _begin(self, record: TaskRecord) -> None:
        if not record.status.is_terminal:  # stopped while it waited for a browser
            self._store.change(record, TaskEvent.START)

    async def _run_task(
        self, record: TaskRecord, assignment: Assignment, control: TaskControl
    ) -> None:
        if record.status.is_terminal:
            return  # stopped before it began
        redactor = SecretRedactor(assignment.secrets)
        try:
            if not getattr(self._executor, "reports_start", False):
                control.started()
            items = self._executor.run(assignment, control)
            try:
                await self._follow(record, assignment, items, control, redactor)
            finally:
                await _close(items)
        except asyncio.CancelledError as error:
            # An executor may leak the cancellation of its own work, which is its failure.
            if _is_being_cancelled():
                raise
            self._fail(record, redactor, error)
        except Exception as error:  # noqa: BLE001 - an executor may raise anything; the server lives
            self._fail(record, redactor, error)

    def _fail(self, record: TaskRecord, redactor: SecretRedactor, error: BaseException) -> None:
        log_failure(_logger, f"the executor failed on task {record.id}", error)
        if not record.status.is_terminal:
            reason = f"The executor raised {type(error).__name__}: {error}"
            self._store.fail(record, redactor.failure(Failed(reason)))

    async def _follow(
        self,
        record: TaskRecord,
        assignment: Assignment,
        items: AsyncIterator[Step | Finished | Failed],
        control: TaskControl,
        redactor: SecretRedactor,
    ) -> None:
        async for item in items:
            if not isinstance(item, Failed):
                control.started()  # an executor that takes steps has begun, said so or not
            # Not all executors wait by themselves: nothing is stored while the task is paused.
            await control.checkpoint()
            if record.status.is_terminal:
                return None  # stopped; the cancellation follows after the clean-up delay
            if isinstance(item, Finished):
                if record.save_browser_data:
                    self._billing.save_cookies(assignment, item)
                return self._store.finish(record, redactor.result(item))
            if isinstance(item, Failed):
                return self._store.fail(record, redactor.failure(item))
            # Enforced here as well, for executors that do not count their steps.
            if len(record.steps) >= assignment.max_agent_steps:
                limit = assignment.max_agent_steps
                reason = f"The task was not done within its {limit} steps (max_agent_steps)"
                return self._store.fail(record, Failed(reason))
            self._store.add_step(record, redactor.step(item))
            self._billing.charge_step(assignment)
        return self._store.fail(record, Failed("The executor ended without a result"))


def _is_being_cancelled() -> bool:
    """Whether this asyncio task is being cancelled, and not one that it awaits."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _close(items: AsyncIterator[object]) -> None:
    """Close an async generator; other iterators clean up by themselves."""
    close = getattr(items, "aclose", None)
    if close is not None:
        await close()
