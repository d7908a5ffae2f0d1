"""What completion and help() show of methods that take fields, and where their warnings point."""

import asyncio
import inspect
import pydoc
from collections.abc import Callable, Coroutine
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
from tests.support.api_bench import OpenSession, api, open_session
from tests.support.bench import Connect, Serve
from tests.support.fake_api import FakeApi
from tests.support.hygiene import SECRET
from tests.support.wire import answering, response

__all__ = ["api", "open_session"]

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
def test_the_signature_names_every_field(method: Callable[..., Any], model: type[Any]) -> None:
    """Completion of notebooks and shells offers what can be given, and nothing twice."""
    parameters = inspect.signature(method).parameters
    fields = {each.name: each for each in attrs.fields(model)}

    assert fields.keys() - {"task"} <= parameters.keys()
    assert not [each for each in parameters.values() if each.kind is each.VAR_KEYWORD]
    named = [each for name, each in parameters.items() if name in fields and name != "task"]
    assert {each.default for each in named} <= {UNSET, inspect.Parameter.empty}
    assert "Unset" not in str([each.annotation for each in named])


def test_a_batch_offers_no_task() -> None:
    """Each item has its own, so that another one beside them would be nobody's."""
    parameters = inspect.signature(BrowserUseSession.run_many).parameters
    needed = [each.name for each in parameters.values() if each.default is each.empty]

    assert needed == ["self", "requests"]
    assert "\n            task: " not in (BrowserUseSession.run_many.__doc__ or "")


def _offered(method: Callable[..., Any], model: type[Any]) -> set[str]:
    names = {each.name for each in attrs.fields(model)}
    return names - {"task"} if method is BrowserUseSession.run_many else names


@EACH
def test_help_explains_every_field(method: Callable[..., Any], model: type[Any]) -> None:
    """One line for each, in the words of the request's own docstring."""
    # The docstring, which help() shows below a signature that differs between versions of Python.
    text = inspect.getdoc(method) or ""
    lines = [line.strip() for line in text.splitlines()]
    own = list(inspect.signature(inspect.unwrap(method)).parameters)

    for name in _offered(method, model) - set(own):
        (line,) = [line for line in lines if line.startswith(f"{name}: ")]
        assert line in pydoc.plain(pydoc.render_doc(method))
        assert len(line) > len(name) + 10
        assert line.endswith(".")


def test_there_are_sixteen_fields() -> None:
    """The keywords for checkers, the request, and what help() lists agree."""
    listed = inspect.signature(BrowserUseSession.run_and_wait).parameters
    fields = [each.name for each in attrs.fields(RunTaskRequest) if each.name != "task"]

    assert len(fields) == 16
    assert list(RunTaskFields.__annotations__) == fields
    assert [name for name in listed if name in fields] == fields


def test_a_mock_of_a_session_is_awaited() -> None:
    """Tests of users make mocks, which must know what is a coroutine function."""
    mock = create_autospec(BrowserUseSession, instance=True)

    for running in (mock.submit("x"), mock.wait("x")):
        assert asyncio.iscoroutine(running)
        running.close()


# --- warnings -------------------------------------------------------------------------------

Call = Callable[[BrowserUseSession], Coroutine[Any, Any, Any]]


def _submit(session: BrowserUseSession) -> Coroutine[Any, Any, Any]:
    return session.submit("Log in", secrets={"password": SECRET})


async def _group(session: BrowserUseSession) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_submit(session))


async def _wait_for(session: BrowserUseSession) -> None:
    await asyncio.wait_for(_submit(session), 5)


async def _gather(session: BrowserUseSession) -> None:
    await asyncio.gather(_submit(session))


@pytest.mark.parametrize("call", [_group, _wait_for, _gather])
async def test_the_warning_points_at_the_call(serve: Serve, connect: Connect, call: Call):
    """In a task of its own no frame leads to the caller, whose line is named all the same."""
    session = await connect(await serve(answering(response(200, '{"id":"t-1"}'))))

    with pytest.warns(UserWarning, match="allowed_domains") as caught:
        await call(session)

    (warning,) = caught
    assert (warning.filename, warning.lineno) == (__file__, _submit.__code__.co_firstlineno + 1)


@pytest.mark.looptime
async def test_the_warning_of_a_batch_points_at_the_call(api: FakeApi, open_session: OpenSession):
    """Items are read by workers; the line is that of `run_many`."""
    session = await open_session()
    batch = session.run_many(["Log in", "Again"], concurrency=1, secrets={"password": SECRET})
    line = inspect.currentframe().f_lineno - 1  # type: ignore[union-attr]

    with pytest.warns(UserWarning, match="allowed_domains") as caught:
        await batch.collect()

    assert {(each.filename, each.lineno) for each in caught} == {(__file__, line)}
    assert all(SECRET not in str(each.message) for each in caught)
