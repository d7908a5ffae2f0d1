"""Answers that name the task of another item in the ledger."""

import json

import pytest

from browser_use_async.batch import ItemState, read_ledger
from tests.batch.world import BatchWorld
from tests.proofs.world.faults import Fault
from tests.proofs.world.machines import MachineLaws
from tests.support import clock
from tests.support.network import Machine

QUIET = MachineLaws(jobs=1, fault_rate=0.0, late=0.0, lag=0.0, crashes=0, others=0.0)


def replayed(task_id: str) -> Fault:
    """The task is created, and a proxy answers with the stored answer to an earlier call."""
    body = json.dumps({"id": task_id})
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return Fault("replayed", garbage=f"{head}\r\n\r\n{body}".encode())


@pytest.mark.parametrize("same_run", [True, False], ids=["one run", "a later run"])
def test_every_item_has_its_own_task(tmp_path, same_run):
    """The first item's task in the answer for the second one is not recorded for both."""
    ledger = tmp_path / "run.db"

    async def run(world: BatchWorld, items: list[str]) -> list[str | None]:
        async with world.open_session(Machine()) as session:
            batch = session.run_many(items, concurrency=1, ledger=ledger)
            return [result.task_id for result in await batch.collect()]

    async def live() -> tuple[list[str | None], list[str]]:
        world = BatchWorld(5, QUIET, ledger)
        if not same_run:
            await run(world, ["first"])  # ended: no other session knows its task
        else:
            world.faults.script.append(Fault("none"))
        world.faults.script.append(replayed("task-000000"))
        given = await run(world, ["second", "first"] if not same_run else ["first", "second"])
        return given, list(world.service.tasks)

    given, created = clock.run(live())

    assert sorted(map(str, given)) == created == ["task-000000", "task-000001"]
    view = read_ledger(ledger)
    assert view.counts[ItemState.DONE] == 2
    assert sorted(str(row.task_id) for row in view.rows()) == created


def test_a_ledger_of_an_earlier_version_is_read(tmp_path):
    """It has no index of tasks, and gets one when a batch continues."""
    import sqlite3

    ledger = tmp_path / "run.db"

    async def live() -> list[str | None]:
        world = BatchWorld(5, QUIET, ledger)
        async with world.open_session(Machine()) as session:
            await session.run_many(["first"], concurrency=1, ledger=ledger).collect()
            connection = sqlite3.connect(ledger)
            connection.execute("DROP INDEX task_ids")
            connection.commit()
            connection.close()
            results = await session.run_many(
                ["first", "second"], concurrency=1, ledger=ledger
            ).collect()
        return [result.task_id for result in results]

    assert clock.run(live()) == ["task-000000", "task-000001"]
