"""The jobs that spread items over processes, by procrastinate, made to outlive the database.

A job is placement only: what is true of an item stands in its row. So a job may be lost, doubled or
handed out again without harm.
"""

import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import attrs
import procrastinate
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job

from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.connection import connection_parameters
from browser_use_async.batch.postgres.schema import HANDED_OUT, WAITING
from browser_use_async.batch.postgres.store import WorkerStore
from browser_use_async.batch.postgres.writer import PostgresWriter
from browser_use_async.logs import LOGGER
from browser_use_async.postgres.connection import PASSING
from browser_use_async.postgres.job_connector import SteadyConnector

MOST_AHEAD = 10_000
"""Jobs that exist at once; the ledger has the rest. Fetching one gets slower the more there are."""

CONTACT = 1.5
"""Leases of unbroken contact before a silent process is believed to have ended.

While the database is away, no process can report that it is alive.
"""

MOST_BETWEEN = 0.75
"""Leases between two answers of the database that are one contact: others beat six times in one."""

_TASK = "item"
_DEFERRED = 1000  # jobs in one statement

# One process at a time, or together they would make too many jobs. More are made when half of them
# are done.
_CHOOSE = f"""
WITH ahead AS (SELECT count(*) AS jobs FROM items WHERE feed = {HANDED_OUT}),
chosen AS (
    SELECT position FROM items
    WHERE feed = {WAITING} AND (SELECT jobs FROM ahead) < {MOST_AHEAD // 2}
    ORDER BY position LIMIT {MOST_AHEAD // 2} FOR UPDATE SKIP LOCKED
)
UPDATE items SET feed = {HANDED_OUT} FROM chosen
WHERE items.position = chosen.position
    AND (SELECT pg_try_advisory_xact_lock(hashtextextended(%(key)s, 4)))
RETURNING items.position
"""


