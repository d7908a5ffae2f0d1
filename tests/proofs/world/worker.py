"""A program that gives jobs to the service, on a machine that may crash at any moment.

A task's submission token cannot be known before run-task is sent: the public API has it in
`SubmissionUnknownError`, which a crashed program never sees. So the worker does what a user can do.
It records its intent, with a key of its own in the task's metadata, before it submits. After
a restart each intent without an outcome may have been sent: the worker waits for the settle
window, reads the list, and adopts the tasks that carry its keys; a job without a task by then never
gets one, and is submitted again. Where a `SubmissionUnknownError` was seen in time, its token is on
the disk, and the task is resolved from that, by the next program too.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import attrs

from browser_use_async import BrowserUseSession, errors
from browser_use_async.lifecycle.handle import TaskHandle
from browser_use_async.types import TaskSummary
from tests.support.api_bench import resolved
from tests.support.network import Machine

__all__ = ["Abandoned", "Created", "Disk", "Intended", "Job", "Unknown", "Worker"]

CONCURRENCY = 6  # jobs


@attrs.frozen
class Job:
    """One piece of work, which is to become one task.

    Attributes:
        key: The worker's own name for it.
        text: The instructions, perhaps the same as another's.
        begins: When it turns up, in seconds after the worker starts.
        in_one: Whether it is done with `run_and_wait`, instead of `submit` and `wait`.
    """

    key: str
    text: str
    begins: float
    in_one: bool = False


@attrs.frozen
class Intended:
    """The job may be submitted from now on."""

    since: datetime


@attrs.frozen
class Unknown:
    """The response was lost; the token finds the task if there is one."""

    token: str


@attrs.frozen
class Created:
    """The task exists; the token is its handle's."""

    token: str


@attrs.frozen
class Abandoned:
    """The task does not exist, as far as can be known, and is not created again."""


Entry = Intended | Unknown | Created | Abandoned


@attrs.define(eq=False)
class Disk:
    """What survives the machine.

    Attributes:
        entries: The progress of each job.
    """

    entries: dict[str, Entry] = attrs.field(factory=dict)

    def write(self, machine: Machine, job: Job, entry: Entry) -> None:
        """Store an entry, unless the machine crashes before.

        Args:
            machine: The machine that writes.
            job: The job that it is about.
            entry: How far it has come.
        """
        if machine.happens(f"wrote {job.key} {type(entry).__name__}"):
            self.entries[job.key] = entry


