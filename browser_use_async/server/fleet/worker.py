"""Carries out tasks that any server has created."""

import asyncio
import logging
from contextlib import suppress

from browser_use_async.postgres.jobs import Contact
from browser_use_async.server.errors import StorageUnavailableError
from browser_use_async.server.loops import BackgroundTasks
from browser_use_async.server.records import Failed, FailureCause
from browser_use_async.server.storage import TaskRecord, TaskStore, TransitionRefusedError
from browser_use_async.server.storage.database import stored
from browser_use_async.server.tasks.runner import TaskRunner
from browser_use_async.types import TaskStatus

_logger = logging.getLogger(__name__)

LOST = (
    "The server that was carrying out the task was lost; what it had done until then is in the "
    "task's steps. It is not done again, because the effect of its last step is not known"
)
_CUT_OFF = (
    "The server that was carrying out the task had no contact with the database for too long, and "
    "closed its browser"
)
_STOPPED = "The server was stopped while the task was at work, and could not wait for its end"
_NO_FILE = "A file that the task was to read is not there any more"

PATIENCE = 0.6
"""Leases without contact after which a worker ends its browsers, before others take over."""
LATE_PATIENCE = 0.8
"""The same for a worker whose process was suspended: its question may be answered."""
_LOOK_SECONDS = 1.0
_LATE_SECONDS = 0.5
_CLOSE_SECONDS = 5.0


class FleetWorker:
    """Begins tasks, applies their changes by clients, and gives them up when it is cut off."""

    def __init__(self, worker: str, tasks: TaskStore, runner: TaskRunner, lease: float) -> None:
        self._worker = worker
        self._tasks = tasks
        self._runner = runner
        self._lease = lease
        # So that it asks twice before it gives up.
        self._answer_seconds = PATIENCE * lease / 2 - _LOOK_SECONDS
        self._contact = Contact()
        self._questions = BackgroundTasks("reads the statuses of a worker's tasks")
        self._reason = _STOPPED

    async def run_task(self, task_id: str) -> None:
        """Carry out a task, or fail one that another server has begun and lost."""
        if task_id in self._runner.running:
            return  # the job was assigned twice
        claimed = await stored(lambda: self._tasks.claim(task_id, self._worker))
        if claimed is None:
            await self._fail_lost(task_id)
            return
        record, assignment = claimed
        if assignment is None:
            await self._fail(record, self._worker, _NO_FILE, FailureCause.TASK)
            return
        work = self._runner.start(record, assignment)
        try:
            await asyncio.wait([work])
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait([work], timeout=_CLOSE_SECONDS)
            await self._fail(record, self._worker, _STOPPED)
            raise
        if work.cancelled():
            # Stopped by a client, which its row already says, or given up.
            await self._fail(record, self._worker, self._reason)

    async def watch(self) -> None:
        """Check once a second the statuses of the tasks, and whether the database answers."""
        loop = asyncio.get_running_loop()
        while True:
            ends = loop.time() + _LOOK_SECONDS + self._answer_seconds
            await asyncio.sleep(_LOOK_SECONDS)
            running = self._runner.running
            statuses = await self._statuses()
            if statuses is None:
                # A blocked loop may end a wait although the answer has arrived.
                was_late = loop.time() > ends + _LATE_SECONDS
                self._check_contact(LATE_PATIENCE if was_late else PATIENCE)
                continue
            self._contact.made()
            self._reason = LOST
            # A notification may have been lost.
            for task_id in running:
                self._runner.follow(task_id, statuses.get(task_id))

    async def _statuses(self) -> dict[str, TaskStatus] | None:
        """The statuses of its tasks, or None if the database does not answer in time."""
        asked = self._questions.start(self._tasks.statuses_at_work(self._worker))
        # Its error is retrieved, also after it was given up.
        asked.add_done_callback(lambda _: asked.cancelled() or asked.exception())
        try:
            await asyncio.wait([asked], timeout=self._answer_seconds)
            return asked.result() if asked.done() else None
        except StorageUnavailableError:
            return None
        finally:
            # Not awaited: the driver cancels the query at the server first, over the same network.
            asked.cancel()

    def _check_contact(self, patience: float) -> None:
        if self._contact.silence > patience * self._lease and self._runner.running:
            _logger.error(
                "no contact with the database for %.0f seconds: %d tasks are given up",
                self._contact.silence,
                self._runner.count,
            )
            self._reason = _CUT_OFF
            self._runner.abandon()

    async def _fail_lost(self, task_id: str) -> None:
        record = await stored(lambda: self._tasks.of_any_owner(id=task_id))
        if record is not None and not record.status.is_terminal:
            _logger.warning("task %s was lost by the server that carried it out", task_id)
            await self._fail(record, None, LOST)

    async def _fail(
        self,
        record: TaskRecord,
        worker: str | None,
        reason: str,
        cause: FailureCause = FailureCause.WORKER_LOST,
    ) -> None:
        failure = Failed(reason, cause=cause)
        with suppress(TransitionRefusedError):  # it has ended, or is another server's
            await stored(lambda: self._tasks.fail(record, failure, worker))
