"""A server in the test's own loop, and raw HTTP to it."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from tests.server.calling import Caller
from tests.server.steering import FromQueue

SCENARIOS = {
    "quick": Scenario(steps=("Open it", "Read it"), step_seconds=0, output="The answer"),
    "hangs": Scenario(steps=("Wait",), step_seconds=0, hangs=True),
    "fails": Scenario(steps=("Try",), step_seconds=0, outcome="failed", reason="No such page"),
    "files": Scenario(
        steps=(),
        output={"price": 3},
        files={"report.csv": b"a,b\n1,2\n", "notes & more #1.txt": "grün".encode()},
        cookies=({"name": "session", "value": "1"},),
    ),
}


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client without any defaults."""
    async with aiohttp.ClientSession(skip_auto_headers=["User-Agent"]) as session:
        yield session


@pytest.fixture
def server_options() -> dict[str, Any]:
    """Tasks follow `SCENARIOS`; a file may have its own options."""
    executor = ScriptedExecutor(SCENARIOS, default=SCENARIOS["quick"])
    return {"executor": executor, "balance_cents": 10_000}


@pytest.fixture
def caller(server: LocalServer, http: aiohttp.ClientSession) -> Caller:
    """Raw HTTP to `server`."""
    return Caller(server, http)


@pytest.fixture
def queue() -> FromQueue:
    """An executor that the test controls."""
    return FromQueue()


@pytest.fixture
async def steered(http: aiohttp.ClientSession, queue: FromQueue) -> AsyncIterator[Caller]:
    """A server whose tasks do what the test puts into `queue`."""
    async with LocalServer(executor=queue) as server:
        yield Caller(server, http)


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a short name, which sockets need."""
    with tempfile.TemporaryDirectory(prefix="admin-") as folder:
        yield Path(folder)
