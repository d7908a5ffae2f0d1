"""A server in the test's own loop, and raw HTTP to it."""

import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from browser_use_async.server import LocalServer
from browser_use_async.server.executors.scripted import Scenario, ScriptedExecutor
from browser_use_async.server.http.static_site import StaticSite, example_site_directory
from browser_use_async.server.secrets.encryption import KEY_VARIABLE
from browser_use_async.server.storage import SqliteDatabase
from tests.server.calling import Caller
from tests.server.steering import FromQueue
from tests.server.webhooks.receiver import receiving
from tests.support.wall_clock import WallClock

Start = Callable[..., Awaitable[Caller]]
SHARED_KEY = "bu_test_of_servers_that_share"
TWO_STEPS = Scenario(steps=("Open it", "Read it"), step_seconds=0, output="The answer")

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
def server_options():
    """Tasks follow `SCENARIOS`; a file may have its own options."""
    executor = ScriptedExecutor(SCENARIOS, default=SCENARIOS["quick"])
    return {"executor": executor, "balance_cents": 10_000}


@pytest.fixture
def caller(server, http):
    """Raw HTTP to `server`."""
    return Caller(server, http)


@pytest.fixture
async def site():
    """The address of the example site."""
    async with StaticSite(example_site_directory()) as served:
        yield served.url


@pytest.fixture
def database_path(tmp_path):
    """Where a database is."""
    return tmp_path / "server.db"


@pytest.fixture
def server_key(monkeypatch):
    """The key that all servers have."""
    monkeypatch.setenv(KEY_VARIABLE, "a-key-of-the-tests-0123456789")


@pytest.fixture(params=["sqlite", "postgres"])
async def database(request, server_key):
    """An empty database, in memory and on PostgreSQL."""
    if request.param == "sqlite":
        yield SqliteDatabase()
        return
    address = request.getfixturevalue("postgres")
    from browser_use_async.server.storage.postgres.database import PostgresDatabase

    shared = PostgresDatabase(address)
    await shared.open()
    yield shared
    await shared.aclose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.long)])
def place(request, tmp_path, server_key):
    """The place of a database: a file, or PostgreSQL."""
    if request.param == "sqlite":
        return str(tmp_path / "server.db")
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
async def start(http, postgres, server_key):
    """Start another server on the same database."""
    async with AsyncExitStack() as stack:

        async def start(**options: Any) -> Caller:
            executor = ScriptedExecutor({}, default=TWO_STEPS)
            given: dict[str, Any] = {
                "executor": executor,
                "database": postgres,
                "lease": 30,
                "drain": 0,
                **options,
            }
            server = await stack.enter_async_context(LocalServer(api_key=SHARED_KEY, **given))
            return Caller(server, http, SHARED_KEY)

        yield start


@pytest.fixture
async def receiver():
    """A receiver of webhooks, on a port of its own."""
    async with receiving() as each:
        yield each


@pytest.fixture
def clock():
    """The clock of a server."""
    return WallClock()


@pytest.fixture
def queue():
    """An executor that the test controls."""
    return FromQueue()


@pytest.fixture
async def steered(http, queue):
    """A server whose tasks do what the test puts into `queue`."""
    async with LocalServer(executor=queue) as server:
        yield Caller(server, http)


@pytest.fixture
def short_folder():
    """A folder with a short name, which sockets need."""
    with tempfile.TemporaryDirectory(prefix="admin-") as folder:
        yield Path(folder)
