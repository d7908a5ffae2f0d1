"""What clients do: wait for tasks, run them, submit them, run batches, and queue for slots."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import attrs

from browser_use_async import errors, prices
from browser_use_async.models import LlmModel, Task
from tests.chaos.service import ScriptedTask
from tests.chaos.world import World

__all__ = ["Flow", "Slots", "Spending", "Submissions", "Waits", "sdk_wait"]

TEXTS = ("Buy milk", "Buy bread", "Read the news")
STOP_SECONDS = 15.0  # within which a task that nobody holds must have been stopped
MODEL = LlmModel.GPT_4_1

Client = Callable[[World, ScriptedTask], Awaitable[Task]]


async def sdk_wait(world: World, task: ScriptedTask) -> Task:
    """`session.wait`."""
    return await world.session.wait(task.id)


@attrs.frozen
class Waits:
    """Waits for tasks that other programs created.

    Attributes:
        count: How many.
        rate: How many of the tasks appear in a second, each with its wait; None for all at once.
        client: What waits.
        older: Tasks that exist besides, older than these.
    """

    count: int
    rate: float | None = None
    client: Client = sdk_wait
    older: int = 0

    async def run(self, world: World) -> None:
        """Wait for all of them."""
        for _each in range(self.older):
            world.service.create("Somebody else's", {})
        clients = []
        for number in range(self.count):
            if self.rate is not None and number:
                await asyncio.sleep(1.0 / self.rate)
            task = world.service.create(f"Task {number}", {})
            clients.append(world.spawn(self._follow(world, task)))
        await world.finish(clients)

    async def _follow(self, world: World, task: ScriptedTask) -> None:
        await world.follow(task, lambda task: self.client(world, task))


@attrs.frozen
class Flow:
    """A flow of `run_and_wait`, in bursts.

    Attributes:
        rate: Calls in a second.
        seconds: For how long.
        burst: How many calls begin at once.
        warmup: Waits for tasks of others, which begin before.
    """

    rate: float
    seconds: float
    burst: int = 50

    async def run(self, world: World) -> None:
        """Run all of them."""
        clients = []
        count = int(self.rate * self.seconds)
        for number in range(count):
            if number and number % self.burst == 0:
                await asyncio.sleep(self.burst / self.rate)
            clients.append(world.spawn(_run_and_wait(world, f"job-{number}")))
        await world.finish(clients)
        _note_doubles(world, count)


async def _run_and_wait(world: World, job: str) -> None:
    began: list[float] = []
    world.report.waits += 1
    task: Task | None = None
    try:
        task = await world.session.run_and_wait(
            f"Do {job}",
            metadata={"job": job},
            on_created=lambda _handle: began.append(world.now()),
        )
    except errors.TaskError as error:
        task = error.task
    except errors.SubmissionUnknownError as error:
        await _resolve(world, job, error)
        return
    except asyncio.CancelledError:
        world.note_cancelled()
    except BaseException as error:  # noqa: BLE001 - a middleware's may be of any kind
        mine = _tasks_of(world, job)
        world.note_error(error, mine[0] if mine else None)
        held = getattr(error, "task_id", None)
        await asyncio.sleep(STOP_SECONDS)
        world.report.lost += any(
            task.id != held and not task.has_ended(world.now()) for task in mine
        )
    if task is not None:
        mine = [each for each in _tasks_of(world, job) if each.id == task.id]
        if mine:
            world.note_end(task, mine[0], began[0] if began else world.now())
        else:
            world.report.wrong += 1


def _tasks_of(world: World, job: str) -> list[ScriptedTask]:
    return world.service.by_job.get(job, [])


def _note_doubles(world: World, jobs: int) -> None:
    for tasks in world.service.by_job.values():
        world.report.twice += sum(task.stopped_at is None for task in tasks) > 1
    world.report.jobs += jobs


async def _resolve(world: World, job: str, error: errors.SubmissionUnknownError) -> str | None:
    """Find out what became of a submission, and whether that is true."""
    world.report.unknown += 1
    while True:
        try:
            task = await error.resolve()
        except errors.BrowserUseError:
            await asyncio.sleep(5.0)
        else:
            break
    mine = [each.id for each in _tasks_of(world, job)]
    is_true = task.id in mine if task is not None else not mine
    world.report.wrong += not is_true
    return None if task is None else task.id


@attrs.frozen
class Submissions:
    """A flow of `submit`, whose answers are lost now and then.

    Attributes:
        count: How many.
        rate: How many in a second.
        on_ambiguous: What the SDK does about a lost answer.
        settle_window: The settle window in seconds.
        warm: Whether the service has told its time before the first one.
        naive: Whether each is sent with the thin call instead, once.
    """

    count: int
    rate: float = 2.0
    on_ambiguous: str = "reconcile"
    settle_window: float = 60.0
    warm: bool = True
    naive: bool = False

    async def run(self, world: World) -> None:
        """Submit all of them."""
        if self.warm:
            await world.session.ping()
        clients = []
        for number in range(self.count):
            await asyncio.sleep(world.rng.expovariate(self.rate))
            clients.append(world.spawn(self._submit(world, f"job-{number}")))
        await world.finish(clients)
        _note_doubles(world, self.count)

    async def _submit(self, world: World, job: str) -> None:
        known: str | None = None
        text = world.rng.choice((f"Do {job}", *TEXTS))
        metadata = {"job": job}
        fields: Any = {"on_ambiguous": self.on_ambiguous, "settle_window": self.settle_window}
        try:
            if self.naive:
                known = (await world.session.tasks.run(text, metadata=metadata)).id
            else:
                handle = await world.session.submit(text, metadata=metadata, **fields)
                known = handle.id
        except errors.SubmissionUnknownError as error:
            known = await _resolve(world, job, error)
        except errors.BrowserUseError:
            await asyncio.sleep(STOP_SECONDS)  # it says that nothing was created
        mine = [task.id for task in _tasks_of(world, job)]
        world.report.wrong += known is not None and known not in mine
        world.report.lost += bool(mine) and known not in mine


@attrs.frozen
class Slots:
    """Callers that submit at the same moment, where only some tasks may run at once.

    Attributes:
        callers: How many.
        naive: Whether each caller repeats the thin call by itself.
    """

    callers: int = 50
    naive: bool = False

    async def run(self, world: World) -> None:
        """Submit all of them."""
        work = self._insist if self.naive else self._submit
        await world.finish(
            [world.spawn(work(world, f"{number:04}")) for number in range(self.callers)]
        )
        order = [world.service.tasks[task_id].job or "" for task_id in world.server.created]
        pairs = [(first, later) for at, first in enumerate(order) for later in order[at + 1 :]]
        world.report.inversions += sum(first > later for first, later in pairs)
        world.report.lost += self.callers - len(set(order))

    async def _submit(self, world: World, job: str) -> None:
        await world.session.submit("Queue", metadata={"job": job})

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
    """A batch with a budget.

    Attributes:
        budget: What it may cost, in US cents.
        concurrency: The most items under way at once.
        strict: Whether the budget must never be exceeded.
        items: How many items there are; far more than the budget is enough for.
        naive: Whether a loop pays for all of them instead.
    """

    budget: int
    concurrency: int
    strict: bool = False
    items: int = 400
    naive: bool = False

    async def run(self, world: World) -> None:
        """Run it to its end."""
        await world.finish([world.spawn(self._run(world))])
        start, step = prices.TASK_START_CENTS, prices.STEP_CENTS[MODEL]
        costs = [start + step * task.steps for task in world.service.tasks.values()]
        # Nobody can know beforehand that the first task will cost more than the whole budget.
        least = Decimal(0) if self.strict else max(costs, default=Decimal(0))
        allowed = max(Decimal(self.budget), least)
        world.report.spent = max(world.report.spent, float(sum(costs, Decimal(0)) / allowed))
        world.report.jobs += len(costs)

    async def _run(self, world: World) -> None:
        texts = [f"Item {number}" for number in range(self.items)]
        if self.naive:
            for text in texts[: 2 * self.budget // 20]:
                await world.session.tasks.run(text)
            return
        options: Any = {"budget_strict": True} if self.strict else {}
        batch = world.session.run_many(
            texts, concurrency=self.concurrency, budget_cents=self.budget, **options
        )
        try:
            async for result in batch:
                world.report.untyped += not (result.succeeded or result.error is not None)
        except errors.BrowserUseError as error:
            world.report.errors[type(error).__name__] += 1

    @staticmethod
    def can_be_strict(run_many: Any) -> bool:
        """Whether this version of the SDK knows strict budgets."""
        return "budget_strict" in inspect.signature(run_many).parameters
