"""What is checked before a task is created, and the token for another process."""

import asyncio
import pickle

import pytest

from browser_use_async import RunTaskRequest, errors
from browser_use_async.api.submission_token import TOKEN_KEY, SubmissionToken
from tests.support.api_bench import resolved
from tests.support.fake_api import LOST_AFTER, LOST_BEFORE, Fault
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime

LATE = Fault(cut=True, done_after=155.0)  # executed after the settle window


async def test_ten_own_pairs_leave_no_room(api, session):
    """Ten pairs of the caller's own are sent unchanged; after a lost answer the error says so."""
    api.break_calls("run", {1: LOST_AFTER})
    metadata = {f"key{number}": "value" for number in range(10)}

    with pytest.raises(errors.SubmissionUnknownError) as caught:
        await session.submit("x", metadata=metadata)

    assert caught.value.submission_token == ""
    assert "ten metadata pairs" in str(caught.value)
    assert api.only_task().metadata == metadata
    assert api.count("list") == 0
    with pytest.raises(errors.ConfigurationError):
        await caught.value.resolve()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("metadata", {TOKEN_KEY: "mine"}),  # reserved
        ("metadata", {f"key{number}": "value" for number in range(11)}),
        ("metadata", {"": "value"}),
        ("metadata", {"k" * 101: "value"}),
        ("metadata", {"key": "v" * 1001}),
        ("metadata", {"key": 5}),
        ("on_timeout", "explode"),
        ("on_cancel", "abandon"),
        ("timeout", 0),
        ("no_such_field", 1),
    ],
)
async def test_impossible_fields_are_refused(api, session, field, value):
    """What the API refuses, and the reserved name, are refused before sending."""
    for verb in (session.submit, session.run_and_wait):
        with pytest.raises(errors.InvalidRequestError) as caught:
            await verb("x", **{field: value})
        assert caught.value.field == field
        assert isinstance(caught.value, ValueError)

    assert api.count() == 0


async def test_the_mark_is_hidden(api, open_session):
    """The reserved pair is sent, and is not in `metadata`, a request or an event."""
    events: list[object] = []
    session = await open_session(on_event=events.append)
    request = RunTaskRequest(task="x", metadata={"mine": "1"})
    api.break_calls("run", {1: LOST_AFTER})

    ended = await session.run_and_wait(request)

    mark = api.only_task().metadata[TOKEN_KEY]
    assert ended.metadata == {"mine": "1"}
    assert request.metadata == {"mine": "1"}
    assert (await session.tasks.get(ended.id)).metadata == {"mine": "1"}
    assert (await session.tasks.list()).tasks[0].metadata == {"mine": "1"}
    assert mark not in repr(events)
    assert mark not in repr(ended)


async def test_another_process_resolves(api, open_session):
    """The error can be pickled; any session of another process can search for the task."""
    session = await open_session()
    api.break_calls("run", {1: LATE})
    with pytest.raises(errors.SubmissionUnknownError) as caught:
        await session.submit("x")
    await session.aclose()
    await asyncio.sleep(10.0)

    there = pickle.loads(pickle.dumps(caught.value))

    with pytest.raises(errors.ConfigurationError):
        await there.resolve()
    other = await open_session()
    found = await there.resolve(other)
    assert found is not None
    assert found.id == api.only_task().id
    again = await resolved(other, there.submission_token)
    assert again is not None
    assert again.id == found.id


async def test_resolving_gives_none_after_the_window(api, session):
    """`resolve` searches for the rest of the settle window, then returns none."""
    api.break_calls("run", {1: LOST_BEFORE})
    with pytest.raises(errors.SubmissionUnknownError) as caught:
        await session.run_and_wait("x", timeout=50.0)

    assert loop_time() <= 50.1
    assert await caught.value.resolve() is None

    assert 150.0 <= loop_time() <= 152.0


async def test_the_window_counts_from_the_lost_answer(api, open_session):
    """A request that waited minutes for a 429 to end still has its whole window."""
    session = await open_session(timeout=20.0)
    limited = Fault(status=429, headers={"Retry-After": "55"})
    api.break_calls("run", {1: limited, 2: limited, 3: limited, 4: Fault(done=True, stall=60.0)})
    api.list_lag = 160.0
    with pytest.raises(errors.SubmissionUnknownError) as caught:
        await session.run_and_wait("x", timeout=200.0)

    token = SubmissionToken.parse(caught.value.submission_token or "")

    # The wall clock does not move in this test, so only the given window is left.
    assert token.settle_window >= 150.0
    assert (await caught.value.resolve()) is not None
    assert loop_time() > 165.0 + 150.0


async def test_the_window_of_a_request_under_way_begins_when_it_is_given_up(api, open_session):
    """The caller's timeout is 5 s, and the service may create the task for 15 s more."""
    session = await open_session(timeout=20.0)
    api.break_calls("run", {1: Fault(stall=60.0)})
    with pytest.raises(errors.SubmissionUnknownError) as caught:
        await session.run_and_wait("x", timeout=5.0)

    token = SubmissionToken.parse(caught.value.submission_token or "")

    assert token.settle_window >= 150.0 + 5.0 + 20.0 - 0.1


async def test_resolving_refuses_other_texts(session, api):
    """A text that is no token is refused before anything is sent."""
    for text in ("bu1.x", "task-1"):
        with pytest.raises(errors.InvalidRequestError):
            await resolved(session, text)

    assert api.count() == 0


async def test_a_task_that_is_known_is_not_looked_up(api, session):
    """The answer came after the timeout, so resolving the token needs no request."""
    api.break_calls("run", {1: Fault(delay=10.0)})
    with pytest.raises(errors.SubmissionUnknownError) as caught:
        await session.run_and_wait("x", timeout=5.0)
    await asyncio.sleep(20.0)

    found = await caught.value.resolve()

    assert found is not None
    assert found.id == api.only_task().id
    assert api.count("list") == 0
