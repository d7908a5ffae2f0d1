"""The jobs of a queue: many are fetched and ended in one statement."""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime

from procrastinate.connector import BaseAsyncConnector
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

from browser_use_async.batch.queue.together import Together
from browser_use_async.postgres.connection import literal

PAUSE = 0.02
"""Seconds for which items wait for others that share their statement."""

_MOST = 64  # jobs in one statement
# procrastinate's function gives one job. It depends on the number, or it would be called once.
_FETCH = """
SELECT job.* FROM generate_series(1, %(most)s::integer) AS number,
    LATERAL procrastinate_fetch_job_v2(
        %(queues)s::varchar[], %(worker_id)s::bigint + 0 * number
    ) AS job
WHERE job.id IS NOT NULL
"""
_END = """
DELETE FROM procrastinate_jobs
WHERE id = ANY(%(jobs)s::bigint[]) AND status IN ('todo', 'doing')
"""


class QueueJobs(JobManager):
    """Gives a worker its jobs one by one, as procrastinate does."""

    # A statement of a job each is most of what an item costs a client.

    def __init__(self, connector: BaseAsyncConnector) -> None:
        super().__init__(connector)
        self.slots = 1  # of the worker
        self._most = 1  # jobs of the next statement: as many as came, and twice as many
        self._fetched: deque[Job] = deque()
        self._begun: set[int | None] = set()  # by number
        self._ends = Together(self._end, PAUSE)

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        """A job for a free slot, if there is one."""
        if not self._fetched:
            most = max(1, min(self._most, self.slots - len(self._begun)))
            rows = await self.connector.execute_query_all_async(
                literal(_FETCH), queues=queues, worker_id=worker_id, most=most
            )
            self._most = min(_MOST, 2 * self._most if len(rows) == most else 1 + len(rows))
            self._fetched.extend(map(Job.from_row, rows))
        if not self._fetched:
            return None
        job = self._fetched.popleft()
        self._begun.add(job.id)
        return job

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """End a job, which is deleted."""
        assert job.id is not None
        try:
            await self._ends.ask(job.id)
        finally:
            self._begun.discard(job.id)

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Have a job repeated."""
        try:
            await super().retry_job(job, retry_at, priority, queue, lock)
        finally:
            self._begun.discard(job.id)

    async def give_back(self) -> None:
        """Give back what was fetched and will not be begun."""
        while self._fetched:
            await self.retry_job(self._fetched.popleft())

    async def _end(self, jobs: Sequence[int]) -> list[None]:
        await self.connector.execute_query_async(literal(_END), jobs=list(jobs))
        return [None] * len(jobs)
