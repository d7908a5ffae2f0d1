"""Failed items that are tried again, and batches that stop after too many failures in a row."""

import asyncio
from collections import Counter
from decimal import Decimal
from typing import Any

import attrs
import pytest

from browser_use_async import BrowserUseSession, TaskStatus, errors
from browser_use_async.batch import BatchItem, BatchProgress, ItemState, StopReason, read_ledger
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario
from tests.batch.conftest import Mended
from tests.batch.program import KILLED, Run
from tests.support.hygiene import raises
from tests.support.patience import until

FAILURE = Scenario(steps=("Look",), step_seconds=0.01, outcome="failed", reason="The site is down")


async def _balance(server: LocalServer) -> Decimal:
    """The balance of the account, as the service reports it."""
    async with BrowserUseSession(server.api_key, base_url=server.base_url) as session:
        return (await session.account.get_balance()).cents


async def test_failed_items_get_another_task_when_asked_for(launch, session_with, ledger):
    """Only failed items, once; the former tasks and their costs stay in the ledger and the sums."""
    executor = Mended("a", "b")
    server = await launch(executor=executor)
    session = await session_with(server)
    before = await _balance(server)

    async def run(**options: Any) -> tuple[dict[str, Any], BatchProgress]:
        batch = session.run_many(["a", "b", "c"], concurrency=2, ledger=ledger, **options)
        return {each.name: each for each in await batch.collect()}, batch.progress

    first, _ = await run()
    kept, _ = await run()
    assert len(server.store.tasks) == 3
    assert kept["a"].task_id == first["a"].task_id
    executor.broken.clear()
    again, progress = await run(retry_failed=True)
    last, _ = await run(retry_failed=True)

    assert len(server.store.tasks) == 5
    assert [again[name].succeeded for name in "abc"] == [True, True, True]
    assert again["a"].task_id != first["a"].task_id
    assert again["a"].former_cost_cents == first["a"].cost_cents > 0
    assert last["a"].task_id == again["a"].task_id
    assert (progress.done, progress.failed, progress.new, progress.running) == (3, 0, 0, 0)
    view = read_ledger(ledger)
    rows = {row.task: row for row in view.rows()}
    (former,) = rows["a"].former_tasks
    assert (former.task_id, former.error) == (first["a"].task_id, "TaskFailedError")
    assert rows["a"].total_cents == former.cost_cents + again["a"].cost_cents
    assert rows["c"].former_tasks == ()
    assert view.cost_cents == progress.cost_cents == before - await _balance(server)


async def test_what_fails_again_is_tried_again_in_the_next_run(launch, session_with, ledger):
    """Each run with `retry_failed` that reads the whole input tries a failed item once."""
    server = await launch(executor=Mended("a"))
    session = await session_with(server)

    for tasks in (1, 2, 3):
        await session.run_many(["a"], concurrency=1, ledger=ledger, retry_failed=True).collect()
        assert len(server.store.tasks) == tasks

    (row,) = read_ledger(ledger).rows()
    former = [each.task_id for each in row.former_tasks]
    assert [*former, row.task_id] == [task.id for task in server.store.tasks]


async def test_stopped_tasks_are_tried_again_too(launch, session_with, ledger):
    """A task that was stopped is a failed item."""
    server = await launch(scenarios={"slow": Scenario(steps=("Look",) * 500, step_seconds=0.05)})
    session = await session_with(server)

    async def stop(task_id: str) -> None:
        await session.tasks.stop(task_id)

    batch = session.run_many(["slow"], concurrency=1, ledger=ledger, timeout=0.3)
    (left,) = await batch.collect()
    await stop(str(left.task_id))
    (stopped,) = await session.run_many(["slow"], concurrency=1, ledger=ledger).collect()
    (again,) = await session.run_many(
        ["slow"], concurrency=1, ledger=ledger, retry_failed=True, timeout=0.3
    ).collect()

    assert stopped.status is TaskStatus.STOPPED
    assert again.task_id != stopped.task_id
    assert len(server.store.tasks) == 2
    await stop(str(again.task_id))


