"""The server is killed in front of each statement with which it creates a task, and behind it."""

import asyncio
import os
import signal
import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Literal

import attrs

from tests.proofs.paying_once.dying import KEY
from tests.proofs.paying_once.submissions import QUICK_RETRIES, connected, submit
from tests.support.ports import free_port

__all__ = ["Killed", "Mode", "kill_at_each_statement"]

Mode = Literal["inside", "outside"]

_ROOT = Path(__file__).parents[3]
_SURVIVALS = 2  # in a row, after which all statements of a call have been tried


@attrs.define
class Killed:
    """The result of all points.

    Attributes:
        points: At how many places the server was killed.
        twice: After how many of these a job had more than one task.
        lost: After how many it had none, or another one than its caller got.
    """

    points: int = 0
    twice: int = 0
    lost: int = 0


async def kill_at_each_statement(stride: int, mode: Mode, *, is_warm: bool) -> Killed:
    """Submit a job for each place.

    Args:
        stride: From one place to the next.
        mode: Whether the server writes keys inside of the transaction.
        is_warm: Whether the session knows already that the server keeps keys.
    """
    killed, survived, point = Killed(), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        while survived < _SURVIVALS:
            file = Path(folder) / f"{point}.db"
            if await _kill_at(file, point, mode, killed, is_warm=is_warm):
                killed.points, survived = killed.points + 1, 0
            else:
                survived += 1
            point += stride
    return killed


async def _kill_at(file: Path, point: int, mode: Mode, killed: Killed, *, is_warm: bool) -> bool:
    """Whether the server died before it had answered."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.proofs.paying_once.dying"),
        *(str(file), str(port), str(point), mode),
        cwd=_ROOT,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        server = int(await process.stdout.readline())
        url = f"http://127.0.0.1:{port}/api/v1"
        async with connected(url, KEY, QUICK_RETRIES, 5.0) as session:
            if is_warm:
                await submit(session, "warm")
            os.kill(server, signal.SIGUSR1)
            sent = await submit(session, "job", resubmits=True)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.communicate()
    made = _tasks_of(file)
    killed.twice += len(made) > 1
    killed.lost += sent.task_id not in made
    return sent.lost_at is not None


def _tasks_of(file: Path) -> list[str]:
    """The tasks of the job, as the file has them."""
    with closing(sqlite3.connect(file)) as connection:
        found = connection.execute('SELECT id FROM tasks WHERE metadata LIKE \'%"job"%:%"job"%\'')
        return [task_id for (task_id,) in found]
