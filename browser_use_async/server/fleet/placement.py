"""Jobs say which server does what, by procrastinate. What is true stands in the rows of the tasks.

So a job may be handed out again without harm.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import procrastinate
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.worker import Worker

from browser_use_async.server.storage.postgres.jobs import QUEUES

_logger = logging.getLogger(__name__)

_DOING = (
    "SELECT id FROM procrastinate_jobs "
    "WHERE status = 'doing' AND worker_id = ANY(%(workers)s::bigint[])"
)
CONTACT = 1.5
"""Leases of unbroken contact with the database before a silent server counts as lost."""

_AFTER_A_FAULT = 5.0  # seconds until a failed job is repeated


class RetryLaterError(Exception):
    """The job must be repeated."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds} seconds")
        self.seconds = seconds


class _Retries(BaseRetryStrategy):
    """Always: the row of a delivery limits its attempts."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:
        seconds = _AFTER_A_FAULT
        if isinstance(exception, RetryLaterError):
            seconds = exception.seconds
        return RetryDecision(retry_at=datetime.now(UTC) + timedelta(seconds=seconds))


@attrs.define(eq=False)
class Placement:
    """The jobs of one server."""

    app: procrastinate.App
    lease: float  # seconds after which a silent server has lost its jobs
    drain: float  # seconds that jobs have to end when the server does
    # The jobs that this server does, and procrastinate's numbers of their workers
    at_work: dict[int, int] = attrs.field(factory=dict)
    _workers: list[Worker] = attrs.field(factory=list)  # running and failed ones
    _unknown: set[int] = attrs.field(factory=set)  # jobs without a worker here, seen once

    def serve(
        self,
        run_task: Callable[[str], Awaitable[None]],
        deliver: Callable[[int], Awaitable[float | None]],
    ) -> None:
        """Set the functions that carry out the jobs of this server."""

        async def task(context: procrastinate.JobContext, task_id: str) -> None:
            await self._counted(context, run_task(task_id))

        async def delivery(context: procrastinate.JobContext, number: int) -> None:
            seconds = await self._counted(context, deliver(number))
            if seconds is not None:
                raise RetryLaterError(seconds)

        add, retry = self.app.task, _Retries()
        add(name="task", queue=QUEUES["task"], pass_context=True, retry=retry)(task)
        add(name="delivery", queue=QUEUES["delivery"], pass_context=True, retry=retry)(delivery)

    async def _counted(self, context: procrastinate.JobContext, work: Awaitable[Any]) -> Any:
        job = context.job
        assert job.id is not None
        self.at_work[job.id] = job.worker_id or 0
        try:
            return await work
        finally:
            self.at_work.pop(job.id, None)

    async def work(self, queue: str, slots: int) -> None:
        """Carry out jobs until this is cancelled; then running jobs are finished first."""
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

    async def beat(self) -> None:
        """Send heartbeats, also while this server ends."""
        # In addition to procrastinate's heartbeats, which stop while a worker drains.
        for worker in set(self.at_work.values()):
            await self.app.job_manager.update_heartbeat(worker)

    async def check(self) -> None:
        """Ask the database whether it answers."""
        await self.app.check_connection_async()

    async def rescue(self) -> None:
        """Have the jobs of silent servers, and lost jobs, repeated."""
        manager = self.app.job_manager
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=self.lease):
            if job.id not in self.at_work:
                _logger.warning(
                    "the server that had the job %s was silent for too long", job.call_string
                )
                await manager.retry_job(job)
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
    """Keeps the jobs of this server, and repeats those of servers that are lost.

    While the database is away, no server can report that it is alive. So none counts as lost
    before it has answered for a while.
    """

    def __init__(
        self, placement: Placement, lease: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._placement = placement
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
                    await self._placement.beat()
                    await self._placement.check()
                    self._contact.made()
                    if self.may_repair:
                        await self._placement.rescue()
            except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
                self._contact.lost()
                _logger.debug("no supervision: %r", error)
            await asyncio.sleep(self._lease / 6)
