"""Amounts: items at once, slots, memory, and the size of answers."""

import asyncio
import gc
import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from browser_use_async import (
    BatchProgress,
    BatchResult,
    BrowserUseSession,
    CallLimits,
    batch,
)
from browser_use_async.batch import ItemState, read_ledger
from browser_use_async.batch.inputs import Item
from browser_use_async.batch.ledger.row import LedgerRow
from browser_use_async.cli.app import parse
from browser_use_async.server.executors.scripted import Scenario
from tests.batch.conftest import Held, hanging
from tests.support.patience import until

Texts = Callable[[int], list[str]]


def _kept() -> int:
    """How many entries, claims and results of batches are alive."""
    return sum(isinstance(each, Item | LedgerRow | BatchResult) for each in gc.get_objects())


def _states(ledger: Path) -> tuple[int, int]:
    """How many items of a ledger have a task, and how many are known to have none."""
    counts = read_ledger(ledger).counts
    return counts[ItemState.SUBMITTED], counts[ItemState.NEW]


@pytest.mark.long
async def test_never_more_at_once_and_no_more_memory_for_more_items(launch, session_with):
    """Items in progress stay below the bound, and memory does not grow with the input."""
    server = await launch()
    session = await session_with(server)
    running: list[int] = []
    kept: list[int] = []

    def watch(progress: BatchProgress) -> None:
        running.append(progress.running)

    texts = (f"Task {number}" for number in range(200))
    async for result in session.run_many(texts, concurrency=10, on_progress=watch):
        if result.index % 20 == 0:
            kept += [_kept()]

    assert max(running) == 10
    assert max(kept) <= 6 * 10  # a few for each that is under way, and far from 200


async def test_fewer_slots_than_wanted_slow_it_down_and_no_more(launch, session_with, texts):
    """With two slots for ten at once, all items run, and none fails."""
    executor = Held()
    server = await launch(max_concurrent_tasks=2, executor=executor)
    session = await session_with(server)

    running = asyncio.ensure_future(session.run_many(texts(12), concurrency=10).collect())
    await until(lambda: server.requests["run_task"] > 2)  # more than there are slots
    executor.released.set()
    results = await running

    refused = server.requests["run_task"] - 12
    assert all(result.succeeded for result in results)
    assert refused > 0


async def test_an_item_that_waits_for_a_slot_is_new(launch, session_with, ledger, texts):
    """A refused slot means that no task exists, so that the next run need not search."""
    server = await launch(max_concurrent_tasks=1, executor=hanging({}))
    session = await session_with(server, limits=CallLimits(slot_timeout=60))
    batch = session.run_many(texts(3), concurrency=3, ledger=ledger)
    running = asyncio.ensure_future(batch.collect())
    # A counted request may be without an answer yet: the ledger has what its answer was.
    await until(lambda: server.requests["run_task"] > 1 and _states(ledger) == (1, 2))

    await batch.aclose()

    assert _states(ledger) == (1, 2)
    running.cancel()
    await asyncio.wait([running])


async def test_a_huge_answer_is_given_and_not_kept(launch, session_with, ledger):
    """20 MB are returned, the ledger keeps their size only, and the next run reads them again."""
    huge = Scenario(steps=("Look",), step_seconds=0.0, output="x" * 20_000_000)
    session = await session_with(await launch(scenarios={"huge": huge}))

    first = await session.run_many(["huge"], concurrency=1, ledger=ledger).collect()
    kept = ledger.stat().st_size
    again = await session.run_many(["huge"], concurrency=1, ledger=ledger).collect()

    assert len(first[0].output or "") == len(again[0].output or "") == 20_000_000
    assert kept < 200_000
    assert next(read_ledger(ledger).rows()).output_bytes == 20_000_000


def test_as_many_run_at_once_by_default_wherever_a_batch_is_run():
    """`run_many`, `batch.work` and the command line have the same default: ten."""
    command = parse(["batch", "run", "rows.csv"]).params
    methods = (BrowserUseSession.run_many, batch.work)

    defaults = {inspect.signature(each).parameters["concurrency"].default for each in methods}

    assert defaults == {command["concurrency"]} == {10}
