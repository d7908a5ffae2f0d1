"""Limits per key: only this many items of one key run at once, while other keys continue."""

import asyncio
import itertools
import shutil
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from browser_use_async import BatchItem, RunTaskRequest
from browser_use_async.batch import read_ledger
from browser_use_async.errors import BatchInputError, InvalidRequestError
from browser_use_async.server import LocalServer
from tests.batch.conftest import Held
from tests.batch.world import AT_ONCE, BatchWorld
from tests.proofs.world.machines import MachineLaws
from tests.proofs.world.worker import Job
from tests.support import clock
from tests.support.fake_task import FakeTask
from tests.support.patience import until

PER_KEY = 2
CALM = MachineLaws(jobs=0, others=0.0, fault_rate=0.0)
NOTICED = 8.0  # seconds in which a poll sees the end of a task, and the next one is created


def site_of(item: BatchItem) -> str:
    """The limit key: the text before the first slash of the key."""
    return str(item.key).partition("/")[0]


def most_at_once(spans: Iterable[tuple[Any, Any]]) -> int:
    """The most of these spans that overlap."""
    changes = [change for begin, end in spans for change in ((begin, 1), (end, -1))]
    # An end at the very moment of a start comes first.
    return max(itertools.accumulate(each for _, each in sorted(changes)), default=0)


def most_of_each(server: LocalServer) -> dict[str, int]:
    """How many tasks of each site the server had at once, by its own clock."""
    spans = defaultdict(list)
    for task in server.store.tasks:
        spans[task.task.partition("/")[0]].append((task.created_at, task.finished_at))
    return {site: most_at_once(each) for site, each in spans.items()}


def items(*keys: str) -> list[BatchItem]:
    """An item for each key, which is its text, too."""
    return [BatchItem(key, key) for key in keys]


@pytest.mark.parametrize("has_ledger", [True, False])
async def test_no_more_than_so_many_of_a_key_run_at_once(launch, session_with, ledger, has_ledger):
    """Each site has at most two tasks at once, and all items end."""
    executor = Held()
    server = await launch(executor=executor)
    session = await session_with(server)
    given = items(*(f"{site}/{number}" for site in "abc" for number in range(7)))
    batch = session.run_many(
        given,
        concurrency=10,
        ledger=ledger if has_ledger else None,
        limit_by=site_of,
        per_key=2,
    )

    collecting = asyncio.ensure_future(batch.collect())
    await until(lambda: len(server.store.tasks) == 6)
    executor.released.set()
    results = await collecting

    assert [result.key for result in results] == [item.key for item in given]
    assert all(result.succeeded for result in results)
    assert most_of_each(server) == {"a": 2, "b": 2, "c": 2}


async def test_an_item_that_waits_for_its_key_does_not_hold_up_other_keys(launch, session_with):
    """One key has a task that runs on and many items that wait: all other items end."""
    executor = Held("a/0")
    server = await launch(executor=executor)
    session = await session_with(server)
    given = [*items(*(f"a/{number}" for number in range(300)), "b/0"), "no limit"]
    ended: list[str] = []

    async def run() -> None:
        batch = session.run_many(
            given,
            concurrency=2,
            limit_by=lambda item: site_of(item) if item.key else None,
            per_key=1,
        )
        async for result in batch:
            ended.append(result.name)  # noqa: PERF401 - one by one

    running = asyncio.ensure_future(run())
    await until(lambda: len(ended) == 2)
    assert set(ended) == {"b/0", "no limit"}
    executor.released.set()
    await running

    assert len(ended) == 302
    assert most_of_each(server)["a"] == 1


async def test_a_key_becomes_free_while_the_input_is_waited_for(launch, session_with):
    """An item that waits for its key starts although the input returns nothing meanwhile."""
    server = await launch()
    session = await session_with(server)
    is_over = asyncio.Event()

    async def slow() -> AsyncIterator[BatchItem]:
        for item in items("a/0", "a/1"):
            yield item
        await is_over.wait()

    batch = session.run_many(slow(), concurrency=5, limit_by=site_of, per_key=1)
    seen = []
    async for result in batch:
        seen.append(result.key)
        if len(seen) == 2:
            is_over.set()

    assert seen == ["a/0", "a/1"]


