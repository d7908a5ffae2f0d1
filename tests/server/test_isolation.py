"""A server is only for its own client: this machine, its own key, its own tasks."""

import asyncio
import gc
import warnings
from contextlib import AsyncExitStack

import aiohttp
import pytest

from browser_use_async.errors import ConfigurationError
from browser_use_async.server import LocalServer
from tests.server.calling import Caller
from tests.support.hygiene import open_sockets

ELSEWHERE = (
    "0.0.0.0",
    "::",
    "",
    "192.0.2.1",
    "10.0.0.1",
    "2001:db8::1",
    "example.com",
    "127.1",
    "*",
)
HERE = ("127.0.0.1", "127.0.0.2", "localhost")
SERVERS = 100


async def test_this_machine_only(http):
    """A public address is refused without a key, before the server listens."""
    sockets = open_sockets()
    for host in ELSEWHERE:
        with pytest.raises(ConfigurationError, match="api_key"):
            LocalServer(executor="scripted", host=host)
    left = open_sockets() - sockets
    for host in HERE:
        async with LocalServer(executor="scripted", host=host) as server:
            assert (await Caller(server, http).get("/ping")).status == 200

    assert left == 0


async def test_a_key_that_is_good_nowhere_else(http, monkeypatch):
    """The server generates its key; the one of the hosted service is refused."""
    monkeypatch.setenv("BROWSER_USE_API_KEY", "bu_of_the_service")
    async with LocalServer(executor="scripted") as server:
        hosted = {"Authorization": "Bearer bu_of_the_service"}
        refused = await Caller(server, http).get("/tasks", headers=hosted)

    assert server.api_key.startswith("bu_local_")
    assert refused.status == 401


@pytest.mark.long
async def test_a_hundred_servers():
    """Each has its own port, key, tasks and counts, and after closing nothing is left."""
    sockets, coroutines = open_sockets(), asyncio.all_tasks()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always", ResourceWarning)
        async with AsyncExitStack() as stack:
            http = await stack.enter_async_context(aiohttp.ClientSession())
            servers = [LocalServer(executor="scripted") for _ in range(SERVERS)]
            await asyncio.gather(*map(stack.enter_async_context, servers))
            callers = [Caller(server, http) for server in servers]
            await asyncio.gather(
                *(caller.create(f"Task {number}") for number, caller in enumerate(callers))
            )
            neighbours = [servers[number - 1].api_key for number in range(SERVERS)]
            strangers = await asyncio.gather(
                *(
                    caller.get("/tasks", headers={"Authorization": f"Bearer {key}"})
                    for caller, key in zip(callers, neighbours, strict=True)
                )
            )
            ports = {server.url.rsplit(":", 1)[1] for server in servers}
        await asyncio.sleep(0)  # closed transports release their sockets in the next turn
        gc.collect()
    left = open_sockets() - sockets
    still_at_work = asyncio.all_tasks() - coroutines

    assert len(ports) == SERVERS
    assert [[record.task for record in server.store.tasks] for server in servers] == [
        [f"Task {number}"] for number in range(SERVERS)
    ]
    assert {answer.status for answer in strangers} == {401}
    assert all(server.requests == {"run_task": 1, "list_tasks": 1} for server in servers)
    assert (left, still_at_work, warned) == (0, set(), [])
