"""A ledger that is deleted or replaced while a batch uses it is noticed before a request."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import attrs
import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.batch import ItemState, read_ledger
from browser_use_async.errors import LedgerError
from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario
from tests.batch.conftest import hanging
from tests.support.hygiene import raises
from tests.support.patience import PATIENCE, until

Damage = Callable[[Path], None]


def _delete(ledger: Path) -> None:
    ledger.unlink()


def _delete_all(ledger: Path) -> None:
    for file in ledger.parent.iterdir():
        file.unlink()


def _delete_folder(ledger: Path) -> None:
    shutil.rmtree(ledger.parent)


def _delete_log(ledger: Path) -> None:
    ledger.with_name(ledger.name + "-wal").unlink()


def _delete_lock(ledger: Path) -> None:
    ledger.with_name(ledger.name + "-owner").unlink()


def _replace(ledger: Path) -> None:
    other = ledger.with_name("other")
    other.write_bytes(ledger.read_bytes())
    other.replace(ledger)


def _move(ledger: Path) -> None:
    ledger.rename(ledger.with_name("moved"))


@attrs.define(eq=False)
class Running:
    """A batch with a running task, and an item that comes when the gate opens.

    Attributes:
        server: Its server.
        session: Its session.
        ledger: Its ledger.
        gate: Lets the second item in.
    """

    server: LocalServer
    session: BrowserUseSession
    ledger: Path
    gate: asyncio.Event = attrs.field(factory=asyncio.Event)

    async def items(self) -> AsyncIterator[tuple[str, str]]:
        """One at once, another one later."""
        yield "first", "hang"
        await self.gate.wait()
        yield "second", "Task 2"

    async def start(self) -> "asyncio.Future[object]":
        """Run it until the first task is known to run."""
        batch = self.session.run_many(self.items(), concurrency=2, ledger=self.ledger)
        run = asyncio.ensure_future(batch.collect())
        await until(lambda: self.server.requests["get_task_status"])  # its id is known
        return run


@pytest.fixture
async def running(launch, session_with, tmp_path):
    """A batch that has not started."""
    server = await launch(executor=hanging({"Task": Scenario(steps=("Look",), step_seconds=0.01)}))
    folder = tmp_path / "ledger"
    folder.mkdir()
    return Running(server, await session_with(server), folder / "run.db")


@pytest.mark.parametrize(
    "damage",
    [_delete, _delete_all, _delete_folder, _delete_log, _delete_lock, _replace, _move],
)
async def test_nothing_is_sent_that_no_ledger_remembers(running, damage):
    """The next intent is not relied on; the error says what runs and what to do."""
    run = await running.start()
    (task,) = running.server.store.tasks
    damage(running.ledger)

    running.gate.set()
    with raises(LedgerError) as caught:
        await asyncio.wait_for(run, PATIENCE)

    message = str(caught.value)
    assert running.server.requests["run_task"] == 1
    assert "deleted" in message or "replaced" in message
    assert f"'first' (task {task.id})" in message
    assert "'second'" not in message  # the second task was not sent


@pytest.mark.parametrize("damage", [_delete, _delete_all, _delete_log, _replace])
async def test_the_next_run_continues_with_the_saved_copy(running, damage):
    """The error names a copy, which is the ledger of the next run; nothing is paid twice."""
    run = await running.start()
    damage(running.ledger)
    running.gate.set()
    with raises(LedgerError) as caught:
        await asyncio.wait_for(run, PATIENCE)
    saved = running.ledger.with_name("run.db.saved")
    assert str(saved) in str(caught.value)
    assert saved.stat().st_mode & 0o777 == 0o600

    (task,) = running.server.store.tasks
    await running.session.tasks.stop(task.id)
    batch = running.session.run_many(running.items(), concurrency=2, ledger=saved)
    results = await batch.collect()

    assert [result.state for result in results] == [ItemState.FAILED, ItemState.DONE]
    assert results[0].task_id == task.id
    assert len(running.server.store.tasks) == 2


async def test_a_saved_copy_replaces_no_file(running):
    """A file that has the name of the copy already is left unchanged."""
    run = await running.start()
    running.ledger.with_name("run.db.saved").write_text("mine")
    _delete(running.ledger)
    running.gate.set()
    with raises(LedgerError) as caught:
        await asyncio.wait_for(run, PATIENCE)

    assert running.ledger.with_name("run.db.saved").read_text() == "mine"
    assert "could not be saved" in str(caught.value)


async def test_few_tasks_are_created_after_the_ledger_is_gone(launch, session_with, ledger):
    """Under load only requests that were about to leave still leave."""
    server = await launch()
    session = await session_with(server)
    texts = (f"Task {number}" for number in range(500))
    batch = session.run_many(texts, concurrency=10, ledger=ledger)
    before = 0

    async def use() -> None:
        nonlocal before
        async for result in batch:
            if result.index == 20:
                before = server.requests["run_task"]
                ledger.unlink()

    with raises(LedgerError):
        await use()

    after = server.requests["run_task"] - before
    assert after <= 10


@pytest.mark.long
async def test_a_ledger_that_is_only_read_meanwhile_is_fine(launch, session_with, ledger):
    """Readers and copies do not change the file."""
    session = await session_with(await launch())
    batch = session.run_many([f"Task {n}" for n in range(30)], concurrency=3, ledger=ledger)

    results = []
    async for result in batch:
        results.append(result)
        read_ledger(ledger)
        shutil.copy(ledger, ledger.with_name("copy"))

    assert len(results) == 30
