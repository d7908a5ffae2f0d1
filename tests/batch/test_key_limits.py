"""Limits per key: only this many items of one key run at once, while other keys continue."""

import asyncio
import itertools
import shutil
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test

from browser_use_async import BatchItem, RunTaskRequest
from browser_use_async.batch import ItemState, read_ledger
from browser_use_async.errors import BatchInputError, InvalidRequestError
from browser_use_async.server import LocalServer
from tests.batch.conftest import Held, Mended, Open, Serve
from tests.batch.test_model import BatchMachine
from tests.batch.world import AT_ONCE, BatchWorld
from tests.simulator.worker import Job
from tests.simulator.world import Laws
from tests.support import clock
from tests.support.fake_task import FakeTask
from tests.support.patience import until

PER_KEY = 2
CALM = Laws(jobs=0, others=0.0, fault_rate=0.0)
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
async def test_no_more_than_so_many_of_a_key_run_at_once(
    serve: Serve, open_session: Open, ledger: Path, has_ledger: bool
) -> None:
    """Each site has at most two tasks at once, and all items end."""
    executor = Held()
    server = await serve(executor=executor)
    session = await open_session(server)
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


async def test_an_item_that_waits_for_its_key_does_not_hold_up_other_keys(
    serve: Serve, open_session: Open
) -> None:
    """One key has a task that runs on and many items that wait: all other items end."""
    executor = Held("a/0")
    server = await serve(executor=executor)
    session = await open_session(server)
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


async def test_a_key_becomes_free_while_the_input_is_waited_for(
    serve: Serve, open_session: Open
) -> None:
    """An item that waits for its key starts although the input returns nothing meanwhile."""
    server = await serve()
    session = await open_session(server)
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


async def test_an_item_without_a_valid_limit_key_is_a_dead_letter(
    serve: Serve, open_session: Open, ledger: Path
) -> None:
    """An exception of `limit_by`, or a key of another type, is the reason; the others run."""
    server = await serve()
    session = await open_session(server)

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
        items("one", "two", "three", "four"), ledger=ledger, retry_dead_letters=True
    ).collect()
    assert all(result.succeeded for result in again)
    assert len(server.store.tasks) == 4


async def test_an_existing_task_ends_whatever_limit_by_raises(
    serve: Serve, open_session: Open, ledger: Path
) -> None:
    """A later run in which `limit_by` raises waits for a running task, and returns its result."""
    executor = Held("a/1")
    server = await serve(executor=executor)
    session = await open_session(server)
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


async def test_limit_by_sees_the_whole_request(serve: Serve, open_session: Open) -> None:
    """`limit_by` gets an item with its key and its whole request, for every kind of input."""
    server = await serve()
    session = await open_session(server)
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
        ({"limit_by": site_of, "per_key": 0}, "per_key must be a whole number from 1, not 0"),
        ({"limit_by": site_of, "per_key": True}, "per_key must be a whole number from 1"),
        ({"limit_by": site_of, "per_key": 1.5}, "per_key must be a whole number from 1"),
        ({"limit_by": site_of}, "per_key is missing"),
        ({"per_key": 2}, "limit_by is missing"),
        ({"limit_by": "site", "per_key": 2}, "limit_by must be a function"),
    ],
)
async def test_limits_that_make_no_sense_are_refused(
    serve: Serve, open_session: Open, options: dict[str, Any], problem: str
) -> None:
    """At the call itself, before anything is read or sent."""
    session = await open_session(await serve())

    with pytest.raises(InvalidRequestError, match=problem):
        session.run_many(["one"], **options)


async def test_what_the_input_raises_ends_a_limited_batch(
    serve: Serve, open_session: Open, ledger: Path
) -> None:
    """As in any batch: submitted items end, and the rest is left for the next run."""
    server = await serve()
    session = await open_session(server)

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


async def test_a_drained_batch_leaves_what_waits_for_its_key(
    serve: Serve, open_session: Open, ledger: Path
) -> None:
    """Nothing more is submitted, and the next run continues, by its own limit keys."""
    executor = Held()
    server = await serve(executor=executor)
    session = await open_session(server)
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


async def test_a_task_that_an_earlier_run_has_left_counts(
    serve: Serve, open_session: Open, ledger: Path
) -> None:
    """A running task of an item that is no longer in the input counts for its key."""
    executor = Held("a/0")
    server = await serve(executor=executor)
    session = await open_session(server)
    left = session.run_many(items("a/0"), ledger=ledger, limit_by=site_of, per_key=1)
    leaving = asyncio.ensure_future(left.collect())
    await until(
        lambda: bool(server.store.tasks) and read_ledger(ledger).counts[ItemState.SUBMITTED]
    )
    leaving.cancel()
    await asyncio.wait([leaving])

    ended: list[str] = []

    async def run() -> None:
        batch = session.run_many(items("a/1", "b/0"), ledger=ledger, limit_by=site_of, per_key=1)
        async for result in batch:
            ended.append(result.key)  # noqa: PERF401 - one by one

    running = asyncio.ensure_future(run())
    await until(lambda: ended == ["b/0"])
    assert [task.task for task in server.store.tasks] == ["a/0", "b/0"]
    executor.released.set()
    await running

    assert ended == ["b/0", "a/1"]
    assert most_of_each(server) == {"a": 1, "b": 1}


