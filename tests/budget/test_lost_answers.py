"""Budgets and lost answers: late tasks never exceed them, and reservations are released."""

import asyncio
from decimal import Decimal

import pytest

from browser_use_async import BrowserUseSession, errors
from browser_use_async.batch import ItemState
from tests.support.api_bench import OpenSession
from tests.support.fake_api import LOST_AFTER, LOST_BEFORE, FakeApi, Fault
from tests.support.fake_task import lives
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime

TEN_STEPS = Decimal(26)  # a start, and ten steps of gpt-4.1
THREE_STEPS = Decimal("8.5")
WINDOW = 10.0
LATE = Fault(cut=True, done_after=60.0)  # executed long after the settle window


async def submit(session: BrowserUseSession, on_ambiguous: str = "resubmit") -> str:
    """Create a task that may cost 26 cents."""
    handle = await session.submit(
        "Buy milk",
        max_agent_steps=10,
        on_ambiguous=on_ambiguous,  # type: ignore[arg-type]
        settle_window=WINDOW,
    )
    return handle.id


@pytest.mark.parametrize(("limit", "sent"), [(51, 1), (60, 2), (1000, 4)])
async def test_each_request_of_a_submission_has_its_maximum(
    api: FakeApi, open_session: OpenSession, limit: int, sent: int
):
    """A task that the service creates after the settle window is within the budget as well."""
    session = await open_session()
    api.fault = lambda call: LATE if call.route == "run" else None
    async with session.budget(cents=limit) as budget:
        with pytest.raises(errors.SubmissionUnknownError) as caught:
            await submit(session)
        await asyncio.sleep(120.0)

    assert api.count("run") == len(api.tasks) == sent
    assert budget.reserved_cents == sent * TEN_STEPS <= limit
    assert caught.value.submission_token is not None
    if sent < 4:
        words = "it was not sent again, since a second task may cost up to $0.26, and "
        assert words in str(caught.value)


async def test_a_resubmission_that_succeeds_keeps_the_money_of_the_first_request(
    api: FakeApi, open_session: OpenSession
):
    """The first request may still be executed, whatever the second one cost."""
    session = await open_session()
    api.break_calls("run", {1: LATE})
    async with session.budget(cents=60) as budget:
        await session.wait(await submit(session))
        assert (budget.spent_cents, budget.reserved_cents) == (THREE_STEPS, TEN_STEPS)
        with pytest.raises(errors.BudgetExceededError):
            await submit(session)
        await asyncio.sleep(120.0)

    assert len(api.tasks) == 2
    assert (budget.spent_cents, budget.reserved_cents) == (THREE_STEPS, TEN_STEPS)


async def test_a_batch_in_a_scope_is_bounded_too(api: FakeApi, open_session: OpenSession):
    """A batch sends an item again only if the scope around it has room for a second maximum."""
    session = await open_session()
    api.fault = lambda call: LATE if call.route == "run" else None
    async with session.budget(cents=60) as budget:
        batch = session.run_many(
            ["Buy milk", "Buy bread"], concurrency=2, max_agent_steps=10, settle_window=WINDOW
        )
        results = await batch.collect()
        await asyncio.sleep(120.0)

    assert [each.state for each in results] == [ItemState.UNKNOWN] * 2
    assert len(api.tasks) == 2
    assert budget.reserved_cents == 2 * TEN_STEPS


@pytest.mark.parametrize("is_created", [False, True])
async def test_the_reservation_of_a_cancelled_call_is_released(
    api: FakeApi, open_session: OpenSession, is_created: bool
):
    """A cancelled call raises no error to resolve, so the budget searches for the task later."""
    session = await open_session(timeout=5.0)
    lost = LOST_AFTER if is_created else LOST_BEFORE
    api.fault = lambda call: lost if call.route == "run" and call.number <= 3 else None
    async with session.budget(cents=100) as budget:
        calls = [asyncio.create_task(submit(session, "reconcile")) for _caller in range(3)]
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


async def test_a_call_that_does_not_fit_waits_for_no_window(
    api: FakeApi, open_session: OpenSession
):
    """A lost answer is looked for after its window; before, the next call is refused at once."""
    session = await open_session()
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


