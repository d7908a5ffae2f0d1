"""Several workers on one batch: the budget, retries, secrets, and a database that restarts."""

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest

from browser_use_async import BatchItem, BatchResult, RunTaskRequest, batch
from browser_use_async.batch import ItemState, StopReason, read_ledger
from browser_use_async.errors import (
    BatchInputError,
    ConfigurationError,
    InvalidRequestError,
    LedgerError,
    LedgerMismatchError,
)
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.faults import Fault
from tests.batch.conftest import Mended, Open, Serve, hanging
from tests.batch.postgres.conftest import Work
from tests.support.patience import until
from tests.support.postgres import PostgresServer

Texts = Callable[[int], list[str]]
SECRET = "correct-horse-battery"


async def put(requests: Any, ledger: str, fields: dict[str, Any] | None = None, **options: Any):
    """Enqueue an input."""
    from browser_use_async.batch.options import BatchOptions
    from browser_use_async.batch.postgres.address import LedgerAddress
    from browser_use_async.batch.postgres.enqueue import enqueue

    address = LedgerAddress.parse(ledger)
    return await enqueue(requests, address, BatchOptions(**options), fields or {})


@pytest.mark.long
async def test_two_workers_share_a_batch(
    serve: Serve, open_session: Open, ledger: str, texts: Texts, work: Work
) -> None:
    """Both create tasks, each item has one, and the summary says so."""
    server = await serve()
    sessions = [await open_session(server) for _ in range(2)]
    enqueued = await put([*texts(20), "Task 3"], ledger, labels={"of": "us"})

    await asyncio.gather(*(work(session, ledger) for session in sessions))

    view = read_ledger(ledger)
    assert (enqueued.items, enqueued.waiting, enqueued.duplicates) == (21, 20, 1)
    assert Counter(task.task for task in server.store.tasks) == Counter(texts(20))
    assert view.counts[ItemState.DONE] == view.total == 20
    assert view.labels == {"of": "us"}
    assert [row.task for row in view.rows()] == texts(20)
    assert view.cost_cents == sum(row.cost_cents or 0 for row in view.rows())


@pytest.mark.long
async def test_all_workers_keep_one_budget(
    serve: Serve, open_session: Open, ledger: str, texts: Texts, work: Work
) -> None:
    """Two workers spend no more than the budget, stop, and continue when there is more."""
    server = await serve()
    sessions = [await open_session(server) for _ in range(2)]
    fields = {"max_agent_steps": 2}  # at most 6 cents each
    await put(texts(12), ledger, fields, budget_cents=Decimal(40))

    workers = await asyncio.gather(*(work(session, ledger) for session in sessions))

    before = read_ledger(ledger)
    assert {worker.stopped_by for worker in workers} == {StopReason.BUDGET}
    assert before.cost_cents <= 40 < before.cost_cents + 6
    await put(texts(12), ledger, fields, budget_cents=Decimal(200))
    await work(sessions[0], ledger)
    after = read_ledger(ledger)
    assert after.counts[ItemState.DONE] == 12 == len(server.store.tasks)
    assert after.cost_cents == 12 * (1 + Decimal("2.5"))


@pytest.mark.long
async def test_an_abandoned_task_delays_no_worker(
    serve: Serve, open_session: Open, ledger: str, work: Work
) -> None:
    """A task that is left running keeps its money, and the others do not wait for it for ever."""
    server = await serve(executor=hanging())
    session = await open_session(server)
    fields = {"max_agent_steps": 2}  # at most 6 cents each
    await put(["one", "two"], ledger, fields, budget_cents=Decimal(7))

    worker = await work(session, ledger, timeout=0.1)

    assert worker.stopped_by is StopReason.BUDGET
    assert len(server.store.tasks) == 1
    counts = read_ledger(ledger).counts
    assert (counts[ItemState.SUBMITTED], counts[ItemState.NEW]) == (1, 1)


