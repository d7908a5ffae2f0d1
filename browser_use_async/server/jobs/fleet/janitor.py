"""What makes a lost job harmless, on one server at a time."""

import logging
from datetime import timedelta

from browser_use_async.server.executors.protocol import Failed, FailureCause
from browser_use_async.server.jobs.fleet.placement import Placement
from browser_use_async.server.jobs.fleet.worker import LOST
from browser_use_async.server.storage import Database, Tasks, TransitionRefusedError

_logger = logging.getLogger(__name__)

_KEPT = timedelta(hours=1)  # longer than anybody asks whether a transaction was committed
_JOB = (
    "SELECT 1 FROM procrastinate_jobs AS jobs WHERE jobs.queue_name = 'tasks' "
    "AND jobs.status IN ('todo', 'doing') AND jobs.args->>'task_id' = tasks.id"
)
_WITHOUT_JOB = (
    f"SELECT id FROM tasks WHERE status = 'created' AND NOT EXISTS ({_JOB}) LIMIT 1000 "  # noqa: S608
    "FOR UPDATE SKIP LOCKED"
)  # noqa: RUF100, S608
_LOST = (
    "SELECT id FROM tasks WHERE status IN ('running', 'paused') AND worker IS NOT NULL "  # noqa: S608
    f"AND NOT EXISTS ({_JOB}) LIMIT 1000"
)
_EVENTS_WITHOUT_JOB = (
    "SELECT number, address, task_id FROM outbox WHERE state = 'pending' AND NOT EXISTS ("
    "SELECT 1 FROM procrastinate_jobs AS jobs WHERE jobs.queue_name = 'webhooks' "
    "AND jobs.status IN ('todo', 'doing') AND jobs.args->>'number' = outbox.number::text) "
    "ORDER BY number LIMIT 1000 FOR UPDATE SKIP LOCKED"
)


class Janitor:
    """Mends what a bug in the jobs, or somebody who deletes them, would break."""

    def __init__(self, database: Database, tasks: Tasks, placement: Placement) -> None:
        self._database = database
        self._tasks = tasks
        self._placement = placement

    async def clean(self) -> None:
        """Look once, unless another server does."""
        await self._database.exclusively("janitor", self._clean)

    async def _clean(self) -> None:
        await self._database.transact(self._make_jobs)
        for (task_id,) in await self._database.rows(_LOST):
            record = await self._tasks.of_any_owner(id=task_id)
            if record is None or record.status.is_terminal:
                continue  # ended in between
            _logger.warning("task %s is at work without a job", task_id)
            try:
                await self._tasks.fail(record, Failed(LOST, cause=FailureCause.WORKER_LOST))
            except TransitionRefusedError:
                continue
        await self._database.rows(
            "DELETE FROM commits WHERE at < now() - CAST(:kept AS INTERVAL)",
            kept=f"{_KEPT.total_seconds()} seconds",
        )

    async def _make_jobs(self, at: Database) -> None:
        for (task_id,) in await at.rows(_WITHOUT_JOB):
            _logger.warning("task %s had no job, and has one now", task_id)
            await self._placement.defer_task(at, task_id)
        for number, address, task_id in await at.rows(_EVENTS_WITHOUT_JOB):
            await self._placement.defer_delivery(at, number, f"{address}/{task_id}")
