"""Several processes and one budget: it is kept and used up, and paid tasks are recorded."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from browser_use_async import BrowserUseSession, RunTaskRequest
from browser_use_async.batch import ItemState, StopReason, read_ledger
from browser_use_async.server.faults import Fault
from tests.batch.conftest import Held, Open, Serve
from tests.batch.postgres.test_workers import put
from tests.support.patience import until

psycopg = pytest.importorskip("psycopg")

from browser_use_async.batch.options import WorkerOptions  # noqa: E402
from browser_use_async.batch.postgres.address import LedgerAddress  # noqa: E402
from browser_use_async.batch.postgres.schema import HANDED_OUT, WAITING  # noqa: E402
from browser_use_async.batch.postgres.statements import HOLDERS  # noqa: E402
from browser_use_async.batch.postgres.store import PostgresStore  # noqa: E402
from browser_use_async.batch.postgres.worker import BatchWorker  # noqa: E402

TWO_STEPS = {"max_agent_steps": 2}  # at most 6 cents, and 3.5 in fact
BLOCKED = 1.5  # seconds for which a thread waits for what a lock prevents

pytestmark = pytest.mark.long


class Rows:
    """The rows of a ledger's tables, and what another process would write there."""

    def __init__(self, address: str) -> None:
        self._connection = psycopg.connect(address, autocommit=True)
        self._connection.execute("SET search_path = browser_use_batch_run")

    def execute(self, statement: str, *values: object) -> Any:
        """Execute a statement."""
        return self._connection.execute(statement, values)

    def count(self, condition: str) -> int:
        """How many items there are of a kind."""
        row = self.execute(f"SELECT COUNT(*) FROM items WHERE {condition}").fetchone()
        assert row is not None
        return int(row[0])

    def give_to_dead(self, position: int, **columns: object) -> None:
        """Give an item to a process that has money for it, and has ended."""
        self.execute("INSERT INTO workers VALUES ('dead', clock_timestamp(), 60)")
        values = {"owner": "dead", "claim": "dead", "queue_state": HANDED_OUT, **columns}
        assigned = ", ".join(f"{name} = %s" for name in (*values, "reserved"))
        changed = f"UPDATE items SET {assigned} WHERE position = %s"
        self.execute(changed, *values.values(), 6000, position)
        self.execute("UPDATE batch SET reserved = reserved + 6000")

    def bury_dead(self) -> None:
        """Mark that process as ended."""
        self.execute("DELETE FROM workers WHERE owner = 'dead'")

    def rescue(self) -> None:
        """Release all items, as if their process were silent."""
        self.execute(f"UPDATE items SET queue_state = {WAITING} WHERE queue_state = {HANDED_OUT}")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@pytest.fixture
def rows(postgres: str) -> Iterator[Rows]:
    """The tables of the ledger."""
    opened = Rows(postgres)
    yield opened
    opened.close()


def worker_of(
    session: BrowserUseSession,
    ledger: str,
    make_store: Callable[..., PostgresStore] = PostgresStore,
    **options: Any,
) -> BatchWorker:
    """A worker of a batch."""
    chosen = WorkerOptions(**{"concurrency": 5, "lease": 2.0, **options})
    address = LedgerAddress.parse(ledger)
    parts = session._runner, session._runtime
    session._runner.creator.reconciler.settle_window = 0.3
    return BatchWorker(*parts, address, chosen, make_store=make_store)


