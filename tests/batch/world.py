"""Worlds of the simulator in which the program is a batch: its ledger is all that survives it."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import attrs

from browser_use_async import BatchItem, BrowserUseSession, RunTaskRequest, errors
from browser_use_async.api.submission_token import SubmissionToken
from browser_use_async.batch.ledger.file import FileStore, LedgerFile
from browser_use_async.batch.ledger.reader import LedgerView, read_ledger
from browser_use_async.batch.ledger.records import ItemState
from browser_use_async.batch.ledger.row import Claim
from browser_use_async.transport.config import Runtime
from tests.simulator.world import LONGEST, Laws, Report, World
from tests.support import clock
from tests.support.network import Machine

__all__ = ["BatchWorld", "DiskWriter", "Forgetful", "simulate_batch"]

ResultT = TypeVar("ResultT")

FSYNC_SECONDS = 0.003
AT_ONCE = 6


class Forgetful(FileStore):
    """A store that forgets what is about to be sent: the control."""

    def begin_send(
        self, claim: Claim, token: SubmissionToken, now: float, maximum_cents: Decimal
    ) -> None:
        """Write nothing."""


@attrs.define(eq=False)
class DiskWriter:
    """Writes at once and without a thread, which would not keep to this world's time.

    Each commit is an event of the machine; what is not committed when it dies is lost.
    """

    ledger: LedgerFile
    machine: Machine
    store: FileStore
    closed: bool = False

    async def run(self, work: Callable[[FileStore], ResultT], *, durable: bool = True) -> ResultT:
        """Do something."""
        if not durable:
            if not self.machine.alive:
                await asyncio.get_running_loop().create_future()
            self._begin()
            return work(self.store)
        await asyncio.sleep(FSYNC_SECONDS)
        if not self.machine.happens("ledger commit"):
            await asyncio.get_running_loop().create_future()
        self._begin()
        result = work(self.store)
        self.ledger.connection.execute("COMMIT")
        if not self.machine.happens("ledger committed"):  # durable, and nobody hears of it
            await asyncio.get_running_loop().create_future()
        return result

    def post(self, work: Callable[[FileStore], object]) -> None:
        """Do something without being waited for."""
        if self.machine.alive and not self.closed:
            self._begin()
            work(self.store)

    def _begin(self) -> None:
        if not self.ledger.connection.in_transaction:
            self.ledger.connection.execute("BEGIN")

    async def aclose(self) -> None:
        """Commit what is left, if the machine lives, and close."""
        if self.closed:
            return
        self.closed = True
        if self.ledger.connection.in_transaction:
            self.ledger.connection.execute("COMMIT" if self.machine.alive else "ROLLBACK")
        self.ledger.close()


@attrs.frozen
class BatchWorker:
    """Runs the batch, and runs it again when it ends with an error."""

    session: BrowserUseSession
    machine: Machine
    world: "BatchWorld"

    async def work(self) -> None:
        """Bring every item to its end."""
        while True:
            try:
                await self._run()
            except errors.BrowserUseError:
                await asyncio.sleep(30.0)
                continue
            if not any(self.world.view().counts[state] for state in self._unfinished()):
                return

    def _unfinished(self) -> set[ItemState]:
        states = {ItemState.NEW, ItemState.INTENT, ItemState.SUBMITTED}
        # A run sends an item a few times only, for a service that loses every answer.
        return states | {ItemState.UNKNOWN} if self.world.is_persistent else states

    async def _run(self) -> None:
        world = self.world
        items = (
            BatchItem(RunTaskRequest(job.text, metadata={"job": job.key}), job.key)
            for job in world.jobs
        )
        batch = self.session.run_many(
            items,
            concurrency=AT_ONCE,
            ledger=world.ledger,
            on_ambiguous=world.laws.on_ambiguous,
            settle_window=world.laws.window,
            stop_orphans=True,
        )
        async with batch:
            world.results = await batch.collect()
        world.orphans += len(batch.orphans)


class BatchWorld(World):
    """One world.

    Args:
        seed: All its chance.
        laws: What holds in it.
        ledger: The file that survives.
        store: Makes the store.
    """

    def __init__(
        self, seed: int, laws: Laws, ledger: Path, store: Callable[..., FileStore] = FileStore
    ) -> None:
        super().__init__(seed, laws)
        self.laws = laws
        self.ledger = ledger
        self.store = store
        self.results: list[object] = []
        self.orphans = 0

    def runtime(self, machine: Machine) -> Runtime:
        """With a disk that is this world's."""

        async def start_writer(open_ledger: Callable[[], LedgerFile]) -> DiskWriter:
            opened = open_ledger()
            opened.connection.execute("PRAGMA synchronous = OFF")  # this machine's disk is modelled
            return DiskWriter(opened, machine, self.store(opened.connection))

        return attrs.evolve(super().runtime(machine), start_writer=start_writer)

    def worker(self, session: BrowserUseSession, machine: Machine) -> BatchWorker:
        """The program."""
        return BatchWorker(session, machine, self)

    @property
    def is_persistent(self) -> bool:
        """Whether items whose answers are lost are sent until one is not."""
        return self.laws.on_ambiguous == "resubmit"

    def view(self) -> LedgerView:
        """What the ledger says."""
        return read_ledger(self.ledger)

    def judged(self) -> Report:
        """Compare what the service has with what the ledger says."""
        report = super().judged()
        report.doubled = report.lost = report.unknown = 0
        rows = {row.key: row for row in self.view().rows()}
        for job in self.jobs:
            mine = [task for task in self.service.tasks.values() if task.job == job.key]
            live = [task for task in mine if task.stopped_at is None]
            row = rows.get(job.key)
            done = row is not None and row.state is ItemState.DONE
            given_up = row is not None and row.state is ItemState.UNKNOWN and not mine
            report.doubled += len(mine) > 1
            report.unknown += given_up
            report.lost += not (given_up or (done and row.task_id in {each.id for each in live}))
        return report


def simulate_batch(
    seed: int, laws: Laws, ledger: Path, store: Callable[..., FileStore] = FileStore
) -> Report:
    """Run one world.

    Args:
        seed: All its chance.
        laws: What holds in it.
        ledger: A file that does not exist yet.
        store: Makes the store.
    """

    async def live() -> Report:
        async with asyncio.timeout(LONGEST):
            return await BatchWorld(seed, laws, ledger, store).run()

    return clock.run(live())
