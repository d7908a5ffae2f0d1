"""`serve --processes`: several servers at one port, on one database in PostgreSQL."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import aiohttp
import attrs
import psycopg
import pytest

from browser_use_async import BrowserUseSession
from browser_use_async.server.storage.postgres.connection import SCHEMA
from tests.support.patience import PATIENCE
from tests.support.postgres import postgres, postgres_server
from tests.support.wire import bound_socket

from .running import environment, run

__all__ = ["postgres", "postgres_server"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux and its /proc")

KEY = "bu_test_of_several_processes"
_SERVED = ("--port", "0", "--executor", "scripted", "--api-key", KEY)


@attrs.frozen
class Served:
    """A running `serve`, and its address."""

    process: asyncio.subprocess.Process
    base_url: str

    def session(self) -> BrowserUseSession:
        """A session with it."""
        return BrowserUseSession(KEY, base_url=self.base_url)

    def children(self) -> list[int]:
        """The ids of its processes, in the order of their start."""
        pid = self.process.pid
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    async def says(self, text: str) -> None:
        """Wait for a line on stderr with a text."""
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            while text not in (line := (await self.process.stderr.readline()).decode()):
                assert line, f"it ended without saying {text!r}"

    async def ends(self) -> int:
        """Wait for its end."""
        async with asyncio.timeout(PATIENCE):
            await self.process.communicate()
            return await self.process.wait()


@asynccontextmanager
async def _serving(database: str, *words: str) -> AsyncGenerator[Served]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "browser_use_async", "serve", *_SERVED),
        *("--database", database, "--no-access-log", *words),
        env=environment(BROWSER_USE_SERVER_KEY="a-key-of-the-tests-0123456789"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            said = await process.stdout.readline()
        assert said, (await process.communicate())[1].decode()
        yield Served(process, json.loads(said)["base_url"])
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.communicate(), PATIENCE)


async def _has_ended(pid: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while Path(f"/proc/{pid}/stat").exists():  # noqa: ASYNC110, ASYNC240 - no event for it
            await asyncio.sleep(0.05)


async def test_one_that_is_killed_loses_no_task_and_is_started_again(postgres: str) -> None:
    """While one of two is killed, each call is answered and each task is created and paid once."""
    async with _serving(postgres, "--processes", "2", "--role", "api") as served:
        async with served.session() as session, asyncio.TaskGroup() as group:
            before = (await session.account.get_balance()).cents
            first = await session.tasks.run("The first one")
            stopped = asyncio.Event()

            async def ask() -> int:
                asked = 0
                while not stopped.is_set():
                    assert await session.tasks.get_status(first.id)
                    asked += 1
                return asked

            async def create(number: int) -> str:
                key = f"invoice-{number}"
                return (await session.submit(f"Task {number}", key=key)).id

            polls = [group.create_task(ask()) for _ in range(10)]
            creations = [group.create_task(create(number)) for number in range(40)]
            victim, other = served.children()
            os.kill(victim, signal.SIGKILL)
            await served.says("has ended by SIGKILL; it is started again in 0.5 s")
            await served.says("serves again")
            ids = await asyncio.gather(*creations)
            again = await asyncio.gather(*(create(number) for number in range(40)))
            stopped.set()
            assert all([await each > 0 for each in polls])

            listed = [task.id async for task in session.iterate_all_tasks()]
            spent = before - (await session.account.get_balance()).cents
        assert again == ids
        assert sorted(listed) == sorted([first.id, *ids])
        assert spent == 41 * Decimal(1)
        replaced = served.children()
        assert other in replaced
        assert victim not in replaced
        served.process.send_signal(signal.SIGTERM)
        assert await served.ends() == 0
    for pid in replaced:
        await _has_ended(pid)


async def test_both_processes_answer(postgres: str, tmp_path: Path) -> None:
    """Both get connections and are nodes of the fleet, and each counts its answers."""
    place = tmp_path / "admin"
    words = ("--processes", "2", "--slots", "3", "--admin-socket", str(place))
    async with _serving(postgres, *words) as served:
        for _ in range(60):
            async with served.session() as session:
                await session.ping()
        pings = [await _pings(each) for each in (place, Path(f"{place}.2"))]
        slots = await asyncio.to_thread(_slots, postgres)
        served.process.send_signal(signal.SIGINT)
        assert await served.ends() == 0
        left = await asyncio.to_thread(_slots, postgres)

    assert sum(pings) == 60
    assert all(pings), "one process has got all connections"
    assert (slots, left) == ([3, 3], [])


async def _pings(admin_socket: Path) -> int:
    """How many calls of ping a process has answered, by its metrics."""
    connector = aiohttp.UnixConnector(str(admin_socket))
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        aiohttp.ClientSession(connector=connector, headers=headers) as http,
        http.get("http://localhost/metrics") as answer,
    ):
        text = await answer.text()
    assert answer.status == 200, text
    found = re.findall(r'browser_use_requests_total\{route="ping".*\} ([0-9.]+)', text)
    return int(sum(map(float, found)))


def _slots(database: str) -> list[int]:
    with psycopg.connect(database) as connection:
        found = connection.execute(f"SELECT slots FROM {SCHEMA}.nodes").fetchall()
    return [slots for (slots,) in found]


async def test_they_end_with_the_process_that_has_started_them(postgres: str) -> None:
    """If it is killed, no process continues at its port."""
    async with _serving(postgres, "--processes", "2", "--role", "api") as served:
        children = served.children()
        served.process.kill()
        await served.ends()

        for pid in children:
            await _has_ended(pid)


async def test_what_prevents_one_is_said_once() -> None:
    """A database that does not answer is one sentence, as for one process."""
    with bound_socket() as port:
        address = f"postgresql://unknown@127.0.0.1:{port}/none"
        result = await run("serve", *_SERVED, "--database", address, "--processes", "2")

    assert result.code == 2
    assert result.stderr.count("127.0.0.1") == 1


@pytest.mark.parametrize("words", [(), ("--database", "tasks.db")])
async def test_sqlite_is_refused(words: tuple[str, ...]) -> None:
    """SQLite has one process; the sentence names what several need, and no file is created."""
    result = await run("serve", *_SERVED, *words, "--processes", "2")

    assert result.code == 2
    assert "--processes needs a database in PostgreSQL" in result.stderr
    assert not await asyncio.to_thread(Path("tasks.db").exists)


async def test_an_address_of_one_process_is_refused() -> None:
    """Live pages could not be routed to the process that has a task."""
    words = ("--database", "postgresql://127.0.0.1:1/tasks", "--node-url", "http://127.0.0.1:1")
    result = await run("serve", *_SERVED, *words, "--processes", "2")

    assert result.code == 2
    assert "--node-url leads to one process" in result.stderr
