"""An answer to run-task that names the task of another submission is no answer."""

import asyncio
import json

import pytest

from browser_use_async import BrowserUseSession, TaskHandle, errors
from tests.support.fake_api import FakeApi, FakeTask, Fault
from tests.support.fake_task import lives
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime


def replayed(task_id: str, *, stall: float = 0.0) -> Fault:
    """The task is created, and a proxy answers with the stored answer to an earlier call."""
    return Fault(status=200, body=json.dumps({"id": task_id}), done=True, stall=stall)


@pytest.fixture(params=[True, False], ids=["rows with metadata", "bare rows"], autouse=True)
def rows_with_metadata(request, api):
    """Once list rows have metadata, and once they have none."""
    api.rows_tell_metadata = request.param


async def _first(api: FakeApi, session: BrowserUseSession, text: str = "first") -> TaskHandle:
    """A submission whose answer is replayed from now on."""
    handle = await session.submit(text)
    api.break_calls("run", {2: replayed(handle.id)})
    return handle


def _created(api: FakeApi, number: int) -> FakeTask:
    return list(api.tasks.values())[number]


@pytest.mark.parametrize("text", ["first", "second"])
async def test_the_token_finds_the_right_task(api, session, text):
    """The handle is that of the caller's own task, also if both submissions are equal."""
    first = await _first(api, session)

    second = await session.submit(text)

    assert [first.id, second.id] == list(api.tasks)
    assert api.count("run") == 2


async def test_a_run_ends_with_its_own_task(api, session):
    """`run_and_wait` gives the task that it paid for."""
    await _first(api, session)

    ended = await session.run_and_wait("second")

    assert ended.task == "second"
    assert ended.id == _created(api, 1).id


async def test_a_server_that_gives_every_task_one_id(api, session):
    """Some mocks do this: the second submission fails within seconds, not after the window."""
    first = await session.submit("first")
    body = json.dumps({"id": first.id})
    api.break_calls("run", {2: Fault(status=200, body=body)})
    began = loop_time()

    with pytest.raises(errors.SubmissionUnknownError, match=f"task {first.id}.*same id") as caught:
        await session.submit("second")

    assert loop_time() - began <= 10.0
    assert caught.value.submission_token is not None
    assert api.count("run") == 2


async def test_a_replay_before_a_list_that_lags(api, session):
    """The task behind a replayed answer is found, also if the list shows it seconds later."""
    await _first(api, session)
    api.list_lag = 3.0

    second = await session.submit("second")

    assert second.id == _created(api, 1).id


async def test_the_error_names_the_task_of_the_answer(api, session):
    """The list shows the task too late, and then the error resolves to the right one."""
    first = await _first(api, session)
    api.list_lag = 8.0

    with pytest.raises(errors.SubmissionUnknownError, match=f"task {first.id}.*another") as caught:
        await session.submit("second")

    found = await caught.value.resolve()
    assert found is not None
    assert found.id == _created(api, 1).id


async def test_without_room_for_a_token_the_fate_is_unknown(api, session):
    """The caller uses all ten pairs, so there is no token: the other task is not returned."""
    await _first(api, session)

    with pytest.raises(errors.SubmissionUnknownError) as caught:
        await session.submit("second", metadata={f"mine {n}": "x" for n in range(10)})

    assert caught.value.submission_token == ""


async def test_of_two_answers_that_name_one_task_the_tasks_own_mark_decides(api, session):
    """The wrong answer came first; the right one is not mistaken for the replay."""
    first_task = lives(1e6)
    api.next_tasks = [first_task]
    api.break_calls("run", {1: Fault(stall=5.0), 2: replayed(first_task.id)})

    first = asyncio.create_task(session.submit("first"))
    await asyncio.sleep(1.0)
    await session.submit("second")

    assert (await first).id == first_task.id


async def test_a_task_seen_in_the_list_is_known_too(api, session):
    """A task of another client that a search has read is accepted as no answer."""
    theirs = FakeTask(task="second", metadata={"team": "theirs"})
    lost = Fault(cut=True, done=True, stall=2.0)
    api.break_calls("run", {1: lost, 2: replayed(theirs.id)})
    asyncio.get_running_loop().call_later(1.0, api.add, theirs)
    await session.submit("second")

    handle = await session.submit("second")

    assert handle.id == _created(api, 2).id
