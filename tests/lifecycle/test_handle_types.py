"""Handles with an output type, waits that check, and all ways to name a task."""

import pickle
from datetime import UTC, datetime

import attrs
import pytest

from browser_use_async import Created, ParsedTask, Task, TaskHandle, errors
from browser_use_async.types import UNSET, TaskStatus
from tests.support.fake_api import FakeApi, FakeTask

pytestmark = pytest.mark.looptime


@attrs.define
class Title:
    """The title of a page."""

    title: str


_NOW = datetime(2025, 11, 1, tzinfo=UTC)
GOOD = '{"title": "Example"}'


def _task(status: str = "finished", output: str | None = GOOD) -> Task:
    return Task("t-1", "Read", TaskStatus(status), None, output=output)


def _ends(api: FakeApi, end: str, output: str | None = GOOD) -> FakeTask:
    return api.add(FakeTask(life=((0.0, "running"), (5.0, end)), output=output))


async def test_a_token_and_a_type_make_the_handle_again(api, open_session):
    """Another process has only the token; with the type `wait` parses there as well."""
    session, other = await open_session(), await open_session()
    api.make = lambda _body: FakeTask(life=((0.0, "running"), (5.0, "finished")), output=GOOD)
    handle = await session.submit("x", output_type=Title)

    ended = await other.handle(handle.to_token(), output_type=Title).wait()

    assert ended.parsed == Title("Example")
    assert type(await other.handle(handle.to_token()).wait()) is Task


async def test_wait_parses_into_a_type(api, open_session):
    """`session.wait` takes a type, or uses the one of its handle."""
    session, other = await open_session(), await open_session()
    task = _ends(api, "finished")
    handle = session.handle(task.id, output_type=Title)

    assert (await session.wait(task.id, output_type=Title)).parsed == Title("Example")
    assert (await session.wait(handle)).parsed == Title("Example")
    assert (await other.wait(handle)).parsed == Title("Example")
    assert (await session.wait(handle, output_type=dict[str, str])).parsed == {"title": "Example"}


@pytest.mark.parametrize(
    "reference",
    [
        lambda _session, task: task.id,
        lambda session, task: session.handle(task.id).to_token(),
        lambda session, task: session.handle(task.id),
        lambda _session, task: Created(task.id),
        lambda _session, task: attrs.evolve(_task("running"), id=task.id),
    ],
    ids=["id", "token", "handle", "created", "task"],
)
async def test_whatever_names_a_task(api, session, reference):
    """Methods that follow a task take its id, token, handle or response."""
    task = _ends(api, "finished")
    named = reference(session, task)

    assert session.handle(named).id == task.id
    assert (await session.wait(named)).id == task.id
    assert [each.id async for each in session.wait_many([named, task.id])] == [task.id]
    assert [status async for status in session.stream_status(named)] == ["finished"]
    assert len([step async for step in session.stream_steps(named)]) == 3


async def test_a_row_of_the_list_can_be_waited_for(api, session):
    """A row of `tasks.list` can be waited for directly."""
    task = _ends(api, "finished")
    (row,) = (await session.tasks.list()).tasks

    assert (await session.wait(row)).id == task.id


@pytest.mark.parametrize("wrong", [None, 5, ["t-1"], "", "bu-task.1.", b"t-1", {"id": "t-1"}])
async def test_what_names_no_task_is_refused(api, session, wrong):
    """The error says what is taken; nothing is sent."""
    for follow in (
        lambda: session.wait(wrong),
        lambda: anext(session.wait_many([wrong])),
        lambda: anext(session.stream_status(wrong)),
    ):
        with pytest.raises(errors.InvalidRequestError, match="handle or a task, not"):
            await follow()
    assert api.calls == []


@pytest.mark.parametrize(
    ("end", "error"), [("failed", errors.TaskFailedError), ("stopped", errors.TaskStoppedError)]
)
@pytest.mark.parametrize("output_type", [None, Title])
async def test_a_wait_that_checks(api, session, end, error, output_type):
    """`check=True` raises what `run_and_wait` raises; the error has the task."""
    task = _ends(api, end, output=None)
    handle = session.handle(task.id, output_type=output_type)

    for wait in (
        session.wait(task.id, output_type=output_type, check=True),
        session.wait(handle, check=True),
        handle.wait(check=True),
    ):
        with pytest.raises(error) as caught:
            await wait
        assert caught.value.task.id == task.id
    assert (await handle.wait()).status == end


