"""The writer's thread: one transaction for each drain, in order, and none after a failure."""

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from browser_use_async import RunTaskRequest, errors
from browser_use_async.batch.inputs import Item
from browser_use_async.batch.ledger import writer
from browser_use_async.batch.ledger.file import open_ledger, open_scratch
from browser_use_async.batch.ledger.store import LedgerStore
from browser_use_async.batch.ledger.writer import LedgerWriter
from tests.support.patience import PATIENCE, until


class Traced:
    """A writer on a ledger, and the statements that it makes."""

    def __init__(self, path: Path) -> None:
        ledger = open_ledger(path)
        self.statements: list[str] = []
        ledger.connection.set_trace_callback(self.statements.append)
        self.writer = LedgerWriter(ledger, LedgerStore(ledger.connection))

    def count(self, word: str) -> int:
        """How many statements begin with a word."""
        return sum(statement.startswith(word) for statement in self.statements)


@pytest.fixture
async def traced(ledger):
    """A writer whose first run has begun."""
    made = Traced(ledger)
    await made.writer.run(lambda store: store.begin_run(0.0, None, {}))
    made.statements.clear()
    yield made
    await made.writer.aclose()


def _item(key: str) -> Item:
    return Item(index=0, key=key, digest=b"digest", request=RunTaskRequest("Go"))


def _begin(number: int) -> Callable[[LedgerStore], object]:
    return lambda store: store.begin_item(_item(f"item-{number}"), 0.0)


async def test_those_who_wait_together_share_one_transaction(traced):
    """All that is in the queue when the thread reads it is committed at once."""
    entered, gate = threading.Event(), threading.Event()

    def hold(_store: LedgerStore) -> None:
        entered.set()
        gate.wait(10)

    held = asyncio.ensure_future(traced.writer.run(hold))
    await asyncio.to_thread(entered.wait, 10)
    waiting = [asyncio.ensure_future(traced.writer.run(_begin(number))) for number in range(50)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(held, *waiting)

    assert traced.count("BEGIN") == traced.count("COMMIT") == 2


async def test_a_write_without_a_waiter_joins_the_next_transaction(traced, monkeypatch):
    """A new row needs no fsync of its own, and is written before what follows it."""
    monkeypatch.setattr(writer, "IDLE_SECONDS", 3600.0)  # however busy the machine is
    begun = await traced.writer.run(_begin(1), durable=False)
    commits = traced.count("COMMIT")
    await traced.writer.run(_begin(2))

    assert begun
    assert commits == 0
    assert traced.count("COMMIT") == 1


async def test_a_write_without_a_waiter_is_committed_soon(traced):
    """After a moment without work the open transaction is committed, so that readers see it."""
    await traced.writer.run(_begin(1), durable=False)

    await until(lambda: traced.count("COMMIT"))


async def test_after_a_failure_nothing_is_written(traced):
    """After a failed statement all waiters get its error, and nothing is committed any more."""

    def fail(store: LedgerStore) -> None:
        store.connection.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(errors.LedgerError):
        await traced.writer.run(fail)
    with pytest.raises(errors.LedgerError):
        await traced.writer.run(_begin(1))

    assert traced.count("COMMIT") == 0


async def test_what_a_failure_has_undone_is_not_written_at_the_end(ledger):
    """Callers that were informed of the failure may write the same again."""
    opened = open_ledger(ledger)
    writer = LedgerWriter(opened, LedgerStore(opened.connection))
    await writer.run(lambda store: store.begin_run(0.0, None, {}))

    def begin_and_fail(store: LedgerStore) -> None:
        store.begin_item(_item("item-1"), 0.0)
        store.connection.execute("INSERT INTO nowhere VALUES (1)")

    with pytest.raises(errors.LedgerError):
        await writer.run(begin_and_fail)
    await writer.aclose()

    with contextlib.closing(sqlite3.connect(ledger)) as connection:
        assert connection.execute("SELECT key FROM items").fetchall() == []


async def test_a_cancelled_waiter_delays_no_other(traced):
    """Callers that wait for the same transaction, or for the end, get its result."""
    gate = threading.Event()
    held = asyncio.ensure_future(traced.writer.run(lambda _store: gate.wait(10)))
    impatient, patient = (
        asyncio.ensure_future(traced.writer.run(_begin(number))) for number in range(2)
    )
    ends = [asyncio.ensure_future(traced.writer.aclose()) for _number in range(2)]
    await asyncio.sleep(0)
    impatient.cancel()
    ends[0].cancel()
    gate.set()

    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(held, patient, ends[1])
    assert impatient.cancelled()


async def test_an_error_of_any_class_reaches_those_who_wait(traced):
    """A thread that ends silently would let all callers wait for ever."""
    with pytest.raises(errors.LedgerError, match="division"):
        await traced.writer.run(lambda _store: 1 // 0)


async def test_closing_commits_and_refuses_what_comes_later(ledger):
    """Confirmed writes are kept; later ones are errors, and closing twice is none."""
    traced = Traced(ledger)
    await traced.writer.run(lambda store: store.begin_run(0.0, None, {}))
    traced.writer.post(_begin(1))
    await traced.writer.aclose()
    await traced.writer.aclose()
    traced.writer.post(_begin(2))

    with pytest.raises(errors.LedgerError):
        await traced.writer.run(_begin(3))
    connection = sqlite3.connect(ledger)
    rows = connection.execute("SELECT key FROM items").fetchall()
    connection.close()
    assert rows == [("item-1",)]


def test_a_scratch_ledger_is_gone_when_closed():
    """A batch without a path has a ledger of its own, which no other process can see."""
    scratch = open_scratch()
    store = LedgerStore(scratch.connection)
    store.begin_run(0.0, None, {})

    first, again = (store.begin_item(_item("a"), 0.0) for _time in range(2))

    assert (first.run, first.repeated) == (0, False)
    assert (again.run, again.repeated) == (1, True)
    scratch.close()