async def test_an_item_without_a_valid_limit_key_is_a_dead_letter(launch, session_with, ledger):
    """An exception of `limit_by`, or a key of another type, is the reason; the others run."""
    server = await launch()
    session = await session_with(server)

    def limit_by(item: BatchItem) -> Any:
        return {"one": 7, "two": ["a", "list"], "three": None}[str(item.key)]

    results = await session.run_many(
        items("one", "two", "three", "four"), ledger=ledger, limit_by=limit_by, per_key=1
    ).collect()

    assert [result.state for result in results] == ["done", "dead letter", "done", "dead letter"]
    assert "limit_by must give a text, a whole number, or None" in str(results[1].error)
    assert "gave list" in str(results[1].error)
    assert "limit_by raised KeyError for it: 'four'" in str(results[3].error)
    assert [row.reason for row in read_ledger(ledger).rows()] == [
        None if result.error is None else str(result.error) for result in results
    ]
    again = await session.run_many(
        items("one", "two", "three", "four"), ledger=ledger, retry_failed=True
    ).collect()
    assert all(result.succeeded for result in again)
    assert len(server.store.tasks) == 4


async def test_an_existing_task_ends_whatever_limit_by_raises(launch, session_with, ledger):
    """A later run in which `limit_by` raises waits for a running task, and returns its result."""
    executor = Held("a/1")
    server = await launch(executor=executor)
    session = await session_with(server)
    async with session.run_many(items("a/0", "a/1"), ledger=ledger) as batch:
        async for _result in batch:
            break
    executor.released.set()

    def broken(_item: BatchItem) -> str:
        raise ValueError("no site")

    results = await session.run_many(
        items("a/0", "a/1", "a/2"), ledger=ledger, limit_by=broken, per_key=1
    ).collect()

    assert [result.state for result in results] == ["done", "done", "dead letter"]
    assert len(server.store.tasks) == 2


async def test_limit_by_sees_the_whole_request(launch, session_with):
    """`limit_by` gets an item with its key and its whole request, for every kind of input."""
    server = await launch()
    session = await session_with(server)
    seen: list[BatchItem] = []

    def limit_by(item: BatchItem) -> None:
        seen.append(item)

    given = ["text", ("key", "pair"), BatchItem("named", name="name"), RunTaskRequest("whole")]
    await session.run_many(given, max_agent_steps=9, limit_by=limit_by, per_key=1).collect()

    requests = [each.request for each in seen if isinstance(each.request, RunTaskRequest)]
    assert [(each.task, each.max_agent_steps) for each in requests] == [
        ("text", 9), ("pair", 9), ("named", 9), ("whole", 9),
    ]  # fmt: skip
    assert [(each.key, each.name) for each in seen] == [
        (None, None), ("key", None), (None, "name"), (None, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"limit_by": site_of, "per_key": 0},
            "per_key must be a whole number from 1, or None",
        ),
        ({"limit_by": site_of, "per_key": True}, "per_key must be a whole number from 1"),
        ({"limit_by": site_of, "per_key": 1.5}, "per_key must be a whole number from 1"),
        ({"limit_by": site_of}, "per_key is missing"),
        ({"per_key": 2}, "limit_by is missing"),
        ({"limit_by": "site", "per_key": 2}, "limit_by must be a function"),
    ],
)
async def test_limits_that_make_no_sense_are_refused(launch, session_with, options, problem):
    """At the call itself, before anything is read or sent."""
    session = await session_with(await launch())

    with pytest.raises(InvalidRequestError, match=problem):
        session.run_many(["one"], **options)


async def test_what_the_input_raises_ends_a_limited_batch(launch, session_with, ledger):
    """As in any batch: submitted items end, and the rest is left for the next run."""
    server = await launch()
    session = await session_with(server)

    def broken() -> Any:
        yield from items("a/0", "a/1")
        raise OSError("the disk")

    with pytest.raises(BatchInputError, match="the disk"):
        await session.run_many(
            broken(), concurrency=3, ledger=ledger, limit_by=site_of, per_key=1
        ).collect()
    results = await session.run_many(
        items("a/0", "a/1"), ledger=ledger, limit_by=site_of, per_key=1
    ).collect()

    assert all(result.succeeded for result in results)
    assert len(server.store.tasks) == 2


