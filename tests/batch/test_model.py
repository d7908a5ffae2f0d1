"""Any sequence of runs, crashes, stops, waits and new items keeps the promises."""

import asyncio
import itertools
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from browser_use_async.batch import ItemState, LedgerRow
from browser_use_async.batch.ledger.records import FINAL_STATES
from browser_use_async.errors import LedgerError
from tests.batch.world import BatchWorld, Forgetful, TracedStore
from tests.proofs.model.traces import ONE_PROCESS
from tests.proofs.world.machines import MachineLaws
from tests.proofs.world.worker import Job
from tests.support.clock import VirtualLoop
from tests.support.fake_task import FakeTask

LAWS = MachineLaws(jobs=0, others=0.0)
TEXTS = ("Buy milk", "Buy bread")


class BatchMachine(RuleBasedStateMachine):
    """A simulated service in which events come in any order."""

    store: type[TracedStore] = TracedStore

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.loop = VirtualLoop()
        self.world: BatchWorld
        self.seen: dict[str, tuple[ItemState, str | None]] = {}
        self.numbers = itertools.count()

    def teardown(self) -> None:
        """Close it."""
        self.loop.run_until_complete(asyncio.sleep(LAWS.late + 30.0))
        self.loop.close()
        shutil.rmtree(self.folder)

    def _do(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    @initialize(seed=st.integers(0, 1000), count=st.integers(1, 5))
    def begin(self, seed: int, count: int) -> None:
        """A new simulated service with some items."""

        async def make() -> BatchWorld:
            return BatchWorld(seed, LAWS, self.folder / "run.db", self.store)

        self.world = self._do(make())
        self.world.jobs = ()
        self.more(count)

    @rule(count=st.integers(1, 3))
    def more(self, count: int) -> None:
        """The input grows."""
        names = [f"job-{next(self.numbers)}" for _ in range(count)]
        fresh = tuple(Job(name, TEXTS[len(name) % 2], 0.0) for name in names)
        self.world.jobs += fresh

    @rule()
    def reorder(self) -> None:
        """Change the order of the input."""
        self.world.jobs = self.world.jobs[::-1]

    @rule(events=st.integers(1, 300))
    def run_and_die(self, events: int) -> None:
        """Run, and let the machine die at some event, if the run gets that far."""
        self.world.crash_after(events)
        self._do(self.world.run_machine())

    @rule()
    def run_to_the_end(self) -> None:
        """Run until everything has ended."""
        self.world.crash_after(None)
        assert self._do(self.world.run_machine())
        rows = {row.key: row.state for row in self.world.view().rows()}
        assert {rows[job.key] for job in self.world.jobs} <= FINAL_STATES

    @rule(seconds=st.floats(0.0, 500.0))
    def let_time_pass(self, seconds: float) -> None:
        """Let time pass, so that only running tasks change."""
        self._do(asyncio.sleep(seconds))

    @rule(hours=st.integers(-30, 30))
    def set_clock(self, hours: int) -> None:
        """Set the machine's clock."""
        self.world.set_clock(timedelta(hours=hours))

    @precondition(lambda self: hasattr(self, "world") and self.world.service.tasks)
    @rule(data=st.data())
    def stop_one(self, data: st.DataObject) -> None:
        """Stop a task, as another client does."""
        task: FakeTask = data.draw(st.sampled_from(list(self.world.service.tasks.values())))
        if (now := self.loop.time()) < task.ended_at:
            task.overruled, task.stopped_at = "stopped", now

    @invariant()
    def no_item_has_two_tasks(self) -> None:
        """Each key has one task at most, ever."""
        if hasattr(self, "world"):
            jobs = [task.job for task in self.world.service.tasks.values()]
            assert len(jobs) == len(set(jobs)), jobs

    @invariant()
    def the_model_allows_it(self) -> None:
        """Each commit, task and crash is a step that the model of paying once allows."""
        if hasattr(self, "world"):
            assert self.world.traces.problems(ONE_PROCESS, LAWS.window) == []

    @invariant()
    def what_has_ended_stays_so(self) -> None:
        """Final states never change, and the done ones have a task that finished."""
        if not hasattr(self, "world"):
            return
        tasks = self.world.service.tasks
        for row in self._rows():
            before = self.seen.get(row.key)
            assert before is None or before == (row.state, row.task_id)
            if row.state in FINAL_STATES:
                self.seen[row.key] = row.state, row.task_id
                assert row.task_id in tasks
                is_stopped = tasks[str(row.task_id)].stopped_at is not None
                assert is_stopped is (row.state is ItemState.FAILED)

    def _rows(self) -> list[LedgerRow]:
        try:
            return list(self.world.view().rows())
        except LedgerError:  # the machine died before the first run had begun
            return []


@pytest.mark.long
@pytest.mark.parametrize(
    ("examples", "steps"),
    [
        (8, 10),
        pytest.param(120, 25, marks=[pytest.mark.nightly, pytest.mark.timeout(900)]),
    ],
)
def test_any_sequence_of_events_keeps_the_promises(examples, steps):
    """At most one task for each key, done means finished, and an end is final."""
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        BatchMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


class ForgetfulMachine(BatchMachine):
    """The same with a ledger that does not record a request before it is sent."""

    store = Forgetful


@pytest.mark.long
def test_the_promises_can_be_broken():
    """The control: without the intent some sequence of events gives an item two tasks."""
    from hypothesis.stateful import run_state_machine_as_test

    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            ForgetfulMachine,
            settings=settings(
                max_examples=200,
                stateful_step_count=12,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],  # the first failing sequence is enough, however long
                suppress_health_check=list(HealthCheck),
            ),
        )
