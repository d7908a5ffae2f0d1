"""The signatures of methods with fields, and their warnings."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Any
from unittest.mock import create_autospec

import attrs
import pytest

from browser_use_async import (
    BrowserUseSession,
    CreateBrowserProfileRequest,
    CreateScheduledTaskRequest,
    RunTaskFields,
    RunTaskRequest,
    UpdateBrowserProfileRequest,
    UpdateScheduledTaskRequest,
)
from browser_use_async.api.browser_profiles import BrowserProfileEndpoints
from browser_use_async.api.scheduled_tasks import ScheduledTaskEndpoints
from browser_use_async.api.tasks import TaskEndpoints
from browser_use_async.types import UNSET
from tests.support.hygiene import SECRET
from tests.support.wire import answering, response

METHODS: list[tuple[Callable[..., Any], type[Any]]] = [
    (BrowserUseSession.run_and_wait, RunTaskRequest),
    (BrowserUseSession.submit, RunTaskRequest),
    (BrowserUseSession.run_many, RunTaskRequest),
    (TaskEndpoints.run, RunTaskRequest),
    (ScheduledTaskEndpoints.create, CreateScheduledTaskRequest),
    (ScheduledTaskEndpoints.update, UpdateScheduledTaskRequest),
    (BrowserProfileEndpoints.create, CreateBrowserProfileRequest),
    (BrowserProfileEndpoints.update, UpdateBrowserProfileRequest),
]
EACH = pytest.mark.parametrize(
    ("method", "model"), METHODS, ids=[each.__qualname__ for each, _ in METHODS]
)


@EACH
def test_the_signature_names_every_field(method, model):
    """Completion in notebooks and shells offers each field once."""
    parameters = inspect.signature(method).parameters
    fields = {each.name: each for each in attrs.fields(model)}

    assert fields.keys() - {"task"} <= parameters.keys()
    assert not [each for each in parameters.values() if each.kind is each.VAR_KEYWORD]
    named = [each for name, each in parameters.items() if name in fields and name != "task"]
    assert {each.default for each in named} <= {UNSET, inspect.Parameter.empty}
    assert "Unset" not in str([each.annotation for each in named])


def test_a_batch_needs_requests_alone():
    """Each item has its own text; `task` is that of rows."""
    parameters = inspect.signature(BrowserUseSession.run_many).parameters
    needed = [each.name for each in parameters.values() if each.default is each.empty]

    assert needed == ["self", "requests"]
    assert parameters["task"].default is None


def test_the_fields_are_the_same_everywhere():
    """The keywords for checkers, the request, and the signature agree; two become metadata."""
    listed = inspect.signature(BrowserUseSession.run_and_wait).parameters
    fields = [each.name for each in attrs.fields(RunTaskRequest) if each.name != "task"]

    keywords = [name for name in RunTaskFields.__annotations__ if name not in {"script", "inputs"}]
    assert keywords == fields
    assert [name for name in listed if name in fields] == fields


def test_a_mock_of_a_session_is_awaited():
    """Users' tests create mocks, which must detect coroutine functions."""
    mock = create_autospec(BrowserUseSession, instance=True)

    for running in (mock.submit("x"), mock.wait("x")):
        assert asyncio.iscoroutine(running)
        running.close()


# --- warnings -------------------------------------------------------------------------------


@pytest.mark.looptime
async def test_a_batch_warns_too(api, session):
    """Workers read the items; secrets that all of them share cause the warning as well."""
    batch = session.run_many(["Log in", "Again"], concurrency=1, secrets={"password": SECRET})

    with pytest.warns(UserWarning, match="allowed_domains") as caught:
        await batch.collect()

    assert all(SECRET not in str(each.message) for each in caught)


async def test_a_call_in_a_task_of_its_own_warns_too(serve, connect):
    """No frame leads from there to the line of the caller; the warning comes without it."""
    session = await connect(await serve(answering(response(200, '{"id":"t-1"}'))))

    with pytest.warns(UserWarning, match="allowed_domains"):
        await asyncio.gather(session.submit("Log in", secrets={"password": SECRET}))
