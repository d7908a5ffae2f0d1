"""Limits per key over many processes: the limit key of an item stands in its row."""

import asyncio
import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest

from browser_use_async.batch import ItemState, read_ledger
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.batch.conftest import Held, Mended, Open, Serve
from tests.batch.postgres.conftest import Work
from tests.batch.postgres.processes import Worker, Works
from tests.batch.postgres.test_workers import put
from tests.batch.test_key_limits import items, most_of_each, site_of
from tests.support.patience import until


def limits(per_key: int) -> Any:
    """The limit key is the site of an item; an item without a key has none."""
    from browser_use_async.batch.key_limits import KeyLimits

    return KeyLimits.of(lambda item: site_of(item) if item.key else None, per_key)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
async def test_processes_keep_a_limit_together(
    serve: Serve, open_session: Open, ledger: str, seed: int
) -> None:
    """Four processes, one of which is killed: no site exceeds its limit, and all items end."""
    rng = random.Random(seed)
    per_key = rng.choice((1, 2, 3))
    keys = [f"{rng.choice('aabcdefgh')}/{number}" for number in range(80)]
    executor = ScriptedExecutor(default=Scenario(steps=("Look",), step_seconds=0.05))
    server = await serve(executor=executor)
    await put([*items(*keys), "no limit"], ledger, limits=limits(per_key))
    works = Works(ledger, server.base_url, server.api_key, concurrency=8, lease=1.0)
    workers = [await Worker.start(works) for _ in range(4)]
    await until(lambda: len(server.store.tasks) > 20)
    await workers[0].kill()

    assert [await worker.end() for worker in workers[1:]] == [0, 0, 0]

    assert Counter(task.task for task in server.store.tasks) == Counter([*keys, "no limit"])
    view = read_ledger(ledger)
    assert view.counts[ItemState.DONE] == view.total == len(keys) + 1
    of_each = most_of_each(server)
    assert all(most <= per_key for site, most in of_each.items()), of_each


@pytest.mark.long
async def test_processes_count_one_after_another(ledger: str) -> None:
    """Of each site only this many items are claimed, and the next claim adds none."""
    from browser_use_async.batch.ledger.store import RunContext
    from browser_use_async.batch.postgres.address import LedgerAddress
    from browser_use_async.batch.postgres.connection import connect
    from browser_use_async.batch.postgres.store import PostgresStore

    given = items(*(f"{site}/{number}" for number in range(20) for site in "abcde"))
    await put(given, ledger, limits=limits(2))
    together = threading.Barrier(4)

    def claim(owner: str) -> list[str]:
        with closing(connect(LedgerAddress.parse(ledger))) as connection:
            store = PostgresStore(connection, RunContext(owner=owner, lease=60.0), owner)
            together.wait()
            claims = [each for _round in range(5) for each in store.claim_limited(3)[0]]
        return [claim.row.key for claim in claims]

    with ThreadPoolExecutor(4) as threads:
        claimed = [key for keys in threads.map(claim, "wxyz") for key in keys]

    assert sorted(claimed) == [f"{site}/{number}" for site in "abcde" for number in range(2)]


@pytest.mark.long
async def test_items_that_wait_for_their_key_hold_up_no_other(
    serve: Serve, open_session: Open, ledger: str, work: Work
) -> None:
    """A thousand items wait for one that runs; the last item of the input ends meanwhile."""
    executor = Held("a/0")
    server = await serve(executor=executor)
    sessions = [await open_session(server) for _ in range(2)]
    given = items(*(f"a/{number}" for number in range(1000)), "b/0", "c/0")
    await put(given, ledger, limits=limits(1))

    working = [asyncio.ensure_future(work(session, ledger)) for session in sessions]
    await until(lambda: read_ledger(ledger).counts[ItemState.DONE] == 2)

    assert {task.task for task in server.store.tasks} == {"a/0", "b/0", "c/0"}
    for each in working:
        each.cancel()
    await asyncio.wait(working)
    executor.released.set()


@pytest.mark.long
async def test_what_is_tried_again_waits_for_a_task_of_its_key(
    serve: Serve, open_session: Open, ledger: str, work: Work
) -> None:
    """This includes `retry_failed`: the failed item is first, and a task of its key runs."""
    executor = Mended("a/0")
    server = await serve(executor=executor)
    session = await open_session(server)
    await put(items("a/0"), ledger, limits=limits(1))
    await work(session, ledger)
    executor.broken.clear()
    held = Held("a/1")
    executor.run = held.run  # type: ignore[method-assign]
    await put(items("a/0", "a/1"), ledger, limits=limits(1))
    working = asyncio.ensure_future(work(session, ledger))
    await until(lambda: bool(read_ledger(ledger).counts[ItemState.SUBMITTED]))

    more = items("a/0", "a/1", "b/0", "b/1")
    again = await put(more, ledger, limits=limits(1), retry_failed=True)
    other = asyncio.ensure_future(work(await open_session(server), ledger))
    # Both were claimed when no task of the other key ran.
    await until(lambda: read_ledger(ledger).counts[ItemState.DONE] == 2)
    tasks = [task.task for task in server.store.tasks]
    held.released.set()
    await asyncio.gather(working, other)

    assert again.waiting == 4
    assert tasks == ["a/0", "a/1", "b/0", "b/1"]
    assert read_ledger(ledger).counts[ItemState.DONE] == 4
    assert most_of_each(server) == {"a": 1, "b": 1}


@pytest.mark.long
async def test_a_later_input_may_change_or_end_the_limit(
    serve: Serve, open_session: Open, ledger: str, work: Work
) -> None:
    """Processes at work use the limit of the last input; without one all items may run."""
    executor = Held()
    server = await serve(executor=executor)
    session = await open_session(server)
    given = items(*(f"a/{number}" for number in range(5)))
    await put(given, ledger, limits=limits(1))
    working = asyncio.ensure_future(work(session, ledger))
    await until(lambda: len(server.store.tasks) == 1)

    await put(given, ledger, limits=limits(3))
    await until(lambda: len(server.store.tasks) == 3)
    await put(given, ledger)
    await until(lambda: len(server.store.tasks) == 5)
    executor.released.set()
    await working

    assert read_ledger(ledger).counts[ItemState.DONE] == 5


@pytest.mark.long
async def test_one_process_keeps_a_limit_in_postgresql(
    serve: Serve, open_session: Open, ledger: str, work: Work
) -> None:
    """`run_many` keeps the limit, and another process continues with the same limit."""
    executor = Held("a/0")
    server = await serve(executor=executor)
    session = await open_session(server)
    given = items(*(f"{site}/{number}" for number in range(4) for site in "ab"))
    batch = session.run_many(given, ledger=ledger, limit_by=site_of, per_key=1)
    seen = []
    async with batch:
        async for result in batch:
            seen.append(result.key)
            if len(seen) == 4:
                break
    assert seen == ["b/0", "b/1", "b/2", "b/3"]
    executor.released.set()

    await put(given, ledger, limits=limits(1))
    await work(session, ledger)

    assert read_ledger(ledger).counts[ItemState.DONE] == 8
    assert most_of_each(server) == {"a": 1, "b": 1}
