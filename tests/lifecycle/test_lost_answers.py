"""One task for one submission, whatever happens to the answer to run-task."""

import asyncio
import random
from typing import Any

import pytest
from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from browser_use_async import RetryPolicy, errors
from browser_use_async.events import RetryScheduled, SubmissionAdopted
from tests.support.api_bench import resolved
from tests.support.fake_api import LOST_AFTER, LOST_BEFORE, Call, FakeTask, Fault
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime


async def test_what_a_middleware_makes_of_an_answer_is_found(api, open_session):
    """A middleware's exception is raised, with a note how to find the task that may be paid."""

    async def broken(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        await handler(request)
        raise ZeroDivisionError

    session = await open_session(middlewares=[broken])
    with pytest.raises(ZeroDivisionError) as caught:
        await session.submit("x")
    token = "".join(caught.value.__notes__).split("`")[1].removeprefix("browser-use-async watch ")
    found = await resolved(await open_session(), token)

    assert api.count("run") == 1
    assert found is not None
    assert found.id == api.only_task().id


async def test_what_breaks_the_search_for_a_task_has_its_token(api, open_session):
    """The search breaks on a middleware's exception, and the error still has the token."""

    async def broken(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        if request.url.path.endswith("/tasks"):
            raise ZeroDivisionError
        return await handler(request)

    session = await open_session(middlewares=[broken])
    api.break_calls("run", {1: LOST_AFTER})
    with pytest.raises(ZeroDivisionError) as caught:
        await session.submit("x")
    token = "".join(caught.value.__notes__).split("`")[1].removeprefix("browser-use-async watch ")
    found = await resolved(await open_session(), token)

    assert api.count("run") == 1
    assert found is not None
    assert found.id == api.only_task().id


@pytest.mark.parametrize("rows_tell", [True, False], ids=["rows with metadata", "bare rows"])
async def test_a_lost_answer_is_made_good(api, open_session, rows_tell):
    """By default the task is found among the newest and adopted, and an event reports it."""
    events: list[object] = []
    session = await open_session(on_event=events.append)
    api.rows_tell_metadata = rows_tell
    for _ in range(5):
        api.add(FakeTask(task="older"))

    def create_among_others(_body: dict[str, Any]) -> FakeTask:
        asyncio.get_running_loop().call_soon(api.add, FakeTask(task="newer"))
        return FakeTask()

    api.make = create_among_others
    api.break_calls("run", {1: LOST_AFTER})

    handle = await session.submit("x")

    assert api.tasks[handle.id].task == "x"
    assert len(api.tasks) == 7
    assert api.count("run") == 1
    assert api.count("list") == 1
    # A row that does not show whose task it is costs a get; rows with other texts cost nothing.
    assert api.count("get") == (0 if rows_tell else 1)
    assert [type(event) for event in events] == [SubmissionAdopted]
    assert events[0].task_id == handle.id  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "status", [302, 303, 304, 408, 409, 500, 502, 503, 504, 520, 524, 299, 200]
)
async def test_ambiguous_statuses_are_made_good(api, session, status):
    """An error or nonsense after the task was created leads to that task."""
    api.break_calls("run", {1: Fault(status=status, done=True, body="<html>")})

    ended = await session.run_and_wait("x")

    assert ended.id == api.only_task().id
    assert api.count("run") == 1


async def test_a_stalled_answer_is_made_good(api, open_session):
    """The task is created while the answer stalls beyond the attempt's timeout."""
    session = await open_session(timeout=10.0)
    api.break_calls("run", {1: Fault(done=True, stall=60.0)})

    handle = await session.submit("x")

    assert handle.id == api.only_task().id
    assert api.count("run") == 1
    assert loop_time() <= 11.0


async def test_a_task_that_was_never_created_is_reported(api, session):
    """Nothing is sent again: the caller learns after the window that no task has appeared."""
    api.break_calls("run", {1: LOST_BEFORE})

    with pytest.raises(errors.SubmissionUnknownError) as caught:
        await session.submit("x")

    assert 150.0 <= loop_time() <= 152.0
    assert api.count("run") == 1
    assert await caught.value.resolve() is None


@pytest.mark.parametrize("created", [False, True], ids=["before creation", "after creation"])
@pytest.mark.parametrize("status", [500, 502, 503, 504, 520, 524])
async def test_a_failure_before_or_after_creation_is_one_post(api, session, status, created):
    """Nothing is sent again; the search shows whether there is a task."""
    api.break_calls("run", {0: Fault(status=status, done=created)})

    if created:
        assert (await session.submit("x")).id == api.only_task().id
    else:
        with pytest.raises(errors.SubmissionUnknownError) as caught:
            await session.submit("x")
        assert await caught.value.resolve() is None

    assert api.count("run") == 1


@pytest.mark.parametrize("late", [1.0, 20.0, 145.0])
async def test_a_late_creation_within_the_window_is_one_task(api, session, late):
    """A request that is executed late, but within the window, is not sent again."""
    api.break_calls("run", {1: Fault(cut=True, done_after=late)})

    handle = await session.submit("x")
    await asyncio.sleep(300.0)

    assert handle.id == api.only_task().id
    assert api.count("run") == 1


async def test_a_late_creation_beyond_the_window_is_found_later(api, session):
    """A task that appears after the window stays the only one, and the error finds it."""
    api.break_calls("run", {1: Fault(cut=True, done_after=152.0)})

    with pytest.raises(errors.SubmissionUnknownError) as caught:
        await session.submit("x")
    await asyncio.sleep(300.0)
    found = await caught.value.resolve()

    assert found is not None
    assert found.id == api.only_task().id


@pytest.mark.parametrize(("lag", "is_found"), [(30.0, True), (145.0, True), (160.0, False)])
async def test_a_list_that_lags_is_waited_for(api, session, lag, is_found):
    """A task that the list shows late is adopted within the window, and not after it."""
    api.list_lag = lag
    api.break_calls("run", {1: LOST_AFTER})

    if is_found:
        assert (await session.submit("x")).id == api.only_task().id
    else:
        with pytest.raises(errors.SubmissionUnknownError):
            await session.submit("x")

    assert len(api.tasks) == 1


async def test_without_a_list_nothing_is_sent_again(api, open_session):
    """If the list cannot be read during the window, nothing is sent again."""
    session = await open_session(retry=RetryPolicy(max_attempts=2, max_delay=0.1))
    broken = Fault(status=503)
    api.fault = lambda call: LOST_AFTER if call.route == "run" else broken

    with pytest.raises(errors.SubmissionUnknownError):
        await session.submit("x")

    assert api.count("run") == 1
    assert loop_time() >= 150.0


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
async def test_no_job_is_doubled_or_lost(api, session, seed):
    """With late creation + list lag within the window, a second try gives one task each."""
    draw = random.Random(seed)
    api.list_lag = 20.0

    def fault(call: Call) -> Fault | None:
        if call.route != "run" or draw.random() < 0.6:
            return None
        return draw.choice(
            [
                LOST_BEFORE,
                LOST_AFTER,
                Fault(cut=True, done_after=draw.uniform(0.0, 35.0)),
                Fault(status=503),
                Fault(status=502, done=True),
                Fault(status=429),
                Fault(status=500, done_after=draw.uniform(0.0, 35.0)),
            ]
        )

    api.fault = fault

    async def submit(job: int) -> str:
        while True:
            try:
                return (await session.submit("job", metadata={"job": str(job)})).id
            except errors.SubmissionUnknownError as error:
                if (found := await error.resolve()) is not None:
                    return found.id

    ids = await asyncio.gather(*(submit(job) for job in range(40)))
    await asyncio.sleep(300.0)

    jobs = [task.metadata["job"] for task in api.tasks.values()]
    assert sorted(jobs, key=int) == [str(job) for job in range(40)]
    assert [api.tasks[task_id].metadata["job"] for task_id in ids] == [
        str(job) for job in range(40)
    ]


async def test_what_was_not_sent_is_raised_at_once(open_session, api):
    """Refused connections are retried and raised, and no search begins."""
    session = await open_session(base_url="http://127.0.0.1:1/api/v1")

    with pytest.raises(errors.APIConnectionError) as caught:
        await session.submit("x")

    assert caught.value.sent is False
    assert caught.value.attempts == 4
    assert api.count() == 0


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 422, 301, 307, 308])
async def test_a_rejection_is_raised_at_once(api, session, status):
    """A refusal means that nothing was created: one POST, no search."""
    api.break_calls("run", {0: Fault(status=status)})

    with pytest.raises(errors.APIStatusError) as caught:
        await session.run_and_wait("x")

    assert caught.value.status == status
    assert api.count() == 1


async def test_too_many_requests_are_waited_out(api, open_session):
    """429 with Retry-After three times, then one task; an event reports each pause."""
    events: list[Any] = []
    session = await open_session(on_event=events.append)
    limited = Fault(status=429, headers={"Retry-After": "5"})
    api.break_calls("run", {1: limited, 2: limited, 3: limited})

    handle = await session.submit("x")

    assert handle.id == api.only_task().id
    assert 15.0 <= loop_time() <= 18.0
    assert [(type(event), event.attempt, event.operation) for event in events] == [
        (RetryScheduled, number, "run_task") for number in (1, 2, 3)
    ]
