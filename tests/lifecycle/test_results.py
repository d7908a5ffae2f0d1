"""The result of a task: why it failed, how long it took, and what it cost."""

from decimal import Decimal

import attrs
import pytest

from browser_use_async import BrowserUseSession, Task, errors
from browser_use_async.prices import format_cents
from browser_use_async.testing import Scenario, ScriptedExecutor, ScriptedStep
from browser_use_async.types import TaskStatus

REASON = "The shop is closed on Mondays"


@pytest.fixture
def browser_use_server_options():
    """A server with a task that fails, one that fails at its limit, and one that takes a while."""
    return {
        "executor": ScriptedExecutor(
            {
                "Fail": Scenario(["Open", "Read"], outcome="failed", reason=REASON),
                "Nothing": Scenario([], outcome="failed", reason=ScriptedStep("")),
                "Endless": Scenario(["Look again"] * 9),
                "Hang": Scenario(hangs=True),
                "Wait": Scenario(["Wait"], step_seconds=0.3),
            }
        )
    }


async def test_a_failed_task_says_why(browser_use_session):
    """The reason is in the task, and once in the text of the error."""
    with pytest.raises(errors.TaskFailedError) as caught:
        await browser_use_session.run_and_wait("Fail")

    assert caught.value.task.failure == REASON
    assert str(caught.value).count(REASON) == 1
    assert REASON in caught.value.task._repr_html_()


async def test_only_what_failed_has_a_failure(browser_use_session):
    """Only a failed task has a failure; without a reason it has a general sentence."""
    session = browser_use_session
    finished = await session.run_and_wait("Look")
    handle = await session.submit("Hang")
    running = await session.tasks.get(handle.id)
    await handle.stop()
    stopped = await handle.wait()
    silent = await session.wait(await session.submit("Nothing"))

    assert [each.failure for each in (finished, running, stopped)] == [None, None, None]
    assert (running.duration, running.status.is_terminal) == (None, False)
    assert silent.failure == "the service gave no reason"
    # An end with a status that is unknown to this version is no success.
    assert attrs.evolve(finished, status=TaskStatus("lost")).failure is not None


async def test_the_duration_is_that_of_the_service(browser_use_session):
    """In seconds, of a task and of its row in the list alike."""
    task = await browser_use_session.run_and_wait("Wait")
    row = (await browser_use_session.tasks.list()).tasks[0]

    assert task.finished_at is not None
    assert task.created_at is not None
    lasted = (task.finished_at - task.created_at).total_seconds()
    assert 0.3 <= lasted < 60
    assert task.duration == lasted
    assert row.duration == task.duration
    assert attrs.evolve(task, created_at=None).duration is None


@pytest.mark.parametrize(
    ("text", "fields", "cents"),
    [
        ("Look", {}, "$0.06"),  # the start, and two steps of 2.5
        ("Look", {"llm_model": "gpt-4.1-mini"}, "$0.025"),
        ("Fail", {"llm_model": "o3"}, "$0.04"),  # the step with the reason counts as one
        ("Endless", {"llm_model": "o3", "max_agent_steps": 4}, "$0.05"),  # and free at the limit
    ],
)
async def test_the_cost_is_what_the_account_pays(browser_use_session, text, fields, cents):
    """The cost is computed from the model and the limit with which the task was created."""
    session = browser_use_session
    before = (await session.account.get_balance()).cents
    task = await session.wait(await session.submit(text, **fields))  # type: ignore[arg-type]
    paid = before - (await session.account.get_balance()).cents

    assert session.cost(task) == paid
    assert format_cents(session.cost(task)) == cents


async def test_a_result_of_a_batch_has_the_same_cost(browser_use_session):
    """`cost_cents` of a result is the cost of its task."""
    batch = browser_use_session.run_many(["Look", "Fail"], llm_model="o3")
    results = await batch.collect()
    tasks = [each.task for each in results]

    assert None not in tasks
    assert [each.cost_cents for each in results] == [3, 4]
    assert [browser_use_session.cost(task) for task in tasks if task is not None] == [3, 4]


async def test_a_task_that_a_key_finds_again_has_its_cost(browser_use_session):
    """Its cost is what the first call paid."""
    session = browser_use_session
    await session.run_and_wait("Look", key="once", llm_model="gpt-4.1-mini")
    joined = await session.submit("Look", key="once", llm_model="gpt-4.1-mini")
    assert joined.joined
    assert session.cost(await joined.wait()) == Decimal("2.5")


async def test_another_sessions_task_needs_its_model(browser_use_session, browser_use_server):
    """The service does not report the model: the caller names it, and it is never guessed."""
    task = await browser_use_session.run_and_wait("Look", llm_model="o3")
    server = browser_use_server
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        again = await session.tasks.get(task.id)
        with pytest.raises(errors.InvalidRequestError, match="pass llm_model=") as caught:
            session.cost(again)
        assert caught.value.task_id == task.id
        assert session.cost(again, llm_model="o3") == 3
        with pytest.raises(errors.InvalidRequestError, match=r"cost takes a Task.* not str"):
            session.cost(task.id)  # type: ignore[arg-type]


def test_a_task_has_no_hash_but_its_id_has():
    """Two responses about one task differ, so a set of responses would keep both."""
    task = Task("t-1", "Look", TaskStatus.RUNNING, None)

    with pytest.raises(TypeError, match="unhashable type: 'Task'"):
        hash(task)
    assert task != attrs.evolve(task, status=TaskStatus.FINISHED)
