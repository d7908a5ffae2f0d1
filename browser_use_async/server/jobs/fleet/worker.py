"""A server that carries out tasks which any server has created."""

import asyncio
import logging
from contextlib import suppress

from browser_use_async.server.executors.protocol import Failed, FailureCause
from browser_use_async.server.jobs.fleet.placement import Contact
from browser_use_async.server.jobs.runner import TaskRunner, stored
from browser_use_async.server.storage import TaskRecord, Tasks, TransitionRefusedError
from browser_use_async.server.storage.database import StorageUnavailableError

_logger = logging.getLogger(__name__)

LOST = (
    "The server that was carrying out the task was lost; what it had done until then is in the "
    "task's steps. It is not done again, because nobody knows what its last step did"
)
_CUT_OFF = (
    "The server that was carrying out the task had no contact with the database for too long, and "
    "closed its browser"
)
_STOPPED = "The server was stopped while the task was at work, and could not wait for its end"
_NO_FILE = "A file that the task was to read is not there any more"

PATIENCE = 0.6
"""Leases without contact after which a worker ends its browsers: before anybody takes over."""
_LOOK_SECONDS = 1.0
_CLOSE_SECONDS = 5.0


class FleetWorker:
    """Begins tasks, follows what clients do to them, and gives them up when it is cut off."""

    def __init__(self, worker: str, tasks: Tasks, runner: TaskRunner, lease: float) -> None:
        self._worker = worker
        self._tasks = tasks
        self._own = tasks.as_worker(worker)
        self._runner = runner
        self._lease = lease
        self._contact = Contact()
        self._reason = _STOPPED

    async def run_task(self, task_id: str) -> None:
        """Carry out a task, or let it fail that another server has begun and lost."""
        if task_id in self._runner.running:
            return  # the job was handed out twice
        claimed = await stored(lambda: self._own.claim(task_id))
        if claimed is None:
            await self._fail_lost(task_id)
            return
        record, assignment = claimed
        if assignment is None:
            await self._fail(self._own, record, _NO_FILE, FailureCause.TASK)
            return
        work = self._runner.start(record, assignment)
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait([work], timeout=_CLOSE_SECONDS)
            await self._fail(self._own, record, _STOPPED)
            raise
        if work.cancelled():
            # Stopped by a client, which is in its row already, or given up.
            await self._fail(self._own, record, self._reason)

    async def watch(self) -> None:
        """Look once a second what has become of the tasks, and whether the database answers."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            running = self._runner.running
            try:
                async with asyncio.timeout(max(2.0, self._lease * PATIENCE / 2)):
                    statuses = await self._tasks.statuses_at_work(self._worker)
            except (StorageUnavailableError, TimeoutError):
                self._check_contact()
                continue
            self._contact.made()
            self._reason = LOST
            # A notification may have been lost.
            for task_id in running:
                self._runner.follow(task_id, statuses.get(task_id))

    def _check_contact(self) -> None:
        if self._contact.silence > PATIENCE * self._lease and self._runner.running:
            _logger.error(
                "no contact with the database for %.0f seconds: %d tasks are given up",
                self._contact.silence,
                self._runner.count,
            )
            self._reason = _CUT_OFF
            self._runner.abandon()

    async def _fail_lost(self, task_id: str) -> None:
        record = await stored(lambda: self._tasks.of_any_owner(task_id))
        if record is not None and not record.status.is_terminal:
            _logger.warning("task %s was lost by the server that carried it out", task_id)
            await self._fail(self._tasks, record, LOST)

    async def _fail(
        self,
        tasks: Tasks,
        record: TaskRecord,
        reason: str,
        cause: FailureCause = FailureCause.WORKER_LOST,
    ) -> None:
        failure = Failed(reason, cause=cause)
        with suppress(TransitionRefusedError):  # it has ended, or is another server's
            await stored(lambda: tasks.fail(record, failure))