@pytest.mark.long
async def test_what_a_worker_leaves_running_keeps_its_money(
    serve: Serve, open_session: Open, postgres: str, ledger: str, work: Work
) -> None:
    """No other task uses the reservation of a task whose worker was asked to end."""
    import psycopg

    from browser_use_async.batch.postgres.schema import HANDED_OUT

    def handed_out() -> int:
        statement = f'SELECT 1 FROM "browser_use_batch_run".items WHERE queue_state = {HANDED_OUT}'
        return len(connection.execute(statement).fetchall())

    server = await serve(executor=hanging())
    fields = {"max_agent_steps": 2}  # at most 6 cents each
    await put(["one", "two"], ledger, fields, budget_cents=Decimal(7))
    first, second = [await open_session(server) for _ in range(2)]
    leaving = asyncio.ensure_future(work(first, ledger, concurrency=1))
    await until(lambda: read_ledger(ledger).counts[ItemState.SUBMITTED])
    waiting = asyncio.ensure_future(work(second, ledger, concurrency=1, timeout=0.1))
    with psycopg.connect(postgres, autocommit=True) as connection:
        await until(lambda: handed_out() == 2)

    leaving.cancel()
    worker = await waiting

    assert worker.stopped_by is StopReason.BUDGET
    assert [task.task for task in server.store.tasks] == ["one"]


@pytest.mark.long
async def test_failed_items_are_retried_once(
    serve: Serve, open_session: Open, ledger: str, work: Work
) -> None:
    """With `retry_failed` each gets one more task, and the former one stays in the ledger."""
    executor = Mended("bad")
    server = await serve(executor=executor)
    session = await open_session(server)
    await put(["bad", "good"], ledger)
    await work(session, ledger)
    assert (await put(["bad", "good"], ledger)).waiting == 0
    executor.broken.clear()

    again = await put(["bad", "good"], ledger, retry_failed=True)
    await work(session, ledger)

    bad, good = read_ledger(ledger).rows()
    assert (again.waiting, again.ended) == (1, 1)
    assert (bad.state, good.state) == (ItemState.DONE, ItemState.DONE)
    assert [former.error for former in bad.former_tasks] == ["TaskFailedError"]
    assert len(server.store.tasks) == 3


@pytest.mark.long
async def test_refused_items_are_dead_letters_until_they_are_corrected(
    serve: Serve, open_session: Open, ledger: str, work: Work
) -> None:
    """An invalid request is never claimed; a correct one under its key is."""
    server = await serve()
    session = await open_session(server)
    await put([("a", "")], ledger)
    await work(session, ledger)
    (refused,) = read_ledger(ledger).rows()
    await put([("a", "Look")], ledger)
    await work(session, ledger)

    (corrected,) = read_ledger(ledger).rows()
    assert (refused.state, refused.error) == (ItemState.DEAD, "InvalidRequestError")
    assert corrected.state is ItemState.DONE
    assert [task.task for task in server.store.tasks] == ["Look"]


async def test_changed_content_under_a_key_is_refused(ledger: str) -> None:
    """In one input, in one chunk, and in a later run."""
    with pytest.raises(LedgerMismatchError, match="earlier in the input"):
        await put([("a", "one"), ("a", "two")], ledger)
    await put([("a", "one")], ledger)
    with pytest.raises(LedgerMismatchError, match="in the ledger"):
        await put([("a", "two")], ledger)