async def test_former_tasks_count_against_the_budget(launch, session_with, ledger):
    """The cost of failed tasks is spent; a retry that does not fit the budget is not sent."""
    executor = Mended("a")
    server = await launch(executor=executor)
    session = await session_with(server)
    options = {"concurrency": 1, "ledger": ledger, "max_agent_steps": 2}
    await session.run_many(["a"], **options).collect()
    spent = read_ledger(ledger).cost_cents

    batch = session.run_many(["a"], retry_failed=True, budget_cents=spent + 3, **options)
    (result,) = await batch.collect()

    assert len(server.store.tasks) == 1
    assert result.state is ItemState.FAILED
    assert batch.progress.stopped_by is StopReason.BUDGET
    assert (batch.progress.failed, batch.progress.new) == (1, 0)
    assert read_ledger(ledger).counts[ItemState.FAILED] == 1


async def test_a_refused_item_that_is_corrected_is_counted_once(launch, session_with, ledger):
    """A corrected dead letter that starts again is no dead letter any more."""
    session = await session_with(await launch())
    bad: list[Any] = [("k", 5), ("l", "fine")]
    await session.run_many(bad, concurrency=1, ledger=ledger).collect()
    batch = session.run_many([("k", "fine"), ("l", "fine")], concurrency=1, ledger=ledger)
    await batch.collect()

    progress = batch.progress
    assert (progress.done, progress.dead_letters, progress.new) == (2, 0, 0)


# --- failures in a row ----------------------------------------------------------------------


async def test_a_batch_stops_after_failures_in_a_row(launch, session_with, ledger):
    """Nothing more is submitted, running tasks end, and the next run continues with the rest."""
    executor = Mended(*(f"bad {number:02}" for number in range(20)))
    server = await launch(executor=executor)
    session = await session_with(server)
    texts = ["good", *(f"bad {number:02}" for number in range(20))]
    batch = session.run_many(texts, concurrency=1, ledger=ledger, max_failures=3)

    results = await batch.collect()

    assert [each.succeeded for each in results] == [True, False, False, False]
    assert batch.progress.stopped_by is StopReason.FAILURES
    assert (batch.progress.failed, batch.progress.total) == (3, 21)
    assert len(server.store.tasks) == 4
    executor.broken.clear()
    again = await session.run_many(texts, concurrency=4, ledger=ledger, max_failures=3).collect()
    assert len(again) == 21
    assert sum(not each.succeeded for each in again) == 3
    assert len(server.store.tasks) == 21


async def test_a_success_begins_a_new_count(launch, session_with, ledger):
    """Failures that do not follow one another do not stop a batch."""
    texts = [f"{'bad' if number % 3 else 'good'} {number}" for number in range(12)]
    session = await session_with(await launch(scenarios={"bad": FAILURE}))
    batch = session.run_many(texts, concurrency=1, ledger=ledger, max_failures=3)

    results = await batch.collect()

    assert len(results) == 12
    assert batch.progress.stopped_by is None
    assert batch.progress.failed == 8


async def test_a_count_of_failures_is_checked(launch, session_with):
    """A limit of zero failures is refused."""
    session = await session_with(await launch())
    with raises(errors.InvalidRequestError) as caught:
        session.run_many(["a"], concurrency=1, max_failures=0)
    assert "max_failures must be a whole number from 1" in str(caught.value)


# --- what failed tasks cost -----------------------------------------------------------------