async def test_a_checked_wait_gives_what_finished(api, session):
    """A checked wait returns the task that finished."""
    task = _ends(api, "finished")

    assert (await session.wait(task.id, check=True)).output == GOOD
    assert (await session.handle(task.id, output_type=Title).wait(check=True)).parsed


async def test_a_type_without_json_is_refused_by_the_handle(session):
    """The type is refused at once, and not only when the task has ended."""
    with pytest.raises(errors.InvalidRequestError, match="output_type"):
        session.handle("t-1", output_type=type)


# --- tasks without a wait -----------------------------------------------------------------


@pytest.mark.parametrize("status", ["created", "running", "paused", "thinking"])
def test_a_task_that_has_not_ended_has_not_failed(status):
    """`raise_for_status` returns the task, and there is nothing to parse yet."""
    task = _task(status, output=None)

    assert task.raise_for_status() is task
    with pytest.raises(errors.InvalidRequestError, match=f"is {status} and has no output yet"):
        task.parse(Title)


def test_parsing_a_task_by_hand():
    """A task parses like a wait does, as often as wanted."""
    task = _task()

    assert task.raise_for_status() is task
    assert task.parse(Title) == ParsedTask.of(task, Title("Example"))
    assert task.parse(Title).parse(dict[str, str]).parsed == {"title": "Example"}
    with pytest.raises(errors.OutputValidationError):
        task.parse(int)
    with pytest.raises(errors.TaskStoppedError):
        _task("stopped").parse(Title)


def test_a_status_that_is_new_to_this_version():
    """A task with a finish time has ended, and has not finished; `run_and_wait` agrees."""
    ended = attrs.evolve(_task("expired"), finished_at=_NOW)

    with pytest.raises(errors.TaskFailedError, match="expired"):
        ended.raise_for_status()


def test_a_parsed_task_without_a_value_survives_pickling():
    """Unpickled, it raises the same error; a task that finished has its value."""
    failed = pickle.loads(pickle.dumps(ParsedTask.of(_task("failed"))))

    with pytest.raises(errors.TaskFailedError):
        print(failed.parsed)
    assert pickle.loads(pickle.dumps(_task().parse(dict[str, str]))).parsed["title"] == "Example"
    assert failed == ParsedTask.of(_task("failed"), UNSET)
    with pytest.raises(AttributeError, match="was not parsed"):
        print(ParsedTask.of(_task()).parsed)


def test_handles_without_a_type_argument():
    """`TaskHandle[M]` is for checkers: at run time it is the same class."""
    assert TaskHandle[int].__origin__ is TaskHandle  # type: ignore[attr-defined]


async def test_a_status_is_asked_for_and_never_a_silent_coroutine(api, open_session):
    """A handle has no `status`, so that no comparison with a coroutine is silently false."""
    handle = (await open_session()).handle(_ends(api, "finished").id)
    await handle.wait()

    assert await handle.get_status() == "finished"
    assert {each for each in dir(handle) if not each.startswith("_")} == {
        *("id", "output_type", "joined", "get_status", "get_screenshot", "wait"),
        *("wait_for_live_url", "stream_status", "stream_steps", "interventions"),
        *("pause", "resume", "stop", "timeline", "to_token"),
    }


async def test_a_handle_of_this_session_is_returned_unchanged(open_session):
    """The handle itself is returned, unless another type is asked for."""
    session, other = await open_session(), await open_session()
    handle = session.handle("t-1", output_type=str)

    assert session.handle(handle) is handle
    retyped = session.handle(handle, output_type=int)
    assert (retyped.id, retyped.output_type, handle.output_type) == ("t-1", int, str)
    assert (other.handle(handle) != handle, other.handle(handle).output_type) == (True, str)
