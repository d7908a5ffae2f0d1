"""Answers that cannot be decoded end a wait with their error, once the task has ended."""

import json
from typing import Any

import pytest

from browser_use_async import TaskStatus, errors
from tests.support.fake_api import Call, FakeApi, FakeTask, Fault
from tests.support.fake_task import lives
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime


class _Odd(FakeTask):
    """A task of which get-task returns other steps."""

    odd_steps: Any = "none"

    def whole(self) -> dict[str, Any]:
        """The whole task."""
        return {**super().whole(), "steps": self.odd_steps}


def _odd(api: FakeApi, steps: Any, seconds: float = 20.0) -> str:
    task = _Odd(life=((0.0, "running"), (seconds, "finished")), live_after=None)
    task.odd_steps = steps
    return api.add(task).id


@pytest.mark.long
@pytest.mark.parametrize("others", [0, 30])
async def test_a_task_that_can_never_be_read_ends_its_wait(api, session, others):
    """The error has the wrong place in the answer, the task, and that it has finished."""
    handles = [session.handle(api.add(lives(1e6)).id) for _ in range(others)]
    streams = [each.stream_status() for each in handles]
    for each in streams:
        await anext(each)
    task_id = _odd(api, "none")

    with pytest.raises(errors.ResponseDecodeError) as caught:
        await session.wait(task_id)

    assert loop_time() <= 40.0
    assert caught.value.task_id == task_id
    assert caught.value.path == "$.steps"
    assert "finished" in str(caught.value)
    assert isinstance(caught.value.__cause__, errors.ResponseDecodeError)
    for each in streams:
        await each.aclose()


async def test_a_timeout_before_that_quotes_the_error(api, session):
    """The cause is there even if the wait ends sooner."""
    task_id = _odd(api, "none", seconds=0.0)

    with pytest.raises(errors.WaitTimeoutError) as caught:
        await session.wait(task_id, timeout=0.5)

    assert isinstance(caught.value.__cause__, errors.ResponseDecodeError)
    assert "$.steps" in str(caught.value)


async def test_a_stream_of_statuses_ends_with_the_end(api, session):
    """It needs only the status call."""
    task_id = _odd(api, [{"id": "s", "step": "one"}])

    statuses = [str(status) async for status in session.stream_status(task_id)]

    assert statuses == ["running", "finished"]
    assert loop_time() <= 40.0


async def test_a_stream_of_steps_does_not_end_a_running_task(api, session):
    """A task that cannot be decoded while it runs may be decodable at its end."""
    task = _Odd(life=((0.0, "running"), (60.0, "finished")), live_after=None)
    api.add(task)
    handle = session.handle(task.id)

    def mend(call: Call) -> Fault | None:
        task.odd_steps = "none" if call.at < 50.0 else [{"next_goal": "Read"}]
        return None

    api.fault = mend
    steps = [step async for step in handle.stream_steps()]

    assert [(step.id, step.step, step.next_goal) for step in steps] == [("", 1, "Read")]
    assert 60.0 <= loop_time() <= 80.0


async def test_steps_without_ids_end_no_wait(api, session):
    """Missing fields of a step are empty, and steps are numbered by their places."""
    task_id = _odd(api, [{"next_goal": "Open"}, {"id": None, "next_goal": "Read", "cost": 1}])

    ended = await session.wait(task_id)

    assert ended.status is TaskStatus.FINISHED
    assert [(each.id, each.step, each.next_goal) for each in ended.steps] == [
        ("", 1, "Open"),
        ("", 2, "Read"),
    ]


@pytest.mark.parametrize("body", ["<html>maintenance</html>", "[1]"])
async def test_pages_of_a_proxy_are_waited_out(api, session, body):
    """A body of another kind may come from a proxy in between."""
    api.fault = lambda call: Fault(status=200, body=body) if 10.0 <= call.at < 130.0 else None

    ended = await session.wait(api.add(lives(60.0)).id)

    assert ended.status is TaskStatus.FINISHED


@pytest.mark.parametrize("wrong", ["another task", "another field each time"])
async def test_only_the_same_mistake_counts(api, session, wrong):
    """An answer about another task ends the wait as well; answers that change do not."""
    task = api.add(lives(5.0, live_after=None))
    fields = ("status", "created_at", "task")

    def fault(call: Call) -> Fault | None:
        if call.route != "get" or call.number > 12:
            return None
        answer = {**task.whole(), "status": "finished"}
        if wrong == "another task":
            return Fault(status=200, body=json.dumps({**answer, "id": "t-2"}))
        del answer[fields[call.number % 3]]
        return Fault(status=200, body=json.dumps(answer))

    api.fault = fault
    waiting = session.wait(task.id)
    if wrong == "another task":
        with pytest.raises(errors.ResponseDecodeError, match=r"another task, 't-2'") as caught:
            await waiting
        assert (caught.value.path, caught.value.task_id) == ("$.id", task.id)
        assert api.count("get") == 5
    else:
        assert (await waiting).status is TaskStatus.FINISHED