async def test_what_was_read_before_an_input_fails_is_enqueued(
    ledger: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The chunk that is being written is completed, and the same call continues later."""

    def broken() -> Iterator[tuple[str, str]]:
        yield from items
        raise ZeroDivisionError

    items = [(str(number), "Look") for number in range(4001)]
    with pytest.raises(BatchInputError, match="after 4001 items"):
        await put(broken(), ledger)
    before = len(list(read_ledger(ledger).rows()))
    await put(items, ledger)
    gc.collect()

    assert before == 4000
    assert len(list(read_ledger(ledger).rows())) == 4001
    assert "never retrieved" not in caplog.text


@pytest.mark.long
async def test_secrets_are_given_to_workers_and_not_to_the_ledger(
    serve: Serve, open_session: Open, postgres: str, ledger: str, work: Work
) -> None:
    """The database has their names; a worker without the values says which ones it needs."""
    import psycopg

    server = await serve()
    session = await open_session(server)
    request = RunTaskRequest("Log in", secrets={"pin": SECRET}, allowed_domains=["example.com"])
    await put([BatchItem(request, "a")], ledger)

    with pytest.raises(ConfigurationError, match="needs the secret 'pin'"):
        await work(session, ledger)
    await work(session, ledger, secrets={"pin": SECRET})

    with psycopg.connect(postgres) as connection:
        row = connection.execute('SELECT items::text FROM "browser_use_batch_run".items').fetchone()
    assert row is not None
    assert "pin" in row[0]
    assert SECRET not in row[0]
    assert [item.state for item in read_ledger(ledger).rows()] == [ItemState.DONE]


@pytest.mark.long
async def test_one_process_and_many_go_on_with_each_other(
    serve: Serve, open_session: Open, ledger: str, texts: Texts, work: Work
) -> None:
    """Workers end what `run_many` began, once the requests are stored; and the reverse."""
    server = await serve()
    session = await open_session(server)
    batch = session.run_many(texts(6), concurrency=1, ledger=ledger)
    async for _result in batch:
        break
    await batch.aclose()
    await put(texts(8), ledger)
    await work(session, ledger)

    results = await session.run_many(texts(9), concurrency=2, ledger=ledger).collect()

    assert [result.restored for result in results] == [True] * 8 + [False]
    assert Counter(task.task for task in server.store.tasks) == Counter(texts(9))


@pytest.mark.long
async def test_a_lost_answer_is_made_good(
    serve: Serve, open_session: Open, ledger: str, texts: Texts, work: Work
) -> None:
    """The task of a lost answer is adopted by a worker, too."""
    server = await serve(faults=[Fault("lost_reply", "run_task", calls=(2, 3))])
    await put(texts(4), ledger)

    await work(await open_session(server), ledger)

    assert read_ledger(ledger).counts[ItemState.DONE] == 4 == len(server.store.tasks)


async def test_a_claim_whose_answer_was_lost_is_made_good(
    serve: Serve, open_session: Open, ledger: str, texts: Texts
) -> None:
    """Items that the ledger gives to a process, and that it does not know of, are done."""
    from browser_use_async.batch.ledger.row import Claim
    from browser_use_async.batch.options import WorkerOptions
    from browser_use_async.batch.postgres.address import LedgerAddress
    from browser_use_async.batch.postgres.store import PostgresStore
    from browser_use_async.batch.postgres.worker import BatchWorker

    lost: list[Claim] = []

    class Forgetful(PostgresStore):
        def claim_next(self, *given: int, only_begun: bool = False) -> list[Claim]:
            taken = super().claim_next(*given, only_begun=only_begun)
            if lost:
                return taken
            lost.extend(taken)
            return []

    server = await serve()
    session = await open_session(server)
    await put(texts(3), ledger)
    options = WorkerOptions(concurrency=2, lease=2.0)
    session._runner.creator.reconciler.settle_window = 0.3
    address = LedgerAddress.parse(ledger)

    await BatchWorker(
        session._runner, session._runtime, address, options, make_store=Forgetful
    ).run()

    assert len(lost) == 2
    assert Counter(task.task for task in server.store.tasks) == Counter(texts(3))


@pytest.mark.long
async def test_a_wrong_key_ends_a_worker_and_loses_nothing(
    serve: Serve, open_session: Open, ledger: str, texts: Texts, work: Work
) -> None:
    """The error is raised once, and another worker goes on with the items."""
    server = await serve(faults=[Fault("status", "run_task", calls=1, status=401)])
    session = await open_session(server)
    await put(texts(3), ledger)

    with pytest.raises(Exception, match="401"):
        await work(session, ledger, concurrency=1)
    await work(session, ledger)

    assert read_ledger(ledger).counts[ItemState.DONE] == 3 == len(server.store.tasks)


async def test_items_without_a_request_are_an_error(
    serve: Serve, open_session: Open, postgres: str, ledger: str, work: Work
) -> None:
    """The error for a row without its request says what to do."""
    import psycopg

    await put(["one"], ledger)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute('UPDATE "browser_use_batch_run".items SET request = NULL')

    with pytest.raises(LedgerError, match="enqueue the same input again"):
        await work(await open_session(await serve()), ledger)


async def test_workers_go_on_with_what_run_many_left(
    serve: Serve, open_session: Open, ledger: str, texts: Texts, work: Work
) -> None:
    """Each item that a batch of one process has begun is in the queue, with its request."""
    server = await serve()
    session = await open_session(server)
    left = session.run_many(texts(12), ledger=ledger, concurrency=4, max_agent_steps=2)
    async with left:
        async for _result in left:
            break
    begun = read_ledger(ledger).total

    worker = await work(session, ledger)

    view = read_ledger(ledger)
    assert worker.stopped_by is None
    assert begun < 12
    assert view.counts[ItemState.DONE] == view.total == begun == len(server.store.tasks)
    assert {task.max_agent_steps for task in server.store.tasks} == {2}
    results = await session.run_many(
        texts(12), ledger=ledger, concurrency=4, max_agent_steps=2
    ).collect()
    assert len(results) == 12 == len(server.store.tasks)


async def test_run_many_goes_on_with_what_workers_left(
    serve: Serve, open_session: Open, ledger: str, texts: Texts, work: Work
) -> None:
    """A batch of one process does the enqueued items, within the rest of the budget."""
    server = await serve()
    session = await open_session(server)
    fields = {"max_agent_steps": 2}  # at most 6 cents each
    await put(texts(12), ledger, fields, budget_cents=Decimal(20))
    await work(session, ledger)
    done = read_ledger(ledger).counts[ItemState.DONE]

    batch = session.run_many(texts(12), ledger=ledger, budget_cents=Decimal(200), **fields)
    results = await batch.collect()

    assert 0 < done < 12 == len(results) == len(server.store.tasks)
    assert sum(result.restored for result in results) == done
    assert all(row.reserved_cents == 0 for row in read_ledger(ledger).rows())
    assert await work(session, ledger) is not None  # nothing waits any more
    assert len(server.store.tasks) == 12


@pytest.mark.long
@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_the_database_may_restart(
    serve: Serve,
    open_session: Open,
    postgres_server: PostgresServer,
    ledger: str,
    texts: Texts,
    work: Work,
    mode: str,
) -> None:
    """A restart or a crash under running items costs a moment: one task for each item."""
    slow = ScriptedExecutor(default=Scenario(steps=("Look",), step_seconds=0.2))
    server = await serve(executor=slow)
    sessions = [await open_session(server) for _ in range(2)]
    await put(texts(30), ledger)
    working = asyncio.gather(*(work(session, ledger) for session in sessions))
    await until(lambda: len(server.store.tasks) >= 8)

    await asyncio.to_thread(postgres_server.restart, mode)
    await working

    assert Counter(task.task for task in server.store.tasks) == Counter(texts(30))
    assert read_ledger(ledger).counts[ItemState.DONE] == 30


@pytest.mark.long
async def test_results_are_followed_over_all_workers(
    serve: Serve, open_session: Open, ledger: str, texts: Texts, work: Work
) -> None:
    """A reader gets each item once, whatever process has ended it, and then the end."""
    from browser_use_async.batch.postgres.address import LedgerAddress
    from browser_use_async.batch.postgres.reader import follow_results

    server = await serve()
    await put([*texts(6), ("refused", "")], ledger)

    async def follow() -> list[str | None]:
        rows = follow_results(LedgerAddress.parse(ledger), patience=10.0)
        return [row.task async for row in rows]

    following = asyncio.ensure_future(follow())
    await work(await open_session(server), ledger)

    assert Counter(await following) == Counter([*texts(6), None])


@pytest.mark.long
async def test_a_program_works_on_a_batch(
    serve: Serve, open_session: Open, ledger: str, texts: Texts
) -> None:
    """`batch.work` returns each result, ends with the batch, and claims no more after a drain."""
    server = await serve()
    session = await open_session(server)
    await put(texts(3), ledger)
    drain_at_once, drain = asyncio.Event(), asyncio.Event()
    drain.set()

    drained = await batch.work(ledger, session=session, drain=drain, concurrency=1)
    results: list[BatchResult[Any]] = []
    worked = await batch.work(
        ledger, session=session, on_result=results.append, drain=drain_at_once
    )

    assert drained.stopped_by is StopReason.DRAINED
    assert worked.stopped_by is None
    assert read_ledger(ledger).counts[ItemState.DONE] == 3 == len(server.store.tasks)
    assert (
        sorted(str(each.task and each.task.task) for each in results) == texts(3)[-len(results) :]
    )


async def test_a_program_is_refused_what_the_command_is(open_session: Open, serve: Serve) -> None:
    """A settle window that is too short for the lease, a file, and a nonsense lease."""
    session = await open_session(await serve())
    address = "postgresql://127.0.0.1:9/work#batch"  # is not read
    with pytest.raises(InvalidRequestError, match="A process that was silent for its"):
        await batch.work(address, session=session, lease=150.0)
    with pytest.raises(InvalidRequestError, match="lease must be"):
        await batch.work(address, session=session, lease=-1.0)
    with pytest.raises(InvalidRequestError, match="many processes share one in PostgreSQL"):
        await batch.work("run.db#run", session=session)
