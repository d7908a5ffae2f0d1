"""Unknown statuses, missing tasks, refusals, and contradictory answers."""

import asyncio
import logging
from typing import Any

import pytest

from browser_use_async import TaskStatus, errors
from browser_use_async.events import UnknownStatusSeen
from tests.support.fake_api import LOST_BEFORE, Call, FakeTask, Fault
from tests.support.fake_task import lives
from tests.support.virtual_time import loop_time

pytestmark = pytest.mark.looptime


async def test_an_unknown_status_is_alive(api, open_session, caplog):
    """`archived`, then finished: the waits continue, with one warning and one event for both."""
    events: list[object] = []
    session = await open_session(on_event=events.append)
    life = ((0.0, "running"), (5.0, "archived"), (60.0, "finished"))
    tasks = [api.add(FakeTask(life=life)) for _ in range(2)]

    with caplog.at_level(logging.WARNING):
        ended = await asyncio.gather(*(session.wait(each.id) for each in tasks))

    assert {each.status for each in ended} == {TaskStatus.FINISHED}
    (event,) = events
    assert isinstance(event, UnknownStatusSeen)
    assert event.status == TaskStatus("archived")
    (warning,) = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert warning.getMessage() == str(event)


async def test_an_unknown_status_with_an_end_ends_the_wait(api, session):
    """An unknown status with `finished_at` is terminal, and the wait returns the task."""
    life = ((0.0, "running"), (5.0, "completed"))
    task = api.add(FakeTask(life=life, ends=frozenset({"completed"})))

    ended = await session.wait(task.id)

    assert str(ended.status) == "completed"
    assert loop_time() <= 8.0


@pytest.mark.long
async def test_an_unknown_status_for_ever_ends_at_the_deadline(api, session):
    """No crash and no hang; the error has the status."""
    task = api.add(FakeTask(life=((0.0, "archived"),)))

    with pytest.raises(errors.WaitTimeoutError) as caught:
        await session.wait(task.id, timeout=300.0)

    assert str(caught.value.last_status) == "archived"
    assert loop_time() == pytest.approx(300.0, abs=0.05)


async def test_an_own_new_task_may_be_missing_at_first(api, session):
    """404 for 25 s after this session's submission is a delay of the service."""
    api.next_tasks.append(lives(40.0))
    handle = await session.submit("x")
    missing = Fault(status=404, body='{"detail": "Task not found"}')
    api.fault = lambda call: missing if call.at < 25.0 else None

    ended = await handle.wait()

    assert ended.status is TaskStatus.FINISHED


async def test_a_task_that_waited_for_its_slot_is_as_new(api, session):
    """A task may be missing for a time after its creation, not after the refusal before it."""
    full = Fault(status=429, body='{"detail": "Too many concurrent active sessions."}')
    api.fault = lambda call: full if call.at < 60.0 else None
    api.next_tasks.append(lives(40.0))
    handle = await session.submit("x")
    created = loop_time()
    missing = Fault(status=404, body='{"detail": "Task not found"}')
    api.fault = lambda call: missing if call.at < created + 25.0 else None

    ended = await handle.wait()

    assert created > 60.0
    assert ended.status is TaskStatus.FINISHED


# The clock must not jump over the 404 at the beginning while the ledger writes.
@pytest.mark.looptime(noop_cycles=20_000)
async def test_a_task_of_a_second_attempt_is_as_new(api, session, tmp_path):
    """That time does not begin with an attempt that was lost and created nothing, either."""
    missing = Fault(status=404, body='{"detail": "Task not found"}')
    created: list[float] = []

    def make(_body: dict[str, Any]) -> FakeTask:
        created.append(loop_time())
        return lives(40.0)

    def fault(call: Call) -> Fault | None:
        if call.route == "run":
            return LOST_BEFORE if call.number == 1 else None
        return missing if created and call.at < created[0] + 25.0 else None

    api.make, api.fault = make, fault

    ledger = tmp_path / "batch.db"
    (unknown,) = await session.run_many(["x"], ledger=ledger).collect()
    (result,) = await session.run_many(["x"], ledger=ledger, retry_unknown=True).collect()

    assert not unknown.succeeded
    assert created[0] >= 150.0
    assert result.succeeded


async def test_an_own_task_that_never_appears_is_given_up(api, session):
    """After that time the caller gets the 404, with the task's id."""
    handle = await session.submit("x")
    api.tasks.clear()

    with pytest.raises(errors.NotFoundError) as caught:
        await handle.wait()

    assert caught.value.task_id == handle.id
    assert 30.0 <= loop_time() <= 33.0


async def test_a_foreign_unknown_id_fails_at_once(api, session):
    """An id that was never seen and is not of this session is an error at once."""
    with pytest.raises(errors.NotFoundError) as caught:
        await session.wait("no-such-task")

    assert caught.value.task_id == "no-such-task"
    assert api.count() == 1


