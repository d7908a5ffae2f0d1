"""A second write changes nothing: statuses, steps, charges and runs of schedules."""

import uuid
from datetime import timedelta
from decimal import Decimal
from functools import partial

import attrs
import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.errors import NoCreditError
from browser_use_async.server.records import Assignment, Failed, Finished, Step
from browser_use_async.server.storage import (
    Database,
    SqliteDatabase,
    TaskRecord,
    TaskStore,
    TransitionRefusedError,
)
from browser_use_async.server.storage.account import Account, open_account
from browser_use_async.server.storage.database import Claim
from browser_use_async.server.storage.outbox import Outbox
from browser_use_async.server.storage.progress import TaskEvent
from browser_use_async.server.storage.records import LISTED
from browser_use_async.server.storage.rows import from_text
from browser_use_async.server.storage.schedules import RunTakenError, Schedules
from browser_use_async.server.storage.secret_documents import Secrets
from browser_use_async.server.storage.webhooks import WebhookRegistry
from browser_use_async.server.tasks.changes import Changes
from browser_use_async.types import CreateScheduledTaskRequest, RunTaskRequest
from tests.server.calling import Caller
from tests.server.steering import FromQueue
from tests.support.patience import until
from tests.support.wall_clock import WallClock

CENTS = Decimal(100)


@attrs.frozen
class Stores:
    """The stores of a server in memory, and its clock."""

    database: Database
    tasks: TaskStore
    account: Account
    schedules: Schedules
    clock: WallClock

    async def created(self, claim: Claim | None = None) -> TaskRecord:
        """A new task."""
        assignment = Assignment(str(uuid.uuid4()), "Do it", max_agent_steps=2)
        return await self.tasks.create(RunTaskRequest("Do it"), assignment, claim)

    async def spent(self) -> Decimal:
        """The cost of all tasks."""
        return CENTS - await self.account.balance_cents()


def _hourly() -> CreateScheduledTaskRequest:
    return CreateScheduledTaskRequest("x", schedule_type="interval", interval_minutes=60)


@pytest.fixture
async def stores(database):
    """New ones."""
    clock = WallClock()
    sealed = Secrets(database)
    await sealed.open()
    account = Account(database)
    await account.open(CENTS)
    schedules = Schedules(database, sealed, clock)
    outbox = Outbox(database, WebhookRegistry(database, sealed), clock)
    tasks = TaskStore(database, sealed, outbox, clock)
    return Stores(database, tasks, account, schedules, clock)


async def test_the_second_change_of_a_status_is_refused(stores):
    """The error has the status of the task, which is unchanged."""
    record = await stores.created()
    await stores.tasks.change(record, TaskEvent.START)
    await stores.tasks.change(record, TaskEvent.STOP)
    for event in TaskEvent:
        with pytest.raises(TransitionRefusedError, match="stopped cannot"):
            await stores.tasks.change(record, event)
    with pytest.raises(TransitionRefusedError):
        await stores.tasks.finish(record, Finished("late", files={"a": b"x"}))
    with pytest.raises(TransitionRefusedError):
        await stores.tasks.fail(record, Failed("late"))

    now = await stores.tasks.get(record.id)
    assert now is not None
    assert (now.status, now.output, now.output_files, now.steps) == ("stopped", None, [], [])


async def test_a_step_that_comes_again_is_neither_stored_nor_charged(stores):
    """Each has its number; an ended task gets none any more."""
    record = await stores.created()
    await stores.tasks.change(record, TaskEvent.START)
    for number, goal in ((1, "first"), (1, "again"), (2, "second"), (2, "again")):
        assert await stores.tasks.add_step(record, number, Step(goal))
    await stores.tasks.fail(record, Failed("No more"))
    assert not await stores.tasks.add_step(record, 4, Step("late"))

    now = await stores.tasks.get(record.id)
    assert now is not None
    steps = [(step.step, step.next_goal) for step in now.steps]
    assert steps == [(1, "first"), (2, "second"), (3, "")]
    assert await stores.spent() == now.cost_cents == 6  # the third one, over its limit, is free


async def test_a_worker_changes_its_own_tasks_only(stores):
    """Another's tasks get no start, no steps and no end from it; clients may stop them."""
    tasks = stores.tasks
    record = await stores.created()
    claimed = await tasks.claim(record.id, "one")

    assert claimed is not None
    assert await tasks.claim(record.id, "other") is None
    assert not await tasks.add_step(record, 1, Step("Go on"), "other")
    for end in (
        tasks.finish(record, Finished("x"), worker="other"),
        tasks.fail(record, Failed("x"), "other"),
    ):
        with pytest.raises(TransitionRefusedError):
            await end
    assert await tasks.add_step(record, 1, Step("Go on"), "one")
    await stores.tasks.change(record, TaskEvent.STOP)
    assert not await tasks.add_step(record, 2, Step("Go on"), "one")
    assert await stores.tasks.statuses_at_work("one") == {}