@pytest.mark.parametrize("limit", [3, 75])
async def test_the_account_agrees_on_failed_tasks(launch, session_with, ledger, limit):
    """To the hundredth of a cent, also where a task fails at its limit of steps."""
    long = Scenario(steps=("Look",) * 5, step_seconds=0.01, outcome="failed", reason="No way")
    server = await launch(scenarios={"bad": FAILURE, "long": long})
    session, before = await session_with(server), await _balance(server)
    texts = ["good", "bad", "long"]
    batch = session.run_many(
        texts, concurrency=3, ledger=ledger, max_agent_steps=limit, budget_cents=600,
    )  # fmt: skip

    results = await batch.collect()

    assert [each.succeeded for each in results] == [True, False, False]
    spent = before - await _balance(server)
    assert sum(each.cost_cents for each in results) == batch.progress.cost_cents == spent
    assert max(each.cost_cents for each in results) <= 1 + limit * Decimal("2.5")


# --- names ----------------------------------------------------------------------------------


async def test_items_have_names(launch, session_with, ledger):
    """The name given, else the key, else the text; a name identifies nothing."""
    session = await session_with(await launch())
    items = [BatchItem("one", name="line 2"), BatchItem("two", "k"), "three " * 30]
    first = await session.run_many(items, concurrency=1, ledger=ledger).collect()
    items[0] = BatchItem("one", name="line 9")
    again = await session.run_many(items, concurrency=1, ledger=ledger).collect()

    assert [each.name for each in first] == ["line 2", "k", f"{('three ' * 30)[:59]}…"]
    assert again[0].restored
    rows = list(read_ledger(ledger).rows())
    assert [row.title for row in rows] == ["line 9", "k", "three " * 30]
    assert [len(row.key) for row in rows] == [32, 1, 32]


# --- killed ---------------------------------------------------------------------------------


def _tasks_of(server: LocalServer) -> dict[str, set[int]]:
    """How many tasks the items have, by text, where all have the same number."""
    per_item = Counter((task.task, task.metadata["item"]) for task in server.store.tasks)
    found: dict[str, set[int]] = {}
    for (text, _item), count in per_item.items():
        found.setdefault(text, set()).add(count)
    return found


@pytest.mark.long
@pytest.mark.parametrize(
    ("store", "at", "committed"),
    [("begin_send", 4, False), ("begin_send", 4, True), ("record_outcome", 3, False)],
)
async def test_killed_while_it_is_recorded_a_retry_is_paid_once(
    program, tmp_path, store, at, committed
):
    """Killed before and after the retry is on the disk, and before its end is."""
    executor = Mended("Task 0", "Task 1")
    async with LocalServer(executor=executor) as server:
        run = Run(server.base_url, server.api_key, str(tmp_path / "run.db"), 28, concurrency=4)
        assert await program.run(run) == 0
        executor.broken.discard("Task 0")
        again = attrs.evolve(run, retry_failed=True)
        doomed = attrs.evolve(again, store=store, at=at, committed=committed)
        assert await program.run(doomed) == KILLED
        assert await program.run(again) == 0

        assert _tasks_of(server) == {f"Task {kind}": {2 if kind < 2 else 1} for kind in range(7)}


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_killed_again_and_again_a_retry_is_paid_once(program, tmp_path):
    """300 items of which 86 failed, SIGKILL repeatedly: 86 tasks more, and exact sums."""
    executor = Mended("Task 0", "Task 1")
    ledger = tmp_path / "run.db"
    async with LocalServer(executor=executor) as server:
        run = Run(server.base_url, server.api_key, str(ledger), 300)
        before = await _balance(server)
        assert await program.run(run) == 0
        assert read_ledger(ledger).counts[ItemState.FAILED] == 86
        executor.broken.discard("Task 0")  # the others fail again, and are not tried a third time
        again = attrs.evolve(run, retry_failed=True)
        for created in (310, 325, 340, 355):
            doomed = asyncio.create_task(program.run(again))
            await until(lambda created=created: server.tasks_created >= created)
            program.kill()
            assert await doomed == KILLED
        assert await program.run(again) == 0

        assert _tasks_of(server) == {f"Task {kind}": {2 if kind < 2 else 1} for kind in range(7)}
        assert len(server.store.tasks) == 386
        view = read_ledger(ledger)
        assert view.counts[ItemState.DONE] == 300 - 43
        assert view.cost_cents == before - await _balance(server)
