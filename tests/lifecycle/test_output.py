"""What a caller gets of an ended task: the task, a parsed task, or an error."""

import json
import pickle
from dataclasses import dataclass
from typing import Any, TypedDict

import attrs
import pydantic
import pydantic.dataclasses
import pytest

from browser_use_async import ParsedTask, RunTaskRequest, errors
from tests.support.fake_api import FakeApi, FakeTask, Fault

pytestmark = pytest.mark.looptime


@attrs.define
class Title:
    """The title of a page."""

    title: str
    stars: int = 0


@dataclass
class Titles:
    """Some titles."""

    titles: list[Title]


class TitleModel(pydantic.BaseModel):
    """The same for pydantic."""

    title: str


class TitleRow(TypedDict):
    """The same for a TypedDict."""

    title: str


@pydantic.dataclasses.dataclass
class TitleDataclass:
    """The same for a dataclass of pydantic."""

    title: str = pydantic.Field(alias="Title", max_length=9)


def _answers(api: FakeApi, output: str | None, end: str = "finished", **more: Any) -> None:
    api.make = lambda _body: FakeTask(life=((0.0, "running"), (5.0, end)), output=output, **more)


async def test_the_output_is_parsed(api, session):
    """The schema of the type is sent, and `parsed` is of that type, whatever its family."""
    text = '{"title": "Example", "stars": 3}'
    for kind, output, expected in (
        (Title, text, Title("Example", 3)),
        (TitleModel, '{"title": "Example"}', TitleModel(title="Example")),
        (TitleDataclass, '{"Title": "Example"}', TitleDataclass(Title="Example")),
        (TitleRow, '{"title": "Example"}', {"title": "Example"}),
        (Titles, f'{{"titles": [{text}]}}', Titles([Title("Example", 3)])),
        (list[Title], f"Here you are:\n```json\n[{text}]\n```\nBye.", [Title("Example", 3)]),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (str, "Just prose.", "Just prose."),
    ):
        _answers(api, output)

        ended = await session.run_and_wait("x", output_type=kind)

        assert type(ended) is ParsedTask
        assert ended.parsed == expected
        assert ended.output == output

    bodies = [call.body for call in api.calls if call.route == "run"]
    assert all(isinstance(body["structured_output_json"], str) for body in bodies)
    assert json.loads(bodies[0]["structured_output_json"])["required"] == ["title"]


async def test_a_handle_parses_too(api, session):
    """`submit(output_type=...)` makes a handle whose `wait` parses."""
    _answers(api, '{"title": "Example"}')

    handle = await session.submit("x", output_type=Title)
    ended = await handle.wait()

    assert isinstance(ended, ParsedTask)
    assert ended.parsed == Title("Example")


async def test_a_dataclass_of_pydantic_is_validated(api, session):
    """Its names and bounds are respected, and an error names the place that does not fit."""
    _answers(api, '{"Title": "Example"}')
    ended = await session.run_and_wait("x", output_type=TitleDataclass)
    assert ended.to_dict()["parsed"] == {"Title": "Example"}
    _answers(api, '{"Title": "Far too long"}')

    with pytest.raises(errors.OutputValidationError, match=r"\$\.Title.*at most 9"):
        await session.run_and_wait("x", output_type=TitleDataclass)


@pytest.mark.parametrize(
    ("output", "place"),
    [
        ('{"title": 5}', "$.title"),
        ('{"stars": 5}', "$.title"),
        ('{"title": "x", "stars": "false"}', "$.stars"),
        ("[]", "$"),
        ("I could not find it.", "not JSON"),
        ("", "not JSON"),
        (None, "without an output"),
    ],
    ids=repr,
)
async def test_an_output_that_does_not_fit_is_kept(api, session, output, place):
    """The error names the place, keeps the paid output and the task, and pickles."""
    _answers(api, output)

    with pytest.raises(errors.OutputValidationError) as caught:
        await session.run_and_wait("x", output_type=Title)

    error = pickle.loads(pickle.dumps(caught.value))
    assert error.raw_output == output
    assert error.task.output == output
    assert error.task_id == error.task.id
    assert place in str(error)
    assert "Title" in str(error)


async def test_failure_comes_before_parsing(api, session):
    """A failed task raises its failure, also when its output does not fit; the reason is in it."""
    _answers(api, "no JSON", end="failed", steps=lambda _age: [1, 2])

    with pytest.raises(errors.TaskFailedError) as caught:
        await session.run_and_wait("x", output_type=Title)

    assert "after 2 steps: judged 2" in str(caught.value)
    assert caught.value.task.steps[-1].evaluation_previous_goal == "judged 2"
    assert caught.value.task_id == caught.value.task.id


async def test_failure_without_a_reason_says_so(api, session):
    """A task that failed before its first step has no reason to give."""
    _answers(api, None, end="failed", steps=0)

    with pytest.raises(errors.TaskFailedError, match="after 0 steps: the service gave no reason"):
        await session.run_and_wait("x")


async def test_a_stopped_task_has_its_own_error(api, session):
    """A task that another client stopped raises an error of its own."""
    _answers(api, None, end="stopped", steps=1)

    with pytest.raises(errors.TaskStoppedError, match="after 1 step;"):
        await session.run_and_wait("x", output_type=Title)


async def test_an_unknown_end_is_a_failure(api, session):
    """A terminal status that is unknown to this version is no success; the error has the task."""
    _answers(api, "x", end="expired", ends=frozenset({"expired"}))

    with pytest.raises(errors.TaskFailedError, match="expired") as caught:
        await session.run_and_wait("x")

    assert caught.value.task.output is None


async def test_wait_returns_a_failed_task(api, session):
    """Both kinds of `wait` return a failed task; reading its `parsed` raises."""
    _answers(api, None, end="failed")
    handle = await session.submit("x", output_type=Title)

    ended = await handle.wait()

    assert str(ended.status) == "failed"
    with pytest.raises(errors.TaskFailedError) as caught:
        print(ended.parsed)
    assert caught.value.task is ended


class _Plain:
    pass


@pytest.mark.parametrize("kind", [type, _Plain, dict[int, Title], 5, "Title", set[Title]], ids=repr)
async def test_a_type_without_json_is_refused(api, session, kind):
    """A type that cannot be parsed is refused before anything is sent."""
    for verb in (session.submit, session.run_and_wait):
        with pytest.raises(errors.InvalidRequestError) as caught:
            await verb("x", output_type=kind)
        assert caught.value.field == "output_type"

    assert api.count() == 0


async def test_two_schemas_are_refused(api, session):
    """`output_type` and `structured_output_json` together are refused, in a request object too."""
    with pytest.raises(errors.InvalidRequestError) as caught:
        await session.run_and_wait("x", output_type=Title, structured_output_json="{}")
    assert caught.value.field == "output_type"
    with pytest.raises(errors.InvalidRequestError):
        await session.submit(
            RunTaskRequest(task="x", structured_output_json="{}"), output_type=Title
        )

    assert api.count() == 0


async def test_an_output_is_not_lost_with_the_answer(api, session):
    """A lost answer leads to an adopted task and a parsed output."""
    _answers(api, '{"title": "Example"}')
    api.break_calls("run", {1: Fault(cut=True, done=True)})

    ended = await session.run_and_wait("x", output_type=Title)

    assert ended.parsed == Title("Example")