async def test_an_item_that_is_tried_again_waits_for_what_runs(
    serve: Serve, open_session: Open, ledger: Path
) -> None:
    """With `retry_failed` a failed item waits for a running task of its key."""
    executor = Mended("a/0")
    server = await serve(executor=executor)
    session = await open_session(server)
    given = items("a/0", "a/1")
    await session.run_many(given[:1], ledger=ledger, limit_by=site_of, per_key=1).collect()
    executor.broken.clear()
    held = Held("a/1")
    executor.run = held.run  # type: ignore[method-assign]
    left = session.run_many(given, ledger=ledger, limit_by=site_of, per_key=1)
    leaving = asyncio.ensure_future(left.collect())
    await until(lambda: bool(read_ledger(ledger).counts[ItemState.SUBMITTED]))
    leaving.cancel()
    await asyncio.wait([leaving])

    batch = session.run_many(given, ledger=ledger, limit_by=site_of, per_key=1, retry_failed=True)
    running = asyncio.ensure_future(batch.collect())
    await until(lambda: batch.progress.running == 1)
    assert len(server.store.tasks) == 2
    held.released.set()
    results = await running

    assert all(result.succeeded for result in results)
    assert len(server.store.tasks) == 3
    assert most_of_each(server) == {"a": 1}


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
def test_limits_are_kept_and_no_place_stays_empty(
    tmp_path: Path, seed: int, sites: list[str], per_key: int
) -> None:
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


class LimitedMachine(BatchMachine):
    """The machine of batches with limits per key, and with failed items retried."""

    @initialize(seed=st.integers(0, 1000), count=st.integers(3, 9))
    def begin(self, seed: int, count: int) -> None:
        """A new simulated service with some items of three sites."""

        async def make() -> BatchWorld:
            return limited_world(seed, self.folder / "run.db", PER_KEY)

        self.world = self._do(make())
        self.world.jobs = ()
        self.more(count)

    @rule(count=st.integers(1, 6))
    def more(self, count: int) -> None:
        """Add items to the input."""
        numbers = [next(self.numbers) for _ in range(count)]
        self.world.jobs += tuple(
            Job(f"{'abc'[number % 3]}/{number}", "Buy milk", 0.0) for number in numbers
        )

    @rule(retries=st.booleans())
    def choose(self, retries: bool) -> None:
        """Decide whether the next runs retry failed items."""
        self.world.options["retry_failed"] = retries

    @invariant()
    def no_key_has_too_many_tasks(self) -> None:
        """No site exceeds its limit at any moment."""
        if hasattr(self, "world"):
            spans = spans_by_site(self.world.service.tasks.values())
            assert all(most_at_once(each) <= PER_KEY for each in spans.values()), spans

    @invariant()
    def no_item_has_two_tasks(self) -> None:
        """One task of each item runs at a time; earlier ones have failed."""
        if hasattr(self, "world"):
            jobs = defaultdict(list)
            for task in self.world.service.tasks.values():
                jobs[task.job].append((task.born, task.ended_at))
            assert all(most_at_once(each) <= 1 for each in jobs.values())

    @invariant()
    def what_has_ended_stays_so(self) -> None:
        """A failed item may be retried here; another test checks that done stays done."""

    @invariant()
    def the_model_allows_it(self) -> None:
        """The model has no rounds in one process; another test checks them."""


def run_machine(machine: type[BatchMachine], **options: Any) -> None:
    """Run sequences of events."""
    run_state_machine_as_test(
        machine,
        settings=settings(deadline=None, suppress_health_check=list(HealthCheck), **options),
    )


@pytest.mark.long
@pytest.mark.parametrize(
    ("examples", "steps"),
    [
        (10, 10),
        pytest.param(120, 25, marks=[pytest.mark.nightly, pytest.mark.timeout(900)]),
    ],
)
def test_any_sequence_of_events_keeps_the_limits(examples: int, steps: int) -> None:
    """For any crashes, stops, retries and orders of the input."""
    run_machine(LimitedMachine, max_examples=examples, stateful_step_count=steps)


class UnlimitedMachine(LimitedMachine):
    """The same machine with batches without limits."""

    @initialize(seed=st.integers(0, 1000), count=st.integers(3, 9))
    def begin(self, seed: int, count: int) -> None:
        """A new simulated service with some items of three sites."""
        super().begin(seed, count)
        self.world.options = {}


@pytest.mark.long
def test_the_limits_can_be_exceeded() -> None:
    """The control: without limits some sequence of events exceeds a site's limit."""
    with pytest.raises(AssertionError):
        run_machine(
            UnlimitedMachine,
            max_examples=100,
            stateful_step_count=8,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
        )