@attrs.define(eq=False)
class JobQueue:
    """The jobs of one batch, as one process sees them."""

    address: LedgerAddress
    writer: PostgresWriter[WorkerStore]
    lease: float  # seconds after which a silent process has lost its items
    app: procrastinate.App
    workers: dict[int, int] = attrs.field(factory=dict)  # by the job that is at work here
    _contact_since: float | None = None  # when the database answered first since it last did not
    _answered_at: float = 0.0  # when it answered last
    _unknown: set[int] = attrs.field(factory=set)  # jobs that nobody here knows, once seen

    @classmethod
    def of(
        cls,
        address: LedgerAddress,
        writer: PostgresWriter[WorkerStore],
        lease: float,
        patience: float,
        run_item: Callable[[int], Awaitable[None]],
    ) -> "JobQueue":
        """The jobs of a batch, each of which calls a function with the position of its item."""
        connector = SteadyConnector(connection_parameters(address), 4, patience)
        queue = cls(address, writer, lease, procrastinate.App(connector=connector))

        async def item(context: procrastinate.JobContext, position: int) -> None:
            job = context.job
            assert job.id is not None
            queue.workers[job.id] = job.worker_id or 0
            try:
                await run_item(position)
            finally:
                queue.workers.pop(job.id, None)

        # Neither retries nor a queueing lock: the feeder makes another job where one is needed.
        queue.app.task(name=_TASK, queue=address.schema, pass_context=True)(item)
        return queue

    async def create(self) -> None:
        """Create the tables of the jobs beside those of the ledger, unless they are there."""
        pool: Any = self.app.connector
        async with pool.pool.connection() as connection:
            # Two processes that begin together: the second one waits and finds them.
            await connection.execute(
                "SELECT pg_advisory_lock(hashtextextended(%s, 3))", [self.address.schema]
            )
            try:
                if not await self.app.check_connection_async():
                    await self.app.schema_manager.apply_schema_async()
            finally:
                await connection.execute(
                    "SELECT pg_advisory_unlock(hashtextextended(%s, 3))", [self.address.schema]
                )

    async def work(self, concurrency: int) -> None:
        """Run jobs until this is cancelled; then those at work come to their end first."""
        await self.app.run_worker_async(
            queues=[self.address.schema],
            concurrency=concurrency,
            wait=True,
            # Succeeded or not: what is to be done again stands in the ledger.
            delete_jobs="always",
            fetch_job_polling_interval=1.0,
            abort_job_polling_interval=3600.0,  # nobody asks for it
            update_heartbeat_interval=self.lease / 6,
            # Those that are pruned lose their jobs at once, so not after every outage.
            stalled_worker_timeout=20 * self.lease,
            install_signal_handlers=False,
        )

    # --- one round of the supervision -----------------------------------------------------

    async def supervise(self, *, hands_out: bool = True) -> None:
        """Beat, hand out items, and take back those of processes that have ended."""
        manager = self.app.job_manager
        try:
            # Beside procrastinate's own heart, which stops while a worker drains.
            for worker in set(self.workers.values()):
                await manager.update_heartbeat(worker)
            if hands_out:
                await self._hand_out()
            if self._has_contact():
                await self._rescue()
        except ConnectorException as error:
            self._contact_since = None
            LOGGER.debug("the jobs of the batch cannot be reached: %r", error.__cause__)

    def _has_contact(self) -> bool:
        """Whether the database answered for so long that every living process could beat."""
        now = time.monotonic()
        # Statements wait for a database that is away: a round that took long says that it was.
        if self._contact_since is None or now - self._answered_at > MOST_BETWEEN * self.lease:
            self._contact_since = now
        self._answered_at = now
        return now - self._contact_since >= CONTACT * self.lease

    async def _hand_out(self) -> None:
        """Make jobs for the next items, in the transaction that says so."""
        pool: Any = self.app.connector
        try:
            async with pool.pool.connection() as connection, connection.transaction():
                chosen = await connection.execute(_CHOOSE, {"key": self.address.schema})
                positions = sorted(position for (position,) in await chosen.fetchall())
                defer = self.app.configure_task(
                    _TASK, queue=self.address.schema, connection=connection
                )
                for start in range(0, len(positions), _DEFERRED):
                    chunk = positions[start : start + _DEFERRED]
                    await defer.batch_defer_async(*({"position": each} for each in chunk))
        except PASSING as error:
            raise ConnectorException from error

    async def _rescue(self) -> None:
        """Let the jobs of silent processes, and those that got lost, be done again."""
        manager, queue = self.app.job_manager, self.address.schema
        stalled = await manager.get_stalled_jobs(queue=queue, seconds_since_heartbeat=self.lease)
        for job in stalled:
            await self._do_again(job)
        for worker in set(self.workers.values()):
            await self._do_unknown_again(
                await manager.list_jobs_async(queue=queue, status="doing", worker_id=worker)
            )

    async def _do_unknown_again(self, jobs: Iterable[Job]) -> None:
        """A job is fetched and its answer lost: seen twice, it is one that nobody works on."""
        unknown = {job.id for job in jobs if job.id is not None} - self.workers.keys()
        for job_id in unknown & self._unknown:
            await self.app.job_manager.retry_job_by_id_async(job_id, datetime.now(UTC))
        self._unknown = unknown

    async def _do_again(self, job: Job) -> None:
        LOGGER.warning(
            "the process of item %d was silent for too long, so the item is worked on again",
            _position(job),
        )
        await self.app.job_manager.retry_job(job)

    async def find_lost(self) -> None:
        """Hand items out again whose jobs do not exist any more."""
        # In this order: an item that is handed out meanwhile is not among the first.
        handed_out = await self.writer.transact(lambda store: store.handed_out())
        jobs = await self.app.job_manager.list_jobs_async(queue=self.address.schema)
        lost = handed_out - {_position(job) for job in jobs}
        if lost:
            await self.writer.transact(lambda store: store.hand_out_again(lost))


def _position(job: Job) -> int:
    position: Any = job.task_kwargs["position"]
    return int(position)
