"""Which task may start: reservations, estimates, limits, and the queue in front of them."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from browser_use_async import RunTaskRequest, Task
from browser_use_async.batch.budget import Admission, Budget
from browser_use_async.batch.estimates import InputPrices, StepEstimator, TaskPrice
from browser_use_async.errors import APIConnectionError

PRICE = TaskPrice.of(RunTaskRequest("t", llm_model="o3"))  # a cent for each of 75 steps
GetTask = Callable[[str], Awaitable[Task]]

ENOUGH = 19  # tasks that have to end before a quantile is known


def _prices() -> st.SearchStrategy[TaskPrice]:
    cents = st.sampled_from(["0.75", "1", "2.5", "3"]).map(Decimal)
    return st.builds(TaskPrice, cents, st.integers(1, 200))


@attrs.frozen
class Job:
    """A task that wants to start.

    Attributes:
        price: Its price.
        share: The share of its steps that it takes.
    """

    price: TaskPrice
    share: float

    @property
    def steps(self) -> int:
        """How many steps it takes."""
        return math.ceil(self.share * self.price.max_steps)


@attrs.define
class Run:
    """A batch as its budget sees it: tasks start in order and end in any order.

    Attributes:
        budget: Admits them.
        jobs: The tasks.
        order: Decides which of the running tasks shows steps or ends next.
        at_once: How many may run.
    """

    budget: Budget
    jobs: Sequence[Job]
    order: Sequence[int]
    at_once: int
    running: list[int] = attrs.field(factory=list)
    started: int = 0
    most_running: int = 0

    def run(self) -> None:
        """Until nothing runs and the next task is not admitted, or there is none."""
        turn = 0
        while True:
            while self._may_start():
                self.budget.reserve(self.started, self.jobs[self.started].price)
                self.running.append(self.started)
                self.started += 1
            self.most_running = max(self.most_running, len(self.running))
            if not self.running:
                return
            choice = self.order[turn % len(self.order)]
            turn += 1
            index = self.running[choice % len(self.running)]
            if choice % 3 == 0:
                self.budget.observe(index, self.jobs[index].steps // 2)
            if choice % 3 or turn % 50 == 0:
                self.running.remove(index)
                self.budget.settle(index, self.jobs[index].steps)

    def _may_start(self) -> bool:
        is_left = self.started < len(self.jobs) and len(self.running) < self.at_once
        return is_left and self.budget.admits(self.jobs[self.started].price)


def _runs(*, is_strict: bool) -> st.SearchStrategy[Run]:
    jobs = st.lists(st.builds(Job, _prices(), st.floats(0.0, 1.0)), min_size=1, max_size=60)
    limits = st.decimals(0, 3000, places=1)
    budgets = limits.map(lambda limit: Budget(limit, is_strict=is_strict))
    order = st.lists(st.integers(0, 1000), min_size=1, max_size=30)
    return st.builds(Run, budgets, jobs, order, st.integers(1, 50))


@given(_runs(is_strict=True))
def test_a_strict_limit_is_never_passed(run: Run) -> None:
    """Whatever tasks take, and in whatever order they end."""
    run.run()

    assert run.budget.limit_cents is not None
    assert run.budget.spent_cents <= run.budget.limit_cents


@given(_runs(is_strict=False))
def test_the_worst_case_is_twice_the_limit_or_one_task_beyond_it(run: Run) -> None:
    """Whatever tasks take: they run beside each other within twice the limit, or alone."""
    run.run()

    limit = run.budget.limit_cents
    assert limit is not None
    dearest = max(job.price.maximum_cents for job in run.jobs)
    assert run.budget.spent_cents <= limit + max(limit, dearest)


@given(_runs(is_strict=False))
def test_nothing_stays_reserved_when_nothing_runs(run: Run) -> None:
    """Every reservation is settled, by exactly what the task cost."""
    run.run()

    started = run.jobs[: run.started]
    assert run.budget.reserved_cents == 0
    assert run.budget.is_idle
    assert run.budget.spent_cents == sum(job.price.cents(job.steps) for job in started)


@given(_runs(is_strict=False))
def test_an_ample_limit_admits_everything_at_once(run: Run) -> None:
    """A limit that pays for all maxima delays nothing."""
    run.budget.limit_cents = sum((job.price.maximum_cents for job in run.jobs), Decimal(0))

    run.run()

    assert run.started == len(run.jobs)
    assert run.most_running == min(run.at_once, len(run.jobs))


@given(st.lists(st.integers(1, 74), min_size=1, max_size=32), st.integers(0, 75))
def test_a_quantile_is_one_of_the_steps_seen_or_not_known(steps: list[int], shown: int) -> None:
    """It is no less than what the task shows already, and infinite with too few tasks."""
    estimator = StepEstimator()
    for each in steps:
        estimator.record(each, 75)

    quantile = estimator.quantile(shown)

    assert quantile == math.inf or (quantile in steps and quantile >= shown)
    if sum(each >= shown for each in steps) < ENOUGH:
        assert quantile == math.inf


def _ended(*steps: int) -> StepEstimator:
    estimator = StepEstimator()
    for each in steps:
        estimator.record(each, 75)
    return estimator


def test_a_quantile_is_known_when_enough_tasks_have_ended() -> None:
    """19 tasks are the fewest of which one in twenty is known to take no more."""
    assert _ended(*[3] * (ENOUGH - 1)).quantile() == math.inf
    assert _ended(*[3] * ENOUGH).quantile() == 3
    assert _ended(*[3] * 30, 40).quantile() == 40


def test_running_tasks_that_show_more_steps_make_the_estimate_dearer() -> None:
    """The short tasks end first, and say nothing about those that go on."""
    estimator = _ended(*[3] * 20)
    estimator.observe([10] * 5)

    assert estimator.quantile() == math.inf
    assert estimator.quantile(10) == math.inf


def test_a_task_that_took_all_it_might_says_nothing_about_more() -> None:
    """Tasks of at most 5 steps teach nothing about what others take after 5."""
    estimator = StepEstimator()
    for _each in range(30):
        estimator.record(5, 5)

    assert estimator.quantile() == math.inf
    assert estimator.highest == 5


def test_the_latest_tasks_count() -> None:
    """What tasks took long ago is forgotten."""
    assert _ended(*[3] * 100, *[20] * 32).quantile() == 20


def test_earlier_runs_alone_are_not_believed() -> None:
    """A run has to see some tasks of its own before it trusts a quantile."""
    estimator = StepEstimator([3] * 16)
    estimator.record(3, 75)
    assert estimator.quantile() == math.inf

    for _each in range(2):
        estimator.record(3, 75)
    assert estimator.quantile() == 3


def test_an_abandoned_task_stays_reserved_and_keeps_nobody_waiting() -> None:
    """A task that runs on although nobody follows it still costs something."""
    budget = Budget(Decimal(100))
    budget.reserve(0, PRICE)
    budget.abandon(0)
    budget.abandon(1)  # of which nothing is known

    assert budget.is_idle
    assert budget.reserved_cents == 76
    assert not budget.admits(TaskPrice(Decimal(1), 25))


def test_tasks_of_earlier_runs_are_reckoned_with_before_they_are_met() -> None:
    """Two tasks that may still run count like the dearest task of the input."""
    budget = Budget(Decimal(200), outstanding=2, dearest=PRICE)
    assert budget.reserved_cents == 2 * 76
    assert not budget.admits(PRICE)

    budget.drop_outstanding()
    assert budget.admits(PRICE)


def test_without_any_other_price_they_count_like_the_task_that_wants_to_start() -> None:
    """A lazy input does not tell its dearest task."""
    budget = Budget(Decimal(200), outstanding=2)

    assert not budget.is_ample_for(PRICE)
    assert not budget.admits(PRICE)


def test_a_balance_caps_the_limit() -> None:
    """No more is spent than the account has."""
    budget = Budget(Decimal(500), Decimal(30))
    budget.cap(Decimal(50))
    assert budget.limit_cents == 80
    budget.cap(Decimal(5000))
    assert budget.limit_cents == 80


def test_prices_of_an_input_name_the_cheapest_and_the_dearest() -> None:
    """Of an input with nothing in it there is neither."""
    cheap, dear = RunTaskRequest("a", max_agent_steps=3), RunTaskRequest("b", llm_model="gpt-4o")

    prices = InputPrices.of([dear, ("key", cheap), "text"], {})

    assert (prices.cheapest, prices.dearest) == (TaskPrice.of(cheap), TaskPrice.of(dear))
    assert prices.total_cents == Decimal("8.5") + 226 + Decimal("188.5")
    assert InputPrices.of([], {}) == InputPrices(Decimal(0), None, None)


# --- the queue ------------------------------------------------------------------------------

REQUEST = RunTaskRequest("t", llm_model="o3")


def _queue(limit: int, *, earlier: int, get_task: GetTask) -> Admission:
    """A queue in front of a budget that knows a quantile of 3 steps, so that a task costs 4."""
    budget = Budget(Decimal(limit), estimator=StepEstimator([3] * earlier))
    return Admission(budget, get_task)


async def _shows_nothing(_task_id: str) -> Task:
    raise APIConnectionError("cut", sent=True)


async def test_who_came_first_is_admitted_first() -> None:
    """One task at a time fits, and those that wait start in the order in which they came."""
    queue = _queue(76, earlier=0, get_task=_shows_nothing)
    admitted: list[int] = []

    async def run(index: int) -> None:
        assert await queue.admit(index, REQUEST)
        admitted.append(index)
        await asyncio.sleep(0)
        queue.release(index)

    await asyncio.gather(*(run(index) for index in range(20)))

    assert admitted == list(range(20))


async def test_a_cancelled_task_gives_its_turn_to_the_next() -> None:
    """Who waits at the head of the queue and leaves holds nobody up."""
    queue = _queue(76, earlier=0, get_task=_shows_nothing)
    assert await queue.admit(0, REQUEST)
    head, second = (asyncio.ensure_future(queue.admit(index, REQUEST)) for index in (1, 2))
    await asyncio.sleep(0)

    head.cancel()
    queue.release(0)

    assert await second
    assert head.cancelled()


@pytest.mark.looptime
async def test_running_tasks_that_cannot_be_asked_keep_nobody_waiting() -> None:
    """A service that does not answer a look is not asked again for each task that starts."""
    asked: list[str] = []

    async def get_task(task_id: str) -> Task:
        asked.append(task_id)
        raise APIConnectionError("cut", sent=True)

    queue = _queue(1000, earlier=19, get_task=get_task)
    for index in range(20):
        assert await queue.admit(index, REQUEST)
        queue.task_created(index, f"task-{index}")
        await asyncio.sleep(1.0)

    assert len(asked) <= 20
    assert len(set(asked)) > 5


@pytest.mark.looptime
async def test_steps_that_a_running_task_has_taken_meanwhile_keep_the_next_one_waiting() -> None:
    """What seemed to fit does not any more, and is refused when the task has cost so much."""

    async def get_task(_task_id: str) -> Any:
        return SimpleNamespace(steps=[None] * 74)

    queue = _queue(76, earlier=19, get_task=get_task)
    assert await queue.admit(0, REQUEST)
    queue.task_created(0, "task-0")
    await asyncio.sleep(11.0)
    second = asyncio.ensure_future(queue.admit(1, REQUEST))
    await asyncio.sleep(1.0)

    assert not second.done()
    queue.settle(0, 74)
    assert not await second
