"""The store of a ledger in PostgreSQL: one owner, one budget, and intents before requests."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from browser_use_async.api.submission_token import SubmissionToken
from browser_use_async.batch import BatchResult, ItemState, read_ledger
from browser_use_async.errors import LeaseLostError
from tests.batch.conftest import Open, Serve
from tests.batch.postgres.conftest import Work
from tests.support.patience import until

psycopg = pytest.importorskip("psycopg")

from browser_use_async.batch.ledger.records import Intent  # noqa: E402
from browser_use_async.batch.ledger.row import Claim  # noqa: E402
from browser_use_async.batch.ledger.store import RunContext  # noqa: E402
from browser_use_async.batch.ledger.writer import ItemEnds, SendBegins, TaskFound  # noqa: E402
from browser_use_async.batch.options import BatchOptions  # noqa: E402
from browser_use_async.batch.postgres.address import LedgerAddress  # noqa: E402
from browser_use_async.batch.postgres.connection import connect  # noqa: E402
from browser_use_async.batch.postgres.enqueue import enqueue  # noqa: E402
from browser_use_async.batch.postgres.store import (  # noqa: E402
    PostgresStore,
    Reservation,
)

ITEMS = 40
MakeStore = Callable[..., PostgresStore]


@pytest.fixture
async def enqueued(ledger: str) -> str:
    """A batch of some items with a budget of one cent, a thousand units of a ledger."""
    texts = [f"Task {number}" for number in range(ITEMS)]
    options = BatchOptions(budget_cents=Decimal(1))
    await enqueue(texts, LedgerAddress.parse(ledger), options, {})
    return ledger


@pytest.fixture
def store_of(enqueued: str) -> Iterator[MakeStore]:
    """The store of a process, by name, with a connection of its own."""
    opened: list[closing[psycopg.Connection]] = []

    def make(owner: str, lease: float = 60.0) -> PostgresStore:
        connection = connect(LedgerAddress.parse(enqueued))
        opened.append(closing(connection))
        return PostgresStore(connection, RunContext(owner=owner, lease=lease), owner)

    yield make
    for each in opened:
        each.thing.close()


def intent(text: str, at: float) -> Intent:
    """The record that is written before a task is created."""
    token = SubmissionToken.new(text, 1.0, datetime.now(UTC))
    return Intent(token=token, at=at, maximum_cents=Decimal(1))


def positions(taken: Iterable[Claim]) -> list[int]:
    """The positions of these items."""
    return sorted(each.position for each in taken)


def test_items_are_handed_out_once_in_their_order(store_of: MakeStore) -> None:
    """Processes that claim at the same time share the items; a claim keeps to its limit."""
    stores = [store_of(f"process-{number}") for number in range(4)]
    together = threading.Barrier(len(stores))

    def take(store: PostgresStore) -> list[int]:
        together.wait()
        return [each for _round in range(3) for each in positions(store.claim_next(3))]

    with ThreadPoolExecutor(len(stores)) as threads:
        shares = list(threads.map(take, stores))

    assert [len(each) for each in shares] == [9] * 4
    assert sorted(each for share in shares for each in share) == list(range(36))
    assert positions(stores[0].claim_next(ITEMS, 38)) == [38, 39]
    assert positions(stores[0].claim_next(ITEMS)) == [36, 37]
    assert stores[1].claim_next(1) == []


def test_only_silent_processes_lose_their_items(store_of: MakeStore) -> None:
    """A process that reports keeps its items; those of silent ones are claimed again."""
    living, silent, gone = (store_of(name) for name in ("living", "silent", "gone"))
    taken = {store: positions(store.claim_next(2)) for store in (living, silent, gone)}
    assert living.rescue(60.0) == []

    gone.leave()
    assert living.rescue(60.0) == taken[gone]
    living.connection.execute(
        "UPDATE workers SET beaten_at = now() - interval '61 seconds' WHERE owner = 'silent'"
    )
    assert living.rescue(60.0) == taken[silent]

    assert living.record_heartbeat() == ({*taken[living]}, 60.0)
    assert living.rescue(60.0) == []
    assert positions(living.claim_next(4)) == sorted(taken[silent] + taken[gone])


def test_each_process_has_its_own_lease(store_of: MakeStore) -> None:
    """Another process takes over after the silent one's own lease, not after its own."""
    patient, hasty = store_of("patient", 100.0), store_of("hasty", 10.0)
    taken = {store: positions(store.claim_next(2)) for store in (patient, hasty)}
    silent = "UPDATE workers SET beaten_at = now() - make_interval(secs => %s)"

    patient.connection.execute(silent, (61,))
    assert patient.rescue(9.0) == []
    assert hasty.record_heartbeat() == ({*taken[hasty]}, 10.0)
    assert hasty.rescue(1000.0) == []
    patient.connection.execute(silent, (61,))
    assert patient.record_heartbeat() == ({*taken[patient]}, 10.0)
    assert patient.rescue(60.0) == taken[hasty]
    patient.connection.execute(silent, (101,))
    assert hasty.rescue(99.0) == []
    assert hasty.rescue(100.0) == taken[patient]


