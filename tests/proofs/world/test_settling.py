"""Settle windows that are long enough and too short, and a task among many others."""

import asyncio

import attrs
import pytest

from browser_use_async import errors
from tests.proofs.world.faults import Ending, Fault, Work
from tests.proofs.world.machines import MachineLaws, MachineWorld
from tests.support import clock
from tests.support.network import Machine

WINDOW = 60.0
QUIET = MachineLaws(jobs=1, fault_rate=0.0, late=0.0, lag=0.0, window=WINDOW, crashes=0, others=6.0)
DELAYS = tuple(range(1, 120, 6))  # seconds; the window ends between two of them
BEYOND = sum(delay > WINDOW for delay in DELAYS)

ANSWER_LOST = Fault("answer lost", share=0.0, ending=Ending.RST)


def created_late(seconds: float) -> Fault:
    """The connection breaks, and the task is created this many seconds later."""
    return Fault("late", work=Work.LATE, late=seconds, share=0.0, ending=Ending.FIN)


@attrs.frozen
class Outcome:
    """The tasks of the job at the end.

    Attributes:
        tasks: How many tasks the job has.
        stopped: How many tasks were stopped as duplicates.
        running: How many of the job's tasks were not stopped.
        known: Whether the worker knows its task.
    """

    tasks: int
    stopped: int
    running: int
    known: bool


async def _run(fault: Fault, late: float, lag: float) -> Outcome:
    world = MachineWorld(5, attrs.evolve(QUIET, late=late))
    world.lag = lambda: lag
    world.life = lambda: 1e6  # so that duplicates still run
    world.faults.script.append(fault)
    machine = Machine()
    async with world.open_session(machine) as session:
        worker = world.worker(session, machine)
        await worker.create_all()
        await asyncio.sleep(late + lag)
        stopped = await worker.stop_duplicates()
    mine = [task for task in world.service.tasks.values() if task.job is not None]
    assert all(world.service.tasks[name].job for name in stopped)  # those of others run on
    running = sum(task.stopped_at is None for task in mine)
    return Outcome(len(mine), len(stopped), running, world.judged().lost == 0)


def _outcomes(kind: str) -> list[Outcome]:
    return [
        clock.run(_run(created_late(delay), delay, 0.0))
        if kind == "late"
        else clock.run(_run(ANSWER_LOST, 0.0, delay))
        for delay in DELAYS
    ]


@pytest.mark.long
@pytest.mark.parametrize("kind", ["late", "lag"])
def test_inside_the_window_one_task_and_beyond_it_a_second_one_that_is_stopped(kind):
    """The window decides, to the second, whether a worker doubles a late task."""
    outcomes = _outcomes(kind)

    inside, beyond = outcomes[:-BEYOND], outcomes[-BEYOND:]
    assert inside == [Outcome(1, 0, 1, known=True)] * len(inside)
    assert beyond == [Outcome(2, 1, 1, known=True)] * len(beyond)


@pytest.mark.parametrize("kind", ["late", "lag"])
def test_a_late_task_stays_the_only_one(kind):
    """The SDK never creates a second one; the error finds the first one later."""

    async def late(seconds: float) -> str | None:
        world = MachineWorld(5, attrs.evolve(QUIET, late=seconds))
        world.lag = lambda: seconds if kind == "lag" else 0.0
        world.faults.script.append(created_late(seconds) if kind == "late" else ANSWER_LOST)
        async with world.open_session(Machine()) as session:
            with pytest.raises(errors.SubmissionUnknownError) as caught:
                await session.submit("Buy milk", metadata={"job": "mine"})
            await asyncio.sleep(seconds)
            found = await caught.value.resolve()
        mine = [task.id for task in world.service.tasks.values() if task.job == "mine"]
        assert len(mine) == 1
        return mine[0] if found is not None and found.id == mine[0] else None

    found = [clock.run(late(seconds)) for seconds in DELAYS[-BEYOND:]]

    assert all(found)


@attrs.define
class AmongOthers:
    """Submissions while other clients keep creating tasks.

    Attributes:
        lost: How many submissions there are; each loses its answer.
        pages: The different pages that were read.
        asked: The tasks that were read, each time.
    """

    lost: int = 8
    pages: set[str] = attrs.field(factory=set)
    asked: list[str] = attrs.field(factory=list)

    def _record(self, request: str) -> None:
        target = request.split(" ")[1]
        if "/tasks?" in target:
            self.pages.add(target)
        elif "/task/" in target:
            self.asked.append(target)

    async def run(self) -> MachineWorld:
        """Submit all of them, and check that each got its own task."""
        world = MachineWorld(5, attrs.evolve(QUIET, others=500.0))
        world.lag = lambda: 30.0
        world.service.rows_tell_metadata = False
        world.faults.script.extend([ANSWER_LOST] * self.lost)
        world.server.on_request = self._record
        others = asyncio.create_task(world.create_other_tasks())
        async with world.open_session(Machine()) as session, asyncio.TaskGroup() as group:
            submissions = []
            for number in range(self.lost):
                await asyncio.sleep(5.0)
                submission = session.submit("Buy milk", metadata={"job": f"job-{number}"})
                submissions.append(group.create_task(submission))
        others.cancel()
        await asyncio.wait([others])
        jobs = [world.service.tasks[each.result().id].job for each in submissions]
        assert jobs == [f"job-{number}" for number in range(self.lost)]
        return world


@pytest.mark.long
def test_a_task_is_found_among_many_others():
    """While others create 500 tasks a minute, in the same words, every task is found."""
    trial = AmongOthers()

    clock.run(trial.run())

    assert len(trial.pages) >= 3  # they were pushed off the first page
    assert len(trial.asked) == len(set(trial.asked))  # each at most once: metadata never changes