async def test_a_drained_batch_leaves_what_waits_for_its_key(launch, session_with, ledger):
    """Nothing more is submitted, and the next run continues, by its own limit keys."""
    executor = Held()
    server = await launch(executor=executor)
    session = await session_with(server)
    given = items(*(f"a/{number}" for number in range(4)))
    batch = session.run_many(given, ledger=ledger, limit_by=site_of, per_key=1)
    collecting = asyncio.ensure_future(batch.collect())
    await until(lambda: len(server.store.tasks) == 1)
    batch.drain()
    executor.released.set()

    assert [result.key for result in await collecting] == ["a/0"]
    again = await session.run_many(given, ledger=ledger, limit_by=site_of, per_key=1).collect()
    assert all(result.succeeded for result in again)
    assert most_of_each(server) == {"a": 1}


async def test_only_so_many_items_wait_for_their_keys(launch, session_with):
    """Of an endless input with a full key no more is read than may wait in memory."""
    executor = Held()
    server = await launch(executor=executor)
    session = await session_with(server)
    read = 0

    def endless() -> Iterator[BatchItem]:
        nonlocal read
        for read in itertools.count(1):
            yield BatchItem(f"Task {read}", f"a/{read}")

    batch = session.run_many(endless(), concurrency=3, limit_by=site_of, per_key=1)
    running = asyncio.ensure_future(batch.collect())
    await until(lambda: read > 1000)
    await asyncio.sleep(0.1)

    assert read <= 1010
    assert len(server.store.tasks) == 1
    batch.drain()
    executor.released.set()
    assert [result.key for result in await running] == ["a/1"]


async def test_a_later_run_may_have_another_limit(launch, session_with, ledger):
    """A limit is that of a run: the ledger says the latest one."""
    server = await launch()
    session = await session_with(server)
    given = items("a/0", "a/1", "a/2")
    for per_key in (1, 2):
        await session.run_many(given, ledger=ledger, limit_by=site_of, per_key=per_key).collect()
        assert read_ledger(ledger).per_key == per_key

    assert len(server.store.tasks) == 3


# --- in virtual time ------------------------------------------------------------------------


def limited_world(seed: int, ledger: Path, per_key: int) -> BatchWorld:
    """A simulated service without losses, with a batch that has limits per key."""
    world = BatchWorld(seed, CALM, ledger)
    world.options = {"limit_by": site_of, "per_key": per_key}
    return world


def spans_by_site(tasks: Iterable[FakeTask]) -> dict[str, list[tuple[float, float]]]:
    """From when to when the tasks of each site ran."""
    spans = defaultdict(list)
    for task in tasks:
        spans[str(task.job).partition("/")[0]].append((task.born, task.ended_at))
    return spans


@pytest.mark.long
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 1000),
    sites=st.lists(st.sampled_from("abcd"), min_size=1, max_size=40),
    per_key=st.integers(1, 4),
)
def test_limits_are_kept_and_no_place_stays_empty(tmp_path, seed, sites, per_key):
    """No key exceeds its limit, every item ends, and none waits that could run."""

    async def live() -> BatchWorld:
        world = limited_world(seed, folder / "run.db", per_key)
        world.jobs = tuple(
            Job(f"{site}/{number}", "Buy milk", 0.0) for number, site in enumerate(sites)
        )
        assert await world.run_machine()
        return world

    folder = Path(tempfile.mkdtemp(dir=tmp_path))
    world = clock.run(live())
    shutil.rmtree(folder)

    tasks = list(world.service.tasks.values())
    spans = spans_by_site(tasks)
    assert len(tasks) == len(sites)
    assert len(world.results) == len(sites)
    assert all(most_at_once(each) <= per_key for each in spans.values())
    for task in tasks:
        site = str(task.job).partition("/")[0]
        moment = task.born - NOTICED
        of_site = sum(begin <= moment < end + NOTICED for begin, end in spans[site])
        of_all = sum(
            begin <= moment < end + NOTICED for each in spans.values() for begin, end in each
        )
        assert moment < NOTICED or of_site >= per_key or of_all >= AT_ONCE


@pytest.mark.long
def test_the_limits_can_be_exceeded(tmp_path):
    """The control: without limits more tasks of one site run at once."""

    async def live() -> BatchWorld:
        world = limited_world(1, tmp_path / "run.db", PER_KEY)
        world.options = {}
        world.jobs = tuple(Job(f"a/{number}", "Buy milk", 0.0) for number in range(9))
        assert await world.run_machine()
        return world

    spans = spans_by_site(clock.run(live()).service.tasks.values())
    assert most_at_once(spans["a"]) > PER_KEY