async def test_without_a_search_the_money_stays_reserved(api: FakeApi, open_session: OpenSession):
    """Only a complete search that shows no task releases money."""
    session = await open_session()
    api.break_calls("run", {1: LOST_BEFORE})
    async with session.budget(cents=40) as budget:
        with pytest.raises(errors.SubmissionUnknownError):
            await submit(session, "raise")
        await asyncio.sleep(WINDOW)
        api.fault = lambda call: Fault(status=500) if call.route == "list" else None
        await budget.refresh()
        assert budget.reserved_cents == TEN_STEPS
        api.fault = lambda _call: None
        await asyncio.sleep(3.0)
        await budget.refresh()

    assert budget.reserved_cents == 0


@pytest.mark.parametrize("status", [402, 422])
@pytest.mark.parametrize("is_created", [False, True])
async def test_a_refusal_after_a_lost_answer_is_resolved(
    api: FakeApi, open_session: OpenSession, status: int, is_created: bool
):
    """A refused repetition says nothing of the first request: the error finds its task."""
    session = await open_session()
    first = Fault(cut=True, done_after=WINDOW + 2.0) if is_created else LOST_BEFORE
    api.break_calls("run", {1: first, 2: Fault(status=status)})
    async with session.budget(cents=60) as budget:
        with pytest.raises(
            errors.SubmissionUnknownError, match="its repetition was refused"
        ) as got:
            await submit(session)
        assert isinstance(got.value.__cause__, errors.APIStatusError)
        assert got.value.__cause__.status == status
        await asyncio.sleep(20.0)
        task = await got.value.resolve()
        await budget.refresh()

    assert (task is not None) == is_created
    assert budget.spent_cents == (THREE_STEPS if is_created else 0)


async def test_a_deadline_after_a_lost_answer_leaves_a_token(
    api: FakeApi, open_session: OpenSession
):
    """The deadline may pass while a repetition waits to be sent: the first request still counts."""
    session = await open_session()
    api.break_calls("run", {1: LOST_BEFORE, 2: Fault(status=429, headers={"Retry-After": "50"})})
    with pytest.raises(errors.SubmissionUnknownError) as caught:
        await session.run_and_wait(
            "Buy milk", on_ambiguous="resubmit", settle_window=WINDOW, timeout=40.0
        )

    assert await caught.value.resolve() is None


async def test_running_tasks_are_not_taken_for_lost_ones(api: FakeApi, open_session: OpenSession):
    """A task that a refresh has found is charged at its end."""
    session = await open_session()
    api.make = lambda _body: lives(100.0)
    api.break_calls("run", {1: LOST_AFTER})
    async with session.budget(cents=60) as budget:
        with pytest.raises(errors.SubmissionUnknownError):
            await submit(session, "raise")
        await asyncio.sleep(WINDOW)
        await budget.refresh()
        assert (budget.spent_cents, budget.reserved_cents) == (0, TEN_STEPS)
        await asyncio.sleep(120.0)
        await budget.refresh()

    assert budget.reserved_cents == 0
    assert budget.spent_cents > 0


async def test_the_window_of_a_repetition_is_its_own(api: FakeApi, open_session: OpenSession):
    """A repetition that is cut off keeps its money for a window, however old the first loss is."""
    session = await open_session(timeout=30.0)
    api.break_calls("run", {1: LOST_BEFORE, 2: Fault(stall=20.0, cut=True, done=True)})
    async with session.budget(cents=60) as budget:
        call = asyncio.create_task(submit(session))
        await asyncio.sleep(WINDOW + 5.0)
        assert api.count("run") == 2
        call.cancel()
        await asyncio.wait([call])
        await budget.refresh()
        assert budget.reserved_cents == 2 * TEN_STEPS
        await asyncio.sleep(60.0)
        await budget.refresh()

    assert (budget.spent_cents, budget.reserved_cents) == (THREE_STEPS, TEN_STEPS)


@pytest.mark.parametrize("status", [302, 303, 304])
@pytest.mark.parametrize("verb", ["run", "submit"])
async def test_what_is_answered_with_a_redirect_stays_reserved(
    api: FakeApi, open_session: OpenSession, verb: str, status: int
):
    """A request that was carried out and answered so has its task, which the budget counts."""
    session = await open_session()
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
