"""The life of a task, as clients see it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.egress.proxy import Egress
from browser_use_async.server.executors.protocol import Control
from browser_use_async.server.faults import FaultInjector
from browser_use_async.server.fleet.handoff import Handoff
from browser_use_async.server.http.held_calls import HeldCalls
from browser_use_async.server.loops import Loops
from browser_use_async.server.operations.tasks import get_task_status, run_task, stop_task
from browser_use_async.server.pages.links import Links
from browser_use_async.server.records import Assignment, Failed, Finished, Step
from browser_use_async.server.running_server import RunningServer
from browser_use_async.server.search.engine import SearchEngine
from browser_use_async.server.settings import ServerSettings
from browser_use_async.server.storage import SqliteDatabase
from browser_use_async.server.storage.progress import TRANSITIONS, TaskEvent
from browser_use_async.server.storage.shared_database import Nodes
from browser_use_async.server.stores import Stores
from browser_use_async.server.tasks import TaskRunner
from browser_use_async.server.tasks.deployment import SingleServer
from browser_use_async.server.webhooks import WebhookSender
from browser_use_async.types import RunTaskRequest, TaskId, TaskStatus
from tests.server.calling import Answer, Caller
from tests.server.steering import FromQueue, NeverBegun
from tests.support.patience import PATIENCE, until

_EVENTS = {"stop": TaskEvent.STOP, "pause": TaskEvent.PAUSE, "resume": TaskEvent.RESUME}


async def _brought_to(status: str, caller: Caller, queue: FromQueue) -> str:
    """A task in a status; its id."""
    task_id = await caller.create()
    if status in {"finished", "failed"}:
        queue.items.put_nowait(Finished("yes") if status == "finished" else Failed("no"))
    await caller.reached(task_id, status if status in {"finished", "failed"} else "running")
    if status in {"paused", "stopped"}:
        await _let(caller, "pause" if status == "paused" else "stop", task_id)
    return task_id


async def _let(caller: Caller, call: str, task_id: str) -> Answer:
    return await caller.put(f"/{call}-task?task_id={task_id}")


@pytest.mark.parametrize("call", _EVENTS)
@pytest.mark.parametrize("status", ["running", "paused", "finished", "failed", "stopped"])
async def test_the_table_of_transitions_applies(status, call, steered, queue):
    """An allowed transition changes the status at once; any other is answered 400.

    The exception is the stop of a task that has ended by itself: it succeeds, as in the service.
    """
    task_id = await _brought_to(status, steered, queue)

    answer = await _let(steered, call, task_id)

    expected = TRANSITIONS.get((TaskStatus(status), _EVENTS[call]))
    now = (await steered.get(f"/task/{task_id}/status")).json
    if call == "stop" and status in {"finished", "failed"}:
        assert (answer.status, answer.body, now) == (200, b"{}", status)
    elif expected is None:
        assert (answer.status, now) == (400, status)
        assert status in answer.json["detail"]
    else:
        assert (answer.status, answer.body, now) == (200, b"{}", expected)


@pytest.mark.parametrize(
    ("status", "call", "detail"),
    [
        ("stopped", "stop", "Agent session already stopped"),
        ("finished", "pause", "Agent session already finished"),
        ("paused", "pause", "Agent session already paused"),
        ("running", "resume", "Agent session is not paused but running"),
        ("stopped", "resume", "Agent session already stopped"),
    ],
)
async def test_a_refused_change_says_why(status, call, detail, steered, queue):
    """Clients recognise an already stopped task by this sentence."""
    task_id = await _brought_to(status, steered, queue)

    assert (await _let(steered, call, task_id)).json == {"detail": detail}


async def test_a_task_that_has_not_begun(http):
    """Before it starts it has a live page, and can be stopped, but not paused."""
    async with LocalServer(executor=NeverBegun()) as server:
        caller = Caller(server, http)
        created = await caller.create()

        task = await caller.task(created)
        paused = await _let(caller, "pause", created)
        stopped = await _let(caller, "stop", created)

    assert (task["status"], task["live_url"] is None) == ("created", False)
    assert paused.json == {"detail": "Agent session is not running but created"}
    assert stopped.status == 200


def _now() -> datetime:
    return datetime.now(UTC)


async def _server(queue: FromQueue) -> RunningServer:
    """A server without HTTP clients."""
    database = SqliteDatabase()
    stores = Stores(database, _now, Decimal(100))
    await stores.open()
    links = Links("http://x", _now, b"")
    runner = TaskRunner(queue, stores.tasks)
    sender = WebhookSender(_now, 1.0, lambda: 0, database, stores.outbox, Egress())
    return RunningServer(
        settings=ServerSettings(),
        stores=stores,
        links=links,
        runner=runner,
        deployment=SingleServer(database, runner, stores.changes, sender, None),
        search=SearchEngine(None, Egress()),
        webhooks=sender,
        faults=FaultInjector(stores.tasks),
        held_calls=HeldCalls(stores.changes),
        loops=Loops(),
        handoff=Handoff(Nodes(database, _now), links, "worker", None),
    )


async def test_stopping_before_the_first_moment_never_reaches_the_executor(queue):
    """It is created and stopped at once."""
    server = await _server(queue)
    created = await run_task(server, RunTaskRequest("Do it"))
    before = await get_task_status(server, TaskId(created.id))
    await stop_task(server, TaskId(created.id))
    work = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.wait(work, timeout=PATIENCE)

    assert before is TaskStatus.CREATED
    assert all(each.done() for each in work)
    assert await get_task_status(server, TaskId(created.id)) is TaskStatus.STOPPED
    assert queue.assignments == []


async def test_steps_come_one_by_one_and_output_only_at_the_end(steered, queue):
    """A running task has its steps, and no output."""
    task_id = await steered.create()
    queue.step("First", url="https://example.com/", evaluation_previous_goal="None yet")
    running = await steered.reached(task_id, "running", steps=1)
    queue.items.put_nowait(Finished("The answer"))
    finished = await steered.reached(task_id, "finished")

    assert (running["output"], running["finished_at"]) == (None, None)
    assert running["steps"][0] | {"id": ""} == {
        "id": "",
        "step": 1,
        "evaluation_previous_goal": "None yet",
        "next_goal": "First",
        "url": "https://example.com/",
    }
    assert finished["output"] == "The answer"
    assert finished["steps"] == running["steps"]


async def test_finished_does_not_imply_output(steered, queue):
    """The service sometimes finishes a task without one."""
    queue.items.put_nowait(Finished(None))

    assert (await steered.reached(await steered.create(), "finished"))["output"] is None


async def test_a_pause_delays_running_work(steered, queue):
    """No step and no end is stored during a pause, and nothing is lost."""
    task_id = await _brought_to("paused", steered, queue)
    queue.step("Under way")
    queue.items.put_nowait(Finished("Done"))
    await asyncio.sleep(0.02)
    paused = await steered.task(task_id)
    await _let(steered, "resume", task_id)
    finished = await steered.reached(task_id, "finished")

    assert (paused["status"], paused["steps"]) == ("paused", [])
    assert [step["next_goal"] for step in finished["steps"]] == ["Under way"]


def _is_paused_or_has_steps(caller: Caller, task_id: str) -> bool:
    record = caller.stored(task_id)
    return record.status == "paused" or bool(record.steps)


async def test_a_pause_right_after_a_resume_applies(steered, queue):
    """The waiter may run only when the task is paused again."""
    task_id = await _brought_to("paused", steered, queue)
    queue.step()
    await asyncio.sleep(0.01)
    async with asyncio.TaskGroup() as group:
        for call in ("resume", "pause"):
            group.create_task(_let(steered, call, task_id))
    await until(lambda: _is_paused_or_has_steps(steered, task_id))

    record = steered.stored(task_id)
    assert (record.status, len(record.steps)) in {("paused", 0), ("paused", 1), ("running", 1)}


async def test_stopping_closes_the_executor(steered, queue):
    """Its clean-up runs, and the end is recorded."""
    task_id = await _brought_to("running", steered, queue)
    await _let(steered, "stop", task_id)
    await until(lambda: queue.ended)
    task = await steered.task(task_id)

    assert queue.ended == 1
    assert task["status"] == "stopped"
    assert task["finished_at"] is not None
    assert task["output"] is None


async def test_a_paused_task_can_be_stopped(steered, queue):
    """The pause does not delay the clean-up."""
    task_id = await _brought_to("paused", steered, queue)
    await _let(steered, "stop", task_id)
    await until(lambda: queue.ended)

    assert queue.ended == 1


@pytest.mark.looptime
async def test_reports_after_a_stop_are_not_stored(http, queue):
    """The status is final at once."""
    async with LocalServer(executor=queue) as server:
        caller = Caller(server, http)
        task_id = await _brought_to("running", caller, queue)
        await _let(caller, "stop", task_id)
        status = (await caller.get(f"/task/{task_id}/status")).json
        queue.step("Too late")
        await asyncio.sleep(0.02)
        task = await caller.task(task_id)

    assert status == "stopped"
    assert task["steps"] == []
    assert queue.ended == 1


@pytest.mark.parametrize("steps_before", [0, 2])
async def test_a_failure_is_in_the_last_step(steps_before, steered, queue):
    """In `evaluation_previous_goal`, where clients read it."""
    for number in range(steps_before):
        queue.step(f"Step {number}", url="https://example.com/here")
    queue.items.put_nowait(Failed("There is no such page"))
    task = await steered.reached(await steered.create(), "failed")

    last = task["steps"][-1]
    assert len(task["steps"]) == last["step"] == steps_before + 1
    assert last["evaluation_previous_goal"] == "There is no such page"
    assert last["url"] == ("https://example.com/here" if steps_before else "")
    assert task["output"] is None
    assert task["finished_at"] is not None


async def test_a_failure_may_bring_its_page(steered, queue):
    """Its page is better than the one of the step before."""
    queue.step(url="https://example.com/")
    queue.items.put_nowait(Failed("Not there", url="https://example.com/404"))
    task = await steered.reached(await steered.create(), "failed")

    assert task["steps"][-1]["url"] == "https://example.com/404"


async def test_more_steps_than_allowed_fail_the_task(steered, queue):
    """The server counts, whatever the executor does."""
    for _ in range(5):
        queue.step()
    task = await steered.reached(await steered.create(max_agent_steps=3), "failed")

    assert [step["next_goal"] for step in task["steps"]] == ["Go on"] * 3 + [""]
    assert "3 steps (max_agent_steps)" in task["steps"][-1]["evaluation_previous_goal"]


async def test_exactly_the_allowed_steps_are_enough(steered, queue):
    """The limit is a maximum, which may be reached."""
    for _ in range(3):
        queue.step()
    queue.items.put_nowait(Finished("Done"))
    task = await steered.reached(await steered.create(max_agent_steps=3), "finished")

    assert len(task["steps"]) == 3


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (RuntimeError("out of paper"), "The executor raised RuntimeError: out of paper"),
        (asyncio.CancelledError(), "The executor raised CancelledError: "),
        (StopAsyncIteration, "The executor ended without a result"),
        ("no step", "The executor raised "),
    ],
    ids=["raises", "is cancelled inside", "ends early", "reports nonsense"],
)
async def test_a_broken_executor_fails_the_task_and_not_the_server(item, reason, steered, queue):
    """The reason is stored, and the next task runs."""
    queue.items.put_nowait(item)
    broken = await steered.reached(await steered.create(), "failed")
    queue.items.put_nowait(Finished("Fine"))
    fine = await steered.reached(await steered.create(), "finished")

    assert broken["steps"][-1]["evaluation_previous_goal"].startswith(reason)
    assert fine["output"] == "Fine"


async def test_a_recursion_without_an_end_is_logged_in_short(steered, queue, caplog):
    """The last frames say as much as all thousand of them."""

    def fall() -> None:
        rise()  # the traceback of one function alone would be shortened anyway

    def rise() -> None:
        fall()

    with pytest.raises(RecursionError) as caught:
        fall()
    queue.items.put_nowait(caught.value)
    await steered.reached(await steered.create(), "failed")

    (logged,) = [text for text in caplog.messages if "the executor failed on task" in text]
    assert "RecursionError" in logged
    assert logged.count("  File ") == 20


async def test_an_executor_that_breaks_during_a_pause_fails_the_task(steered, queue):
    """No task is left that could be resumed."""
    task_id = await _brought_to("paused", steered, queue)
    queue.items.put_nowait(RuntimeError("gone"))

    assert (await steered.reached(task_id, "failed"))["status"] == "failed"


async def test_clean_up_that_breaks_changes_nothing_any_more(http, caplog):
    """The task has its result; the log has the failure."""

    class Untidy(FromQueue):
        async def run(
            self, assignment: Assignment, control: Control
        ) -> AsyncIterator[Step | Finished | Failed]:
            try:
                yield Finished("Done")
            finally:
                raise RuntimeError("cannot clean up")

    async with LocalServer(executor=Untidy()) as server:
        caller = Caller(server, http)
        task = await caller.reached(await caller.create(), "finished")
        await until(lambda: "RuntimeError" in caplog.text)
        after = await caller.task(task["id"])

    assert task["output"] == "Done"
    assert after == task


async def test_an_executor_may_be_any_iterator(http):
    """One without `aclose` needs no clean-up."""

    class Once:
        def __init__(self) -> None:
            self.items = [Finished("Done")]

        def __aiter__(self) -> "Once":
            return self

        async def __anext__(self) -> Finished:
            return self.items.pop()

    class Plain(FromQueue):
        def run(self, assignment: Assignment, control: Control) -> Once:
            return Once()

    async with LocalServer(executor=Plain()) as server:
        caller = Caller(server, http)

        assert (await caller.reached(await caller.create(), "finished"))["output"] == "Done"
