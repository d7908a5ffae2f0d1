"""Budgets on the bundled server: searches, schedules, and held calls."""

from decimal import Decimal

import pytest

from browser_use_async import BrowserUseSession, errors
from browser_use_async.testing import Scenario, ScriptedExecutor


class _NoAddresses:
    """A source of addresses that finds nothing."""

    async def addresses(self, outbound: object, query: str, limit: int) -> list[str]:
        """None."""
        return []


@pytest.fixture
def browser_use_server_options():
    """A server whose searches find nothing."""
    executor = ScriptedExecutor({"Stroll": Scenario(step_seconds=0.7)})
    return {"search": _NoAddresses(), "executor": executor}


async def test_searches_cost_their_price(browser_use_session):
    """An answered search is spent at once; one that does not fit is not sent."""
    async with browser_use_session.budget(cents=12) as budget:
        await browser_use_session.search.simple_search("tea", max_websites=5)
        assert (budget.spent_cents, budget.reserved_cents) == (10, 0)
        with pytest.raises(errors.BudgetExceededError, match=r"url may cost up to \$0.03, and"):
            await browser_use_session.search.search_url("https://example.com", "tea", depth=3)


async def test_a_search_that_may_have_been_paid_stays_reserved(browser_use_session):
    """A service that fails does not say whether the search was paid."""
    async with browser_use_session.budget(cents=12) as budget:
        with pytest.raises(errors.InternalServerError):
            await browser_use_session.search.search_url("http://127.0.0.1:1/", "tea")

    assert (budget.spent_cents, budget.reserved_cents) == (0, 2)


async def test_no_budget_bounds_a_schedule(browser_use_session):
    """Inside a scope a schedule is refused before anything is sent; a profile is free."""
    create = browser_use_session.scheduled_tasks.create
    schedule = {"task": "Buy milk", "schedule_type": "interval", "interval_minutes": 5}
    async with browser_use_session.budget(cents=5000) as budget:
        with pytest.raises(errors.InvalidRequestError, match=r"outside of session\.budget"):
            await create(**schedule)  # type: ignore[arg-type]
        await browser_use_session.browser_profiles.create(profile_name="mine")
    await create(**schedule)  # type: ignore[arg-type]

    assert budget.remaining_cents == 5000
    assert (await browser_use_session.scheduled_tasks.list()).total_count == 1


@pytest.mark.long
async def test_ends_in_held_calls_are_settled(browser_use_server):
    """The cost of a task that the service sends in a held call is settled."""
    key, url = browser_use_server.api_key, browser_use_server.base_url
    async with (
        BrowserUseSession(key, base_url=url) as session,
        session.budget(cents=5000) as budget,
    ):
        handles = [await session.submit(f"Stroll {each}") for each in range(5)]
        tasks = [task async for task in session.wait_many(handles)]

    assert budget.reserved_cents == 0
    assert budget.spent_cents == sum(1 + len(task.steps) * Decimal("2.5") for task in tasks)
