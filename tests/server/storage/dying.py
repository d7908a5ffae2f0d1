"""A server that kills itself at a statement: `python -m tests.server.storage.dying` and its words.

For each point it forks a server with the same requests on a new file, which is killed before the
statement of that number. Then it forks another one, which continues with the same file. Each prints
what it answered its clients, and what is stored at the end, in lines of JSON.
"""

import asyncio
import itertools
import json
import os
import signal
import sqlite3
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from browser_use_async.server import LocalServer, Webhook
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.server.webhooks.receiver import SECRET

CENTS = 1000
_KEY = "bu_test_of_storage"
_HEADERS = {"Authorization": f"Bearer {_KEY}"}
_SCENARIO = Scenario(
    steps=("Open it", "Read it"), step_seconds=0, output="The answer", files={"a.txt": b"text"}
)
_TRANSACTIONS = frozenset({"BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"})


class _Connection(sqlite3.Connection):
    """Dies before a statement; without transactions each statement is committed alone."""

    point = 0
    has_transactions = True
    _count = 0

    def execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        # A death before a statement that reads is the same as one after the statement before.
        type(self)._count += not statement.startswith("SELECT")
        if self._count == self.point:
            os.kill(os.getpid(), signal.SIGKILL)
        if not self.has_transactions and statement in _TRANSACTIONS:
            return super().execute("SELECT 1")
        return super().execute(statement, *values)


def _say(**fields: Any) -> None:
    print(json.dumps(fields), flush=True)


class _Client:
    def __init__(self, server: LocalServer, http: aiohttp.ClientSession) -> None:
        self._url, self._http = server.base_url, http

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        url = self._url + path
        async with self._http.request(method, url, json=body, headers=_HEADERS) as answer:
            return await answer.json()


def _server(path: Path, receiver: str) -> LocalServer:
    return LocalServer(
        database=path,
        api_key=_KEY,
        executor=ScriptedExecutor({}, default=_SCENARIO),
        balance_cents=CENTS,
        webhooks=[Webhook(receiver, SECRET)],
    )


async def _live(path: Path, receiver: str) -> None:
    async with _server(path, receiver) as server, aiohttp.ClientSession() as http:
        client = _Client(server, http)
        end = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        schedule = {
            "task": "Look", "metadata": {"by": "schedule"}, "schedule_type": "interval",
            "interval_minutes": 600, "end_at": end,
        }  # fmt: skip
        answer = await client.ask("POST", "/scheduled-task", schedule)
        _say(schedule=answer["id"])
        answer = await client.ask("POST", "/run-task", {"task": "Go"})
        _say(task=answer["id"])
        await _until_quiet(server, client, 2)


async def _go_on(path: Path, receiver: str) -> None:
    async with _server(path, receiver) as server, aiohttp.ClientSession() as http:
        client = _Client(server, http)
        await _until_quiet(server, client, 0)
        page = await client.ask("GET", "/tasks?limit=100")
        stored = [
            {
                "id": task.id,
                "status": task.status,
                "started": task.started,
                "by": task.metadata.get("by"),
                "numbers": [step.step for step in task.steps],
                "cents": str(task.cost_cents),
                "file": server.store.file(task.id, "a.txt") == b"text",
            }
            for task in server.store.tasks
        ]
        schedules = (await client.ask("GET", "/scheduled-tasks"))["tasks"]
        _say(
            tasks=stored,
            listed=[row["id"] for row in page["tasks"]],
            total=page["total_count"],
            schedules=[each["id"] for each in schedules],
            cents=str(server.balance_cents),
        )


async def _until_quiet(server: LocalServer, client: _Client, tasks: int) -> None:
    """Wait until no task runs, no event is pending, and no schedule is active."""
    async with asyncio.timeout(20):
        while True:
            schedules = (await client.ask("GET", "/scheduled-tasks"))["tasks"]
            is_quiet = not any(each["is_active"] for each in schedules)
            is_quiet &= all(task.status.is_terminal for task in server.store.tasks)
            is_quiet &= all(each.state != "pending" for each in server.deliveries)
            if is_quiet and len(server.store.tasks) >= tasks:
                return
            await asyncio.sleep(0.01)


def _forked(work: Any, *words: Any) -> bool:
    """Whether work in a process of its own ended normally."""
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(work(*words))
        except BaseException as error:  # noqa: BLE001 - said, and the process ends
            _say(error=repr(error))
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def _dying(point: int, has_transactions: bool, path: Path, receiver: str) -> Any:
    async def work() -> None:
        connect = sqlite3.connect
        _Connection.point, _Connection.has_transactions = point, has_transactions
        sqlite3.connect = lambda *words, **options: connect(  # type: ignore[assignment]
            *words, **options, factory=_Connection
        )
        await _live(path, receiver)
        _say(statements=_Connection._count)

    return work


def main(folder: str, receiver: str, first: str, stride: str, mode: str) -> None:
    """Let one server after another die at its point, and print what is left of each."""
    for point in itertools.count(int(first), int(stride)):
        path = Path(folder) / f"{point}.db"
        _say(point=point)
        survived = _forked(_dying(point, mode == "transactions", path, receiver))
        if path.exists():
            _forked(_go_on, path, receiver)
        if survived:
            _say(end=point)
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
