"""A webhook that carries the token of a submission names the task whose answer was lost."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from browser_use_async.api.submission_token import TOKEN_KEY
from browser_use_async.api.tasks import TaskEndpoints
from browser_use_async.errors import SubmissionUnknownError
from browser_use_async.lifecycle.create import TaskCreator
from browser_use_async.lifecycle.reconcile import Reconciler
from browser_use_async.lifecycle.submission_age import SubmissionAges
from browser_use_async.transport.client import Transport
from browser_use_async.transport.config import Configuration
from browser_use_async.transport.connection_pool import PoolOptions
from browser_use_async.transport.retry import RetryPolicy
from browser_use_async.types import RunTaskRequest
from browser_use_async.types.secrets import Secret
from tests.support.fake_api import FakeApi, FakeTask, Fault
from tests.support.hygiene import KEY
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime

NEVER = 1e6  # seconds before the list shows a task, so that only an event can name it


@attrs.frozen
class Parts:
    """A creator of tasks, and the receiver of webhooks that reports them."""

    creator: TaskCreator
    reconciler: Reconciler

    async def create(self) -> str:
        """Create a task and give its id."""
        submission = self.creator.prepare(RunTaskRequest("x"))
        return await self.creator.create(submission)


@pytest.fixture
async def parts(api):
    """A creator of its own, with its reconciler."""
    configuration = Configuration.resolve(Secret(KEY), api.url, 10.0, allow_insecure_http=False)
    transport = Transport(configuration, retry=RetryPolicy(), options=PoolOptions())
    tasks = TaskEndpoints(transport.call)
    ages = SubmissionAges(transport.server_clock.now, lambda: datetime.now(UTC))
    reconciler = Reconciler(transport, ages)
    yield Parts(TaskCreator(transport, reconciler, tasks.get, ages), reconciler)
    await transport.aclose()


def _deliver(api: FakeApi, parts: Parts, after: float) -> None:
    """Report each task that is created, this many seconds after its creation."""

    def make(body: dict[str, Any]) -> FakeTask:
        task = FakeTask()
        loop = asyncio.get_running_loop()
        loop.call_later(after, parts.reconciler.record, task.id, body["metadata"][TOKEN_KEY])
        return task

    api.make = make


async def test_an_event_takes_the_place_of_the_answer(api, parts):
    """The answer is lost and the list shows nothing: the event ends the search at once."""
    api.list_lag = NEVER
    api.break_calls("run", {1: Fault(cut=True, done=True)})
    _deliver(api, parts, after=20.0)

    created = await parts.create()

    assert created in api.tasks
    assert api.count("run") == 1
    assert api.count("get") == 0  # the event named the task
    assert loop_time() == pytest.approx(20.0, abs=0.05)


async def test_an_event_before_the_answer_saves_the_search(api, parts):
    """The event came before the answer was lost, so the list is not searched."""
    api.list_lag = NEVER
    api.break_calls("run", {1: Fault(cut=True, done=True, stall=3.0)})
    _deliver(api, parts, after=1.0)

    created = await parts.create()

    assert created in api.tasks
    assert api.count() == api.count("run") == 1
    assert loop_time() == pytest.approx(3.0, abs=0.05)


async def test_an_event_before_a_good_answer_changes_nothing(api, parts):
    """Event and answer name the same task, and it is created once."""
    api.break_calls("run", {1: Fault(stall=3.0)})
    _deliver(api, parts, after=1.0)

    assert [await parts.create()] == list(api.tasks)
    assert api.count() == 1


async def test_an_adopted_task_is_confirmed_by_reading_it(api, parts):
    """The event only names the task; `resolve()` reads the task from the API."""
    api.list_lag = NEVER
    api.break_calls("run", {1: Fault(cut=True, done=True)})
    _deliver(api, parts, after=160.0)
    with pytest.raises(SubmissionUnknownError) as caught:
        await parts.create()
    await asyncio.sleep(20.0)
    before = api.count("list")

    found = await caught.value.resolve()

    assert found is not None
    assert found.id in api.tasks
    assert (api.count("list") - before, api.count("get")) == (0, 1)


@pytest.mark.parametrize("mark", ["0" * 32, "", None], ids=["another mark", "empty", "no mark"])
async def test_an_event_about_another_task_is_not_adopted(api, parts, mark):
    """Only an event with the token of the submission ends its search."""
    api.list_lag = 30.0
    api.break_calls("run", {1: Fault(cut=True, done=True)})
    asyncio.get_running_loop().call_later(5.0, parts.reconciler.record, "another's", mark)

    created = await parts.create()

    assert created in api.tasks
    assert loop_time() >= 30.0