@attrs.frozen
class Worker:
    """One run of the program.

    Attributes:
        session: How it talks to the service.
        machine: Where it runs.
        disk: The records of it and its predecessors.
        jobs: All jobs.
        resubmits: Whether a job is sent again whose task has not appeared within the window.
        window: The settle window, in seconds.
        now: The worker's wall clock.
        skew: How far that may be from the service's.
        found: How often a task whose creation got no answer was found, and in which way.
        keys: The job of each task that was fetched; that never changes.
    """

    session: BrowserUseSession
    machine: Machine
    disk: Disk
    jobs: tuple[Job, ...]
    resubmits: bool
    window: float
    now: Callable[[], datetime]
    skew: timedelta
    found: Counter[str]
    keys: dict[str, str | None] = attrs.field(factory=dict)

    async def work(self) -> None:
        """Bring every job to its end."""
        left = [job for job in self.jobs if isinstance(self._entry(job), Intended)]
        slots = asyncio.Semaphore(CONCURRENCY)
        async with asyncio.TaskGroup() as group:
            for job in self.jobs:
                if job not in left:
                    group.create_task(self._work_on(job, slots))
            if left:
                await self._adopt(left)
                for job in left:
                    group.create_task(self._work_on(job, slots))

    async def create_all(self) -> None:
        """Create the task of every job, and wait for none of them."""
        for job in self.jobs:
            while not isinstance(self._entry(job), Created | Abandoned):
                await self._advance(job)

    def _entry(self, job: Job) -> Entry | None:
        return self.disk.entries.get(job.key)

    def _write(self, job: Job, entry: Entry) -> None:
        self.disk.write(self.machine, job, entry)

    async def _work_on(self, job: Job, slots: asyncio.Semaphore) -> None:
        await asyncio.sleep(job.begins)
        async with slots:
            while not isinstance(self._entry(job), Created | Abandoned):
                await self._advance(job)
                await self._stop_if_crashed()
        entry = self._entry(job)
        if isinstance(entry, Created):
            await self._wait_for_end(entry.token)

    async def _stop_if_crashed(self) -> None:
        """Go no further on a crashed machine."""
        if not self.machine.alive:
            await asyncio.get_running_loop().create_future()

    async def _advance(self, job: Job) -> None:
        match self._entry(job):
            case Unknown(token):
                await self._resolve(job, token)
            case _:
                await self._submit(job)

    async def _submit(self, job: Job) -> None:
        self._write(job, Intended(self.now()))
        try:
            await self._create(job)
        except errors.SubmissionUnknownError as error:
            self._write(job, Unknown(str(error.submission_token)))
        except errors.BrowserUseError:
            # Any other error says that nothing was created, or that a wait failed.
            await asyncio.sleep(2.0)

    async def _create(self, job: Job) -> None:
        def created(handle: TaskHandle) -> None:
            self._write(job, Created(handle.to_token()))

        if job.in_one:
            metadata = {"job": job.key}
            await self.session.run_and_wait(job.text, on_created=created, metadata=metadata)
        else:
            created(await self.session.submit(job.text, metadata={"job": job.key}))

    async def _resolve(self, job: Job, token: str) -> None:
        try:
            task = await resolved(self.session, token)
        except errors.BrowserUseError:
            await asyncio.sleep(5.0)
            return
        if task is not None:
            self.found["by its token"] += 1
            self._write(job, Created(self.session.handle(task.id).to_token()))
        elif self.resubmits:
            await self._submit(job)
        else:
            self._write(job, Abandoned())

    async def _adopt(self, left: list[Job]) -> None:
        """Find tasks that a crashed predecessor created without recording them."""
        await asyncio.sleep(self.window)
        while True:
            await self._stop_if_crashed()
            try:
                return await self._scan({job.key: job for job in left})
            except errors.BrowserUseError:
                await asyncio.sleep(5.0)

    async def _scan(self, left: dict[str, Job]) -> None:
        entries = [
            entry for job in left.values() if isinstance(entry := self._entry(job), Intended)
        ]
        since = min((entry.since for entry in entries), default=self.now()) - self.skew
        texts = {job.text for job in left.values()}
        async for row in self.session.iterate_all_tasks(created_after=since):
            key = await self._key_of(row) if row.task in texts else None
            if key is not None and key in left:
                self.found["after a crash"] += 1
                self._write(left.pop(key), Created(self.session.handle(row.id).to_token()))

    async def _key_of(self, row: TaskSummary) -> str | None:
        # Remembered, so that the part before a failure of a scan is not lost.
        if row.id not in self.keys:
            metadata = row.metadata
            if not metadata:  # rows need not carry it
                metadata = (await self.session.tasks.get(row.id)).metadata
            self.keys[row.id] = (metadata or {}).get("job")
        return self.keys[row.id]

    async def stop_duplicates(self) -> list[str]:
        """Stop tasks that carry the key of a job which has another task.

        Returns:
            The ids of the stopped ones.
        """
        known = {entry.token for entry in self.disk.entries.values() if isinstance(entry, Created)}
        keys = {job.key for job in self.jobs}
        stopped = []
        async for row in self.session.iterate_all_tasks():
            token = self.session.handle(row.id).to_token()
            if token not in known and await self._key_of(row) in keys:
                await self.session.tasks.stop(row.id)
                stopped.append(row.id)
        return stopped

    async def _wait_for_end(self, token: str) -> None:
        """Wait for the end of the task; waiting is free."""
        while True:
            await self._stop_if_crashed()
            try:
                await self.session.handle(token).wait()
            except errors.BrowserUseError:
                await asyncio.sleep(5.0)
            else:
                return
