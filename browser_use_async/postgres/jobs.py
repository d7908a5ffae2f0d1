"""Jobs of procrastinate in processes that may be killed, and while the database is away.

What is true stands in rows of the owner's tables. So a job may be handed out again without harm.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import attrs
import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.schema import SchemaManager
from procrastinate.worker import Worker

from browser_use_async.postgres.connection import PASSING, QuietPool, literal

ResultT = TypeVar("ResultT")

_LOGGER = logging.getLogger("browser_use_async")
_PAUSE = 0.3
_CONNECTIONS = 6
_DOING = (
    "SELECT id FROM procrastinate_jobs "
    "WHERE status = 'doing' AND worker_id = ANY(%(workers)s::bigint[])"
)
_AFTER_A_FAULT = 5.0  # seconds until a failed job is repeated

CONTACT = 1.5
"""Leases of unbroken contact with the database before a silent process counts as lost."""


def _engine_version() -> str:
    """The version of the tables that the installed procrastinate needs."""
    names = (path.name for path in Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    return max(names).partition("_")[0]


async def create_engine(connection: psycopg.AsyncConnection) -> None:
    """Create the tables of procrastinate, and record their version."""
    await connection.execute(literal(SchemaManager.get_schema()))
    await connection.execute("CREATE TABLE engine_version (version TEXT NOT NULL)")
    await connection.execute("INSERT INTO engine_version VALUES (%s)", [_engine_version()])


async def engine_problem(connection: psycopg.AsyncConnection) -> str | None:
    """What is wrong with the tables of procrastinate, in words that follow their place."""
    found = await (await connection.execute("SELECT version FROM engine_version")).fetchone()
    wanted, version = _engine_version(), None if found is None else str(found[0])
    if version == wanted:
        return None
    return (
        f"has the tables of procrastinate {version}, and the installed procrastinate "
        f"{procrastinate.__version__} needs those of {wanted}; nothing was done. Install the "
        "procrastinate that made them, or name another database"
    )


class SteadyConnector(procrastinate.PsycopgConnector):
    """Waits for an unavailable database, instead of ending the worker."""

    def __init__(self, parameters: dict[str, Any], patience: float = math.inf) -> None:
        super().__init__(
            kwargs=parameters,
            min_size=1,
            max_size=_CONNECTIONS,
            configure=_use_autocommit,
            pool_factory=_pool,
        )
        self.patience = patience  # seconds for which a statement is repeated

    async def _again(self, call: Callable[..., Awaitable[Any]], *given: Any, **named: Any) -> Any:
        ends = time.monotonic() + self.patience
        while True:
            try:
                return await call(*given, **named)
            except ConnectorException as error:
                if not isinstance(error.__cause__, PASSING) or time.monotonic() > ends:
                    raise
            await asyncio.sleep(_PAUSE)

    async def transact(
        self, work: Callable[[psycopg.AsyncConnection], Awaitable[ResultT]]
    ) -> ResultT:
        """Call `work` in a transaction, which may be done twice if an answer is lost."""
        ends = time.monotonic() + self.patience
        while True:
            try:
                async with self.pool.connection() as connection, connection.transaction():
                    return await work(connection)
            except ConnectorException as error:
                if not isinstance(error.__cause__, PASSING) or time.monotonic() > ends:
                    raise
            except PASSING:
                if time.monotonic() > ends:
                    raise
            await asyncio.sleep(_PAUSE)

    async def execute_query_async(self, query: Any, **arguments: Any) -> None:
        """Execute a statement, such as the end of a job."""
        try:
            await self._again(super().execute_query_async, query, **arguments)
        except ConnectorException as error:
            # Another process has taken over the job meanwhile, and ended it.
            if not isinstance(error.__cause__, psycopg.errors.RaiseException):
                raise
            _LOGGER.debug("a job was ended elsewhere: %s", error.__cause__)

    async def execute_query_one_async(self, query: Any, **arguments: Any) -> dict[str, Any]:
        """Fetch one row."""
        row: dict[str, Any] = await self._again(super().execute_query_one_async, query, **arguments)
        return row

    async def execute_query_all_async(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        """Fetch all rows."""
        rows: list[dict[str, Any]] = await self._again(
            super().execute_query_all_async, query, **arguments
        )
        return rows

    async def listen_notify(self, on_notification: Any, channels: Iterable[str]) -> None:
        """Listen for notifications, and connect again after outages."""
        names = list(channels)
        while True:
            try:
                await super().listen_notify(on_notification, names)
            except ConnectorException as error:
                _LOGGER.debug("listening again after %r", error.__cause__)
            await asyncio.sleep(_PAUSE)


async def _use_autocommit(connection: psycopg.AsyncConnection) -> None:
    # Each statement of procrastinate is its own transaction. Without BEGIN and COMMIT, it is one
    # round trip instead of three.
    await connection.set_autocommit(True)


def _pool(**options: Any) -> QuietPool:
    # No check before each statement, which is another round trip: the connector repeats failures.
    options["check"] = None
    return QuietPool(**options)


# --- jobs at work ---------------------------------------------------------------------------


class LaterError(Exception):
    """The job must be repeated."""

    def __init__(self, seconds: float, priority: int | None = None) -> None:
        super().__init__(f"again in {seconds} seconds")
        self.seconds = seconds
        self.priority = priority  # None: as before


class Retries(BaseRetryStrategy):
    """Always: the rows say when there is nothing left to do."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        """When a job is repeated."""
        seconds, priority = _AFTER_A_FAULT, None
        if isinstance(exception, LaterError):
            seconds, priority = exception.seconds, exception.priority
        at = datetime.now(UTC) + timedelta(seconds=seconds)
        return RetryDecision(retry_at=at, priority=priority)


@attrs.define(eq=False)
class JobsAtWork:
    """The jobs that this process does, and the rescue of those that others have left."""

    app: procrastinate.App
    lease: float  # seconds after which a silent process has lost its jobs
    drain: float | None = None  # seconds that jobs have to end when the process does
    queue: str | None = attrs.field(default=None, kw_only=True)  # the only one that is rescued
    first: int | None = attrs.field(default=None, kw_only=True)  # the priority of rescued jobs
    # By job, procrastinate's number of its worker
    at_work: dict[int, int] = attrs.field(factory=dict, init=False)
    _workers: list[Worker] = attrs.field(factory=list, init=False)  # running and failed ones
    _unknown: set[int] = attrs.field(factory=set, init=False)  # jobs without a worker here, once

    async def do(self, context: procrastinate.JobContext, work: Awaitable[ResultT]) -> ResultT:
        """Do the work of a job, which counts as known to this process meanwhile."""
        job = context.job
        assert job.id is not None
        self.at_work[job.id] = job.worker_id or 0
        try:
            return await work
        finally:
            self.at_work.pop(job.id, None)

    async def work(self, queue: str, slots: int) -> None:
        """Do jobs until this is stopped or cancelled; then running jobs are finished first."""
        worker = Worker(
            self.app,
            queues=[queue],
            concurrency=slots,
            wait=True,
            delete_jobs="always",  # millions of old jobs would slow down all others
            fetch_job_polling_interval=1.0,
            abort_job_polling_interval=3600.0,  # not used
            update_heartbeat_interval=self.lease / 6,
            # Pruned workers lose their jobs at once, so not after every outage.
            stalled_worker_timeout=20 * self.lease,
            shutdown_graceful_timeout=self.drain,
            install_signal_handlers=False,
        )
        self._workers.append(worker)
        await worker.run()  # type: ignore[no-untyped-call]
        self._workers.remove(worker)  # it has given its jobs back; a failed one may not have

    def stop(self) -> None:
        """Take no more jobs."""
        for worker in self._workers:
            worker.stop()  # type: ignore[no-untyped-call]

    async def beat(self) -> None:
        """Send heartbeats, also while this process ends."""
        # In addition to procrastinate's heartbeats, which stop while a worker drains.
        for worker in set(self.at_work.values()):
            await self.app.job_manager.update_heartbeat(worker)

    async def check(self) -> None:
        """Ask the database whether it answers."""
        await self.app.check_connection_async()

    async def rescue(self) -> None:
        """Have the jobs of silent processes, and lost jobs, repeated."""
        manager = self.app.job_manager
        for job in await manager.get_stalled_jobs(
            queue=self.queue, seconds_since_heartbeat=self.lease
        ):
            if job.id not in self.at_work:
                _LOGGER.warning(
                    "the process that had the job %s was silent for too long", job.call_string
                )
                await manager.retry_job(job, priority=self.first)
        # Of all workers of this process: one that lost a job may have no other.
        numbers = [each.worker_id for each in self._workers if each.worker_id is not None]
        found = await self.app.connector.execute_query_all_async(_DOING, workers=numbers)
        unknown = {row["id"] for row in found} - self.at_work.keys()
        # If the answer to a fetched job was lost, the job is seen twice without a worker.
        for job_id in unknown & self._unknown:
            await manager.retry_job_by_id_async(job_id, datetime.now(UTC))
        self._unknown = unknown


class Contact:
    """How long the database has answered, and when it last did."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since = self._last = clock()
        self._is_lost = False

    def made(self) -> None:
        """Record that the database has answered."""
        self._last = self._clock()
        if self._is_lost:
            # From now on, not from the last question without an answer.
            self._since, self._is_lost = self._last, False

    def lost(self) -> None:
        """Record that it has not answered."""
        self._is_lost = True

    @property
    def unbroken(self) -> float:
        """Seconds for which it has answered."""
        return 0.0 if self._is_lost else self._clock() - self._since

    @property
    def silence(self) -> float:
        """Seconds since it answered."""
        return self._clock() - self._last


class Supervision:
    """Keeps the jobs of this process, and repeats those of processes that are lost.

    While the database is away, no process can report that it is alive. So none counts as lost
    before it has answered for a while.
    """

    def __init__(
        self, jobs: JobsAtWork, lease: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._jobs = jobs
        self._lease = lease
        self._contact = Contact(clock)

    @property
    def may_repair(self) -> bool:
        """Whether the database has answered for long enough."""
        return self._contact.unbroken >= CONTACT * self._lease

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._lease / 3):
                    await self._jobs.beat()
                    await self._jobs.check()
                    self._contact.made()
                    if self.may_repair:
                        await self._jobs.rescue()
            except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
                self._contact.lost()
                _LOGGER.debug("no supervision: %r", error)
            await asyncio.sleep(self._lease / 6)
