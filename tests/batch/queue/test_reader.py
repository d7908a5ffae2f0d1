"""A queue is read as a ledger, by `read_ledger`."""

from decimal import Decimal

from browser_use_async import batch
from browser_use_async.batch import ItemState, read_ledger
from tests.batch.conftest import Mended


async def test_items_are_read_as_rows(launch, session_with, postgres, queue_address):
    """Their states, tasks, former tasks, times and costs are those of the queue."""
    executor = Mended("flaky")
    server = await launch(executor=executor)
    await batch.enqueue(f"{postgres}#other", ["another"])
    await batch.enqueue(
        queue_address, [("a", "flaky"), ("b", "fine"), ("c", "")], budget_cents=5000
    )
    session = await session_with(server)
    await batch.work(queue_address, session=session)
    executor.broken.clear()
    await batch.retry(queue_address)
    again = [*read_ledger(queue_address).rows()]
    await batch.work(queue_address, session=session)
    await batch.enqueue(queue_address, [("d", "later")])

    state, view = await batch.status(queue_address), read_ledger(queue_address)
    a, b, c, d = rows = [*view.rows()]

    assert [row.index for row in rows] == [0, 1, 2, 3]
    assert [row.title for row in rows] == ["a", "b", "c", "d"]
    assert [row.state for row in rows] == [
        *[ItemState.DONE] * 2,
        ItemState.DEAD,
        ItemState.NEW,
    ]
    assert (view.counts, view.cost_cents, view.total) == (state.counts, state.cost_cents, 4)
    assert (view.budget_cents, view.key_prefix) == (5000, "run/")
    assert sum((row.total_cents or Decimal(0) for row in rows), Decimal(0)) == state.cost_cents
    assert {a.task_id, b.task_id, a.former_tasks[0].task_id} == {
        task.id for task in server.store.tasks
    }
    assert (a.output, a.output_bytes, a.task) == ("Done.", 5, "flaky")
    (former,) = a.former_tasks
    assert (former.status, former.steps, former.error) == ("failed", 2, "TaskFailedError")
    assert former.cost_cents == again[0].former_cents == a.former_cents > 0
    assert again[0].state is ItemState.NEW
    assert a.created_at is not None
    assert (b.seconds or 0.0) >= 0
    assert (c.task_id, c.cost_cents, c.attempts) == (None, None, 0)
    assert c.reason
    assert (d.task_id, d.error, d.cost_cents) == (None, None, None)
    assert [*view.item_keys()] == ["a", "b", "d"]
    assert len(view.to_rows()) == 4


async def test_more_items_than_one_statement_reads(queue_address):
    """Each is read once, in the order in which they were enqueued."""
    keys = [str(number) for number in range(1201)]
    await batch.enqueue(queue_address, [(key, "Go") for key in keys])

    assert [row.key for row in read_ledger(queue_address).rows()] == keys


async def test_the_rest_is_foretold(launch, session_with, queue_address):
    """As for a ledger: by the cost and the pace of what has ended."""
    server = await launch()
    await batch.enqueue(queue_address, [str(number) for number in range(30)])
    await batch.work(queue_address, session=await session_with(server), concurrency=3)
    await batch.enqueue(queue_address, ["one more", "and more"])
    view = read_ledger(queue_address)

    about = view.about()

    assert about is not None
    assert about.items == 2
    assert about.cents == 2 * view.cost_cents / 30
    assert about.seconds is not None
    assert about.seconds > 0
