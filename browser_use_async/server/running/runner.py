"""Tasks at work: one asyncio task for each, from start to a terminal status."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Protocol

import attrs

from browser_use_async.api.task_states import TaskEvent
from browser_use_async.server.executors.protocol import Assignment, Executor, Failed, Finished, Step
from browser_use_async.server.executors.viewing import View, Viewable
from browser_use_async.server.failure_log import log_failure
from browser_use_async.server.running.masking import SecretMask
from browser_use_async.server.running.pause_gate import PauseGate
from browser_use_async.server.storage import Store, TaskRecord

__all__ = ["Observer", "TaskRunner"]

_logger = logging.getLogger(__name__)
_CLOSE_SECONDS = 5.0
"""How long executors may take to clean up when the server closes."""


@attrs.frozen
class _Run:
    work: "asyncio.Task[None]"
    gate: PauseGate


class Observer(Protocol):
    """Learns what a task costs and what its browser leaves behind."""

    def stepped(self, assignment: Assignment) -> None:
        """A step was taken."""

    def finished(self, assignment: Assignment, result: Finished, *, save: bool) -> None:
        """The task succeeded."""


class TaskRunner:
    """Hands tasks to the executor and writes down what it reports."""

    def __init__(
        self, executor: Executor, store: Store, stop_cleanup_delay: float, observer: Observer
    ) -> None:
        self._observer = observer
        self._executor = executor
        self._store = store
        self._stop_cleanup_delay = stop_cleanup_delay
        self._runs: dict[str, _Run] = {}

    @property
    def count(self) -> int:
        """How many tasks are at work, paused ones included."""
        return len(self._runs)

    def view(self, record: TaskRecord) -> View | None:
        """The browser of a task, if it has one that can be shown now."""
        return self._executor.view(record.id) if isinstance(self._executor, Viewable) else None

    def start(self, record: TaskRecord, assignment: Assignment) -> None:
        """Begin with a task."""
        gate = PauseGate()
        loop = asyncio.get_running_loop()
        work = loop.create_task(self._carry_out(record, assignment, gate), name=record.id)
        self._runs[record.id] = _Run(work, gate)
        work.add_done_callback(lambda _: self._runs.pop(record.id))

    def pause(self, record: TaskRecord) -> None:
        """Pause a task; steps that are under way are held back until it resumes.

        Raises:
            TransitionRefusedError: The task is not running.
        """
        self._store.change(record, TaskEvent.PAUSE)
        self._runs[record.id].gate.close()

    def resume(self, record: TaskRecord) -> None:
        """Continue a paused task.

        Raises:
            TransitionRefusedError: The task is not paused.
        """
        self._store.change(record, TaskEvent.RESUME)
        self._runs[record.id].gate.open()

    def stop(self, record: TaskRecord) -> None:
        """Stop a task for good. Its status flips now; the executor may take a little longer.

        Raises:
            TransitionRefusedError: The task has ended already.
        """
        self._store.change(record, TaskEvent.STOP)
        work = self._runs[record.id].work
        asyncio.get_running_loop().call_later(self._stop_cleanup_delay, work.cancel)

    async def aclose(self) -> None:
        """End whatever is at work, and wait a few seconds for the clean-up."""
        works = [run.work for run in self._runs.values()]
        for work in works:
            work.cancel()
        if works:
            _, late = await asyncio.wait(works, timeout=_CLOSE_SECONDS)
            for work in late:
                _logger.error("task %s did not end within %s s", work.get_name(), _CLOSE_SECONDS)

    async def _carry_out(self, record: TaskRecord, assignment: Assignment, gate: PauseGate) -> None:
        if record.status.is_terminal:
            return  # stopped before it began
        mask = SecretMask(assignment.secrets)
        try:
            self._store.change(record, TaskEvent.START)
            items = self._executor.run(assignment, gate)
            try:
                await self._follow(record, assignment, items, gate, mask)
            finally:
                await _close(items)
        except asyncio.CancelledError as error:
            if _is_being_cancelled():
                raise
            self._give_up(record, mask, error)
        except Exception as error:  # noqa: BLE001 - an executor may raise anything; the server lives
            self._give_up(record, mask, error)

    def _give_up(self, record: TaskRecord, mask: SecretMask, error: BaseException) -> None:
        log_failure(_logger, f"the executor failed on task {record.id}", error)
        if not record.status.is_terminal:
            reason = f"The executor raised {type(error).__name__}: {error}"
            self._store.fail(record, mask.failure(Failed(reason)))

    async def _follow(
        self,
        record: TaskRecord,
        assignment: Assignment,
        items: AsyncIterator[Step | Finished | Failed],
        gate: PauseGate,
        mask: SecretMask,
    ) -> None:
        async for item in items:
            await gate.checkpoint()
            if record.status.is_terminal:
                return None  # stopped, and the clean-up lags
            if isinstance(item, Finished):
                save = record.save_browser_data
                self._observer.finished(assignment, item, save=save)
                return self._store.finish(record, mask.result(item))
            if isinstance(item, Failed):
                return self._store.fail(record, mask.failure(item))
            if len(record.steps) >= assignment.max_agent_steps:
                limit = assignment.max_agent_steps
                reason = f"The task was not done within its {limit} steps (max_agent_steps)"
                return self._store.fail(record, Failed(reason))
            self._store.add_step(record, mask.step(item))
            self._observer.stepped(assignment)
        return self._store.fail(record, Failed("The executor ended without a result"))


def _is_being_cancelled() -> bool:
    """Whether somebody cancelled this task, rather than something that it awaits."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _close(items: AsyncIterator[object]) -> None:
    """Close an async generator; other iterators clean up by themselves."""
    close = getattr(items, "aclose", None)
    if close is not None:
        await close()
