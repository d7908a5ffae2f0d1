"""One server among several that share a database: it creates tasks, carries them out, or both."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial

from browser_use_async.errors import ConfigurationError
from browser_use_async.postgres.jobs import Supervision
from browser_use_async.server.fleet.placement import Placement
from browser_use_async.server.fleet.worker import LOST, FleetWorker
from browser_use_async.server.loops import Loop, Loops, log_failure
from browser_use_async.server.records import Failed, FailureCause
from browser_use_async.server.settings import ServerSettings
from browser_use_async.server.storage import (
    Database,
    TaskStore,
    TransitionRefusedError,
)
from browser_use_async.server.storage.postgres.connection import Listener
from browser_use_async.server.storage.postgres.database import PostgresDatabase
from browser_use_async.server.storage.postgres.jobs import QUEUES
from browser_use_async.server.storage.shared_database import LONGEST_INTERVAL, Nodes
from browser_use_async.server.stores import Stores
from browser_use_async.server.tasks.deployment import Deployment
from browser_use_async.server.tasks.runner import TaskRunner
from browser_use_async.server.webhooks.sender import FleetSender

_logger = logging.getLogger(__name__)

_DELIVERIES_AT_ONCE = 20

_KEPT = timedelta(hours=1)  # longer than any server asks whether a transaction was committed
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


class Fleet(Deployment):
    """The background work of a server that shares its database."""

    longest_sleep = 5.0
    sends_at_once = False

    def __init__(
        self,
        settings: ServerSettings,
        worker: str,
        database: PostgresDatabase,
        stores: Stores,
        runner: TaskRunner,
        webhooks: FleetSender,
        nodes: Nodes,
        loops: Loops,
    ) -> None:
        self.most_at_work = settings.max_concurrent_tasks
        self.slots = settings.capacity
        self._interval = min(LONGEST_INTERVAL, settings.lease)
        self.schedules = settings.role != "worker"
        self._settings = settings
        self._worker_id = worker
        self._nodes = nodes
        self._loops = loops
        self._database = database
        self._changes = stores.changes
        stores.outbox.webhooks.is_shared = True
        self._sealed = stores.sealed
        self._runner = runner
        self._webhooks = webhooks
        self._placement = Placement(database.jobs, settings.lease, settings.drain)
        self._worker = FleetWorker(worker, stores.tasks, runner, settings.lease)
        self._repair = partial(_repair, database, stores.tasks)
        self._listener = Listener(
            database.address, database.outage, self._hear, stores.changes.miss
        )
        self._beside: list[Loop] = []
        self._working: list[Loop] = []
        self._supervision = Supervision(self._placement, settings.lease)

    def require_alone(self, message: str) -> None:
        """Refuse what only a server with a database of its own has."""
        raise ConfigurationError(message)

    async def open(self) -> None:
        """Receive announcements of the others, and write jobs from now on."""
        # First of all, since they may be refused.
        await self._sealed.leave_check()
        await self._tell(self._nodes.join)
        self._placement.serve(self._worker.run_task, self._webhooks.deliver)
        await self._placement.app.open_async()
        self._beside = [self._loops.start("listener", self._listener.run)]
        await self._listener.listening.wait()
        await self._announce()
        self._beside.append(self._loops.start("announcements", self._keep_announcing))

    def work(self) -> None:
        """Take jobs from now on."""
        if self._settings.role == "api":
            return
        start, placement = self._loops.start, self._placement
        self._beside += [
            start("watch", self._worker.watch),
            start("supervision", self._supervision.run),
            start("janitor", self._clean),
        ]
        self._working = [
            start("tasks", partial(placement.work, QUEUES["task"], self._settings.capacity)),
            start("events", partial(placement.work, QUEUES["delivery"], _DELIVERIES_AT_ONCE)),
        ]

    async def drain(self) -> None:
        """Take no more jobs, and wait for running ones."""
        if self._runner.count:
            _logger.warning("waiting for %d tasks at work", self._runner.count)
        await asyncio.gather(*(each.aclose() for each in self._working))

    async def aclose(self) -> None:
        """End everything except the tasks, for which `drain` has waited."""
        await self.drain()
        await asyncio.gather(*(each.aclose() for each in self._beside))
        await _guarded("leaving", partial(self._nodes.withdraw, self._worker_id))
        await self._placement.app.close_async()

    def _hear(self, task_id: str, news: str) -> None:
        status = self._changes.hear(task_id, news)
        if status is not None:
            self._runner.follow(task_id, status)

    async def _tell(self, others: Callable[..., Awaitable[None]]) -> None:
        settings = self._settings
        await others(
            self._worker_id,
            settings.node_address if settings.capacity else None,
            settings.capacity,
            keeps_keys=settings.submission_keys,
        )

    async def _announce(self) -> None:
        await self._tell(self._nodes.announce)
        # A client may make a call here, and repeat it at another server.
        self.keeps_keys = await self._nodes.all_keep_keys()

    async def _keep_announcing(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            await _guarded("announcing", self._announce)

    async def _clean(self) -> None:
        while True:
            await asyncio.sleep(self._interval)
            if self._supervision.may_repair:
                exclusively = partial(self._database.exclusively, "janitor", self._repair)
                await _guarded("cleaning up", exclusively)


async def _guarded(what: str, work: Callable[[], Awaitable[object]]) -> None:
    try:
        await work()
    except Exception as error:  # noqa: BLE001 - what was left over is done the next time
        log_failure(_logger, what, error)


async def _repair(database: Database, tasks: TaskStore) -> None:
    """Repair tasks and events without jobs, after a bug or a deleted job."""
    await database.transact(_make_jobs)
    for (task_id,) in await database.rows(_LOST):
        record = await tasks.of_any_owner(id=task_id)
        if record is None or record.status.is_terminal:
            continue  # ended in between
        _logger.warning("task %s is at work without a job", task_id)
        with suppress(TransitionRefusedError):
            await tasks.fail(record, Failed(LOST, cause=FailureCause.WORKER_LOST))
    await database.rows(
        "DELETE FROM commits WHERE at < now() - CAST(:kept AS INTERVAL)",
        kept=f"{_KEPT.total_seconds()} seconds",
    )


async def _make_jobs(at: Database) -> None:
    for (task_id,) in await at.rows(_WITHOUT_JOB):
        _logger.warning("task %s had no job, and has one now", task_id)
        await at.defer("task", task_id=task_id)
    for number, address, task_id in await at.rows(_EVENTS_WITHOUT_JOB):
        await at.defer("delivery", f"{address}/{task_id}", number=number)