async def test_a_task_that_disappears_is_an_error(api, session):
    """After several 404s over at least ten seconds, a task that was seen is gone."""
    task = api.add(lives(1e6))
    asyncio.get_running_loop().call_later(100.0, api.tasks.clear)

    with pytest.raises(errors.NotFoundError) as caught:
        await session.wait(task.id)

    assert caught.value.task_id == task.id
    assert 110.0 <= loop_time() <= 114.0


@pytest.mark.parametrize("body", ['{"detail": "Task not found"}', '{"detail": "Not Found"}', "<p>"])
async def test_a_blink_is_no_disappearance(api, session, body):
    """A wait goes on while a task, or its whole route, is missing for a few seconds."""
    task = api.add(lives(60.0))
    missing = Fault(status=404, body=body)
    api.fault = lambda call: missing if 20.0 <= call.at < 28.0 else None

    ended = await session.wait(task.id)

    assert ended.status is TaskStatus.FINISHED


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.AuthenticationError),
        (403, errors.PermissionDeniedError),
        (402, errors.PaymentRequiredError),
        (400, errors.BadRequestError),
        (422, errors.UnprocessableEntityError),
        (410, errors.APIStatusError),
    ],
)
async def test_a_refusal_ends_the_wait_at_once(api, session, status, kind):
    """A permanent error is raised after one request, and carries the task's id."""
    task = api.add(lives(1e6))
    api.fault = lambda call: Fault(status=status) if call.at >= 60.0 else None

    with pytest.raises(kind) as caught:
        await session.wait(task.id)

    assert caught.value.task_id == task.id
    assert caught.value.status == status
    await asyncio.sleep(100.0)
    asked = len([at for at in api.times() if at >= 60.0])
    assert asked == 1


@pytest.mark.long
async def test_paused_is_alive(api, session):
    """Created, running, paused, running, finished are reported in this order."""
    life = (
        (0.0, "created"),
        (10.0, "running"),
        (20.0, "paused"),
        (400.0, "running"),
        (420.0, "finished"),
    )
    task = api.add(FakeTask(life=life))

    statuses = [str(status) async for status in session.stream_status(task.id)]

    assert statuses == ["created", "running", "paused", "running", "finished"]


@pytest.mark.long
async def test_paused_for_ever_ends_at_the_deadline(api, session):
    """A paused task is neither an end nor an error, and the timeout applies."""
    task = api.add(FakeTask(life=((0.0, "running"), (5.0, "paused"))))

    with pytest.raises(errors.WaitTimeoutError) as caught:
        await session.wait(task.id, timeout=600.0)

    assert caught.value.last_status is TaskStatus.PAUSED
    assert loop_time() == pytest.approx(600.0, abs=0.05)


async def test_a_terminal_status_counts_once_the_task_agrees(api, session):
    """The status call is ahead of get-task by 8 s; the caller gets the finished task."""
    task = api.add(
        FakeTask(
            life=((0.0, "running"), (20.0, "finished")),
            detail_life=((0.0, "running"), (28.0, "finished")),
        )
    )

    ended = await session.wait(task.id)

    assert ended.status is TaskStatus.FINISHED
    assert ended.output == "Done."
    assert 28.0 <= loop_time() <= 30.1


async def test_a_task_that_never_agrees_ends_no_wait(api, session):
    """The status call alone is not believed: the wait ends at its deadline, and says so."""
    task = api.add(
        FakeTask(
            life=((0.0, "running"), (20.0, "finished")),
            detail_life=((0.0, "running"),),
        )
    )

    with pytest.raises(errors.WaitTimeoutError) as caught:
        await session.wait(task.id, timeout=120.0)

    assert caught.value.last_status is TaskStatus.RUNNING
    assert loop_time() == pytest.approx(120.0, abs=0.05)


async def test_anothers_task_is_not_taken(api, session):
    """An answer of get-task about another task is not returned, and the call is repeated."""
    task, other = api.add(lives(5.0)), api.add(lives(0.0))
    foreign = Fault(
        status=200,
        body=f'{{"id": "{other.id}", "task": "x", "output": "foreign", '
        '"status": "finished", "created_at": "2025-01-01T00:00:00Z", "steps": []}',
    )
    api.break_calls("get", {1: foreign})

    ended = await session.wait(task.id)

    assert (ended.id, ended.output) == (task.id, "Done.")


async def test_a_loop_that_refuses_a_request_ends_no_wait(api, session, caplog):
    """A task factory that raises costs one poll; the error is logged, and the wait continues."""
    refused = []

    def factory(loop: Any, work: Any, **options: Any) -> "asyncio.Task[Any]":
        if options.get("context") is not None and not refused:
            refused.append(work)
            raise RuntimeError("no more tasks, please")
        return asyncio.Task(work, loop=loop, **options)

    task = api.add(lives(5.0))
    asyncio.get_running_loop().set_task_factory(factory)

    done = await session.wait(task.id)

    assert done.status is TaskStatus.FINISHED
    assert len(refused) == 1
    assert loop_time() <= 9.0
    assert "no more tasks, please" in caplog.text