class Watched:
    """A connection that says when the budget had no room.

    Args:
        connection: The real one.
        on_full: Called then, before the next statement.
    """

    def __init__(self, connection: Any, on_full: Callable[[], None]) -> None:
        self._connection, self._on_full = connection, on_full

    def execute(self, statement: Any, values: Any = ()) -> Any:
        """Execute a statement."""
        if statement == HOLDERS:
            self._on_full()
        return self._connection.execute(statement, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


async def test_money_that_is_released_during_a_request_is_used(
    serve: Serve, open_session: Open, ledger: str, rows: Rows
) -> None:
    """A task that ends while another one requests its money does not end the batch."""
    held, loop = Held("one"), asyncio.get_running_loop()
    server = await serve(executor=held)
    await put(["one", "two"], ledger, TWO_STEPS, budget_cents=Decimal(10))
    waited = threading.Event()

    def let_end() -> None:
        loop.call_soon_threadsafe(held.released.set)
        if not waited.is_set():
            waited.set()
            wait_until(lambda: rows.count("state = 'done'"))

    def make_store(connection: Any, *given: Any) -> PostgresStore:
        return PostgresStore(Watched(connection, let_end), *given)  # type: ignore[arg-type]

    worker = worker_of(await open_session(server), ledger, make_store, concurrency=2)
    await worker.run()

    assert waited.is_set()
    assert worker.stopped_by is None
    assert read_ledger(ledger).counts[ItemState.DONE] == 2
    assert read_ledger(ledger).cost_cents == 7


@pytest.mark.parametrize("budget", [10, 7])
async def test_money_of_an_item_whose_process_ended_is_used_first(
    serve: Serve, open_session: Open, ledger: str, rows: Rows, budget: int
) -> None:
    """An item that has money and waits for a process comes before one without money."""
    session = await open_session(await serve())
    await put(["one", "two"], ledger, TWO_STEPS, budget_cents=Decimal(budget))
    rows.give_to_dead(0)
    worker = worker_of(session, ledger, concurrency=1)
    working = asyncio.ensure_future(worker.run())
    await until(lambda: rows.count(f"queue_state = {HANDED_OUT}") == 2)

    rows.bury_dead()
    await working

    first, second = read_ledger(ledger).rows()
    assert first.state is ItemState.DONE
    assert second.state is (ItemState.DONE if budget == 10 else ItemState.NEW)
    assert worker.stopped_by is (None if budget == 10 else StopReason.BUDGET)
    assert rows.execute("SELECT reserved FROM batch").fetchone() == (0,)


@pytest.mark.parametrize("state", ["submitted", "intent"])
async def test_what_is_paid_is_recorded_after_a_stop(
    serve: Serve, open_session: Open, ledger: str, rows: Rows, state: str
) -> None:
    """A process that may submit nothing more still follows the tasks of ended processes."""
    server = await serve(faults=[Fault("status", "run_task", calls=2, status=402)])
    session = await open_session(server)
    await put(["one", "two"], ledger, TWO_STEPS, budget_cents=Decimal(20))
    creator = session._creator
    submission = creator.prepare(RunTaskRequest("one"), "raise", 10.0)
    task_id = await creator.create(submission)
    assert submission.token is not None
    columns = {"mark": submission.token.mark, "token": str(submission.token)}
    known_id = task_id if state == "submitted" else None
    rows.give_to_dead(0, state=state, task_id=known_id, **columns)
    worker = worker_of(session, ledger)
    working = asyncio.ensure_future(worker.run())
    await until(lambda: worker.stopped_by is StopReason.BALANCE)

    rows.bury_dead()
    await working

    first, second = read_ledger(ledger).rows()
    assert (first.state, first.task_id) == (ItemState.DONE, task_id)
    assert second.state is ItemState.NEW
    assert rows.execute("SELECT reserved FROM batch").fetchone() == (0,)


async def test_a_budget_that_comes_later_counts_what_runs_already(
    serve: Serve,
    open_session: Open,
    ledger: str,
    rows: Rows,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A task that began without a budget gets a reservation when the batch gets a budget."""
    held = Held("one")
    server = await serve(executor=held)
    await put(["one", "two"], ledger, TWO_STEPS)
    first = worker_of(await open_session(server), ledger, concurrency=1)
    working = asyncio.ensure_future(first.run())
    await until(lambda: read_ledger(ledger).counts[ItemState.SUBMITTED])

    await put(["one", "two"], ledger, TWO_STEPS, budget_cents=Decimal(7))
    second = worker_of(await open_session(server), ledger, concurrency=1)
    waiting = asyncio.ensure_future(second.run())
    await until(lambda: "because each reserves up to $0.06" in caplog.text)
    created = len(server.store.tasks)
    held.released.set()
    await asyncio.gather(working, waiting)

    assert created == 1
    assert read_ledger(ledger).cost_cents == 3.5 * len(server.store.tasks)
    assert rows.execute("SELECT reserved FROM batch").fetchone() == (0,)


async def test_an_item_that_comes_back_late_is_not_paid_twice(
    serve: Serve, open_session: Open, ledger: str, rows: Rows
) -> None:
    """The answer to a claim may arrive when the former run of the item has ended."""
    server = await serve()
    await put(["one"], ledger, TWO_STEPS)
    claimed_again = threading.Event()
    claims: list[int] = []

    class Silent(PostgresStore):
        def claim_next(self, *given: Any, **named: Any) -> Any:
            taken = super().claim_next(*given, **named)
            claims.extend(each.position for each in taken)
            if taken and len(claims) == 2:
                claimed_again.set()
                wait_until(lambda: rows.count("state = 'done'"))
            return taken

        def begin_send(self, *given: Any) -> None:
            if len(claims) == 1:
                rows.rescue()
                claimed_again.wait()
            super().begin_send(*given)

    await worker_of(await open_session(server), ledger, Silent, lease=60.0).run()

    assert len(claims) > 1
    assert read_ledger(ledger).counts[ItemState.DONE] == len(server.store.tasks) == 1


async def test_a_late_write_does_not_undo_an_end(
    serve: Serve, open_session: Open, ledger: str, rows: Rows
) -> None:
    """An intent that a thread writes after another run has ended the item changes nothing."""
    server = await serve()
    await put(["one"], ledger, TWO_STEPS)
    late: list[bool] = []

    class Slow(PostgresStore):
        def begin_send(self, *given: Any) -> None:
            if not late:
                late.append(True)
                rows.rescue()
                while not rows.count("state = 'done'"):
                    threading.Event().wait(0.02)
            super().begin_send(*given)

    await worker_of(await open_session(server), ledger, Slow, lease=60.0).run()

    (row,) = read_ledger(ledger).rows()
    assert (row.state, row.attempts) == (ItemState.DONE, 1)
    assert len(server.store.tasks) == 1


def wait_until(is_true: Callable[[], object]) -> None:
    """Block a thread until a condition is true, or a lock has prevented it for long."""
    for _time in range(int(BLOCKED / 0.05)):
        if is_true():
            return
        threading.Event().wait(0.05)
