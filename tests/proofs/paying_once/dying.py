"""A server that kills itself at a statement, and is started again on the same file and port.

`python -m tests.proofs.paying_once.dying FILE PORT POINT MODE` forks a server, which prints its
process id as soon as it serves. It counts statements from SIGUSR1 on: an even point is in front of
a statement, an odd one behind it. When it has died, another one is forked that lives. In the mode
`outside` the row of a submission key is written after the transaction: the control.
"""

import asyncio
import os
import signal
import sqlite3
import sys
from typing import Any

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor

__all__ = ["KEY"]

KEY = "bu_key_of_paying_once"
_LONG = Scenario(steps=("Look",), step_seconds=3600.0)  # nothing else is written meanwhile


class _Connection(sqlite3.Connection):
    """Dies at a statement."""

    point = -1
    is_armed = False
    writes_keys_outside = False
    count = 0
    _held_back: "tuple[str, tuple[Any, ...]] | None" = None

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        # A death in front of one that reads is the same as behind the one before it.
        if not self.is_armed or statement.startswith("SELECT"):
            return super().execute(statement, *values)
        if self.writes_keys_outside and statement.startswith("INSERT INTO submission_keys"):
            self._held_back = statement, values
            return super().execute("SELECT 1")
        self._die_at(0)
        cursor = super().execute(statement, *values)
        self._die_at(1)
        type(self).count += 1
        if statement == "COMMIT" and self._held_back is not None:
            (held_back, its_values), self._held_back = self._held_back, None
            self.execute("BEGIN IMMEDIATE")
            super().execute(held_back, *its_values)
            self.execute("COMMIT")
        return cursor

    def _die_at(self, half: int) -> None:
        if 2 * self.count + half == self.point:
            os.kill(os.getpid(), signal.SIGKILL)


async def _serve(file: str, port: int) -> None:
    def arm() -> None:
        _Connection.is_armed = True

    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, arm)
    executor = ScriptedExecutor(default=_LONG)
    async with LocalServer(
        database=file, port=port, api_key=KEY, executor=executor, balance_cents=10**9
    ):
        print(os.getpid(), flush=True)
        await asyncio.Event().wait()


def _forked(file: str, port: int, point: int, mode: str) -> int:
    """Start a server, wait for its death, and give the signal that killed it."""
    child = os.fork()
    if child == 0:
        connect = sqlite3.connect
        _Connection.point, _Connection.writes_keys_outside = point, mode == "outside"
        sqlite3.connect = lambda *words, **options: connect(  # type: ignore[assignment]
            *words, **options, factory=_Connection
        )
        try:
            asyncio.run(_serve(file, port))
        finally:
            os._exit(1)
    _pid, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def main(file: str, port: str, point: str, mode: str) -> None:
    """Let a server die, and another one live."""
    if _forked(file, int(port), int(point), mode) == signal.SIGKILL:
        _forked(file, int(port), -1, "inside")


if __name__ == "__main__":
    main(*sys.argv[1:])