@pytest.mark.long
async def test_a_run_of_a_schedule_is_claimed_once(stores):
    """In the transaction that creates its task, and not after a change."""
    request = _hourly()
    await stores.schedules.create(request)
    (first,), (second,) = await stores.schedules.due(), await stores.schedules.due()

    await stores.created(partial(stores.schedules.claim_run, first))
    with pytest.raises(RunTakenError):
        await stores.created(partial(stores.schedules.claim_run, second))

    assert len(await stores.tasks.all()) == 1
    assert await stores.schedules.due() == []
    assert await stores.schedules.next_moment() == stores.clock.time + timedelta(hours=1)


async def test_without_credit_nothing_is_created(stores):
    """Neither a task, nor its number, nor what it was created for."""
    await stores.schedules.create(_hourly())
    (due,) = await stores.schedules.due()
    await stores.account.spend(CENTS)
    with pytest.raises(NoCreditError):
        await stores.created(partial(stores.schedules.claim_run, due))

    assert (await stores.tasks.page(1, 10, 0), await stores.tasks.created()) == ((0, []), 0)
    assert len(await stores.schedules.due()) == 1


async def test_each_owner_has_tasks_of_their_own(stores):
    """Lists, counts and changes are separate; ids of others are not found."""
    other, changes = stores.tasks.of("other"), Changes()
    if isinstance(stores.database, SqliteDatabase):
        stores.database.heard = changes.hear
    await open_account(stores.database, "other")
    mine = await stores.created()
    theirs = await other.create(RunTaskRequest("x"), Assignment(str(uuid.uuid4()), "x"))

    assert [row[0] for row in (await stores.tasks.page(1, 10, 0))[1]] == [mine.id]
    assert [row[0] for row in (await other.page(1, 10, 0))[1]] == [theirs.id]
    assert (await other.page(1, 10, 0))[0] == 1
    assert await other.get(mine.id) is None
    assert await stores.tasks.status(theirs.id) is None
    if isinstance(stores.database, SqliteDatabase):  # else a listener gets an event
        assert [task_id for task_id, _ in changes.log("other").since(0)] == [theirs.id]


@pytest.mark.long
async def test_old_tasks_are_deleted_if_it_is_wanted(http, tmp_path):
    """The oldest first, up to the first that is still to be kept; the list has no gap."""
    clock = WallClock()
    options = {"now": clock, "database": tmp_path / "server.db"}
    queue = FromQueue()
    async with LocalServer(executor=queue, **options) as server:
        caller = Caller(server, http)
        ids = []
        for number in range(80):
            clock.time += timedelta(hours=1)
            queue.items.put_nowait(Finished(str(number), files={"a.txt": b"x"}))
            ids.append(await caller.create())
            await caller.reached(ids[-1], "finished")
    clock.time += timedelta(hours=1)
    async with LocalServer(executor=queue, **options, task_days=1) as server:
        caller = Caller(server, http)
        await until(lambda: len(server.store.tasks) < 80)
        await until(lambda: len(server.store.tasks) == 24)
        first = (await caller.get("/tasks?limit=20")).json
        last = (await caller.get("/tasks?limit=20&page=2")).json
        gone = await caller.get(f"/task/{ids[0]}")
        newest = await caller.create()
        count = (await caller.get("/tasks?limit=1")).json["total_count"]
    listed = [row["id"] for row in first["tasks"] + last["tasks"]]

    assert listed == ids[:-25:-1]
    assert (first["total_count"], first["total_pages"], gone.status) == (24, 2, 404)
    assert (count, newest in ids) == (25, False)


@pytest.mark.parametrize("letter", ["é", "\0", "\ud83d"])
async def test_a_page_reads_only_the_beginning_of_an_output(stores, letter):
    """However the text is stored, the database gives so many characters of it."""
    record = await stores.created()
    await stores.tasks.change(record, TaskEvent.START)
    await stores.tasks.finish(record, Finished(letter * 300_000))
    _, (row,) = await stores.tasks.page(1, 10, 1001)

    output = row[LISTED.index("output")]

    assert len(output) == 1001
    assert {*from_text(output)} == {letter}
