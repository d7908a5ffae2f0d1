"""Kills servers before each statement of a submission: `python -m` this, and its arguments.

The words are a database, a path of the API, and where the key is written: `inside` of the
transaction or `late`. For each point a process serves, submits with a key of its own and dies; then
this one serves, sends the same again, and prints what there is, in a line of JSON.
"""

import asyncio
import itertools
import json
import os
import signal
import sqlite3
import sys
from collections.abc import Iterator
from typing import Any

import aiohttp

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.storage import Database
from browser_use_async.server.storage.submission_keys import KeyedCall, SubmissionKeys

_KEY = "bu_test_of_killed_submissions"
_LISTS = {
    "/run-task": ("/tasks", "tasks", "task"),
    "/scheduled-task": ("/scheduled-tasks", "tasks", "task"),
    "/browser-profiles": ("/browser-profiles", "profiles", "profile_name"),
}
_TIMES = {"start_at": "2099-01-01T00:00:00Z", "end_at": "2100-01-01T00:00:00Z"}


class Countdown:
    """Kills this process before the statement to which it counts down, once it is armed.

    With -1 statements it kills the process when the answer comes, and nobody sees the answer.
    """

    def __init__(self, statements: int) -> None:
        self._left = statements
        self._loses_the_answer = statements < 0
        self.is_armed = False
        connect = sqlite3.connect

        def connect_and_count(*arguments: Any, **options: Any) -> sqlite3.Connection:
            connection: sqlite3.Connection = connect(*arguments, **options)
            connection.set_trace_callback(lambda _statement: self.count())
            return connection

        sqlite3.connect = connect_and_count  # type: ignore[assignment]

    def count(self) -> None:
        """Die if this was the last one."""
        if self.is_armed:
            self._left -= 1
            if self._left == -1:
                os.kill(os.getpid(), signal.SIGKILL)

    def answer(self) -> None:
        """Die if the answer is to be lost."""
        if self._loses_the_answer:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch_postgres(self) -> None:
        """Count what is sent to PostgreSQL as well."""
        import psycopg

        execute = psycopg.AsyncConnection.execute

        async def execute_and_count(*arguments: Any, **options: Any) -> Any:
            self.count()
            return await execute(*arguments, **options)

        psycopg.AsyncConnection.execute = execute_and_count  # type: ignore[method-assign]


class LateKeys(SubmissionKeys):
    """The control: keys that are written after the transaction."""

    async def claim(self, at: Database, keyed: KeyedCall) -> None:
        """Write the key later."""
        _later.add(asyncio.ensure_future(_written_at_once(self, self._database, keyed)))


_written_at_once = SubmissionKeys.claim
_later = set[asyncio.Future[None]]()


def _served(place: str) -> LocalServer:
    executor = ScriptedExecutor({}, default=Scenario(steps=(), step_seconds=0))
    options: dict[str, Any] = {"drain": 0} if place.startswith("postgresql:") else {}
    return LocalServer(database=place, api_key=_KEY, executor=executor, **options)


def _body(path: str, text: str) -> dict[str, Any]:
    if path == "/browser-profiles":
        return {"profile_name": text}
    timing = {"schedule_type": "interval", "interval_minutes": 9, **_TIMES}
    return {"task": text, **(timing if path == "/scheduled-task" else {})}


class _Client:
    def __init__(self, server: LocalServer, http: aiohttp.ClientSession) -> None:
        self._url, self._http = server.base_url, http

    async def ask(self, method: str, path: str, key: str = "", body: Any = None) -> tuple[str, str]:
        """The text of an answer, and whether it is marked as a replay."""
        headers = {"Authorization": f"Bearer {_KEY}"}
        if key:
            headers["Idempotency-Key"] = f'"{key}"'
        url = self._url + path
        async with self._http.request(method, url, json=body, headers=headers) as answer:
            text = await answer.text()
            assert answer.status == 200, text
            return text, answer.headers.get("Idempotency-Replayed", "")

    async def submit(self, path: str, key: str) -> tuple[str, str]:
        """Create something under a key that is its text as well."""
        return await self.ask("POST", path, key, _body(path, key))


async def _die(place: str, path: str, key: str, countdown: Countdown) -> None:
    async with _served(place) as server, aiohttp.ClientSession() as http:
        client = _Client(server, http)
        await client.ask("GET", "/browser-profiles")  # creates the default one
        countdown.is_armed = True
        answered, _ = await client.submit(path, key)
        countdown.answer()
        print(json.dumps({"answered": answered}), flush=True)
        await client.ask("GET", "/tasks")
        await asyncio.gather(*_later)
        countdown.is_armed = False


async def _repeat(place: str, path: str, key: str) -> dict[str, Any]:
    async with _served(place) as server, aiohttp.ClientSession() as http:
        client = _Client(server, http)
        again, was_there = await client.submit(path, key)
        third, replayed = await client.submit(path, key)
        page, rows, text = _LISTS[path]
        listed = json.loads((await client.ask("GET", f"{page}?limit=100"))[0])[rows]
        found = sum(row[text] == key for row in listed)
    is_exact = found == 1 and replayed == "?1" and again == third
    return {"again": again, "was_there": bool(was_there), "is_exact": is_exact}


def _points(place: str, path: str, keys: str) -> Iterator[dict[str, Any]]:
    for point in itertools.count(-1):
        key = f"{path} {point}"
        child = os.fork()
        if child == 0:
            countdown = Countdown(point)
            if place.startswith("postgresql:"):
                countdown.watch_postgres()
            if keys == "late":
                SubmissionKeys.claim = LateKeys.claim  # type: ignore[method-assign]
            asyncio.run(_die(place, path, key, countdown))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        yield {"point": point, **asyncio.run(_repeat(place, path, key))}
        if not os.WIFSIGNALED(status):
            yield {"end": status}
            return


def main(place: str, path: str, keys: str) -> None:
    """Kill at one statement after the other, until one run survives."""
    for each in _points(place, path, keys):
        print(json.dumps(each), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
