"""Budgets as scopes: reserved, spent and refused amounts."""

import asyncio
import gc
import pickle
import weakref
from decimal import Decimal

import pytest

from browser_use_async import BrowserUseSession, Budget, TaskStatus, errors
from tests.support.fake_api import LOST_AFTER, LOST_BEFORE, FakeTask, Fault
from tests.support.fake_task import lives

pytestmark = pytest.mark.looptime

TEN_STEPS = Decimal(26)  # a start, and ten steps of gpt-4.1
THREE_STEPS = Decimal("8.5")
LATE = Fault(cut=True, done_after=155.0)  # executed after the settle window


def _amounts(budget: Budget) -> tuple[Decimal, Decimal, Decimal]:
    return budget.spent_cents, budget.reserved_cents, budget.remaining_cents


async def _submit(session: BrowserUseSession) -> str:
    handle = await session.submit("Buy milk", max_agent_steps=10)
    return handle.id


async def test_the_maximum_is_reserved_and_the_cost_spent(api, session):
    """While a task runs all its steps are reserved; its end settles the real ones."""
    async with session.budget(cents=100) as budget:
        handle = await session.submit("Buy milk", max_agent_steps=10)
        assert _amounts(budget) == (0, TEN_STEPS, 100 - TEN_STEPS)
        await handle.wait()

        assert _amounts(budget) == (THREE_STEPS, 0, 100 - THREE_STEPS)
    assert repr(budget) == "<Budget of $1.00: $0.085 spent, $0.00 reserved>"


async def test_what_does_not_fit_is_not_sent(api, session):
    """The error has the needed, spent and reserved amounts, and no request was sent."""
    async with session.budget(cents=Decimal("40.5")) as budget:
        await session.run_and_wait("Buy milk", max_agent_steps=10)
        api.next_tasks = [lives(1e6)]
        await _submit(session)
        with pytest.raises(errors.BudgetExceededError) as caught:
            await session.submit("Buy more", max_agent_steps=3)

    error = pickle.loads(pickle.dumps(caught.value))
    assert (error.needed_cents, error.limit_cents) == (THREE_STEPS, Decimal("40.5"))
    assert (error.spent_cents, error.reserved_cents) == (THREE_STEPS, TEN_STEPS)
    assert str(error) == (
        "POST /run-task may cost up to $0.085 (its start and 3 steps of $0.025), and $0.06 of "
        "the budget of $0.405 remain: $0.085 are spent and $0.26 reserved for tasks that may "
        "still run; nothing was sent. Wait for tasks to end, or give a larger budget, or lower "
        "max_agent_steps"
    )
    assert api.count("run") == 2
    assert budget.spent_cents == THREE_STEPS


async def test_tasks_started_at_once_share_the_budget(api, session):
    """Of ten submissions in asyncio tasks of their own as many are sent as fit."""
    api.make = lambda _body: lives(1e6)
    async with session.budget(cents=100) as budget:
        ends = await asyncio.gather(
            *(asyncio.create_task(_submit(session)) for _number in range(10)),
            return_exceptions=True,
        )

    refused = [each for each in ends if isinstance(each, errors.BudgetExceededError)]
    assert (api.count("run"), len(refused)) == (3, 7)
    assert budget.reserved_cents == 3 * TEN_STEPS


async def test_budgets_nest(api, session):
    """A task that starts in an inner scope counts in the outer one, and both can refuse."""
    api.make = lambda _body: lives(1e6)
    async with session.budget(cents=60) as outer:
        async with session.budget(cents=30) as inner:
            await _submit(session)
            with pytest.raises(errors.BudgetExceededError, match=r"\$0.04 of the budget of \$0.30"):
                await _submit(session)
        await _submit(session)
        async with session.budget(cents=1000) as generous:
            with pytest.raises(errors.BudgetExceededError, match=r"\$0.08 of the budget of \$0.60"):
                await _submit(session)

    assert (inner.reserved_cents, outer.reserved_cents) == (TEN_STEPS, 2 * TEN_STEPS)
    assert _amounts(generous) == (0, 0, 1000)


