"""Budgets and lost answers: late tasks never exceed them, and reservations are released."""

import asyncio
from decimal import Decimal

import pytest

from browser_use_async import BrowserUseSession, errors
from browser_use_async.batch import ItemState
from browser_use_async.transport.config import Runtime
from tests.support.fake_api import LOST_AFTER, LOST_BEFORE, Fault
from tests.support.fake_task import lives
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime

TEN_STEPS = Decimal(26)  # a start, and ten steps of gpt-4.1
THREE_STEPS = Decimal("8.5")
WINDOW = 10.0
SHORT = Runtime(settle_window=WINDOW)
LATE = Fault(cut=True, done_after=60.0)  # executed long after the settle window


async def submit(session: BrowserUseSession) -> str:
    """Create a task that may cost 26 cents."""
    return (await session.submit("Buy milk", max_agent_steps=10)).id


async def test_a_batch_in_a_scope_is_bounded_too(api, open_session):
    """A batch sends an item again only if the scope around it has room for a second maximum."""
    session = await open_session(runtime=SHORT)
    api.fault = lambda call: LATE if call.route == "run" else None
    async with session.budget(cents=60) as budget:
        batch = session.run_many(["Buy milk", "Buy bread"], concurrency=2, max_agent_steps=10)
        results = await batch.collect()
        await asyncio.sleep(120.0)

    assert [each.state for each in results] == [ItemState.UNKNOWN] * 2
    assert len(api.tasks) == 2
    assert budget.reserved_cents == 2 * TEN_STEPS


@pytest.mark.parametrize("is_created", [False, True])
async def test_the_reservation_of_a_cancelled_call_is_released(api, open_session, is_created):
    """A cancelled call raises no error to resolve, so the budget searches for the task later."""
    session = await open_session(timeout=5.0, runtime=SHORT)
    lost = LOST_AFTER if is_created else LOST_BEFORE
    api.fault = lambda call: lost if call.route == "run" and call.number <= 3 else None
    async with session.budget(cents=100) as budget:
        calls = [asyncio.create_task(submit(session)) for _caller in range(3)]
        await asyncio.sleep(0.01)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        if not is_created:
            assert budget.reserved_cents == 3 * TEN_STEPS
            with pytest.raises(errors.BudgetExceededError):
                await submit(session)
        await asyncio.sleep(WINDOW)
        await submit(session)
        await asyncio.sleep(20.0)
        await budget.refresh()

    assert api.count("run") == 4
    assert budget.spent_cents == len(api.tasks) * THREE_STEPS
    assert budget.reserved_cents == 0


async def test_a_call_that_does_not_fit_waits_for_no_window(api, open_session):
    """A lost answer is looked for after its window; before, the next call is refused at once."""
    session = await open_session(runtime=SHORT)
    first = {"run": LOST_BEFORE, "list": Fault(status=403)}  # so that the search ends at once
    api.fault = lambda call: first.get(call.route) if call.number == 1 else None
    async with session.budget(cents=40) as budget:
        with pytest.raises(errors.SubmissionUnknownError):
            await submit(session)
        with pytest.raises(errors.BudgetExceededError):
            await submit(session)
        assert loop_time() < 1.0
        assert (api.count("run"), api.count("list")) == (1, 1)
        await asyncio.sleep(WINDOW)
        await submit(session)

    assert budget.reserved_cents == TEN_STEPS


async def test_without_a_search_the_money_stays_reserved(api, open_session):
    """Only a complete search that shows no task releases money."""
    session = await open_session(runtime=SHORT)
    api.break_calls("run", {1: LOST_BEFORE})
    async with session.budget(cents=40) as budget:
        with pytest.raises(errors.SubmissionUnknownError):
            await submit(session)
        await asyncio.sleep(WINDOW)
        api.fault = lambda call: Fault(status=500) if call.route == "list" else None
        await budget.refresh()
        assert budget.reserved_cents == TEN_STEPS
        api.fault = lambda _call: None
        await asyncio.sleep(3.0)
        await budget.refresh()

    assert budget.reserved_cents == 0


async def test_running_tasks_are_not_taken_for_lost_ones(api, open_session):
    """A task that a refresh has found is charged at its end."""
    session = await open_session(runtime=SHORT)
    api.make = lambda _body: lives(100.0)
    api.list_lag = WINDOW + 2.0
    api.break_calls("run", {1: LOST_AFTER})
    async with session.budget(cents=60) as budget:
        with pytest.raises(errors.SubmissionUnknownError):
            await submit(session)
        await asyncio.sleep(WINDOW)
        await budget.refresh()
        assert (budget.spent_cents, budget.reserved_cents) == (0, TEN_STEPS)
        await asyncio.sleep(120.0)
        await budget.refresh()

    assert budget.reserved_cents == 0
    assert budget.spent_cents > 0


@pytest.mark.parametrize("status", [302, 303, 304])
@pytest.mark.parametrize("verb", ["run", "submit"])
async def test_what_is_answered_with_a_redirect_stays_reserved(api, open_session, verb, status):
    """A request that was carried out and answered so has its task, which the budget counts."""
    session = await open_session(runtime=SHORT)
    api.make = lambda _body: lives(1e6)
    api.fault = lambda call: Fault(status=status, done=True) if call.route == "run" else None
    ids, raised = [], []
    async with session.budget(cents=30) as budget:
        for _ in range(20):
            try:
                if verb == "run":
                    await session.tasks.run("Buy milk", max_agent_steps=10)
                else:
                    ids.append((await session.submit("Buy milk", max_agent_steps=10)).id)
            except (errors.BudgetExceededError, errors.APIStatusError) as error:
                raised.append(error)

    assert [type(each) for each in raised[-19:]] == [errors.BudgetExceededError] * 19
    assert all("may have been carried out" in str(each) for each in raised[:-19])
    assert api.count("run") == len(api.tasks) == 1
    assert ids == ([] if verb == "run" else [api.only_task().id])
    assert (budget.spent_cents, budget.reserved_cents) == (0, TEN_STEPS)
