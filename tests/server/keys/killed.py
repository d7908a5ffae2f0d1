"""Kills a server at each statement of its database in turn: `python -m tests.server.keys.killed`.

Prints, for each statement at which it was killed, what the owners and the account spent.
"""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import aiohttp

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor

KEY = "bu_test_of_a_killed_server"
BALANCE = 10_000
SUMS = """
    SELECT (SELECT :balance - balance / 1000000.0 FROM accounts WHERE owner = 'default'),
        (SELECT SUM(spent) / 1000000.0 FROM accounts),
        (SELECT spent / 1000000.0 FROM accounts WHERE owner = 'shop'),
        (SELECT COUNT(*) + 2.5 * (SELECT COUNT(*) FROM steps JOIN tasks ON tasks.id = task_id
            WHERE owner = 'shop') FROM tasks WHERE owner = 'shop')
"""


class Countdown:
    """Kills this process before the statement that it counts down to."""

    def __init__(self, statements: int) -> None:
        self._left = statements
        self.is_armed = False
        connect = sqlite3.connect

        def connect_and_count(*arguments: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*arguments, **options)
            connection.set_trace_callback(self._count)
            return connection

        sqlite3.connect = connect_and_count  # type: ignore[assignment]

    def _count(self, _statement: str) -> None:
        if self.is_armed:
            self._left -= 1
            if self._left < 0:
                os.kill(os.getpid(), signal.SIGKILL)


def served(path: Path) -> LocalServer:
    """A server whose tasks take two steps."""
    scenario = Scenario(steps=("Open it", "Read it"), step_seconds=0, output="Done")
    executor = ScriptedExecutor({}, default=scenario)
    return LocalServer(executor=executor, database=path, api_key=KEY, balance_cents=BALANCE)


async def make(path: Path) -> str:
    """Make a database with a key; the key."""
    async with served(path) as server, aiohttp.ClientSession() as http:
        headers = {"Authorization": f"Bearer {KEY}"}
        body = {"name": "shop", "budget_cents": 500, "concurrency": 5}
        async with http.post(f"{server.url}/admin/keys", json=body, headers=headers) as answer:
            key: str = (await answer.json())["key"]
    return key


async def live(path: Path, key: str, countdown: Countdown) -> None:
    """Run a task of each owner from its start to its end."""
    async with served(path) as server, aiohttp.ClientSession() as http:
        countdown.is_armed = True
        for each in (key, KEY):
            headers = {"Authorization": f"Bearer {each}"}
            url = f"{server.base_url}/run-task"
            async with http.post(url, json={"task": "x"}, headers=headers) as answer:
                task_id = (await answer.json())["id"]
            while server.store.task(task_id).status != "finished":  # type: ignore[union-attr]  # noqa: ASYNC110
                await asyncio.sleep(0)  # as fast as the tasks
        countdown.is_armed = False


def sums(path: Path) -> tuple[float, ...]:
    """What the account lost, all owners spent, one of them spent, and its tasks cost."""
    with sqlite3.connect(path) as connection:
        found: tuple[float, ...] = connection.execute(SUMS, {"balance": BALANCE}).fetchone()
    connection.close()
    return found


def main(folder: Path) -> None:
    """Kill at one statement after the other, until one run survives."""
    first = folder / "first.db"
    key = asyncio.run(make(first))
    results = list[tuple[float, ...]]()
    is_over = False
    while not is_over:
        path = folder / f"{len(results)}.db"
        shutil.copy(first, path)
        child = os.fork()
        if child == 0:
            asyncio.run(live(path, key, Countdown(len(results))))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        is_over = not os.WIFSIGNALED(status)
        before = sums(path)
        asyncio.run(_restart(path))
        results += [(*before, *sums(path))]
    print(json.dumps(results))


async def _restart(path: Path) -> None:
    async with served(path):
        pass


if __name__ == "__main__":
    main(Path(sys.argv[1]))