async def test_outside_of_the_scope_nothing_is_bounded(api, open_session):
    """Neither later calls, nor those of other asyncio tasks or of another session."""
    session, other = await open_session(), await open_session()
    go_on = asyncio.Event()

    async def elsewhere() -> str:
        await go_on.wait()
        return await _submit(session)

    before = asyncio.create_task(elsewhere())
    async with session.budget(cents=0) as budget:
        go_on.set()
        await before
        await _submit(other)
        with pytest.raises(errors.BudgetExceededError, match=r"\. Give a larger budget"):
            await _submit(session)
    await _submit(session)

    assert _amounts(budget) == (0, 0, 0)


async def test_an_end_without_a_wait_makes_room(api, session):
    """Before it refuses, a budget polls the tasks that have a reservation."""
    async with session.budget(cents=40) as budget:
        await _submit(session)
        with pytest.raises(errors.BudgetExceededError):
            await _submit(session)
        await asyncio.sleep(5.0)
        await _submit(session)

        assert (budget.spent_cents, budget.reserved_cents) == (THREE_STEPS, TEN_STEPS)
        await asyncio.sleep(5.0)
        await budget.refresh()
        assert (budget.spent_cents, budget.reserved_cents) == (2 * THREE_STEPS, 0)


async def test_a_cancelled_poll_is_repeated_by_the_next_call(api, session):
    """A cancelled submission cancels its poll of ended tasks, and no other one is refused by it."""
    async with session.budget(cents=40) as budget:
        await _submit(session)
        await asyncio.sleep(5.0)  # it has ended, which no poll has seen
        api.fault = lambda call: Fault(delay=0.5) if call.route == "get" else None
        first = asyncio.create_task(_submit(session))
        await asyncio.sleep(0.2)
        second = asyncio.create_task(_submit(session))
        await asyncio.sleep(0.2)
        first.cancel()
        await second

    assert first.cancelled()
    assert api.count("run") == 2
    assert (budget.spent_cents, budget.reserved_cents) == (THREE_STEPS, TEN_STEPS)


async def test_a_task_that_outlives_the_scope_is_settled(api, session):
    """The sums still change when it ends after the scope was left."""
    async with session.budget(cents=100) as budget:
        task_id = await _submit(session)
    await session.wait(task_id)

    assert (budget.spent_cents, budget.reserved_cents) == (THREE_STEPS, 0)


async def test_a_budget_is_shared_by_entering_it_again(api, session):
    """One budget for many requests of a program: several asyncio tasks enter it at once."""
    budget = session.budget(cents=100)

    async def serve() -> None:
        async with budget:
            await session.run_and_wait("Buy milk", max_agent_steps=10)

    await asyncio.gather(serve(), serve(), serve())

    assert budget.spent_cents == 3 * THREE_STEPS


async def test_a_lost_answer_keeps_its_reservation(api, session):
    """The task may exist: its reservation stays until it is found, or certainly does not exist."""
    for fault, spent in ((LATE, THREE_STEPS), (LOST_BEFORE, Decimal(0))):
        api.break_calls("run", {0: fault})
        async with session.budget(cents=100) as budget:
            with pytest.raises(errors.SubmissionUnknownError) as caught:
                await session.submit("Buy milk", max_agent_steps=10)
            assert (budget.spent_cents, budget.reserved_cents) == (0, TEN_STEPS)

            await asyncio.sleep(10.0)
            found = await caught.value.resolve()
            if found is not None:
                await session.wait(found)
            assert (budget.spent_cents, budget.reserved_cents) == (spent, 0)


async def test_an_adopted_task_is_charged_once(api, session):
    """A task that is found after its answer was lost has the reservation of its submission."""
    api.break_calls("run", {1: LOST_AFTER})
    async with session.budget(cents=30) as budget:
        await session.run_and_wait("Buy milk", max_agent_steps=10)

    assert (budget.spent_cents, budget.reserved_cents) == (THREE_STEPS, 0)


@pytest.mark.parametrize("is_plain", [True, False], ids=["tasks.run", "submit"])
async def test_what_was_refused_costs_nothing(api, session, is_plain):
    """An answer that says that nothing was created releases the reservation."""
    api.break_calls("run", {0: Fault(status=402)})
    create = session.tasks.run if is_plain else session.submit
    async with session.budget(cents=1000) as budget:
        with pytest.raises(errors.PaymentRequiredError):
            await create("Buy milk")

    assert _amounts(budget) == (0, 0, 1000)


