"""The files beside a ledger: which ones exist while a batch runs, and that none stays."""

import asyncio
import signal
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from browser_use_async.batch import read_ledger
from browser_use_async.batch.ledger.file import open_ledger
from browser_use_async.errors import LedgerCorruptError, LedgerLockedError
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.batch.program import KILLED, Program, Run
from tests.support.patience import until


def files(ledger: Path) -> set[str]:
    """The files in the ledger's directory."""
    return {each.name for each in ledger.parent.iterdir()}


async def test_after_the_end_only_the_ledger_is_left(launch, session_with, ledger):
    """This includes a ledger that is read later, run again, or left in the middle."""
    session = await session_with(await launch(scenarios={"slow": Scenario(hangs=True)}))
    await session.run_many(["a", "b"], concurrency=2, ledger=ledger).collect()
    assert files(ledger) == {"run.db"}
    assert read_ledger(ledger).total == len(list(read_ledger(ledger).rows())) == 2
    assert files(ledger) == {"run.db"}

    async with session.run_many(["a", "b", "slow"], concurrency=2, ledger=ledger) as batch:
        async for _result in batch:
            assert {"run.db", "run.db-owner", "run.db-wal"} <= files(ledger)
            break
    assert files(ledger) == {"run.db"}


async def test_a_reader_may_keep_the_log(launch, session_with, ledger):
    """A batch ends at once while its ledger is read; the next one removes the log."""
    session = await session_with(await launch())
    batch = session.run_many(["a", "b"], concurrency=1, ledger=ledger)
    results = aiter(batch)
    await anext(results)
    with closing(sqlite3.connect(ledger)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT COUNT(*) FROM items").fetchone()[0]
        assert [result.succeeded async for result in results] == [True]
        assert "run.db-wal" in files(ledger)
    again = await session.run_many(["a", "b"], concurrency=1, ledger=ledger).collect()

    assert [each.restored for each in again] == [True, True]
    assert files(ledger) == {"run.db"}


@pytest.mark.long
async def test_the_next_run_removes_what_a_crash_leaves(tmp_path):
    """After SIGKILL the log and the lock stay, and the next run takes them over."""
    ledger = tmp_path / "run.db"
    executor = ScriptedExecutor(default=Scenario(steps=("Look",), step_seconds=0.05))
    async with LocalServer(executor=executor) as server, Program() as program:
        run = Run(server.base_url, server.api_key, str(ledger), 20, concurrency=4)
        killed = asyncio.create_task(program.run(run))
        await until(lambda: server.tasks_created >= 6)
        program.kill()
        assert await killed == KILLED == -signal.SIGKILL
        assert {"run.db-owner", "run.db-wal"} <= files(ledger)
        assert await program.run(run) == 0

    assert files(ledger) == {"run.db"}
    assert read_ledger(ledger).total == 20


def test_a_lock_that_is_removed_while_it_is_taken_is_none(tmp_path):
    """Its last owner ends after the lock's file is opened and before it is locked."""
    ledger = tmp_path / "run.db"
    ending = [open_ledger(ledger)]

    def end(event: str, _given: object) -> None:
        if event == "sqlite3.connect/handle" and ending:
            ending.pop().close()

    sys.addaudithook(end)
    owned = open_ledger(ledger)

    assert not ending
    with pytest.raises(LedgerLockedError):
        open_ledger(ledger).close()
    owned.close()


def test_a_run_without_its_ledger_leaves_the_lock_of_the_next_one(tmp_path):
    """All files were deleted meanwhile, and another run has begun at the same path."""
    ledger = tmp_path / "run.db"
    lost = open_ledger(ledger)
    for each in ledger.parent.iterdir():
        each.unlink()
    owned = open_ledger(ledger)
    lost.close()

    with pytest.raises(LedgerLockedError):
        open_ledger(ledger).close()
    owned.close()


def test_an_empty_database_of_another_program_is_no_ledger(tmp_path):
    """Its mark shows the owner, though it has no tables yet."""
    path = tmp_path / "run.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 7")

    with pytest.raises(LedgerCorruptError, match="another program"):
        open_ledger(path)


def test_the_lock_is_one_although_it_is_removed(tmp_path):
    """Threads that open and close one ledger repeatedly never own it together."""
    ledger, owners, together, opened = tmp_path / "run.db", [0], [0], [0]

    def open_and_close() -> None:
        for _attempt in range(60):
            try:
                owned = open_ledger(ledger)
            except LedgerLockedError:
                continue
            owners[0] += 1
            opened[0] += 1
            together[0] += owners[0] != 1
            owners[0] -= 1
            owned.close()

    threads = [threading.Thread(target=open_and_close) for _number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert opened[0] > 0
    assert together == [0]
    assert files(ledger) == {"run.db"}
