"""Real processes, killed with SIGKILL, against the bundled server, which survives and counts."""

import random
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
import pytest

from browser_use_async.batch import ItemState, read_ledger
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.faults import Fault
from tests.batch.program import KILLED, Program, Run

FAULTS = (
    Fault("lost_reply", "run_task", probability=0.08, seed=1),
    Fault("reset", "run_task", probability=0.05, seed=2),
    Fault("late_commit", "run_task", probability=0.05, seed=3, seconds=0.1),
    Fault("status", "run_task", probability=0.05, seed=4, status=502, when="after"),
    Fault("status", "run_task", probability=0.03, seed=5, status=500),
    Fault("garbage", "run_task", probability=0.03, seed=6),
    Fault("list_lag", "run_task", probability=0.2, seed=7, seconds=0.1),
    Fault("reset", ("get_task", "list_tasks", "get_task_status"), probability=0.05, seed=8),
)

MOST_MORE_RUNS = 5


WINDOWS = {False: 1.0, True: 1e6}
"""Seconds of a settle window, by whether the server keeps keys: then none is waited for."""


@pytest.fixture(params=[False, True], ids=["tokens", "keys"])
def server_options(request):
    """A server in this process, which survives the killed ones."""
    return faulty(keys=request.param)


def faulty(*, keys: bool) -> dict[str, Any]:
    """The options of a server with faults."""
    scenario = Scenario(steps=("Look",), step_seconds=0.1)
    executor = ScriptedExecutor(default=scenario)
    return {"executor": executor, "faults": FAULTS, "submission_keys": keys}


def tasks_per_item(server: LocalServer, before: int = 0) -> Counter[str]:
    """How many tasks the server has for each item, without the first ones."""
    return Counter(task.metadata["item"] for task in server.store.tasks[before:])


async def run_to_the_end(program: Program, run: Run, draw: random.Random, kills: int) -> int:
    """Kill a batch at random moments, this often at most, and let it end.

    Returns:
        How many times it was killed.
    """
    killed = 0
    while killed < kills:
        doomed = attrs.evolve(run, kill_after=draw.uniform(0.05, 1.6))
        if await program.run(doomed) != KILLED:
            break
        killed += 1
    assert await program.run(run) == 0
    # An item whose answer was lost is unknown until the next run sends it again.
    for _ in range(MOST_MORE_RUNS):
        if all(row.state is not ItemState.UNKNOWN for row in read_ledger(run.ledger).rows()):
            break
        assert await program.run(run) == 0
    return killed


def judge(server: LocalServer, before: int, ledger: Path, count: int) -> tuple[int, int]:
    """How many items are lost, and how many have two tasks, by the server's count."""
    tasks = tasks_per_item(server, before)
    known = {task.id for task in server.store.tasks[before:]}
    rows = list(read_ledger(ledger).rows())
    done = {row.key for row in rows if row.state is ItemState.DONE and row.task_id in known}
    return count - len(done), sum(number > 1 for number in tasks.values())


@pytest.mark.parametrize(
    ("count", "kills"),
    [
        (30, 5),
        pytest.param(200, 200, marks=[pytest.mark.nightly, pytest.mark.timeout(900)]),
    ],
)
@pytest.mark.long
async def test_killed_at_random_moments_a_batch_loses_and_repeats_nothing(
    request, server, program, tmp_path, count, kills
):
    """SIGKILL repeatedly, batches of 200 items, faults on: one task for each item."""
    draw = random.Random(20)
    window = WINDOWS["keys" in request.node.callspec.id]
    killed = lost = doubled = batches = 0
    while killed < kills:
        batches += 1
        ledger = tmp_path / f"{batches}.db"
        before = len(server.store.tasks)
        run = Run(
            *(server.base_url, server.api_key, str(ledger), count),
            settle_window=window,
        )
        killed += await run_to_the_end(program, run, draw, kills - killed)
        missing, twice = judge(server, before, ledger, count)
        lost, doubled = lost + missing, doubled + twice

    assert (lost, doubled) == (0, 0)
    assert killed == kills


@pytest.mark.long
async def test_killed_without_the_intent_a_batch_repeats(program, tmp_path):
    """The control: the same with a ledger that does not record a request before it is sent."""
    draw = random.Random(20)
    doubled = killed = batches = 0
    async with LocalServer(**faulty(keys=False)) as server:
        while not doubled and killed < 40:
            batches += 1
            before, ledger = len(server.store.tasks), tmp_path / f"{batches}.db"
            run = Run(server.base_url, server.api_key, str(ledger), 40, store="Forgetful")
            killed += await run_to_the_end(program, run, draw, 4)
            doubled += judge(server, before, ledger, 40)[1]

    assert doubled > 0