def test_an_item_of_a_lost_claim_is_claimed_again(store_of: MakeStore) -> None:
    """The answer to a claim was lost: its items are released, and those of others stay."""
    first, second = store_of("first"), store_of("second")
    lost, kept = positions(first.claim_next(2)), positions(second.claim_next(2))

    first.give_back([*lost, *kept])

    assert positions(second.claim_next(ITEMS)) == [*lost, *range(4, ITEMS)]


def test_many_items_are_written_in_one_statement(store_of: MakeStore) -> None:
    """Rows of items that a process has lost are not written; those of the others are complete."""
    first, second = store_of("first"), store_of("second")
    taken = first.claim_next(4)
    first.give_back([taken[1].position])
    second.claim_next(1)
    kept = [0, 2, 3]

    sends = [SendBegins(each, intent(str(each.position), 7.0)) for each in taken]
    assert first.begin_sends(sends) == {*kept}
    assert first.begin_sends(sends) == {*kept}  # the answer to the first time was lost
    tasks = [TaskFound(each, f"task {each.position // 2}") for each in taken]
    assert first.claim_tasks(tasks) == {0, 2}  # two of the same name: one is refused by itself
    assert not first.claim_task(taken[3], "task 1")
    text = 'a \\ and "b"\nć'
    ends = [ItemEnds(each, done(each, text)) for each in taken]
    budget = first.budget()
    assert budget is not None
    assert budget.reserved_cents == 3
    assert first.record_outcomes(ends) == {*kept}

    columns = "state, attempts, sent_at, reserved, output"
    rows = first.connection.execute(
        f"SELECT {columns} FROM items WHERE position < 4 ORDER BY position"
    ).fetchall()
    assert rows[1] == ("new", 0, None, 0, None)
    assert [rows[position] for position in kept] == [("done", 1, 7.0, 0, text)] * 3
    budget = first.budget()
    assert budget is not None
    assert budget.reserved_cents == 0


def done(claim: Claim, output: str) -> BatchResult[Any]:
    """The end of an item."""
    state = ItemState.DONE
    return BatchResult(index=claim.position, key=claim.row.key, state=state, output=output)


def test_a_former_owner_writes_nothing(store_of: MakeStore) -> None:
    """Once another process owns an item, no statement of the former owner changes its row."""
    first, second = store_of("first"), store_of("second")
    (ours,) = first.claim_next(1)
    lost = ours
    first.leave()
    assert second.rescue(60.0) == [0]
    (theirs,) = second.claim_next(1)
    claim = theirs

    with pytest.raises(LeaseLostError, match="this process was silent for longer than its lease"):
        first.begin_send(lost, intent("first", 1.0))
    with pytest.raises(LeaseLostError):
        first.record_task(lost, "a-task")
    with pytest.raises(LeaseLostError):
        first.claim_task(lost, "a-task")
    with pytest.raises(LeaseLostError):
        first.reserve(lost, Decimal(1))
    first.hand_back(lost, waits=True)
    assert 0 not in positions(first.claim_next(1))

    second.begin_send(claim, intent("second", 2.0))
    second.hand_back(claim, waits=True)
    (again,) = store_of("third").claim_next(1)
    assert (again.position, again.row.state) == (0, ItemState.INTENT)
    assert again.row.attempts == 1


