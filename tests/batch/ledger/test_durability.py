"""What is on the disk before a request leaves."""

import asyncio
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from browser_use_async.batch import ItemState, read_ledger
from browser_use_async.batch.ledger.file import LedgerFile, open_ledger
from browser_use_async.batch.ledger.store import LedgerStore
from browser_use_async.batch.ledger.writer import LedgerWriter
from browser_use_async.server.executors.protocol import Control
from browser_use_async.server.executors.scripted import ScriptedExecutor
from browser_use_async.server.records import Assignment
from browser_use_async.transport.config import Runtime
from tests.batch.conftest import QUICK, Open, Serve
from tests.batch.program import Forgetful, items

_TRACED = """
import asyncio, sys
from tests.batch.program import Run, run
asyncio.run(run(Run(sys.argv[1], sys.argv[2], sys.argv[3], count=int(sys.argv[4]),
                    concurrency=int(sys.argv[5]))))
"""


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace")
@pytest.mark.parametrize(("concurrency", "bound"), [(1, 3.0), (20, 2.3)])
async def test_the_intent_is_on_the_disk_before_the_request_leaves(
    launch, ledger, concurrency, bound
):
    """At most 3 fsyncs for an item, fewer when many wait, and one before each request."""
    server = await launch()
    count = 40
    trace = ledger.with_name("trace")
    command = ["strace", "-f", "-s", "40", "-e", "trace=fsync,fdatasync,sendto,sendmsg,write"]
    program = [sys.executable, "-c", _TRACED, server.base_url, server.api_key, str(ledger)]
    process = await asyncio.create_subprocess_exec(
        *command, "-o", str(trace), *program, str(count), str(concurrency), cwd=_ROOT
    )
    assert await process.wait() == 0

    syncs, sent, unsynced = _read_trace(trace)
    assert sent == count
    assert concurrency > 1 or unsynced == 0  # several share one
    # With opening, closing and checkpoints. Of 20 at once about half share one, fewer where a busy
    # machine brings their answers one by one; without sharing it would be as many as of one.
    assert syncs <= bound * count + 18


@pytest.mark.parametrize("exists", [False, True])
def test_commits_survive_a_power_loss(ledger, *, exists):
    """Each commit is on the disk before it is relied on, in a new and in an old ledger."""
    if exists:
        open_ledger(ledger).close()
    opened = open_ledger(ledger)
    names = ("journal_mode", "synchronous", "fullfsync", "checkpoint_fullfsync")
    chosen = [opened.connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]
    opened.close()

    assert chosen == ["wal", 2, 1, 1]  # 2 is FULL


_ROOT = Path(__file__).parents[3]


def _read_trace(trace: Path) -> tuple[int, int, int]:
    """How many fsyncs and submissions there were, and how many of these followed another one."""
    syncs = sent = unsynced = since = 0
    for line in trace.read_text(errors="replace").splitlines():
        if re.search(r"(fsync|fdatasync)\(", line):
            syncs += 1
            since += 1
        elif "POST /api/v1/run-task" in line:
            sent += 1
            unsynced += since == 0
            since = 0
    return syncs, sent, unsynced


# --- the order ------------------------------------------------------------------------------


class Auditor(ScriptedExecutor):
    """Reads the ledger as another process does, whenever a task begins."""

    def __init__(self, ledger: Path) -> None:
        super().__init__(default=QUICK)
        self._ledger = ledger
        self.found: list[ItemState] = []

    async def run(self, assignment: Assignment, control: Control) -> AsyncIterator[Any]:
        """Read the ledger, then run the task."""
        rows = {row.key: row.state for row in read_ledger(self._ledger).rows()}
        self.found.append(rows.get(assignment.metadata["item"], ItemState.NEW))
        async for event in super().run(assignment, control):
            yield event


async def _audited(
    launch: Serve, session_with: Open, ledger: Path, store: Callable[..., LedgerStore]
) -> list[ItemState]:
    async def start_writer(opens: Callable[[], LedgerFile]) -> LedgerWriter:
        opened = await asyncio.to_thread(opens)
        return LedgerWriter(opened, store(opened.connection))

    auditor = Auditor(ledger)
    server = await launch(executor=auditor)
    session = await session_with(server, runtime=Runtime(start_writer=start_writer))
    await session.run_many(items(60), concurrency=20, ledger=ledger).collect()
    return auditor.found


@pytest.mark.long
async def test_others_see_the_intent_before_the_task_exists(launch, session_with, ledger):
    """With 20 at once, each task that begins has its intent in the committed ledger."""
    found = await _audited(launch, session_with, ledger, LedgerStore)

    assert len(found) == 60
    assert set(found) <= {ItemState.INTENT, ItemState.SUBMITTED}


@pytest.mark.long
async def test_a_forgetful_ledger_is_noticed(launch, session_with, ledger):
    """The control: without the intent the same reader finds nothing."""
    assert ItemState.NEW in await _audited(launch, session_with, ledger, Forgetful)
