"""The arithmetic of a budget, and the queue of tasks that wait for it."""

import asyncio
import math
from collections.abc import Sequence
from decimal import Decimal

import attrs
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async import RunTaskRequest
from browser_use_async.batch.admission import Admission
from browser_use_async.batch.ledger.row import LedgerRow, moment
from browser_use_async.money.amounts import NO_LIMIT, BudgetAmounts, TaskPrice

REQUEST = RunTaskRequest("t", llm_model="o3")  # a cent for each of 75 steps
MAXIMUM = Decimal(76)


def _prices() -> st.SearchStrategy[TaskPrice]:
    cents = st.sampled_from(["0.75", "1", "2.5", "3"]).map(Decimal)
    return st.builds(TaskPrice, cents, st.integers(1, 200))


@attrs.frozen
class Job:
    """A task that wants to start.

    Attributes:
        price: Its price.
        share: The share of its steps that it takes; None if nothing is created.
    """

    price: TaskPrice
    share: float | None

    @property
    def cost(self) -> Decimal:
        """What it costs."""
        return self.price.cents(math.ceil((self.share or 0) * self.price.max_steps))


@attrs.define
class Run:
    """Tasks as a budget sees them: they start in order and end in any order.

    Attributes:
        budget: Admits them.
        jobs: The tasks.
        order: Decides which of the running tasks ends next.
    """

    budget: BudgetAmounts
    jobs: Sequence[Job]
    order: Sequence[int]
    running: list[Job] = attrs.field(factory=list)
    started: int = 0
    most_running: int = 0

    def run(self) -> None:
        """Run until no task runs and the next one is not admitted, or none is left."""
        turn = 0
        while True:
            while self._may_start():
                job = self.jobs[self.started]
                self.budget.reserve(job.price.maximum_cents)
                self.running.append(job)
                self.started += 1
            self.most_running = max(self.most_running, len(self.running))
            if not self.running:
                return
            job = self.running.pop(self.order[turn % len(self.order)] % len(self.running))
            turn += 1
            if job.share is None:
                self.budget.release(job.price.maximum_cents)
            else:
                self.budget.settle(job.price.maximum_cents, job.cost)
            assert self.budget.spent_cents + self.budget.reserved_cents <= self.budget.limit_cents

    def _may_start(self) -> bool:
        is_left = self.started < len(self.jobs)
        return is_left and self.budget.admits(self.jobs[self.started].price.maximum_cents)


def _runs() -> st.SearchStrategy[Run]:
    shares = st.none() | st.floats(0.0, 1.0)
    jobs = st.lists(st.builds(Job, _prices(), shares), min_size=1, max_size=60)
    budgets = st.decimals(0, 3000, places=1).map(BudgetAmounts)
    order = st.lists(st.integers(0, 1000), min_size=1, max_size=30)
    return st.builds(Run, budgets, jobs, order)


@given(_runs())
def test_a_limit_is_never_passed(run):
    """For any costs, and for any order of the ends."""
    run.run()

    started = run.jobs[: run.started]
    assert run.budget.spent_cents <= run.budget.limit_cents
    assert run.budget.spent_cents == sum(job.cost for job in started if job.share is not None)


@given(_runs())
def test_nothing_stays_reserved_when_nothing_runs(run):
    """Each reservation is released, so that other tasks can use what was not spent."""
    run.run()

    assert run.budget.reserved_cents == 0
    assert run.budget.remaining_cents == run.budget.limit_cents - run.budget.spent_cents


@given(_runs())
def test_an_ample_limit_admits_everything_at_once(run):
    """A limit that covers all maxima delays nothing, and neither does no limit."""
    run.budget.limit_cents = sum((job.price.maximum_cents for job in run.jobs), Decimal(0))
    run.run()
    assert run.most_running == len(run.jobs)

    unlimited = Run(BudgetAmounts(NO_LIMIT), run.jobs, run.order)
    unlimited.run()
    assert unlimited.most_running == len(run.jobs)


@given(_prices(), st.decimals(4, 3000, places=2))
def test_the_steps_within_an_amount_are_paid_by_it(price, cents):
    """The advice about `max_agent_steps` is right: this many steps fit, and one more does not."""
    steps = price.steps_within(cents)

    assert price.cents(steps) <= cents < price.cents(steps + 1)


# --- the queue ------------------------------------------------------------------------------


def item(position: int, reserved_cents: Decimal = Decimal(0)) -> LedgerRow:
    """The row of an item."""
    given = {"index": position, "entered_at": moment(0), "reserved_cents": reserved_cents}
    return LedgerRow(key=str(position), **given)


def _queue(limit: int, *, reserved: int = 0) -> Admission:
    return Admission(
        BudgetAmounts(Decimal(limit), reserved_cents=Decimal(reserved)), 10, is_first=False
    )


async def test_who_came_first_is_admitted_first():
    """One task fits at a time, and those that wait start in their order."""
    queue = _queue(76)
    admitted: list[int] = []

    async def run(index: int) -> None:
        assert await queue.admit(item(index), REQUEST)
        admitted.append(index)
        await asyncio.sleep(0)
        queue.release(item(index))

    await asyncio.gather(*(run(index) for index in range(20)))

    assert admitted == list(range(20))
    assert queue.note is None


async def test_a_cancelled_task_gives_its_turn_to_the_next():
    """A task that is cancelled at the head of the queue delays no other."""
    queue = _queue(76)
    assert await queue.admit(item(0), REQUEST)
    head, second = (asyncio.ensure_future(queue.admit(item(index), REQUEST)) for index in (1, 2))
    await asyncio.sleep(0)

    head.cancel()
    queue.release(item(0))

    assert await second
    assert head.cancelled()


async def test_a_waiting_task_is_refused_when_too_little_is_left():
    """A task waits while another one runs, and is refused when that one has cost too much."""
    queue = _queue(76)
    assert await queue.admit(item(0), REQUEST)
    second = asyncio.ensure_future(queue.admit(item(1), REQUEST))
    await asyncio.sleep(0)
    assert not second.done()

    queue.settle(item(0), Decimal(75))

    assert not await second
    assert queue.refused_cents == MAXIMUM
    assert "$0.01 of the budget of $0.76 are left" in str(queue.note)


async def test_an_abandoned_task_stays_reserved_and_is_not_waited_for():
    """A task that runs on although this run does not follow it still costs money."""
    queue = _queue(100)
    assert await queue.admit(item(0), REQUEST)
    queue.abandon(item(0))
    queue.abandon(item(1))  # a task that is not known otherwise

    assert queue.budget.reserved_cents == MAXIMUM
    assert not await queue.admit(item(2), REQUEST)


async def test_tasks_of_earlier_runs_are_reserved_for_before_the_input_names_them():
    """The reservations in the ledger count from the beginning, and once."""
    queue = _queue(200, reserved=2 * 76)
    assert not await queue.admit(item(0), REQUEST)

    queue.follow(item(1, MAXIMUM), REQUEST)
    assert queue.budget.reserved_cents == 2 * MAXIMUM
    queue.settle(item(1), Decimal(2))

    assert await queue.admit(item(2), REQUEST)