def test_a_task_is_one_item_s(store_of: MakeStore, enqueued: str) -> None:
    """A task that an answer names is not recorded for a second item of any process."""
    first, second = store_of("first"), store_of("second")
    (ours,) = first.claim_next(1)
    (theirs,) = second.claim_next(1)

    assert first.claim_task(ours, "a-task")
    assert first.claim_task(ours, "a-task")  # the same, executed twice
    assert not second.claim_task(theirs, "a-task")

    rows = list(read_ledger(enqueued).rows())
    assert [(row.state, row.task_id) for row in rows[:2]] == [
        (ItemState.SUBMITTED, "a-task"),
        (ItemState.NEW, None),
    ]


def test_a_refusal_that_arrives_late_takes_back_no_other_intent(store_of: MakeStore) -> None:
    """A statement of a broken connection may be executed when run-task is sent again."""
    store = store_of("first")
    (claim,) = store.claim_next(1)
    store.begin_send(claim, intent("first", 1.0))
    assert store.mark_not_sent(claim, 1.0)
    store.begin_send(claim, intent("first", 2.0))

    assert not store.mark_not_sent(claim, 1.0)  # the first one, executed once more

    store.hand_back(claim, waits=True)
    (again,) = store_of("second").claim_next(1)
    assert again.row.state is ItemState.INTENT


@pytest.mark.parametrize("state", [ItemState.DONE, ItemState.FAILED])
def test_nothing_that_arrives_late_undoes_an_end(store_of: MakeStore, state: ItemState) -> None:
    """What is executed once more after the end changes nothing."""
    store = store_of("first")
    (claim,) = store.claim_next(1)
    store.begin_send(claim, intent("first", 1.0))
    store.record_task(claim, "a-task")
    result = BatchResult(index=0, key=claim.row.key, state=state, task_id="a-task")
    store.record_outcome(claim, result)

    assert not store.mark_not_sent(claim, 1.0)
    for again in (
        lambda: store.begin_send(claim, intent("first", 1.0)),
        lambda: store.record_task(claim, "a-task"),
        lambda: store.claim_task(claim, "a-task"),
    ):
        with pytest.raises(LeaseLostError):
            again()

    assert store.totals().counts[state] == 1


@pytest.mark.parametrize(("maximum", "fitting"), [("0.3", 3), ("0.5", 2), ("1", 1), ("1.001", 0)])
def test_a_shared_budget_is_bounded(store_of: MakeStore, maximum: str, fitting: int) -> None:
    """However many processes claim at once, the admitted maxima fit the budget."""
    stores = [store_of(f"process-{number}") for number in range(4)]
    together = threading.Barrier(len(stores))

    def reserve(number: int) -> list[Reservation]:
        store = stores[number]
        together.wait()
        mine = store.claim_next(ITEMS // len(stores))
        return [store.reserve(each, Decimal(maximum))[0] for each in mine]

    with ThreadPoolExecutor(len(stores)) as threads:
        answers = [each for made in threads.map(reserve, range(len(stores))) for each in made]

    assert answers.count(Reservation.MADE) == fitting


def test_a_released_reservation_can_be_used_again(store_of: MakeStore) -> None:
    """A reservation that is released, or made twice, leaves the sums unchanged."""
    store, maximum = store_of("one"), Decimal("0.9")
    one, two = (each for each in store.claim_next(2))
    assert store.reserve(one, maximum)[0] is store.reserve(one, maximum)[0] is Reservation.MADE
    assert store.reserve(two, maximum)[0] is not Reservation.MADE

    store.release(one)
    store.release(one)

    assert store.reserve(two, maximum)[0] is Reservation.MADE


@pytest.mark.long
async def test_the_intent_is_committed_before_the_request(
    serve: Serve, open_session: Open, postgres: str, ledger: str, work: Work
) -> None:
    """However long the commit takes, no task exists before its row allows one."""
    server = await serve()
    await enqueue(["one"], LedgerAddress.parse(ledger), BatchOptions(), {})
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("SET search_path = browser_use_batch_run")
        connection.execute(
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql "
            "AS 'BEGIN PERFORM pg_sleep(1.5); RETURN NEW; END'"
        )
        connection.execute(
            "CREATE TRIGGER slow BEFORE UPDATE ON items FOR EACH ROW "
            "WHEN (NEW.state = 'intent' AND OLD.state = 'new') EXECUTE FUNCTION slow()"
        )
    working = asyncio.ensure_future(work(await open_session(server), ledger, lease=30.0))

    await until(lambda: server.store.tasks, 30)
    (row,) = read_ledger(ledger).rows()
    await working

    assert row.state is not ItemState.NEW
