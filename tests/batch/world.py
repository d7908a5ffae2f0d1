"""Simulated services whose client is a batch: only its ledger survives a crash."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import attrs

from browser_use_async import BatchItem, BrowserUseSession, RunTaskRequest, errors
from browser_use_async.batch.inputs import Item
from browser_use_async.batch.ledger.file import LedgerFile
from browser_use_async.batch.ledger.reader import LedgerView, read_ledger
from browser_use_async.batch.ledger.records import FINAL_STATES, Intent, ItemState
from browser_use_async.batch.ledger.row import LedgerRow
from browser_use_async.batch.ledger.store import LedgerStore
from browser_use_async.batch.result import BatchResult
from browser_use_async.transport.config import Runtime
from tests.proofs.model.traces import ONE_PROCESS, Event, Traces, What
from tests.proofs.world.machines import LONGEST, MachineLaws, MachineWorld
from tests.proofs.world.report import Report
from tests.support import clock
from tests.support.fake_task import FakeTask
from tests.support.network import Machine

__all__ = ["BatchWorld", "DiskWriter", "Forgetful", "simulate_batch"]

ResultT = TypeVar("ResultT")

MakeStore = Callable[[sqlite3.Connection, Traces], "TracedStore"]

FSYNC_SECONDS = 0.003
AT_ONCE = 6


@attrs.define(eq=False)
class Recorder:
    """Records what the statements of a ledger write, once it is durable."""

    traces: Traces
    _pending: list[tuple[str, Event]] = attrs.field(factory=list, init=False)

    def note(self, item: str, what: What, row: str | None = None) -> None:
        """Record what is not committed yet."""
        now = asyncio.get_running_loop().time()
        self._pending.append((item, Event(at=now, what=what, row=row)))

    def commit(self) -> None:
        """Make all records durable."""
        for item, event in self._pending:
            self.traces.add(item, event)
        self._pending.clear()


class TracedStore(LedgerStore):
    """A store that reports what it writes."""

    def __init__(self, connection: sqlite3.Connection, traces: Traces) -> None:
        super().__init__(connection)
        self.recorder = Recorder(traces)

    def begin_item(self, item: Item, now: float, *, revive: bool = False) -> LedgerRow:
        """Read the row, or insert it."""
        row = super().begin_item(item, now, revive=revive)
        if not row.repeated and row.state not in FINAL_STATES:
            self.recorder.note(row.key, What.STARTED, str(row.state))
        return row

    def begin_send(self, row: LedgerRow, intent: Intent) -> None:
        """Write the intent."""
        super().begin_send(row, intent)
        self.recorder.note(row.key, What.INTENT)

    def mark_not_sent(self, row: LedgerRow) -> None:
        """Withdraw the intent."""
        super().mark_not_sent(row)
        self.recorder.note(row.key, What.NOT_CREATED)

    def record_task(self, row: LedgerRow, task_id: str) -> None:
        """Record the task that was found."""
        super().record_task(row, task_id)
        self.recorder.note(row.key, What.SUBMITTED)

    def claim_task(self, row: LedgerRow, task_id: str, *, joined: bool = False) -> bool:
        """Record the task that an answer names."""
        is_own = super().claim_task(row, task_id, joined=joined)
        if is_own:
            self.recorder.note(row.key, What.SUBMITTED)
        return is_own

    def record_outcome(self, row: LedgerRow, result: BatchResult[Any]) -> None:
        """Record the end."""
        super().record_outcome(row, result)
        is_over = result.state in FINAL_STATES
        self.recorder.note(row.key, What.ENDED if is_over else What.LEFT_UNKNOWN)


class Forgetful(TracedStore):
    """The control: a store that forgets the intents."""

    def begin_send(self, row: LedgerRow, intent: Intent) -> None:
        """Write nothing."""


@attrs.define(eq=False)
class DiskWriter:
    """Writes at once and without a thread, which would not follow the virtual time.

    Each commit is an event of the machine; what is not committed when it dies is lost.
    """

    ledger: LedgerFile
    machine: Machine
    store: TracedStore
    closed: bool = False

    async def run(self, work: Callable[[TracedStore], ResultT], *, durable: bool = True) -> ResultT:
        """Run a statement."""
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
        self.store.recorder.commit()
        if not self.machine.happens("ledger committed"):  # durable, and the answer is lost
            await asyncio.get_running_loop().create_future()
        return result

    def post(self, work: Callable[[LedgerStore], object]) -> None:
        """Run a statement without a waiter."""
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
            if self.machine.alive:
                self.store.recorder.commit()
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
            self.world.note_process(What.BEGAN)
            try:
                await self._run()
            except errors.BrowserUseError:
                self.world.note_process(What.KILLED)
                await asyncio.sleep(30.0)
                continue
            self.world.note_process(What.KILLED)
            if not any(self.world.view().counts[state] for state in self._unfinished()):
                return

    def _unfinished(self) -> set[ItemState]:
        # A run sends an unknown item once.
        return {ItemState.NEW, ItemState.INTENT, ItemState.SUBMITTED, ItemState.UNKNOWN}

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
            retry_unknown=True,
            **world.options,
        )
        async with batch:
            world.results = await batch.collect()


class BatchWorld(MachineWorld):
    """One world.

    Args:
        seed: All its chance.
        laws: Its laws.
        ledger: The file that survives.
        store: Makes the store.

    Attributes:
        options: More options of `run_many`.
    """

    def __init__(
        self, seed: int, laws: MachineLaws, ledger: Path, store: MakeStore = TracedStore
    ) -> None:
        super().__init__(seed, laws)
        self.laws = laws
        self.ledger = ledger
        self.store = store
        self.results: list[object] = []
        self.options: dict[str, Any] = {}
        self.traces = Traces()
        self._is_running = False

    def runtime(self, machine: Machine) -> Runtime:
        """With a disk that is this world's."""

        async def start_writer(open_ledger: Callable[[], LedgerFile]) -> DiskWriter:
            opened = open_ledger()
            opened.connection.execute("PRAGMA synchronous = OFF")  # this machine's disk is modelled
            return DiskWriter(opened, machine, self.store(opened.connection, self.traces))

        return attrs.evolve(super().runtime(machine), start_writer=start_writer)

    def worker(self, session: BrowserUseSession, machine: Machine) -> BatchWorker:
        """The program."""
        return BatchWorker(session, machine, self)

    async def run_machine(self) -> bool:
        """Start the program on a new machine."""
        is_done = await super().run_machine()
        if not is_done:
            self.note_process(What.KILLED)
        return is_done

    def note_process(self, what: What) -> None:
        """Record that a run begins, or ends for any reason."""
        if self._is_running == (what is What.BEGAN):
            return
        self._is_running = what is What.BEGAN
        now = asyncio.get_running_loop().time()
        self.traces.add_to_all(Event(at=now, what=what))

    def _drawn_task(self, body: Any) -> FakeTask:
        job = body.get("metadata", {}).get("job")
        if job is not None:
            now = asyncio.get_running_loop().time()
            self.traces.add(job, Event(at=now, what=What.MADE))
        return super()._drawn_task(body)

    def view(self) -> LedgerView:
        """The content of the ledger."""
        return read_ledger(self.ledger)

    def judged(self) -> Report:
        """Compare the service with the ledger."""
        report = super().judged()
        report.twice = report.lost = report.unknown = 0
        rows = {row.key: row for row in self.view().rows()}
        for job in self.jobs:
            mine = [task for task in self.service.tasks.values() if task.job == job.key]
            live = [task for task in mine if task.stopped_at is None]
            row = rows.get(job.key)
            done = row is not None and row.state is ItemState.DONE
            given_up = row is not None and row.state is ItemState.UNKNOWN and not mine
            report.twice += len(mine) > 1
            report.unknown += given_up
            report.lost += not (given_up or (done and row.task_id in {each.id for each in live}))
        report.noted = len(self.traces)
        report.forbidden = len(self.traces.problems(ONE_PROCESS, self.laws.window))
        return report


def simulate_batch(
    seed: int, laws: MachineLaws, ledger: Path, store: MakeStore = TracedStore
) -> Report:
    """Run one world.

    Args:
        seed: All its chance.
        laws: Its laws.
        ledger: A file that does not exist yet.
        store: Makes the store.
    """

    async def live() -> Report:
        async with asyncio.timeout(LONGEST):
            return await BatchWorld(seed, laws, ledger, store).run()

    return clock.run(live())
