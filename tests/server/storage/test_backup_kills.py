"""Copies of a server that creates tasks all the time, while the server or the command is killed."""

import asyncio
import contextlib
import json
import os
import random
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest

from tests.server.storage.copies import names_in, tasks_of
from tests.support.patience import PATIENCE, until

ROOT = Path(__file__).parents[3]
KEY = "bu_test_of_storage"
CLIENTS, SECONDS = 3, 0.06
"""Each client creates a task in so many seconds, which makes fifty in a second."""


@attrs.define
class _Load:
    """Creates tasks on the servers of one database after another."""

    base_url: str = ""
    answered: list[str] = attrs.field(factory=list)

    async def create(self, http: aiohttp.ClientSession, scenario: str = "quick") -> None:
        body = {"task": scenario, "metadata": {"scenario": scenario}}
        headers = {"Authorization": f"Bearer {KEY}"}
        async with http.post(f"{self.base_url}/run-task", json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            self.answered.append((await answer.json())["id"])

    async def run(self, http: aiohttp.ClientSession) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + SECONDS, loop.time() - 1)  # catches up after a short pause
            with contextlib.suppress(aiohttp.ClientError):  # its server was killed
                await self.create(http)
            await asyncio.sleep(due - loop.time())

    async def goes_on(self) -> None:
        before = len(self.answered)
        await until(lambda: len(self.answered) > before)


@asynccontextmanager
async def _served(path: Path, load: _Load) -> AsyncIterator[Any]:
    """A server that is killed at the end, without any clean-up."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.server.storage.serving", str(path), "0"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            line = await process.stdout.readline()
        load.base_url = json.loads(line)["base_url"]
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _command(copy: Path, base_url: str) -> Any:
    own = {name: value for name, value in os.environ.items() if not name.startswith("BROWSER_USE")}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "browser_use_async", "backup", str(copy)),
        env={**own, "BROWSER_USE_BASE_URL": base_url, "BROWSER_USE_API_KEY": KEY},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_ten_kills_under_fifty_creations_a_second(tmp_path, http):
    """A copy has its name when it is whole, with all that was answered before it was asked for."""
    origin, copies, load = tmp_path / "origin", tmp_path / "copies", _Load()
    origin.mkdir()
    copies.mkdir()
    pauses, killed = random.Random(7), 0
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(_served(origin / "server.db", load))
        for _ in range(40):
            await load.create(http, "large")
        creating = [asyncio.create_task(load.run(http)) for _ in range(CLIENTS)]
        for number in range(10):
            copy = copies / f"{number}.db"
            await load.goes_on()
            before = set(load.answered)
            command = await _command(copy, load.base_url)
            # The first four while the command starts or the server copies; others while it sends.
            wanted = pauses.randrange(1, 35_000_000)
            is_early = number < 4
            with contextlib.suppress(TimeoutError):
                await until(
                    lambda: command.returncode is not None or _received(copies) >= wanted,  # noqa: B023
                    seconds=0.4 * (number + 1) if is_early else PATIENCE,
                )
            if number % 2:
                command.kill()
            else:
                server.kill()
            await command.communicate()
            killed += command.returncode != 0
            if copy.exists():
                assert before <= tasks_of(copy)
            if not number % 2:
                await server.wait()
                assert {*names_in(origin)} <= {*("server.db", "server.db-wal", "server.db-reserve")}
                server = await stack.enter_async_context(_served(origin / "server.db", load))
            for part in copies.glob(".*.part"):
                part.unlink()
        await load.goes_on()
        before = set(load.answered)
        whole = await _command(copies / "whole.db", load.base_url)
        _, said = await whole.communicate()
        for each in creating:
            each.cancel()
        ended = await asyncio.gather(*creating, return_exceptions=True)
        server = await stack.enter_async_context(_served(copies / "whole.db", restored := _Load()))
        await restored.create(http)

    assert whole.returncode == 0, said
    assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended
    assert killed > 5
    assert len(before) > 100
    assert before <= tasks_of(copies / "whole.db")


def _received(folder: Path) -> int:
    """The bytes of the copy that a command has received so far."""
    with contextlib.suppress(FileNotFoundError):
        return sum(each.stat().st_size for each in folder.glob(".*.part"))
    return 0