async def test_the_plain_call_is_bounded_too(api, session):
    """`session.tasks.run` reserves, keeps the possible cost of a lost answer, and is settled."""
    api.break_calls("run", {2: LOST_AFTER})
    async with session.budget(cents=60) as budget:
        created = await session.tasks.run("Buy milk", max_agent_steps=10)
        with pytest.raises(errors.APIConnectionError):
            await session.tasks.run("Buy milk", max_agent_steps=10)
        with pytest.raises(errors.BudgetExceededError):
            await session.tasks.run("Buy milk", max_agent_steps=10)
        await session.wait(created)

    assert (budget.spent_cents, budget.reserved_cents) == (THREE_STEPS, TEN_STEPS)


async def test_a_cancelled_submission_that_was_not_sent_is_free(api, session):
    """Cancelled while it waits to be sent again, after a 429, it reserves nothing."""
    api.break_calls("run", {1: Fault(status=429, headers={"Retry-After": "20"})})
    async with session.budget(cents=60) as budget:
        running = asyncio.create_task(_submit(session))
        await asyncio.sleep(5.0)
        assert budget.reserved_cents == TEN_STEPS
        running.cancel()
        await asyncio.wait([running])
        await asyncio.sleep(1.0)

    assert _amounts(budget) == (0, 0, 60)


async def test_the_step_that_only_reports_the_limit_is_free(api, session):
    """A task that fails at its limit shows one step more than it pays for."""
    api.next_tasks = [FakeTask(life=((0.0, "running"), (9.0, "failed")), steps=4)]
    async with session.budget(cents=60) as budget:
        handle = await session.submit("Buy milk", max_agent_steps=3)
        task = await handle.wait()

    assert (task.status, len(task.steps)) == (TaskStatus.FAILED, 4)
    assert budget.spent_cents == THREE_STEPS


async def test_a_batch_in_a_scope_ends_when_its_next_task_does_not_fit(api, session):
    """Items that do not fit the scope are left for the next run, and are no dead letters."""
    requests = ["Buy milk", "Buy bread", "Buy eggs"]
    async with session.budget(cents=40) as budget:
        batch = session.run_many(requests, concurrency=1, max_agent_steps=12)
        results = await batch.collect()

    assert (len(results), batch.progress.left_out) == (2, 1)
    assert [each.error for each in results] == [None, None]
    assert (batch.progress.next_cents, budget.spent_cents) == (31, 2 * THREE_STEPS)


async def test_a_budget_is_left_where_it_was_entered(session):
    """Leaving it in another asyncio task, as some fixtures do, is an error."""
    budget = session.budget(cents=100)
    await asyncio.create_task(budget.__aenter__())

    with pytest.raises(errors.InvalidRequestError, match="it did not bound what this one"):
        await asyncio.create_task(budget.__aexit__())


async def test_budgets_that_are_left_take_no_memory(api, session):
    """A session does not keep the budgets of tasks whose end it never sees."""
    await session.submit("Buy milk")  # opens the connection, which keeps its first context

    async def leave_one() -> "weakref.ref[Budget]":
        async with session.budget(cents=100) as budget:
            await _submit(session)
        return weakref.ref(budget)

    budgets = [await leave_one() for _time in range(3)]
    gc.collect()

    assert [each() for each in budgets] == [None, None, None]


@pytest.mark.parametrize("cents", [-1, float("nan"), "5", None, True])
async def test_an_amount_is_a_number(session, cents):
    """A value that is no amount is refused where the scope is created."""
    with pytest.raises(errors.InvalidRequestError, match="cents must be a number of cents"):
        session.budget(cents=cents)  # type: ignore[arg-type]


async def test_the_repr_of_a_budget_shows_its_amounts(open_session):
    """In dollars, as everywhere for people."""
    budget = (await open_session()).budget(cents=10)

    assert repr(budget) == "<Budget of $0.10: $0.00 spent, $0.00 reserved>"
