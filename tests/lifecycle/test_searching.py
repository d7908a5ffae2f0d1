"""The search for a task whose creation got no answer: pages, candidates, parallel searches."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import pytest

from browser_use_async import RetryPolicy, errors
from browser_use_async.api.submission_token import TOKEN_KEY
from browser_use_async.transport.config import Runtime
from tests.support.api_bench import resolved
from tests.support.fake_api import LOST_AFTER, LOST_BEFORE, Call, FakeTask, Fault
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime


async def test_an_outage_while_looking_is_survived(api, open_session):
    """Requests of the search that fail are repeated within the window."""
    session = await open_session(retry=RetryPolicy(max_attempts=1))

    def fault(call: Call) -> Fault | None:
        if call.route == "run":
            return LOST_AFTER
        return Fault(cut=True) if call.at < 40.0 else None

    api.fault = fault

    handle = await session.submit("x")

    assert handle.id == api.only_task().id


async def test_a_candidate_that_cannot_be_read_is_no_knowledge(api, open_session):
    """A row that may be the task, but cannot be read, is not judged to be another task."""
    session = await open_session(retry=RetryPolicy(max_attempts=1))
    api.rows_tell_metadata = False

    def fault(call: Call) -> Fault | None:
        return {"run": LOST_AFTER, "get": Fault(status=503)}.get(call.route)

    api.fault = fault

    with pytest.raises(errors.SubmissionUnknownError) as caught:
        await session.submit("x")
    with pytest.raises(errors.InternalServerError):
        await caught.value.resolve()
    api.fault = lambda _call: None

    found = await caught.value.resolve()
    assert found is not None
    assert found.id == api.only_task().id


async def test_a_refused_key_ends_the_search_at_once(api, session):
    """A 401 during the search ends it, before the window is over."""
    api.fault = lambda call: LOST_AFTER if call.route == "run" else Fault(status=401)

    with pytest.raises(errors.SubmissionUnknownError) as caught:
        await session.submit("x")
    with pytest.raises(errors.AuthenticationError):
        await caught.value.resolve()

    assert loop_time() <= 1.0


@pytest.mark.long
@pytest.mark.parametrize("limit", [1, 10, 50])
@pytest.mark.parametrize("older", [0, 130])
async def test_pages_are_read_far_enough(api, session, limit, older):
    """The task is found behind 130 newer ones, also if the server returns smaller pages."""
    api.page_limit = limit
    for _ in range(older):
        api.add(FakeTask(task="older"))

    def create_among_others(body: dict[str, Any]) -> FakeTask:
        for _ in range(130):
            asyncio.get_running_loop().call_soon(api.add, FakeTask(task="newer"))
        return FakeTask()

    api.make = create_among_others
    api.break_calls("run", {1: Fault(cut=True, done=True, stall=0.1)})

    handle = await session.submit("x")

    assert api.tasks[handle.id].task == "x"


@pytest.mark.long
async def test_a_busy_account_hides_nothing(api, session):
    """500 tasks a minute, of the same text, push the task down while pages are read."""
    api.rows_tell_metadata = False
    api.latency = 0.2
    api.list_lag = 45.0

    async def crowd() -> None:
        while True:
            api.add(FakeTask(task="x", metadata={"mine": "no"}))
            await asyncio.sleep(60.0 / 500)

    crowding = asyncio.create_task(crowd())
    await asyncio.sleep(1.0)
    api.break_calls("run", {1: LOST_AFTER})

    handle = await session.submit("x")

    crowding.cancel()
    assert TOKEN_KEY in api.tasks[handle.id].metadata
    print(f"{api.count('list')} pages and {api.count('get')} gets for {len(api.tasks)} tasks")
    assert api.count("get") <= len(api.tasks)  # each task is read once


async def test_a_server_that_repeats_a_page_ends_the_sweep(api, open_session):
    """A list that repeats a page is left after a few pages."""
    session = await open_session(runtime=Runtime(settle_window=0.0))
    rows = ",".join(
        f'{{"id": "t{number}", "task": "other", "status": "running", "created_at": null}}'
        for number in range(100)
    )
    page = Fault(
        status=200,
        body=f'{{"tasks": [{rows}], "total_pages": 9, "page": 1, "limit": 100, '
        '"total_count": 900}',
    )
    api.fault = lambda call: LOST_BEFORE if call.route == "run" else page

    with pytest.raises(errors.SubmissionUnknownError):
        await session.submit("x")

    assert 3 <= api.count("list") <= 12


async def test_a_row_that_claims_to_be_old_does_not_end_the_reading(api, session):
    """The last row of the first page has a date years ago; the task on the second is found."""
    api.fault = lambda call: LOST_AFTER if call.route == "run" else None
    api.list_lag = 3.0  # so that the task is listed together with those above it
    submission = asyncio.create_task(session.submit("x"))
    await asyncio.sleep(0.5)
    others = [api.add() for _ in range(120)]
    others[-100].created_at -= timedelta(days=9000)

    handle = await submission

    assert TOKEN_KEY in api.tasks[handle.id].metadata


async def test_a_row_of_a_time_to_come_hides_no_task(api, session):
    """Ages are counted back from the newest date, and no row is newer than its response."""
    api.fault = lambda call: LOST_AFTER if call.route == "run" else None
    api.list_lag = 3.0
    submission = asyncio.create_task(session.submit("x"))
    await asyncio.sleep(0.5)
    others = [api.add() for _ in range(120)]
    others[-1].created_at += timedelta(days=9000)

    handle = await submission

    assert TOKEN_KEY in api.tasks[handle.id].metadata


async def test_identical_submissions_are_not_mixed_up(api, session):
    """Of 50 equal submissions at once 20 % lose their answer; each gets its own task."""
    draw = random.Random(3)
    api.rows_tell_metadata = False

    def fault(call: Call) -> Fault | None:
        lost = call.route == "run" and draw.random() < 0.2
        return Fault(cut=True, done=True, stall=draw.uniform(0.0, 3.0)) if lost else None

    api.fault = fault

    handles = await asyncio.gather(
        *(session.submit("the same", metadata={"number": str(number)}) for number in range(50))
    )

    numbers = [api.tasks[handle.id].metadata["number"] for handle in handles]
    assert numbers == [str(number) for number in range(50)]
    assert len(api.tasks) == api.count("run") == 50
    assert api.count("get") <= 50


async def test_a_search_that_is_cancelled_leaves_the_others(api, open_session):
    """Two searches share a sweep; one is cancelled, and the other one finds its task."""
    session = await open_session()
    api.latency = 2.0  # a sweep is under way for two seconds
    tokens: list[str] = []
    for number in range(2):
        api.break_calls("run", {number + 1: Fault(cut=True, done_after=20.0)})
        with pytest.raises(errors.SubmissionUnknownError) as caught:
            await session.run_and_wait(f"x{number}", timeout=10.0)
        tokens.append(caught.value.submission_token or "")
    await asyncio.sleep(20.0)
    session = await open_session()  # which knows neither task
    for cancelled_at in (0.0, 0.5, 1.9, 2.1):
        api.list_lag = loop_time() + 3.0 if cancelled_at else 0.0
        first = asyncio.create_task(resolved(session, tokens[0]))
        second = asyncio.create_task(resolved(session, tokens[1]))
        await asyncio.sleep(cancelled_at)
        first.cancel()
        await asyncio.wait([first])
        api.list_lag = 0.0

        found = await second

        assert found is not None
        assert found.task == "x1"


async def test_a_late_search_gets_a_look_of_its_own(api, session):
    """A sweep that has read its rows does not answer a search that begins later."""

    def fault(call: Call) -> Fault | None:
        if call.route == "list":
            return Fault(stall=2.0)  # the rows are chosen, and then the response is sent
        return LOST_BEFORE if call.body["task"] == "other" else LOST_AFTER

    api.fault = fault
    waiting = asyncio.create_task(session.submit("other"))
    await asyncio.sleep(1.0)
    assert api.in_flight == api.count("list") == 1

    handle = await session.submit("x")

    assert api.tasks[handle.id].task == "x"
    with pytest.raises(errors.SubmissionUnknownError):
        await waiting


async def test_a_cancelled_search_leaves_no_sweep(api, session):
    """The last search that is cancelled ends its sweep, also in the middle of a page."""
    api.break_calls("run", {1: LOST_BEFORE})
    with pytest.raises(errors.SubmissionUnknownError) as caught:
        await session.run_and_wait("x", timeout=10.0)
    api.latency = 20.0
    search = asyncio.create_task(caught.value.resolve())
    await asyncio.sleep(5.0)
    assert api.in_flight == 1
    search.cancel()
    await asyncio.wait([search])
    await asyncio.sleep(0.1)

    assert search.cancelled()
    assert api.in_flight == 0
