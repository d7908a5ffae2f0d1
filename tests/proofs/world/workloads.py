"""The work of clients: wait for tasks, run them, submit them, queue for slots, run batches."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial
from itertools import combinations

import attrs

from browser_use_async import BatchItem, RunTaskRequest, errors, prices
from browser_use_async.batch import ItemState
from browser_use_async.types import LlmModel, Task
from tests.proofs.model.traces import What
from tests.proofs.world.clients import World
from tests.support.fake_task import FakeTask

__all__ = ["Flow", "Slots", "Spending", "Submissions", "Waits"]

TEXTS = ("Buy milk", "Buy bread", "Read the news")
STOP_SECONDS = 15.0  # the time until an abandoned task must have been stopped
MODEL = LlmModel.GPT_4_1

Client = Callable[[World, FakeTask], Awaitable[Task]]


async def _sdk_wait(world: World, task: FakeTask) -> Task:
    return await world.session.wait(task.id)


@attrs.frozen
class Waits:
    """Waits for tasks that other programs created."""

    count: int
    rate: float = math.inf  # waits that begin in a second
    older: bool = False  # all tasks exist before the first wait, and waits come in any order
    client: Client = _sdk_wait

    async def run(self, world: World) -> None:
        """Wait for all of them."""
        create, clients = world.service.create, []
        tasks = [create("Theirs") for _each in range(self.count if self.older else 0)]
        world.rng.shuffle(tasks)
        for number in range(self.count):
            if number and math.isfinite(self.rate):
                await asyncio.sleep(1.0 / self.rate)
            task = tasks[number] if self.older else create("Theirs")
            clients.append(world.spawn(world.follow(task, partial(self.client, world))))
        await world.finish(clients)


@attrs.frozen
class Flow:
    """A flow of `run_and_wait`, in bursts."""

    rate: float  # calls in a second
    seconds: float
    burst: int = 50  # calls that begin at once

    async def run(self, world: World) -> None:
        """Run all of them."""
        clients = []
        for number in range(int(self.rate * self.seconds)):
            if number and number % self.burst == 0:
                await asyncio.sleep(self.burst / self.rate)
            clients.append(world.spawn(_run_and_wait(world, f"job-{number}")))
        world.report.tasks += len(clients)
        await world.finish(clients)
        _note_doubles(world)


async def _run_and_wait(world: World, job: str) -> None:
    began = world.now()

    def created(_handle: object) -> None:
        nonlocal began
        began = world.now()
        world.note_call(job, What.SUBMITTED)

    world.begin_call(job)
    try:
        result = await world.session.run_and_wait(
            f"Do {job}", metadata={"job": job}, on_created=created
        )
    except errors.TaskError as error:
        result = error.task
    except errors.SubmissionUnknownError as error:
        await _resolve(world, job, error)
        return
    except asyncio.CancelledError:
        raise
    except BaseException as error:  # noqa: BLE001 - a middleware's may be of any kind
        await _note_abandoned(world, job, error)
        return
    mine = {task.id: task for task in world.service.by_job[job]}
    if result.id in mine:
        world.note_end(result, mine[result.id], began)
    else:
        world.report.wrong += 1


async def _note_abandoned(world: World, job: str, error: BaseException) -> None:
    """Record a call that has ended otherwise than its task; the caller knows only the error."""
    mine = world.service.by_job[job]
    world.note_error(error, mine[0] if mine else None)
    await asyncio.sleep(STOP_SECONDS)
    held = getattr(error, "task_id", None)
    world.report.lost += any(task.id != held and not task.has_ended for task in mine)


def _note_doubles(world: World) -> None:
    for tasks in world.service.by_job.values():
        world.report.twice += sum(task.stopped_at is None for task in tasks) > 1


async def _resolve(world: World, job: str, error: errors.SubmissionUnknownError) -> str | None:
    """Resolve a submission, and check whether the result is right."""
    world.report.unknown += 1
    while True:
        try:
            found = await error.resolve()
        except errors.BrowserUseError:
            await asyncio.sleep(5.0)
        else:
            break
    mine = [task.id for task in world.service.by_job[job]]
    world.report.wrong += bool(mine) if found is None else found.id not in mine
    return None if found is None else found.id


@attrs.frozen
class Submissions:
    """A flow of `submit` whose answers are sometimes lost."""

    count: int
    rate: float = 2.0  # in a second
    resubmits: bool = False  # once the error has found no task
    settle_window: float = 60.0  # seconds
    warm: bool = True  # the service has sent its time before
    naive: bool = False  # the thin call instead, once

    async def run(self, world: World) -> None:
        """Submit all of them."""
        if self.warm:
            await world.session.ping()
        clients = []
        for number in range(self.count):
            await asyncio.sleep(world.rng.expovariate(self.rate))
            clients.append(world.spawn(self._submit(world, f"job-{number}")))
        world.report.tasks += len(clients)
        await world.finish(clients)
        _note_doubles(world)

    async def _submit(self, world: World, job: str, *, is_new: bool = True) -> None:
        known: str | None = None
        text = world.rng.choice((f"Do {job}", *TEXTS))
        metadata = {"job": job}
        if is_new and not self.naive:
            world.begin_call(job)
        try:
            if self.naive:
                known = (await world.session.tasks.run(text, metadata=metadata)).id
            else:
                known = (await world.session.submit(text, metadata=metadata)).id
                world.note_call(job, What.SUBMITTED)
        except errors.SubmissionUnknownError as error:
            world.note_call(job, What.LEFT_UNKNOWN)
            known = await _resolve(world, job, error)
            if self.resubmits:
                world.begin_again(job)
                if known is None:
                    await self._submit(world, job, is_new=False)
                    return
                world.note_call(job, What.SUBMITTED)
        except errors.BrowserUseError:
            await asyncio.sleep(STOP_SECONDS)  # it says that nothing was created
        mine = [task.id for task in world.service.by_job[job]]
        world.report.wrong += known is not None and known not in mine
        world.report.lost += bool(mine) and known not in mine


@attrs.frozen
class Slots:
    """Callers that submit at the same moment, where only some tasks may run at once."""

    callers: int = 50
    naive: bool = False  # each repeats the thin call by itself

    async def run(self, world: World) -> None:
        """Submit all of them."""
        submit = self._insist if self.naive else self._submit
        jobs = [f"{number:04}" for number in range(self.callers)]
        world.report.tasks += len(jobs)
        clients = []
        for job in jobs:
            clients.append(world.spawn(submit(world, job)))
            await asyncio.sleep(1e-4)  # on no machine do two calls begin at the same time
        await world.finish(clients)
        order = [world.service.tasks[task_id].job or "" for task_id in world.server.created]
        world.report.inversions += sum(one > next_ for one, next_ in combinations(order, 2))
        world.report.lost += len(set(jobs) - set(order))

    async def _submit(self, world: World, job: str) -> None:
        world.begin_call(job)
        await world.session.submit("Queue", metadata={"job": job})
        world.note_call(job, What.SUBMITTED)

    async def _insist(self, world: World, job: str) -> None:
        while True:
            try:
                await world.session.tasks.run("Queue", metadata={"job": job})
            except errors.BrowserUseError:
                await asyncio.sleep(world.rng.uniform(0.5, 1.5))
            else:
                return


@attrs.frozen
class Spending:
    """A batch with a budget."""

    budget: int  # US cents
    concurrency: int
    items: int = 400  # far more than it suffices for
    naive: bool = False  # a loop that pays for all items

    async def run(self, world: World) -> None:
        """Run it to its end."""
        await world.finish([world.spawn(self._run(world))])
        start, step = prices.TASK_START_CENTS, prices.STEP_CENTS[MODEL]
        tasks = world.service.tasks.values()
        costs = [start + step * len(task.step_numbers(math.inf)) for task in tasks]
        quotient = float(sum(costs) / Decimal(self.budget))
        world.report.tasks += len(costs)
        world.report.spent = max(world.report.spent, quotient)

    async def _run(self, world: World) -> None:
        names = [f"item-{number}" for number in range(self.items)]
        if self.naive:
            for name in names:
                await world.session.tasks.run(name)
            return
        requests = [RunTaskRequest(name, metadata={"job": name}) for name in names]
        items = [BatchItem(each, key=name) for name, each in zip(names, requests, strict=True)]
        try:
            batch = world.session.run_many(
                items, concurrency=self.concurrency, budget_cents=self.budget
            )
            async for result in batch:
                world.report.unknown += result.state is ItemState.UNKNOWN
        except errors.BrowserUseError as error:  # such as one about the budget
            world.report.errors[type(error).__name__] += 1
