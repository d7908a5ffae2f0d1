"""Submission keys of a batch that several processes work on."""

from decimal import Decimal
from typing import Any

import pytest

from browser_use_async import BatchItem, errors
from browser_use_async.batch import ItemState, read_ledger
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.faults import Fault
from tests.batch.conftest import Mended, Open, Serve
from tests.batch.postgres.conftest import Work
from tests.batch.postgres.processes import Worker, Works
from tests.support.hygiene import raises
from tests.support.patience import until

pytest.importorskip("psycopg")

from browser_use_async.batch.options import BatchOptions
from browser_use_async.batch.postgres.address import LedgerAddress
from browser_use_async.batch.postgres.enqueue import enqueue

pytestmark = pytest.mark.long

FOREVER = 1e6
"""Seconds of a settle window that no test could wait for."""

ITEMS = [BatchItem(f"Do {number}", f"item-{number}") for number in range(4)]


async def put(ledger: str, items: Any = ITEMS, **options: Any) -> None:
    """Enqueue items."""
    await enqueue(items, LedgerAddress.parse(ledger), BatchOptions(**options), {})


async def test_workers_have_the_prefix_of_the_ledger(
    serve: Serve, open_session: Open, postgres: str, work: Work
) -> None:
    """A worker's tasks are those of a batch with the same prefix, and of a call with the key."""
    server = await serve()
    session = await open_session(server)
    await put(f"{postgres}#first", key_prefix="p/")
    await work(session, f"{postgres}#first")
    await put(f"{postgres}#second", key_prefix="p/")
    await work(session, f"{postgres}#second")
    again = await session.run_many(ITEMS, ledger=f"{postgres}#third", key_prefix="p/").collect()
    handle = await session.submit("Do 0", key="p/item-0")

    assert len(server.store.tasks) == 4
    assert again[0].task_id == handle.id
    assert all(each.joined for each in again)
    views = [read_ledger(f"{postgres}#{name}") for name in ("first", "second", "third")]
    assert views[0].cost_cents > 0
    assert [view.cost_cents for view in views[1:]] == [0, 0]
    assert [[row.joined for row in view.rows()] for view in views[1:]] == [[True] * 4] * 2
    assert {view.key_prefix for view in views} == {"p/"}
    assert [view.joined for view in views] == [0, 4, 4]


async def test_without_a_prefix_each_ledger_has_its_own(
    serve: Serve, open_session: Open, postgres: str, work: Work
) -> None:
    """A second ledger with the same items creates tasks of its own, under its id."""
    server = await serve()
    session = await open_session(server)
    for name in ("first", "second"):
        await put(f"{postgres}#{name}", ITEMS[:1])
        await put(f"{postgres}#{name}")  # the same run: the prefix stays
        await work(session, f"{postgres}#{name}")

    assert len(server.store.tasks) == 8
    for name in ("first", "second"):
        view = read_ledger(f"{postgres}#{name}")
        assert (view.key_prefix, view.joined) == (f"{view.id}/", 0)


async def test_a_ledger_keeps_its_prefix(
    serve: Serve, open_session: Open, postgres: str, ledger: str
) -> None:
    """More items, or a run, with another prefix are refused; the ledger stays unchanged."""
    session = await open_session(await serve())
    await put(ledger, ITEMS[:1], key_prefix="p/")

    with raises(errors.LedgerMismatchError) as caught:
        await put(ledger, key_prefix="q/")
    with raises(errors.LedgerMismatchError):
        await session.run_many(ITEMS, ledger=ledger, key_prefix="q/").collect()

    assert "key_prefix 'p/', and now it is 'q/'" in str(caught.value)
    view = read_ledger(ledger)
    assert (view.total, view.runs) == (1, 1)


async def test_a_retry_has_the_key_of_its_number(
    serve: Serve, open_session: Open, postgres: str, work: Work
) -> None:
    """A second batch that retries joins the tasks of the first one, in order."""
    server = await serve(executor=Mended("Do 0"))
    session = await open_session(server)
    for name in ("first", "second"):
        for number in range(3):
            await put(f"{postgres}#{name}", ITEMS[:1], key_prefix="p/", retry_failed=number > 0)
            await work(session, f"{postgres}#{name}")

    first, second = (
        next(iter(read_ledger(f"{postgres}#{name}").rows())) for name in ("first", "second")
    )

    assert len(server.store.tasks) == 3
    tasks = [each.task_id for each in first.former_tasks], first.task_id
    assert tasks == ([each.task_id for each in second.former_tasks], second.task_id)
    assert (second.total_cents, second.joined) == (0, True)


async def test_what_a_killed_process_has_sent_is_sent_again_at_once(
    ledger: str,
) -> None:
    """The next owner repeats it with its key, and does not wait for the settle window."""
    late = Fault("latency", "run_task", seconds=1.0, first=4)
    executor = ScriptedExecutor(default=Scenario(steps=("Look",), step_seconds=0.1))
    async with LocalServer(executor=executor, faults=[late]) as server:
        await put(ledger, budget_cents=Decimal(1000))
        works = Works(ledger, server.base_url, server.api_key, settle_window=FOREVER)
        first = await Worker.start(works)
        await until(lambda: read_ledger(ledger).counts[ItemState.INTENT] == 4, 30)
        await first.kill()
        second = await Worker.start(works)
        try:
            assert await second.end() == 0
        finally:
            await second.kill()

        view = read_ledger(ledger)
        assert view.counts[ItemState.DONE] == 4
        assert len(server.store.tasks) == 4
        assert {row.task_id for row in view.rows()} == {task.id for task in server.store.tasks}
        assert [(row.joined, row.attempts) for row in view.rows()] == [(False, 2)] * 4
